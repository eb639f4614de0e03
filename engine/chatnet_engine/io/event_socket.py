"""The PUB socket, spoken by hand: publications go to whoever subscribes, and nobody is waited for.

libzmq's own has no limit on subscriptions: 10^5 of them, sent in 20 ms, cost it 50 MB and hold its
thread for a second, and it takes in all that arrive whenever it is used. Here a subscriber is read
a little at a time, may say little, and is closed beyond that.
"""

import os
import select
import socket
import struct
from collections import Counter, deque
from dataclasses import dataclass, field

from chatnet_engine.io import zmtp
from chatnet_protocol.limits import KIB, MIB

SEND_MARK = 128
"""Publications kept for a front end that does not read; it fetches the rest afterwards."""
SEND_MARK_BYTES = 8 * MIB
MAX_SUBSCRIBERS = 128
READ_BYTES = 4 * KIB
"""Read of one subscriber in a turn."""
ALLOWANCE_BYTES = 4 * KIB
"""A subscriber may say this much at once ..."""
ALLOWANCE_BYTES_S = 1 * KIB
"""... and this much a second."""
MAX_ACCEPTS = 16
"""In a turn."""
BACKLOG = 128
HANDSHAKE_S = 2.0
HEARTBEAT_S = 2.0
SILENT_S = 6.0
"""After so long without a word, not even a PONG, the other side is gone or stopped."""
_CREDENTIALS = struct.Struct("3i")


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    pid: int
    since_s: float
    heard_s: float
    subscriber: zmtp.Subscriber = field(default_factory=zmtp.Subscriber)
    allowance_bytes: float = ALLOWANCE_BYTES
    waiting: deque[bytes] = field(default_factory=deque)
    waiting_bytes: int = 0
    sent_bytes: int = 0
    """Of the first that waits."""
    watched: int = select.EPOLLIN


class EventSocket:
    """Listens at `path` from its making. The session's lock is held by the caller.

    Raises OSError when it cannot be bound.
    """

    def __init__(self, path: str, now_s: float) -> None:
        self.ended = 0
        """Connections that were ended because they were too many or did what none should."""
        self._epoll = select.epoll()
        self._open: dict[int, _Connection] = {}
        """By descriptor, oldest first."""
        self._next_beat_s = now_s + HEARTBEAT_S
        self._listener = self._listen(path)

    def fileno(self) -> int:
        """Readable when `handle_ready` has something to do."""
        return self._epoll.fileno()

    def rebind(self, path: str) -> None:
        """Listen again, where the file has vanished; subscribers stay. Raises OSError."""
        listener = self._listen(path)
        self._epoll.unregister(self._listener.fileno())
        self._listener.close()
        self._listener = listener

    def publish(self, topic: bytes, body: bytes) -> None:
        """To all who subscribed to it and read."""
        packed = zmtp.publication(topic, body)
        for connection in list(self._open.values()):
            if (
                connection.subscriber.wants(topic)
                and len(connection.waiting) < SEND_MARK
                and connection.waiting_bytes < SEND_MARK_BYTES
            ):
                self._send(connection, packed)

    def handle_ready(self, now_s: float) -> None:
        """Take in connections and what subscribers say; send what waits."""
        for fd, events in self._epoll.poll(0):
            if fd == self._listener.fileno():
                self._accept(now_s)
                continue
            connection = self._open.get(fd)
            if connection is not None and events & ~select.EPOLLOUT:
                self._read(connection, now_s)
            if fd in self._open and events & select.EPOLLOUT:
                self._flush(self._open[fd])

    def next_timeout(self) -> float:
        """When `handle_timeout` has something to do."""
        return self._next_beat_s

    def handle_timeout(self, now_s: float) -> None:
        """Heartbeats; who is silent or never said what it is goes."""
        if now_s < self._next_beat_s:
            return
        self._next_beat_s = now_s + HEARTBEAT_S
        for connection in list(self._open.values()):
            late = not connection.subscriber.is_ready and now_s - connection.since_s >= HANDSHAKE_S
            if late or now_s - connection.heard_s >= SILENT_S:
                self._close(connection)
            elif connection.subscriber.is_ready and not connection.waiting:
                self._send(connection, zmtp.PING)

    @property
    def unsent_bytes(self) -> int:
        """Of all subscribers."""
        return sum(connection.waiting_bytes for connection in self._open.values())

    def flush(self) -> None:
        """Send what the sockets take."""
        for connection in list(self._open.values()):
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

    def _accept(self, now_s: float) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            accepted.setblocking(False)
            found = accepted.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            pid, uid, _ = _CREDENTIALS.unpack(found)
            if uid != os.geteuid():
                accepted.close()
                continue
            connection = _Connection(accepted, pid, now_s, now_s)
            self._open[accepted.fileno()] = connection
            self._epoll.register(accepted.fileno(), connection.watched)
            self._answer(connection)
            while len(self._open) > MAX_SUBSCRIBERS:
                self.ended += 1
                self._close(self._newest_of_the_most())

    def _newest_of_the_most(self) -> _Connection:
        """Of the process that has most connections; so a flood takes from itself."""
        counts = Counter(connection.pid for connection in self._open.values())
        [(pid, _)] = counts.most_common(1)
        return next(c for c in reversed(self._open.values()) if c.pid == pid)

    def _read(self, connection: _Connection, now_s: float) -> None:
        try:
            data = connection.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(connection)
            return
        earned = (now_s - connection.heard_s) * ALLOWANCE_BYTES_S
        allowance = min(connection.allowance_bytes + earned, ALLOWANCE_BYTES) - len(data)
        connection.allowance_bytes, connection.heard_s = allowance, now_s
        try:
            if allowance < 0:
                raise zmtp.Violation("it says too much")
            connection.subscriber.feed(data)
        except zmtp.Violation:
            self.ended += 1
            self._close(connection)
            return
        self._answer(connection)

    def _answer(self, connection: _Connection) -> None:
        answers, connection.subscriber.answers = connection.subscriber.answers, []
        for answer in answers:
            self._send(connection, answer)

    def _send(self, connection: _Connection, packed: bytes) -> None:
        connection.waiting.append(packed)
        connection.waiting_bytes += len(packed)
        if len(connection.waiting) == 1:
            self._flush(connection)
        elif len(connection.waiting) > 2 * SEND_MARK:
            self.ended += 1
            self._close(connection)  # it asks for answers and reads none

    def _flush(self, connection: _Connection) -> None:
        while connection.waiting:
            first = connection.waiting[0]
            try:
                sent = connection.socket.send(memoryview(first)[connection.sent_bytes :])
            except BlockingIOError:
                break
            except OSError:
                self._close(connection)
                return
            connection.waiting_bytes -= sent
            connection.sent_bytes += sent
            if connection.sent_bytes == len(first):
                connection.waiting.popleft()
                connection.sent_bytes = 0
        watched = select.EPOLLIN | (select.EPOLLOUT if connection.waiting else 0)
        if watched != connection.watched:
            connection.watched = watched
            self._epoll.modify(connection.socket.fileno(), watched)

    def _close(self, connection: _Connection) -> None:
        fd = connection.socket.fileno()
        if self._open.pop(fd, None) is not None:
            self._epoll.unregister(fd)
            connection.socket.close()
