"""What a peer with a right key can make a Connection keep: bounded for frame, packet and link."""

import tracemalloc
from random import Random

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.events import MessagesArrived
from chatnet_engine.arq.held import HeldTotal
from chatnet_engine.arq.loss import MAX_LOST_KEPT
from chatnet_engine.arq.packets import PacketLog, SentPacket
from chatnet_engine.arq.reassembly import MAX_HOLES, PIECE_OVERHEAD_BYTES, Partial
from chatnet_engine.arq.sender import MAX_CONTROL_IN_FLIGHT, MAX_SMALL_PROBES
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.limits import (
    HELD_SHARE_BYTES,
    KIB,
    MAX_CHANNELS,
    MAX_MESSAGE_BYTES,
    MAX_STATES,
)
from chatnet_protocol.wire import frames

LONG = MAX_MESSAGE_BYTES


def lone(config: ArqConfig | None = None, held_total: HeldTotal | None = None) -> Connection:
    """A link that may send and receive, whose peer is the test."""
    connection = Connection(
        now=0.0,
        random=Random(1).randbytes,
        config=config or ArqConfig(),
        held_total=held_total,
    )
    connection.start_sending(1)
    connection.start_receiving(1)
    return connection


def in_flight(connection: Connection) -> int:
    return len(list(connection._sender.loss.oldest()))


def first_part(channel: int, number: int) -> bytes:
    return frames.encode_message(channel, number, 0, LONG, b"x")


@pytest.mark.parametrize("channel", [0, 3])
def test_one_packet_of_first_parts_cannot_use_more_than_twice_the_window(channel: int) -> None:
    fitting = 3 if channel else 2
    window_bytes = fitting * (LONG + 64) // 2
    bulk, chat = ArqConfig(bulk_window_bytes=window_bytes), ArqConfig(window_bytes=window_bytes)
    config = bulk if channel else chat
    parts = [first_part(channel, number) for number in range(2, fitting + 3)]
    lone(config).handle_packet(0, b"".join(parts[:-1]), 0.0)
    with pytest.raises(RemoteProtocolError, match=r"^more bytes than the window holds$"):
        lone(config).handle_packet(0, b"".join(parts), 0.0)


def test_two_totals_of_one_message_in_one_packet_are_caught() -> None:
    both = frames.encode_message(3, 2, 0, 100, b"x") + frames.encode_message(3, 2, 5, 101, b"x")
    with pytest.raises(RemoteProtocolError, match="disagree about its size"):
        lone().handle_packet(0, both, 0.0)


def test_two_different_hellos_in_one_packet_are_caught() -> None:
    with pytest.raises(RemoteProtocolError, match="two different HELLOs"):
        lone().handle_packet(0, frames.encode_hello(b"a") + frames.encode_hello(b"b"), 0.0)


def test_states_are_counted_within_a_packet_too() -> None:
    connection = lone()
    few = b"".join(frames.encode_state(key, 1, b"") for key in range(MAX_STATES - 1))
    connection.handle_packet(0, few, 0.0)
    two = frames.encode_state(100, 1, b"") + frames.encode_state(101, 1, b"")
    with pytest.raises(RemoteProtocolError, match=f"more than {MAX_STATES} states"):
        connection.handle_packet(1, two, 0.0)


def test_a_part_costs_memory_for_what_came_and_not_for_what_is_announced() -> None:
    connection = lone()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for channel in range(1, MAX_CHANNELS):
        parts = b"".join(first_part(channel, number) for number in range(2, 32))
        connection.handle_packet(channel, parts, 0.0)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert kept < 512 * KIB


def test_all_channels_together_keep_a_few_windows_and_the_next_message_always_fits() -> None:
    connection = lone(ArqConfig(window_bytes=32 * KIB, bulk_window_bytes=96 * KIB))
    budget = 128 * KIB
    number = 0
    for channel in range(1, MAX_CHANNELS):
        for message in range(2, 100):
            number += 1
            body = bytes(1000)
            connection.handle_packet(number, frames.encode_messages(channel, message, [body]), 0.0)
    assert budget - 2000 < connection.held.weight_bytes <= budget
    assert connection.take_events() == []
    acked = connection.take_packets(0.0, 1)[0].payload
    (ack,) = [frame for frame in frames.decode(acked) if isinstance(frame, frames.Ack)]
    assert ack.ranges[0][1] < number, "what was left is not acknowledged"
    for channel in range(1, MAX_CHANNELS):
        number += 1
        connection.handle_packet(number, frames.encode_messages(channel, 1, [b"the next"]), 0.0)
    arrived = [event for event in connection.take_events() if isinstance(event, MessagesArrived)]
    assert {event.channel for event in arrived} == set(range(1, MAX_CHANNELS))
    assert connection.held.weight_bytes == 0


