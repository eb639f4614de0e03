"""A Connection and what it is told: limits, refusals, order, closing."""

from random import Random

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.connection import MAX_PATH_EVENTS, Connection
from chatnet_engine.arq.events import (
    HelloArrived,
    MessagesArrived,
    ReceiptsArrived,
)
from chatnet_engine.arq.packets import Packet
from chatnet_engine.arq.receipts import MAX_PENDING_RUNS
from chatnet_engine.arq.sender import MAX_CONTROL_IN_FLIGHT
from chatnet_protocol.errors import LocalProtocolError, RemoteProtocolError
from chatnet_protocol.limits import MAX_HELLO_BYTES, MAX_MESSAGE_BYTES
from chatnet_protocol.wire import frames
from chatnet_protocol.wire.frames import Receipt


def texts(count: int, seed: int, most: int = 200) -> list[bytes]:
    random = Random(seed)
    return [b"%d:" % i + random.randbytes(random.randint(1, most)) for i in range(count)]


def lone(config: ArqConfig | None = None) -> Connection:
    """A Connection that has exchanged HELLO with nobody and may send and receive."""
    random = Random(1).randbytes
    connection = Connection(now=0.0, random=random, config=config or ArqConfig())
    connection.start_sending(1)
    connection.start_receiving(1)
    return connection


@pytest.mark.parametrize("first", [2**30 - 20, 2**32 - 20])
def test_message_numbers_may_start_near_a_wrap(first: int) -> None:
    a, b = lone_pair(first)
    a.queue(0, texts(50, 1))
    for packet in a.take_packets(0.0, 100):
        b.handle_packet(packet.number, packet.payload, 0.0)
    (event,) = b.take_events()
    assert isinstance(event, MessagesArrived)
    assert (event.first_number, event.messages) == (first, texts(50, 1))


def lone_pair(first: int) -> tuple[Connection, Connection]:
    a = Connection(now=0.0, random=Random(1).randbytes)
    b = Connection(now=0.0, random=Random(2).randbytes)
    a.start_sending(first)
    b.start_receiving(first)
    return a, b


def test_receipts_for_what_the_peer_had_before_this_link_are_news() -> None:
    a = Connection(now=0.0, random=Random(1).randbytes)
    b = Connection(now=0.0, random=Random(2).randbytes)
    b.start_receiving(8)
    b.receipt(7, 27, 5)
    (early,) = b.take_packets(0.0, 10)
    a.handle_packet(early.number, early.payload, 0.0)
    assert a.take_packets(0.0, 10) == [], "not acknowledged, so that it is said again"
    a.start_sending(8, base=4)
    b.handle_timeout(b.next_timeout() or 0.0)
    for packet in b.take_packets(2.0, 10):
        a.handle_packet(packet.number, packet.payload, 2.0)
    assert a.take_events() == [ReceiptsArrived([Receipt(7, 27, 4)])]


def test_numbers_that_run_out_end_the_link_quietly() -> None:
    connection = lone(ArqConfig(first_packet_number=2**62 - 2))
    connection.queue(0, [bytes(1000)] * 5)
    assert [p.number for p in connection.take_packets(0.0, 10)] == [2**62 - 2, 2**62 - 1]
    assert connection.exhausted
    connection.close(1, "over")
    assert connection.take_packets(0.0, 10) == []


@pytest.mark.parametrize("ranges", [[(0, 1)], [(2**62 - 1, 2**62 - 1)], [(0, 2**62 - 1)]])
def test_an_ack_of_what_was_never_sent_acknowledges_nothing(ranges: list[tuple[int, int]]) -> None:
    connection = lone()
    connection.queue(0, [b"one"])
    (packet,) = connection.take_packets(0.0, 10)
    assert packet.number == 0
    ghost = frames.encode_messages(0, 1, [b"hi"]) + frames.encode_ack(0, ranges)
    with pytest.raises(RemoteProtocolError, match=r"^ACK of a packet"):
        connection.handle_packet(0, ghost, 0.1)
    assert connection.unacked
    assert connection.stats.in_flight_bytes > 0


