"""Mistakes put into a running engine: handling a peer or a transfer raises, once, before or after
it did its work."""

from collections.abc import Callable
from random import Random
from typing import Any

from simulate.world import World

OF_A_PEER = (
    "handle_event",
    "handle_result",
    "_arrived",
    "_accepted",
    "_queued",
    "_hello_applied",
    "queue",
)
OF_TRANSFERS = ("handle_control", "handle_process", "handle_link", "handle_delivered")
MOST = 3
"""In one world: a peer is left alone twice as long each time."""


class InjectedError(Exception):
    """Nobody wrote this mistake."""


def inject(world: World, random: Random) -> None:
    """Some engine raises at its next act of some kind."""
    engine = random.choice(world.engines)
    if not engine.is_up or world.counts["bug planned"] >= MOST:
        return
    world.counts["bug planned"] += 1
    node = engine.node
    owner: Any
    if node.messaging.conversations and random.random() < 0.8:
        owner, name = (
            random.choice(list(node.messaging.conversations.values())),
            random.choice(OF_A_PEER),
        )
    else:
        owner, name = node.transfers.transfers, random.choice(OF_TRANSFERS)
    late = random.random() < 0.5

    def happened() -> None:
        world.counts["bug"] += 1
        world.note(engine.name, f"raises in {name}, {'after' if late else 'before'} its work")

    _once(owner, name, late, happened)


def _once(owner: Any, name: str, late: bool, happened: Callable[[], None]) -> None:
    original = getattr(owner, name)

    def raising(*args: Any, **kwargs: Any) -> None:
        vars(owner).pop(name, None)  # a second bug in the same place may have taken it away
        if late:
            original(*args, **kwargs)
        happened()
        raise InjectedError(name)

    setattr(owner, name, raising)


def not_injected(world: World) -> list[str]:
    """What was contained and is a mistake of the product."""
    return [
        f"{engine.name} contained: {problem}"
        for engine in world.engines
        for problem in engine.problems
        if "InjectedError" not in problem
    ]
