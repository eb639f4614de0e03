"""Random operations against a model of a few lines, with crashes; and the view after each commit.

`LedgerHarness` compares the view built from the store with the live one after every commit.
"""

import random
from dataclasses import dataclass, field

import msgspec
import pytest

from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import AckRange, PeerRow, TransferRow, TransferState
from simworld.ledger_harness import LedgerHarness, message_id


@dataclass
class Talk:
    """What should be true of one conversation."""

    own: list[int] = field(default_factory=list)
    """Ids by seq - 1."""
    acks: dict[int, int] = field(default_factory=dict)
    failed: set[int] = field(default_factory=set)
    theirs: dict[int, int] = field(default_factory=dict)
    """ACK number by id."""
    mark: int = 0
    incarnation: int = 0
    total: int = 0

    def waiting(self) -> list[int]:
        """Seqs in the outbox."""
        every = range(1, len(self.own) + 1)
        return [seq for seq in every if seq not in self.acks and seq not in self.failed]


class Story:
    """One random life of a store."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.harness = LedgerHarness()
        self.talks: dict[int, Talk] = {}
        self.bodies: dict[int, bytes] = {}
        self.next_id = 1
        self.transfers = 0
        self.add_peer()

    def run(self, steps: int) -> None:
        acts = (
            self.queue, self.queue, self.accept, self.accept, self.accept, self.receipts,
            self.receipts, self.hello, self.marks, self.draft, self.fail, self.outbox,
            self.transfer, self.add_peer, self.merge, self.crash, self.disk_full,
        )  # fmt: skip
        for _ in range(steps):
            self.rng.choice(acts)()
            self.check()

    def pick(self) -> tuple[int, Talk]:
        peer = self.rng.choice(sorted(self.talks))
        return peer, self.talks[peer]

    def new_ids(self) -> list[int]:
        count = self.rng.choice((1, 1, 2, 3, 70))
        self.next_id += count
        return list(range(self.next_id - count, self.next_id))

    def body(self) -> bytes:
        return b"x" * self.rng.choice((1, 10, 30, 3000))

    def add_peer(self) -> None:
        if len(self.talks) < 4:
            key = bytes([len(self.talks)]) + self.rng.randbytes(31)
            self.talks[self.harness.add_peer(self.rng.choice((key, b"")))] = Talk()

    def queue(self) -> None:
        peer, talk = self.pick()
        ids = self.new_ids() + self.rng.sample(talk.own, min(2, len(talk.own)))
        self.rng.shuffle(ids)
        changed = {n for n in talk.own if self.rng.random() < 0.3}
        bodies = {n: self.bodies.setdefault(n, self.body()) for n in ids}
        rows = [
            c.NewMessage(
                message_id(n), 1, bodies[n] + b"!" * (n in changed), 5, self.rng.choice((0, 1))
            )
            for n in ids
        ]
        result = self.harness.queue(peer, rows, release=self.rng.random() < 0.3)
        fresh = [n for n in ids if n not in talk.own]
        assert [row.id for row in result.rows] == [message_id(n) for n in fresh]
        talk.own += fresh
        assert {(i, s) for i, _, s in result.known} == {
            (message_id(n), talk.own.index(n) + 1) for n in ids if n not in {*fresh, *changed}
        }
        assert [ids[place] for place in result.refused] == [n for n in ids if n in changed]

    def accept(self) -> None:
        peer, talk = self.pick()
        if not talk.incarnation:
            return
        ids = self.new_ids() + self.rng.sample(sorted(talk.theirs), min(2, len(talk.theirs)))
        ids = self.rng.sample(ids, len(ids)) + ids[:1]
        skip = self.rng.randrange(min(3, talk.mark + 1))
        lamport = self.harness.state(peer).lamport
        rows = [
            c.Message(1, message_id(n), lamport + k + 1, 6, self.body())
            for k, n in enumerate([0] * skip + ids)
        ]
        result = self.harness.accept(peer, talk.incarnation, talk.mark + 1 - skip, rows)
        acks = []
        for n in ids:
            if n not in talk.theirs:
                talk.total += 1
                talk.theirs[n] = talk.total
            acks.append(talk.theirs[n])
        told = [
            (run.number - k, run.ack - k)
            for run in result.receipts
            for k in reversed(range(run.count))
        ]
        assert told == list(enumerate(acks, talk.mark + 1))
        talk.mark += len(ids)
        assert result.mark == talk.mark

    def receipts(self) -> None:
        peer, talk = self.pick()
        if not talk.own or self.harness.is_unmet(peer):
            return
        last = self.rng.randint(1, len(talk.own))
        run = self.rng.randint(1, last)
        if self.rng.random() < 0.8:
            run = last
        ack = last + self.rng.choice((0, 0, 0, 100))
        result = self.harness.do(c.StoreReceipts(peer, [AckRange(last, ack, run)] * 2))
        new = [seq for seq in talk.waiting() if last - run < seq <= last]
        told = [part.seq - k for part in result.runs for k in reversed(range(part.count))]
        assert told == new
        talk.acks |= {seq: ack - (last - seq) for seq in new}

    def hello(self) -> None:
        peer, talk = self.pick()
        if self.harness.is_unmet(peer):
            return
        state = self.harness.state(peer)
        same = talk.incarnation and self.rng.random() < 0.5
        incarnation = talk.incarnation if same else self.rng.getrandbits(64) | 1
        base = self.rng.randint(1, talk.mark + 3) if same else self.rng.randint(1, 3)
        ahead = self.rng.choice((0, 0, 0, 4))
        result = self.harness.hello(
            peer, incarnation, base=base, acked_total=talk.total + ahead,
            lamport=state.lamport + self.rng.choice((-5, 0, 9)) if state.lamport > 5 else 0,
            received_total=self.rng.randint(0, state.acked_total),
        )  # fmt: skip
        talk.total += ahead
        talk.mark = max(talk.mark, base - 1) if same else base - 1
        talk.incarnation = incarnation
        assert result.mark == talk.mark
        assert all(base <= run.number - run.count + 1 for run in result.receipts)

    def marks(self) -> None:
        peer, _ = self.pick()
        values = [self.rng.randint(0, 50) for _ in range(5)]
        self.harness.do(c.StoreMarks(peer, *values))

    def draft(self) -> None:
        peer, _ = self.pick()
        revision = self.harness.state(peer).draft_revision
        self.harness.do(c.StoreDraft(peer, "draft", revision - self.rng.choice((0, 0, 1))))

    def fail(self) -> None:
        peer, talk = self.pick()
        if talk.own:
            seq = self.rng.randint(1, len(talk.own))
            waits = seq in talk.waiting()
            assert bool(self.harness.do(c.FailMessage(peer, seq, "no")).no) == waits
            talk.failed |= {seq} if waits else set()

    def outbox(self) -> None:
        peer, _ = self.pick()
        self.harness.do(c.LoadOutbox(peer, 0, self.rng.choice((1, 5000)), self.rng.choice((1, 9))))

    def transfer(self) -> None:
        peer, _ = self.pick()
        self.transfers += 1
        number = self.rng.randint(max(1, self.transfers - 5), self.transfers)
        state = self.rng.choice(list(TransferState))
        row = TransferRow(message_id(number), peer, number, True, state, "f", 1, 1)
        self.harness.do(c.StoreTransfer(row, b""))

    def merge(self) -> None:
        typed = [peer for peer in self.talks if self.harness.is_unmet(peer)]
        if not typed or len(self.talks) < 2 or self.rng.random() < 0.5:
            return
        gone = typed[-1]
        into = self.rng.choice([peer for peer in self.talks if peer != gone])
        self.harness.do(c.ForgetPeer(gone, into))
        old, new = self.talks.pop(gone), self.talks[into]
        offset = len(new.own)
        new.own += old.own
        new.acks |= {seq + offset: ack for seq, ack in old.acks.items()}
        new.failed |= {seq + offset for seq in old.failed}

    def crash(self) -> None:
        """Back to the last committed state."""
        self.harness = LedgerHarness.from_image(self.harness.image())

    def disk_full(self) -> None:
        peer, _ = self.pick()
        db = self.harness.connection
        used = db.execute("PRAGMA page_count").fetchone()[0]
        db.execute(f"PRAGMA max_page_count = {used}").fetchone()
        row = PeerRow(0, "nobody", "", 0)
        big = c.NewMessage(message_id(10**9), 1, bytes(100_000), 1)
        self.harness.refused(
            c.StoreMarks(peer, my_read=1),
            c.StorePeer(row),
            c.QueueMessages(peer, [big], 1, True),
        )
        db.execute(f"PRAGMA max_page_count = {2**30}").fetchone()

    def check(self) -> None:
        for peer, talk in self.talks.items():
            rows = self.harness.connection.execute(
                "SELECT mine, id, seq, ack, failed FROM conversation WHERE peer = ? ORDER BY"
                " iif(mine, seq, ack)",
                (peer,),
            ).fetchall()
            own = [(message_id(n), seq, talk.acks.get(seq, 0), "no" if seq in talk.failed else "")
                   for seq, n in enumerate(talk.own, 1)]  # fmt: skip
            assert [row[1:] for row in rows if row[0]] == own
            theirs = [(message_id(n), ack) for n, ack in talk.theirs.items()]
            assert [(row[1], row[3]) for row in rows if not row[0]] == theirs
            self.check_order(peer, talk)
        numbers = [row.no for row in self.harness.history()]
        assert numbers == list(range(1, len(numbers) + 1))

    def check_order(self, peer: int, talk: Talk) -> None:
        """Own messages rise in Lamport order with their seq, and the counters agree."""
        state = self.harness.state(peer)
        lamports = self.harness.connection.execute(
            "SELECT lamport FROM messages WHERE peer = ? AND author = 0 ORDER BY seq", (peer,)
        ).fetchall()
        if not talk.failed:
            assert lamports == sorted(set(lamports))
        assert max(lamports, default=(0,))[0] <= state.lamport
        waiting = talk.waiting()
        assert state.delivered_seq == (waiting[0] - 1 if waiting else len(talk.own))
        assert state.my_read <= state.received_total == talk.total
        assert state.sent_seq >= state.delivered_seq


@pytest.mark.parametrize("seed", range(40))
def test_a_random_life_agrees_with_the_model_and_the_view(seed: int) -> None:
    story = Story(seed)
    story.run(60)
    image = story.harness.image()
    again = LedgerHarness.from_image(image)
    assert msgspec.structs.astuple(again.ledger.load()) == msgspec.structs.astuple(
        story.harness.ledger.load()
    )
