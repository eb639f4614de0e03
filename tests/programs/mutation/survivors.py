"""The mutants that may live, each with its reason: survivors/PACKAGE.txt.

A reason is a line that starts with `#` and holds for the entries below it up to the next one. An
entry is three lines, as scripts/mutate prints it: function, `- ` before, `+ ` after.
"""

from pathlib import Path

from mutation.workplace import Change

FOLDER = Path(__file__).parent / "survivors"


def load(package: str) -> dict[Change, str]:
    """Each known survivor of a package and its reason."""
    path = FOLDER / f"{package}.txt"
    found: dict[Change, str] = {}
    reason = ""
    lines = iter(path.read_text().splitlines() if path.exists() else ())
    for line in lines:
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line:
            before, after = next(lines, ""), next(lines, "")
            if not (reason and before.startswith("- ") and after.startswith("+ ")):
                raise ValueError(f"{path}: {line}: no entry, or no reason above it")
            found[Change(line, before[2:], after[2:])] = reason
    return found
