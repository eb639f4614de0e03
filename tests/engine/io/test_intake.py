"""A queue for each peer: fair, bounded, and a flood drops its own."""

import pytest

from chatnet_engine.io import intake as intake_module
from chatnet_engine.io.intake import MAX_QUEUED_OF_ONE, UNIT_BYTES, Intake
from chatnet_engine.io.udp import UdpCounters

ADDR = ("10.0.0.1", 1)


def of(owner: int, number: int) -> tuple[bytes, tuple[str, int]]:
    return bytes([owner, number % 256]), ADDR


@pytest.fixture
def counters() -> UdpCounters:
    return UdpCounters()


@pytest.fixture
def intake(counters: UdpCounters) -> Intake:
    return Intake(lambda data: data[0], counters)


def test_one_of_each_in_turn_and_each_in_order(intake: Intake) -> None:
    intake.add([of(1, 1), of(1, 2), of(1, 3), of(2, 1), of(0, 1), of(2, 2)])
    assert len(intake) == 6
    first = intake.take(4)
    assert first == [of(1, 1), of(2, 1), of(0, 1), of(1, 2)]
    assert intake.take(10) == [of(2, 2), of(1, 3)]
    assert len(intake) == 0
    assert intake.take(1) == []


def test_turns_go_on_where_the_last_ended(intake: Intake) -> None:
    intake.add([of(1, 1), of(1, 2), of(2, 1), of(2, 2)])
    assert intake.take(1) == [of(1, 1)]
    assert intake.take(2) == [of(2, 1), of(1, 2)]


def test_a_flood_drops_its_own(intake: Intake, counters: UdpCounters) -> None:
    intake.add([of(1, number) for number in range(MAX_QUEUED_OF_ONE + 7)])
    intake.add([of(2, 1)])
    assert counters.overrun == 7
    assert intake.take(2) == [of(1, 0), of(2, 1)]


def test_when_all_is_full_the_longest_queue_makes_room(
    intake: Intake, counters: UdpCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_QUEUED", 10)
    intake.add([of(1, number) for number in range(12)])
    assert (len(intake), counters.overrun) == (10, 2)
    intake.add([of(2, 1)])
    assert (len(intake), counters.overrun) == (10, 3)
    intake.add([of(2, number) for number in range(2, 20)])
    assert len(intake) == 10
    assert {data[0] for data, _ in intake.take(10)} == {1, 2}
    intake.add([of(3, 1)])
    assert intake.take(9) == [of(3, 1)]


def test_large_datagrams_count_for_what_they_take(intake: Intake, counters: UdpCounters) -> None:
    large = bytes([1]).ljust(45 * UNIT_BYTES), ADDR
    intake.add([large] * 100)
    assert len(intake) == MAX_QUEUED_OF_ONE // 45
    assert counters.overrun == 100 - len(intake)
    intake.take(100)
    intake.add([of(1, 1)] * (MAX_QUEUED_OF_ONE + 1))
    assert len(intake) == MAX_QUEUED_OF_ONE


def test_what_is_held_waits_aside_and_comes_last(intake: Intake) -> None:
    intake.add([of(1, 1), of(2, 1)])
    intake.hold([1], whole=True)
    intake.add([of(1, 2), of(2, 2)])
    assert (len(intake), intake.queue_count) == (4, 1)
    assert intake.take(9) == [of(2, 1), of(2, 2)]
    assert not intake.ready
    assert intake.take(9) == []
    intake.add([of(2, 3)])
    intake.release()
    assert intake.take(9) == [of(2, 3), of(1, 1), of(1, 2)]
    assert len(intake) == 0


def test_without_whole_only_what_comes_is_held(intake: Intake) -> None:
    intake.add([of(1, 1)])
    intake.hold([1, 2], whole=False)
    intake.add([of(1, 2), of(2, 1)])
    assert intake.take(9) == [of(1, 1), of(1, 2)]
    intake.release()
    assert intake.take(9) == [of(2, 1)]


def test_nobody_waits_after_a_release_without_datagrams(intake: Intake) -> None:
    intake.hold([1], whole=True)
    intake.release()
    assert not intake.ready
    intake.add([of(1, 1)])
    assert intake.take(9) == [of(1, 1)]


def test_to_hold_again_keeps_what_is_held(intake: Intake) -> None:
    intake.hold([1], whole=True)
    intake.add([of(1, 1)])
    intake.hold([1], whole=True)
    intake.release()
    assert intake.take(9) == [of(1, 1)]


def test_who_was_held_is_late_until_nothing_of_it_waits(intake: Intake) -> None:
    intake.hold([1, 2], whole=True)
    intake.add([of(1, 1), of(1, 2), of(3, 1)])
    intake.release()
    assert intake.late == {1}
    assert intake.take(2) == [of(3, 1), of(1, 1)]
    assert intake.late == {1}
    intake.take(1)
    assert intake.late == set()


def test_of_what_is_released_those_who_sent_least_come_first(intake: Intake) -> None:
    intake.hold([1, 2, 3], whole=True)
    intake.add([of(1, 1), of(1, 2), of(1, 3), of(2, 1), of(2, 2), of(3, 1)])
    intake.release()
    assert intake.take(3) == [of(3, 1), of(2, 1), of(1, 1)]


def test_a_held_flood_gives_way_to_others(
    intake: Intake, counters: UdpCounters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_QUEUED", 10)
    intake.hold([1], whole=True)
    intake.add([of(1, number) for number in range(12)] + [of(2, 1)])
    assert (len(intake), counters.overrun) == (10, 3)
    assert intake.take(9) == [of(2, 1)]


def test_it_counts_what_arrives_and_what_is_taken(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "MAX_QUEUED_OF_ONE", 2)
    intake.add([of(1, 1), of(1, 2), of(1, 3), of(2, 1)])
    assert intake.counts == {1: 3, 2: 1}, "what is lost was sent all the same"
    assert intake.sizes == {1: 6, 2: 2}
    assert intake.taken_bytes == 0
    intake.take(9)
    assert intake.taken_bytes == 6
