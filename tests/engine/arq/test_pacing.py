"""The pacer: bursts pass, a stream keeps the pace, text has a credit."""

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.pacing import Pacer

CONFIG = ArqConfig()
PACKET = CONFIG.max_payload_bytes + CONFIG.datagram_overhead_bytes


def spend(pacer: Pacer, now: float) -> int:
    sent = 0
    while pacer.ready_at(now, 0) <= now:
        pacer.on_sent(PACKET)
        sent += 1
    return sent


def test_without_a_rate_nothing_waits() -> None:
    pacer = Pacer(CONFIG, 0.0)
    for _ in range(100):
        pacer.on_sent(PACKET)
    assert pacer.ready_at(0.0, 0) == 0.0


def test_a_burst_passes_then_the_rate_holds() -> None:
    pacer = Pacer(CONFIG, 0.0)
    pacer.set_rate(100 * PACKET, 1.0, slow_start=False, now=0.0)
    assert spend(pacer, 0.0) == CONFIG.burst_packets
    now, sent = 0.0, 0
    while now < 1.0:
        now = pacer.ready_at(now, 0)
        sent += spend(pacer, now)
    assert 115 <= sent <= 125 + CONFIG.burst_packets


def test_slow_start_goes_at_twice_the_pace() -> None:
    slow, fast = Pacer(CONFIG, 0.0), Pacer(CONFIG, 0.0)
    slow.set_rate(100 * PACKET, 1.0, slow_start=False, now=0.0)
    fast.set_rate(100 * PACKET, 1.0, slow_start=True, now=0.0)
    spend(slow, 0.0)
    spend(fast, 0.0)
    assert fast.ready_at(0.0, 0) < slow.ready_at(0.0, 0)


def test_credit_passes_an_empty_bucket_until_it_is_spent() -> None:
    pacer = Pacer(CONFIG, 0.0)
    pacer.set_rate(10 * PACKET, 1.0, slow_start=False, now=0.0)
    spend(pacer, 0.0)
    passed = 0
    while pacer.ready_at(0.0, 4) <= 0.0:
        pacer.on_sent(PACKET)
        passed += 1
    assert passed == 4
    later = pacer.ready_at(0.0, 4)
    assert pacer.ready_at(later, 4) == later


def test_debt_is_bounded() -> None:
    pacer = Pacer(CONFIG, 0.0)
    pacer.set_rate(16 * PACKET, 1.0, slow_start=False, now=0.0)
    for _ in range(1000):
        pacer.on_sent(PACKET)
    assert pacer.ready_at(0.0, 0) <= 1.5 * CONFIG.burst_packets / (1.25 * 16)


@pytest.mark.parametrize(("slow_start", "pace"), [(True, 2.0), (False, 1.25)])
def test_an_empty_bucket_opens_again_half_full_less_its_credit(
    slow_start: bool, pace: float
) -> None:
    pacer = Pacer(CONFIG, 0.0)
    pacer.set_rate(100 * PACKET, 1.0, slow_start=slow_start, now=0.0)
    spend(pacer, 0.0)
    half = CONFIG.burst_packets / 2
    assert pacer.ready_at(0.0, 0) == pytest.approx(half / (100 * pace))
    for _ in range(4):
        pacer.on_sent(PACKET)
    assert pacer.ready_at(0.0, 4) == pytest.approx(half / (100 * pace))
