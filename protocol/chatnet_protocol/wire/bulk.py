"""Channel 3 of the link: bytes of files, where no TCP connection can be had.

A stream is what a TCP connection would be: bytes both ways, in order, with a window for each
direction. Its handle was agreed in a `LinkStream` (see `control`). The bytes are those of a file
connection from its first handshake message on.
"""

from typing import NamedTuple

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import BULK_PART_BYTES, MAX_BULK_WINDOW_BYTES
from chatnet_protocol.wire.control import HANDLE_BYTES

_DATA = 0
_ROOM = 1
_END = 2
_HEAD_BYTES = 1 + HANDLE_BYTES
_SIZE_BYTES = 4
MAX_BULK_MESSAGE_BYTES = _HEAD_BYTES + BULK_PART_BYTES


class BulkData(NamedTuple):
    """The next 1 to BULK_PART_BYTES bytes of a stream."""

    handle: bytes
    data: bytes


class BulkRoom(NamedTuple):
    """So many more bytes may be sent: as many as were taken, and what a larger window adds."""

    handle: bytes
    size_bytes: int


class BulkEnd(NamedTuple):
    """Its sender neither sends nor accepts more of this stream."""

    handle: bytes


BulkMessage = BulkData | BulkRoom | BulkEnd


def encode_bulk(message: BulkMessage) -> bytes:
    """Body of one message on channel 3."""
    match message:
        case BulkData(handle, data):
            return bytes([_DATA]) + handle + data
        case BulkRoom(handle, size_bytes):
            return bytes([_ROOM]) + handle + size_bytes.to_bytes(_SIZE_BYTES, "big")
        case BulkEnd(handle):
            return bytes([_END]) + handle


def decode_bulk(body: bytes) -> BulkMessage:
    """Raises DecodeError."""
    if len(body) < _HEAD_BYTES:
        raise DecodeError("a message of a bulk stream is too short")
    kind, handle, rest = body[0], body[1:_HEAD_BYTES], body[_HEAD_BYTES:]
    if kind == _DATA and 1 <= len(rest) <= BULK_PART_BYTES:
        return BulkData(handle, rest)
    if kind == _ROOM and len(rest) == _SIZE_BYTES:
        size_bytes = int.from_bytes(rest, "big")
        if 1 <= size_bytes <= MAX_BULK_WINDOW_BYTES:
            return BulkRoom(handle, size_bytes)
    if kind == _END and not rest:
        return BulkEnd(handle)
    raise DecodeError("not a message of a bulk stream")
