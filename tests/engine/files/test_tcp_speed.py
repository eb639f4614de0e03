"""What CUBIC is expected to carry, against figures measured on a line of 50 ms."""

import pytest

from chatnet_engine.files.tcp_speed import MSS, cubic_bytes_s, is_slow

MBIT = 125e3


@pytest.mark.parametrize(("loss", "mbit"), [(0.001, 10), (0.01, 2.4), (0.03, 1.1)])
def test_it_agrees_with_measured_rates(loss: float, mbit: float) -> None:
    assert 0.6 * mbit < cubic_bytes_s(0.05, loss) / MBIT < 2 * mbit


@pytest.mark.parametrize(
    ("loss", "window"), [(1e-2, 12), (1e-3, 38), (1e-4, 187), (1e-5, 1054), (1e-6, 5926)]
)
def test_it_is_the_mean_window_of_the_specification(loss: float, window: int) -> None:
    """RFC 9438, section 5.2, table 1: packets at a round trip of 0.1 s."""
    assert cubic_bytes_s(0.1, loss) * 0.1 / MSS == pytest.approx(window, rel=0.04)


@pytest.mark.parametrize(
    ("rtt_s", "loss", "slow"),
    [
        (0.05, 0.01, True),
        (0.05, 0.0, False),
        (0.05, 0.001, False),
        (0.0005, 0.01, False),
        (float("inf"), 0.01, False),
        (0.0, 0.01, False),
    ],
)
def test_only_loss_on_a_long_line_makes_it_slow(rtt_s: float, loss: float, slow: bool) -> None:
    assert is_slow(rtt_s, loss) is slow
