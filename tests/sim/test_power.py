"""Power fails at every step of what is done with files, and nothing that was promised is gone."""

import pytest

from simulate import power
from simulate.spoiled import taken_in_silence

CUTS = {"first start": 30, "pin": 10, "receive": 30, "backup": 15, "restore": 20}
"""Different states that are left, at least."""


@pytest.mark.parametrize("story", CUTS)
def test_what_is_left_after_any_cut_keeps_the_promises(story: str) -> None:
    judged, problems = power.cut_everywhere(story, enough=3)
    assert problems == []
    assert judged >= CUTS[story]


def test_spoiled_state_files_are_never_taken_in_silence() -> None:
    assert taken_in_silence() == []
