"""Everything that can go wrong, one function each: it happens, and is over after a while.

A fault is counted where it takes effect (a datagram that was lost), not where it was planned.
"""

from collections.abc import Callable
from random import Random

from simulate.world import World
from simworld.disk import FAULTS as DISK_FAULTS
from simworld.engine import COMMIT_S, SimEngine
from simworld.network import Line

Fault = Callable[[World, Random], None]


def _lines(world: World) -> list[Line]:
    hosts = [engine.addr[0] for engine in world.engines]
    return [world.network.line(a, b) for a in hosts for b in hosts if a != b]


def _for_a_while(world: World, random: Random, most_s: float, over: Callable[[], None]) -> None:
    world.clock.after(random.uniform(0.05, most_s), over)


def _change(world: World, random: Random, lines: list[Line], most_s: float, **new: float) -> None:
    """These lines are like that for a while."""
    for line in lines:
        for name, value in new.items():
            setattr(line, name, value)

    def over() -> None:
        for line in lines:
            for name in new:
                setattr(line, name, getattr(world.usual, name))

    world.note("", f"line: {new}")
    _for_a_while(world, random, most_s, over)


def bad_line(world: World, random: Random) -> None:
    """Loss, duplication, reordering, jitter, all at once."""
    _change(
        world, random, _lines(world), 8.0, loss=random.choice((0.02, 0.1, 0.3)),
        duplicate=random.choice((0.0, 0.1, 0.3)), reorder=random.choice((0.0, 0.1, 0.3)),
        jitter_s=random.choice((0.0, 0.01, 0.02)),
    )  # fmt: skip


def spoil(world: World, random: Random) -> None:
    """The line is bad all along, until it is healed."""
    loss = random.choice((0.02, 0.05, 0.15, 0.3))
    world.usual = Line(
        loss=loss,
        duplicate=loss / 2,
        reorder=loss,
        jitter_s=random.choice((0.0, 0.01, 0.02)),
        delay_s=random.choice((0.001, 0.025, 0.15)),
    )
    _all_usual(world)


def bursts(world: World, random: Random) -> None:
    """Losses come in bursts (Gilbert-Elliott)."""
    _change(world, random, _lines(world), 6.0, burst_enter=0.05, burst_leave=0.2)


def delay_spike(world: World, random: Random) -> None:
    """Every packet takes seconds for a while; later ones overtake those still on the way."""
    world.counts["delay spike"] += 1
    delay = random.choice((0.3, 1.0, 3.0))
    _change(world, random, _lines(world), 3.0, delay_s=delay)


def one_way_cut(world: World, random: Random) -> None:
    """One direction carries nothing."""
    world.counts["one-way cut"] += 1
    _change(world, random, [random.choice(_lines(world))], 12.0, cut=True)


def partition(world: World, random: Random) -> None:
    """Nobody reaches anybody, by UDP or TCP."""
    world.counts["partition"] += 1
    _change(world, random, _lines(world), 15.0, cut=True)
    world.files.cut(True)
    _for_a_while(world, random, 15.0, lambda: world.files.cut(False))


def no_tcp(world: World, random: Random) -> None:
    """Firewalls that let UDP through and no TCP."""
    world.counts["no tcp"] += 1
    world.files.block(True)
    _for_a_while(world, random, 30.0, lambda: world.files.block(False))


def mtu_hole(world: World, random: Random) -> None:
    """Larger datagrams vanish, in one direction or in all."""
    lines = _lines(world)
    some = lines if random.random() < 0.5 else [random.choice(lines)]
    _change(world, random, some, 10.0, max_bytes=random.choice((1199, 1000, 576)))


def rebinding(world: World, random: Random) -> None:
    """A NAT forgets its mapping and makes another."""
    engine = random.choice(world.engines)
    outside = (
        f"10.9.{random.randrange(256)}.{random.randrange(256)}",
        random.randrange(1024, 65536),
    )
    world.network.rebind(engine.addr, outside)
    world.note(engine.name, f"is now seen as {outside[0]}:{outside[1]}")


