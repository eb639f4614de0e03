"""Two ledgers and a toy link that loses, repeats and delays; crashes, wipes and rollbacks.

The link is as simple as it can be: a packet names the pair of incarnations that it belongs to, and
is dropped by anybody else; everything is said again and again until it is answered.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import AckRange
from chatnet_protocol.wire.frames import Receipt
from simworld.ledger_harness import LedgerHarness, message_id

SAVED = 6
"""Older images kept for rollbacks."""


class Crashed(Exception):
    """The process dies right after a commit, before anybody hears of it."""


@dataclass(frozen=True)
class Rules:
    """How the world is, and which of its rules a mutant leaves out."""

    crashes: bool = True
    wipes: bool = False
    rollbacks: bool = False
    incarnation_per_boot: bool = True
    dedupe: bool = True
    commit_first: bool = True
    totals_in_hello: bool = True


@dataclass
class Packet:
    """What is on the way; `link` is the pair (sender's, receiver's) of incarnations."""

    link: tuple[int, int]
    kind: str
    body: Any


@dataclass
class Side:
    """One engine: its store, and what it forgets when it dies."""

    world: "World"
    harness: LedgerHarness
    saved: list[bytes] = field(default_factory=list)
    lost: set[bytes] = field(default_factory=set)
    """Ids that left its history by a wipe or a rollback."""
    incarnation: int = 0
    other: int = 0
    """The peer's incarnation on the present link; 0: none."""
    greeted: bool = False
    base: int = 1
    entries: list[c.OutboxRow] = field(default_factory=list)
    settled: set[int] = field(default_factory=set)
    runs: list[Receipt] = field(default_factory=list)

    def boot(self) -> None:
        """Start on what the store holds."""
        if self.world.rules.incarnation_per_boot or not self.incarnation:
            self.incarnation = self.world.rng.getrandbits(64) | 1
            self.base = 1
        else:
            self.base = self.harness.state(1).delivered_seq + 1
        self.other = 0
        self.greeted = False
        self.entries, self.settled, self.runs = [], set(), []

    def commit(self, op: c.Op) -> Any:
        """The result, unless the process dies right then."""
        result = self.harness.do(op)
        if self.world.rules.crashes and self.world.rng.random() < self.world.crash_chance:
            raise Crashed
        return result

    def open(self, other: int) -> None:
        """A handshake has told both incarnations."""
        self.other = other
        self.greeted = False
        self.runs = []

    def write(self, number: int) -> None:
        """The user sends a message."""
        row = c.NewMessage(message_id(number), 1, b"%d" % number, 1)
        self.commit(c.QueueMessages(1, [row], 1, False))

    def say(self) -> None:
        """Everything that is not answered yet, or some of it."""
        send = self.world.send
        state = self.harness.state(1)
        mark = state.mark if state.incarnation == self.other else 0
        totals = state.acked_total, state.received_total
        if not self.world.rules.totals_in_hello:
            totals = 0, 0
        send(self, "hello", (self.base, mark, *totals, state.lamport))
        if not self.greeted:
            return
        if len(self.entries) < 20:
            after = self.entries[-1].seq if self.entries else 0
            self.entries += self.commit(c.LoadOutbox(1, after, 10**6, 10)).rows
        first = self.world.rng.randrange(5)
        for index, row in enumerate(self.entries[first : first + 8], first):
            send(self, "message", (self.base + index, row))
        if self.runs:
            send(self, "receipts", list(self.runs))

    def hear(self, packet: Packet) -> None:
        """One packet of the present link."""
        if packet.link != (self.other, self.incarnation):
            return
        if packet.kind == "hello" and not self.greeted:
            self.hello(*packet.body)
        elif packet.kind == "message" and self.greeted:
            self.message(*packet.body)
        elif packet.kind == "receipts" and self.greeted:
            self.receipts(packet.body)

    def hello(self, base: int, mark: int, acked: int, received: int, lamport: int) -> None:
        assert mark < self.base + len(self.entries), "a ghost"
        op = c.ApplyHello(1, self.other, base, acked, received, lamport, "")
        self.runs = self.commit(op).receipts
        self.greeted = True

    def message(self, number: int, row: c.OutboxRow) -> None:
        mark = self.harness.state(1).mark
        if number > mark + 1:
            return
        op = c.AcceptMessages(1, self.other, number, [row.message], "a:1", 1)
        if not self.world.rules.commit_first:
            ack = self.harness.state(1).received_total + 1
            self.world.send(self, "receipts", [Receipt(number, ack, 1)])
            if self.world.rng.random() < 0.1:
                raise Crashed
        self.runs += self.commit(op).receipts

    def receipts(self, runs: list[Receipt]) -> None:
        told = []
        for run in runs:
            for k in reversed(range(run.count)):
                index = run.number - k - self.base
                if 0 <= index < len(self.entries) and run.number - k not in self.settled:
                    self.settled.add(run.number - k)
                    told.append(AckRange(self.entries[index].seq, run.ack - k, 1))
        if told:
            self.commit(c.StoreReceipts(1, told))
        while self.entries and self.base in self.settled:
            self.settled.discard(self.base)
            self.entries.pop(0)
            self.base += 1


