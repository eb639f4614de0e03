"""Rate-based congestion control: BBR's model of the path, with a bound on the queue it makes.

Owns pace and window. The model is BBRv1's (draft-cardwell-iccrg-bbr-congestion-control-00): the
highest delivery rate of the last rounds and the least round trip of the last ten seconds. On a path
of its own it differs: what is in flight is bounded by the content of the empty path and a few
milliseconds more, probes for more rate begin small and double only while they find some (as the
growing probes of BBRv3, draft-ietf-ccwg-bbr), and startup ends by delay (RFC 9406) where loss has
not ended it. Loss alone says nothing; above BBRv3's 2 % it counts where the delivery rate falls
short of the model with it. Beside a rival that keeps the queue full it acts as BBRv1 (`rivals`).
"""

import enum
from collections.abc import Sequence
from math import inf, sqrt

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.delivery import Aggregation, DeliveryRate, HighestRate, Round
from chatnet_engine.arq.packets import SentPacket, Snapshot
from chatnet_engine.arq.rivals import Rivals
from chatnet_engine.trace import Code

SHORTEST_RTT_S = 1e-5
"""A clock that stood still measures nothing; no path is shorter."""
STARTUP_GAIN = 2.0
"""Doubling takes a little more than a round trip, and the overshoot is smaller than with 2.77."""
STARTUP_GROWTH = 1.25
STARTUP_ROUNDS = 3
"""Startup is over when three rounds in a row did not bring a quarter more (BBR)."""
DELAY_SHARE = 0.1
LEAST_DELAY_S = 0.004
MOST_DELAY_S = 0.010
DELAY_SAMPLES = 8
"""... or when the least of eight samples is that far above the empty path (RFC 9406)."""
PROBE_STEP = 0.06
MOST_PROBE_STEP = 1.0
"""A probe sends 6 % more for a round trip, which queues for that part of it where nothing is free;
one that finds space is followed by one of twice the step."""
RIVAL_STEP = 0.25
DOWN_GAIN = 0.9
RIVAL_DOWN_GAIN = 0.75
"""Beside a rival, BBRv1's cycle."""
CRUISE_ROUNDS = 4
"""Rounds between probes; BBRv1 has six."""
RATE_ROUNDS = 10
"""Rounds that a delivery rate counts (BBR) ..."""
FALL_ROUNDS = 2
"""... and while a queue stays that our probes do not explain, so that a slower line shows soon."""
LEAST_RTT_KEPT_S = 10.0
"""A least round trip not seen for so long is looked for with half a window (BBR) ..."""
PROBE_RTT_S = 0.2
PROBE_RTT_ROUNDS = 2
"""... for this long."""
QUEUE_FACTOR = 0.4
LEAST_QUEUE_S = 0.003
MOST_QUEUE_S = 0.015
"""The queue allowed is 0.4 / sqrt(packets per second): 4 ms at 100 Mbit/s. The slower of two of us
is thus allowed the longer queue, and catches up."""
CALM_SHARE = 0.375
LEAST_CALM_S = 0.0015
"""A queue below this part of the allowed one is bursts and schedulers."""
EMPTY_FACTOR = 3.0
"""Two of us keep a queue of up to three times that, and need not take each other for rivals ..."""
MOST_EMPTY_S = 0.005
EMPTY_PACKETS = 8
"""... but BBR keeps one of 5 to 10 ms. On a slow line that is a few packets."""
STANDING_S = 0.008
"""A queue above this for a whole round is not of our own probes."""
PLUNGE = 0.7
"""A delivery rate this far below the model, in a queue of twice `STANDING_S`, is taken for the
path's after a quarter of a round trip; a round lasts too long while the queue grows."""
LOSS_THRESHOLD = 0.02
SHORTFALL = 0.85
"""Above that loss (BBRv3), a rate this far below the model is the path's."""
LOSS_GAIN = 1 / 8
MOST_LOSS = 0.25
"""A probe makes up for the loss of the line, up to this much."""
SPARE_PACKETS = 3
"""Above each window: what the pacer holds back while it gathers a burst."""
MOST_EXTRA_S = 0.010
"""Where more is acknowledged at once than LEAST_QUEUE_S holds, so much may be in flight instead, up
to this: on such fast paths an end that handles packets turn by turn waits for nothing else."""


