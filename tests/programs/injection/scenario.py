"""One conversation of three engines, in which one statement of one of them raises.

The statements are the lines of the node's handlers that run inside a unit (a peer, a command, a
transfer) of engine A. Afterwards A has contained it: every text is in every history once and in
order, views equal stores, and the link to the other peer has not ended.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.table import TransferTable
from chatnet_engine.node import containment
from chatnet_engine.node.links.traffic import Traffic
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import Notice
from chatnet_protocol.ipc.reasons import NoticeCode
from injection.leftovers import Leftovers
from simworld.client import SimClient
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Network

A, B, C = ("10.0.0.1", 5001), ("10.0.0.2", 5002), ("10.0.0.3", 5003)
HANDLERS = (
    "conversation", "file_transfers", "front_ends", "gate", "hello", "inviting", "link",
    "link_session", "links", "messaging", "outbox", "people", "peers", "replies", "requests",
    "restoring", "sessions", "traffic", "typing_peer",
)  # fmt: skip
GUARDED = TransferTable._guarded.__code__
UNITS = (
    containment.Containment._unit.__code__,
    Traffic._handle_event.__code__,
    GUARDED,
)
NO_UNITS = (
    containment.Containment.end_peer.__code__,
    *(method.__code__ for method in (Outputs.begin, Outputs.mark, Outputs.roll_back)),
    *(method.__code__ for method in (TransferTable.begin, TransferTable.roll_back)),
)
"""What contains, and is not contained itself."""
Point = tuple[str, int]
"""A file of the node, and a line of it."""
END_S = 60.0
CONTAINED = (
    NoticeCode.CONTAINED,
    NoticeCode.CONTAINED_TRANSFERS,
    NoticeCode.PEER_UNREADABLE,
)


class InjectedError(Exception):
    """Nobody's fault."""


class Tracer:
    """Sees each line of the handlers that runs inside a unit; raises at `point` once."""

    def __init__(self, names: tuple[str, ...], point: Point | None = None) -> None:
        self.points: set[Point] = set()
        self._names = names
        self.raised = False
        self._point = point

    def __call__(self, frame: FrameType, event: str, arg: Any) -> Any:
        code = frame.f_code.co_filename
        folder, _, name = code.rpartition("/")
        package = folder.rpartition("/chatnet_engine/")[2].partition("/")[0]
        if package not in ("node", "files") or name[:-3] not in self._names:
            return None
        return self._line

    def _line(self, frame: FrameType, event: str, arg: Any) -> Any:
        if event != "line" or self.raised:
            return self._line
        point = (frame.f_code.co_filename.rpartition("/")[2][:-3], frame.f_lineno)
        if self._point is None:
            if point not in self.points and in_unit(frame):
                self.points.add(point)
        elif point == self._point and in_unit(frame):
            self.raised = True
            raise InjectedError(f"{point[0]}:{point[1]}")
        return self._line


def in_unit(frame: FrameType) -> bool:
    """Whether a unit of engine A is under way, and not what contains it."""
    outer: FrameType | None = frame
    while outer is not None:
        if outer.f_code in NO_UNITS:
            return False
        if outer.f_code in UNITS and (outer is not frame or frame.f_code is not GUARDED):
            return contains(outer.f_locals["self"])
        outer = outer.f_back
    return False


def contains(owner: object) -> bool:
    """Whether that one contains what its unit raises: engine A does."""
    match owner:
        case Traffic():
            return owner._config.contain
        case TransferTable():
            return owner._contain
        case containment.Containment():
            return owner._contain
        case _:
            pass
    raise AssertionError(owner)


@contextmanager
def traced(tracer: Tracer) -> Iterator[None]:
    """Trace what runs inside."""
    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(before)


