"""Invite codes: 80 random bits that two people share by another way, for the first contact.

The code is stretched by scrypt into the psk of XXpsk3. Message 3 of that handshake gives an active
attacker something to try codes on, offline: 80 bits times the cost of scrypt are the defence.
"""

import base64
from typing import Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from chatnet_protocol.errors import DecodeError

INVITE_BYTES: Final = 10
_CHARACTERS: Final = 16
_GROUP: Final = 4
_SALT: Final = b"chatnet invite 1"
_SCRYPT_N: Final = 2**15
_CONFUSED: Final = str.maketrans({"0": "O", "1": "I", "8": "B"})
"""Digits that base 32 does not have, read as the letters they are taken for."""


def invite_code(entropy: bytes) -> str:
    """16 base-32 characters in groups of four ("abcd-efgh-ijkl-mnop") from 10 random bytes."""
    letters = base64.b32encode(entropy[:INVITE_BYTES]).decode().lower()
    return "-".join(letters[at : at + _GROUP] for at in range(0, _CHARACTERS, _GROUP))


def parse_invite(text: str) -> bytes:
    """The 10 bytes of a code as people type it: any case, spaces and dashes anywhere.

    Raises DecodeError, which does not quote the code.
    """
    letters = "".join(text.split()).replace("-", "").upper().translate(_CONFUSED)
    try:
        secret = base64.b32decode(letters)
    except ValueError:
        secret = b""
    if len(letters) != _CHARACTERS or len(secret) != INVITE_BYTES:
        raise DecodeError("an invite code has 16 letters and digits (a-z, 2-7)")
    return secret


def invite_psk(secret: bytes) -> bytes:
    """32 bytes for XXpsk3 from the 10 bytes of a code (scrypt N=2^15 r=8 p=1: 32 MiB, 0.1 s)."""
    return Scrypt(salt=_SALT, length=32, n=_SCRYPT_N, r=8, p=1).derive(secret)
