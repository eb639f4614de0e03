"""What a hostile byte costs: steps of Python and kept bytes, for each frame type.

Every kind of frame has a row: the packets that make it as expensive as a peer with a right key can,
with bounds. Steps are lines of our code that ran, so they are the same on every machine.
"""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

import pytest

from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.events import MessagesArrived
from chatnet_engine.arq.loss import MAX_LOST_KEPT
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.limits import (
    MAX_ACK_RANGES,
    MAX_CHANNELS,
    MAX_HELLO_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_PAYLOAD_BYTES,
    MAX_STATES,
    MESSAGE_OVERHEAD_BYTES,
)
from chatnet_protocol.wire import frames
from hostile.cost import Steps

PACKETS = 40


@dataclass(frozen=True)
class Row:
    """`packet(n)` is the n-th payload; `prepare` brings the link into the worst state for it."""

    packet: Callable[[int], bytes]
    steps_a_byte: float
    kept_a_byte: float
    prepare: Callable[[Connection], None] = lambda connection: None


def link() -> Connection:
    """Up, with HELLO exchanged. None of its first packet numbers is left out."""
    connection = Connection(now=0.0, random=lambda size: bytes([255] * size))
    connection.start_sending(1)
    connection.start_receiving(1)
    return connection


def filled(frame: Callable[[int], bytes]) -> bytes:
    """As many frames as a packet takes: `frame(i)` is the i-th."""
    out, count = b"", 0
    while count < frames.MAX_FRAMES:
        more = frame(count)
        if len(out) + len(more) > MAX_PAYLOAD_BYTES:
            break
        out += more
        count += 1
    return out


def thousands_given_up(connection: Connection) -> None:
    """The peer acknowledged only the last of thousands, late: the others are remembered."""
    for _ in range(MAX_LOST_KEPT + 500):
        connection.ping()
        packets = connection.take_packets(0.0, 1)
    newest = packets[-1].number
    connection.handle_packet(10**6, frames.encode_ack(0, [(newest, newest)]), 9.0)
    assert len(connection._sender.loss._lost_packets) == MAX_LOST_KEPT
    for _ in range(500):
        connection.ping()
        connection.take_packets(9.0, 1)


def many_ranges(count: int) -> bytes:
    """ACKs of every other packet, as far as 32 ranges reach, somewhere else each time."""
    first = 10 * (count % 9)
    ranges = [(first + 4 * i, first + 4 * i) for i in reversed(range(MAX_ACK_RANGES))]
    return frames.encode_ack(0, ranges)


def some_sent(connection: Connection) -> None:
    connection.queue(0, [b"x"] * 4000)
    while connection.take_packets(0.0, 1):
        pass


def one_on_each_channel(connection: Connection) -> None:
    for channel in range(1, MAX_CHANNELS):
        connection.queue(channel, [b"x"])


def holes(count: int) -> bytes:
    """Receipts that leave holes before them, as many as may be."""
    first = 1 + 4 * count * 100 % 800
    return filled(lambda i: frames.encode_receipt(first + 2 * i % 700, 10**9, 1))


def early(channel: int, count: int) -> bytes:
    """Tiny messages out of order, which have to be kept."""
    return filled(lambda i: frames.encode_messages(channel, 2 + (count * 150 + i) % 8000, [b"x"]))


def parts(count: int) -> bytes:
    """Every other byte of a long message."""

    def part(i: int) -> bytes:
        place = count * 60 + i
        return frames.encode_message(
            1 + place // 900 % 15, 2, 2 * (place % 900), MAX_MESSAGE_BYTES, b"x"
        )

    return filled(part)


def token(count: int) -> bytes:
    return count.to_bytes(8, "big")