def wall_clock(world: World, random: Random) -> None:
    """Somebody sets the clock: a day back, ten years on."""
    engine = random.choice(world.engines)
    world.counts["clock set"] += 1
    engine.wall_offset_ms += random.choice((-86_400_000, 315_360_000_000, -3_600_000, 5_000))


def suspend(world: World, random: Random) -> None:
    """A lid is closed and opened again."""
    engine = random.choice(world.engines)
    if engine.is_up:
        world.counts["suspend"] += 1
        world.note(engine.name, "is suspended")
        engine.sleep()
        _for_a_while(world, random, 20.0, engine.wake)


def kill(world: World, random: Random) -> None:
    """kill -9 at some moment; back at once or after a while."""
    engine = random.choice(world.engines)
    world.crash(engine)
    _come_back(world, random, engine)


def kill_all(world: World, random: Random) -> None:
    """A power cut for everybody."""
    world.counts["all at once"] += 1
    for engine in world.engines:
        world.crash(engine)
        _come_back(world, random, engine)


def die_at_effect(world: World, random: Random) -> None:
    """The process dies before one of its next effects."""
    engine = random.choice(world.engines)
    engine.die_in_effects = random.randint(1, 30)
    _for_a_while(world, random, 3.0, lambda: _up_again(world, engine))


def die_at_statement(world: World, random: Random) -> None:
    """The process dies at one of its next SQL statements."""
    engine = random.choice(world.engines)
    engine.disk.die_in = random.randint(1, 30)
    _for_a_while(world, random, 3.0, lambda: _up_again(world, engine))


def stop(world: World, random: Random) -> None:
    """The engine is ended properly."""
    engine = random.choice(world.engines)
    if engine.is_up:
        world.counts["stop"] += 1
        engine.node.stop("test", engine.now)
        engine.turn()
    _come_back(world, random, engine)


def stop_in_a_backlog(world: World, random: Random) -> None:
    """Everybody writes to one person, who ends the engine over it."""
    engine = random.choice(world.engines)
    for other in world.engines:
        client = next(client for client in other.clients if client.role == "full")
        known = world.peer(client, engine) if other is not engine and other.is_up else None
        for number in range(random.randint(20, 100) if known else 0):
            client.say(f"{number} before you go", known.info.peer if known else 0)

    def leave() -> None:
        if engine.is_up:
            world.counts["stop in a backlog"] += 1
            engine.node.stop("test", engine.now)
            engine.turn()
        _come_back(world, random, engine)

    world.clock.after(random.uniform(0.03, 0.8), leave)


def disk_fault(world: World, random: Random) -> None:
    """From one of the next statements on the disk is full, broken or locked for a while."""
    engine = random.choice(world.engines)
    disk = engine.disk
    disk.fail_in = random.randint(1, 20)
    disk.failing = random.choice(sorted(DISK_FAULTS))

    def over() -> None:
        disk.failing = ""

    _for_a_while(world, random, 6.0, over)


def slow_disk(world: World, random: Random) -> None:
    """An fsync takes up to five seconds."""
    engine = random.choice(world.engines)
    world.counts["slow disk"] += 1
    engine.commit_s = (0.05, random.choice((0.5, 2.0, 5.0)))

    def over() -> None:
        engine.commit_s = engine.usual_commit_s

    _for_a_while(world, random, 8.0, over)


def kill_front_end(world: World, random: Random) -> None:
    """A window dies; its user opens another."""
    engine = random.choice(world.engines)
    world.kill_client(random.choice(engine.clients))


def kill_file_process(world: World, random: Random) -> None:
    """The file process alone dies."""
    engine = random.choice(world.engines)
    if engine.is_up and engine.files:
        world.counts["file process killed"] += 1
        engine.files.kill()


