"""Loss recovery: what a late ACK teaches, how late it may be, where an outage begins and ends."""

import pytest

from chatnet_engine.arq.acks import RECEIPT_ACK_DELAY_S
from chatnet_engine.arq.line import LONG_GAIN
from chatnet_engine.arq.loss import CALM_ROUNDS
from chatnet_engine.arq.packets import SentPacket
from loss_bench import LossBench, lost_first


def test_a_loss_taken_back_lowers_the_rate_by_the_weight_of_one_packet() -> None:
    bench = lost_first()
    before = bench.loss.line.loss_rate
    bench.ack(0.11, (0, 4))
    assert bench.loss.line.loss_rate == pytest.approx(before - LONG_GAIN)


def test_the_line_is_judged_in_the_order_in_which_packets_left() -> None:
    bench = LossBench()
    judged: list[tuple[float, bool]] = []
    bench.loss.line.judge_all = judged.extend  # type: ignore[assignment, method-assign]
    for number in range(7):
        bench.send(number, number / 1000)
    bench.ack(0.1, (0, 0))
    bench.ack(0.1, (2, 3), (0, 0))
    assert judged == [(0.0, False)], "what became of the second is not known"
    bench.ack(0.101, (5, 5), (2, 3))
    assert judged[1:] == [(0.001, True), (0.002, False), (0.003, False)]
    bench.ack(0.102, (4, 6))
    assert judged[4:] == [(0.004, False), (0.005, False), (0.006, False)]


def test_every_loss_taken_back_is_counted() -> None:
    bench = LossBench()
    for number in range(6):
        bench.send(number, 0.0)
    bench.ack(0.1, (2, 5))
    bench.ack(0.11, (0, 5))
    assert bench.loss.counters.packets_spurious == 2


def test_a_loss_taken_back_is_an_answer_to_the_probes() -> None:
    bench = lost_first()
    bench.send(5, 0.2)
    at = bench.loss.next_timeout()
    assert at is not None
    assert bench.loss.on_timeout(at)
    bench.ack(at, (0, 4))
    assert (bench.fates.acked[-1], bench.loss.pto_count) == (0, 0)


@pytest.mark.parametrize(("after_s", "taken_back"), [(0.3, 1), (0.33, 0)])
def test_an_ack_may_be_late_by_three_probe_timeouts(after_s: float, taken_back: int) -> None:
    bench = lost_first()
    assert bench.rtt.probe_timeout_s() == pytest.approx(0.106)
    bench.ack(0.1 + after_s, (0, 4))
    assert bench.loss.counters.packets_spurious == taken_back


def test_patience_grows_to_just_the_distance_that_was_seen() -> None:
    bench = LossBench()
    for number in range(10, 16):
        bench.send(number, 0.0)
    bench.ack(0.1, (11, 15))
    bench.ack(0.11, (10, 15))  # five later packets overtook it
    for number in range(20, 27):
        bench.send(number, 1.0)
    bench.ack(1.05, (21, 25))
    assert bench.fates.lost == [10]
    bench.ack(1.05, (21, 26))
    assert bench.fates.lost == [10, 20]


def test_a_loss_taken_back_begins_the_count_of_calm_losses_anew() -> None:
    bench = lost_first(46)
    bench.ack(0.11, (0, 45))
    assert bench.loss._packet_threshold == 46
    for turn in range(1, CALM_ROUNDS + 1):
        assert bench.loss._packet_threshold == 46
        first, at = 100 * turn, 10.0 * turn
        bench.send(first, at)
        for number in range(first + 1, first + 50):
            bench.send(number, at + 1.0)
        bench.ack(at + 1.1, (first + 1, first + 49))
    assert bench.loss._packet_threshold == 23


def test_what_left_at_the_moment_of_a_loss_belongs_to_the_same_event() -> None:
    """Only when all of an event has arrived after all is its reduction taken back."""
    bench = lost_first()
    for number in range(5, 10):
        bench.send(number, 0.1)
    bench.ack(0.2, (6, 9))
    assert bench.fates.lost == [0, 5]
    bench.ack(0.21, (5, 9))
    assert "spurious" not in bench.window.told
    bench.ack(0.22, (0, 9))
    assert bench.window.told[-1] == "spurious"


def test_a_packet_that_arrives_in_the_middle_ends_an_outage_even_if_told_with_its_end() -> None:
    bench = LossBench()
    bench.send(0, 0.0)
    bench.ack(0.1, (0, 0))
    for number, at in ((1, 1.0), (2, 3.0), (3, 5.0), (4, 6.0), (5, 6.0), (6, 6.0), (7, 6.0)):
        bench.send(number, at)
    bench.ack(6.1, (4, 7), (2, 2))
    assert bench.fates.lost == [1, 3]
    assert "persistent" not in bench.window.told


def test_a_packet_that_left_with_one_that_arrived_begins_no_outage() -> None:
    bench = LossBench()
    bench.send(0, 0.0)
    bench.send(1, 0.0)
    bench.ack(0.1, (0, 0))
    for number, at in ((2, 5.0), (3, 5.1), (4, 5.1), (5, 5.1)):
        bench.send(number, at)
    bench.ack(5.2, (3, 5))
    assert bench.fates.lost == [1, 2]
    assert "persistent" not in bench.window.told


@pytest.mark.parametrize(("samples", "told"), [(0, "lost"), (1, "persistent")])
def test_an_outage_is_only_judged_by_a_round_trip_known_before(samples: int, told: str) -> None:
    bench = LossBench(rtt_s=None)
    for _ in range(samples):
        bench.rtt.add(0.1, 0)
    bench.send(0, 0.0)
    bench.send(1, 4.0)
    bench.send(2, 5.0)
    bench.ack(5.1, (2, 2))
    assert bench.window.told[-1] == told


def patient(number: int, at: float, bench: LossBench) -> SentPacket:
    return SentPacket(number, at, 100, [(bench.fates, (number,))], is_patient=True)


def test_receipts_alone_are_probed_for_as_late_as_their_ack_may_come() -> None:
    bench = LossBench()
    bench.loss.on_sent([patient(0, 0.0, bench)])
    assert bench.loss.next_timeout() == pytest.approx(0.106 + RECEIPT_ACK_DELAY_S)
    bench.send(1, 0.05)
    bench.loss.on_sent([patient(2, 0.06, bench)])
    assert bench.loss.next_timeout() == pytest.approx(0.05 + 0.106), "content is not held up"
    bench.ack(0.15, (1, 1))
    bench.ack(0.19, (1, 2))
    assert bench.fates.lost == [0]
    assert bench.loss.next_timeout() is None
