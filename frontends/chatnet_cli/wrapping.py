"""Lines broken between words, so that a terminal breaks none inside a word. Pure."""

from collections.abc import Callable

INDENT = "    "
"""Before what goes on below a line that was broken."""


def wrap(text: str, tail: str, width: int, measure: Callable[[str], int] = len) -> str:
    """`text` in lines of at most `width` columns, and behind it, in one piece, `tail`.

    `measure` gives the columns of a string. A word longer than a line, or a script without
    spaces, is left for the terminal to break.
    """
    lines = [_wrap_line(line, width, measure) for line in text.split("\n")]
    if tail:
        last, column = lines[-1]
        gap = "  " if column + 2 + measure(tail) <= width else f"\n{INDENT}"
        lines[-1] = (f"{last}{gap}{tail}", 0)
    return "\n".join(line for line, _ in lines)


def _wrap_line(line: str, width: int, measure: Callable[[str], int]) -> tuple[str, int]:
    """The line with its breaks, and the column where it ends."""
    words = line.split(" ")
    made = words[0]
    column = _end_of(measure(made), width)
    for word in words[1:]:
        size = measure(word)
        if column + 1 + size > width >= len(INDENT) + size and word:
            made += f"\n{INDENT}{word}"
            column = len(INDENT) + size
        else:
            made += f" {word}"
            column = _end_of(column + 1 + size, width)
    return made, column


def _end_of(column: int, width: int) -> int:
    """Where the cursor stands after a terminal has broken what was too long."""
    return column if column <= width else (column - 1) % width + 1
