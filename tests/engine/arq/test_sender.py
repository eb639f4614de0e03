"""When packets leave: the window and who may exceed it, the keepalive, what waits for an answer."""

from random import Random

import pytest

from chatnet_engine.arq.acks import Acks
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.sender import CHAT_CREDIT_PACKETS, Sender
from chatnet_engine.arq.sources import Sources
from chatnet_protocol.wire import frames

CONFIG = ArqConfig()
FULL_BYTES = CONFIG.max_payload_bytes + CONFIG.datagram_overhead_bytes


def sending() -> Connection:
    connection = Connection(now=0.0, random=Random(1).randbytes)
    connection.start_sending(1)
    return connection


@pytest.mark.parametrize(("chance", "share"), [(0, 1.0), (128, 0.875), (255, 0.751)])
def test_chance_shortens_the_keepalive_by_up_to_a_quarter(chance: int, share: float) -> None:
    sender = Sender(CONFIG, lambda count: bytes([chance] * count), Sources(Acks()), 0.0)
    assert sender.next_timeout(0.0) == pytest.approx(CONFIG.keepalive_s * share, rel=1e-3)


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
