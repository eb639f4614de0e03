"""Sizes and rates as people type them."""

import re

from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.limits import MIN_LIMIT_BYTES_S

MAX_SIZE_BYTES = 2**63 - 1
"""More than any store can count."""
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([kmgt]?)(i?)b?")


def parse_size(text: str) -> int:
    """Bytes, of `500MB` or `1GiB`. Raises CommandError."""
    match = _SIZE.fullmatch(text.strip().lower())
    if match is None or (match[3] and not match[2]):
        raise CommandError(ErrorCode.INVALID, f"{text!r} is not a size (try 500MB or 1GiB)")
    unit = (1024 if match[3] else 1000) ** " kmgt".index(match[2] or " ")
    value = round(float(match[1]) * float(unit))
    if value > MAX_SIZE_BYTES:
        raise CommandError(ErrorCode.INVALID, f"{text} is more than any disk holds")
    return value


def parse_limit(text: str) -> int:
    """Bytes a second, of `5MB` or `5MB/s`; 0 of `none`. Raises CommandError."""
    bytes_s = 0 if text.strip() == "none" else parse_size(text.strip().removesuffix("/s"))
    check_limit(bytes_s)
    return bytes_s


def check_limit(bytes_s: int) -> None:
    """Raises CommandError for a rate that files cannot be limited to."""
    if bytes_s and not MIN_LIMIT_BYTES_S <= bytes_s <= MAX_SIZE_BYTES:
        sentence = f"The least limit is {MIN_LIMIT_BYTES_S:,} bytes a second."
        raise CommandError(ErrorCode.INVALID, sentence)