def test_an_ack_of_a_number_left_out_is_caught() -> None:
    connection = lone()
    numbers: list[int] = []
    while len(numbers) == (numbers[-1] + 1 if numbers else 0):
        connection.ping()
        numbers += [packet.number for packet in connection.take_packets(0.0, 1)]
    with pytest.raises(RemoteProtocolError, match="left out"):
        connection.handle_packet(0, frames.encode_ack(0, [(0, numbers[-1])]), 0.1)


@pytest.mark.parametrize("number", [2, 2**40])
def test_a_receipt_for_what_was_never_sent_is_refused(number: int) -> None:
    connection = lone()
    connection.queue(0, [b"one"])
    connection.take_packets(0.0, 10)
    with pytest.raises(RemoteProtocolError, match="never sent"):
        connection.handle_packet(0, frames.encode_receipt(number, 1, 1), 0.1)
    with pytest.raises(RemoteProtocolError, match="never sent"):
        connection.handle_packet(0, frames.encode_channel_receipt(3, 1), 0.1)
    assert connection.credit(0) < ArqConfig().window_bytes


def test_acknowledged_but_not_committed_keeps_the_window_shut() -> None:
    connection = lone(ArqConfig(window_bytes=1000))
    connection.queue(0, [bytes(900)])
    (packet,) = connection.take_packets(0.0, 10)
    connection.handle_packet(0, frames.encode_ack(0, [(0, packet.number)]), 0.1)
    assert not connection.unacked
    assert connection.credit(0) == 1000 - 964
    connection.handle_packet(1, frames.encode_receipt(1, 1, 1), 0.2)
    assert connection.credit(0) == 1000
    (event,) = [e for e in connection.take_events() if isinstance(e, ReceiptsArrived)]
    assert [(run.number, run.ack, run.count) for run in event.receipts] == [(1, 1, 1)]


def test_a_full_window_refuses_and_tells_its_room() -> None:
    connection = lone(ArqConfig(window_bytes=1000, bulk_window_bytes=3000))
    assert connection.credit(0) == 1000
    assert connection.queue(0, [bytes(100)]) == 1
    assert connection.queue(0, [bytes(100), b"a"]) == 2
    assert connection.credit(0) == 1000 - 201 - 3 * 64
    with pytest.raises(LocalProtocolError, match="window"):
        connection.queue(0, [bytes(1000)])
    assert connection.credit(3) == 3000
    assert connection.queue(3, [bytes(2000)]) == 1
    assert connection.credit(3) == 1000 - 64
    assert connection.credit(99) == 0


def test_what_may_not_be_queued() -> None:
    connection = Connection(now=0.0, random=Random(1).randbytes)
    assert connection.credit(0) == 0
    with pytest.raises(LocalProtocolError, match="not open"):
        connection.queue(0, [b"too early"])
    connection.start_sending(7)
    with pytest.raises(LocalProtocolError, match="already"):
        connection.start_sending(7)
    with pytest.raises(LocalProtocolError, match="no message"):
        connection.queue(0, [])
    for size in (0, MAX_MESSAGE_BYTES + 1):
        with pytest.raises(LocalProtocolError, match="bytes"):
            connection.queue(0, [bytes(size)])
    with pytest.raises(LocalProtocolError, match="not open"):
        connection.queue(16, [b"no such channel"])
    assert connection.queue(0, [b"fine"]) == 7
    with pytest.raises(LocalProtocolError, match="begin at 1"):
        Connection(now=0.0, random=Random(1).randbytes).start_sending(0)


def test_channel_0_waits_for_start_receiving_and_nothing_is_lost() -> None:
    a, b = (Connection(now=0.0, random=Random(n).randbytes) for n in (1, 2))
    a.start_sending(5)
    a.queue(0, [b"old", b"new", bytes(4000)])
    a.queue(1, [b"bulk"])
    for packet in a.take_packets(0.0, 10):
        b.handle_packet(packet.number, packet.payload, 0.0)
    assert b.take_events() == []
    b.start_receiving(6)
    chat, bulk = b.take_events()
    assert chat == MessagesArrived(0, 6, [b"new", bytes(4000)], 0.0)
    assert bulk == MessagesArrived(1, 1, [b"bulk"], 0.0)
    assert b.stats.duplicate_messages == 1
    with pytest.raises(LocalProtocolError, match="already"):
        b.start_receiving(6)


