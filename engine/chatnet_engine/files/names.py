"""Safe names: what a peer calls a file, turned into what may be created here.

Nothing a peer says can leave the folder, hide, look like an option or a home, mean a device on
another system, or reach a terminal raw. Names are made safe for Windows too, because folders get
synchronised. Owns no files: whether a name is free is seen where it is used.
"""

import unicodedata

from chatnet_protocol.limits import MAX_NAME_BYTES

FALLBACK = "file"
MAX_EXTENSION_BYTES = 20
"""A longer ending after the last dot is no extension, and may be cut."""

_REPLACED_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_REPLACED = frozenset('<>:"|?*/\\')
_DIGITS = "0123456789¹²³"
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CLOCK$", "CONIN$", "CONOUT$"}
    | {f"{port}{digit}" for port in ("COM", "LPT") for digit in _DIGITS}
)


def safe_name(raw: str) -> str:
    """One file name for `raw`: its last component, at most MAX_NAME_BYTES, never empty."""
    return _clean(raw) or FALLBACK


def safe_path(components: list[str]) -> list[str]:
    """Relative path for an offered one; folders of which nothing is left are dropped."""
    folders = [clean for part in components[:-1] if (clean := _clean(part))]
    return [*folders, safe_name(components[-1] if components else "")]


def numbered(name: str, number: int) -> str:
    """`photo.jpg`, 2 → `photo (2).jpg`; 0 leaves the name as it is."""
    if number == 0:
        return name
    stem, extension = _split(name)
    return f"{stem} ({number}){extension}"


def shown(raw: str) -> str:
    """A raw name for logs and sentences: one line, no control or direction characters."""
    return "".join(
        "_" if unicodedata.category(char) in _REPLACED_CATEGORIES else char for char in raw
    )


def _clean(raw: str) -> str:
    last = raw.replace("\\", "/").rsplit("/", 1)[-1]
    name = _replace(unicodedata.normalize("NFC", _replace(last)))
    name = _cut(_trim(name))
    stem = name.split(".", 1)[0].rstrip(" ")
    if stem.upper() in _DEVICES:
        name = _cut("_" + name)
    return name


def _replace(text: str) -> str:
    return "".join(_replacement(char) for char in text)


def _replacement(char: str) -> str:
    category = unicodedata.category(char)
    if char in _REPLACED or category in _REPLACED_CATEGORIES:
        return "_"
    return " " if category == "Zs" else char


def _trim(name: str) -> str:
    return name.lstrip(" .-~").rstrip(" .")


def _cut(name: str) -> str:
    if len(name.encode()) <= MAX_NAME_BYTES:
        return name
    stem, extension = _split(name)
    room = MAX_NAME_BYTES - len(extension.encode())
    kept = stem.encode()[:room].decode("utf-8", "ignore")
    return _trim(kept + extension)


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) >= MAX_EXTENSION_BYTES:
        return name, ""
    return stem, dot + extension
