"""Where the bench says that a message's time went."""

import json
from pathlib import Path

import pytest

from benchmarks.message_path import STAGES, Notes, Timed, report, stages_of

PORT = 5001
MESSAGE = Timed("hello", 1.0, 1.045)


def written(path: Path, *notes: tuple[object, ...]) -> Notes:
    path.write_text("\n".join(map(json.dumps, notes)))
    return Notes(path)


@pytest.fixture
def engines(tmp_path: Path) -> tuple[Notes, Notes]:
    """Sender and receiver; each stage takes a millisecond longer than the one before it."""
    sender = written(
        tmp_path / "b",
        ("request", 1.001, 1.002),
        ("commit", 1.0015, 1.0025, 7, ["hello"], 1),
        ("committed", 1.003, 1.0035, 7),
        ("sent", 1.006, 1.0065),
    )
    receiver = written(
        tmp_path / "a",
        ("read", 1.0055, 1.0058, [9999]),
        ("read", 1.008, 1.010, [PORT, 9999]),
        ("handled", 1.011, 1.015, [PORT]),
        ("commit", 1.021, 1.028, 3, ["other", "hello"], 2),
        ("committed", 1.029, 1.0295, 3),
        ("published", 1.036, 1.037),
        ("collection", 1.03, 1.032, 2),
    )
    return sender, receiver


def test_each_stage_ends_where_the_next_begins(engines: tuple[Notes, Notes]) -> None:
    sender, receiver = engines
    stages = stages_of(MESSAGE, sender, PORT, receiver)
    assert stages == pytest.approx([n / 1000 for n in range(1, len(STAGES) + 1)])


def test_messages_without_notes_are_left_out(engines: tuple[Notes, Notes]) -> None:
    sender, receiver = engines
    lost = Timed("lost", 1.0, 1.1)
    lines = list(report("quiet", [MESSAGE, lost], sender, PORT, receiver))
    assert [line.split(":")[0] for line in lines] == [
        "  quiet, mean of all 1",
        "  quiet, longest collections of garbage",
    ]
    assert lines[0].startswith("  quiet, mean of all 1: 45.0 ms: to the sender 1.0, its store 2.0")
    assert lines[-1].endswith("0.0 and 2.0 ms")