def test_before_start_receiving_the_excess_is_dropped_unacknowledged() -> None:
    config = ArqConfig(window_bytes=2000, window_messages=3)
    b = Connection(now=0.0, random=Random(2).randbytes, config=config)
    b.handle_packet(0, frames.encode_messages(0, 9, [b"a", b"b", b"c"]), 0.0)
    b.handle_packet(1, frames.encode_messages(0, 12, [b"d"]), 0.0)
    b.handle_packet(2, frames.encode_message(0, 1, 0, 5000, b"part"), 0.0)
    (packet,) = b.take_packets(0.005, 10)
    assert frames.decode(packet.payload) == [frames.Ack(39 * 128, [(0, 0)])]
    b.start_receiving(9)
    (event,) = b.take_events()
    assert event == MessagesArrived(0, 9, [b"a", b"b", b"c"], 0.005)


def test_a_packet_without_room_for_its_messages_still_says_the_rest() -> None:
    config = ArqConfig(window_bytes=100, bulk_window_bytes=100)
    b = Connection(now=0.0, random=Random(2).randbytes, config=config)
    payload = frames.encode_hello(b"hi") + frames.encode_messages(1, 1, [bytes(500)])
    with pytest.raises(RemoteProtocolError, match=r"^more bytes than the window holds$"):
        b.handle_packet(0, payload, 0.0)
    payload = frames.encode_hello(b"hi") + frames.encode_messages(0, 1, [bytes(500)])
    b.handle_packet(1, payload, 0.0)
    assert b.take_events() == [HelloArrived(b"hi")]
    assert b.take_packets(0.0, 10) == []


def acknowledged(packets: list[Packet]) -> bytes:
    """One ACK of exactly these."""
    ranges: list[tuple[int, int]] = []
    for number in sorted((packet.number for packet in packets), reverse=True):
        if ranges and ranges[-1][0] == number + 1:
            ranges[-1] = (number, ranges[-1][1])
        else:
            ranges.append((number, number))
    return frames.encode_ack(0, ranges)


def test_unacknowledged_receipts_stop_messages_until_they_are_acknowledged() -> None:
    connection = lone()
    sent = []
    for number in range(1, MAX_PENDING_RUNS + 1):
        connection.handle_packet(number, frames.encode_messages(0, number, [b"x"]), 0.0)
        connection.receipt(number, 2 * number, 1)
        sent += connection.take_packets(0.0, 10)
    late = frames.encode_messages(0, MAX_PENDING_RUNS + 1, [b"late"])
    connection.take_events()
    connection.handle_packet(5000, late, 0.0)
    assert connection.take_events() == []
    told = [frame for packet in sent for frame in frames.decode(packet.payload)]
    assert sum(isinstance(frame, frames.Receipt) for frame in told) == MAX_CONTROL_IN_FLIGHT
    connection.handle_packet(5001, late + acknowledged(sent), 0.0)
    assert connection.take_events() == []
    connection.handle_packet(5002, late, 0.0)
    assert [type(event) for event in connection.take_events()] == [MessagesArrived]


def test_hello_is_in_every_packet_until_acknowledged_and_arrives_once() -> None:
    a, b = (Connection(now=0.0, random=Random(n).randbytes) for n in (1, 2))
    a.set_hello(b"hi")
    with pytest.raises(LocalProtocolError, match="already"):
        a.set_hello(b"again")
    with pytest.raises(LocalProtocolError, match="longer"):
        b.set_hello(bytes(MAX_HELLO_BYTES + 1))
    packets = a.take_packets(0.0, 10)
    a.ping()
    packets += a.take_packets(0.1, 10)
    for packet in packets:
        assert frames.decode(packet.payload)[0] == frames.Hello(b"hi")
        b.handle_packet(packet.number, packet.payload, 0.1)
    assert b.take_events() == [HelloArrived(b"hi")]
    with pytest.raises(RemoteProtocolError, match=r"^two different HELLOs on one link$"):
        b.handle_packet(7, frames.encode_hello(b"other"), 0.2)
    for packet in b.take_packets(0.2, 10):
        a.handle_packet(packet.number, packet.payload, 0.2)
    a.ping()
    (last,) = a.take_packets(0.3, 10)
    assert frames.Ping() in frames.decode(last.payload)
    assert not any(isinstance(frame, frames.Hello) for frame in frames.decode(last.payload))


