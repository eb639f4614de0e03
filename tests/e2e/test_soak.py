"""A few rounds of `scripts/soak`: engines and front ends killed while text and files flow."""

from pathlib import Path

import pytest

from soak.__main__ import run
from soak.kills import Kind, run_kills


@pytest.mark.parametrize("seed", [3])
def test_kills_at_random_moments_break_no_promise(tmp_path: Path, seed: int) -> None:
    problems: list[str] = []
    said = list(run(tmp_path, seed, 4, problems))
    assert problems == [], said


def test_files_survive_kills_of_either_side(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.write_text("kill 1 held\n")
    lines = list(run_kills(tmp_path, 1, 3, Kind(20, 6000), results))
    assert lines == ["kill 2 held", "kill 3 held"]
    assert len(results.read_text().splitlines()) == 3
