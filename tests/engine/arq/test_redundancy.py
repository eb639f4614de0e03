"""Early copies: how many, when, and when to stop."""

import pytest

from chatnet_engine.arq.line import KNOWN_PACKETS, LineEstimate
from chatnet_engine.arq.redundancy import (
    COPY_GAP_S,
    MAX_BURST_SENDS,
    MAX_GAP_S,
    MAX_RIDES,
    MAX_ROUNDS,
    MAX_SENDS,
    MAX_TRACKED,
    MIN_RTT_S,
    UNKNOWN,
    UNKNOWN_SENDS,
    CopyPlan,
    EarlyCopies,
    plan_for,
    sends_wanted,
)


@pytest.mark.parametrize(
    ("loss", "sends"),
    [(0.0, 1), (0.004, 1), (0.02, 2), (0.05, 2), (0.1, 3), (0.2, 4), (0.3, 5), (0.9, MAX_SENDS)],
)
def test_sends_follow_the_loss_rate(loss: float, sends: int) -> None:
    assert sends_wanted(loss) == sends


def line(*fates: tuple[bool, int], gap_s: float = 0.005) -> LineEstimate:
    """A line that was seen to lose (or not) so many packets, in turn."""
    estimate, at = LineEstimate(), 0.0
    for lost, count in fates:
        for _ in range(count):
            estimate.judge(at, lost)
            at += gap_s
    return estimate


def test_a_line_that_is_not_known_gets_two_copies_and_a_clean_one_none() -> None:
    assert plan_for(line((False, KNOWN_PACKETS - 1))) == UNKNOWN
    assert plan_for(line((False, KNOWN_PACKETS))).sends == 1
    assert plan_for(line((True, 8), (False, 8))).sends > UNKNOWN_SENDS


def test_on_random_loss_copies_are_close_and_ride_only_when_owed() -> None:
    plan = plan_for(line(*[(True, 1), (False, 4)] * 50))
    assert plan == CopyPlan(4, COPY_GAP_S, rides=False)


def test_on_bursts_copies_are_spread_over_them_and_ride() -> None:
    plan = plan_for(line(*[(True, 4), (False, 36)] * 50))
    assert plan.rides
    assert plan.sends == MAX_BURST_SENDS
    assert COPY_GAP_S < plan.gap_s <= MAX_GAP_S
    short = plan_for(line(*[(True, 2), (False, 18)] * 50))
    assert short.rides
    assert short.sends < MAX_BURST_SENDS


def lossy(*, bursty: bool = True) -> EarlyCopies:
    copies = EarlyCopies()
    copies.on_line(CopyPlan(2, COPY_GAP_S, rides=bursty), 0.05, 0.056)
    return copies


def test_a_clean_or_short_line_gets_none() -> None:
    copies = EarlyCopies()
    copies.on_sent([1], 1, 0.0)
    assert copies.due_at() == COPY_GAP_S, "nothing is known of the line"
    copies.on_line(CopyPlan(1, COPY_GAP_S), 0.05, 0.1)
    assert copies.due_at() is None
    copies.on_line(CopyPlan(5, COPY_GAP_S), 0.001, 0.01)
    assert copies.due_at() is None
    assert copies.riders(2, 9.0, every=False, spare=True) == []
    assert copies.riders(2, 9.0, every=True, spare=True) == [1]


def test_a_copy_is_due_after_the_gap_and_again_when_an_answer_is_late() -> None:
    copies = lossy()
    copies.on_sent([1], 1, 0.0)
    assert copies.due_at() == COPY_GAP_S
    assert copies.riders(2, 0.001, every=False, spare=True) == []
    assert copies.riders(2, COPY_GAP_S, every=False, spare=True) == [1]
    copies.on_ride(1, 2, COPY_GAP_S)
    assert copies.on_the_way(1, 1)
    assert not copies.on_the_way(1, 2)
    assert copies.due_at() == pytest.approx(0.056)
    assert copies.riders(3, 0.056, every=False, spare=True) == [1]
    copies.on_ride(1, 3, 0.056)
    assert copies.due_at() == pytest.approx(0.056 + COPY_GAP_S)


def test_rounds_end_and_with_them_the_copies() -> None:
    copies = lossy()
    copies.on_sent([1], 0, 0.0)
    sends = 0
    packet = 0
    now = copies.due_at()
    while now is not None:
        packet += 1
        for number in copies.riders(packet, now, every=False, spare=True):
            copies.on_ride(number, packet, now)
            sends += 1
        now = copies.due_at()
    assert sends == (MAX_ROUNDS + 1) * 2 - 1