def out_of_order(connection: Connection, size_bytes: int) -> None:
    """A hostile peer leaves out the first message of channel 3."""
    for number in range(2, 2 + size_bytes // 1064):
        packet = frames.encode_messages(3, number, [bytes(1000)])
        connection.handle_packet(number, packet, 0.0)


def test_all_links_together_keep_no_more_than_one_total_and_each_its_share() -> None:
    total = HeldTotal(limit_bytes=3 * HELD_SHARE_BYTES)
    greedy, late = lone(held_total=total), lone(held_total=total)
    out_of_order(greedy, 5 * HELD_SHARE_BYTES)
    assert 3 * HELD_SHARE_BYTES - 1064 < greedy.held.weight_bytes <= 3 * HELD_SHARE_BYTES
    out_of_order(late, 5 * HELD_SHARE_BYTES)
    assert HELD_SHARE_BYTES - 1064 < late.held.weight_bytes <= HELD_SHARE_BYTES
    assert total.weight_bytes == greedy.held.weight_bytes + late.held.weight_bytes
    greedy.held.release()
    greedy.held.release()
    assert (greedy.held.weight_bytes, total.weight_bytes) == (0, late.held.weight_bytes)
    out_of_order(late, 5 * HELD_SHARE_BYTES)
    assert late.held.weight_bytes > 2 * HELD_SHARE_BYTES, "what the other one kept is free again"


def test_what_is_kept_before_the_start_is_bounded_too() -> None:
    connection = Connection(now=0.0, random=Random(1).randbytes, config=ArqConfig())
    for number in range(1, 9000):
        connection.handle_packet(number, frames.encode_messages(0, number, [bytes(1100)]), 0.0)
    assert connection.held.weight_bytes <= 2 * ArqConfig().window_bytes


def test_weights_return_to_nothing_however_a_message_became_whole() -> None:
    connection = lone()
    whole = bytes(range(200))
    for number, (low, high) in enumerate([(150, 200), (0, 10), (20, 30), (5, 25), (25, 160)]):
        part = frames.encode_message(3, 2, low, 200, whole[low:high])
        connection.handle_packet(number, part, 0.0)
        assert connection.held.weight_bytes > 0
    assert connection.held.weight_bytes == 200 + 64, "whole, but not the next"
    connection.handle_packet(9, frames.encode_messages(3, 1, [b"the next"]), 0.0)
    (event,) = connection.take_events()
    assert isinstance(event, MessagesArrived)
    assert event.messages == [b"the next", whole]
    assert connection.held.weight_bytes == 0


def test_a_message_in_too_many_pieces_is_refused() -> None:
    partial = Partial(LONG)
    for hole in range(MAX_HOLES):
        partial.add(2 * hole, LONG, b"x")
    assert partial.held_bytes == MAX_HOLES * (1 + PIECE_OVERHEAD_BYTES)
    partial.add(1, LONG, b"x")
    assert partial.held_bytes == MAX_HOLES * (1 + PIECE_OVERHEAD_BYTES) - PIECE_OVERHEAD_BYTES + 1
    partial.add(2 * MAX_HOLES, LONG, b"x")
    with pytest.raises(RemoteProtocolError, match="too many holes in one message"):
        partial.add(2 * MAX_HOLES + 2, LONG, b"x")


def test_answers_to_challenges_are_not_kept() -> None:
    connection = lone()
    for number in range(1000):
        connection.handle_packet(number, frames.encode_path_challenge(bytes(8)), 0.0)
        assert connection.take_packets(0.0, 4)
    assert in_flight(connection) == 0
    assert connection.first_unanswered is None


def test_receipts_that_nobody_acknowledges_wait_for_probes() -> None:
    connection = lone()
    now = 0.0
    for number in range(1, 3000):
        now += 0.001
        connection.handle_packet(number, frames.encode_messages(0, number, [b"x"]), now)
        connection.take_events()
        connection.receipt(number, number, 1)
        connection.take_packets(now, 4)
    assert in_flight(connection) <= MAX_CONTROL_IN_FLIGHT + MAX_SMALL_PROBES
    for number in range(3000, 3600):  # ten minutes of it
        now += 1.0
        connection.handle_packet(number, frames.encode_messages(0, number, [b"x"]), now)
        connection.take_events()
        connection.receipt(number, number, 1)
        connection.handle_timeout(now)
        connection.take_packets(now, 4)
    assert in_flight(connection) <= MAX_CONTROL_IN_FLIGHT + MAX_SMALL_PROBES
    told = [frame for packet in probes(connection, now, 3) for frame in frames.decode(packet)]
    receipts = [frame for frame in told if isinstance(frame, frames.Receipt)]
    assert max(receipt.number for receipt in receipts) == 3599, "a probe tells the newest"


def probes(connection: Connection, now: float, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        now += 2.0
        connection.handle_timeout(now)
        found += [packet.payload for packet in connection.take_packets(now, 4)]
    return found


def test_states_that_nobody_acknowledges_leave_in_bounded_numbers() -> None:
    connection = lone()
    for value in range(2000):
        connection.set_state(1, b"%d" % value)
        connection.take_packets(0.0, 4)
    assert in_flight(connection) == MAX_CONTROL_IN_FLIGHT
    newest = probes(connection, 0.0, 1)[0]
    (state,) = [each for each in frames.decode(newest) if isinstance(each, frames.State)]
    assert state.value == b"1999"


def test_acknowledged_receipts_open_the_way_for_more() -> None:
    connection = lone()
    for value in range(2 * MAX_CONTROL_IN_FLIGHT):
        connection.set_state(1, b"%d" % value)
        connection.take_packets(0.0, 4)
    last = max(packet.number for packet in connection._sender.loss.oldest())
    connection.handle_packet(0, frames.encode_ack(0, [(last, last)]), 0.1)
    (packet,) = connection.take_packets(0.1, 4)
    (state,) = [each for each in frames.decode(packet.payload) if isinstance(each, frames.State)]
    assert state.value == b"%d" % (2 * MAX_CONTROL_IN_FLIGHT - 1)


def test_packets_are_taken_by_ranges_whatever_else_is_kept() -> None:
    log = PacketLog()
    log.add([SentPacket(number, 0.0, 100, []) for number in (0, 1, 2, 4, 5)])
    log.add([SentPacket(9, 0.0, 100, [])])
    assert [packet.number for packet in log.take(1, 4)] == [1, 2, 4]
    assert log.take(1, 4) == []
    assert log.take(6, 8) == []
    assert [packet.number for packet in log.take_oldest(2)] == [0, 5]
    assert [packet.number for packet in log] == [9]
    assert len(log) == 1
    assert [packet.number for packet in log.take_oldest(MAX_LOST_KEPT)] == [9]
