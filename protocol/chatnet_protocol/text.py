"""What a message may hold: Unicode that UTF-8 can carry, and how anything else is made so; and how
what a peer wrote is made harmless where it is shown."""

import enum
import re
from functools import cache

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
_JOINED = f"[^\x00-\x7f\\s\u200b-\u200d{ZERO_WIDTH}]"
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

_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\ufff9-\ufffb\ufffe\uffff\ud800-\udfff"
"""But tab and newline: what terminals obey, what is no character, halves of one."""
_TURNS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Turn the reading direction."""
_SEPARATORS = "\u2028\u2029"
_BREAKS = "\n\t\x85\u2028\u2029"
_SCREEN_BREAKS = re.compile(f"[{_BREAKS}]+")


class Policy(enum.Enum):
    """Where text of others is shown."""

    TERMINAL = "terminal"
    """Also in logs: nothing moves a cursor, and all that is not as it looks shows as an escape."""
    SCREEN = "screen"
    """Drawn by a toolkit: controls go, hidden characters show as U+FFFD."""


@cache
def _harmful(policy: Policy, line: bool) -> re.Pattern[str]:
    """What `harmless` looks for. Compiled when it is needed first: each takes a millisecond or
    two, and most programs need one of them, or none."""
    if policy is Policy.TERMINAL:
        return re.compile(f"{UNSEEN}|[{_CONTROLS}{_TURNS}{_BREAKS if line else _SEPARATORS}]")
    return re.compile(f"{UNSEEN}|([{_CONTROLS}]){f'|[{_TURNS}]' if line else ''}")


def harmless(text: str, policy: Policy, *, line: bool = False) -> str:
    """What a peer wrote, as it may be shown.

    `line`: it stays one line, and nothing in it turns the reading direction of what stands beside
    it. Otherwise lines and tabs stay, and on a screen the direction is the text's own.
    """
    in_a_line = text if line else text.replace("\n", "").replace("\t", "")
    if in_a_line.isascii() and in_a_line.isprintable():
        return text  # nothing of what is looked for
    found = _harmful(policy, line)
    if policy is Policy.TERMINAL:
        return found.sub(_escaped, text)
    if line:
        return found.sub(_marked, _SCREEN_BREAKS.sub(" ", text))
    return found.sub(_marked, text.replace("\r\n", "\n").replace("\r", "\n"))


def _escaped(match: re.Match[str]) -> str:
    if match.group(1):
        return match.group(1)
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _marked(match: re.Match[str]) -> str:
    if match.group(2):
        return ""
    return match.group(1) or "\N{REPLACEMENT CHARACTER}"
