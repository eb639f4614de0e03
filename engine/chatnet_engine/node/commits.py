"""Owns what waits for the store: operations not yet asked for, and the one transaction in flight.

What arrives while a transaction is in flight forms the next one; operations of one kind for one
peer are merged into one batch. Each peer gets its share of a transaction, so that nobody's backlog
holds up the others' messages; operations that share a subject keep their order. Each operation
carries a `context`, given back with its result, so that whatever depends on the commit (replies,
events, receipts) waits for it.
"""

import math
from collections.abc import Callable, Collection
from typing import TypeVar

from chatnet_engine.clock import Now
from chatnet_engine.node.commit_shares import ABOUT_EVERYTHING, peer_of, shared_out
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.waiting import (
    MAX_MERGED_HELD_ROWS,
    MAX_MERGED_ROWS,
    Waiting,
    absorb,
    pieces,
    restorer,
    takes,
)
from chatnet_engine.store_ops import commit as c
from chatnet_engine.trace import Code, Tracer
from chatnet_engine.trace import Kind as TraceKind
from chatnet_protocol.ipc.rows import PeerRow

MAX_WAITING_ROWS = 20_000
"""Own messages that may wait for the store before further commands are answered `busy`."""
Kind = TypeVar("Kind")

HELD_REST_S = 0.008
"""After a transaction with something that was held: so long nothing more of that goes into one, so
that a message which comes meanwhile finds the store free."""
FIRST_RETRY_S = 0.25
MAX_RETRY_S = 5.0


