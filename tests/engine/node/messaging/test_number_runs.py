"""Wire numbers found by stored ones, and when a watermark passed what."""

from chatnet_engine.node.messaging.number_runs import (
    MAX_MOVES,
    MAX_RUNS,
    OWN,
    NumberRuns,
    Watermark,
)


def test_runs_that_follow_each_other_are_one() -> None:
    runs = NumberRuns()
    for number in range(1, 3 * MAX_RUNS):
        runs.add(OWN, number, number + 100, 1)
    assert runs.find(101) == (OWN, 1)
    assert runs.find(100) is None
    assert runs.find(3 * MAX_RUNS + 100) is None


def test_a_gap_and_another_space_begin_new_runs() -> None:
    runs = NumberRuns()
    runs.add(OWN, 1, 1, 5)
    runs.add(OWN, 6, 8, 2)
    runs.add(77, 8, 10, 1)
    assert [runs.find(n) for n in (5, 6, 7, 8, 9, 10)] == [
        (OWN, 5), None, None, (OWN, 6), (OWN, 7), (77, 8),
    ]  # fmt: skip


def test_the_oldest_runs_are_forgotten() -> None:
    runs = NumberRuns()
    for number in range(MAX_RUNS + 1):
        runs.add(OWN, number + 1, 10 * number, 1)
    assert runs.find(0) is None
    assert runs.find(10) == (OWN, 2)


def test_a_watermark_knows_when_it_passed_and_not_what_was_before() -> None:
    mark = Watermark(5)
    mark.move(5, 1.0)
    mark.move(8, 2.0)
    mark.move(7, 3.0)
    mark.move(9, 4.0)
    assert [mark.reached(n) for n in (0, 5, 6, 8, 9, 10)] == [None, None, 2.0, 2.0, 4.0, None]


def test_the_oldest_moves_are_forgotten() -> None:
    mark = Watermark(0)
    for number in range(1, MAX_MOVES + 2):
        mark.move(number, float(number))
    assert mark.reached(1) is None
    assert mark.reached(2) == 2.0
