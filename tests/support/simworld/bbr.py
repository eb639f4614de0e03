"""BBRv1 as a rival: draft-cardwell-iccrg-bbr-congestion-control-00, with what Linux does at losses.

In packets and seconds. It never runs out of content, so no sample is limited by the application.
"""

from enum import Enum, auto
from math import inf
from random import Random

from chatnet_engine.arq.delivery import DeliveryRate, HighestRate
from chatnet_engine.arq.packets import SentPacket
from simworld.flows import TCP_PACKET, Tcp
from simworld.shared_line import SharedLine

HIGH_GAIN = 2.885
CYCLE = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
WINDOW_GAIN = 2.0
RATE_ROUNDS = 10
FULL_GROWTH, FULL_ROUNDS = 1.25, 3
MIN_RTT_KEPT_S = 10.0
PROBE_RTT_S = 0.2
LEAST_WINDOW = 4
FIRST_WINDOW = 10
QUANTUM_S = 0.001
QUANTA = 3
"""Bursts that the window leaves space for beyond the model."""
MARGIN = 0.99
"""Linux paces a hundredth below the gain."""


class Mode(Enum):
    """The four of the draft."""

    STARTUP = auto()
    DRAIN = auto()
    PROBE_BW = auto()
    PROBE_RTT = auto()


