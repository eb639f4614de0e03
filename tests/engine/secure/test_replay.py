from random import Random

import pytest

from chatnet_engine.secure.replay import REPLAY_WINDOW, ReplayWindow


def test_each_number_is_fresh_once_in_any_order() -> None:
    numbers = list(range(300))
    Random(1).shuffle(numbers)
    window = ReplayWindow()
    assert window.highest == -1
    for number in numbers:
        assert window.is_fresh(number)
        window.mark(number)
    assert not any(window.is_fresh(number) for number in numbers)


@pytest.mark.parametrize("start", [0, 2**32 - 3, 2**62 - 5000])
def test_the_window_is_as_wide_as_it_says(start: int) -> None:
    window = ReplayWindow()
    window.mark(start + 3000)
    assert window.is_fresh(start + 3000 - REPLAY_WINDOW + 1)
    assert not window.is_fresh(start + 3000 - REPLAY_WINDOW)
    assert window.is_fresh(start + 3001)
    assert window.highest == start + 3000


def test_places_in_the_ring_are_emptied_before_they_are_used_again() -> None:
    """Neighbours swapped on the way, three times around."""
    window = ReplayWindow()
    for first in range(0, 12_400, 2):
        for number in (first + 1, first):
            assert window.is_fresh(number)
            window.mark(number)
            assert not window.is_fresh(number)


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_a_plain_set(seed: int) -> None:
    """Gaps of every size against a model that remembers all."""
    rng = Random(seed)
    window, seen, highest = ReplayWindow(), set(), -1
    at = rng.choice([0, 2**31, 2**61])
    for _ in range(500):
        step = rng.choice([1, 1, 1, 2, 63, 64, 65, 2047, 2048, 2049, 4096, 10_000, -1, -70, -2500])
        number = max(0, at + step if step > 0 else highest + step)
        at = max(at, number)
        expected = number not in seen and number > highest - REPLAY_WINDOW
        assert window.is_fresh(number) == expected
        if expected:
            window.mark(number)
            seen.add(number)
            highest = max(highest, number)
