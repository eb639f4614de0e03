"""Replies that a client's socket did not take at once: a burst of commits answers hundreds at a
time, faster than they leave.

libzmq bounds a client by messages, which is either too few small replies or too many bytes of
large ones; so its bound is low, and the rest waits here, bounded in bytes. A client that does not
read for PATIENCE_S loses what waits for it (it will ask again).
"""

import collections
import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from chatnet_protocol.limits import MIB

MAX_WAITING_BYTES = 4 * MIB
"""For one client; the next reply is dropped."""
MAX_ALL_WAITING_BYTES = 32 * MIB
REPLY_OVERHEAD_BYTES = 64
"""What each reply counts besides its frame, so that tiny ones are bounded too."""
FIRST_RETRY_S = 0.001
MAX_RETRY_S = 0.064
PATIENCE_S = 5.0


class Sent(enum.Enum):
    """How an attempt to send one reply ended."""

    TAKEN = enum.auto()
    FULL = enum.auto()
    GONE = enum.auto()


@dataclass(slots=True)
class _Waiting:
    give_up_s: float
    frames: collections.deque[bytes] = field(default_factory=collections.deque)
    size_bytes: int = 0


class ReplyQueue:
    """Keeps the order of each client's replies. `send` tries one, without waiting."""

    def __init__(self, send: Callable[[bytes, bytes], Sent]) -> None:
        self._send = send
        self._waiting: dict[bytes, _Waiting] = {}
        self._size_bytes = 0
        self._retry_s = FIRST_RETRY_S
        self._retry_at_s = 0.0
        self.dropped = 0
        """Replies whose client was gone, full or did not read."""

    def reply(self, route: bytes, frame: bytes, now_s: float) -> None:
        """Send, or keep for later, or drop."""
        waiting = self._waiting.get(route)
        if waiting is None:
            sent = self._send(route, frame)
            if sent is not Sent.FULL:
                self.dropped += sent is Sent.GONE
                return
            waiting = _Waiting(now_s + PATIENCE_S)
        size_bytes = len(frame) + REPLY_OVERHEAD_BYTES
        if (
            waiting.size_bytes + size_bytes > MAX_WAITING_BYTES
            or self._size_bytes + size_bytes > MAX_ALL_WAITING_BYTES
        ):
            self.dropped += 1
            return
        if not self._waiting:
            self._retry_s = FIRST_RETRY_S
            self._retry_at_s = now_s + FIRST_RETRY_S
        self._waiting[route] = waiting
        waiting.frames.append(frame)
        waiting.size_bytes += size_bytes
        self._size_bytes += size_bytes

    def handle_timeout(self, now_s: float) -> None:
        """Try again what waits."""
        if not self._waiting or now_s < self._retry_at_s:
            return
        progress = False
        for route, waiting in list(self._waiting.items()):
            progress |= self._drain(route, waiting, now_s)
        self._retry_s = FIRST_RETRY_S if progress else min(self._retry_s * 2, MAX_RETRY_S)
        self._retry_at_s = now_s + self._retry_s

    def next_timeout(self) -> float | None:
        """When to try again."""
        return self._retry_at_s if self._waiting else None

    def _drain(self, route: bytes, waiting: _Waiting, now_s: float) -> bool:
        before = len(waiting.frames)
        sent = Sent.TAKEN
        while waiting.frames:
            sent = self._send(route, waiting.frames[0])
            if sent is not Sent.TAKEN:
                break
            size_bytes = len(waiting.frames.popleft()) + REPLY_OVERHEAD_BYTES
            waiting.size_bytes -= size_bytes
            self._size_bytes -= size_bytes
        progress = len(waiting.frames) < before
        if progress:
            waiting.give_up_s = now_s + PATIENCE_S
        if sent is Sent.GONE or now_s >= waiting.give_up_s or not waiting.frames:
            self.dropped += len(waiting.frames)
            self._size_bytes -= waiting.size_bytes
            del self._waiting[route]
        return progress
