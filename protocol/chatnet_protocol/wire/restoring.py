"""Channel 2 of the link: how a side that lost its history has the conversation back.

The side that lost it pulls, page by page: it asks for what comes after a place in the other's
history, and names the message there, so that the other sees whether it still counts by the same
history. Reliable within one link and volatile: the request is sent again on each new one, and the
side that gives keeps nothing but its user's consent to this request.
"""

from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ids import ID_BYTES, is_id, is_reference
from chatnet_protocol.limits import MAX_MESSAGE_BYTES
from chatnet_protocol.wire.messages import MAX_COUNTER, MAX_WALL_MS, check_body

PAGE_BYTES = 48 * 1024
"""Of bodies and their fields in one page, which holds a message in any case."""
ROW_BYTES = 114
"""What a row counts besides its body; its fields take at most so much."""
MAX_PAGE_ROWS = 256


class RestoreAsk(Struct, array_like=True, gc=False, frozen=True, tag=1):
    """Give me what comes after place `after` of your history, where message `after_id` is."""

    want: int
    """Random id of this request: a user who has consented to it is not asked again."""
    after: int
    after_id: bytes


class RestoredRow(Struct, array_like=True, gc=False, frozen=True):
    """A message that both sides had."""

    yours: bool
    """Written by the side that asks."""
    kind: int
    id: bytes
    lamport: int
    sent_ms: int
    arrived_ms: int
    ack: int
    body: bytes
    reply_to: bytes = b""


class RestorePage(Struct, array_like=True, gc=False, frozen=True, tag=2):
    """What comes after place `after`, up to `next`, where message `next_id` is. `after` is 0
    where the place that was asked for does not count any more."""

    want: int
    after: int
    next: int
    next_id: bytes
    more: bool
    rows: list[RestoredRow]


class RestoreRefuse(Struct, array_like=True, gc=False, frozen=True, tag=3):
    """The user here does not consent to this request."""

    want: int


class RestoreStop(Struct, array_like=True, gc=False, frozen=True, tag=4):
    """The user there no longer wants it."""

    want: int


Restoring = RestoreAsk | RestorePage | RestoreRefuse | RestoreStop


class _Envelope(Struct, array_like=True, gc=False, frozen=True):
    message: Restoring


def encode_restoring(message: Restoring) -> bytes:
    """Body of one message on channel 2."""
    return codec.pack(message)


def decode_restoring(body: bytes) -> Restoring:
    """Raises DecodeError when malformed or a field is out of range."""
    message = codec.convert([codec.unpack_plain(body, MAX_MESSAGE_BYTES)], _Envelope).message
    if message.want < 1:
        raise DecodeError("the id of a restore request is out of range")
    if isinstance(message, RestoreAsk):
        _check_place(message.after, message.after_id)
    elif isinstance(message, RestorePage):
        _check_place(message.next, message.next_id)
        if message.after < 0 or (message.more and message.next <= message.after):
            raise DecodeError("a page that leads nowhere")
        if len(message.rows) > MAX_PAGE_ROWS:
            raise DecodeError("a page has at most 256 rows")
        for row in message.rows:
            _check_row(row)
    return message


def _check_place(place: int, message_id: bytes) -> None:
    if place < 0 or len(message_id) != (ID_BYTES if place else 0):
        raise DecodeError("a place in a history is out of range")


def _check_row(row: RestoredRow) -> None:
    if not (is_id(row.id) and is_reference(row.reply_to)):
        raise DecodeError("a message id has 16 bytes")
    if not (0 < row.lamport <= MAX_COUNTER and 0 < row.ack <= MAX_COUNTER):
        raise DecodeError("a counter is out of range")
    if not (0 <= row.sent_ms <= MAX_WALL_MS and 0 <= row.arrived_ms <= MAX_WALL_MS):
        raise DecodeError("a time is out of range")
    check_body(row.kind, row.body)
