"""One connection's end of ZMTP 3.0 and 3.1 (rfc.zeromq.org/spec/23 and 37), NULL mechanism.

Bytes in, frames and answers out; no socket and no clock. Everything that the other side can make
longer has a limit, which is checked before the bytes are there.
"""

import struct

SIGNATURE_BYTES = 10
GREETING_BYTES = 64
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL".ljust(23, b"\0") + bytes(32)
PING = b"\x04\x07\x04PING\x00\x00"
MORE, LONG, COMMAND = 1, 2, 4
MAX_COMMAND_BYTES = 1024
"""A READY with a socket identity of 255 bytes takes 300."""
MAX_CONTEXT_BYTES = 16
"""Of a PING, given back in the PONG."""


class Violation(Exception):
    """What no well-behaved client says; the connection is to be closed."""


def frame(body: bytes, flags: int = 0) -> bytes:
    """One frame."""
    if len(body) < 256:
        return bytes((flags, len(body))) + body
    return struct.pack("!BQ", flags | LONG, len(body)) + body


def command(name: bytes, body: bytes = b"") -> bytes:
    """One command frame."""
    return frame(bytes((len(name),)) + name + body, COMMAND)


def ready(socket_type: bytes) -> bytes:
    """The command that ends a handshake."""
    return command(b"READY", b"\x0bSocket-Type" + struct.pack("!I", len(socket_type)) + socket_type)


def properties(metadata: bytes) -> dict[bytes, bytes]:
    """Of a READY, by name in small letters. Raises Violation."""
    found: dict[bytes, bytes] = {}
    while metadata:
        start = 1 + metadata[0]
        size = int.from_bytes(metadata[start : start + 4], "big")
        name, value = metadata[1:start], metadata[start + 4 : start + 4 + size]
        if not name or len(metadata) < start + 4 + size:
            raise Violation("garbled properties")
        found[name.lower()] = value
        metadata = metadata[start + 4 + size :]
    return found


class Wire:
    """What has arrived on one connection and was not taken yet, and what is to be answered."""

    def __init__(self, own_type: bytes, peer_types: frozenset[bytes]) -> None:
        self.answers: list[bytes] = [GREETING, ready(own_type)]
        """To be sent; the caller takes them out."""
        self.peer_type = b""
        """Empty until the handshake is complete."""
        self.knows_ping = False
        """It speaks 3.1."""
        self._peer_types = peer_types
        self._greeted = False
        self._unread = bytearray()

    @property
    def is_ready(self) -> bool:
        """The handshake is complete."""
        return bool(self.peer_type)

    @property
    def held_bytes(self) -> int:
        """Arrived and not taken yet."""
        return len(self._unread)

    def feed(self, data: bytes) -> None:
        """Keep what has arrived."""
        self._unread += data

    def take_frame(self, max_bytes: int) -> tuple[int, bytes] | None:
        """The next frame as (flags, body), None until it is complete.

        Raises Violation, for a message's frame of more than `max_bytes` as soon as that is known.
        """
        if not self._greeted and not self._take_greeting():
            return None
        unread = self._unread
        if len(unread) < 2:
            return None
        flags, size, start = unread[0], unread[1], 2
        if flags & LONG:
            if len(unread) < 9:
                return None
            size, start = int.from_bytes(unread[1:9], "big"), 9
        if flags & COMMAND:
            max_bytes = MAX_COMMAND_BYTES
        elif not self.is_ready:
            raise Violation("a message before the handshake")
        if flags > MORE | LONG | COMMAND or (flags & MORE and flags & COMMAND):
            raise Violation("unknown flags")
        if size > max_bytes:
            raise Violation("too long")
        if len(unread) < start + size:
            return None
        body = bytes(unread[start : start + size])
        del unread[: start + size]
        return flags, body

    def handle_command(self, body: bytes) -> tuple[bytes, bytes] | None:
        """Do what every socket does; (name, rest) of other commands. Raises Violation."""
        length = body[0] if body else 0
        name, rest = body[1 : 1 + length], body[1 + length :]
        if not self.is_ready:
            if name != b"READY":
                raise Violation("no handshake")
            self.peer_type = properties(rest).get(b"socket-type", b"")
            if self.peer_type not in self._peer_types:
                raise Violation("a socket of another type")
            return None
        match name:
            case b"PING":
                self.answers.append(command(b"PONG", rest[2 : 2 + MAX_CONTEXT_BYTES]))
            case b"PONG":
                pass
            case _:
                return name, rest
        return None

    def _take_greeting(self) -> bool:
        unread = self._unread
        if not (b"\xff".startswith(unread[:1]) and b"\x7f".startswith(unread[9:10])):
            raise Violation("no ZMTP 3")
        if len(unread) < GREETING_BYTES:
            return False
        if unread[10] < 3 or unread[12:32].rstrip(b"\0") != b"NULL":
            raise Violation("no ZMTP 3 with the NULL mechanism")
        self.knows_ping = (unread[10], unread[11]) >= (3, 1)
        del unread[:GREETING_BYTES]
        self._greeted = True
        return True
