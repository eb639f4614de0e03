"""Round-trip estimation by the formulas of RFC 9002 section 5."""

import pytest

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.rtt import RttEstimator

CONFIG = ArqConfig()


def test_before_any_sample_the_initial_values_hold() -> None:
    rtt = RttEstimator(CONFIG)
    assert rtt.smoothed_s == 0.333
    assert (rtt.samples, rtt.latest_s, rtt.min_s) == (0, 0.0, 0.0)
    assert rtt.probe_timeout_s() == pytest.approx(0.333 + 4 * 0.333 / 2 + 0.005)


def test_the_first_sample_is_taken_whole() -> None:
    rtt = RttEstimator(CONFIG)
    rtt.add(0.1, 0.05)
    assert (rtt.smoothed_s, rtt.variation_s, rtt.min_s, rtt.latest_s) == (0.1, 0.05, 0.1, 0.1)


def test_later_samples_are_smoothed() -> None:
    rtt = RttEstimator(CONFIG)
    rtt.add(0.1, 0)
    rtt.add(0.2, 0)
    assert rtt.variation_s == pytest.approx(0.05 * 3 / 4 + 0.1 / 4)
    assert rtt.smoothed_s == pytest.approx(0.1 * 7 / 8 + 0.2 / 8)
    assert rtt.min_s == 0.1


def test_the_ack_delay_comes_off_however_long_and_never_below_the_minimum() -> None:
    rtt = RttEstimator(CONFIG)
    rtt.add(0.1, 0)
    rtt.add(0.2, 0.09)
    assert rtt.smoothed_s == pytest.approx(0.1 * 7 / 8 + 0.11 / 8)
    assert rtt.latest_s == pytest.approx(0.11)
    before = rtt.smoothed_s
    rtt.add(0.102, 1.0)
    assert rtt.smoothed_s == pytest.approx(before * 7 / 8 + 0.102 / 8)
    before = rtt.smoothed_s
    rtt.add(0.102, 0.005)
    assert rtt.smoothed_s == pytest.approx(before * 7 / 8 + 0.102 / 8)


def test_a_sample_over_a_suspend_is_clamped() -> None:
    rtt = RttEstimator(CONFIG)
    rtt.add(30_000, 0)
    assert rtt.latest_s == CONFIG.max_rtt_sample_s
    rtt.add(-1, 0)
    assert rtt.min_s == 0.0


def test_a_steady_path_leaves_the_granularity() -> None:
    rtt = RttEstimator(CONFIG)
    for _ in range(200):
        rtt.add(0.05, 0)
    assert rtt.probe_timeout_s() == pytest.approx(0.05 + 0.001 + 0.005)


def test_a_delay_that_leads_just_to_the_minimum_comes_off() -> None:
    rtt = RttEstimator(CONFIG)
    rtt.add(0.125, 0)
    rtt.add(0.125 + 2**-8, 2**-8)
    assert rtt.smoothed_s == 0.125


@pytest.mark.parametrize(
    ("handshake_s", "assumed_s"), [(0.0, 0.05), (0.06, 0.06), (0.333, 0.333), (20.0, 0.333)]
)
def test_a_round_trip_of_the_handshake_is_assumed_until_one_is_measured(
    handshake_s: float, assumed_s: float
) -> None:
    rtt = RttEstimator(CONFIG)
    rtt.assume(handshake_s)
    assert rtt.probe_timeout_s() == pytest.approx(3 * assumed_s + CONFIG.max_ack_delay_s)
    assert (rtt.samples, rtt.latest_s, rtt.min_s) == (0, 0.0, 0.0)
    rtt.add(0.1, 0)
    rtt.assume(handshake_s)
    assert (rtt.smoothed_s, rtt.variation_s) == (0.1, 0.05)
