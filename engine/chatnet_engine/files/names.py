"""Safe names: what a peer calls a file, turned into what may be created here.

The name of an offered thing lies among a person's own files: it cannot leave the folder, hide, look
like an option or a home, mean a device on another system, or reach a terminal raw. Names inside a
received folder are kept as far as they are harmless, since what is in it refers to them. Owns no
files: whether a name is free is seen where it is used.
"""

import re
import unicodedata

from chatnet_protocol.limits import (
    MAX_INNER_NAME_BYTES,
    MAX_NAME_BYTES,
    MAX_SHOWN_PATH_BYTES,
)

FALLBACK = "file"
MAX_EXTENSION_BYTES = 20
"""A longer ending after the last dot is no extension, and may be cut."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_REPLACED_CATEGORIES = _INVISIBLE | {"Co", "Cn"}
_REPLACED = frozenset('<>:"|?*/\\')
_DIGITS = "0123456789¹²³"
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"}
    | {f"{port}{digit}" for port in ("COM", "LPT") for digit in _DIGITS}
)
_JOINERS = frozenset("\u200c\u200d")
_JOINED = frozenset({"Lo", "Mn", "Mc", "So", "Sk"})
"""Letters of scripts that join, their marks, and emoji."""
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,16}\U000e007f")
"""An emoji flag of a region: a black flag and tag characters (Unicode TS #51, annex C)."""
_MAX_SHOWN_HALF = MAX_SHOWN_PATH_BYTES // 2 - 2


def safe_name(raw: str) -> str:
    """The name of an offered thing: its last component, at most MAX_NAME_BYTES, never empty."""
    name = _cut(_trim(_replace(raw.replace("\\", "/").rsplit("/", 1)[-1])), MAX_NAME_BYTES)
    if _is_device(name):
        name = _cut("_" + name, MAX_NAME_BYTES)
    return _trim(name) or FALLBACK


def inner_name(raw: str, *, strict: bool = False) -> str:
    """A name inside a received folder, at most MAX_INNER_NAME_BYTES, never empty.

    `strict`: the disk takes no name that Windows would not take.
    """
    name = _cut(_harmless(raw, _INVISIBLE).replace("/", "_"), MAX_INNER_NAME_BYTES)
    if strict:
        name = "".join("_" if char in _REPLACED else char for char in name)
        name = _cut(f"_{name}" if _is_device(name) else name, MAX_INNER_NAME_BYTES)
        kept = name.rstrip(" .")
        name = kept + "_" * (len(name) - len(kept))
    if not name.strip("."):
        name = "_" * max(1, len(name))
    return name


def numbered(name: str, number: int) -> str:
    """`photo.jpg`, 2 → `photo (2).jpg`; 0 leaves the name as it is."""
    if number == 0:
        return name
    stem, extension = _split(name)
    return _add(stem, f" ({number}){extension}")


def numbered_folder(name: str, number: int) -> str:
    """`notes.old`, 2 → `notes.old (2)`; 0 leaves the name as it is."""
    return name if number == 0 else _add(name, f" ({number})")


def until_name(name: str, date: str) -> str:
    """`notes`, 2026-11-30 → `notes (until 2026-11-30)`."""
    return _add(name, f" (until {date})")


def shown(raw: str) -> str:
    """A raw name for logs and sentences: one line, no control or direction characters."""
    return _harmless(raw, _REPLACED_CATEGORIES)


def shown_path(components: list[str]) -> str:
    """A path that is only shown: one line, at most MAX_SHOWN_PATH_BYTES; a long one is cut in the
    middle."""
    path = shown("/".join(components))
    data = path.encode()
    if len(data) <= MAX_SHOWN_PATH_BYTES:
        return path
    start, end = data[:_MAX_SHOWN_HALF], data[-_MAX_SHOWN_HALF:]
    return f"{start.decode('utf-8', 'ignore')}…{end.decode('utf-8', 'ignore')}"


def _harmless(text: str, replaced: frozenset[str]) -> str:
    """Every character of these categories becomes `_`; joiners and tags stay where they belong."""
    out: list[str] = []
    at = 0
    while at < len(text):
        char = text[at]
        if flag := _FLAG.match(text, at):
            out.append(flag[0])
            at = flag.end()
            continue
        category = unicodedata.category(char)
        joins = char in _JOINERS and _joins(text[at - 1 : at]) and _joins(text[at + 1 : at + 2])
        out.append("_" if category in replaced and not joins else char)
        at += 1
    return "".join(out)


def _joins(char: str) -> bool:
    return bool(char) and unicodedata.category(char) in _JOINED


def _replace(text: str) -> str:
    return "".join(
        "_" if char in _REPLACED else char for char in _harmless(text, _REPLACED_CATEGORIES)
    )


def _is_device(name: str) -> bool:
    return name.split(".", 1)[0].rstrip(" ").upper() in _DEVICES


def _trim(name: str) -> str:
    start, end = 0, len(name)
    while start < end and (name[start] in ".-~" or unicodedata.category(name[start]) == "Zs"):
        start += 1
    while end > start and (name[end - 1] == "." or unicodedata.category(name[end - 1]) == "Zs"):
        end -= 1
    return name[start:end]


def _cut(name: str, limit: int) -> str:
    if len(name.encode()) <= limit:
        return name
    stem, extension = _split(name)
    left = limit - len(extension.encode())
    kept = stem.encode()[:left].decode("utf-8", "ignore")
    return _trim(kept + extension) if limit == MAX_NAME_BYTES else kept + extension


def _add(stem: str, ending: str) -> str:
    left = MAX_INNER_NAME_BYTES - len(ending.encode())
    return stem.encode()[:left].decode("utf-8", "ignore") + ending


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) >= MAX_EXTENSION_BYTES:
        return name, ""
    return stem, dot + extension
