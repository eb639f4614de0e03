"""A transfer's rate and progress, and when they are published."""

from chatnet_protocol.ipc.events import TransferGauge
from chatnet_protocol.limits import GAUGE_INTERVAL_S

RATE_WEIGHT = 0.3
"""Of the newest measurement in the rate shown."""


class Progress:
    """Bytes moved so far, verified or not, and their rate."""

    def __init__(self, moved_bytes: int) -> None:
        self.moved_bytes = moved_bytes
        self._rate_bytes_s = 0.0
        self._measured: tuple[float, int] | None = None
        self._shown_bytes = moved_bytes
        self._due_s = 0.0
        self._revision = 0

    def measure(self, moved_bytes: int, now_s: float) -> None:
        """So many bytes are over by now."""
        if self._measured is not None and now_s > self._measured[0]:
            rate = max(0, moved_bytes - self._measured[1]) / (now_s - self._measured[0])
            weight = RATE_WEIGHT if self._rate_bytes_s else 1.0
            self._rate_bytes_s += weight * (rate - self._rate_bytes_s)
        self._measured = (now_s, moved_bytes)
        self.moved_bytes = moved_bytes

    def halt(self) -> None:
        """Nothing moves for now; the next measurement starts afresh."""
        self._measured = None
        self._rate_bytes_s = 0.0

    def take_gauge(
        self, transfer_id: bytes, peer: int, now_s: float, on_link: bool = False
    ) -> TransferGauge | None:
        """What to tell, if there is something new and the last was not too recent."""
        if self.moved_bytes == self._shown_bytes or now_s < self._due_s:
            return None
        self._due_s = now_s + GAUGE_INTERVAL_S
        self._shown_bytes = self.moved_bytes
        self._revision += 1
        return TransferGauge(
            transfer_id, peer, self._revision, self.moved_bytes, self._rate_bytes_s, on_link
        )
