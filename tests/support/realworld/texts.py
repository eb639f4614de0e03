"""Real text for tests: the licence files of installed packages, non-ASCII ones among them."""

import sysconfig
from pathlib import Path

NAMES = ("LICENSE", "LICENCE", "COPYING", "NOTICE", "AUTHORS", "METADATA")


def real_lines(count: int, part: int = 0) -> list[str]:
    """`count` different lines, the non-ASCII ones first; parts 0 and 1 have none in common."""
    found: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_paths()["purelib"]).glob("*.dist-info/**/*")):
        if path.is_file() and path.name.upper().startswith(NAMES):
            text = path.read_text(encoding="utf-8", errors="replace")
            found.update(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))
    lines = sorted(found, key=lambda line: (line.isascii(), hash_of(line)))[part::2]
    assert len(lines) >= count, f"only {len(lines)} lines of real text are installed"
    return lines[:count]


def hash_of(line: str) -> int:
    """An order that has nothing to do with where a line came from, and is always the same."""
    return sum((index + 1) * byte for index, byte in enumerate(line.encode())) % 65521
