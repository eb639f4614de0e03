"""Which packets carried which message, and what became of them."""

from random import Random

import pytest

from chatnet_engine.arq import delivery_log
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.delivery_log import DeliveryLog, acked_at, times_sent
from chatnet_engine.arq.packets import Packet, SentRecord


def pair() -> tuple[Connection, Connection]:
    a = Connection(now=0.0, random=Random(1).randbytes)
    b = Connection(now=0.0, random=Random(2).randbytes)
    for connection in (a, b):
        connection.start_sending(1)
        connection.start_receiving(1)
    return a, b


def carry(packets: list[Packet], to: Connection, now: float) -> None:
    for packet in packets:
        to.handle_packet(packet.number, packet.payload, now)


def pass_time(a: Connection, b: Connection, begin: float, end: float) -> None:
    """Both serve their timers, and everything arrives after 10 ms."""
    now = begin
    while now < end:
        a.handle_timeout(now)
        b.handle_timeout(now)
        carry(a.take_packets(now, 64), b, now + 0.01)
        carry(b.take_packets(now + 0.01, 64), a, now + 0.02)
        now += 0.02


def test_a_message_is_logged_with_its_packet_and_its_acknowledgement() -> None:
    a, b = pair()
    a.queue(0, [b"one", b"two"])
    carry(a.take_packets(1.0, 64), b, 1.01)
    carry(b.take_packets(1.02, 64), a, 1.03)
    (sent,) = a.log.sendings(2)
    assert (sent.sent_at, sent.acked_at, sent.lost_at) == (1.0, 1.03, None)
    assert times_sent(2, [sent]) == 1
    assert acked_at(2, [sent]) == 1.03
    (came,) = b.log.arrivals(2)
    assert (came.number, came.at) == (sent.number, 1.01)
    assert a.log.sendings(3) == []
    assert b.log.arrivals(3) == []


def test_early_copies_of_a_message_are_attempts() -> None:
    a, b = pair()
    a.queue(0, [b"first"])
    pass_time(a, b, 1.0, 1.2)
    a.queue(0, [b"news"])
    first = a.take_packets(2.0, 64)
    copies = a.take_packets(2.005, 64)
    assert copies, "on a line that is not known yet there are copies"
    records = a.log.sendings(2)
    assert [record.number for record in records] == [p.number for p in first + copies]
    assert times_sent(2, records) == len(first + copies)
    assert acked_at(2, records) is None
    carry(copies, b, 2.02)
    carry(b.take_packets(2.03, 64), a, 2.04)
    assert acked_at(2, records) == 2.04
    assert [record.acked_at for record in records] == [None, 2.04]


def test_a_lost_packet_says_when_it_was_declared_lost() -> None:
    a, b = pair()
    a.queue(0, [b"ready"])
    pass_time(a, b, 0.0, 0.5)
    a.queue(0, [bytes(1000)])
    (lost,) = a.take_packets(1.0, 64)
    pass_time(a, b, 1.1, 4.0)
    first, *again = a.log.sendings(2)
    assert first.number == lost.number
    assert first.lost_at is not None
    assert first.acked_at is None
    assert again
    assert again[0].sent_at > 1.0
    assert acked_at(2, [first, *again]) == min(r.acked_at for r in again if r.acked_at)


def test_a_late_acknowledgement_is_entered_too() -> None:
    a, b = pair()
    a.queue(0, [b"ready"])
    pass_time(a, b, 0.0, 0.5)
    a.queue(0, [bytes(1000)])
    late = a.take_packets(1.0, 64)
    now = 1.0
    while a.log.sendings(2)[0].lost_at is None:
        now += 0.02
        assert now < 3.0, "never declared lost"
        pass_time(a, b, now, now + 0.01)
    carry(late, b, now + 0.01)
    carry(b.take_packets(now + 0.02, 64), a, now + 0.03)
    assert a.log.sendings(2)[0].acked_at == now + 0.03


def test_parts_of_one_message_are_one_attempt() -> None:
    a, b = pair()
    a.queue(0, [bytes(3000)])
    packets = a.take_packets(1.0, 64)
    assert len(packets) > 1
    records = a.log.sendings(1)
    assert len(records) == len(packets)
    assert times_sent(1, records) == 1
    carry(packets[:1], b, 1.01)
    carry(b.take_packets(1.02, 64), a, 1.03)
    assert acked_at(1, records) is None
    carry(packets[1:], b, 1.04)
    carry(b.take_packets(1.05, 64), a, 1.06)
    assert acked_at(1, records) == 1.06
    assert [each.number for each in b.log.arrivals(1)] == [p.number for p in packets]


def test_a_part_that_leaves_again_is_a_second_attempt() -> None:
    parts = [SentRecord(1, 0.0, [(7, 0, 100)]), SentRecord(2, 0.0, [(7, 100, 150), (8, 0, 9)])]
    assert times_sent(7, parts) == 1
    assert times_sent(7, [*parts, SentRecord(3, 1.0, [(7, 20, 60)])]) == 2
    assert times_sent(7, [*parts, SentRecord(3, 1.0, [(6, 2)])]) == 2


def test_other_channels_are_not_logged() -> None:
    a, b = pair()
    a.queue(1, [bytes(500)])
    carry(a.take_packets(1.0, 64), b, 1.01)
    assert len(a.log) == len(b.log) == 0


def test_the_oldest_packets_are_forgotten_and_the_log_knows_of_what(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivery_log, "MAX_PACKETS_LOGGED", 10)
    log = DeliveryLog()
    for number in range(1, 101):
        log.on_sent(number, float(number), [(2 * number, 2)])
        log.on_arrived(number, float(number), number, 1)
        assert len(log.sent) < 20
        assert len(log.arrived) < 20
    assert log.sendings(2) == []
    parts = DeliveryLog()
    for number in range(1, 21):
        parts.on_sent(number, float(number), [(number, 1000, 2000)])
    assert parts.sent_forgotten == 10
    assert log.sent_forgotten == 2 * (log.sent[0].number - 1) + 1
    assert log.arrived_forgotten == log.arrived[0].number - 1
    assert [record.number for record in log.sendings(201)] == [100]
    assert [record.number for record in log.arrivals(100)] == [100]
