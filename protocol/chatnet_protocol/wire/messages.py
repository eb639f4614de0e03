"""What the reliable channels and STATE frames carry between two engines, as msgpack arrays.

Channel 0 is the conversation: `Message`, durable and exactly once. Channel 1 is control of
transfers: `Control`, reliable within one link and sent again after each new one. Channel 2 brings
a lost conversation back (see `restoring`). The HELLO frame holds a `Hello`; STATE frames hold
`Marks`, `Typing`, `Line` and `DisplayName`, of which only the newest counts.
"""

from msgspec import Struct
from msgspec.structs import astuple

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ids import is_id, is_reference
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.rows import MessageKind
from chatnet_protocol.limits import (
    MAX_DISPLAY_NAME_BYTES,
    MAX_HELLO_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_STATE_BYTES,
    MAX_TEXT_BYTES,
)

CHANNEL_CONVERSATION = 0
CHANNEL_CONTROL = 1
CHANNEL_RESTORE = 2
CHANNEL_BULK = 3

STATE_MARKS = 1
STATE_TYPING = 2
STATE_LINE = 3
STATE_NAME = 4

MAX_COUNTER = 2**63 - 1
MAX_MESSAGE_NUMBER = 2**61
"""Wire numbers in a HELLO; leaves room for what a link can count on from there."""
MAX_WALL_MS = 253_402_300_799_999
"""The end of the year 9999: later times cannot be shown."""


class Message(Struct, array_like=True, gc=False, frozen=True):
    """One message of the conversation."""

    kind: int
    """A MessageKind value; an unknown one is kept and shown as such."""
    id: bytes
    lamport: int
    sent_ms: int
    body: bytes
    reply_to: bytes = b""
    """Id of the message that it answers, which need not be known here; empty: none."""


class Hello(Struct, array_like=True, gc=False, frozen=True):
    """The first frame of a new link, before any message is delivered."""

    base: int
    """Lowest message number the sender of this HELLO still holds, or the next one it will use."""
    mark: int
    """Highest message number of the other side that is committed here; 0: none of this
    incarnation."""
    acked_total: int
    """Highest ACK number the other side has ever given to our messages."""
    received_total: int
    """Highest ACK number we have ever given to the other side's messages."""
    lamport: int
    """Highest Lamport counter seen in this conversation."""
    name: str = ""
    """What the sender calls itself: untrusted text."""
    fast_aes: bool = False
    """Whether AES-GCM is faster than ChaCha20-Poly1305 here."""


class Marks(Struct, array_like=True, gc=False, frozen=True):
    """ACK numbers of the other side's messages shown and read here; maxima."""

    shown: int
    read: int


class Typing(Struct, array_like=True, gc=False, frozen=True):
    """Whether somebody is typing; forgotten after TYPING_KEPT_S without a new one."""

    typing: bool


TYPING_KEPT_S = 6.0


class Line(Struct, array_like=True, gc=False, frozen=True):
    """What the sender of this state measures of its own direction; for people to see."""

    loss_permille: int
    """Packets of a thousand that were lost lately."""


class DisplayName(Struct, array_like=True, gc=False, frozen=True):
    """What the sender calls itself since its HELLO: untrusted text."""

    name: str


State = Marks | Typing | Line | DisplayName


def encode_message(message: Message) -> bytes:
    """Bytes of one conversation message for channel 0; one that answers none has no such field."""
    fields = astuple(message)
    return codec.pack_plain(fields if message.reply_to else fields[:-1])


def decode_message(data: bytes) -> Message:
    """A conversation message, its body checked by its kind. Raises DecodeError."""
    message = codec.unpack(data, Message, MAX_MESSAGE_BYTES)
    if not (is_id(message.id) and is_reference(message.reply_to)):
        raise DecodeError("a message id has 16 bytes")
    if not (0 < message.lamport <= MAX_COUNTER and 0 <= message.sent_ms <= MAX_WALL_MS):
        raise DecodeError("a counter or time is out of range")
    check_body(message.kind, message.body)
    return message


def check_body(kind: int, body: bytes) -> None:
    """Raises DecodeError when no message of that kind can have this body."""
    if len(body) > MAX_TEXT_BYTES:
        raise DecodeError("a message body is longer than 64 KiB")
    if kind == MessageKind.TEXT:
        try:
            body.decode()
        except UnicodeDecodeError:
            raise DecodeError("a text is not UTF-8") from None
    elif kind == MessageKind.OFFER:
        decode_offer(body)
    elif not 0 < kind < 256:
        raise DecodeError("a message kind is out of range")


def encode_hello(hello: Hello) -> bytes:
    """Body of a HELLO frame."""
    return codec.pack(hello)


def decode_hello(data: bytes) -> Hello:
    """Raises DecodeError when malformed or a field is out of range."""
    hello = codec.unpack(data, Hello, MAX_HELLO_BYTES)
    counters = (hello.mark, hello.acked_total, hello.received_total, hello.lamport)
    if min(counters) < 0 or max(counters) > MAX_COUNTER:
        raise DecodeError("a HELLO counter is out of range")
    if hello.base < 1 or max(hello.base, hello.mark) > MAX_MESSAGE_NUMBER:
        raise DecodeError("a HELLO message number is out of range")
    _check_name(hello.name)
    return hello


def _check_name(name: str) -> None:
    if len(name.encode()) > MAX_DISPLAY_NAME_BYTES:
        raise DecodeError("a display name is too long")


def encode_state(state: State) -> bytes:
    """Value of a STATE frame."""
    return codec.pack(state)


def decode_marks(data: bytes) -> Marks:
    """Raises DecodeError."""
    marks = codec.unpack(data, Marks, MAX_STATE_BYTES)
    if not (0 <= marks.shown <= MAX_COUNTER and 0 <= marks.read <= MAX_COUNTER):
        raise DecodeError("a mark is out of range")
    return marks


def decode_typing(data: bytes) -> Typing:
    """Raises DecodeError."""
    return codec.unpack(data, Typing, MAX_STATE_BYTES)


def decode_line(data: bytes) -> Line:
    """Raises DecodeError."""
    line = codec.unpack(data, Line, MAX_STATE_BYTES)
    if not 0 <= line.loss_permille <= 1000:
        raise DecodeError("a loss is out of range")
    return line


def decode_name(data: bytes) -> DisplayName:
    """Raises DecodeError."""
    found = codec.unpack(data, DisplayName, MAX_STATE_BYTES)
    _check_name(found.name)
    return found
