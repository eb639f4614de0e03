"""One seed, one run: people and faults for a while, then all is healed and has to end well."""

import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from types import FrameType

from chatnet_protocol.ipc.rows import LinkState
from checker.histories import read
from checker.told import check_last_told
from checker.verdict import check
from simulate import bugs
from simulate.acquaintances import Acquaintances
from simulate.exports import check_exports
from simulate.faults import CROWDED, MEMORY_LOSS, ORDINARY, Fault, heal, spoil
from simulate.hostile_world import Mallory
from simulate.kinds import Kind, kind_of
from simulate.naming import check_names, rename_at_random
from simulate.narrator import narrate
from simulate.people import People
from simulate.restoring import RESTORE_S, EverybodyAsks, at_random
from simulate.world import World
from simworld.engine import SimEngine

MAKE_UP_S = 240.0
"""And before that, everybody has a link to everybody; who was refused waits a minute at a time."""
HEAL_S = 60.0
"""Both outboxes are empty and every transfer has ended within this, once nothing is wrong."""


@dataclass(slots=True)
class Outcome:
    """What a run came to."""

    seed: int
    committed: int = 0
    kind: Kind = field(default_factory=Kind)
    simulated_s: float = 0.0
    cpu_s: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


EXPORTS_EVERY = 4
"""The exports of one seed in so many are compared with the databases: it costs a tenth."""
RESTORING = 0.8
"""So often people ask for what they lost."""
MAX_CPU_S = 20.0
"""A run that takes longer is stuck, or does far too much work for a packet."""


class Stuck(Exception):
    """A run does not end."""


def run_seed(
    seed: int, tell: Callable[[str], None] | None = None, *, packets: bool = False
) -> Outcome:
    """Everything that this seed decides; problems are sentences, empty when all is well.

    `tell` gets the lines of the trace; with `packets` also one for each packet.
    """
    outcome = Outcome(seed)
    outcome.kind = kind = kind_of(seed)
    random = Random(f"plan {seed}")
    signal.signal(signal.SIGVTALRM, _stuck)
    signal.setitimer(signal.ITIMER_VIRTUAL, MAX_CPU_S)
    began_s = time.process_time()
    three = 0.5 if kind.peers_change else 0.08
    world = World(seed, 3 if random.random() < three else 2, tell, kind)
    if tell:
        narrate(world, packets=packets)
    world.note("", f"world: {kind}")
    try:
        world.begin()
        _live(world, random, outcome)
    except Exception:  # noqa: BLE001
        outcome.problems.append(traceback.format_exc(limit=-8))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    if kind.slow_store:
        world.counts["slow store"] += sum(engine.commits for engine in world.engines)
    outcome.counts += world.counts + world.network.counts
    outcome.simulated_s = world.clock.now_s - 1000
    outcome.cpu_s = time.process_time() - began_s
    return outcome


def _stuck(number: int, frame: FrameType | None) -> None:
    raise Stuck(f"a run takes more than {MAX_CPU_S:.0f} s of CPU")


def _live(world: World, random: Random, outcome: Outcome) -> None:
    duration_s = random.choice((5.0, 20.0, 60.0))
    end_s = world.clock.now_s + duration_s
    people = People(world, random, end_s, random.choice((80, 120, 180, 260)))
    faults = list(ORDINARY) if world.kind.plain else [*ORDINARY, *CROWDED]
    if random.random() < 0.3:
        faults += MEMORY_LOSS * 2
    if random.random() < 0.5 and not world.kind.calm:
        spoil(world, random)
    if world.kind.bugs:
        faults += [bugs.inject] * 6
    people_too = mallory = None
    if world.kind.peers_change:
        people_too = Acquaintances(world, Random(f"peers {outcome.seed}"), end_s)
        faults += [people_too.swap_addresses] * 3
    if world.kind.hostile:
        mallory = Mallory(world, Random(f"hostile {outcome.seed}"), random.choice(world.engines))
    if not world.kind.calm:
        _plan(world, random, faults, duration_s)
    wishes = Random(f"wishes {outcome.seed}")
    if wishes.random() < RESTORING and not world.kind.small_windows:
        at_random(world, wishes, end_s)
    rename_at_random(world, outcome.seed, end_s)
    world.clock.run(end_s)
    if mallory:
        mallory.end()
        outcome.problems += mallory.problems()
    if world.kind.calm and not world.kind.slow_store:  # whose first links take their time
        outcome.problems += _disturbed(world)
    heal(world)
    world.note("", "everything is healed")
    heal_s = HEAL_S
    if people_too:
        heal_s = MAKE_UP_S
        people_too.make_up()
        if not world.clock.run(world.clock.now_s + heal_s, people_too.acquainted):
            outcome.problems += _strangers(world)
    for after_s in (1.0, 10.0, 25.0, 40.0):
        world.clock.after(after_s, people.resume_everything)
    rested = world.clock.run(world.clock.now_s + heal_s, world.at_rest)
    if not rested:
        outcome.problems += _restless(world)
    asks = wishes.random() < RESTORING and not world.kind.small_windows
    if rested and asks and any(world.lost.values()):
        for engine in world.engines:
            engine.disk.page_fails = True
        asking = EverybodyAsks(world)
        world.restored = world.clock.run(world.clock.now_s + RESTORE_S, asking.done)
        if not world.restored:
            outcome.problems.append(f"not everything came back within {RESTORE_S:.0f} s")
    world.run(2.0)
    still = world.at_rest if rested else world.nothing_under_way
    world.clock.run(world.clock.now_s + HEAL_S, lambda: world.nothing_under_way() and still())
    outcome.committed = sum(_rows(engine) for engine in world.engines)
    outcome.problems += check(world.evidence(), at_rest=rested)
    if outcome.seed % EXPORTS_EVERY == 0:
        outcome.problems += check_exports(world, at_rest=rested)
    outcome.problems += bugs.not_injected(world)
    outcome.problems += [text for engine in world.engines for text in _mirrors(world, engine)]
    outcome.problems += check_names(world, HEAL_S) if rested and not mallory else []


