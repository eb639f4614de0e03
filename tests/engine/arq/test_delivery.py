"""Delivery-rate samples, and the highest of some rounds."""

import pytest

from chatnet_engine.arq.delivery import Aggregation, DeliveryRate, HighestRate
from chatnet_engine.arq.packets import SentPacket

SIZE = 1000


def send(delivery: DeliveryRate, at: float, in_flight: int = 0) -> SentPacket:
    packet = SentPacket(0, at, SIZE, [])
    packet.snapshot = delivery.on_sent(in_flight, at)
    return packet


def test_a_rate_is_what_was_delivered_between_two_moments() -> None:
    delivery = DeliveryRate()
    packets = [send(delivery, 0.01 * number, number * SIZE) for number in range(10)]
    delivery.on_ack(packets, 0.2)
    assert delivery.rate == pytest.approx(10 * SIZE / 0.2)
    assert (delivery.delivered_bytes, delivery.prior_bytes) == (10 * SIZE, 0)


def test_acks_that_come_in_a_bunch_show_no_more_than_was_sent() -> None:
    delivery = DeliveryRate()
    delivery.on_ack([send(delivery, 0.0)], 0.1)
    packets = [send(delivery, 0.1 + 0.01 * number, SIZE) for number in range(10)]
    for packet in packets:
        delivery.on_ack([packet], 0.3)
    assert delivery.rate == pytest.approx(10 * SIZE / 0.2, rel=0.2)


def test_a_pause_begins_the_measurement_anew() -> None:
    delivery = DeliveryRate()
    delivery.on_ack([send(delivery, 0.0)], 0.1)
    delivery.on_ack([send(delivery, 50.0)], 50.1)
    assert delivery.rate == pytest.approx(SIZE / 0.1)


def test_samples_are_marked_until_what_was_in_flight_has_arrived() -> None:
    delivery = DeliveryRate()
    first = send(delivery, 0.0)
    delivery.on_app_limited(SIZE)
    second, third = send(delivery, 0.0, SIZE), send(delivery, 0.0, 2 * SIZE)
    delivery.on_ack([first], 0.1)
    assert not delivery.app_limited
    delivery.on_ack([second], 0.1)
    assert delivery.app_limited
    fourth = send(delivery, 0.1, SIZE)
    delivery.on_ack([third], 0.1)
    delivery.on_ack([fourth], 0.2)
    assert not delivery.app_limited


def test_samples_stay_marked_while_anything_of_then_is_in_flight() -> None:
    delivery = DeliveryRate()
    packets = [send(delivery, 0.0, number * SIZE) for number in range(3)]
    delivery.on_app_limited(3 * SIZE)
    delivery.on_ack(packets[:1], 0.1)
    later = send(delivery, 0.1, 2 * SIZE)
    delivery.on_ack(packets[1:], 0.1)
    delivery.on_ack([later], 0.2)
    assert delivery.app_limited


def test_a_late_packet_counts_and_no_time_gives_no_rate() -> None:
    delivery = DeliveryRate()
    delivery.on_late(SIZE)
    assert delivery.delivered_bytes == SIZE
    delivery.on_ack([send(delivery, 1.0)], 1.0)
    assert delivery.rate == 0.0


def test_the_highest_rate_ages_and_the_newest_never_goes() -> None:
    rates = HighestRate()
    rates.expire(5)
    assert rates.best == 0.0
    for at_round, rate in ((1, 50.0), (2, 90.0), (2, 80.0), (3, 70.0), (3, 60.0)):
        rates.add(at_round, rate)
    assert rates.best == 90.0
    rates.expire(3)
    assert rates.best == 70.0
    rates.expire(100)
    assert rates.best == 70.0


def test_a_cap_holds_for_all_that_was_seen() -> None:
    rates = HighestRate()
    for at_round, rate in ((1, 90.0), (2, 70.0), (3, 20.0)):
        rates.add(at_round, rate)
    rates.cap(50.0)
    assert rates.best == 50.0
    rates.expire(3)
    assert rates.best == 20.0


def test_acks_that_come_in_batches_show_by_how_much_they_exceed_the_rate() -> None:
    even, batched = Aggregation(), Aggregation()
    for number in range(1, 101):
        even.on_ack(SIZE, 100_000, 0, number * 0.01)
        if number % 10 == 0:
            batched.on_ack(10 * SIZE, 100_000, number // 10, number * 0.01)
    assert even.extra_bytes <= SIZE * 1.001
    assert batched.extra_bytes == pytest.approx(10 * SIZE)
    batched.on_ack(30 * SIZE, 100_000, 11, 1.05)
    assert batched.extra_bytes == pytest.approx(35 * SIZE)
    batched.on_ack(SIZE, 100_000, 12, 9.0)
    batched.expire(12)
    assert batched.extra_bytes == pytest.approx(SIZE)
