"""The receiver's part in pacing a file: a slow flow's packets are acknowledged at once.

A receiver may wait up to 40 ms for a second packet before it acknowledges the first (RFC 5681,
4.2; tcp(7)). To the sender that wait looks like a queue, and a flow that slows down for it only
waits longer.
"""

import contextlib
import socket
import time
from collections.abc import Callable

SLOW_RATE = 500e3
"""Payload bytes a second. Above it, two packets follow each other closely enough; below it, even an
acknowledgement for each takes little of a line's other direction."""
MEASURED_S = 0.1
QUICKACK = getattr(socket, "TCP_QUICKACK", None)


class PromptAcks:
    """Of one connection that receives. What begins counts as slow."""

    def __init__(self, sock: socket.socket, clock: Callable[[], float] = time.monotonic) -> None:
        self._sock = sock
        self._clock = clock
        self._since_s = clock()
        self._bytes = 0
        self._slow = True

    def handle_read(self, size_bytes: int) -> None:
        """So much was just read."""
        self._bytes += size_bytes
        elapsed_s = self._clock() - self._since_s
        if elapsed_s >= MEASURED_S:
            self._slow = self._bytes < SLOW_RATE * elapsed_s
            self._since_s += elapsed_s
            self._bytes = 0
        if self._slow and QUICKACK is not None:
            with contextlib.suppress(OSError):  # closed by the main thread, or no TCP at all
                self._sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
