"""Identifiers that cross a wire, the shape of the client-made ones, and keys as people read them.

Message and transfer ids are made by the author's side, are 128 bits, time-ordered
(RFC 9562 section 5.7, UUID version 7) and permanent: a retried command is the same message.
"""

from typing import NewType

from chatnet_protocol.errors import CommandError, ErrorCode

PeerId = NewType("PeerId", int)
"""Local number of a peer within one session, from 1; never reused."""
MessageId = NewType("MessageId", bytes)
"""16 bytes; also the id of the command that made the message."""
TransferId = NewType("TransferId", bytes)
"""16 bytes: the message id of the offer."""

ID_BYTES = 16
FINGERPRINT_GROUPS = 6
FINGERPRINT_GROUP_CHARACTERS = 4


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


def is_reference(value: bytes) -> bool:
    """Whether `value` names a message or nothing."""
    return not value or is_id(value)


def require_id(value: bytes) -> None:
    """Raises CommandError when `value` is no id."""
    if not is_id(value):
        raise CommandError(ErrorCode.INVALID, "An id has 16 bytes.")


def fingerprint(key: bytes) -> str:
    """A public key as "abcd-efgh-…": 24 base-32 characters (120 bits) of its SHA-256.

    Short enough to read out, long enough that no second key with the same one can be found.
    """
    import base64
    import hashlib  # loads OpenSSL: not before somebody asks

    digest = hashlib.sha256(b"chatnet fingerprint" + key).digest()
    letters = base64.b32encode(digest).decode().lower()
    step = FINGERPRINT_GROUP_CHARACTERS
    return "-".join(letters[i * step : (i + 1) * step] for i in range(FINGERPRINT_GROUPS))