FRAMES: dict[type, Row] = {
    frames.Ping: Row(lambda n: filled(lambda i: frames.encode_ping()), 50, 2),
    frames.Ack: Row(many_ranges, 28, 2, thousands_given_up),
    frames.Hello: Row(lambda n: frames.encode_hello(bytes(MAX_HELLO_BYTES)), 2, 2),
    frames.Message: Row(parts, 16, 8),
    frames.Messages: Row(lambda n: early(1 + n % 15, n), 16, 12),
    frames.Receipt: Row(holes, 13, 2, some_sent),
    frames.ChannelReceipt: Row(
        lambda n: filled(lambda i: frames.encode_channel_receipt(1 + i % 15, 0)), 20, 2,
        one_on_each_channel,
    ),
    frames.State: Row(
        lambda n: filled(lambda i: frames.encode_state(i % MAX_STATES, n * 256 + i, b"")), 14, 2
    ),
    frames.Close: Row(lambda n: filled(lambda i: frames.encode_close(0, "")), 20, 4),
    frames.PathChallenge: Row(
        lambda n: filled(lambda i: frames.encode_path_challenge(token(i))), 6, 2
    ),
    frames.PathResponse: Row(
        lambda n: filled(lambda i: frames.encode_path_response(token(i))), 6, 2
    ),
}  # fmt: skip


def hostile(connection: Connection, payloads: list[bytes]) -> int:
    """Feed them, answering as an engine does; bytes taken before the link ended, if it did."""
    taken = 0
    for number, payload in enumerate(payloads, 1):
        try:
            connection.handle_packet(number, payload, 10.0)
        except RemoteProtocolError:
            break
        connection.take_events()
        connection.take_packets(10.0, 64)
        taken += len(payload)
    return taken


@pytest.mark.parametrize(
    ("body", "most"),
    [(bytes(60_000), (130, 165, 45)), (bytes(100), (125, 155, 45))],
    ids=["parts", "messages"],
)
def test_steps_a_packet_of_a_backlog(body: bytes, most: tuple[float, float, float]) -> None:
    """To make it, to take it in, and to take its ACK and receipts in, by 48 on a clean line."""
    sides = Sides(body)
    for _ in range(20):
        sides.turn(48)  # a round trip is known, and the line
    sides.packets, sides.steps = 0, [0, 0, 0]
    for _ in range(20):
        sides.turn(48)
    assert sides.packets == 20 * 48
    each = [steps / sides.packets for steps in sides.steps]
    assert all(steps <= limit for steps, limit in zip(each, most, strict=True)), each


class Sides:
    """A backlog of `body` in flight from one link to another."""

    def __init__(self, body: bytes) -> None:
        self.packets, self.steps = 0, [0, 0, 0]
        self._body, self._now, self._arrived = body, 0.0, 0
        self._sends, self._receives = link(), link()

    def turn(self, packets: int) -> None:
        """They leave, arrive, and are acknowledged and receipted a millisecond later."""
        sends, receives = self._sends, self._receives
        if (fits := sends.credit(0) // (len(self._body) + MESSAGE_OVERHEAD_BYTES)) > 0:
            sends.queue(0, [self._body] * fits)
        with Steps() as making:
            leaving = sends.take_packets(self._now, packets)
        self._now += 0.001
        with Steps() as taking:
            for packet in leaving:
                receives.handle_packet(packet.number, packet.payload, self._now)
            events = receives.take_events()
        for event in events:
            if isinstance(event, MessagesArrived):
                count = len(event.messages)
                self._arrived += count
                receives.receipt(self._arrived, self._arrived, count)
        answers = receives.take_packets(self._now, packets)
        with Steps() as heeding:
            for packet in answers:
                sends.handle_packet(packet.number, packet.payload, self._now)
            sends.take_events()
        for index, counted in enumerate((making, taking, heeding)):
            self.steps[index] += counted.count
        self.packets += len(leaving)


def test_every_frame_type_has_a_row() -> None:
    assert set(FRAMES) == set(get_args(frames.Frame))


@pytest.mark.parametrize("kind", FRAMES, ids=lambda kind: kind.__name__)
def test_steps_a_hostile_byte(kind: type) -> None:
    row = FRAMES[kind]
    payloads = [row.packet(number) for number in range(PACKETS)]
    assert any(isinstance(frame, kind) for frame in frames.decode(payloads[0]))
    connection = link()
    row.prepare(connection)
    with Steps() as steps:
        taken = hostile(connection, payloads)
    assert taken, "the first packet is taken"
    assert steps.count / taken < row.steps_a_byte


@pytest.mark.parametrize("kind", FRAMES, ids=lambda kind: kind.__name__)
def test_kept_bytes_a_hostile_byte(kind: type) -> None:
    row = FRAMES[kind]
    payloads = [row.packet(number) for number in range(PACKETS)]
    connection = link()
    row.prepare(connection)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        taken = hostile(connection, payloads)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept / taken < row.kept_a_byte
