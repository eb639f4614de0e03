"""A few rounds of `scripts/soak`: engines and front ends killed while text and files flow."""

from pathlib import Path

import pytest

from soak.__main__ import run


@pytest.mark.parametrize("seed", [3])
def test_kills_at_random_moments_break_no_promise(tmp_path: Path, seed: int) -> None:
    problems: list[str] = []
    said = list(run(tmp_path, seed, 4, problems))
    assert problems == [], said