def back_up(world: World, random: Random) -> None:
    """No fault yet: somebody copies a history."""
    world.back_up(random.choice(world.engines))


def wipe(world: World, random: Random) -> None:
    """A history is gone, the identity is not."""
    engine = random.choice(world.engines)
    world.lose(engine, None)
    _come_back(world, random, engine)


def roll_back(world: World, random: Random) -> None:
    """An older copy of a history takes its place."""
    engine = random.choice(world.engines)
    if world.backups[engine.name]:
        world.lose(engine, random.choice(world.backups[engine.name]))
        _come_back(world, random, engine)


def _come_back(world: World, random: Random, engine: SimEngine) -> None:
    world.clock.after(random.choice((0.0, 0.05, 1.0, 5.0)), lambda: world.up(engine))


def _up_again(world: World, engine: SimEngine) -> None:
    engine.die_in_effects = 0
    engine.disk.die_in = 0
    world.up(engine)


ORDINARY: tuple[Fault, ...] = (
    bad_line, bad_line, bad_line, bursts, delay_spike, one_way_cut, partition, mtu_hole, rebinding,
    no_tcp,
    wall_clock, suspend, kill, kill, kill_all, die_at_effect, die_at_effect, die_at_statement,
    die_at_statement, stop, disk_fault, disk_fault, slow_disk, kill_front_end, kill_file_process,
)  # fmt: skip
"""What promise 1 is about."""
CROWDED: tuple[Fault, ...] = (stop_in_a_backlog, stop_in_a_backlog, stop_in_a_backlog)
"""Where a turn takes more than one datagram and a window fills."""
MEMORY_LOSS: tuple[Fault, ...] = (back_up, back_up, wipe, roll_back, roll_back)
"""What promise 2 is about."""

COUNTED = (
    "lost", "burst", "duplicated", "reordered", "delay spike", "one-way cut", "partition", "cut",
    "no tcp", "too_big", "rebind", "stale_mapping", "clock set", "suspend", "lost in sleep",
    "crash", "all at once", "crash at an effect", "crash at a statement", "stop", "disk full",
    "disk io error", "disk busy", "disk read only", "history unreadable", "slow disk",
    "front end killed", "file process killed", "wipe", "rollback", "restore finished",
    "fetched again",
)  # fmt: skip
"""Every one of these has to be above 0 over a run."""
COUNTED_NEW = (
    "batch", "large batch", "held", "mixed turn", "slow store", "full window", "stop in a backlog",
    "bug", "used id",
    "hostile payload", "hostile raw", "hostile relink", "hostile links", "hostile hasty",
    "hostile closed", "peer added", "peer removed", "peer added again", "peer renamed",
    "peer accepted", "peer verified", "key replaced", "key offered", "invite made",
    "invite entered", "peer retried", "addresses swapped",
)  # fmt: skip
"""The same, of the worlds that are not plain."""


def heal(world: World) -> None:
    """Everything works again, everywhere."""
    world.usual = Line()
    _all_usual(world)
    world.files.cut(False)
    world.files.block(False)
    world.network.forget_rebindings()
    world.everybody_home()
    for engine in world.engines:
        engine.die_in_effects = 0
        engine.disk.die_in = 0
        engine.disk.failing = ""
        engine.commit_s = COMMIT_S
        engine.wake()
        world.up(engine)
        # One that was about to stop is started again when it has.
        world.clock.after(3.0, lambda engine=engine: world.up(engine))  # type: ignore[misc]


def _all_usual(world: World) -> None:
    for line in _lines(world):
        for name in LINE_FIELDS:
            setattr(line, name, getattr(world.usual, name))


LINE_FIELDS = (
    "delay_s", "jitter_s", "loss", "duplicate", "reorder", "burst_enter", "burst_leave",
    "max_bytes", "cut", "in_burst",
)  # fmt: skip