def _plan(world: World, random: Random, faults: list[Fault], duration_s: float) -> None:
    """Some of these faults, at any time."""
    for _ in range(random.choice((3, 8, 16, 30))):
        fault = random.choice(faults)

        def happen(fault: Fault = fault) -> None:
            world.note("", fault.__name__)
            fault(world, random)

        world.clock.after(random.uniform(0, duration_s), happen)


def _strangers(world: World) -> list[str]:
    return [
        f"{client.name}: {p.info.name} {p.info.host} {p.info.key.hex()[:6]} {p.info.trust} is "
        f"{p.link.state} {p.link.reason}"
        for engine in world.engines
        for client in engine.clients[:1]
        for p in (client.view.peers if client.view else [])
    ]


def _disturbed(world: World) -> list[str]:
    """Where nothing is wrong but a hostile peer, honest ones do not notice."""
    return [
        f"{engine.name}: the link of {other.name} is {peer.link.state}, the {peer.link.links}th"
        for engine in world.engines
        for other in world.engines
        if other is not engine and (peer := world.peer(engine.clients[0], other))
        if (peer.link.state, peer.link.links) != (LinkState.UP, 1)
    ]


def _restless(world: World) -> list[str]:
    out = []
    for engine in world.engines:
        if not engine.is_up:
            out.append(f"{engine.name} is down")
        for client in engine.clients:
            if client.view is None:
                out.append(f"{client.name} did not get its snapshot")
                continue
            if client.unanswered:
                out.append(f"{client.name}: {len(client.unanswered)} texts are not queued")
            out += [
                f"{client.name}: {peer.waiting} wait for {peer.info.name}, link {peer.link.state}"
                for peer in world.judged(client)
                if peer.waiting
            ]
            out += [
                f"{client.name}: transfer {row.state}, {row.done_bytes} of {row.size_bytes}"
                f" {row.reason}"
                for row in world.unended(client)
            ]
    return [f"not at rest after {HEAL_S:.0f} s: {text}" for text in out]


def _rows(engine: SimEngine) -> int:
    """Messages of others that this engine committed; a lost history does not count."""
    query = "SELECT count(*) FROM messages WHERE author != 0"
    return int(engine.connection.execute(query).fetchone()[0])


def _held(engine: SimEngine) -> list[str]:
    """What is kept out of order is counted for the links that there are, and for no other."""
    if not engine.is_up:
        return []
    links = [session.connection.held.weight_bytes for session in engine.node.links.sessions.all()]
    counted = engine.node.traffic.held.weight_bytes
    return [] if counted == sum(links) else [f"{engine.name} counts {counted} held, not {links}"]


def _mirrors(world: World, engine: SimEngine) -> list[str]:
    """Every attached front end shows what the history holds; nothing is counted twice."""
    out = _held(engine)
    history = read(engine.connection)
    stored = engine.ledger.load_view(engine.session())
    for client, tape in zip(
        engine.clients,
        [t for t in world.tapes[engine.name] if t.name in {c.name for c in engine.clients}],
        strict=True,
    ):
        out += [f"{engine.name}: {text}" for text in check_last_told(tape, history)]
        if client.view and client.view.durable() != stored:
            out.append(f"{client.name} shows something else than the history holds")
    return out
