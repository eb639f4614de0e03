"""Identifiers that cross a wire, and the shape of the client-made ones.

Message and transfer ids are made by whoever starts the message, are 128 bits, time-ordered
(RFC 9562 section 5.7, UUID version 7) and permanent: a retried command is the same message.
"""

from typing import NewType

PeerId = NewType("PeerId", int)
"""Local number of a peer within one session, from 1; never reused."""
MessageId = NewType("MessageId", bytes)
"""16 bytes; also the id of the command that made the message."""
TransferId = NewType("TransferId", bytes)
"""16 bytes: the message id of the offer."""

ID_BYTES = 16


def uuid7(wall_ms: int, entropy: bytes) -> bytes:
    """16 bytes of a UUIDv7 from Unix time in milliseconds and at least 10 random bytes."""
    head = (wall_ms & 0xFFFF_FFFF_FFFF).to_bytes(6, "big")
    tail = bytearray(entropy[:10])
    tail[0] = 0x70 | (tail[0] & 0x0F)
    tail[2] = 0x80 | (tail[2] & 0x3F)
    return head + bytes(tail)


def is_id(value: bytes) -> bool:
    """Whether `value` has the length of an id; the bits inside are the maker's business."""
    return len(value) == ID_BYTES
