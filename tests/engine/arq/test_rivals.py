"""Whether somebody else keeps the queue full, judged once a round trip."""

from chatnet_engine.arq.rivals import (
    AGAIN_ROUNDS,
    ALONE_ROUNDS,
    GROWING_WINDOW_GAIN,
    GROWTH_ROUNDS,
    RIVAL_ROUNDS,
    WINDOW_GAIN,
    YIELDING_WINDOW_GAIN,
    Rivals,
)

RATE = 1e6


def rounds(
    rivals: Rivals, count: int, *, empty: bool, now: float = 0.0, lost: bool = False
) -> float:
    """So many of 0.1 s; what the last of them returned."""
    begin_with = 0.0
    for number in range(count):
        begin_with = rivals.on_round(empty, lost, RATE, now + 0.1 * number)
    return begin_with


def competing() -> Rivals:
    rivals = Rivals()
    rounds(rivals, RIVAL_ROUNDS, empty=False)
    assert rivals.competing
    return rivals


def test_a_queue_that_never_empties_is_a_rivals() -> None:
    rivals = Rivals()
    rounds(rivals, RIVAL_ROUNDS - 1, empty=False)
    assert not rivals.competing
    rounds(rivals, 1, empty=True)
    rounds(rivals, RIVAL_ROUNDS - 1, empty=False)
    assert not rivals.competing
    assert rounds(rivals, 1, empty=False) == 0.0
    assert rivals.competing


def test_an_empty_queue_ends_it_after_a_while() -> None:
    rivals = competing()
    rounds(rivals, ALONE_ROUNDS - 1, empty=True, now=10.0)
    rounds(rivals, 1, empty=False, now=10.4)
    assert rivals.competing, "a pause"
    rounds(rivals, ALONE_ROUNDS, empty=True, now=11.0)
    assert not rivals.competing


def test_many_short_rounds_are_no_while() -> None:
    rivals = competing()
    for number in range(10 * ALONE_ROUNDS):
        rivals.on_round(empty=True, lost=False, rate=RATE, now=10.0 + 0.001 * number)
    assert rivals.competing


def test_one_that_comes_again_soon_is_met_sooner_and_with_what_there_was_beside_it() -> None:
    rivals = competing()
    rivals.leave(0.7 * RATE, 10.0)
    rivals.leave(0.1 * RATE, 10.0)
    assert not rivals.competing
    assert rounds(rivals, AGAIN_ROUNDS - 1, empty=False, now=11.0) == 0.0
    assert rounds(rivals, 1, empty=False, now=12.0) == 0.7 * RATE
    assert rivals.competing


def rare_losses(rivals: Rivals, count: int, rate: float = RATE) -> None:
    """So many rounds with a loss in each twentieth."""
    for number in range(count):
        rivals.on_round(empty=False, lost=not number % 20, rate=rate, now=10.0)


def test_after_it_has_grown_a_smaller_window_is_tried_beside_rare_losses() -> None:
    rivals = competing()
    rare_losses(rivals, GROWTH_ROUNDS - 2)
    rate = 1.2 * RATE
    rare_losses(rivals, GROWTH_ROUNDS - 2, rate)
    assert rivals.window_gain == GROWING_WINDOW_GAIN, "it still grew"
    rare_losses(rivals, 3, rate)
    assert rivals.window_gain == YIELDING_WINDOW_GAIN
    rounds(rivals, 100, empty=False, lost=True)
    assert rivals.window_gain == WINDOW_GAIN, "not rare"


def test_where_yielding_cost_more_than_the_half_it_grows_again() -> None:
    rivals = competing()
    rivals.note_rate(RATE)
    rare_losses(rivals, 2 * GROWTH_ROUNDS)
    assert rivals.window_gain == YIELDING_WINDOW_GAIN
    rare_losses(rivals, 1, 0.4 * RATE)
    assert rivals.window_gain == GROWING_WINDOW_GAIN, "beside BBR"
    rare_losses(rivals, GROWTH_ROUNDS, 0.5 * RATE)
    assert rivals.window_gain == GROWING_WINDOW_GAIN
    rare_losses(rivals, 2, 0.5 * RATE)
    assert rivals.window_gain == YIELDING_WINDOW_GAIN


def test_a_rival_that_paused_is_met_with_the_same_window() -> None:
    rivals = competing()
    rare_losses(rivals, 2 * GROWTH_ROUNDS)
    rivals.leave(RATE, 10.0)
    rounds(rivals, AGAIN_ROUNDS, empty=False, now=11.0)
    assert rivals.competing
    rare_losses(rivals, 1)
    assert rivals.window_gain == YIELDING_WINDOW_GAIN


def test_whoever_has_less_than_a_share_yields_to_nobody() -> None:
    rivals = competing()
    rivals.note_rate(RATE)
    rare_losses(rivals, 2 * GROWTH_ROUNDS, 0.3 * RATE)
    assert rivals.window_gain == GROWING_WINDOW_GAIN
