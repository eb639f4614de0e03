"""A world of engines, front ends and evidence, for runs that are decided by one seed.

It can do to an engine whatever happens to one in life, and keeps what a checker will ask for.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable
from functools import cache

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.ipc.rows import TransferRow
from chatnet_protocol.ipc.view import PeerView
from checker.histories import read_image
from checker.tapes import Tape
from checker.verdict import Side
from simulate.kinds import Kind
from simworld.client import SimClient
from simworld.clock import Clock
from simworld.disk import Died
from simworld.engine import SimEngine
from simworld.files import FilesNet
from simworld.network import Line, Network

NAMES = "abc"
IDENTITIES = 8
"""Private keys in use over all seeds: making safety numbers of new ones is most of a short run."""


@cache
def private_key(number: int) -> bytes:
    """One of the identities."""
    return number.to_bytes(2, "big") * 16


def public_key(engine: SimEngine) -> bytes:
    """By which the others know it."""
    return _public(engine.private_key)


@cache
def _public(private: bytes) -> bytes:
    return Identity.from_private_bytes(private).public


class World:
    """Engines `a`, `b` and perhaps `c` that all know each other, with front ends attached."""

    def __init__(
        self,
        seed: int,
        engines: int = 2,
        tell: Callable[[str], None] | None = None,
        kind: Kind = Kind(),  # noqa: B008  (frozen)
    ) -> None:
        self.kind = kind
        self.clock = Clock(seed)
        self.network = Network(self.clock)
        self.files = FilesNet(self.clock)
        self.counts: Counter[str] = Counter()
        self.engines: list[SimEngine] = []
        self.tapes: dict[str, list[Tape]] = {}
        self.lost: dict[str, list[bytes]] = {}
        """Histories as they were right before each loss."""
        self.rolled_back: set[str] = set()
        self.restored = False
        """Everybody who lost a history has asked for it, and was given all of it."""
        self.backups: dict[str, list[bytes]] = {}
        self.offered: dict[str, dict[bytes, dict[str, bytes]]] = {}
        self.typed: dict[str, list[Addr]] = {}
        """Whom each dials besides the other engines."""
        self.replaced: dict[str, Counter[bytes]] = {}
        """Keys that a user declared to be one person's, unless that was refused."""
        self.usual = Line()
        """What a line is like when no passing fault is on it."""
        self._tell = tell
        for index in range(engines):
            self._add(index, seed)

    def begin(self) -> None:
        """Everybody starts, with two front ends and one that only looks on."""
        for engine in self.engines:
            self.up(engine)
            self.attach(engine, "full")
            self.attach(engine, "full")
            self.attach(engine, "read-only")
        self.run(0.2)

    # --- time ---

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run(self.clock.now_s + seconds)

    def note(self, who: str, text: str) -> None:
        """A line of the trace."""
        if self._tell:
            self._tell(f"{self.clock.now_s - 1000:10.4f}  {who:<2} {text}")

    # --- what can happen to an engine ---

    def up(self, engine: SimEngine) -> None:
        """Start it as its user would: with the addresses on the command line."""
        if engine.is_up:
            return
        self.note(engine.name, "starts")
        try:
            engine.up()
        except Died:
            engine.connection.rollback()
            engine.crash()
            return
        for other in self.engines:
            if other is not engine and engine.is_up:
                engine.dial(self.address_of(other))
        for addr in self.typed[engine.name]:
            if engine.is_up:
                engine.dial(addr)

    def address_of(self, engine: SimEngine) -> Addr:
        """What the others type."""
        return engine.home

    def swap(self, one: SimEngine, other: SimEngine) -> None:
        """Each machine has the other's address from now on."""
        self.note("", f"{one.name} and {other.name} swap addresses")
        one.addr, other.addr = other.addr, one.addr
        one.listen()
        other.listen()

    def everybody_home(self) -> None:
        """Each machine has its own address again."""
        for engine in self.engines:
            engine.addr = engine.home
        for engine in self.engines:
            engine.listen()

    def crash(self, engine: SimEngine) -> None:
        """kill -9."""
        if engine.is_up:
            self.counts["crash"] += 1
            engine.crash()

    def lose(self, engine: SimEngine, image: bytes | None) -> None:
        """Its history is replaced by an older one, or by none; it is down while that happens."""
        if engine.is_up:
            engine.crash()
        if not self._used(engine):
            return
        self.lost[engine.name].append(engine.connection.serialize())
        connection = sqlite3.connect(":memory:", isolation_level=None)
        if image is not None:
            connection.deserialize(image)
            self.rolled_back.add(engine.name)
        self.counts["wipe" if image is None else "rollback"] += 1
        self.note(engine.name, "loses its history" if image is None else "is rolled back")
        engine.connection = connection
        for tape in self.tapes[engine.name]:
            tape.generation += 1

    def back_up(self, engine: SimEngine) -> None:
        """Keep the history as it is now, for a rollback."""
        if self._used(engine):
            self.backups[engine.name].append(engine.connection.serialize())

    def _used(self, engine: SimEngine) -> bool:
        """Whether there is a history at all since the last loss."""
        query = "SELECT count(*) FROM sqlite_schema WHERE name = 'totals'"
        return bool(engine.connection.execute(query).fetchone()[0])

    # --- front ends ---

    def attach(self, engine: SimEngine, role: str) -> SimClient:
        """A front end, on tape."""
        number = len(self.tapes[engine.name])
        client = SimClient(engine, f"{engine.name}{number}", role)
        tape = Tape(client.name, role, generation=len(self.lost[engine.name]))
        self.tapes[engine.name].append(tape)

        def record(kind: str, frame: bytes) -> None:
            getattr(tape, kind)(frame)

        client.record = record
        client.gives_up = not self.kind.plain
        engine.clients.append(client)
        if engine.is_up:
            client.engine_started()
        return client

    def kill_client(self, client: SimClient) -> None:
        """kill -9 of a front end; another one takes its place and has its unsent texts."""
        engine = client.engine
        client.gone = True
        engine.clients.remove(client)
        engine.client_gone(client.routing_id)
        fresh = self.attach(engine, client.role)
        for message_id, text in client.unanswered.items():
            answers = client.answers.get(message_id, b"")
            fresh.insist(text, message_id, client.peer_of[message_id], answers)
        self.counts["front end killed"] += 1

    # --- what is the case ---

    def peer(self, client: SimClient, other: SimEngine) -> PeerView | None:
        """What a front end shows of another engine."""
        key = public_key(other)
        for peer in client.view.peers if client.view else []:
            if peer.info.key == key:
                return peer
        return None

    def judged(self, client: SimClient) -> list[PeerView]:
        """The peers at which everything has to arrive."""
        peers = client.view.peers if client.view else []
        if self.kind.plain:
            return peers
        keys = {public_key(engine) for engine in self.engines}
        return [peer for peer in peers if peer.info.key in keys]

    def unended(self, client: SimClient) -> list[TransferRow]:
        """Transfers with those that are not over."""
        peers = {peer.info.peer for peer in self.judged(client)}
        rows = client.view.transfers if client.view else []
        return [row for row in rows if row.state in UNENDED and row.peer in peers]

    def at_rest(self) -> bool:
        """Everything asked for is durable, delivered, and told; transfers have ended."""
        for engine in self.engines:
            if not engine.is_up:
                return False
            for client in engine.clients:
                if client.unanswered or client.view is None:
                    return False
                if any(peer.waiting for peer in self.judged(client)):
                    return False
                if self.unended(client):
                    return False
        return any(self.lost.values()) or self._marks_told()

    def _marks_told(self) -> bool:
        """What was shown and read is known on both sides."""
        for engine in self.engines:
            for other in self.engines:
                mine = self.peer(engine.clients[0], other) if other is not engine else None
                theirs = self.peer(other.clients[0], engine) if mine else None
                if mine and theirs:
                    told, said = (
                        (mine.peer_shown, mine.peer_read),
                        (theirs.my_shown, theirs.my_read),
                    )
                    if told != said:
                        return False
        return True

    def nothing_under_way(self) -> bool:
        """No store is at work, so views and histories can be compared."""
        return not any(engine.is_up and engine.committing for engine in self.engines)

    def evidence(self) -> list[Side]:
        """What is left when everything is over."""
        return [
            Side(
                engine.name,
                public_key(engine),
                [
                    read_image(image)
                    for image in [*self.lost[engine.name], engine.connection.serialize()]
                ],
                self.tapes[engine.name],
                engine.name in self.rolled_back,
                self.restored,
                {n: data for n, (_, data) in engine.files.process.disk.items()}
                if engine.files
                else {},
                self.offered[engine.name],
                set(+self.replaced[engine.name]),
            )
            for engine in self.engines
        ]

    def _add(self, index: int, seed: int) -> None:
        name = NAMES[index]
        addr = (f"10.0.0.{index + 1}", 5001 + index)
        engine = SimEngine(self.clock, self.network, name, addr, self.files)
        engine.private_key = private_key((seed + index) % IDENTITIES)
        engine.counts = self.counts
        engine.contain = self.kind.bugs
        engine.turn_s, engine.arq = self.kind.turn_s, self.kind.arq
        engine.commit_s = engine.usual_commit_s = self.kind.commit_s
        engine.tell = lambda text: self.note(name, text)
        self.engines.append(engine)
        self.tapes[name], self.lost[name], self.backups[name] = [], [], []
        self.offered[name], self.typed[name], self.replaced[name] = {}, [], Counter()


UNENDED = frozenset({"offered", "waiting", "active", "paused", "verifying"})