class Phase(enum.StrEnum):
    """What the model is doing; the words of BBR."""

    STARTUP = "startup"
    DRAIN = "drain"
    CRUISE = "probe_bw_cruise"
    UP = "probe_bw_up"
    REFILL = "probe_bw_wait"
    """The ACKs of a probe take a round trip."""
    DOWN = "probe_bw_down"
    PROBE_RTT = "probe_rtt"


class PathModel:
    """A `Congestion`; see the module."""

    def __init__(self, config: ArqConfig) -> None:
        self._packet_bytes = config.max_payload_bytes + config.datagram_overhead_bytes
        self._least_bytes = config.min_window_packets * self._packet_bytes
        self._first_bytes = config.initial_window_packets * self._packet_bytes
        self.window_bytes = self._first_bytes
        self.rivals = Rivals()
        self._delivery = DeliveryRate()
        self._loss = 0.0
        self._reset()

    def _reset(self) -> None:
        """Nothing is known of the path."""
        self._rates, self._aggregation = HighestRate(), Aggregation()
        self._least_rtt_s = self._last_round_rtt_s = inf
        self._least_seen_at = 0.0
        self._probed_rtt_s = inf
        self._recent: list[float] = []
        self._rounds = self._phase_round = 0
        self._round = Round(self._delivery.delivered_bytes)
        self._phase, self._gain = Phase.STARTUP, STARTUP_GAIN
        self._phase_at = 0.0
        self._full_rate, self._full_rounds = 0.0, 0
        self._step = PROBE_STEP
        self._rate_before_probe = 0.0
        self._plunged_at = inf
        self._allowed_s, self._calm_s = LEAST_QUEUE_S, LEAST_CALM_S
        self._empty_s = MOST_EMPTY_S
        self._window_of = (0.0, False)
        """The rate that the window was set for, and whether it still holds."""

    # --- reports --------------------------------------------------------------------------------

    def on_sent(self, in_flight_bytes: int, now: float) -> Snapshot:
        """See `Congestion`."""
        return self._delivery.on_sent(in_flight_bytes, now)

    def on_ack(
        self,
        acked: Sequence[SentPacket],
        sample_s: float | None,
        in_flight_bytes: int,
        now: float,
        used: bool,
    ) -> None:
        """Take the samples; at the end of a round judge them; then set the window."""
        delivery, rates, this = self._delivery, self._rates, self._round
        before_bytes = delivery.delivered_bytes
        delivery.on_ack(acked, now)
        acked_bytes = delivery.delivered_bytes - before_bytes
        self._aggregation.on_ack(acked_bytes, rates.best, self._rounds, now)
        if sample_s is not None:
            self._add_rtt(sample_s)
        rate, limited = delivery.rate, delivery.app_limited
        if rate and (not limited or rate > rates.best):
            rates.add(self._rounds, rate)
            this.best_rate = max(this.best_rate, rate)
            this.used = this.used or not limited
        if rate < PLUNGE * rates.best and not limited:
            self._heed_plunge(rate, now)
        else:
            self._plunged_at = inf
        if delivery.prior_bytes >= this.ends_bytes:
            self._end_round(now)
        elif self._phase is Phase.STARTUP and self._queue_stands():
            self._enter(Phase.DRAIN, now)
        if self._phase in (Phase.DRAIN, Phase.DOWN):
            if in_flight_bytes <= self._content_bytes:
                self._enter(Phase.CRUISE, now)
        elif self._phase is Phase.PROBE_RTT:
            self._end_probe_rtt(now)
        if self._window_of != (rates.best, True):
            self._set_window()

    def on_lost(self, size_bytes: int, sent_at: float, now: float) -> None:
        """Judged with its round."""
        self._round.lost_bytes += size_bytes

    def on_late(self, size_bytes: int) -> None:
        """It was no loss."""
        self._delivery.on_late(size_bytes)
        self._round.lost_bytes = max(self._round.lost_bytes - size_bytes, 0)

    def on_spurious(self) -> None:
        """There is nothing to undo: a loss alone changes nothing."""

    def on_persistent(self) -> None:
        """This may be another path: begin again, from the least window."""
        self._reset()
        self.rivals = Rivals()
        self.window_bytes = self._least_bytes

    def on_app_limited(self, in_flight_bytes: int) -> None:
        """See `Congestion`."""
        self._delivery.on_app_limited(in_flight_bytes)

    def pace(self, rtt_s: float) -> float:
        """The rate of the model times the gain of the phase; at first that of the first window."""
        rate = self._rates.best
        if self._phase is Phase.STARTUP:
            rate = max(rate, self._first_bytes / max(rtt_s, 1e-3))
        return self._gain * rate

    @property
    def rate_bytes_per_s(self) -> float:
        """See `Congestion`."""
        return self._rates.best

    @property
    def queue_s(self) -> float:
        """See `Congestion`."""
        return self._queue_of(min(self._recent, default=0.0))

    @property
    def state(self) -> Code:
        """The phase."""
        return Code(self._phase)

    # --- the path -------------------------------------------------------------------------------

    def _add_rtt(self, sample_s: float) -> None:
        sample_s = max(sample_s, SHORTEST_RTT_S)
        self._recent.append(sample_s)
        del self._recent[:-DELAY_SAMPLES]
        self._round.least_rtt_s = min(self._round.least_rtt_s, sample_s)
        if self._least_rtt_s == inf:
            self._least_rtt_s = sample_s
            self._window_of = (0.0, False)

    def _queue_of(self, rtt_s: float) -> float:
        return max(rtt_s - self._least_rtt_s, 0.0)

    @property
    def _content_bytes(self) -> int:
        """What the path holds while its queue is empty."""
        if self._least_rtt_s == inf:
            return self._first_bytes
        return int(self._rates.best * self._least_rtt_s)

    def _queue_stands(self) -> bool:
        """Whether startup has filled the path, by its delay."""
        if len(self._recent) < DELAY_SAMPLES:
            return False
        most_s = min(max(DELAY_SHARE * self._least_rtt_s, LEAST_DELAY_S), MOST_DELAY_S)
        return self.queue_s > most_s

    def _heed_plunge(self, rate: float, now: float) -> None:
        """The path may have become much slower, and each moment makes its queue longer. One late
        batch of ACKs, of a machine that was busy, is not enough to say so."""
        alone = not self.rivals.competing and self._phase is not Phase.STARTUP
        if not alone or self.queue_s < 2 * STANDING_S:
            self._plunged_at = inf
            return
        self._plunged_at = min(self._plunged_at, now)
        if now - self._plunged_at >= self._least_rtt_s / 4:
            self._rates.cap(rate)

    def _end_round(self, now: float) -> None:
        this, delivered_bytes = self._round, self._delivery.delivered_bytes
        self._rounds += 1
        self._round = Round(delivered_bytes)
        self._learn_rtt(this.least_rtt_s, now)
        measured = this.least_rtt_s < inf
        queue_s = self._queue_of(this.least_rtt_s) if measured else 0.0
        loss = this.loss(delivered_bytes)
        self.rivals.note_rate(self._rates.best)
        self._loss += LOSS_GAIN * (loss - self._loss)
        if self._phase not in (Phase.STARTUP, Phase.DRAIN):
            believed = SHORTFALL * (1 - self._loss) * self._rates.best
            if this.used and loss > LOSS_THRESHOLD and this.best_rate < believed:
                self._rates.cap(this.best_rate)
            empty = not measured or queue_s < self._empty_s
            again = self.rivals.on_round(empty, this.lost_bytes > 0, self._rates.best, now)
            if again:
                self._rates.add(self._rounds, again)
        if this.used:
            falling = queue_s > STANDING_S and not self.rivals.competing
            kept = FALL_ROUNDS if falling and self._phase is not Phase.STARTUP else RATE_ROUNDS
            self._rates.expire(self._rounds - kept)
        self._aggregation.expire(self._rounds - RATE_ROUNDS)
        self._advance(queue_s, this.used, now)
        if self._rates.best:
            allowed_s = QUEUE_FACTOR / sqrt(self._rates.best / self._packet_bytes)
            self._allowed_s = min(max(allowed_s, LEAST_QUEUE_S), MOST_QUEUE_S)
            self._calm_s = max(CALM_SHARE * self._allowed_s, LEAST_CALM_S)
            packets_s = EMPTY_PACKETS * self._packet_bytes / self._rates.best
            self._empty_s = min(EMPTY_FACTOR * self._calm_s, max(MOST_EMPTY_S, packets_s))
        self._window_of = (0.0, False)

    def _learn_rtt(self, rtt_s: float, now: float) -> None:
        """What two rounds agree on: a pump that was held up between reading the clock and reading
        its socket measures less than there is."""
        seen_s = max(rtt_s, self._last_round_rtt_s)
        self._last_round_rtt_s = rtt_s
        if self._phase is Phase.PROBE_RTT and self._rounds - self._phase_round > 1:
            self._probed_rtt_s = min(self._probed_rtt_s, seen_s)
        slack_s = 0.0 if self.rivals.competing else self._calm_s
        if seen_s <= self._least_rtt_s + slack_s:
            self._least_seen_at = now
            self._least_rtt_s = min(self._least_rtt_s, seen_s)

    # --- phases ---------------------------------------------------------------------------------

    def _advance(self, queue_s: float, used: bool, now: float) -> None:
        """A round has ended: which phase is next."""
        if self._phase is Phase.STARTUP:
            self._advance_startup(used, now)
            return
        competing = self.rivals.competing
        if self._phase is not Phase.PROBE_RTT and now - self._least_seen_at > LEAST_RTT_KEPT_S:
            self._probed_rtt_s = inf
            self._enter(Phase.PROBE_RTT, now)
            return
        rounds = self._rounds - self._phase_round
        may_probe = used and (competing or queue_s < self._allowed_s)
        if self._phase is Phase.CRUISE and rounds >= CRUISE_ROUNDS and may_probe:
            self._step = RIVAL_STEP if competing else PROBE_STEP
            self._probe(now)
        elif self._phase is Phase.UP:
            self._enter(Phase.DOWN if competing else Phase.REFILL, now)
        elif self._phase is Phase.REFILL:
            found = self._rates.best - self._rate_before_probe
            if may_probe and found > self._rate_before_probe * self._step / 2:
                self._step = min(2 * self._step, MOST_PROBE_STEP)
                self._probe(now)
            else:
                self._enter(Phase.DOWN, now)
        elif self._phase is Phase.DOWN and rounds >= 1:
            self._enter(Phase.CRUISE, now)
        if self._phase is Phase.CRUISE and not competing:  # what queues is given back in a round
            excess_s = max(queue_s - self._calm_s, 0.0)
            self._gain = 1.0 - min(excess_s / self._least_rtt_s, 1 - DOWN_GAIN)

    def _advance_startup(self, used: bool, now: float) -> None:
        if not used or self._rates.best >= STARTUP_GROWTH * self._full_rate:
            self._full_rate, self._full_rounds = self._rates.best, 0
            return
        self._full_rounds += 1
        if self._full_rounds >= STARTUP_ROUNDS:
            self._enter(Phase.DRAIN, now)

    def _probe(self, now: float) -> None:
        self._rate_before_probe = self._rates.best
        self._enter(Phase.UP, now)

    def _enter(self, phase: Phase, now: float) -> None:
        self._phase, self._phase_round, self._phase_at = phase, self._rounds, now
        self._window_of = (0.0, False)
        competing = self.rivals.competing
        match phase:
            case Phase.DRAIN:
                self._gain = 1 / STARTUP_GAIN
            case Phase.UP:
                self._gain = (1.0 + self._step) / (1.0 - min(self._loss, MOST_LOSS))
            case Phase.DOWN:
                self._gain = RIVAL_DOWN_GAIN if competing else DOWN_GAIN
            case _:
                self._gain = 1.0

    def _end_probe_rtt(self, now: float) -> None:
        rounds = self._rounds - self._phase_round
        if now - self._phase_at <= PROBE_RTT_S or rounds <= PROBE_RTT_ROUNDS:
            return
        if self._probed_rtt_s < inf:
            self._least_rtt_s = self._probed_rtt_s
        self._least_seen_at = now
        self.rivals.leave(self._rates.best, now)
        self._enter(Phase.CRUISE, now)

    def _set_window(self) -> None:
        self._window_of = (self._rates.best, True)
        content_bytes = self._content_bytes
        spare_bytes = SPARE_PACKETS * self._packet_bytes
        window_bytes: float = content_bytes
        if self._phase is Phase.STARTUP:
            window_bytes = max(STARTUP_GAIN * content_bytes, self._first_bytes)
        elif self._phase is Phase.PROBE_RTT:
            window_bytes = content_bytes / 2
        elif self._phase is not Phase.DRAIN:
            if self.rivals.competing:
                window_bytes *= self.rivals.window_gain
            else:
                window_bytes *= max(self._gain, 1.0)
                spare_s = self._allowed_s
                if spare_s == LEAST_QUEUE_S:
                    extra_s = self._aggregation.extra_bytes / max(self._rates.best, 1.0)
                    spare_s = max(spare_s, min(extra_s, MOST_EXTRA_S))
                window_bytes += spare_s * self._rates.best
            window_bytes += spare_bytes
        self.window_bytes = max(int(window_bytes), self._least_bytes)