class Bbr(Tcp):
    """One flow, always with something to send."""

    def __init__(self, forward: SharedLine, back: SharedLine, seed: int = 1) -> None:
        super().__init__(forward, back)
        self.mode = Mode.STARTUP
        self.window = FIRST_WINDOW
        self.least_rtt_s = inf
        self._random = Random(f"bbr/{seed}")
        self._delivery, self._rates = DeliveryRate(), HighestRate()
        self.gain = HIGH_GAIN
        self._full_rate, self._full_rounds = 0.0, 0
        self._round, self._round_ends, self._round_started = 0, 0, False
        self._phase, self._phase_at, self._phase_lost = 0, 0.0, False
        self._least_at, self._probe_ends = 0.0, inf
        self._probe_round_ends = 0
        self._window_before = 0
        self._recovery_until = -1
        self._conserving = False
        self._free_at, self._waking = 0.0, False

    # --- sending --------------------------------------------------------------------------------

    def fill(self) -> None:
        """At the pace, within the window."""
        now = self.clock.now_s
        while len(self.sent) < self.window and self._free_at <= now + 1e-9:
            packet = SentPacket(0, now, TCP_PACKET, [])
            packet.snapshot = self._delivery.on_sent(len(self.sent) * TCP_PACKET, now)
            self.send(packet)
            rate = self._rates.best or FIRST_WINDOW * TCP_PACKET / 0.1
            self._free_at = max(self._free_at, now) + TCP_PACKET / (self.gain * rate * MARGIN)
        if len(self.sent) < self.window and not self._waking:
            self._waking = True
            self.clock.after(self._free_at - now, self._wake)

    def _wake(self) -> None:
        self._waking = False
        self.fill()

    # --- reports --------------------------------------------------------------------------------

    def acked(self, packet: SentPacket, rtt_s: float) -> None:
        """The whole of BBRUpdateOnACK."""
        now = self.clock.now_s
        delivery, rates = self._delivery, self._rates
        delivery.on_ack([packet], now)
        self._round_started = delivery.prior_bytes >= self._round_ends
        if self._round_started:
            self._round_ends = delivery.delivered_bytes
            self._round += 1
            self._conserving = False
        if delivery.rate:
            rates.add(self._round, delivery.rate)
        rates.expire(self._round - RATE_ROUNDS)
        self._advance_cycle(now)
        if self._round_started and self.mode is Mode.STARTUP:
            self._check_full(now)
        if self.mode is Mode.DRAIN and len(self.sent) <= self._inflight(1.0):
            self._enter_probe_bw(now)
        self._learn_rtt(rtt_s, now)
        if packet.number > self._recovery_until >= 0:
            self._recovery_until = -1
            self.window = max(self.window, self._window_before)
        self._set_window()

    def lost(self, packets: list[SentPacket]) -> None:
        """Packets are conserved for a round; the model does not change."""
        self._phase_lost = True
        if self._recovery_until < 0:
            self._recovery_until = self._next - 1
            self._window_before = self.window
            self._conserving = True
            self._round_ends = self._delivery.delivered_bytes
            self.window = max(len(self.sent) + 1, LEAST_WINDOW)
        else:
            self.window = max(self.window - len(packets), LEAST_WINDOW)

    def timed_out(self) -> None:
        """From the least window."""
        self._window_before, self.window = max(self.window, self._window_before), LEAST_WINDOW
        self._recovery_until = self._next - 1

    # --- the model ------------------------------------------------------------------------------

    def _inflight(self, gain: float) -> int:
        """Packets for this many contents of the path."""
        if self.least_rtt_s == inf:
            return FIRST_WINDOW
        quantum = max(self._rates.best * QUANTUM_S / TCP_PACKET, 2)
        return int(gain * self._rates.best * self.least_rtt_s / TCP_PACKET + QUANTA * quantum)

    def _check_full(self, now: float) -> None:
        if self._rates.best >= FULL_GROWTH * self._full_rate:
            self._full_rate, self._full_rounds = self._rates.best, 0
            return
        self._full_rounds += 1
        if self._full_rounds >= FULL_ROUNDS:
            self.mode, self.gain = Mode.DRAIN, 1 / HIGH_GAIN

    def _enter_probe_bw(self, now: float) -> None:
        self.mode = Mode.PROBE_BW
        self._phase = (1 - self._random.randrange(7)) % len(CYCLE)
        self._next_phase(now)

    def _next_phase(self, now: float) -> None:
        self._phase = (self._phase + 1) % len(CYCLE)
        self._phase_at, self._phase_lost = now, False
        self.gain = CYCLE[self._phase]

    def _advance_cycle(self, now: float) -> None:
        if self.mode is not Mode.PROBE_BW:
            return
        over = now - self._phase_at > self.least_rtt_s
        if self.gain > 1:
            over = over and (self._phase_lost or len(self.sent) >= self._inflight(self.gain))
        elif self.gain < 1:
            over = over or len(self.sent) <= self._inflight(1.0)
        if over:
            self._next_phase(now)

    def _learn_rtt(self, rtt_s: float, now: float) -> None:
        expired = now > self._least_at + MIN_RTT_KEPT_S
        if rtt_s <= self.least_rtt_s or expired:
            self.least_rtt_s, self._least_at = rtt_s, now
        if expired and self.mode is not Mode.PROBE_RTT and self._probe_ends == inf:
            self.mode, self.gain = Mode.PROBE_RTT, 1.0
            self._window_before = max(self.window, self._window_before)
            return
        if self.mode is not Mode.PROBE_RTT:
            return
        if self._probe_ends == inf:
            if len(self.sent) <= LEAST_WINDOW:
                self._probe_ends = now + PROBE_RTT_S
                self._probe_round_ends = self._delivery.delivered_bytes
            return
        if now > self._probe_ends and self._delivery.prior_bytes >= self._probe_round_ends:
            self._least_at, self._probe_ends = now, inf
            self.window = max(self.window, self._window_before)
            if self._full_rounds >= FULL_ROUNDS:
                self._enter_probe_bw(now)
            else:
                self.mode, self.gain = Mode.STARTUP, HIGH_GAIN

    def _set_window(self) -> None:
        full = self._full_rounds >= FULL_ROUNDS
        target = self._inflight(WINDOW_GAIN if full else HIGH_GAIN)
        if self._conserving:
            self.window = max(self.window, len(self.sent) + 1)
        elif full:
            self.window = min(self.window + 1, target)
        elif self.window < target:
            self.window += 1
        self.window = max(self.window, LEAST_WINDOW)
        if self.mode is Mode.PROBE_RTT:
            self.window = min(self.window, LEAST_WINDOW)
