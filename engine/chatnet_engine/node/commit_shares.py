"""Which of the operations that wait go into the next transaction: every peer gets its share.

An operation may overtake others only where it shares no subject with them.
"""

import math
from collections import Counter
from typing import Protocol, TypeVar

from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops.restores import PutBack
from chatnet_engine.store_ops.settings import StoreSettings

MAX_ROWS_IN_COMMIT = 512
MAX_OPS_IN_COMMIT = 64
"""A transaction stays short, so that a receipt never waits long for its turn: an operation costs
about as much as ten rows, and both limits are some ten milliseconds of the store's thread."""
MAX_HELD_COST, OP_COST = 40, 10
"""Of what was held, in rows, and what an operation costs in these: a small part of a full
transaction, a millisecond where the disk is fast, as others wait for it and for what follows."""
ABOUT_EVERYTHING = (c.ForgetPeer, c.LoadPeer)
EVERYTHING = 0
PEER_LIST = -1
SETTINGS = -2
"""Subjects that have no number of their own: all that there is, who the peers are, and what a
person chose for the session."""


class WithOp(Protocol):
    """An operation, and whatever waits for it."""

    @property
    def op(self) -> c.Op: ...
    @property
    def due_s(self) -> float: ...


W = TypeVar("W", bound=WithOp)


def shared_out(waiting: list[W], now_s: float) -> tuple[list[W], list[W]]:
    """What goes into the next transaction, and what waits for the one after it, both in order.

    Every peer of which something is due gets the same share, its first operation whatever its size.
    What was held gets at most MAX_HELD_COST altogether, but for one operation. What shares a
    subject with something before it that has to wait, waits too.
    """
    peers = {peer_of(one.op) for one in waiting if one.due_s <= now_s}
    if not peers:
        return [], waiting
    most_ops, most_rows = MAX_OPS_IN_COMMIT // len(peers), MAX_ROWS_IN_COMMIT // len(peers)
    ops: Counter[int] = Counter()
    rows: Counter[int] = Counter()
    flight: list[W] = []
    later: list[W] = []
    held: set[int | bytes] = set()
    held_cost = 0
    for one in waiting:
        peer, row_count = peer_of(one.op), _row_count(one.op)
        ops[peer] += 1
        rows[peer] += row_count
        fits = ops[peer] == 1 or (ops[peer] <= most_ops and rows[peer] <= most_rows)
        if one.due_s > -math.inf:
            is_first, held_cost = not held_cost, held_cost + OP_COST + row_count
            fits = one.due_s <= now_s and (is_first or held_cost <= MAX_HELD_COST)
        if fits and not held:
            flight.append(one)
            continue
        subjects = subjects_of(one.op)
        about_all = EVERYTHING in held or EVERYTHING in subjects
        if fits and not about_all and held.isdisjoint(subjects):
            flight.append(one)
        else:
            later.append(one)
            held |= subjects
    return flight, later


def peer_of(op: c.Op) -> int:
    """Whose operation it is; 0: nobody's alone."""
    match op:
        case c.StorePeer() | c.StoreTransfer():
            return op.row.peer
        case c.LoadTransfers() | c.FindFolder() | c.ListReceived() | StoreSettings():
            return 0
        case _:
            return op.peer


def subjects_of(op: c.Op) -> set[int | bytes]:
    """What it reads or changes: numbers of peers, PEER_LIST, SETTINGS, ids of
    transfers, or EVERYTHING."""
    if isinstance(op, ABOUT_EVERYTHING):
        return {EVERYTHING}
    match op:
        case c.StorePeer():
            return {op.row.peer, PEER_LIST} if op.row.peer else {PEER_LIST}
        case c.LoadTransfers() | c.ListReceived():
            return set(op.ids) if isinstance(op, c.LoadTransfers) else set()
        case StoreSettings():
            return {SETTINGS}
        case c.StoreTransfer():
            return {op.row.peer, op.row.id}
        case c.QueueMessages() | PutBack():
            return {op.peer, *(row.transfer.row.id for row in op.rows if row.transfer)}
        case _:
            return {op.peer}


def _row_count(op: c.Op) -> int:
    if isinstance(op, c.QueueMessages | c.AcceptMessages | PutBack):
        return len(op.rows)
    return 1
