"""Congestion control: how many bytes may be in flight.

Owns the window; it knows nothing of packets' contents. Every controller follows `Congestion`, so
that a better one can take its place without a change elsewhere.
"""

from collections.abc import Sequence
from typing import Protocol

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.packets import NO_SNAPSHOT, SentPacket, Snapshot
from chatnet_engine.trace import Code

ALPHA_MAX = 10.0
ALPHA_MIN = 0.3
"""Packets that the window grows by in a round trip: on an empty queue, on a full one."""
BETA_MIN = 0.125
BETA_MAX = 0.5
"""Multiplicative decrease at a loss, as a fraction of the window: on an empty queue, on a full
one."""
QUEUE_EMPTY = 0.01
QUEUE_SHORT = 0.1
QUEUE_LONG = 0.8
"""Queueing delays that bound the regimes, as parts of the longest seen."""
NOISE_S = 0.002
"""Less delay than this is no queue but a scheduler."""
BASE_KEPT_S = 10.0
"""The shortest round trip counts for one to two times this, so that a new path is noticed."""
LONGEST_DECAY = 0.99
"""Per round, so that one stall does not make every later queue look short."""


class Congestion(Protocol):
    """What loss recovery and the sender report to a controller, and the limits it sets."""

    window_bytes: int

    def on_sent(self, in_flight_bytes: int, now: float) -> Snapshot:
        """A packet leaves while so much is in flight; kept with it as its `snapshot`."""

    def on_ack(
        self,
        acked: Sequence[SentPacket],
        sample_s: float | None,
        in_flight_bytes: int,
        now: float,
        used: bool,
    ) -> None:
        """One ACK: the packets it acknowledges, oldest first, its round-trip sample if it gave
        one, what is in flight after it, and whether window or pace held the sender back."""

    def on_lost(self, size_bytes: int, sent_at: float, now: float) -> None:
        """Packets were declared lost, the newest of them sent at `sent_at`."""

    def on_late(self, size_bytes: int) -> None:
        """A packet that was declared lost has arrived after all."""

    def on_spurious(self) -> None:
        """Every packet of the last loss event has arrived after all."""

    def on_persistent(self) -> None:
        """Everything sent over three probe timeouts was lost, RFC 9002 section 7.6."""

    def on_app_limited(self, in_flight_bytes: int) -> None:
        """There is less to send than window and pace allow."""

    def pace(self, rtt_s: float) -> float:
        """Bytes per second that may leave."""

    @property
    def rate_bytes_per_s(self) -> float:
        """What the path is believed to carry; 0 where the controller does not know."""

    @property
    def queue_s(self) -> float:
        """What a packet waits in the path's queue, as the last round trips show."""

    @property
    def state(self) -> Code:
        """What it is doing, for traces."""


class QueueGauge:
    """How full the path's queue is, from round-trip samples averaged over each round."""

    def __init__(self) -> None:
        self.alpha = 1.0
        self.beta = BETA_MAX
        self.queue_s = 0.0
        self._base_s = float("inf")
        self._next_base_s = float("inf")
        self._base_until = float("-inf")
        self._longest_s = 0.0
        self._round_until = float("-inf")
        self._sum_s = 0.0
        self._samples = 0

    def add(self, sample_s: float, now: float) -> None:
        """One sample; at the end of a round the regime is chosen anew."""
        if now >= self._base_until:
            self._base_s = self._next_base_s
            self._next_base_s = sample_s
            self._base_until = now + BASE_KEPT_S
        self._base_s = min(self._base_s, sample_s)
        self._next_base_s = min(self._next_base_s, sample_s)
        self._sum_s += sample_s
        self._samples += 1
        if now < self._round_until:
            return
        queue_s = self.queue_s = max(self._sum_s / self._samples - self._base_s, 0.0)
        self._sum_s, self._samples = 0.0, 0
        self._round_until = now + sample_s
        self._longest_s = max(self._longest_s * LONGEST_DECAY, queue_s)
        self._choose(queue_s)

    def _choose(self, queue_s: float) -> None:
        """Equations 2 and 3 of Liu, Başar and Srikant, TCP-Illinois (2006)."""
        longest_s = self._longest_s
        empty_s = QUEUE_EMPTY * longest_s
        if queue_s <= max(empty_s, NOISE_S):
            self.alpha, self.beta = ALPHA_MAX, BETA_MIN
            return
        steepness = (queue_s - empty_s) * (ALPHA_MAX - ALPHA_MIN) / ALPHA_MIN
        self.alpha = ALPHA_MAX * (longest_s - empty_s) / (longest_s - empty_s + steepness)
        share = (queue_s / longest_s - QUEUE_SHORT) / (QUEUE_LONG - QUEUE_SHORT)
        self.beta = BETA_MIN + (BETA_MAX - BETA_MIN) * min(max(share, 0.0), 1.0)


