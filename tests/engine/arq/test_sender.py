"""When packets leave: window, pace, probes, the keepalive, what waits for an answer."""

from random import Random

import pytest

from chatnet_engine.arq.acks import RECEIPT_ACK_DELAY_S, Acks, Elicits
from chatnet_engine.arq.channel_out import SendChannel
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.pacing import LEAST_BURST_PACKETS
from chatnet_engine.arq.packets import Packet
from chatnet_engine.arq.sender import CHAT_CREDIT_PACKETS, MAX_SMALL_PROBES, Sender
from chatnet_engine.arq.sizing import SAFE_PAYLOAD_BYTES
from chatnet_engine.arq.sources import Sources
from chatnet_engine.deadlines import TICK_S
from chatnet_protocol.wire import frames

CONFIG = ArqConfig()
FULL_BYTES = CONFIG.max_payload_bytes + CONFIG.datagram_overhead_bytes


def sending() -> Connection:
    connection = Connection(now=0.0, random=Random(1).randbytes)
    connection.start_sending(1)
    return connection


@pytest.mark.parametrize(("leads", "due"), [(True, 9.0), (False, 9.75)])
def test_the_side_that_leads_keeps_the_path_alive_and_the_other_is_later(
    leads: bool, due: float
) -> None:
    sender = Sender(CONFIG, Random(1).randbytes, Sources(Acks()), 0.0, leads=leads)
    assert sender.next_timeout(0.0) == due


def test_keepalives_of_many_links_are_due_together_and_within_ten_seconds() -> None:
    random = Random(2)
    dues = set()
    for leads in [True, False] * 250:
        begin = random.uniform(1000.0, 1001.0)
        sender = Sender(CONFIG, random.randbytes, Sources(Acks()), begin, leads=leads)
        due = sender.next_timeout(begin)
        assert CONFIG.keepalive_s <= due - begin <= 10.0
        dues.add(due)
    assert len(dues) <= 1.75 / TICK_S


def test_one_ping_keeps_both_directions_alive() -> None:
    """Of an idle minute; 100 ms there and 100 ms back."""
    sides = [
        Connection(now=0.0, random=Random(side).randbytes, leads=not side) for side in range(2)
    ]
    under_way: list[tuple[float, int, Packet]] = []
    sent = [0, 0]
    latest, longest = [0.0, 0.0], 0.0
    now = 0.0
    while now < 60:
        for side, link in enumerate(sides):
            link.handle_timeout(now)
            for packet in link.take_packets(now, 10):
                sent[side] += 1
                longest = max(longest, now - latest[side])
                latest[side] = now
                under_way.append((now + 0.1, 1 - side, packet))
        while under_way and under_way[0][0] <= now:
            _, side, packet = under_way.pop(0)
            sides[side].handle_packet(packet.number, packet.payload, now)
        now += 0.01
    assert sent == [6, 6]
    assert longest <= 10.0


def test_a_peer_that_is_slow_to_answer_a_keepalive_is_not_probed_at_once() -> None:
    link = Connection(now=0.0, random=Random(1).randbytes)
    for number, now in enumerate((9.0, 18.0)):
        link.handle_timeout(now)
        (packet,) = link.take_packets(now, 10)
        link.handle_packet(number, frames.encode_ack(0, [(0, packet.number)]), now + 0.001)
    link.handle_timeout(28.0)
    assert len(link.take_packets(28.0, 10)) == 1
    assert (link.next_timeout() or 0.0) > 28.0 + RECEIPT_ACK_DELAY_S
    link.ping()
    link.take_packets(28.0, 10)
    assert (link.next_timeout() or 9e9) < 28.1, "somebody waits for the answer to this one"


def test_the_oldest_packet_without_an_answer_is_known_until_anything_is_heard() -> None:
    link = sending()
    assert link.first_unanswered is None
    for now in (3.0, 4.0):
        link.queue(0, [b"anybody?"])
        link.take_packets(now, 10)
    assert link.first_unanswered == 3.0
    link.handle_packet(0, frames.encode_ping(), 5.0)
    assert link.first_unanswered is None


def test_bulk_stays_within_the_window_and_text_exceeds_it_by_its_credit() -> None:
    link = sending()
    link.queue(1, [bytes(50_000)])
    link.take_packets(0.0, 100)
    window_bytes = link.stats.window_bytes
    assert window_bytes - FULL_BYTES < link.stats.in_flight_bytes <= window_bytes
    link.queue(0, [bytes(50_000)])
    link.take_packets(0.0, 100)
    most_bytes = window_bytes + CHAT_CREDIT_PACKETS * FULL_BYTES
    assert most_bytes - FULL_BYTES < link.stats.in_flight_bytes <= most_bytes


@pytest.mark.parametrize("texts", [1, 12, 30])
def test_bulk_beside_text_leaves_the_credit_to_the_text(texts: int) -> None:
    link = sending()
    link.queue(0, [bytes(100)] * texts)
    link.queue(1, [bytes(50_000)])
    link.take_packets(0.0, 100)
    window_bytes = link.stats.window_bytes
    assert window_bytes - FULL_BYTES < link.stats.in_flight_bytes <= window_bytes
    link.queue(0, [b"soon"])
    assert len(link.take_packets(0.0, 100)) == 1


