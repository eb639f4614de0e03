"""A ZMTP socket at a path of the file system, spoken by hand: its connections and their limits.

libzmq's own cannot be used against hostile clients: it aborts when a client whose input it has
stopped hangs up (zeromq/libzmq#4841) and when accept finds no descriptor, and it bounds neither
subscriptions nor the parts of a message. Here every connection is read a little at a time and only
when it is wanted, so that the kernel makes a flood wait; nobody is waited for.
"""

import errno
import logging
import os
import resource
import select
import socket
import struct
from abc import ABC, abstractmethod
from collections import Counter, deque
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeVar

from chatnet_engine.deadlines import whole_second
from chatnet_engine.io import zmtp

logger = logging.getLogger(__name__)

MAX_ACCEPTS = 16
"""In a turn."""
BACKLOG = 1024
"""Connections the kernel keeps until they are accepted; libzmq tries again when it is full."""
TICK_S = 1.0
HANDSHAKE_S = 2.0
"""A connection that has not completed its handshake by then is closed."""
HEARTBEAT_S = 2.0
"""Silent for so long, it is asked whether it lives."""
SILENT_S = 6.0
"""After so long without a word, not even a PONG, the other side is gone or stopped; and so is one
that takes nothing of what waits for it."""
GATHERED = 64
"""Frames given to the kernel in one call."""
LOG_S = 5.0
"""At most this often it is logged which connections were ended."""
_CREDENTIALS = struct.Struct("3i")
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Peer(Protocol):
    """What the protocol knows of the other side."""

    wire: zmtp.Wire


P = TypeVar("P", bound=Peer)


@dataclass(slots=True, eq=False)
class Connection(Generic[P]):
    """One accepted connection."""

    socket: socket.socket
    pid: int
    """The process that made it."""
    peer: P
    since_s: float
    last_received_s: float
    """When something came last."""
    asked_s: float
    """When something came last that only a living program sends."""
    waiting: deque[bytes]
    """To be sent."""
    waiting_bytes: int = 0
    sent_bytes: int = 0
    """Of the first that waits."""
    taken_s: float = 0.0
    """When it was seen last that it reads, or has nothing to read."""
    has_taken: bool = True
    reads: bool = True
    """More input is wanted."""
    is_gone: bool = False
    """The other side has hung up; what it sent before may still be read."""
    watched: int | None = None
    """Registered events; None: it is not registered."""

    @property
    def is_open(self) -> bool:
        """Until it is closed by either side."""
        return self.socket.fileno() >= 0