def test_states_are_bounded_both_ways() -> None:
    connection = lone()
    for key in range(8):
        connection.set_state(key, b"x")
        connection.handle_packet(key, frames.encode_state(key, 1, b"y"), 0.0)
    with pytest.raises(LocalProtocolError, match="more than 8"):
        connection.set_state(8, b"x")
    with pytest.raises(LocalProtocolError, match="longer"):
        connection.set_state(1, bytes(257))
    with pytest.raises(RemoteProtocolError, match="more than 8"):
        connection.handle_packet(8, frames.encode_state(8, 1, b"y"), 0.0)


def test_path_events_between_two_drains_are_bounded() -> None:
    connection = lone()
    for number in range(MAX_PATH_EVENTS + 10):
        token = number.to_bytes(8, "big")
        connection.handle_packet(2 * number, frames.encode_path_challenge(token), 0.0)
        connection.handle_packet(2 * number + 1, frames.encode_path_response(token), 0.0)
    assert len(connection.take_events()) == MAX_PATH_EVENTS


@pytest.mark.parametrize(
    "frame",
    [
        frames.encode_messages(0, 8193, [b"x"]),
        frames.encode_message(0, 9000, 0, 10, b"x"),
        frames.encode_messages(1, 2**61, [b"x"]),
        b"\xff",
        b"",
        b"\x00",
    ],
)
def test_what_breaks_the_specification_is_refused(frame: bytes) -> None:
    connection = lone()
    with pytest.raises(RemoteProtocolError):
        connection.handle_packet(0, frame, 0.0)
    assert connection.take_packets(0.0, 10) == []
    connection.handle_packet(0, frames.encode_ping(), 0.0)
    assert len(connection.take_packets(0.0, 10)) == 1


def test_a_sender_that_overruns_the_byte_window_is_refused() -> None:
    connection = lone(ArqConfig(window_bytes=5000))
    for number in range(2, 11):
        connection.handle_packet(number, frames.encode_messages(0, number, [bytes(1000)]), 0.0)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        connection.handle_packet(11, frames.encode_messages(0, 11, [bytes(1000)]), 0.0)


def test_a_sender_that_overruns_the_byte_window_with_parts_is_refused() -> None:
    connection = lone(ArqConfig(bulk_window_bytes=5000))
    for number in range(2, 11):
        part = frames.encode_message(1, number, 0, 1000, b"x")
        connection.handle_packet(100 + number, part, 0.0)
    with pytest.raises(RemoteProtocolError, match="window holds"):
        connection.handle_packet(111, frames.encode_message(1, 11, 0, 1000, b"x"), 0.0)


def test_parts_that_disagree_are_refused() -> None:
    connection = lone()
    connection.handle_packet(0, frames.encode_message(0, 1, 0, 100, b"x"), 0.0)
    with pytest.raises(RemoteProtocolError, match="disagree"):
        connection.handle_packet(1, frames.encode_message(0, 1, 1, 101, b"x"), 0.0)


