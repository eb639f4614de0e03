"""What a ROUTER socket knows of one client: its requests, taken one by one when they are wanted."""

from chatnet_engine.io.zmtp import COMMAND, MORE, Violation, Wire, frame
from chatnet_protocol.limits import MAX_IPC_PARTS, MAX_REQUEST_BYTES

PEER_TYPES = frozenset({b"DEALER", b"REQ"})
MAX_STEPS = 8
"""Frames taken in one call: a request, and heartbeats before it."""


class Requester:
    """The requests of a DEALER, or of a REQ, which puts an empty frame before each.

    A request is what comes after that frame: at most MAX_IPC_PARTS frames, MAX_REQUEST_BYTES.
    """

    def __init__(self) -> None:
        self.wire = Wire(b"ROUTER", PEER_TYPES)
        self.is_starved = True
        """Nothing can be taken until more arrives."""
        self._parts: list[bytes] = []
        """Of the request that is arriving."""
        self._left_bytes = MAX_REQUEST_BYTES

    @property
    def held_bytes(self) -> int:
        """Arrived and not taken yet."""
        return self.wire.held_bytes + MAX_REQUEST_BYTES - self._left_bytes

    def feed(self, data: bytes) -> None:
        """Keep what has arrived."""
        self.wire.feed(data)
        self.is_starved = False

    def take(self) -> list[bytes] | None:
        """The next request, or None: call again unless it is starved. Raises Violation."""
        for _ in range(MAX_STEPS):
            found = self.wire.take_frame(self._left_bytes)
            if found is None:
                self.is_starved = True
                return None
            flags, body = found
            if flags & COMMAND:
                if self._parts or self.wire.handle_command(body) is not None:
                    raise Violation("an unexpected command")
                continue
            self._parts.append(body)
            self._left_bytes -= len(body)
            if not flags & MORE:
                return self._end_request()
            if len(self._parts) == MAX_IPC_PARTS + self._has_delimiter:
                raise Violation("too many parts")
        return None

    def reply(self, body: bytes) -> bytes:
        """The frames that carry this to it."""
        return frame(b"", MORE) + frame(body) if self._has_delimiter else frame(body)

    @property
    def _has_delimiter(self) -> bool:
        return self.wire.peer_type == b"REQ"

    def _end_request(self) -> list[bytes]:
        parts, self._parts = self._parts, []
        self._left_bytes = MAX_REQUEST_BYTES
        self.is_starved = not self.wire.held_bytes
        if self._has_delimiter and parts.pop(0):
            raise Violation("no delimiter")
        return parts