class Line:
    """A Sender with channels 0 and 1 and nobody at the other end."""

    def __init__(self) -> None:
        self.sources = Sources(Acks())
        for number in (0, 1):
            self.sources.open_channel(SendChannel(number, 1, 1 << 20, 8192))
        self.sender = Sender(CONFIG, Random(1).randbytes, self.sources, 0.0)
        self.now = 0.0

    def say(self, channel: int, *messages: bytes) -> list[Packet]:
        self.sources.channels[channel].queue(list(messages))
        return self.sender.take(self.now, 100)

    def probe(self) -> Packet:
        """The next probe into the silence."""
        self.now = self.sender.next_timeout(self.now)
        self.sender.on_timeout(self.now)
        assert self.sender.next_timeout(self.now) == self.now
        packet, *_ = self.sender.take(self.now, 100)
        return packet


def texts_in(packet: Packet) -> list[bytes]:
    found = frames.decode(packet.payload)
    return [
        text for frame in found if isinstance(frame, frames.Messages) for text in frame.messages
    ]


def test_content_goes_again_in_the_first_four_probes_and_then_in_ever_fewer() -> None:
    line = Line()
    line.say(0, b"x" * 400)
    carried = [count for count in range(1, 21) if texts_in(line.probe())]
    assert carried == [1, 2, 3, 4, 8, 16]


def test_a_probe_carries_every_small_message_on_the_way() -> None:
    line = Line()
    line.say(0, b"one")
    line.say(0, b"two")
    assert sorted(texts_in(line.probe())) == [b"one", b"two"]


def test_probes_are_small_from_the_second_on() -> None:
    line = Line()
    line.say(0, bytes(CONFIG.max_payload_bytes - 50))
    assert len(line.probe().payload) > SAFE_PAYLOAD_BYTES
    assert len(line.probe().payload) <= SAFE_PAYLOAD_BYTES
    (packet, *_) = line.say(1, bytes(5000))
    assert len(packet.payload) > SAFE_PAYLOAD_BYTES, "only probes are"


def test_only_the_last_probes_without_content_are_remembered() -> None:
    line = Line()
    line.sender.ping()
    (first,) = line.sender.take(0.0, 100)
    probes = [line.probe() for _ in range(MAX_SMALL_PROBES + 5)]
    known = [packet.number for packet in line.sender.loss.oldest()]
    assert known == [first.number, *(packet.number for packet in probes[-MAX_SMALL_PROBES:])]


def test_a_probe_with_content_is_not_forgotten() -> None:
    line = Line()
    line.say(0, b"x" * 400)
    carrying = [packet.number for _ in range(30) if texts_in(packet := line.probe())]
    assert set(carrying) <= {packet.number for packet in line.sender.loss.oldest()}


def test_a_ping_or_an_ack_that_is_due_leaves_at_once() -> None:
    line = Line()
    assert line.sender.next_timeout(1.0) > 1.0
    line.sender.ping()
    assert line.sender.next_timeout(1.0) == 1.0
    line.sender.take(1.0, 100)
    assert line.sender.next_timeout(1.0) > 1.0
    line.sources.acks.on_packet(0, Elicits.AT_ONCE, 1.0)
    assert line.sender.next_timeout(1.0) == 1.0


@pytest.mark.parametrize(("too_much_bytes", "packets"), [(0, 1), (1, 0)])
def test_the_window_may_be_used_up_to_its_last_byte(too_much_bytes: int, packets: int) -> None:
    line = Line()
    sender = line.sender
    sender.loss.in_flight_bytes = sender.congestion.window_bytes - FULL_BYTES + too_much_bytes
    assert len(line.say(1, bytes(400))) == packets


def test_in_startup_a_window_leaves_in_a_round_trip() -> None:
    line = Line()
    first = line.say(1, bytes(60_000), bytes(60_000))
    line.sender.on_ack(frames.Ack(0, [(first[0].number, first[-1].number)]), 0.1)
    window_packets = line.sender.congestion.window_bytes / FULL_BYTES
    while line.sender.take(0.1, 100):
        pass
    pause_s = line.sender.next_timeout(0.1) - 0.1
    half_a_burst = LEAST_BURST_PACKETS / 2
    assert pause_s == pytest.approx(half_a_burst / (window_packets / 0.1), rel=0.15)


def test_the_time_that_the_peer_held_an_ack_comes_off_the_sample() -> None:
    line = Line()
    for at, delay_us, after_s in ((1.0, 0, 0.1), (2.0, 2000, 0.11)):
        line.now = at
        (packet,) = line.say(0, b"x" * 400)
        line.sender.on_ack(frames.Ack(delay_us, [(packet.number, packet.number)]), at + after_s)
    assert line.sender.rtt.smoothed_s == pytest.approx(0.1 * 7 / 8 + 0.108 / 8, rel=1e-9)