class CommitQueue:
    """Feeds the ledger one transaction after the other."""

    def __init__(self, trace: Tracer | None = None) -> None:
        self._trace = trace or Tracer()
        self._waiting: list[Waiting] = []
        self._newest: dict[int, Waiting] = {}
        """The last one that waits for each peer: what a further one may be merged into."""
        self._flight: list[Waiting] | None = None
        self._number = 0
        self._waiting_rows = 0
        self._retry_at: float | None = None
        self._retry_s = FIRST_RETRY_S
        self._held: frozenset[int] = frozenset()
        self._held_until_s = -math.inf
        self._has_gathered = False
        """Whether something waits that was held."""
        self._carries_held = False
        """Whether something that was held went into the last transaction."""
        self._rests_until_s = -math.inf
        self._overtaken = False
        """Whether what was held and due had to wait for the transaction in flight."""
        self._undo: list[Callable[[], None]] = []
        """How to take back what was asked since `begin`, newest last."""
        self.failing = ""
        """Why the store does not work at the moment; empty while it does."""

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is in flight."""
        return not self._waiting and self._flight is None

    @property
    def full(self) -> bool:
        """Own messages have to wait outside for now."""
        return self._waiting_rows >= MAX_WAITING_ROWS

    def new_peers(self) -> list[PeerRow]:
        """Rows that are about to become peers."""
        asked = [*(self._flight or []), *self._waiting]
        rows = (one.op.row for one in asked if isinstance(one.op, c.StorePeer))
        return [row for row in rows if row.peer == 0]

    def changes_peer(self, peer: int) -> bool:
        """Whether another row of this peer is about to be stored."""
        return any(isinstance(w.op, c.StorePeer) and w.op.row.peer == peer for w in self._waiting)

    def forgets_peer(self, peer: int) -> bool:
        """Whether its removal is about to be stored."""
        asked = [*(self._flight or []), *self._waiting]
        return any(isinstance(w.op, c.ForgetPeer) and w.op.peer == peer for w in asked)

    def keys_on_the_way(self, *, of_others_than: int = 0) -> set[bytes]:
        """Keys of peers that are about to be stored: they are taken, though not in the list yet."""
        asked = [*(self._flight or []), *self._waiting]
        rows = [one.op.row for one in asked if isinstance(one.op, c.StorePeer)]
        return {row.key for row in rows if row.key and (row.peer or -1) != of_others_than}

    def contexts(self, kind: type[Kind]) -> list[Kind]:
        """Those of this kind that wait with their operations, or are in flight."""
        asked = [*(self._flight or []), *self._waiting]
        return [one.context for one in asked if isinstance(one.context, kind)]

    def add(
        self,
        op: c.Op,
        asker: ReplyTo | None = None,
        *,
        link: LinkSession | None = None,
        context: object = None,
    ) -> None:
        """Ask for `op` in the next transaction."""
        peer = peer_of(op)
        if isinstance(op, c.AcceptMessages) and asker is None:
            most = MAX_MERGED_HELD_ROWS if peer in self._held else MAX_MERGED_ROWS
            if len(op.rows) > most:
                for piece in pieces(op, most):
                    self.add(piece, link=link)
                return
        last = self._newest.get(peer) if peer else None
        if isinstance(op, c.QueueMessages):
            self._waiting_rows += len(op.rows)
            self._undo.append(self._count_less(len(op.rows)))
            if last and takes(last.op, op):
                self._undo.append(restorer(last))
                last.op.rows.extend(op.rows)
                last.askers.extend([asker] * len(op.rows))
                if asker:
                    last.due_s = -math.inf
            else:
                self._append(Waiting(op, [asker] * len(op.rows)), peer)
            return
        if last and asker is None and last.link is link:
            self._undo.append(restorer(last))
            if absorb(last.op, op, last):
                return
            self._undo.pop()
        self._append(Waiting(op, [asker] if asker else [], link, context), peer)

    def hold(self, peers: Collection[int], until_s: float) -> None:
        """What these peers, or nobody, cause from now on is not asked for before that time, unless
        somebody waits for it: a transaction holds up the next one, and ten operations make it
        hardly longer than one."""
        self._held = frozenset(peers)
        self._held_until_s = max(until_s, self._held_until_s)  # what is added later is due later

    def _due_s(self, waiting: Waiting, peer: int) -> float:
        gathers = (not peer or peer in self._held) and not any(waiting.askers)
        if not gathers or isinstance(waiting.op, ABOUT_EVERYTHING):
            return -math.inf
        return self._held_until_s

    def _beside_held(self, now_s: float) -> float:
        """Until when what is due is taken: all of it, where something is about all peers. It would
        wait for whatever is held, and everything else for it."""
        if now_s >= self._held_until_s:
            self._held = frozenset()
        elif any(isinstance(one.op, ABOUT_EVERYTHING) for one in self._waiting):
            return math.inf
        return now_s

    def _share_beside_held(self, now_s: float) -> tuple[list[Waiting], list[Waiting]]:
        """What is not held goes first, alone, and every second time with what was, after a rest:
        a message does not wait for more than one transaction for busy peers, and these make
        progress."""
        if self._carries_held:  # that one was answered
            self._carries_held, self._rests_until_s = False, now_s + HELD_REST_S
        rests, now_s = now_s < self._rests_until_s, self._beside_held(now_s)
        if now_s < math.inf and (rests or not self._overtaken):
            flight, later = shared_out(self._waiting, -math.inf)
            if flight:
                self._overtaken = any(-math.inf < one.due_s <= now_s for one in later)
            if flight or rests:
                return flight, later
        self._overtaken = False
        flight, later = shared_out(self._waiting, now_s)
        self._carries_held = any(one.due_s > -math.inf for one in flight)
        return flight, later

    def _append(self, waiting: Waiting, peer: int) -> None:
        newest, before = self._newest, self._newest.get(peer)

        def undo() -> None:
            self._waiting.pop()
            self._newest = newest
            if before:
                newest[peer] = before
            else:
                newest.pop(peer, None)

        if self._held:
            waiting.due_s = self._due_s(waiting, peer)
            self._has_gathered |= waiting.due_s > -math.inf
        self._undo.append(undo)
        self._waiting.append(waiting)
        if isinstance(waiting.op, ABOUT_EVERYTHING):
            self._newest = {}  # nothing is merged across it
        else:
            newest[peer] = waiting

    def _wait(self, waiting: list[Waiting]) -> None:
        """These wait from now on."""
        self._waiting = waiting
        if self._has_gathered:
            self._has_gathered = any(one.due_s > -math.inf for one in waiting)
        self._newest = {}
        for one in waiting:
            if isinstance(one.op, ABOUT_EVERYTHING):
                self._newest.clear()
            else:
                self._newest[peer_of(one.op)] = one

    def begin(self) -> None:
        """From now on `roll_back` takes back what is asked for."""
        self._undo.clear()

    def roll_back(self) -> None:
        """Take back what was asked for since `begin`."""
        while self._undo:
            self._undo.pop()()

    def _count_less(self, rows: int) -> Callable[[], None]:
        def undo() -> None:
            self._waiting_rows -= rows

        return undo

    def drop_peer(self, peer: int, culprit: int, number: int) -> list[Waiting]:
        """The transaction failed at that operation: everything of its peer (0: that operation
        alone) is dropped, the rest is tried again at once. What was dropped."""
        flight = self._landed(number)
        dropped: list[Waiting] = []
        kept: list[Waiting] = []
        for index, waiting in enumerate(flight + self._waiting):
            is_it = index == culprit or (peer and peer_of(waiting.op) == peer)
            (dropped if is_it else kept).append(waiting)
        for waiting in dropped:
            if isinstance(waiting.op, c.QueueMessages):
                self._waiting_rows -= len(waiting.op.rows)
        self._wait(kept)
        return dropped

    def op_in_flight(self, index: int) -> c.Op:
        """One operation of the transaction in flight."""
        assert self._flight is not None, "an answer without a transaction in flight"
        return self._flight[index].op

    def take(self, now: Now) -> c.Commit | None:
        """The next transaction, if the last one has been answered."""
        if self._flight is not None or not self._waiting:
            return None
        if self._retry_at is not None and now.mono_s < self._retry_at:
            return None
        self._retry_at = None  # from here on what rests or is held says when
        self._undo.clear()
        if self._held or self._has_gathered:
            flight, later = self._share_beside_held(now.mono_s)
        else:
            flight, later = shared_out(self._waiting, now.mono_s)
        if not flight:
            return None
        self._flight = flight
        self._wait(later)
        self._number += 1
        return c.Commit(self._number, [waiting.op for waiting in flight])

    def handle_committed(self, done: c.Committed) -> list[tuple[c.OpResult, Waiting]]:
        """Results with what was waiting for them, in the order of the operations."""
        flight = self._landed(done.number)
        if self.failing:
            self._trace.add(0, TraceKind.STORE_WORKS)
        if self._trace.detail:
            self._trace.add(0, TraceKind.STORE_COMMITTED, operations=len(flight))
        self._retry_s = FIRST_RETRY_S
        self.failing = ""
        for waiting in flight:
            if isinstance(waiting.op, c.QueueMessages):
                self._waiting_rows -= len(waiting.op.rows)
        return list(zip(done.results, flight, strict=True))

    def handle_failed(self, failed: c.CommitFailed, now: Now) -> list[Waiting]:
        """Keep what must not be lost for another try; give back what is not tried again.

        Operations that somebody waits for are dropped: they get an error and still have their text.
        So are other changes of a peer that somebody wanted changed, since they build on it, and
        what its link asked for: that ends, its key may have been one of these changes, and the peer
        sends it all again.
        """
        asked = self._landed(failed.number) + self._waiting
        dropped: list[Waiting] = []
        kept: list[Waiting] = []
        changed = {
            one.op.row.peer
            for one in asked
            if isinstance(one.op, c.StorePeer) and one.askers and one.op.row.peer
        }
        for waiting in asked:
            if isinstance(waiting.op, c.QueueMessages):
                self._waiting_rows -= len(waiting.op.rows)
                dropped.append(waiting)
            elif waiting.askers or (
                (waiting.link or isinstance(waiting.op, c.StorePeer))
                and peer_of(waiting.op) in changed
            ):
                dropped.append(waiting)
            else:
                kept.append(waiting)
        self._wait(kept)
        self.failing = failed.reason
        self._trace.add(0, TraceKind.STORE_FAILED, code=Code(failed.code), retry_s=self._retry_s)
        self._retry_at = now.mono_s + self._retry_s
        self._retry_s = min(MAX_RETRY_S, self._retry_s * 2)
        return dropped

    def next_timeout(self) -> float | None:
        """When a failed transaction is tried again, or what is held is due."""
        if self._flight is not None or not self._waiting:
            return None
        if self._retry_at is not None:
            return self._retry_at
        held_s = next((one.due_s for one in self._waiting if one.due_s > -math.inf), None)
        return -math.inf if held_s is None else max(held_s, self._rests_until_s)

    def _landed(self, number: int) -> list[Waiting]:
        assert self._flight is not None, "an answer without a transaction in flight"
        assert number == self._number, "an answer to another transaction"
        flight, self._flight = self._flight, None
        return flight
