"""A command socket turned by hand, and raw clients of it."""

import select
import socket
from collections.abc import Callable

import raw_zmtp as zmtp
from chatnet_engine.io.command_socket import CommandSocket, _Client
from chatnet_engine.io.local_socket import TICK_S, Connection

TURNS = 2000
PING = zmtp.command(b"PING", b"\0\0")
ASK = zmtp.frame(b"ask" * 10)


class Served:
    """A socket, and raw clients of it that are closed at the end."""

    def __init__(self, path: str) -> None:
        self.commands = CommandSocket(path, 0.0)
        self.endpoint = f"ipc://{path}"
        self.now_s = 0.0
        self._raws: list[socket.socket] = []

    def connect(self) -> socket.socket:
        self._raws.append(zmtp.connect(self.endpoint))
        self._raws[-1].settimeout(20)
        return self._raws[-1]

    def join(
        self, kind: bytes = b"DEALER", identity: bytes = b""
    ) -> tuple[socket.socket, Connection[_Client]]:
        """A client after the handshake, and its connection here."""
        before = set(self.commands._open)
        raw = self.connect()
        raw.sendall(zmtp.GREETING + zmtp.ready(kind, identity))
        self.turn_until(
            lambda: any(self.is_idle(fd) for fd in self.commands._open if fd not in before)
        )
        (fd,) = [fd for fd in self.commands._open if fd not in before]
        return raw, self.commands._open[fd]

    def is_idle(self, fd: int) -> bool:
        connection = self.commands._open[fd]
        return connection.peer.wire.is_ready and connection.reads

    def turn(self) -> tuple[bytes, list[bytes]] | None:
        """Take in what has arrived, and at most one request."""
        self.commands.handle_ready(self.now_s)
        self.commands.flush()
        return self.commands.receive(self.now_s)

    def turn_until(self, condition: Callable[[], object]) -> list[tuple[bytes, list[bytes]]]:
        taken = []
        for _ in range(TURNS):
            request = self.turn()
            taken += [] if request is None else [request]
            if condition():
                return taken
            if request is None and not self.commands.has_requests:
                select.select([self.commands.fileno()], [], [], 0.01)
        raise AssertionError("it never came")

    def serve(self, body: bytes, rounds: int) -> int:
        """Answer what comes at once."""
        answered = 0
        for _ in range(rounds):
            if request := self.turn():
                answered += self.commands.reply(request[0], body)
        return answered

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds / TICK_S)):
            self.now_s += TICK_S
            self.commands.handle_timeout(self.now_s)
            self.commands.flush()

    def close(self) -> None:
        for raw in self._raws:
            raw.close()
        self.commands.close()


def is_cut(raw: socket.socket) -> bool:
    """Wait until the other side has hung up."""
    try:
        while raw.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def fill(raw: socket.socket, data: bytes) -> int:
    """Send it again and again until the socket takes no more; the bytes sent."""
    raw.setblocking(False)
    sent = 0
    try:
        while True:
            sent += raw.send(data)
    except BlockingIOError:
        raw.settimeout(20)
        return sent
