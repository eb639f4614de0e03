"""A user's long-term key, its form on disk, and the text form of public keys in known_peers.

Both forms carry a check, because every 32 bytes are a key: a flipped bit would make somebody else.

Owns the private key in memory only; files, permissions and trust are others' business.
"""

import base64
import hashlib
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ids import fingerprint

KEY_BYTES: Final = 32
FILE_CHECK_BYTES: Final = 8
TEXT_CHECK_BYTES: Final = 4
_KEY_CHARACTERS: Final = 52


class Identity:
    """An X25519 key pair made from 32 private bytes. Its repr shows no secret."""

    __slots__ = ("private", "public")

    def __init__(self, private: X25519PrivateKey) -> None:
        self.private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def from_private_bytes(cls, private_bytes: bytes) -> "Identity":
        """Raises DecodeError unless given 32 bytes."""
        if len(private_bytes) != KEY_BYTES:
            raise DecodeError("an identity key has 32 bytes")
        return cls(X25519PrivateKey.from_private_bytes(private_bytes))

    def __repr__(self) -> str:
        return f"Identity({fingerprint(self.public)})"


def encode_private_key(private_bytes: bytes) -> bytes:
    """The key as its file has it: 32 bytes and 8 of their check."""
    return private_bytes + _check(b"private", private_bytes, FILE_CHECK_BYTES)


def decode_private_key(data: bytes) -> tuple[bytes, bool]:
    """(the key, whether it was checked). Files of before are the bare 32 bytes.

    Raises DecodeError.
    """
    private_bytes = data[:KEY_BYTES]
    if len(data) == KEY_BYTES:
        return private_bytes, False
    if data != encode_private_key(private_bytes):
        raise DecodeError("an identity key has 32 bytes and their check")
    return private_bytes, True


def checked_key_text(public: bytes) -> str:
    """A public key as 59 lower-case base-32 characters: the key and 4 bytes of its check."""
    check = base64.b32encode(_check(b"public", public, TEXT_CHECK_BYTES)).decode()
    return public_key_text(public) + check.rstrip("=").lower()


def parse_checked_key(text: str) -> bytes:
    """The inverse of checked_key_text; the bare key, as files of before have it, will do.

    Raises DecodeError.
    """
    public = parse_public_key(text[:_KEY_CHARACTERS])
    if len(text) != _KEY_CHARACTERS and text.lower() != checked_key_text(public):
        raise DecodeError("the key does not fit its check: one of its characters is wrong")
    return public


def public_key_text(public: bytes) -> str:
    """A public key in full as 52 lower-case base-32 characters, as known_peers keeps it."""
    return base64.b32encode(public).decode().rstrip("=").lower()


def parse_public_key(text: str) -> bytes:
    """The inverse of public_key_text. Raises DecodeError."""
    try:
        public = base64.b32decode(text.upper() + "====")
    except ValueError:
        raise DecodeError("a public key has 52 base-32 characters") from None
    if len(public) != KEY_BYTES or public_key_text(public) != text.lower():
        raise DecodeError("a public key has 52 base-32 characters")
    return public


def _check(kind: bytes, key: bytes, size: int) -> bytes:
    return hashlib.sha256(b"chatnet check of a key: " + kind + key).digest()[:size]
