"""R19: in one fixed conversation, an engine dies at each of its effects and each of its SQL
statements in turn, starts again, and the checker has nothing to say."""

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from chatnet_protocol.ipc import commands as cmd
from checker.verdict import check
from simulate.restoring import EverybodyAsks
from simulate.world import World
from simworld.engine import SimEngine

SETTLE_S = 60.0
DOWN_S = 0.3
OFFER_ID = b"offer".rjust(16)

Arm = Callable[[SimEngine, int], None]


def at_effect(engine: SimEngine, number: int) -> None:
    """It dies before its effect with that number, from now on."""
    engine.die_in_effects = number


def at_statement(engine: SimEngine, number: int) -> None:
    """It dies before its SQL statement with that number, from now on."""
    engine.disk.die_in = number


ARMS: tuple[Arm, ...] = (at_effect, at_statement)


def run_point(
    which: int, arm: Arm, number: int, *, restoring: bool = False
) -> tuple[bool, list[str]]:
    """Whether engine `which` died there at all, and what broke. `restoring`: while a conversation
    comes back to engine 0, else in the middle of one."""
    world = World(7)
    world.begin()
    mortal = world.engines[which]
    over = world.at_rest
    if restoring:
        _lose(world)
        arm(mortal, number)
        over = EverybodyAsks(world).done
    else:
        arm(mortal, number)
        _talk(world)
    world.run(3.0)
    died = not mortal.is_up
    mortal.die_in_effects = mortal.disk.die_in = 0
    if died:
        world.run(DOWN_S)
        world.up(mortal)
    rested = world.clock.run(world.clock.now_s + SETTLE_S, over)
    world.restored = rested and restoring
    world.run(1.0)
    problems = [] if rested else [f"not at rest {SETTLE_S:.0f} s later"]
    return died, problems + check(world.evidence(), at_rest=rested)


def _lose(world: World) -> None:
    """A conversation of some pages, of which engine 0 then knows nothing any more."""
    for engine in world.engines:
        for number in range(4):
            engine.clients[0].say(f"{number} " + "x" * 15_000)
    files = world.engines[1].files
    assert files
    files.sources["data"] = bytes(range(256)) * 12
    world.engines[1].clients[0].ask(cmd.OfferFiles(OFFER_ID, 1, ["/home/data"]))
    world.run(3.0)
    world.lose(world.engines[0], None)
    world.up(world.engines[0])
    world.run(4.0)


def _talk(world: World) -> None:
    """Everything that makes a transaction, spread over a second."""
    a, b = world.engines
    files = a.files
    assert files
    files.sources["data"] = bytes(range(256)) * 12
    world.offered["a"][OFFER_ID] = {"data": files.sources["data"]}
    at_a, at_b = a.clients[0], b.clients[0]
    acts: tuple[Callable[[], object], ...] = (
        lambda: at_a.say("one"),
        lambda: at_b.say("two"),
        lambda: at_a.ask(cmd.SetDraft(1, "half a thou", 0)),
        lambda: at_a.ask(cmd.OfferFiles(OFFER_ID, 1, ["/home/data"])),
        lambda: [at_b.say(f"burst {k}") for k in range(5)],
        lambda: at_a.say("long " * 1000),
        lambda: at_b.ask(cmd.MarkRead(1, 2)),
        lambda: at_a.ask(cmd.MarkShown(1, 4)),
        lambda: a.clients[1].say("from another front end"),
        lambda: at_b.say("last"),
    )
    for index, act in enumerate(acts):
        world.clock.after(0.1 * index, partial(_do, act))


def _do(act: Callable[[], object]) -> None:
    act()


def all_points(
    which: int, arm: Arm, restoring: bool, step: int = 1, first: int = 1
) -> Iterator[tuple[int, bool]]:
    """Each point in turn until the engine outlives the conversation; raises where one breaks."""
    number = first
    while True:
        died, problems = run_point(which, arm, number, restoring=restoring)
        assert not problems, f"engine {'ab'[which]} dies {arm.__name__} {number}: {problems}"
        if not died:
            return
        yield number, died
        number += step


def _count(which: int, arm: Arm, restoring: bool) -> int:
    return sum(1 for _ in all_points(which, arm, restoring))


def main(jobs: int) -> int:
    """Every point there is; how many there were."""
    cases = [(which, arm, back) for which in (0, 1) for arm in ARMS for back in (False, True)]
    with ProcessPoolExecutor(jobs) as pool:
        for (which, arm, back), found in zip(
            cases, pool.map(_count, *zip(*cases, strict=True)), strict=True
        ):
            when = "while a conversation came back" if back else "in a conversation"
            how = arm.__name__.replace("_", " ")
            print(f"engine {'ab'[which]} died {how} {when}: {found} points")
    return 0
