from typing import cast

import pytest

from chatnet_engine.secure.events import LinkUp
from chatnet_engine.secure.handshake import Initiation
from chatnet_engine.secure.initiating import Initiating
from simworld.secure_world import A, B, Line, agreed, two


class Attempt:
    """Where its INITs went."""

    def __init__(self) -> None:
        self.addrs: dict[tuple[str, int], tuple[float, float]] = {}


def attempt() -> Initiation:
    return cast(Initiation, Attempt())


def test_an_open_attempt_is_crossed_while_it_is_young() -> None:
    initiating, first, second = Initiating(), attempt(), attempt()
    initiating.sent(first, A, 1.0, has_cookie=False)
    initiating.sent(first, A, 1.25, has_cookie=False)
    assert first.addrs == {A: (1.0, 1.25)}
    assert initiating.contender(A, 1.49, 0.5) is first
    assert initiating.contender(A, 1.5, 0.5) is None
    assert initiating.contender(B, 1.0, 0.5) is None
    initiating.sent(second, A, 1.5, has_cookie=False)
    initiating.drop(first)
    assert initiating.contender(A, 1.75, 0.5) is second
    initiating.drop(second)
    assert initiating.contender(A, 1.75, 0.5) is None


def test_an_answered_attempt_is_crossed_until_its_fin_has_arrived() -> None:
    initiating, first, second = Initiating(), attempt(), attempt()
    initiating.sent(first, A, 1.0, has_cookie=False)
    initiating.sent(first, A, 1.1, has_cookie=False)
    initiating.answered(first, A, 1.2, 0.5)
    initiating.drop(first)
    assert A not in initiating
    assert initiating.contender(A, 1.44, 0.5) is first
    assert initiating.contender(A, 1.46, 0.5) is None
    initiating.sent(second, B, 1.0, has_cookie=False)
    initiating.answered(second, B, 3.0, 0.5)
    initiating.drop(second)
    assert initiating.contender(A, 1.2, 0.5) is None, "it is forgotten"
    assert initiating.contender(B, 3.49, 0.5) is second
    assert initiating.contender(B, 3.5, 0.5) is None


@pytest.mark.parametrize("seed", range(8))
def test_inits_repeated_while_fin_is_in_flight_open_no_second_handshake(seed: int) -> None:
    """A round trip of 120 ms is longer than the first pause."""
    world, a, b = two(seed, Line(min_delay_s=0.06, max_delay_s=0.06))
    assert world.run(1, lambda: agreed(a, b))
    world.run(1)
    assert [node.count(LinkUp) for node in (a, b)] == [1, 1]
    counters = a.endpoint.counters, b.endpoint.counters
    assert sum(each.handshakes_initiated for each in counters) == 1
    assert sum(each.dropped_simultaneous for each in counters) == 2


def test_a_link_is_announced_with_the_round_trip_of_its_handshake() -> None:
    world, a, b = two(1, Line(min_delay_s=0.04, max_delay_s=0.04))
    assert world.run(1, lambda: agreed(a, b))
    for node in (a, b):
        rtts_s = [event.rtt_s for event in node.events if isinstance(event, LinkUp)]
        assert rtts_s == [pytest.approx(0.08)]
