"""What travels inside one file connection, once both sides share its keys.

A connection is: handle (8 bytes, in the clear), `Noise_NNpsk0_25519_{cipher}_SHA256` with the
token as psk and the handle as prologue, then records: length of the sealed part as 4 bytes
big-endian, sealed part. The plain part is one byte of type and a body; records are sealed with
the connection's key of that direction and nonces that count from 0, no associated data.

The receiver of the files says START first, after SKIP for files that it has already. The sender
answers FILE, DATA..., FILE_END for each other file from there on, then END. Where the offer names a
listing (`wire.listing`), that is file 0. The receiver says VERIFIED now and then, and END when it
has all.
A connection that ends without END was cut.
"""

import enum

from msgspec import Struct
from msgspec.structs import astuple

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import (
    AEAD_TAG_BYTES,
    FILE_RECORD_BYTES,
    MAX_FILE_BYTES,
    MAX_LISTED_FILES,
)
from chatnet_protocol.wire.control import HANDLE_BYTES, Suite

LENGTH_BYTES = 4
TYPE_BYTES = 1
MAX_SEALED_BYTES = TYPE_BYTES + FILE_RECORD_BYTES + AEAD_TAG_BYTES
"""65,553: a longer record is refused before it is read."""
MIN_SEALED_BYTES = TYPE_BYTES + AEAD_TAG_BYTES
MAX_RECORDS = 2**24
"""Per direction and connection, 1 TiB; the rest travels on a new connection with new keys."""
DIGEST_BYTES = 32
"""BLAKE3 of the whole file."""
FIRST_MESSAGE_BYTES = HANDLE_BYTES + 32 + AEAD_TAG_BYTES
"""What a dialler sends first: 56 bytes."""
REPLY_BYTES = 32 + AEAD_TAG_BYTES
FIRST_MESSAGE_WITHIN_S = 5.0
MAX_UNKNOWN_CONNECTIONS = 8
"""Connections that have not proved to know a token; the oldest gives way."""
MAX_BODY_BYTES = 256
"""Bodies of all records but DATA."""


class RecordType(enum.IntEnum):
    """First plain byte of a record."""

    DATA = 0
    """Bytes of the current file, in order."""
    START = 1
    """Receiver: a `Position`, send from there."""
    FILE = 2
    """Sender: a `FileHeader`. For the file under way: it starts over, because it changed."""
    FILE_END = 3
    """Sender: the BLAKE3 digest of the file, DIGEST_BYTES."""
    VERIFIED = 4
    """Receiver: a `Position` up to which everything is durable."""
    END = 5
    """Either side's last record; empty."""
    SKIP = 6
    """Receiver, before START: a `Skip`, these files are not to be sent."""


class Position(Struct, array_like=True, gc=False, frozen=True):
    """Files before `index` are complete, file `index` up to `offset`. A listing counts as one."""

    index: int
    offset: int


class FileHeader(Struct, array_like=True, gc=False, frozen=True):
    """DATA from `offset` of file `index` follows."""

    index: int
    offset: int


class Skip(Struct, array_like=True, gc=False, frozen=True):
    """Files `index` to `index + count - 1` are here already. Those of one connection ascend."""

    index: int
    count: int


def noise_name(suite: int) -> str:
    """Noise protocol name of a suite."""
    cipher = {Suite.CHACHA: "ChaChaPoly", Suite.AESGCM: "AESGCM"}[Suite(suite)]
    return f"Noise_NNpsk0_25519_{cipher}_SHA256"


def encode_body(body: Position | FileHeader | Skip) -> bytes:
    """Body of a START, VERIFIED, FILE or SKIP record."""
    return codec.pack_plain(astuple(body))


def decode_position(body: bytes) -> Position:
    """Raises DecodeError."""
    position = codec.unpack(body, Position, MAX_BODY_BYTES)
    _check(position.index, position.offset, MAX_LISTED_FILES + 1)
    return position


def decode_header(body: bytes) -> FileHeader:
    """Raises DecodeError."""
    header = codec.unpack(body, FileHeader, MAX_BODY_BYTES)
    _check(header.index, header.offset, MAX_LISTED_FILES)
    return header


def decode_skip(body: bytes) -> Skip:
    """Raises DecodeError."""
    skip = codec.unpack(body, Skip, MAX_BODY_BYTES)
    if not (0 <= skip.index < skip.index + skip.count <= MAX_LISTED_FILES + 1):
        raise DecodeError("a range of files is out of range")
    return skip


def _check(index: int, offset: int, max_index: int) -> None:
    if not (0 <= index <= max_index and 0 <= offset <= MAX_FILE_BYTES):
        raise DecodeError("a position is out of range")
