"""What a text is made of: paragraphs, code, a few emoji alone. Pure; knows no markup beyond that.

Nothing a peer wrote becomes more than a choice of font: fences and backquotes are what people
type. What is shown of a text is one string; parts of it are named by where they stand in it.
"""

import re
from functools import cache

from msgspec import Struct

MAX_EMOJI_ALONE = 3
_FENCE = "```"
_CODE = re.compile("`([^`\n]+)`")
_BASE = "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u25aa-\u27bf\u2934-\u2935"
_BASE += "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
_PICTURE = f"(?:{_BASE}\ufe0f?[\U0001f3fb-\U0001f3ff]?)"
_FLAG = "(?:[\U0001f1e6-\U0001f1ff]{2})"
_ONE = f"(?:[\U0001f300-\U0001faff]\ufe0f?[\U0001f3fb-\U0001f3ff]?|{_BASE}\ufe0f)"


@cache
def _emoji() -> re.Pattern[str]:
    """One, with the space around it. Compiled with the first text that is not ASCII."""
    return re.compile(f"\\s*(?:{_FLAG}|{_PICTURE}(?:\u200d{_PICTURE})*)\\s*")


@cache
def _among_words() -> re.Pattern[str]:
    """Arrows and signs are letters there unless they ask to be pictures."""
    return re.compile(f"(?:{_FLAG}|{_ONE}(?:\u200d{_PICTURE})*)+")


class Block(Struct, frozen=True):
    """Lines that stand together. `codes`: (start, length) of short code in a paragraph."""

    text: str
    is_code: bool = False
    codes: tuple[tuple[int, int], ...] = ()


def blocks_of(text: str) -> list[Block]:
    """`text` as paragraphs and fenced code, without the fences. A fence that is never closed is
    text."""
    blocks: list[Block] = []
    lines = text.split("\n")
    plain: list[str] = []
    at = 0
    while at < len(lines):
        end = _closing(lines, at)
        if end is None:
            plain.append(lines[at])
            at += 1
            continue
        _add_plain(blocks, plain)
        plain = []
        blocks.append(Block("\n".join(lines[at + 1 : end]), is_code=True))
        at = end + 1
    _add_plain(blocks, plain)
    return blocks or [Block("")]


def _closing(lines: list[str], at: int) -> int | None:
    """The line that ends the code which begins at line `at`; None: none begins there."""
    opening = lines[at].strip()
    if not opening.startswith(_FENCE) or "`" in opening[len(_FENCE) :]:
        return None
    for end in range(at + 2, len(lines)):
        if lines[end].strip() == _FENCE:
            return end
    return None


def _add_plain(blocks: list[Block], lines: list[str]) -> None:
    if not lines:
        return
    source = "\n".join(lines)
    shown, codes, at = "", [], 0
    for match in _CODE.finditer(source):
        shown += source[at : match.start()]
        codes.append((len(shown), len(match.group(1))))
        shown += match.group(1)
        at = match.end()
    blocks.append(Block(shown + source[at:], codes=tuple(codes)))


def emoji_in(text: str) -> list[tuple[int, int]]:
    """(start, length) of the emoji among the words of a text."""
    if text.isascii():
        return []
    return [(match.start(), match.end() - match.start()) for match in _among_words().finditer(text)]


def is_emoji_alone(text: str) -> bool:
    """Whether a text is one to three emoji and nothing else."""
    if text.isascii():
        return False
    at = count = 0
    while at < len(text) and count <= MAX_EMOJI_ALONE:
        match = _emoji().match(text, at)
        if match is None:
            return False
        at, count = match.end(), count + 1
    return at == len(text) and 0 < count <= MAX_EMOJI_ALONE
