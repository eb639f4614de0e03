"""Exactly once over a bad link: crashes, wipes and rollbacks of either side; and standing mutants.

Each mutant leaves one rule out; if the suite could not tell, the rule would not be tested.
"""

from collections import Counter

import pytest

from simworld.ledger_exchange import Rules, World

STEPS = 150


def run(seed: int, rules: Rules) -> World:
    world = World(seed, rules)
    world.run(STEPS)
    world.check()
    return world


@pytest.mark.parametrize("seed", range(12))
def test_crashes_lose_double_and_reorder_nothing(seed: int) -> None:
    world = run(seed, Rules())
    assert world.counts["crash"] > 0
    assert world.written > 20


@pytest.mark.parametrize("seed", range(24))
def test_wipes_and_rollbacks_lose_only_what_they_took(seed: int) -> None:
    """R6: either side or both, again and again."""
    run(seed, Rules(wipes=True, rollbacks=True))


def test_every_kind_of_fault_happens() -> None:
    counts: Counter[str] = Counter()
    for seed in range(6):
        counts.update(run(100 + seed, Rules(wipes=True, rollbacks=True)).counts)
    assert min(counts.values()) > 3, counts


MUTANTS = {
    "no dedupe": (Rules(dedupe=False), "doubled"),
    "receipt before commit": (Rules(commit_first=False), "lost on the way"),
    "no totals in HELLO": (Rules(wipes=True, totals_in_hello=False), "stands for two messages"),
    "incarnation per database": (
        Rules(wipes=True, rollbacks=True, incarnation_per_boot=False),
        "a ghost",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    rules, symptom = MUTANTS[name]
    for seed in range(15):
        try:
            run(seed, rules)
        except AssertionError as error:
            if symptom in str(error):
                return
    pytest.fail(f"nobody noticed: {name}")
