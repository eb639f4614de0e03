"""Owns the requests that have arrived and wait for their turn, within limits for each client.

libzmq's own limit, the receive mark, must not be used: input that is stopped at it brings libzmq
to abort when that client hangs up (zeromq/libzmq#4841). So the socket is emptied each turn, into
this queue, and what is too much is dropped here; a client that asks again gets its answer later.
"""

from collections import deque
from dataclasses import dataclass, field

from chatnet_protocol.limits import MIB

MAX_WAITING = 256
"""Requests kept for one client: twice what a front end may have unanswered."""
MAX_WAITING_BYTES = 2 * MIB
MAX_ALL_WAITING_BYTES = 16 * MIB
MAX_DROPPED = 128
"""Requests dropped since a client's last one was done: more only a flood has."""
MAX_DROPPED_BYTES = 2 * MIB
MAX_ROUTES = 1024
"""Connections remembered; the guard lets far fewer exist at a time."""


@dataclass(slots=True)
class _Route:
    waiting: deque[list[bytes]] = field(default_factory=deque)
    waiting_bytes: int = 0
    dropped: int = 0
    dropped_bytes: int = 0
    is_shut: bool = False


class RequestQueue:
    """First come, first served within a client; clients in turn."""

    def __init__(self) -> None:
        self._routes: dict[bytes, _Route] = {}
        self._turns: deque[bytes] = deque()
        """Routes with something waiting, whose turn is next first."""
        self._waiting_bytes = 0
        self.dropped = 0
        """Requests dropped since the start."""

    def __bool__(self) -> bool:
        return bool(self._turns)

    def put(self, route: bytes, frames: list[bytes]) -> bool:
        """Keep or drop a request; False when this client floods and is to be disconnected."""
        entry = self._routes.get(route) or self._remember(route)
        size = sum(map(len, frames))
        if entry is None or entry.is_shut:
            self.dropped += 1
            return True
        if (
            len(entry.waiting) < MAX_WAITING
            and entry.waiting_bytes + size <= MAX_WAITING_BYTES
            and self._waiting_bytes + size <= MAX_ALL_WAITING_BYTES
        ):
            if not entry.waiting:
                self._turns.append(route)
            entry.waiting.append(frames)
            entry.waiting_bytes += size
            self._waiting_bytes += size
            return True
        self.dropped += 1
        entry.dropped += 1
        entry.dropped_bytes += size
        return entry.dropped <= MAX_DROPPED and entry.dropped_bytes <= MAX_DROPPED_BYTES

    def take(self) -> tuple[bytes, list[bytes]] | None:
        """The next request as (route, frames); None when nothing waits."""
        if not self._turns:
            return None
        route = self._turns.popleft()
        entry = self._routes[route]
        frames = entry.waiting.popleft()
        size = sum(map(len, frames))
        entry.waiting_bytes -= size
        self._waiting_bytes -= size
        if entry.waiting:
            self._turns.append(route)
        else:
            entry.dropped = entry.dropped_bytes = 0
        return route, frames

    def shut(self, route: bytes) -> None:
        """Drop what this client has waiting, and whatever else comes from its connection."""
        entry = self._routes.get(route)
        if entry is None:
            return
        entry.is_shut = True
        self.dropped += len(entry.waiting)
        self._waiting_bytes -= entry.waiting_bytes
        entry.waiting_bytes = 0
        if entry.waiting:
            entry.waiting.clear()
            self._turns.remove(route)

    def _remember(self, route: bytes) -> _Route | None:
        """None when all that are remembered have something waiting."""
        if len(self._routes) >= MAX_ROUTES:
            idle = next((r for r, entry in self._routes.items() if not entry.waiting), None)
            if idle is None:
                return None
            del self._routes[idle]
        entry = self._routes[route] = _Route()
        return entry
