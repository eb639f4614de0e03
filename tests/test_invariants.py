"""Every place where engine or protocol say that something cannot be, with why nothing can reach it.

A new `assert`, AssertionError or LocalProtocolError needs a line here: no frame, control message,
command, file or clock may lead there. What one could is refused, closes its peer, or fails its
command instead.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("engine/chatnet_engine", "protocol/chatnet_protocol")
RAISED = ("AssertionError", "LocalProtocolError")

REVIEWED = ROOT / "tests" / "invariants.txt"
"""One line each: how many, `file function`, and why nothing reaches it."""


def places(path: Path) -> Iterator[str]:
    """`file function` of each statement of that kind."""
    name = str(path.relative_to(ROOT)).split("/", 2)[2]

    def walk(node: ast.AST, function: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            inside = function
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                inside = f"{function}.{child.name}".lstrip(".")
            elif isinstance(child, ast.Assert):
                yield f"{name} {function}"
            elif isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
                called = child.exc.func
                if isinstance(called, ast.Name) and called.id in RAISED:
                    yield f"{name} {function}"
            yield from walk(child, inside)

    yield from walk(ast.parse(path.read_text()), "")


def collected() -> Counter[str]:
    return Counter(
        place
        for folder in FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        for place in places(path)
    )


def reviewed() -> Iterator[tuple[str, int, str]]:
    for line in REVIEWED.read_text().splitlines():
        place, _, reason = line.partition(": ")
        count, _, name = place.partition(" ")
        yield name, int(count), reason


def test_every_invariant_is_reviewed() -> None:
    listed = list(reviewed())
    assert collected() == {name: count for name, count, _ in listed}
    assert all(reason for _, _, reason in listed)


def test_each_kind_is_seen() -> None:
    kinds = {
        "node/front_ends/backups.py Backups.handle_copied",
        "node/messaging/conversation.py Conversation._queued",
        "arq/connection.py Connection.queue",
    }
    assert kinds <= set(collected())
