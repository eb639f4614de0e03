"""How file connections come to be: the handshake on both sides, dialling, the listener.

A connection without a valid token gets nothing and is closed after a few seconds: at most
MAX_UNKNOWN_CONNECTIONS are kept, the oldest gives way to a new one, because a genuine dialler
proves itself with its first packet.
"""

import contextlib
import errno
import logging
import secrets
import selectors
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chatnet_engine.addresses import Addr
from chatnet_engine.files.process_wire import Connect
from chatnet_engine.io.addresses import SockAddr, to_sockaddr
from chatnet_engine.io.file_channel import FileChannel, tune
from chatnet_engine.secure.noise import KEY_BYTES, Handshake, NoiseError, Protocol
from chatnet_protocol.wire.control import HANDLE_BYTES
from chatnet_protocol.wire.file_records import (
    FIRST_MESSAGE_BYTES,
    FIRST_MESSAGE_WITHIN_S,
    MAX_UNKNOWN_CONNECTIONS,
    REPLY_BYTES,
    noise_name,
)

logger = logging.getLogger(__name__)

DIAL_TIMEOUT_S = 2.5
"""An address: allows one lost SYN (RFC 6298: sent again after 1 s). A dialler that waits longer
gets the link meanwhile, and TCP is tried again."""
BACKLOG = 128
ACCEPTS_PER_TURN = 128
FULL_PAUSE_S = 0.5
"""Without descriptors for another connection."""
MAX_EXPECTED = 256
"""Tokens that are waited for; the oldest is forgotten first."""


class Unreachable(Exception):
    """No address led to a listener that knew the token."""


def dial(connect: Connect, keep: Callable[[socket.socket], bool]) -> FileChannel:
    """Try the addresses one after the other. Raises Unreachable.

    `keep` gets each socket before it connects, so that `shutdown` on it can end the wait, and says
    whether to go on.
    """
    for addr in connect.addrs:
        sock = None
        try:
            sock, sockaddr = _socket_for(addr)
            if not keep(sock):
                sock.close()
                break
            sock.connect(sockaddr)
            return introduce(sock, connect)
        except (OSError, NoiseError) as error:
            logger.info("dialling port %d for files failed: %s", addr[1], error)
            if sock is not None:
                sock.close()
    raise Unreachable


def _socket_for(addr: Addr) -> tuple[socket.socket, SockAddr]:
    for family in (socket.AF_INET, socket.AF_INET6):
        sockaddr = to_sockaddr(addr, family)
        if sockaddr is not None:
            break
    else:
        raise OSError("not an address")
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        tune(sock)
        sock.settimeout(DIAL_TIMEOUT_S)
    except BaseException:
        sock.close()
        raise
    return sock, sockaddr


def probe(addrs: list[Addr]) -> bool:
    """Whether a TCP connection to one of these can be opened; it is closed at once."""
    for addr in addrs:
        with contextlib.suppress(OSError):
            sock, sockaddr = _socket_for(addr)
            with sock:
                sock.connect(sockaddr)
                return True
    return False


def introduce(sock: socket.socket, connect: Connect) -> FileChannel:
    """The handshake of the side that begins. Raises OSError, NoiseError."""
    handshake = _handshake(connect, initiator=True)
    sock.sendall(connect.handle + handshake.write())
    handshake.read(_read_exactly(sock, REPLY_BYTES))
    return FileChannel(sock, connect.suite, handshake.split())


def answer(sock: socket.socket, connect: Connect) -> FileChannel:
    """The handshake of the side that waits. Raises OSError, NoiseError."""
    first = _read_exactly(sock, FIRST_MESSAGE_BYTES)
    if first[:HANDLE_BYTES] != connect.handle:
        raise NoiseError("another handle than was agreed")
    handshake = _handshake(connect, initiator=False)
    handshake.read(first[HANDLE_BYTES:])
    sock.sendall(handshake.write())
    return FileChannel(sock, connect.suite, handshake.split())


