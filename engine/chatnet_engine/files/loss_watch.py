"""Whether a line loses packets again and again, or a queue has only overflowed once."""

from chatnet_engine.files.line_meter import Sample

OVERFLOW_S, OVERFLOW_ROUNDS = 0.3, 4
"""Packets that are sent again sooner after the first belong to the same overflow; in round trips
too."""
CALM_S = 3.0


class LossWatch:
    """Of one connection that sends; times in seconds."""

    def __init__(self) -> None:
        self.is_lossy = False
        self._retransmissions = 0
        self._first_at: float | None = None
        self._newest_at = 0.0

    def handle_sample(self, now: float, sample: Sample) -> None:
        """Readings in order of time."""
        if self._first_at is not None and now - self._newest_at > CALM_S:
            self._first_at, self.is_lossy = None, False
        if sample.retransmissions == self._retransmissions:
            return
        self._retransmissions, self._newest_at = sample.retransmissions, now
        if self._first_at is None:
            self._first_at = now
        elif now - self._first_at > max(OVERFLOW_S, OVERFLOW_ROUNDS * sample.rtt_s):
            self.is_lossy = True
