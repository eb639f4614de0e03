"""The lists of files in CONTRIBUTING.md name files that are there, and leave no owner out."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
PATH = re.compile(r"`([\w./-]+(?:\.py|\.md|\.json|/))`")


def files(what: str) -> list[str]:
    """What the page lists for adding one of these."""
    found = re.search(rf"<!-- files: {what} -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert found, what
    return PATH.findall(found[1])


@pytest.mark.parametrize("what", ["command", "event", "frame"])
def test_every_listed_file_is_there(what: str) -> None:
    subjects = ROOT / "engine/chatnet_engine/node"
    listed = files(what)
    assert len(listed) > 8
    missing = [
        name for name in listed if not any((base / name).exists() for base in (ROOT, subjects))
    ]
    assert missing == []


def test_every_owner_of_commands_is_in_the_list() -> None:
    """Modules of the node whose class has a table of commands."""
    node = ROOT / "engine/chatnet_engine/node"
    owners = {
        str(path.relative_to(node))
        for path in node.glob("*/*.py")
        if re.search(
            r"^ +(?:self\.commands\b|def commands\b)", path.read_text("utf-8"), re.MULTILINE
        )
    }
    listed = {name.removeprefix("engine/chatnet_engine/node/") for name in files("command")}
    assert owners
    assert owners - listed == set()


def test_the_example_lists_who_knows_of_it_and_no_more() -> None:
    """A text that answers a message: at most 25 files for a lasting effect on both sides."""
    listed = files("example")
    named = re.compile(r"\breply[_-]to\b")
    assert len(listed) == len(set(listed)) <= 25
    for name in listed:
        text = (ROOT / name).read_text("utf-8")
        assert named.search(text) or name == "CHANGELOG.md", name
    for folder in ("protocol/chatnet_protocol", "engine/chatnet_engine/ledger"):
        for path in (ROOT / folder).rglob("*.py"):
            if named.search(path.read_text("utf-8")):
                assert str(path.relative_to(ROOT)) in listed


def test_links_of_the_pages_lead_somewhere() -> None:
    for page in (ROOT / ".github").glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), (page.name, target)
