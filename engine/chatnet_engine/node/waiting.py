"""Owns one operation that waits for the store, and what may still become part of it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeGuard

import msgspec

from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.store_ops import commit as c

MAX_MERGED_ROWS = 128
"""An operation with so many takes no more of them; messages that arrive together in larger numbers
become several operations."""
MAX_MERGED_HELD_ROWS = 16
"""The same of an operation that is held."""


@dataclass(slots=True)
class Waiting:
    """One operation and who waits for what of it.

    `askers[i]` waits for row i of a QueueMessages; other operations have at most one. `link`: the
    one that it was asked for, if what follows from it is only for that link. `context`: what else
    its subject has to know when the result is there. `due_s`: not to be asked for before, in
    monotonic seconds.
    """

    op: c.Op
    askers: list[ReplyTo | None] = field(default_factory=list)
    link: LinkSession | None = None
    context: object = None
    due_s: float = -math.inf

    @property
    def reply_to(self) -> ReplyTo | None:
        """Where the one answer goes, if any; not for QueueMessages."""
        return self.askers[0] if self.askers else None


def pieces(op: c.AcceptMessages, most: int) -> Iterator[c.AcceptMessages]:
    """The same messages, at most so many in an operation."""
    for start in range(0, len(op.rows), most):
        yield msgspec.structs.replace(
            op, first_number=op.first_number + start, rows=op.rows[start : start + most]
        )


def takes(last: c.Op, op: c.QueueMessages) -> TypeGuard[c.QueueMessages]:
    """Whether own messages go into the operation with those before them."""
    return (
        isinstance(last, c.QueueMessages)
        and last.release == op.release
        and len(last.rows) < MAX_MERGED_ROWS
    )


def restorer(waiting: Waiting) -> Callable[[], None]:
    """Brings an operation back to what it is now: more is about to be put into it."""
    op, askers, due_s = waiting.op, len(waiting.askers), waiting.due_s
    batch: list[Any] | None = None
    match op:
        case c.QueueMessages() | c.AcceptMessages():
            batch = op.rows
        case c.StoreReceipts():
            batch = op.runs
        case _:
            pass
    size = len(batch) if batch is not None else 0

    def undo() -> None:
        waiting.op, waiting.due_s = op, due_s
        del waiting.askers[askers:]
        if batch is not None:
            del batch[size:]

    return undo


def absorb(last: c.Op, op: c.Op, waiting: Waiting) -> bool:
    """Put `op` into the operation before it where both mean one batch."""
    match last, op:
        case c.AcceptMessages(), c.AcceptMessages():
            follows = (last.peer, last.incarnation, last.source) == (
                op.peer,
                op.incarnation,
                op.source,
            ) and op.first_number == last.first_number + len(last.rows)
            most = MAX_MERGED_ROWS if waiting.due_s == -math.inf else MAX_MERGED_HELD_ROWS
            if follows and len(last.rows) < most:
                last.rows.extend(op.rows)
                return True
        case c.StoreReceipts(), c.StoreReceipts() if last.peer == op.peer:
            last.runs.extend(op.runs)
            return True
        case c.StoreMarks(), c.StoreMarks() if last.peer == op.peer and not waiting.askers:
            waiting.op = msgspec.structs.replace(
                last,
                sent_seq=max(last.sent_seq, op.sent_seq),
                peer_shown=max(last.peer_shown, op.peer_shown),
                peer_read=max(last.peer_read, op.peer_read),
                my_shown=max(last.my_shown, op.my_shown),
                my_read=max(last.my_read, op.my_read),
            )
            return True
    return False
