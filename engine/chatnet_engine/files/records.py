"""Sealing and opening the records of a file connection (see `wire.file_records`).

Works in buffers handed in, because a copy of every byte costs as much as its encryption. Ciphers
are handed in too; each belongs to one direction of one connection.
"""

import struct
from collections.abc import Callable
from typing import Protocol

from chatnet_protocol.errors import DecodeError, LocalProtocolError
from chatnet_protocol.limits import FILE_RECORD_BYTES
from chatnet_protocol.wire.file_records import (
    LENGTH_BYTES,
    MAX_RECORDS,
    MAX_SEALED_BYTES,
    MIN_SEALED_BYTES,
    TYPE_BYTES,
    RecordType,
)

AEAD_TAG_BYTES = 16
SLOTS = 16
"""Records opened at a time: 1 MiB."""

_LENGTH = struct.Struct(">I")
_LITTLE_NONCE = struct.Struct("<4xQ")
_BIG_NONCE = struct.Struct(">4xQ")
_TYPES = frozenset(RecordType)
_TYPE_BYTE = {each: bytes((each,)) for each in RecordType}

Buffer = bytes | bytearray | memoryview
Record = tuple[int, memoryview]
"""Type, and body that is valid until the opener is used again."""


class Aead(Protocol):
    """AESGCM or ChaCha20Poly1305 of `cryptography`; buffers have exactly the right size."""

    def encrypt(self, nonce: Buffer, data: Buffer, associated_data: Buffer | None) -> bytes: ...
    def encrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer
    ) -> int: ...
    def decrypt_into(
        self, nonce: Buffer, data: Buffer, associated_data: Buffer | None, buf: Buffer
    ) -> int: ...


def nonce_packer(cipher: str) -> Callable[[int], bytes]:
    """How Noise (section 12) writes a 64-bit number as nonce of "ChaChaPoly" or "AESGCM"."""
    return _LITTLE_NONCE.pack if cipher == "ChaChaPoly" else _BIG_NONCE.pack


class Sealer:
    """One direction's outgoing records; at most MAX_RECORDS."""

    def __init__(self, aead: Aead, nonce: Callable[[int], bytes]) -> None:
        self._aead = aead
        self._nonce = nonce
        self.sealed = 0

    def seal_into(self, plain: memoryview, out: memoryview) -> int:
        """Write the record of `plain` (type byte and body) to `out`; its length on the wire."""
        if self.sealed >= MAX_RECORDS or not TYPE_BYTES <= len(plain) <= TYPE_BYTES + (
            FILE_RECORD_BYTES
        ):
            raise LocalProtocolError("a record too many or too long")
        size = len(plain) + AEAD_TAG_BYTES
        _LENGTH.pack_into(out, 0, size)
        end = LENGTH_BYTES + size
        self._aead.encrypt_into(self._nonce(self.sealed), plain, None, out[LENGTH_BYTES:end])
        self.sealed += 1
        return end

    def seal(self, record_type: RecordType, body: Buffer = b"") -> bytes:
        """One small record: two copies of it cost less than the views on its parts."""
        plain = _TYPE_BYTE[record_type] + body
        if self.sealed >= MAX_RECORDS or len(plain) > TYPE_BYTES + FILE_RECORD_BYTES:
            raise LocalProtocolError("a record too many or too long")
        sealed = self._aead.encrypt(self._nonce(self.sealed), plain, None)
        self.sealed += 1
        return _LENGTH.pack(len(sealed)) + sealed


class Opener:
    """One direction's incoming records.

    `broken` is what cannot be recovered: after a DecodeError the connection is worthless.
    """

    def __init__(
        self,
        aead: Aead,
        nonce: Callable[[int], bytes],
        refused: type[Exception] | tuple[type[Exception], ...],
    ) -> None:
        """`refused`: what the cipher raises for bytes that are not authentic."""
        self._aead = aead
        self._nonce = nonce
        self._refused = refused
        self._slots = [memoryview(bytearray(TYPE_BYTES + FILE_RECORD_BYTES)) for _ in range(SLOTS)]
        self.opened = 0
        self.ended = False
        """Whether the other side's END was read; nothing may follow it."""

    def open_from(self, data: memoryview) -> tuple[int, list[Record]]:
        """Bytes used up, and at most SLOTS records. Raises DecodeError."""
        at, available = 0, len(data)
        records: list[Record] = []
        for slot in self._slots:
            body = at + LENGTH_BYTES
            if body > available:
                break
            (size,) = _LENGTH.unpack_from(data, at)
            if not MIN_SEALED_BYTES <= size <= MAX_SEALED_BYTES:
                raise DecodeError("a record of impossible length")
            end = body + size
            if end > available:
                break
            records.append(self._open(data[body:end], slot[: size - AEAD_TAG_BYTES]))
            at = end
        return at, records

    def _open(self, sealed: memoryview, plain: memoryview) -> Record:
        if self.ended:
            raise DecodeError("a record after the last one")
        if self.opened >= MAX_RECORDS:
            raise DecodeError("more records than one key may seal")
        try:
            self._aead.decrypt_into(self._nonce(self.opened), sealed, None, plain)
        except self._refused:
            raise DecodeError("a record is not authentic") from None
        self.opened += 1
        record_type = plain[0]
        if record_type not in _TYPES:
            raise DecodeError("an unknown type of record")
        if record_type == RecordType.END:
            self.ended = True
        return record_type, plain[TYPE_BYTES:]