def test_rides_in_packets_that_leave_anyway_are_bounded() -> None:
    copies = lossy()
    copies.on_line(CopyPlan(2, COPY_GAP_S, rides=True), 0.05, 1000.0)
    copies.on_sent([1], 0, 0.0)
    rides = 0
    for packet in range(1, 100):
        for number in copies.riders(packet, packet / 10, every=False, spare=True):
            copies.on_ride(number, packet, packet / 10)
            rides += 1
    assert rides == MAX_RIDES - 1


def test_where_room_is_wanted_only_what_is_owed_rides() -> None:
    copies = lossy()
    copies.on_sent([1], 0, 0.0)
    assert copies.riders(1, 0.01, every=False, spare=False) == [1]
    copies.on_ride(1, 1, 0.01)
    assert copies.riders(2, 0.02, every=False, spare=False) == []
    assert copies.riders(2, 0.02, every=False, spare=True) == [1]


def test_on_random_loss_what_is_owed_rides_early_and_no_more_than_that() -> None:
    copies = EarlyCopies()
    copies.on_line(CopyPlan(3, COPY_GAP_S), 0.05, 0.056)
    copies.on_sent([1], 0, 0.0)
    assert copies.riders(1, 0.0, every=False, spare=True) == []
    for packet in (1, 2):
        assert copies.riders(packet, 0.003 * packet, every=False, spare=True) == [1]
        copies.on_ride(1, packet, 0.003 * packet)
    assert copies.riders(3, 0.05, every=False, spare=True) == []


def test_those_sent_least_come_first() -> None:
    copies = lossy()
    copies.on_sent([1, 2], 1, 0.0)
    copies.on_ride(1, 2, 0.0)
    assert copies.riders(3, 0.01, every=False, spare=True) == [2, 1]
    assert copies.riders(2, 0.01, every=False, spare=True) == [2]


def test_arrived_messages_are_forgotten_and_the_book_is_bounded() -> None:
    copies = lossy()
    copies.on_sent(range(MAX_TRACKED + 10), 1, 0.0)
    assert len(copies.riders(2, 1.0, every=True, spare=True)) == MAX_TRACKED
    copies.forget(range(MAX_TRACKED + 10))
    copies.forget([5])
    assert copies.riders(2, 1.0, every=True, spare=True) == []
    assert copies.due_at() is None
    assert not copies.on_the_way(1, 0)


@pytest.mark.parametrize("bursty", [False, True])
def test_rounds_back_off_unless_a_burst_will_soon_be_over(bursty: bool) -> None:
    copies = lossy(bursty=bursty)
    copies.on_sent([1], 0, 0.0)
    began, waits, packet = 0.0, [], 0
    for _ in range(MAX_ROUNDS):
        while (due := copies.due_at()) is not None and due < began + 0.05:
            packet += 1
            copies.on_ride(1, packet, due)
        assert due is not None
        waits.append(due - began)
        began = due
        assert copies.riders(packet + 1, due, every=False, spare=False) == [1]
    growth = 1 if bursty else 2
    assert waits == [pytest.approx(0.056 * growth**turn) for turn in range(MAX_ROUNDS)]
    for _ in range(2 * MAX_RIDES):
        packet += 1
        if copies.riders(packet, began + 0.1, every=False, spare=True):
            copies.on_ride(1, packet, began)
    assert copies.riders(packet + 1, began + 99.0, every=False, spare=True) == []


def test_losses_and_probes_begin_three_rounds_with_copies_and_no_more() -> None:
    copies = EarlyCopies()
    copies.on_line(CopyPlan(2, COPY_GAP_S), 0.05, 0.056)
    for packet in range(MAX_ROUNDS):
        copies.on_sent([1], packet, float(packet))
        assert copies.due_at() == packet + COPY_GAP_S
    copies.on_sent([1], MAX_ROUNDS, 9.0)
    assert copies.due_at() is None
    assert copies.riders(9, 99.0, every=False, spare=True) == []


def test_copies_begin_with_a_path_of_ten_milliseconds() -> None:
    copies = EarlyCopies()
    copies.on_sent([1], 1, 0.0)
    copies.on_line(CopyPlan(5, COPY_GAP_S), MIN_RTT_S, 0.02)
    assert copies.due_at() == COPY_GAP_S
