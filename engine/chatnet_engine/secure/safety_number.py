"""The safety number: 60 digits that two people compare to know that nobody sits between them.

Per key 30 digits from 5,200 rounds of SHA-512, after Signal's numeric fingerprint (libsignal,
fingerprint.rs); the two halves are sorted, so that both sides show the same number. Depends on the
two keys alone: stable over sessions, addresses and names.
"""

import hashlib
from functools import lru_cache
from typing import Final

ITERATIONS: Final = 5200
_VERSION: Final = b"\x00\x00"
_DIGITS_PER_GROUP: Final = 5
_GROUPS_PER_KEY: Final = 6


def safety_number(own: bytes, theirs: bytes) -> str:
    """60 digits in 12 groups of five, divided by spaces; alike on both sides."""
    halves = sorted((_half(own), _half(theirs)))
    digits = "".join(halves)
    step = _DIGITS_PER_GROUP
    return " ".join(digits[at : at + step] for at in range(0, len(digits), step))


@lru_cache(maxsize=16)  # one of the two keys is our own every time: milliseconds saved
def _half(public: bytes) -> str:
    digest = _VERSION + public + b"chatnet"
    for _ in range(ITERATIONS):
        digest = hashlib.sha512(digest + public).digest()
    groups = (digest[at : at + 5] for at in range(0, 5 * _GROUPS_PER_KEY, 5))
    return "".join(f"{int.from_bytes(group, 'big') % 100_000:05d}" for group in groups)
