"""Loss recovery by itself: thresholds, timers, spurious losses, persistent congestion."""

import pytest

from chatnet_engine.arq.loss import CALM_ROUNDS, MAX_LOST_KEPT
from loss_bench import CONFIG, LossBench, lost_first


def test_three_later_packets_declare_a_loss() -> None:
    bench = LossBench()
    for number in range(4):
        bench.send(number, 0.0)
    bench.ack(0.1, (1, 2))
    assert bench.fates.lost == []
    bench.ack(0.1, (1, 3))
    assert bench.fates.lost == [0]
    assert bench.fates.acked == [1, 2, 3]
    assert bench.loss.in_flight_bytes == 0
    assert not bench.loss.waiting
    assert bench.loss.next_timeout() is None


def test_an_eighth_of_a_round_trip_later_time_declares_it() -> None:
    bench = LossBench()
    bench.send(0, 0.0)
    bench.send(1, 0.01)
    bench.ack(0.11, (1, 1))
    deadline = bench.loss.next_timeout()
    assert deadline == pytest.approx(0.1 * 9 / 8)
    assert not bench.loss.on_timeout(0.111)
    assert bench.fates.lost == []
    assert deadline is not None
    assert not bench.loss.on_timeout(deadline)
    assert bench.fates.lost == [0]


def test_an_ack_of_unknown_packets_changes_little() -> None:
    bench = LossBench()
    bench.ack(0.1, (0, 5))
    bench.send(6, 0.2)
    bench.ack(0.3, (0, 2))
    assert bench.loss.waiting
    assert bench.fates.acked == []


def test_wide_ranges_cost_no_more_than_what_is_on_the_way() -> None:
    bench = LossBench()
    bench.send(0, 0.0)
    bench.send(2**40, 0.0)
    bench.ack(0.1, (0, 2**40))
    assert bench.fates.acked == [0, 2**40]


def test_only_the_largest_newly_acknowledged_gives_a_sample() -> None:
    bench = LossBench(rtt_s=None)
    for number in range(3):
        bench.send(number, 2.0)
    bench.ack(2.1, (2, 2))
    assert bench.rtt.samples == 1
    assert bench.rtt.latest_s == pytest.approx(0.1)
    bench.ack(2.11, (1, 2))
    assert bench.fates.acked == [2, 1]
    assert bench.rtt.samples == 1
    assert bench.window.samples == [pytest.approx(0.1)]


def test_probes_back_off_to_the_cap_and_an_answer_resets_them() -> None:
    bench = LossBench()
    bench.send(0, 0.0)
    now, gaps = 0.0, []
    for _ in range(8):
        at = bench.loss.next_timeout()
        assert at is not None
        assert not bench.loss.on_timeout(at - 0.001)
        gaps.append(at - now)
        now = at
        assert bench.loss.on_timeout(now)
    assert gaps[0] == pytest.approx(0.106)
    assert gaps[1] == pytest.approx(0.212)
    assert gaps[-3:] == [pytest.approx(CONFIG.max_pto_s)] * 3
    assert bench.loss.pto_count == 8
    bench.ack(now, (0, 0))
    assert bench.loss.pto_count == 0
    assert not bench.loss.on_timeout(now + 100)


def test_on_a_lossy_line_the_first_probes_do_not_back_off() -> None:
    bench = LossBench()
    bench.loss.line.loss_rate = 0.3
    bench.send(0, 0.0)
    now, gaps = 0.0, []
    for _ in range(6):
        at = bench.loss.next_timeout()
        assert at is not None
        gaps.append(at - now)
        now = at
        bench.loss.on_timeout(now)
    assert gaps == [pytest.approx(0.106)] * 5 + [pytest.approx(0.212)]


def test_a_late_ack_of_a_lost_packet_takes_the_loss_back_and_teaches_patience() -> None:
    bench = lost_first()
    bench.ack(0.11, (0, 4))
    assert bench.fates.acked == [1, 2, 3, 4, 0]
    assert bench.window.told[-1] == "spurious"
    assert bench.loss.counters.packets_spurious == 1
    for number in range(5, 10):
        bench.send(number, 0.2)
    bench.ack(0.3, (6, 9))
    assert bench.fates.lost == [0]


def test_each_loss_taken_back_adds_a_quarter_of_a_round_trip_of_patience() -> None:
    bench = lost_first()
    bench.ack(0.11, (0, 4))
    bench.send(5, 1.0)
    bench.send(6, 1.0)
    bench.ack(1.1, (6, 6))
    assert bench.loss.next_timeout() == pytest.approx(1.0 + 0.1 * (9 / 8 + 1 / 4))


def test_patience_fades_when_losses_are_real() -> None:
    bench = lost_first()
    bench.ack(0.11, (0, 4))
    first, now, rounds = 5, 1.0, 0
    while rounds < 2 * CALM_ROUNDS:
        for number in range(first, first + 8):
            bench.send(number, now)
        bench.ack(now + 0.1, (first + 1, first + 7))
        first, now, rounds = first + 8, now + 1, rounds + 1
    for number in range(first, first + 4):
        bench.send(number, now)
    before = len(bench.fates.lost)
    bench.ack(now + 0.1, (first + 1, first + 3))
    assert len(bench.fates.lost) == before + 1


