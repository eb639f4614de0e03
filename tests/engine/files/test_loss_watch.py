"""A line that loses again and again is distinguished from a queue that overflowed once."""

from chatnet_engine.files.line_meter import Sample
from chatnet_engine.files.loss_watch import CALM_S, LossWatch


def watched(*events: tuple[float, int], rtt_s: float = 0.05) -> LossWatch:
    """(when, retransmissions so far)"""
    watch = LossWatch()
    for now, again in events:
        watch.handle_sample(now, Sample(rtt_s, 0, 0, 0, 1448, again))
    return watch


def test_a_queue_that_overflows_is_no_lossy_line() -> None:
    assert not watched((0, 0), (1, 80), (1.1, 150), (1.25, 170)).is_lossy


def test_losses_at_different_times_make_one() -> None:
    assert watched((0, 0), (1, 1), (1.5, 2)).is_lossy


def test_an_overflow_lasts_some_round_trips() -> None:
    assert not watched((0, 0), (1, 80), (1.7, 150), rtt_s=0.2).is_lossy
    assert watched((0, 0), (1, 80), (1.9, 150), rtt_s=0.2).is_lossy


def test_two_overflows_long_after_each_other_are_two() -> None:
    assert not watched((0, 0), (1, 80), (1.1 + CALM_S, 80), (1.2 + CALM_S, 160)).is_lossy


def test_a_line_is_calm_again_after_a_while_without_losses() -> None:
    lossy = (0.0, 0), (1.0, 1), (1.5, 2)
    assert watched(*lossy, (1.5 + CALM_S, 2)).is_lossy
    assert not watched(*lossy, (1.6 + CALM_S, 2)).is_lossy
