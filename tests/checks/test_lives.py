"""What counts as lost, doubled or out of order once front ends and runs were killed."""

from pathlib import Path

from soak.lives import due, problems
from soak.typist import Life, Numbers


def life(*numbers: int, clean: bool = True) -> Life:
    return Life([f"t-{number}" for number in numbers], clean)


def test_all_of_a_clean_life_is_due() -> None:
    assert due([life(1, 2)], set()) == {"t-1", "t-2"}


def test_of_a_life_that_was_cut_the_end_may_be_lost_but_nothing_before_what_was_durable() -> None:
    assert due([life(1, 2, 3, clean=False), life(4)], {"t-2"}) == {"t-1", "t-2", "t-4"}
    assert due([life(1, clean=False)], set()) == set()


def test_each_kind_of_fault_has_its_line() -> None:
    lives = [life(1, 2, 3), life(4, 5)]
    assert list(problems(lives, set(), ["t-1", "t-2", "t-3", "t-4", "t-5"])) == []
    assert list(problems(lives, set(), ["t-1", "t-3", "t-4", "t-5"])) == ["lost 1: ['t-2']"]
    assert list(problems(lives, set(), ["t-1", "t-2", "t-3", "t-4", "t-5", "t-5"])) == ["1 twice"]
    assert list(problems(lives, set(), ["t-2", "t-1", "t-3", "t-4", "t-5"])) == [
        "out of order: t-1"
    ]
    assert list(problems([life(1)], set(), ["t-1", "t-9"])) == ["nobody wrote ['t-9']"]


def test_two_lives_may_overtake_each_other() -> None:
    assert list(problems([life(1, 2), life(3)], set(), ["t-3", "t-1", "t-2"])) == []


def test_lives_are_noted_as_they_happen(tmp_path: Path) -> None:
    for texts, ends in ((2, True), (1, False)):
        numbers = Numbers(tmp_path, "t")
        numbers.begin()
        for _ in range(texts):
            numbers.take()
        if ends:
            numbers.end()
        numbers.close()
    assert Numbers(tmp_path, "t").lives() == [
        Life(["t-000001", "t-000002"], clean=True),
        Life(["t-000003"], clean=False),
    ]