def test_a_partly_spurious_loss_is_not_undone() -> None:
    bench = LossBench()
    for number in range(6):
        bench.send(number, 0.0)
    bench.ack(0.1, (2, 5))
    assert bench.fates.lost == [0, 1]
    bench.ack(0.11, (1, 5))
    assert "spurious" not in bench.window.told
    bench.ack(0.12, (0, 5))
    assert bench.window.told[-1] == "spurious"


def test_given_up_packets_are_forgotten_in_time_and_number() -> None:
    bench = lost_first()
    bench.ack(60.0, (0, 4))
    assert bench.loss.counters.packets_spurious == 0
    for number in range(10, 10 + MAX_LOST_KEPT + 20):
        bench.send(number, 61.0)
    bench.send(10**6, 61.0)
    bench.ack(61.1, (10**6, 10**6))
    assert len(bench.fates.lost) == 1 + MAX_LOST_KEPT + 20
    bench.ack(61.2, (10**6, 10**6), (10, 29))
    assert bench.loss.counters.packets_spurious == 0
    bench.ack(61.2, (10**6, 10**6), (10, 30))
    assert bench.loss.counters.packets_spurious == 1


def test_losing_everything_for_long_is_persistent_congestion() -> None:
    bench = LossBench()
    for number in range(10):
        bench.send(number, 0.1 * number)
    bench.send(10, 5.0)
    bench.ack(5.1, (10, 10))
    assert bench.window.told[-1] == "persistent"
    bench = LossBench()
    for number in range(10):
        bench.send(number, 0.01 * number)
    bench.send(10, 5.0)
    bench.ack(5.1, (10, 10))
    assert bench.window.told[-1] == "lost"


def test_two_lost_packets_far_apart_are_enough_for_persistent_congestion() -> None:
    bench = LossBench()
    bench.send(0, 0.0)
    bench.send(1, 4.0)
    bench.send(2, 5.0)
    bench.ack(5.1, (2, 2))
    assert bench.window.told[-1] == "persistent"


def test_the_loss_rate_follows_what_happens() -> None:
    bench = LossBench()
    number = 0
    for _ in range(400):
        for _ in range(10):
            bench.send(number, 0.0)
            number += 1
        bench.ack(0.0, (number - 9, number - 1))
    assert bench.loss.line.loss_rate == pytest.approx(0.1, abs=0.02)
    assert list(bench.loss.oldest()) == []


def test_what_left_before_anybody_answered_says_nothing_about_the_line() -> None:
    bench = LossBench()
    for number in range(3):
        bench.send(number, 0.0)
    for number in range(3, 10):
        bench.send(number, 1.0)
    bench.ack(1.1, (3, 9))
    assert bench.fates.lost == [0, 1, 2], "its content is sent again all the same"
    assert bench.loss.line.loss_rate == 0.0
    bench.send(10, 2.0)
    for number in range(11, 15):
        bench.send(number, 2.0)
    bench.ack(2.1, (11, 14))
    assert bench.loss.line.loss_rate > 0.0


def test_a_span_of_losses_ends_at_the_first_packet_that_got_through() -> None:
    """Lost packets around a delivered one are no outage, however far they are apart."""
    bench = LossBench()
    for number, at in enumerate((0.0, 0.01, 0.02, 5.0, 5.01, 5.02, 5.03, 5.04)):
        bench.send(number, at)
    bench.ack(0.05, (2, 2))
    bench.ack(5.2, (7, 7), (2, 2))
    assert set(bench.fates.lost) >= {0, 1, 3, 4}
    assert "persistent" not in bench.window.told


def calmed(rounds: int) -> tuple[int, float]:
    """Both thresholds after so many losses, each in an episode of its own, without reordering."""
    bench = LossBench()
    bench.loss._packet_threshold, bench.loss._time_threshold = 45, 2.0
    for turn in range(rounds):
        first, at = 100 * turn, 10.0 * turn
        bench.send(first, at)
        for number in range(first + 1, first + 50):
            bench.send(number, at + 1.0)
        bench.ack(at + 1.1, (first + 1, first + 49))
    return bench.loss._packet_threshold, bench.loss._time_threshold


def test_patience_learned_from_reordering_is_halved_after_sixteen_calm_losses() -> None:
    assert calmed(CALM_ROUNDS - 1) == (45, 2.0)
    assert calmed(CALM_ROUNDS) == calmed(2 * CALM_ROUNDS - 1) == (22, 1.75)
    assert calmed(2 * CALM_ROUNDS) == (11, 1.5)
    assert calmed(8 * CALM_ROUNDS) == (CONFIG.packet_threshold, CONFIG.time_threshold)
