"""What acknowledging costs in packets, over whole connections."""

import pytest

from chatnet_engine.arq.acks import RECEIPT_ACK_DELAY_S
from chatnet_engine.arq.packets import Packet
from chatnet_protocol.wire import frames
from simworld.arq_pair import Pair


def settled() -> Pair:
    """A line on which nothing is copied, and nothing is under way."""
    pair = Pair()
    pair.settle()
    for _ in range(30):
        pair.a.send(0, [b"x" * 100])
        pair.run(0.1)
    pair.settle()
    return pair


def test_a_message_takes_one_packet_each_way() -> None:
    pair = settled()
    before = pair.ab.packets, pair.ba.packets
    for _ in range(20):
        pair.a.send(0, [b"x" * 100])
        pair.run(0.05)
    assert (pair.ab.packets - before[0], pair.ba.packets - before[1]) == (20, 20)
    assert pair.a.receipts[-1].number == 50 - 1, "the last one is under way"


def test_the_ack_of_the_last_receipt_leaves_after_a_while_and_nothing_is_probed() -> None:
    pair = settled()
    before = pair.ab.packets, pair.ba.packets
    pair.a.send(0, [b"x" * 100])
    pair.run(0.06)
    assert (pair.ab.packets - before[0], pair.ba.packets - before[1]) == (1, 1)
    pair.run(RECEIPT_ACK_DELAY_S)
    assert (pair.ab.packets - before[0], pair.ba.packets - before[1]) == (2, 1)
    pair.run(1.0)
    assert (pair.ab.packets - before[0], pair.ba.packets - before[1]) == (2, 1)
    assert pair.b.connection.stats.smoothed_rtt_s == pytest.approx(0.05, abs=0.002)


def test_a_slow_commit_does_not_hold_up_the_ack() -> None:
    pair = settled()
    pair.b.commit_s = 0.2
    pair.a.send(0, [b"x" * 100])
    began = pair.now
    pair.run(0.01)
    pair.run(1.0, lambda: pair.a.connection.stats.in_flight_bytes == 0)
    assert pair.now - began == pytest.approx(0.055, abs=0.001)
    assert not pair.a.receipts or pair.a.receipts[-1].number == 30


def test_a_lost_receipt_is_in_the_next_one() -> None:
    pair = settled()
    lost: list[bool] = []

    def first(packet: Packet) -> bool:
        lost.append(not lost)
        return lost[-1]

    pair.ba.drop = first
    for _ in range(2):
        pair.a.send(0, [b"x" * 100])
        pair.run(0.08)
    assert lost
    assert pair.a.receipts[-1].number == 32


def test_a_probe_is_answered_at_once_though_it_carries_a_receipt() -> None:
    pair = settled()
    pair.b.commit_s = 0.01
    seen: list[list[frames.Frame]] = []

    def second(packet: Packet) -> bool:
        seen.append(frames.decode(packet.payload))
        return len(seen) == 2

    pair.ba.drop = second
    pair.a.send(0, [b"x" * 100])
    pair.run(1.0)
    kinds = [{type(frame) for frame in packet} for packet in seen]
    assert kinds == [{frames.Ack}, {frames.Receipt}, {frames.Receipt, frames.Ping}]
    assert pair.a.receipts[-1].number == 31
    assert not pair.b.connection.unacked