def _read_exactly(sock: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        data = sock.recv(size - len(got))
        if not data:
            raise OSError("closed without an answer")
        got += data
    return got


def _handshake(connect: Connect, *, initiator: bool) -> Handshake:
    return Handshake(
        Protocol(noise_name(connect.suite)),
        initiator=initiator,
        prologue=connect.handle,
        ephemeral=X25519PrivateKey.from_private_bytes(secrets.token_bytes(KEY_BYTES)),
        psk=connect.token,
    )


@dataclass(slots=True)
class _Unknown:
    """A connection that has not proved anything."""

    sock: socket.socket
    deadline_s: float
    received: bytes = b""


@dataclass(frozen=True, slots=True)
class _Expected:
    job: int
    connect: Connect
    deadline_s: float


class Listener:
    """Accepts file connections for the jobs that expect one. Driven by the main loop."""

    def __init__(self, selector: selectors.BaseSelector, bind: str, port: int) -> None:
        """Raises OSError when the port cannot be had."""
        self._selector = selector
        self._unknown: dict[int, _Unknown] = {}
        self._expected: dict[bytes, _Expected] = {}
        self.refused = 0
        """Connections that proved nothing."""
        self._sock = _listening_socket(bind, port)
        self.port: int = self._sock.getsockname()[1]
        selector.register(self._sock, selectors.EVENT_READ, self._accept)
        self._accept_again_s: float | None = None
        self._ready: list[tuple[int, FileChannel]] = []

    def expect(self, job: int, connect: Connect) -> None:
        """A connection with this handle and token is for `job`, once, for a while."""
        if len(self._expected) >= MAX_EXPECTED:
            del self._expected[next(iter(self._expected))]
        deadline_s = time.monotonic() + connect.valid_s
        self._expected[connect.handle] = _Expected(job, connect, deadline_s)

    def forget(self, job: int) -> None:
        """The job is not interested any more."""
        self._expected = {handle: one for handle, one in self._expected.items() if one.job != job}

    def take_ready(self) -> list[tuple[int, FileChannel]]:
        """(job, channel) of connections that have proved themselves."""
        ready, self._ready = self._ready, []
        return ready

    def take_expired(self) -> list[int]:
        """Jobs that nobody connected to in time. Also drops silent connections."""
        now_s = time.monotonic()
        if self._accept_again_s is not None and now_s >= self._accept_again_s:
            self._accept_again_s = None
            self._selector.register(self._sock, selectors.EVENT_READ, self._accept)
        for fd in [fd for fd, one in self._unknown.items() if one.deadline_s <= now_s]:
            self._drop(fd)
        late = [one for one in self._expected.values() if one.deadline_s <= now_s]
        for one in late:
            del self._expected[one.connect.handle]
        return [one.job for one in late]

    def next_timeout(self) -> float | None:
        """Monotonic time of the next expiry."""
        dues = [one.deadline_s for one in self._unknown.values()]
        dues += [one.deadline_s for one in self._expected.values()]
        if self._accept_again_s is not None:
            dues.append(self._accept_again_s)
        return min(dues, default=None)

    def _accept(self) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, _ = self._sock.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    # It stays readable: looking again at once would take all of a core.
                    self._selector.unregister(self._sock)
                    self._accept_again_s = time.monotonic() + FULL_PAUSE_S
                return
            sock.setblocking(False)
            if len(self._unknown) >= MAX_UNKNOWN_CONNECTIONS:
                self._drop(next(iter(self._unknown)))
            fd = sock.fileno()
            self._unknown[fd] = _Unknown(sock, time.monotonic() + FIRST_MESSAGE_WITHIN_S)
            self._selector.register(sock, selectors.EVENT_READ, partial(self._read, fd))

    def _read(self, fd: int) -> None:
        unknown = self._unknown.get(fd)
        if unknown is None:
            return
        try:
            data = unknown.sock.recv(FIRST_MESSAGE_BYTES - len(unknown.received))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        unknown.received += data
        if not data:
            self._drop(fd)
        elif len(unknown.received) == FIRST_MESSAGE_BYTES:
            self._judge(fd, unknown)

    def _judge(self, fd: int, unknown: _Unknown) -> None:
        expected = self._expected.get(unknown.received[:HANDLE_BYTES])
        if expected is None:
            self._drop(fd)
            return
        handshake = _handshake(expected.connect, initiator=False)
        try:
            handshake.read(unknown.received[HANDLE_BYTES:])
            reply = handshake.write()
            unknown.sock.sendall(reply)
        except (NoiseError, OSError):
            self._drop(fd)
            return
        del self._expected[expected.connect.handle]
        del self._unknown[fd]
        self._selector.unregister(unknown.sock)
        with contextlib.suppress(OSError):
            tune(unknown.sock)
        channel = FileChannel(unknown.sock, expected.connect.suite, handshake.split())
        self._ready.append((expected.job, channel))

    def _drop(self, fd: int) -> None:
        unknown = self._unknown.pop(fd)
        self._selector.unregister(unknown.sock)
        unknown.sock.close()
        self.refused += 1


def _listening_socket(bind: str, port: int) -> socket.socket:
    """Any address of both families for "" and "::"."""
    dual = bind in ("", "::") and socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if ":" in bind or dual else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sockaddr = to_sockaddr((bind, 1), family) if bind else None
        if sockaddr is None:
            sockaddr = ("::" if dual else "0.0.0.0", 1)  # noqa: S104 (asked for by "")
        sock.bind((sockaddr[0], port, *sockaddr[2:]))
        sock.listen(BACKLOG)
        sock.setblocking(False)
    except BaseException:
        sock.close()
        raise
    return sock
