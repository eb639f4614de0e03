"""The congestion window: RFC 9002 section 7 with the increase and decrease of TCP-Illinois."""

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.congestion import (
    ALPHA_MAX,
    ALPHA_MIN,
    BASE_KEPT_S,
    BETA_MAX,
    BETA_MIN,
    Illinois,
    QueueGauge,
)
from chatnet_engine.arq.packets import SentPacket

CONFIG = ArqConfig()
PACKET = CONFIG.max_payload_bytes + CONFIG.datagram_overhead_bytes


def acked(window: Illinois, sent_at: float, *, used: bool = True, count: int = 1) -> None:
    packets = [SentPacket(number, sent_at, PACKET, []) for number in range(count)]
    window.on_ack(packets, None, 0, sent_at + 0.05, used)


def out_of_slow_start() -> Illinois:
    window = Illinois(CONFIG)
    acked(window, 0.5, count=30)
    window.on_lost(PACKET, 1.0, 1.1)
    return window


def test_slow_start_grows_by_what_arrives_when_the_window_was_used() -> None:
    window = Illinois(CONFIG)
    assert window.window_bytes == 10 * PACKET
    assert window.in_slow_start
    acked(window, 1.0, used=False)
    assert window.window_bytes == 10 * PACKET
    acked(window, 1.0)
    assert window.window_bytes == 11 * PACKET


def test_a_loss_halves_once_per_round_trip_and_never_below_the_minimum() -> None:
    window = out_of_slow_start()
    assert window.window_bytes == 20 * PACKET
    assert not window.in_slow_start
    window.on_lost(PACKET, 1.05, 1.2)
    assert window.window_bytes == 20 * PACKET
    acked(window, 1.1)
    assert window.window_bytes == 20 * PACKET
    for n in range(10):
        window.on_lost(PACKET, 2.0 + n, 2.5 + n)
    assert window.window_bytes == CONFIG.min_window_packets * PACKET


def test_before_any_sample_it_adds_a_packet_for_a_window() -> None:
    window = out_of_slow_start()
    for _ in range(20):
        acked(window, 1.2)
    assert 20.9 * PACKET < window.window_bytes <= 21 * PACKET


def test_with_an_empty_queue_it_gives_little_and_takes_much() -> None:
    window = out_of_slow_start()
    for n in range(20):
        window.on_ack([], 0.05, 0, 1.2 + 0.06 * n, used=False)
    for _ in range(20):
        acked(window, 1.2)
    assert 27 * PACKET < window.window_bytes < 30 * PACKET
    before = window.window_bytes
    window.on_lost(PACKET, 3.0, 3.1)
    assert window.window_bytes == pytest.approx(before * (1 - BETA_MIN), abs=1)


def test_without_a_reduction_there_is_nothing_to_take_back() -> None:
    window = Illinois(CONFIG)
    window.on_spurious()
    assert window.window_bytes == 10 * PACKET
    assert window.in_slow_start


def test_a_spurious_loss_is_undone_once() -> None:
    window = Illinois(CONFIG)
    window.on_lost(PACKET, 1.0, 1.1)
    window.on_spurious()
    assert window.window_bytes == 10 * PACKET
    assert window.in_slow_start
    window.window_bytes -= 1
    window.on_spurious()
    assert window.window_bytes == 10 * PACKET - 1


def test_persistent_congestion_starts_over() -> None:
    window = Illinois(CONFIG)
    window.on_lost(PACKET, 1.0, 1.1)
    window.on_persistent()
    assert window.window_bytes == CONFIG.min_window_packets * PACKET
    window.on_spurious()
    assert window.window_bytes == CONFIG.min_window_packets * PACKET


def fed(*queues_s: float) -> QueueGauge:
    gauge = QueueGauge()
    for n, queue_s in enumerate(queues_s):
        gauge.add(0.05 + queue_s, 0.5 * n)
    return gauge


def test_the_regime_follows_the_queue() -> None:
    full = fed(0.0, 0.1)
    assert full.alpha == pytest.approx(ALPHA_MIN)
    assert full.beta == BETA_MAX
    empty = fed(0.0, 0.1, 0.001)
    assert (empty.alpha, empty.beta) == (ALPHA_MAX, BETA_MIN)
    half = fed(0.0, 0.1, 0.05)
    assert ALPHA_MIN < half.alpha < 1
    assert 0.3 < half.beta < 0.4
    short = fed(0.0, 0.1, 0.008)
    assert short.beta == BETA_MIN
    assert 1 < short.alpha < ALPHA_MAX


def test_samples_of_one_round_are_averaged() -> None:
    gauge = fed(0.0)
    gauge.add(0.15, 0.01)
    gauge.add(0.15, 0.02)
    assert gauge.alpha == ALPHA_MAX
    gauge.add(0.06, 0.06)
    assert gauge.alpha < 1


def test_a_longer_path_becomes_the_base_and_a_stall_is_forgotten() -> None:
    gauge = fed(0.0, 10.0)
    now = 1.0
    while now < 2 * BASE_KEPT_S + 2:
        gauge.add(0.2, now)
        now += 0.2
    assert (gauge.alpha, gauge.beta) == (ALPHA_MAX, BETA_MIN)
    for _ in range(600):
        gauge.add(0.2, now)
        now += 0.3
    gauge.add(0.4, now)
    assert gauge.beta == BETA_MAX


def test_a_window_however_large_grows() -> None:
    window = out_of_slow_start()
    window.window_bytes = 10**9
    acked(window, 2.0)
    assert window.window_bytes == 10**9 + 1


def test_what_left_at_the_moment_of_a_reduction_belongs_to_it() -> None:
    window = out_of_slow_start()
    window.on_lost(PACKET, 1.1, 1.2)
    assert window.window_bytes == 20 * PACKET


def test_it_paces_by_its_window_and_knows_no_rate() -> None:
    window = Illinois(CONFIG)
    assert window.pace(0.1) == pytest.approx(2.0 * window.window_bytes / 0.1)
    assert window.state == "slow_start"
    window = out_of_slow_start()
    assert window.pace(0.1) == pytest.approx(1.25 * window.window_bytes / 0.1)
    assert window.state == "congestion_avoidance"
    before = window.window_bytes
    window.on_sent(PACKET, 1.0)
    window.on_app_limited(0)
    window.on_late(PACKET)
    assert (window.window_bytes, window.rate_bytes_per_s) == (before, 0.0)


def test_it_shows_the_queue_of_the_last_round() -> None:
    window = Illinois(CONFIG)
    window.on_ack([], 0.05, 0, 1.0, used=False)
    window.on_ack([], 0.08, 0, 2.0, used=False)
    assert window.queue_s == pytest.approx(0.03)
