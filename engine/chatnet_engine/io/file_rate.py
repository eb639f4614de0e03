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
        bytes_s: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bytes_s = bytes_s
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._free_s = clock()
        """When everything that was taken has moved."""
        self.slice_bytes = min(MAX_SLICE_BYTES, max(1, bytes_s // SLICES_A_SECOND))

    def take(self, size_bytes: int) -> None:
        """Wait until it is this caller's turn to move so many bytes."""
        with self._lock:
            now_s = self._clock()
            start_s = max(now_s, self._free_s)
            self._free_s = start_s + size_bytes / self._bytes_s
        if start_s > now_s:
            self._sleep(start_s - now_s)

    def slices(self, parts: list[memoryview]) -> list[memoryview]:
        """The same bytes in pieces that may be taken."""
        step = self.slice_bytes
        return [part[at : at + step] for part in parts for at in range(0, len(part), step)]