class Illinois:
    """RFC 9002 section 7, with TCP-Illinois in place of its fixed increase and decrease.

    Loss says when to give way, delay says how much: on a line that loses at random with an empty
    queue the window stays usable, on a full queue it acts as NewReno or gentler.
    """

    def __init__(self, config: ArqConfig) -> None:
        self._packet_bytes = config.max_payload_bytes + config.datagram_overhead_bytes
        self._min_bytes = config.min_window_packets * self._packet_bytes
        self._queue = QueueGauge()
        self.window_bytes = config.initial_window_packets * self._packet_bytes
        self._threshold_bytes: float = float("inf")
        self._recovery_start: float = float("-inf")
        self._before: tuple[int, float, float] | None = None

    @property
    def in_slow_start(self) -> bool:
        """Below the threshold."""
        return self.window_bytes < self._threshold_bytes

    def on_sent(self, in_flight_bytes: int, now: float) -> Snapshot:
        """Nothing to remember."""
        return NO_SNAPSHOT

    def on_ack(
        self,
        acked: Sequence[SentPacket],
        sample_s: float | None,
        in_flight_bytes: int,
        now: float,
        used: bool,
    ) -> None:
        """Grow by what arrived (slow start), or by alpha packets per window."""
        if sample_s is not None:
            self._queue.add(sample_s, now)
        if not used:
            return
        for packet in acked:
            if packet.sent_at <= self._recovery_start:
                continue
            if self.in_slow_start:
                self.window_bytes += packet.size_bytes
                continue
            share = packet.size_bytes / self.window_bytes
            self.window_bytes += max(1, int(self._queue.alpha * self._packet_bytes * share))

    def on_lost(self, size_bytes: int, sent_at: float, now: float) -> None:
        """Reduce the window by beta, once per round trip."""
        if sent_at <= self._recovery_start:
            return
        self._before = (self.window_bytes, self._threshold_bytes, self._recovery_start)
        self._recovery_start = now
        kept_bytes = int(self.window_bytes * (1 - self._queue.beta))
        self.window_bytes = max(kept_bytes, self._min_bytes)
        self._threshold_bytes = self.window_bytes

    def on_late(self, size_bytes: int) -> None:
        """`on_spurious` undoes what the loss did."""

    def on_app_limited(self, in_flight_bytes: int) -> None:
        """`used` says so."""

    def pace(self, rtt_s: float) -> float:
        """Twice the window a round trip in slow start, 1.25 times after, RFC 9002 section 7.7."""
        return (2.0 if self.in_slow_start else 1.25) * self.window_bytes / max(rtt_s, 1e-6)

    @property
    def rate_bytes_per_s(self) -> float:
        """It has no model of the path."""
        return 0.0

    @property
    def queue_s(self) -> float:
        """Of the last round."""
        return self._queue.queue_s

    @property
    def state(self) -> Code:
        """RFC 9002's words."""
        return Code("slow_start" if self.in_slow_start else "congestion_avoidance")

    def on_spurious(self) -> None:
        """Take the last reduction back."""
        if self._before is None:
            return
        window_bytes, self._threshold_bytes, self._recovery_start = self._before
        self.window_bytes = max(window_bytes, self.window_bytes)
        self._before = None

    def on_persistent(self) -> None:
        """Begin again from the least window."""
        self.window_bytes = self._min_bytes
        self._recovery_start = float("-inf")
        self._before = None