class World:
    """Two sides, `a` and `b`; see the module."""

    def __init__(self, seed: int, rules: Rules) -> None:
        self.rng = random.Random(seed)
        self.rules = rules
        self.sides = [Side(self, self.new_desk()) for _ in range(2)]
        self.on_the_way: list[tuple[int, Side, Packet]] = []
        self.step = 0
        self.written = 0
        self.queued: list[set[bytes]] = [set(), set()]
        self.loss = 0.2
        self.crash_chance = 0.02
        self.counts = dict.fromkeys(("crash", "wipe", "rollback"), 0)
        for side in self.sides:
            side.boot()

    def new_desk(self) -> LedgerHarness:
        harness = LedgerHarness()
        if not self.rules.dedupe:
            harness.connection.executescript(
                "DROP INDEX messages_id; CREATE INDEX messages_id ON messages (id, author)"
            )
        harness.add_peer()
        return harness

    def send(self, source: Side, kind: str, body: Any) -> None:
        """Lost, once, or several times, sooner or later."""
        target = self.sides[1 - self.sides.index(source)]
        packet = Packet((source.incarnation, source.other), kind, body)
        while self.rng.random() > self.loss:
            self.on_the_way.append((self.step + self.rng.choice((1, 1, 2, 30)), target, packet))
            if self.rng.random() > 0.2:
                break

    def run(self, steps: int) -> None:
        """Faults all along, then none: both outboxes have to empty."""
        for _ in range(steps):
            self.turn(faults=True)
            self.check_doubles()
        self.loss = self.crash_chance = 0.0
        for _ in range(600):
            self.turn(faults=False)
            if self.quiet():
                return
        raise AssertionError("an outbox never empties")

    def quiet(self) -> bool:
        states = [side.harness.state(1) for side in self.sides]
        return all(
            side.greeted and state.delivered_seq == state.last_seq
            for side, state in zip(self.sides, states, strict=True)
        )

    def turn(self, faults: bool) -> None:
        self.step += 1
        a, b = self.sides
        if (a.other, b.other) != (b.incarnation, a.incarnation) and self.rng.random() < 0.3:
            a.open(b.incarnation)
            b.open(a.incarnation)
        for index, side in enumerate(self.sides):
            if faults:
                self.fault(side)
            self.guarded(side, self.work, index, faults)
        due = [item for item in self.on_the_way if item[0] <= self.step]
        self.on_the_way = [item for item in self.on_the_way if item[0] > self.step]
        self.rng.shuffle(due)
        for _, target, packet in due:
            self.guarded(target, lambda side, p=packet: side.hear(p))

    def work(self, side: Side, index: int, faults: bool) -> None:
        if faults and self.rng.random() < 0.25:
            self.written += 1
            number = self.written
            try:
                side.write(number)
            finally:
                self.queued[index].add(message_id(number))
        if side.other and self.rng.random() < 0.5:
            side.say()

    def guarded(self, side: Side, act: Any, *args: Any) -> None:
        try:
            act(side, *args)
        except Crashed:
            self.counts["crash"] += 1
            side.harness = LedgerHarness.from_image(side.harness.image())
            side.boot()

    def fault(self, side: Side) -> None:
        if self.rng.random() < 0.05:
            side.saved = [*side.saved[-SAVED:], side.harness.image()]
        if self.rules.wipes and self.rng.random() < 0.01:
            self.replace(side, self.new_desk(), "wipe")
        if self.rules.rollbacks and side.saved and self.rng.random() < 0.01:
            self.replace(side, LedgerHarness.from_image(self.rng.choice(side.saved)), "rollback")

    def replace(self, side: Side, harness: LedgerHarness, what: str) -> None:
        self.counts[what] += 1
        side.lost |= {row.id for row in side.harness.history()}
        side.harness = harness
        side.boot()

    def check_doubles(self) -> None:
        """At no moment does a history hold a message twice."""
        for side in self.sides:
            query = "SELECT count(*) - count(DISTINCT id) FROM messages WHERE author"
            doubles = side.harness.connection.execute(query).fetchone()[0]
            assert not doubles, "doubled"

    def check(self) -> None:
        """Nothing lost, doubled or out of order that no wipe or rollback excuses."""
        faulty = self.counts["wipe"] + self.counts["rollback"]
        for index, (side, other) in enumerate(zip(self.sides, self.sides[::-1], strict=True)):
            own = [row for row in side.harness.history() if row.mine]
            got = {row.id: row for row in other.harness.history() if not row.mine}
            got_ids = [row.id for row in other.harness.history() if not row.mine]
            assert len(got_ids) == len(got), "doubled"
            missing = {row.id for row in own} - set(got) - other.lost
            assert not missing, "lost on the way"
            assert self.queued[index] <= {row.id for row in own} | side.lost, "lost at the sender"
            acks = [row.ack for row in own]
            assert all(acks), "an ACK number was never told"
            assert len(set(acks)) == len(acks), "an ACK number stands for two messages"
            for row in own:
                assert row.id not in got or got[row.id].ack == row.ack, "ACK numbers differ"
            if not faulty:
                assert got_ids == sorted(got_ids) == [row.id for row in own], "out of order"
        if not faulty:
            a, b = (
                sorted((row.lamport, row.id) for row in side.harness.history())
                for side in self.sides
            )
            assert a == b, "the two histories differ"
