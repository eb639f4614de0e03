"""Congestion control: how many bytes may be on the way.

Owns the window; it knows nothing of packets' contents. Every controller follows `Congestion`, so
that a better one takes NewReno's place without a change elsewhere.
"""

from typing import Protocol

from chatnet_engine.arq.config import ArqConfig


class Congestion(Protocol):
    """What loss recovery tells a controller, and the one number it gives back."""

    window_bytes: int

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


class NewReno:
    """RFC 9002 section 7 and appendix B."""

    def __init__(self, config: ArqConfig) -> None:
        self._packet_bytes = config.max_payload_bytes + config.datagram_overhead_bytes
        self._min_bytes = config.min_window_packets * self._packet_bytes
        self.window_bytes = config.initial_window_packets * self._packet_bytes
        self._threshold_bytes: float = float("inf")
        self._recovery_start: float = float("-inf")
        self._before: tuple[int, float, float] | None = None

    @property
    def in_slow_start(self) -> bool:
        """Below the threshold."""
        return self.window_bytes < self._threshold_bytes

    def on_acked(self, size_bytes: int, sent_at: float, used: bool) -> None:
        """Grow by what arrived (slow start), or by one packet per window."""
        if not used or sent_at <= self._recovery_start:
            return
        if self.in_slow_start:
            self.window_bytes += size_bytes
        else:
            self.window_bytes += max(1, self._packet_bytes * size_bytes // self.window_bytes)

    def on_lost(self, sent_at: float, now: float) -> None:
        """Halve, once per round trip."""
        if sent_at <= self._recovery_start:
            return
        self._before = (self.window_bytes, self._threshold_bytes, self._recovery_start)
        self._recovery_start = now
        self.window_bytes = max(self.window_bytes // 2, self._min_bytes)
        self._threshold_bytes = self.window_bytes

    def on_spurious(self) -> None:
        """Take the last halving back."""
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