def test_garbage_only_ever_raises_remote_protocol_error() -> None:
    random = Random(22)
    connection = lone()
    connection.queue(0, texts(20, 22))
    connection.take_packets(0.0, 10)
    good = [
        frames.encode_messages(0, 1, [b"abc", b"defg"]),
        frames.encode_message(1, 1, 0, 900, bytes(50)),
        frames.encode_ack(10, [(0, 1)]),
        frames.encode_state(1, 1, b"x") + frames.encode_receipt(3, 3, 2),
        frames.encode_path_challenge(b"12345678") + frames.encode_hello(b"h"),
    ]
    for number in range(3000):
        payload = bytearray(random.choice(good))
        for _ in range(random.randint(1, 3)):
            payload[random.randrange(len(payload))] = random.randrange(256)
        try:
            connection.handle_packet(number, bytes(payload), number / 1000)
        except RemoteProtocolError:
            pass
        connection.take_packets(number / 1000, 4)
        connection.take_events()


def test_a_repeated_packet_is_counted_and_changes_nothing() -> None:
    connection = lone()
    payload = frames.encode_messages(0, 1, [b"once"])
    connection.handle_packet(0, payload, 0.0)
    connection.handle_packet(0, payload, 0.0)
    (event,) = connection.take_events()
    assert event == MessagesArrived(0, 1, [b"once"], 0.0)
    assert connection.stats.duplicate_packets == 1


def test_who_drains_events_is_notified_of_what_may_have_brought_some() -> None:
    connection = lone()
    connection.take_events()
    connection.handle_packet(0, frames.encode_ping(), 0.0)
    assert not connection.has_events
    connection.handle_packet(1, frames.encode_messages(0, 1, [b"text"]), 0.0)
    assert connection.has_events
    assert connection.take_events() == [MessagesArrived(0, 1, [b"text"], 0.0)]
    assert not connection.has_events


def test_content_that_was_not_lost_after_all_is_not_resent() -> None:
    connection = lone()
    connection.queue(0, [bytes(1100)] * 5)
    connection.take_packets(0.0, 10)
    connection.handle_packet(0, frames.encode_ack(0, [(1, 4)]), 0.1)
    assert connection.stats.packets_lost == 1
    connection.handle_packet(1, frames.encode_ack(0, [(0, 4)]), 0.11)
    assert connection.stats.packets_spurious == 1
    assert connection.take_packets(0.11, 10) == []
    assert not connection.unacked
    assert connection.next_timeout() > 1.0  # type: ignore[operator]


@pytest.mark.parametrize("answered", ["the original", "the re-sent", "both"])
def test_r12_an_ack_after_a_resend_is_no_ambiguous_sample(answered: str) -> None:
    """Karn's problem, RFC 6298 section 3: which of the two does the ACK answer? Here a packet
    number says it, so the sample is of the packet that arrived, and the estimate right."""
    connection = lone()
    connection.queue(0, [b"first"])
    for packet in connection.take_packets(0.0, 10):
        connection.handle_packet(packet.number, frames.encode_ack(0, [(0, packet.number)]), 0.05)
    assert connection.stats.smoothed_rtt_s == pytest.approx(0.05)
    connection.queue(0, [b"second"])
    (original,) = connection.take_packets(1.0, 10)
    now, resent = 1.0, connection.take_packets(1.0, 10)
    while not any(b"second" in packet.payload for packet in resent):
        now = connection.next_timeout() or now
        connection.handle_timeout(now)
        resent = connection.take_packets(now, 10)
    assert now < 1.3
    again = resent[-1].number
    assert again > original.number
    acked = {
        "the original": [(original.number, original.number)],
        "the re-sent": [(again, again)],
        "both": [(original.number, again)],
    }[answered]
    connection.handle_packet(9, frames.encode_ack(0, acked), now + 0.06)
    expected_s = now + 0.06 - (1.0 if answered == "the original" else now)
    assert connection.stats.latest_rtt_s == pytest.approx(expected_s)
    assert connection.stats.smoothed_rtt_s == pytest.approx(0.05 * 7 / 8 + expected_s / 8)


def test_max_packets_cuts_a_round_short_and_asks_for_another() -> None:
    connection = lone()
    connection.queue(0, [bytes(1100)] * 8)
    assert connection.take_packets(1.0, 0) == []
    assert len(connection.take_packets(1.0, 3)) == 3
    assert connection.next_timeout() == 1.0
    assert len(connection.take_packets(1.0, 100)) == 5
