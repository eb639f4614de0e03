"""A user's long-term key, and the text form of public keys in known_peers.

Owns the private key in memory only; files, permissions and trust are others' business.
"""

import base64
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ids import fingerprint

KEY_BYTES: Final = 32


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
