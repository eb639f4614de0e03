"""R19: a sample of the crash points that `scripts/sim --crash-points` visits one by one."""

import pytest

from simulate.crash_points import ARMS, Arm, run_point


@pytest.mark.parametrize("number", range(3, 76, 9))
@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.__name__)
@pytest.mark.parametrize("which", [0, 1], ids=["a", "b"])
def test_r19_an_engine_that_dies_anywhere_loses_and_doubles_nothing(
    which: int, arm: Arm, number: int
) -> None:
    died, problems = run_point(which, arm, number)
    assert died
    assert problems == []


@pytest.mark.parametrize("number", [1, 3, 5, 7, 9, 11])
@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: arm.__name__)
@pytest.mark.parametrize("which", [0, 1], ids=["asks", "gives"])
def test_r19_a_conversation_comes_back_whoever_dies_over_it(
    which: int, arm: Arm, number: int
) -> None:
    died, problems = run_point(which, arm, number, restoring=True)
    assert died
    assert problems == []
