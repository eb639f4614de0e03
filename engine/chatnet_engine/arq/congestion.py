"""Congestion control: how many bytes may be in flight.

Owns the window; it knows nothing of packets' contents. Every controller follows `Congestion`, so
that a better one can take its place without a change elsewhere.
"""

from typing import Protocol

from chatnet_engine.arq.config import ArqConfig

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
    """What loss recovery tells a controller, and the numbers it gives back."""

    window_bytes: int

    def on_rtt(self, sample_s: float, now: float) -> None:
        """A clean round-trip sample."""

    def on_acked(self, size_bytes: int, sent_at: float, used: bool) -> None:
        """A packet arrived; `used` says whether the window was what held the sender back."""

    def on_lost(self, sent_at: float, now: float) -> None:
        """Packets were declared lost, the newest of them sent at `sent_at`."""

    def on_spurious(self) -> None:
        """Every packet of the last loss event has arrived after all."""

    def on_persistent(self) -> None:
        """Everything sent over three probe timeouts was lost, RFC 9002 section 7.6."""

    @property
    def in_slow_start(self) -> bool:
        """Whether the window still doubles every round trip; pacing gives it more head room."""


class QueueGauge:
    """How full the path's queue is, from round-trip samples averaged over each round."""

    def __init__(self) -> None:
        self.alpha = 1.0
        self.beta = BETA_MAX
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
        queue_s = max(self._sum_s / self._samples - self._base_s, 0.0)
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

    def on_rtt(self, sample_s: float, now: float) -> None:
        """Tells how full the queue is."""
        self._queue.add(sample_s, now)

    def on_acked(self, size_bytes: int, sent_at: float, used: bool) -> None:
        """Grow by what arrived (slow start), or by alpha packets per window."""
        if not used or sent_at <= self._recovery_start:
            return
        if self.in_slow_start:
            self.window_bytes += size_bytes
        else:
            gain_bytes = self._queue.alpha * self._packet_bytes * size_bytes / self.window_bytes
            self.window_bytes += max(1, int(gain_bytes))

    def on_lost(self, sent_at: float, now: float) -> None:
        """Reduce the window by beta, once per round trip."""
        if sent_at <= self._recovery_start:
            return
        self._before = (self.window_bytes, self._threshold_bytes, self._recovery_start)
        self._recovery_start = now
        kept_bytes = int(self.window_bytes * (1 - self._queue.beta))
        self.window_bytes = max(kept_bytes, self._min_bytes)
        self._threshold_bytes = self.window_bytes

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
