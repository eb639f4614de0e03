"""A Connection's figures, sentences and deadlines, and what it still does when it is over."""

from random import Random

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.events import MessagesArrived, ReceiptsArrived
from chatnet_engine.arq.sizing import SAFE_PAYLOAD_BYTES
from chatnet_engine.trace import Kind, LinkTracer, Tracer
from chatnet_protocol.errors import LocalProtocolError, RemoteProtocolError
from chatnet_protocol.limits import MAX_CHANNELS
from chatnet_protocol.wire import frames
from chatnet_protocol.wire.frames import Receipt

NOW = 50.0


def fresh() -> Connection:
    return Connection(now=NOW, random=Random(1).randbytes)


def lone() -> Connection:
    connection = fresh()
    connection.start_sending(1)
    connection.start_receiving(1)
    return connection


def test_packets_are_counted_as_they_come_go_and_come_again() -> None:
    connection = lone()
    figures = [connection.stats]
    for number in (0, 1):
        connection.handle_packet(number, frames.encode_ping(), NOW)
        connection.handle_packet(number, frames.encode_ping(), NOW)
        connection.take_packets(NOW, 10)
        figures.append(connection.stats)
    assert [f.packets_received for f in figures] == [0, 1, 2]
    assert [f.duplicate_packets for f in figures] == [0, 1, 2]
    assert [f.packets_sent for f in figures] == [0, 1, 2]


def test_each_ack_is_traced_with_what_is_known_of_the_path() -> None:
    tracer = Tracer(detail=True)
    connection = Connection(now=NOW, random=Random(1).randbytes, trace=LinkTracer(tracer, 3))
    connection.ping()
    (packet,) = connection.take_packets(NOW, 10)
    connection.handle_packet(0, frames.encode_ack(0, [(0, packet.number)]), NOW + 0.05)
    (traced,) = [one for one in tracer.take() if one.kind is Kind.METRICS]
    assert traced.peer == 3
    assert traced.fields == {
        "rtt_ms": pytest.approx(50),
        "smoothed_rtt_ms": pytest.approx(50),
        "window": connection.stats.window_bytes,
        "in_flight": 0,
        "loss": 0.0,
        "rate": connection.stats.rate_bytes_per_s,
        "queue_ms": connection.stats.queue_s * 1000,
    }


def test_each_packet_is_traced_as_it_leaves() -> None:
    tracer = Tracer(detail=True)
    connection = Connection(now=NOW, random=Random(1).randbytes, trace=LinkTracer(tracer, 3))
    connection.start_sending(1)
    connection.queue(0, [b"text"])
    packets = connection.take_packets(NOW, 10)
    assert [one.fields for one in tracer.take() if one.kind is Kind.PACKET_SENT] == [
        {"number": one.number, "size": len(one.payload), "ack_eliciting": True, "probe": False}
        for one in packets
    ]


def test_a_path_that_swallows_packets_is_traced_once() -> None:
    tracer = Tracer()
    connection = Connection(now=NOW, random=Random(1).randbytes, trace=LinkTracer(tracer, 3))
    connection.start_sending(1)
    connection.queue(0, [bytes(1100)] * 6)
    large = connection.take_packets(NOW, 10)
    assert min(len(packet.payload) for packet in large) > SAFE_PAYLOAD_BYTES
    connection.ping()
    small = connection.take_packets(NOW + 0.01, 1)[0].number
    for number, later_s in enumerate((0.1, 0.2)):
        connection.handle_packet(number, frames.encode_ack(0, [(small, small)]), NOW + later_s)
    holes = [one.fields for one in tracer.take() if one.kind is Kind.BLACK_HOLE]
    assert holes == [{"black_hole": True, "mtu": connection.stats.mtu_bytes}]
    assert connection.stats.black_hole


