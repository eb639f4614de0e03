"""Sizes as people type them."""

import re

from chatnet_protocol.errors import CommandError, ErrorCode

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


def parse_rate(text: str) -> int:
    """Bytes a second, of `5MB` or `5MB/s`. Raises CommandError."""
    return parse_size(text.strip().removesuffix("/s"))