class LocalSocket(ABC, Generic[P]):
    """Listens at `path` from its making. The session's lock is held by the caller.

    Raises OSError when it cannot be bound.
    """

    carries: ClassVar[str]
    """For the log."""

    def __init__(self, path: str, now_s: float, max_connections: int) -> None:
        self.ended = 0
        """Connections that were ended because they were too many or did what none should."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        # A quarter: there is another such socket, and the engine has files of its own.
        few = soft != resource.RLIM_INFINITY and soft // 4 < max_connections
        self._max_connections = soft // 4 if few else max_connections
        self._epoll = select.epoll()
        self._open: dict[int, Connection[P]] = {}
        """By descriptor, oldest first."""
        self._to_flush: dict[Connection[P], None] = {}
        """What was sent to them in this turn is still here."""
        self._accepts = True
        self._next_tick_s = now_s + TICK_S
        self._next_log_s = now_s
        self._reasons: Counter[str] = Counter()
        self._listener = self._listen(path)

    @abstractmethod
    def _make_peer(self) -> P:
        """The protocol's side of a new connection."""

    @abstractmethod
    def _take_in(self, connection: Connection[P], data: bytes, now_s: float) -> None:
        """Something has arrived. Raises Violation."""

    @abstractmethod
    def _read_size(self, connection: Connection[P]) -> int:
        """Bytes read of it in a turn."""

    def fileno(self) -> int:
        """Readable when `handle_ready` has something to do."""
        return self._epoll.fileno()

    def rebind(self, path: str) -> None:
        """Listen again, where the file has vanished; connections stay. Raises OSError."""
        listener = self._listen(path)
        if self._accepts:
            self._epoll.unregister(self._listener.fileno())
        self._accepts = True
        self._listener.close()
        self._listener = listener

    def handle_ready(self, now_s: float) -> None:
        """Take in connections and what comes on them; send what waits."""
        ready = dict(self._epoll.poll(0))
        accepts = ready.pop(self._listener.fileno(), 0)
        for fd, events in ready.items():
            if (connection := self._open.get(fd)) is not None:
                self._handle(connection, events, now_s)
        if accepts:  # last: a newcomer may get the descriptor of one that ended
            self._accept(now_s)

    def next_timeout(self) -> float:
        """When `handle_timeout` has something to do."""
        return self._next_tick_s

    def handle_timeout(self, now_s: float) -> None:
        """Heartbeats; closes connections that are silent, do not read or never completed the
        handshake."""
        if now_s < self._next_tick_s:
            return
        self._next_tick_s = whole_second(now_s + TICK_S)
        if not self._accepts:
            self._accepts = True
            self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        for connection in list(self._open.values()):
            self._tick(connection, now_s)
        if self._reasons and now_s >= self._next_log_s:
            self._next_log_s = now_s + LOG_S
            for reason, count in self._reasons.items():
                logger.warning("connections for %s ended: %d (%s)", self.carries, count, reason)
            self._reasons.clear()

    @property
    def unsent_bytes(self) -> int:
        """Of all connections."""
        return sum(connection.waiting_bytes for connection in self._open.values())

    def flush(self) -> None:
        """Give the kernel what it takes: at the end of each turn, since many small frames cost
        little more than one."""
        while self._to_flush:
            connection, _ = self._to_flush.popitem()
            if connection.is_open:
                self._flush(connection)

    def close(self) -> None:
        """Hang up on everybody; the file stays."""
        for connection in list(self._open.values()):
            self._close(connection)
        self._listener.close()
        self._epoll.close()

    def _listen(self, path: str) -> socket.socket:
        if os.path.lexists(path):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            listener.bind(path)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        return listener

    def _handle(self, connection: Connection[P], events: int, now_s: float) -> None:
        if events & (select.EPOLLHUP | select.EPOLLERR):
            connection.is_gone = True
        if connection.reads:
            if events & ~select.EPOLLOUT:
                self._read(connection, now_s)
        else:
            self._watch(connection)  # only now: mostly it reads again before more arrives
        if events & ~select.EPOLLIN and connection.waiting:
            self._flush(connection)

    def _accept(self, now_s: float) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                accepted, _ = self._listener.accept()
            except OSError as error:
                if error.errno in _SCARCE:
                    self._pause_accepting(now_s)
                return
            accepted.setblocking(False)
            found = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(found)
            if uid != os.geteuid():
                accepted.close()
                continue
            connection = Connection(
                accepted, pid, self._make_peer(), now_s, now_s, now_s, deque(), taken_s=now_s
            )
            self._open[accepted.fileno()] = connection
            self._watch(connection)
            self._answer(connection)
            while len(self._open) > self._max_connections:
                self._end(self._one_to_give_way(now_s), "too many")

    def _pause_accepting(self, now_s: float) -> None:
        """No descriptor is left: somebody makes room, and newcomers wait for the next tick."""
        if self._open:
            self._end(self._one_to_give_way(now_s), "no descriptors")
        self._accepts = False
        self._epoll.unregister(self._listener.fileno())

    def _one_to_give_way(self, now_s: float) -> Connection[P]:
        """One that has hung up, or the longest silent; else the newest of the process with most.

        So the flood of a process takes from itself and not from front ends that are there.
        """
        gone = next((found for found in self._open.values() if found.is_gone), None)
        if gone is not None:
            return gone
        silent = min(self._open.values(), key=lambda connection: connection.asked_s)
        if now_s - silent.asked_s > SILENT_S:
            return silent
        counts = Counter(connection.pid for connection in self._open.values())
        return max(reversed(self._open.values()), key=lambda found: counts[found.pid])

    def _read(self, connection: Connection[P], now_s: float) -> None:
        try:
            data = connection.socket.recv(self._read_size(connection))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        try:
            self._take_in(connection, data, now_s)
        except zmtp.Violation as violation:
            self._end(connection, str(violation))
            return
        connection.last_received_s = now_s
        self._answer(connection)

    def _answer(self, connection: Connection[P]) -> None:
        wire = connection.peer.wire
        if wire.answers:
            answers, wire.answers = wire.answers, []
            self._send(connection, b"".join(answers))

    def _send(self, connection: Connection[P], packed: bytes) -> None:
        connection.waiting.append(packed)
        connection.waiting_bytes += len(packed)
        if connection.watched is None or not connection.watched & select.EPOLLOUT:
            self._to_flush[connection] = None

    def _flush(self, connection: Connection[P]) -> None:
        waiting = connection.waiting
        while waiting:
            first = memoryview(waiting[0])[connection.sent_bytes :]
            following = [waiting[index] for index in range(1, min(len(waiting), GATHERED))]
            try:
                sent = connection.socket.sendmsg([first, *following])
            except BlockingIOError:
                break
            except OSError:
                self._close(connection)
                return
            connection.has_taken = True
            connection.waiting_bytes -= sent
            connection.sent_bytes += sent
            while waiting and connection.sent_bytes >= len(waiting[0]):
                connection.sent_bytes -= len(waiting.popleft())
        self._watch(connection)

    def _tick(self, connection: Connection[P], now_s: float) -> None:
        if connection.has_taken or not connection.waiting:
            connection.has_taken, connection.taken_s = False, now_s
        if not connection.reads:
            connection.last_received_s = now_s  # nothing can be received on it
        wire = connection.peer.wire
        if not wire.is_ready:
            if now_s - connection.since_s >= HANDSHAKE_S:
                self._end(connection, "no handshake")
        elif now_s - connection.taken_s >= SILENT_S:
            self._end(connection, "does not read")
        elif not wire.knows_ping:
            pass
        elif now_s - connection.last_received_s >= SILENT_S:
            self._close(connection)
        elif now_s - connection.last_received_s >= HEARTBEAT_S and not connection.waiting:
            self._send(connection, zmtp.PING)

    def _watch(self, connection: Connection[P]) -> None:
        """Register what is wanted, if only to notice that the other side hangs up."""
        wanted: int | None = select.EPOLLIN if connection.reads else 0
        if connection.waiting:
            wanted = (wanted or 0) | select.EPOLLOUT
        elif connection.is_gone and not connection.reads:
            wanted = None  # else it would be reported in every turn
        if wanted == connection.watched:
            return
        fd = connection.socket.fileno()
        if wanted is None:
            self._epoll.unregister(fd)
        elif connection.watched is None:
            self._epoll.register(fd, wanted)
        else:
            self._epoll.modify(fd, wanted)
        connection.watched = wanted

    def _end(self, connection: Connection[P], reason: str) -> None:
        """Close it because of what it did."""
        self.ended += 1
        self._reasons[reason] += 1
        self._close(connection)

    def _close(self, connection: Connection[P]) -> None:
        fd = connection.socket.fileno()
        if self._open.pop(fd, None) is not None:
            if connection.watched is not None:
                self._epoll.unregister(fd)
            connection.socket.close()
            connection.is_gone, connection.reads, connection.watched = True, False, None
            connection.waiting.clear()
            connection.waiting_bytes = 0
