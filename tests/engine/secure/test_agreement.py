"""Both sides connect at once over bad lines; CHATNET_SECURE_SEEDS=500 runs the full measure."""

import os
from functools import partial

import pytest

from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import LinkUp
from simworld.secure_world import A, B, Line, World, agreed, two

SEEDS = int(os.environ.get("CHATNET_SECURE_SEEDS", "60"))
BAD = {"duplicate": 0.3, "min_delay_s": 0.005, "max_delay_s": 0.5}


@pytest.mark.parametrize(("loss", "p95_s"), [(0.0, 2), (0.3, 10), (0.5, 50)])
def test_all_seeds_agree_in_time(loss: float, p95_s: float) -> None:
    taken = []
    for seed in range(SEEDS):
        world, a, b = two(seed, Line(loss, **BAD))
        start = world.now
        assert world.run(600, partial(agreed, a, b)), f"seed {seed} did not agree"
        taken.append(world.now - start)
    taken.sort()
    assert taken[int(len(taken) * 0.95)] <= p95_s


@pytest.mark.parametrize("seed", range(8))
def test_they_still_agree_after_an_hour_and_a_heal(seed: int) -> None:
    """Faults first, then a good line: the same session, packets in both directions."""
    world, a, b = two(seed, Line(0.5, **BAD))
    world.run(3600 / 8)
    world.line = Line()
    world.run(60)
    assert world.run(200, lambda: agreed(a, b))
    before = len(a.peers[1].arrived), len(b.peers[1].arrived)
    world.run(25)
    assert len(a.peers[1].arrived) > before[0]
    assert len(b.peers[1].arrived) > before[1]
    assert sum(isinstance(e, LinkUp) and not e.rekey for e in a.events) == 1


def split(seed: int, config: SecureConfig, *, liveness: bool) -> bool:
    """Whether one side is left alone: only a dials, b stays silent until it is spoken to."""
    world = World(seed, Line(0.5, **BAD))
    a = world.add("a", A, config=config, liveness=liveness)
    b = world.add("b", B, config=config, liveness=liveness)
    b.decide = lambda event: 1
    a.dial(1, B)
    return not world.run(600, lambda: agreed(a, b))


NO_FIN_REPEAT = SecureConfig(least_first_repeat_s=1e9, most_first_repeat_s=1e9, fin_in_front_s=1e9)


def test_ablation_without_fin_repeat_and_liveness_splits() -> None:
    """What the two rules are for: without both, a lost FIN is for ever."""
    assert any(split(seed, NO_FIN_REPEAT, liveness=False) for seed in range(10))


@pytest.mark.parametrize(
    ("config", "liveness"), [(SecureConfig(), False), (SecureConfig(), True), (NO_FIN_REPEAT, True)]
)
def test_either_rule_heals(config: SecureConfig, liveness: bool) -> None:
    assert not any(split(seed, config, liveness=liveness) for seed in range(10))