class World:
    """A, which is linked to B and to C."""

    def __init__(self) -> None:
        self.clock = Clock(5)
        self.network = Network(self.clock)
        self.a, self.b, self.c = self.make_engines()
        self.a.contain = True
        self.engines = (self.a, self.b, self.c)
        for engine in self.engines:
            engine.up()
        self.a.dial(B)
        self.a.dial(C)
        self.b.dial(A)
        self.c.dial(A)
        self.at_a, self.at_b, self.at_c = (engine.attach() for engine in self.engines)
        self.run(1.0)

    def make_engines(self) -> tuple[SimEngine, SimEngine, SimEngine]:
        return (
            SimEngine(self.clock, self.network, "a", A),
            SimEngine(self.clock, self.network, "b", B),
            SimEngine(self.clock, self.network, "c", C),
        )

    def run(self, seconds: float) -> None:
        self.clock.run(self.clock.now_s + seconds)

    def talk(self) -> None:
        """What the exception falls into: texts both ways, marks, drafts, typing, names, links."""
        for number in range(4):
            self.at_a.say(f"a to b {number}", 1)
            self.at_a.say(f"a to c {number}", 2)
            self.at_b.say(f"b {number}")
            self.at_c.say(f"c {number}")
            self.run(0.1)
        for command in (
            cmd.SetTyping(1, True), cmd.SetDraft(1, "a draft", 0), cmd.MarkShown(1, 2),
            cmd.MarkRead(1, 1), cmd.SetPeer(1, name="Bob"), cmd.TrustPeer(1, "verified"),
            cmd.AskRestore(1, True), cmd.MakeInvite(), cmd.AddPeer("10.0.0.9", 9, "nobody"),
            cmd.RetryPeer(1), cmd.FetchHistory(1), cmd.FetchStatus(),
        ):  # fmt: skip
            self.at_a.ask(command)
            self.run(0.05)
        self.at_b.ask(cmd.SetTyping(1, True))
        self.at_b.ask(cmd.AnswerRestore(1, True))
        self.at_b.ask(cmd.MarkRead(1, 3))
        self.run(1.0)
        self.b.crash()
        self.at_a.say("while b is away", 1)
        self.run(0.5)
        self.b.up()
        self.run(3.0)
        self.at_b.say("b is back")
        self.at_a.ask(cmd.RemovePeer(3))
        self.run(1.0)

    def problems(self) -> list[str]:
        """What is not as it should be, once everything has had its time."""
        self.clock.run(self.clock.now_s + self.end_s(), self.settled)
        self.run(2.0)
        found = []
        for ours, peer, theirs in ((self.a, 1, self.b), (self.a, 2, self.c)):
            for sender, sender_peer, receiver, receiver_peer in (
                (ours, peer, theirs, 1), (theirs, 1, ours, peer),
            ):  # fmt: skip
                sent = self.texts(sender, sender_peer, mine=True)
                arrived = self.texts(receiver, receiver_peer, mine=False)
                if sent != arrived:
                    found.append(f"{sender.name} to {receiver.name}: {sent} arrived as {arrived}")
        for engine, client in zip(self.engines, self.clients, strict=True):
            if client.unanswered:
                found.append(f"{engine.name}: texts were not queued")
            if client.view is None or client.view.durable() != engine.ledger.load_view(
                engine.session()
            ):
                found.append(f"{engine.name}: the view is not the store")
        return found

    def end_s(self) -> float:
        return END_S

    @property
    def clients(self) -> tuple[SimClient, SimClient, SimClient]:
        return self.at_a, self.at_b, self.at_c

    def settled(self) -> bool:
        return all(
            not client.unanswered and client.view and not any(p.waiting for p in client.view.peers)
            for client in self.clients
        )

    def texts(self, engine: SimEngine, peer: int, *, mine: bool) -> list[str]:
        query = (
            "SELECT body FROM messages WHERE peer = ? AND (author = 0) = ? AND kind = 1 ORDER BY no"
        )
        return [bytes(body).decode() for (body,) in engine.connection.execute(query, (peer, mine))]

    def notices(self) -> list[Notice]:
        events = [event for event in self.at_a.events if isinstance(event, Notice)]
        return [event for event in events if event.code in CONTAINED]


def points(make: type[World], names: tuple[str, ...]) -> list[Point]:
    """Every statement of these files that an exception can be put at."""
    world = make()
    tracer = Tracer(names)
    with traced(tracer):
        world.talk()
    problems = world.problems()
    assert problems == [], problems
    return sorted(tracer.points)


def inject(point: Point, make: type[World]) -> list[str]:
    """Run the conversation with an exception at that statement; what is wrong afterwards."""
    world = make()
    leftovers = Leftovers(world.a.node)
    links_to_c = link_count(world.at_a, 2)
    tracer = Tracer((point[0],), point)
    with traced(tracer):
        world.talk()
    found = world.problems()
    if not tracer.raised:
        return [*found, "the statement was not reached"]
    if len(world.a.problems) != 1 or "InjectedError" not in world.a.problems[0]:
        found.append(f"contained {len(world.a.problems)} times: {world.a.problems}")
    found += leftovers.found
    counters = world.a.node.contained.counts
    if sum(counters.values()) != 1:
        found.append(f"counted as {counters}")
    if "peer 2" not in world.a.problems[0] and link_count(world.at_a, 2) != links_to_c:
        found.append("the link to another peer ended")
    return found


def link_count(client: SimClient, peer: int) -> int:
    """How many links there have been to a peer."""
    view = client.view.peer(peer) if client.view else None
    return view.link.links if view else 0
