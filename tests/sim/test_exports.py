"""Exports of both sides against their databases and each other; and that the checker can tell."""

import re

import pytest

from checker.exports import Export, check_export, check_same, parse_export
from simulate.exports import check_exports, export_of, markdown_of
from simulate.world import World
from simworld.engine import SimEngine


@pytest.fixture
def world() -> World:
    world = World(3)
    world.begin()
    a, b = world.engines
    for number in range(5):
        a.clients[0].say(f"from a {number} \u2028 \x85")
        b.clients[0].say(f"from b {number}")
    a.crash()
    world.run(1.0)
    a.up()
    world.clock.run(world.clock.now_s + 60, world.at_rest)
    return world


def test_both_exports_equal_their_databases_and_each_other(world: World) -> None:
    assert check_exports(world, at_rest=True) == []
    assert len(export_of(world.engines[0]).messages) == 10


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM messages WHERE no = 3",
        "UPDATE messages SET body = x'41' WHERE no = 3",
        "UPDATE messages SET lamport = lamport + 100 WHERE no = 3",
        "UPDATE messages SET arrived_ms = 1 WHERE no = 3",
        "UPDATE messages SET failed = 'no' WHERE no = 3",
        "UPDATE messages SET source = 'elsewhere:1' WHERE no = 3",
        "DELETE FROM settled_runs",
    ],
)
def test_a_database_that_is_not_what_was_exported_is_told(world: World, change: str) -> None:
    engine = world.engines[0]
    export = export_of(engine)
    assert list(check_export(export, engine.connection)) == []
    engine.connection.execute(change)
    assert list(check_export(export, engine.connection)) != []


def test_exports_that_differ_are_told(world: World) -> None:
    def exports() -> list[Export]:
        return [export_of(engine) for engine in world.engines]

    ours, theirs = exports()
    del theirs.messages[4]
    assert list(check_same(ours, theirs, complete=True))
    ours, theirs = exports()
    theirs.messages[2:4] = reversed(theirs.messages[2:4])
    assert "the two exports have different orders" in list(check_same(ours, theirs, complete=True))
    ours, theirs = exports()
    theirs.messages[2]["text"] = "another"
    assert list(check_same(ours, theirs, complete=False))


def test_a_wrong_order_and_a_repetition_are_told(world: World) -> None:
    engine: SimEngine = world.engines[0]
    export = export_of(engine)
    export.messages.reverse()
    assert any("Lamport" in text for text in check_export(export, engine.connection))
    export = export_of(engine)
    export.messages.append(export.messages[-1])
    assert any("twice" in text for text in check_export(export, engine.connection))


def test_what_is_no_export_is_not_read() -> None:
    with pytest.raises((ValueError, AssertionError, KeyError)):
        parse_export("{}")


HOSTILE = [
    "# no heading",
    "two\n\nparagraphs",
    "> no quote\n**me** 10:00",
    "```\ncode\n```",
    "![x](http://x/) <b>&amp;</b> | a |",
    "1. no list\n- none\n---",
    "\\* not twice",
]


def test_markdown_says_the_same_in_the_same_order_whatever_was_written() -> None:
    world = World(4)
    world.begin()
    a, b = world.engines
    for text in HOSTILE:
        a.clients[0].say(text)
    world.clock.run(world.clock.now_s + 60, world.at_rest)
    for engine in (a, b):
        blocks: list[list[str]] = []
        for line in markdown_of(engine):
            if line.startswith("**"):
                blocks.append([])
                assert ("**me**" in line) == (engine is a)
            elif line.startswith("> "):
                blocks[-1].append(re.sub(r"\\(.)", r"\1", line[2:]))
            else:
                assert line == "" or line.startswith(("# ", "## ")), line
        said = ["\n".join(block) for block in blocks]
        assert said == [message["text"] for message in export_of(engine).messages]
        assert sorted(said) == sorted(HOSTILE)
