"""The pacer: bursts pass, a stream keeps the pace, text has a credit."""

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.pacing import BURST_S, LATE_S, LEAST_BURST_PACKETS, Pacer

CONFIG = ArqConfig()
PACKET = CONFIG.max_payload_bytes + CONFIG.datagram_overhead_bytes


def spend(pacer: Pacer, now: float) -> int:
    sent = 0
    while pacer.ready_at(now, 0) <= now:
        pacer.on_sent(PACKET)
        sent += 1
    return sent


def at_pace(packets_per_s: float) -> Pacer:
    """A pacer whose burst has left at 0."""
    pacer = Pacer(CONFIG, 0.0)
    pacer.set_rate(packets_per_s * PACKET, PACKET, 0.0)
    spend(pacer, 0.0)
    return pacer


def test_without_a_rate_nothing_waits() -> None:
    pacer = Pacer(CONFIG, 0.0)
    for _ in range(100):
        pacer.on_sent(PACKET)
    assert pacer.ready_at(0.0, 0) == 0.0


@pytest.mark.parametrize(
    ("packets_per_s", "burst"), [(100, LEAST_BURST_PACKETS), (10_000, LATE_S * 10_000)]
)
def test_a_burst_passes_then_the_rate_holds(packets_per_s: int, burst: float) -> None:
    pacer = at_pace(packets_per_s)
    pacer.set_rate(packets_per_s * PACKET, PACKET, 10.0)
    assert spend(pacer, 10.0) == burst
    now, sent = 10.0, 0
    while now < 11.0:
        now = pacer.ready_at(now, 0)
        sent += spend(pacer, now)
    assert packets_per_s * 0.99 <= sent <= packets_per_s * 1.01 + burst


def test_a_loop_that_was_late_makes_up_for_it_within_bounds() -> None:
    rate = 10_000
    for late_s in (0.0, LATE_S / 2):
        pacer = at_pace(rate)
        assert spend(pacer, BURST_S / 2 + late_s) == (BURST_S / 2 + late_s) * rate
    pacer = at_pace(rate)
    assert spend(pacer, 10 * LATE_S) == LATE_S * rate


def test_a_faster_rate_waits_less() -> None:
    assert at_pace(200).ready_at(0.0, 0) < at_pace(100).ready_at(0.0, 0)


def test_credit_passes_an_empty_bucket_until_it_is_spent() -> None:
    pacer = at_pace(10)
    passed = 0
    while pacer.ready_at(0.0, 4) <= 0.0:
        pacer.on_sent(PACKET)
        passed += 1
    assert passed == 4
    later = pacer.ready_at(0.0, 4)
    assert pacer.ready_at(later, 4) == later


def test_debt_is_bounded() -> None:
    pacer = at_pace(16)
    for _ in range(1000):
        pacer.on_sent(PACKET)
    assert pacer.ready_at(0.0, 0) <= 1.5 * LEAST_BURST_PACKETS / 16


def test_an_empty_bucket_opens_again_half_full_less_its_credit() -> None:
    pacer = at_pace(100)
    half = LEAST_BURST_PACKETS / 2
    assert pacer.ready_at(0.0, 0) == pytest.approx(half / 100)
    for _ in range(4):
        pacer.on_sent(PACKET)
    assert pacer.ready_at(0.0, 4) == pytest.approx(half / 100)
