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


ZERO_WIDTH = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
"""Characters that take no room wherever they stand, for a class of a regular expression: they
hide a part of a text or make two names look alike. Fillers and tags among them."""
_JOINED = "[^\x00-\x7f\\s\u200b-\u200d]"
_VARIED = (
    "[^\x00-\x22\x24-\x29\x2b-\x2f\x3a-\xa8\\s\u200b-\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
UNSEEN = (
    "(\U0001f3f4[\U000e0020-\U000e007e]{1,16}\U000e007f)"
    f"|[{ZERO_WIDTH}]"
    f"|(?<!{_JOINED})[\u200c\u200d]|[\u200c\u200d](?!{_JOINED})"
    f"|(?<!{_VARIED})[\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
"""What to make visible of a text: zero-width characters, but joiners between letters of other
scripts or emoji, variation selectors of what has variants, and, as group 1, which is to stay, the
flag of a region: a black flag and its tags."""
