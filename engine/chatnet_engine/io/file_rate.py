"""Owns how much of files may move in a second, over all connections of one direction."""

import threading
import time
from collections.abc import Callable

SLICES_A_SECOND = 10
"""What is taken at once is a tenth of a second's worth, so that several connections take turns,
nobody waits long when one is stopped, and the line sees no bursts."""
MAX_SLICE_BYTES = 1024 * 1024
"""A whole batch: more is never sent or received at once."""


class RateLimit:
    """A token bucket without depth; used by the threads of all jobs."""

    def __init__(
        self,
        bytes_s: int = 0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """`bytes_s`: 0 for no limit."""
        self._changed = threading.Condition()
        self._changes = 0
        self._clock = clock
        self._sleep = sleep or self._changed.wait
        self.change(bytes_s)

    def change(self, bytes_s: int) -> None:
        """Another rate from now on, also for those who wait."""
        with self._changed:
            self.bytes_s = bytes_s
            self.slice_bytes = MAX_SLICE_BYTES
            if bytes_s:
                self.slice_bytes = min(MAX_SLICE_BYTES, max(1, bytes_s // SLICES_A_SECOND))
            self._free_s = self._clock()
            """When everything that was taken has moved."""
            self._changes += 1
            self._changed.notify_all()

    def take(self, size_bytes: int) -> None:
        """Wait until it is this caller's turn to move so many bytes."""
        with self._changed:
            if not self.bytes_s:
                return
            start_s = max(self._clock(), self._free_s)
            self._free_s = start_s + size_bytes / self.bytes_s
            changes = self._changes
            while changes == self._changes and (left_s := start_s - self._clock()) > 0:
                self._sleep(left_s)

    def slices(self, parts: list[memoryview]) -> list[memoryview]:
        """The same bytes in pieces that may be taken."""
        step = self.slice_bytes
        return [part[at : at + step] for part in parts for at in range(0, len(part), step)]
