"""Content that is not messages: HELLO, latest-value states, channel receipts, path tokens.

Each class owns one kind, and repeats it until the packet that carried the newest is acknowledged.
"""

from chatnet_engine.arq.packets import DeliveryToken, SentFrame
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.limits import MAX_HELLO_BYTES, MAX_STATE_BYTES, MAX_STATES
from chatnet_protocol.wire import frames

MAX_PATH_TOKENS = 4
"""Path tokens waiting for a packet, each way; beyond it the oldest goes."""


class HelloSlot:
    """Our HELLO: in every packet until one of them is acknowledged."""

    def __init__(self) -> None:
        self._frame: bytes | None = None
        self.due = False

    def set(self, body: bytes) -> None:
        """Once in the life of a link."""
        if self._frame is not None:
            raise LocalProtocolError("HELLO was set already")
        if len(body) > MAX_HELLO_BYTES:
            raise LocalProtocolError(f"HELLO is longer than {MAX_HELLO_BYTES} bytes")
        self._frame = frames.encode_hello(body)
        self.due = True

    def pull(self) -> SentFrame | None:
        """The frame, until it is acknowledged."""
        self.due = False
        return (self._frame, ()) if self._frame else None

    def on_acked(self, token: DeliveryToken) -> None:
        """Done for good."""
        self._frame = b""
        self.due = False

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        """It rides in whatever goes next, and makes something go."""
        self.due = bool(self._frame)

    def on_probe(self, token: DeliveryToken) -> None:
        """As when lost."""
        self.due = bool(self._frame)


class StateBoard:
    """Latest-value states: only the newest value of a key matters. Tokens are (key, revision)."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[int, bytes]] = {}
        self.due: dict[int, None] = {}
        """Keys of which a frame has to go out."""

    def set(self, key: int, value: bytes) -> None:
        """Replace the value of `key`."""
        if len(value) > MAX_STATE_BYTES:
            raise LocalProtocolError(f"a state is longer than {MAX_STATE_BYTES} bytes")
        if key not in self._values and len(self._values) >= MAX_STATES:
            raise LocalProtocolError(f"more than {MAX_STATES} states")
        revision = self._values.get(key, (0, b""))[0] + 1
        self._values[key] = (revision, value)
        self.due[key] = None

    def pull(self, space: int) -> SentFrame | None:
        """The frame that has waited longest, if it fits."""
        for key in self.due:
            revision, value = self._values[key]
            frame = frames.encode_state(key, revision, value)
            if len(frame) > space:
                return None
            del self.due[key]
            return frame, (key, revision)
        return None

    def on_acked(self, token: DeliveryToken) -> None:
        """Nothing to keep: a newer revision, if any, is already pending."""
        if self._values[token[0]][0] == token[1]:
            self.due.pop(token[0], None)

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        """Again, unless there is a newer revision."""
        self.on_probe(token)

    def on_probe(self, token: DeliveryToken) -> None:
        """As when lost."""
        if self._values[token[0]][0] == token[1]:
            self.due[token[0]] = None


class ChannelReceipts:
    """How far each channel other than 0 has been handed over. Tokens are (channel, number)."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self.due: dict[int, None] = {}
        """Channels of which a frame has to go out."""

    def set(self, channel: int, number: int) -> None:
        """Handed over up to `number`."""
        self._numbers[channel] = number
        self.due[channel] = None

    def pull(self, space: int) -> SentFrame | None:
        """A frame that is due, if it fits."""
        for channel in self.due:
            number = self._numbers[channel]
            frame = frames.encode_channel_receipt(channel, number)
            if len(frame) > space:
                return None
            del self.due[channel]
            return frame, (channel, number)
        return None

    def on_acked(self, token: DeliveryToken) -> None:
        """Nothing to keep."""
        if self._numbers[token[0]] == token[1]:
            self.due.pop(token[0], None)

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        """Again, unless a higher number was reported since."""
        self.on_probe(token)

    def on_probe(self, token: DeliveryToken) -> None:
        """As when lost."""
        if self._numbers[token[0]] == token[1]:
            self.due[token[0]] = None


class PathTokens:
    """Challenges and responses that go out once; the asker repeats, nobody else."""

    def __init__(self) -> None:
        self.due: list[bytes] = []
        """Frames that have to go out."""

    def challenge(self, token: bytes) -> None:
        """Ask."""
        self._add(frames.encode_path_challenge(token))

    def respond(self, token: bytes) -> None:
        """Answer."""
        self._add(frames.encode_path_response(token))

    def pull(self, space: int) -> bytes | None:
        """The oldest waiting frame, if it fits."""
        if not self.due or len(self.due[0]) > space:
            return None
        return self.due.pop(0)

    def _add(self, frame: bytes) -> None:
        self.due.append(frame)
        del self.due[:-MAX_PATH_TOKENS]
