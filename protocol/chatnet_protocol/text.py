"""What a message may hold: Unicode that UTF-8 can carry, and how anything else is made so."""

import re

_UNTYPED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def is_text(text: str) -> bool:
    """False for a string with surrogates, which UTF-8 cannot carry: bytes that were not valid
    UTF-8, or half a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def valid_text(text: str) -> str:
    """`text` as UTF-8 can carry it: two halves of a character are joined, a single surrogate
    becomes U+FFFD."""
    if is_text(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def typed_text(text: str) -> str:
    """What a person types or pastes, as a message may hold it: valid, lines end with LF, and no
    control character but line end and tab."""
    lines = valid_text(text).replace("\r\n", "\n").replace("\r", "\n")
    return _UNTYPED.sub("", lines)
