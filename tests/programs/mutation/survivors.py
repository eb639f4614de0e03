"""The mutants that may live: those of a rule, and those named in survivors/PACKAGE.txt.

In the file a reason is a line that starts with `#` and holds for the entries below it up to the
next one. An entry is three lines, as scripts/mutate prints it: function, `- ` before, `+ ` after.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from mutation.workplace import ROOT, Change

ENGINE = ROOT / "engine/chatnet_engine"
FOLDER = Path(__file__).parent / "survivors"


def _replaced(pattern: str, by: str) -> Callable[[Change], bool]:
    """Whether one match of the pattern, replaced, makes the line after of the line before."""

    def holds(change: Change) -> bool:
        return any(
            f"{change.before[: found.start()]}{by}{change.before[found.end() :]}" == change.after
            for found in re.finditer(pattern, change.before)
        )

    return holds


def _other_capitals(change: Change) -> bool:
    """The name of an algorithm or of a number, in other letters."""
    names = re.compile(r'"(sha256|inf)"', re.IGNORECASE)
    plain = [
        names.sub(lambda found: found[0].lower(), line) for line in (change.before, change.after)
    ]
    return plain[0] == plain[1] and change.before != change.after


AT_IMPORT = frozenset({"ledger.batches._own_sql", "ledger.batches._arrived_sql"})
"""Functions that are only called while their module is read."""

RULES: dict[str, Callable[[Change], bool]] = {
    "Called before a mutant is chosen; changed in the file, tests notice it.": lambda change: (
        change.function in AT_IMPORT
    ),
    "None is as false as False.": _replaced(r"\bFalse\b", "None"),
    "The same value in other letters.": _other_capitals,
    "Sequences of one length: strict= raises for a bug elsewhere only.": lambda change: any(
        _replaced(pattern, by)(change)
        for pattern, by in (
            (r"strict=True", "strict=False"),
            (r"strict=True", "strict=None"),
            (r"strict=True", ""),
        )
    ),
}
"""Reasons that hold wherever a change has this form; such mutants need no entry."""


def reason_of(change: Change, named: dict[Change, str]) -> str:
    """Why it may live; empty when nobody says so."""
    for reason, holds in RULES.items():
        if holds(change):
            return reason
    return named.get(change, "")


def functions(package: str) -> dict[str, str]:
    """The source of each function of a package as it is now, without white space."""
    found: defaultdict[str, str] = defaultdict(str)  # a property and its setter have one name
    for path in sorted((ENGINE / package).rglob("*.py")):
        module = ".".join(path.relative_to(ENGINE).with_suffix("").parts)
        text = path.read_text()
        _collect(ast.parse(text), f"{module}.", text.splitlines(), found)
    return found


def _collect(node: ast.AST, prefix: str, lines: list[str], found: dict[str, str]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            source = "".join(lines[child.lineno - 1 : child.end_lineno])
            found[prefix + child.name] += _squeezed(source)
        elif isinstance(child, ast.ClassDef):
            _collect(child, f"{prefix}{child.name}.", lines, found)


def gone(package: str) -> list[Change]:
    """Named survivors whose function or line is not there any more."""
    now = functions(package)
    return [
        change
        for change in load(package)
        if _squeezed(change.before) not in now.get(change.function, "")
    ]


def _squeezed(source: str) -> str:
    return "".join(source.split())


def load(package: str) -> dict[Change, str]:
    """Each named survivor of a package and its reason."""
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
