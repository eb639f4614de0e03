"""NewReno by RFC 9002 section 7."""

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.congestion import NewReno

CONFIG = ArqConfig()
PACKET = CONFIG.max_payload_bytes + CONFIG.datagram_overhead_bytes


def test_slow_start_grows_by_what_arrives_when_the_window_was_used() -> None:
    reno = NewReno(CONFIG)
    assert reno.window_bytes == 10 * PACKET
    assert reno.in_slow_start
    reno.on_acked(PACKET, 1.0, used=False)
    assert reno.window_bytes == 10 * PACKET
    reno.on_acked(PACKET, 1.0, used=True)
    assert reno.window_bytes == 11 * PACKET


def test_a_loss_halves_once_per_round_trip_and_never_below_the_minimum() -> None:
    reno = NewReno(CONFIG)
    for _ in range(30):
        reno.on_acked(PACKET, 0.5, used=True)
    reno.on_lost(1.0, 1.1)
    assert reno.window_bytes == 20 * PACKET
    assert not reno.in_slow_start
    reno.on_lost(1.05, 1.2)
    assert reno.window_bytes == 20 * PACKET
    reno.on_acked(PACKET, 1.1, used=True)
    assert reno.window_bytes == 20 * PACKET
    for n in range(10):
        reno.on_lost(2.0 + n, 2.5 + n)
    assert reno.window_bytes == CONFIG.min_window_packets * PACKET


def test_congestion_avoidance_adds_a_packet_for_a_window() -> None:
    reno = NewReno(CONFIG)
    for _ in range(30):
        reno.on_acked(PACKET, 0.5, used=True)
    reno.on_lost(1.0, 1.1)
    for _ in range(20):
        reno.on_acked(PACKET, 1.2, used=True)
    assert 20.9 * PACKET < reno.window_bytes <= 21 * PACKET


def test_a_spurious_loss_is_undone_once() -> None:
    reno = NewReno(CONFIG)
    reno.on_lost(1.0, 1.1)
    reno.on_spurious()
    assert reno.window_bytes == 10 * PACKET
    assert reno.in_slow_start
    reno.window_bytes -= 1
    reno.on_spurious()
    assert reno.window_bytes == 10 * PACKET - 1


def test_persistent_congestion_starts_over() -> None:
    reno = NewReno(CONFIG)
    reno.on_lost(1.0, 1.1)
    reno.on_persistent()
    assert reno.window_bytes == CONFIG.min_window_packets * PACKET
    reno.on_spurious()
    assert reno.window_bytes == CONFIG.min_window_packets * PACKET