def test_a_new_connection_only_has_its_path_to_keep_alive() -> None:
    connection, keepalive_s = fresh(), ArqConfig().keepalive_s
    deadline = connection.next_timeout()
    assert deadline is not None
    assert NOW + keepalive_s <= deadline <= NOW + 10.0
    connection.handle_timeout(NOW + 1)
    assert connection.next_timeout() == deadline


def test_receipts_between_two_drains_are_all_told() -> None:
    connection = lone()
    connection.queue(0, [b"one", b"two"])
    connection.take_packets(NOW, 10)
    connection.take_events()
    connection.handle_packet(0, frames.encode_receipt(1, 7, 1), NOW)
    connection.handle_packet(1, frames.encode_receipt(2, 9, 1), NOW)
    runs = [Receipt(1, 7, 1), Receipt(2, 9, 1)]
    assert connection.take_events() == [ReceiptsArrived(runs)]


def test_a_message_in_parts_has_the_time_of_its_last_part() -> None:
    connection = lone()
    connection.handle_packet(0, frames.encode_message(0, 1, 0, 4, b"ab"), NOW)
    connection.handle_packet(1, frames.encode_message(0, 1, 2, 4, b"cd"), NOW + 2)
    assert connection.take_events() == [MessagesArrived(0, 1, [b"abcd"], NOW + 2)]


def test_a_violation_says_what_was_wrong() -> None:
    connection = lone()
    with pytest.raises(RemoteProtocolError, match=r"^receipt for a message that was never sent$"):
        connection.handle_packet(0, frames.encode_receipt(1, 1, 1), NOW)
    with pytest.raises(RemoteProtocolError, match="frame"):
        connection.handle_packet(0, b"\xff", NOW)


def test_a_wrong_call_says_what_was_wrong() -> None:
    with pytest.raises(LocalProtocolError, match=r"^message numbers begin at 1$"):
        fresh().start_sending(0)
    connection = lone()
    with pytest.raises(LocalProtocolError, match=r"^sending has started already$"):
        connection.start_sending(1)
    connection.close(1, "bye")
    with pytest.raises(LocalProtocolError, match=r"^the link is closed$"):
        connection.queue(0, [b"late"])


def test_there_is_room_in_the_channels_that_there_are() -> None:
    connection = lone()
    rooms = [
        connection.credit(channel) > 0 for channel in (-1, 0, 1, MAX_CHANNELS - 1, MAX_CHANNELS)
    ]
    assert rooms == [False, True, True, True, False]


def test_goodbye_is_due_at_once_and_once() -> None:
    connection = lone()
    connection.close(1, "bye")
    assert connection.next_timeout() == NOW
    assert len(connection.take_packets(NOW, 10)) == 1
    assert connection.next_timeout() is None
    connection.close(1, "bye")
    assert connection.next_timeout() is None


def test_who_has_said_goodbye_probes_no_more() -> None:
    connection = lone()
    connection.queue(0, [b"anybody?"])
    connection.take_packets(NOW, 10)
    connection.close(1, "bye")
    connection.handle_timeout(NOW + 100)
    assert connection.stats.pto_count == 0


def test_what_waited_when_the_peer_said_goodbye_does_not_leave() -> None:
    connection = lone()
    connection.queue(0, [b"too late"])
    connection.handle_packet(0, frames.encode_close(1, "bye"), NOW)
    assert connection.take_packets(NOW, 10) == []
    assert connection.next_timeout() is None


def test_an_ack_that_is_known_leaves_nothing_due_of_what_was_forgotten_with_it() -> None:
    """A late packet, then one that cannot be taken yet but carries the ACK of our ACK."""
    connection = fresh()
    connection.handle_packet(5, frames.encode_ping(), NOW)
    connection.ping()
    (told,) = connection.take_packets(NOW, 10)
    connection.handle_packet(3, frames.encode_ping(), NOW)
    early = frames.encode_receipt(1, 1, 1)
    connection.handle_packet(6, frames.encode_ack(0, [(told.number, told.number)]) + early, NOW)
    assert connection.take_packets(NOW, 50) == []
