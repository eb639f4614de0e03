"""R19 with real processes: a sample of the points at which an engine can die."""

from pathlib import Path

from realworld.crash_points import run

POINTS = 6


def test_r19_a_process_that_kills_itself_anywhere_loses_and_doubles_nothing(
    tmp_path: Path,
) -> None:
    counts, problems = run(tmp_path, 4, POINTS)
    assert problems == []
    assert counts["effect"] + counts["statement"] >= POINTS - 2, counts
