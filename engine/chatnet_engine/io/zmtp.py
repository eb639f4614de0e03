"""One subscriber's end of ZMTP 3.1 (rfc.zeromq.org/spec/37), NULL mechanism, as a PUB socket.

Bytes in, bytes out; no socket and no clock. Everything a subscriber can make longer has a limit.
"""

import struct

SIGNATURE_BYTES = 10
GREETING_BYTES = 64
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL".ljust(23, b"\0") + bytes(32)
READY = b"\x04\x19\x05READY\x0bSocket-Type\x00\x00\x00\x03PUB"
PING = b"\x04\x07\x04PING\x00\x00"
MORE, LONG, COMMAND = 1, 2, 4
MAX_FRAME_BYTES = 256
"""Of a subscriber: a handshake or heartbeat command, or one subscription."""
MAX_TOPICS = 16
MAX_CONTEXT_BYTES = 16
"""Of a PING, given back in the PONG."""


class Violation(Exception):
    """This is no subscriber, or one that wants too much; the connection is to be closed."""


def frame(body: bytes, flags: int = 0) -> bytes:
    """One frame."""
    if len(body) < 256:
        return bytes((flags, len(body))) + body
    return struct.pack("!BQ", flags | LONG, len(body)) + body


def publication(topic: bytes, body: bytes) -> bytes:
    """The two frames of one publication."""
    return frame(topic, MORE) + frame(body)


class Subscriber:
    """What one connection has said, and what it is to be answered."""

    def __init__(self) -> None:
        self.topics: set[bytes] = set()
        self.is_ready = False
        """The handshake is complete."""
        self.answers: list[bytes] = [GREETING, READY]
        """To be sent; the caller takes them out."""
        self._greeted = False
        self._unread = b""

    def wants(self, topic: bytes) -> bool:
        """Whether it has subscribed to a beginning of that topic."""
        return topic.startswith(tuple(self.topics))

    def feed(self, data: bytes) -> None:
        """Take in what has arrived. Raises Violation."""
        self._unread += data
        if not self._greeted and not self._take_greeting():
            return
        while (found := self._take_frame()) is not None:
            flags, body = found
            if flags & COMMAND:
                self._handle_command(body)
            elif not self.is_ready:
                raise Violation("a message before the handshake")
            elif body[:1] in (b"\0", b"\1"):
                self._subscribe(body[1:], body[0] == 1)

    def _take_greeting(self) -> bool:
        if len(self._unread) >= SIGNATURE_BYTES and self._unread[0] != 0xFF:
            raise Violation("no ZMTP 3")
        if len(self._unread) < GREETING_BYTES:
            return False
        greeting, self._unread = self._unread[:GREETING_BYTES], self._unread[GREETING_BYTES:]
        if greeting[10] < 3 or greeting[12:32].rstrip(b"\0") != b"NULL":
            raise Violation("no ZMTP 3 with the NULL mechanism")
        self._greeted = True
        return True

    def _take_frame(self) -> tuple[int, bytes] | None:
        unread = self._unread
        if len(unread) < 2:
            return None
        flags, size, start = unread[0], unread[1], 2
        if flags & LONG:
            if len(unread) < 9:
                return None
            size, start = int.from_bytes(unread[1:9], "big"), 9
        if size > MAX_FRAME_BYTES:
            raise Violation("a frame that is too long")
        if len(unread) < start + size:
            return None
        self._unread = unread[start + size :]
        return flags, unread[start : start + size]

    def _handle_command(self, body: bytes) -> None:
        length = body[0] if body else 0
        name, rest = body[1 : 1 + length], body[1 + length :]
        match name:
            case b"READY":
                self.is_ready = True
            case b"PING":
                self.answers.append(frame(b"\x04PONG" + rest[2 : 2 + MAX_CONTEXT_BYTES], COMMAND))
            case b"SUBSCRIBE" | b"CANCEL" if self.is_ready:
                self._subscribe(rest, name == b"SUBSCRIBE")
            case b"PONG":
                pass
            case _:
                raise Violation("an unknown command")

    def _subscribe(self, topic: bytes, wanted: bool) -> None:
        if not wanted:
            self.topics.discard(topic)
            return
        self.topics.add(topic)
        if len(self.topics) > MAX_TOPICS:
            raise Violation("too many subscriptions")
