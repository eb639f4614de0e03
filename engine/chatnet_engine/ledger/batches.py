"""Owns the two ways a batch of messages enters the history: own ones and a peer's.

One statement takes many rows, because SQLite gives up the interpreter lock at every call. Shapes
are powers of two, so that each statement is compiled once: compiling costs more than inserting.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from operator import attrgetter

from chatnet_engine.store_ops.commit import NewMessage
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.wire.messages import Message

MAX_ROWS_IN_STATEMENT = 256
_COLUMNS = (
    "no, peer, author, arrived_ms, seq, ack, source, place, failed, "
    "id, kind, sent_ms, body, reply_to, lamport"
)
_OWN_FIELDS = attrgetter("id", "kind", "sent_ms", "body", "reply_to")
_ARRIVED_FIELDS = attrgetter("id", "kind", "sent_ms", "body", "reply_to", "lamport")


def _own_sql(count: int) -> str:
    """Parameters: no, peer, now_ms, seq, lamport of the first; then five for each row."""
    rows = (
        f"(?1+{k}, ?2, 0, ?3, ?4+{k}, 0, '', ?1+{k}, '', "
        f"?{p}, ?{p + 1}, ?{p + 2}, ?{p + 3}, ?{p + 4}, ?5+{k})"
        for k, p in ((k, 6 + 5 * k) for k in range(count))
    )
    return f"INSERT INTO messages ({_COLUMNS}) VALUES {', '.join(rows)}"  # noqa: S608


def _arrived_sql(count: int) -> str:
    """Parameters: no, peer, author, now_ms, ack of the first, source; then six for each row."""
    rows = (
        f"(?1+{k}, ?2, ?3, ?4, 0, ?5+{k}, ?6, ?1+{k}, '', "
        f"?{p}, ?{p + 1}, ?{p + 2}, ?{p + 3}, ?{p + 4}, ?{p + 5})"
        for k, p in ((k, 7 + 6 * k) for k in range(count))
    )
    return f"INSERT INTO messages ({_COLUMNS}) VALUES {', '.join(rows)}"  # noqa: S608


_SHAPES = tuple(1 << k for k in range(MAX_ROWS_IN_STATEMENT.bit_length()))
_OWN_SQL = {count: _own_sql(count) for count in _SHAPES}
_ARRIVED_SQL = {count: _arrived_sql(count) for count in _SHAPES}


def _chunks(total: int) -> list[tuple[int, int]]:
    """(start, length) of the statements for `total` rows, lengths being powers of two."""
    out = []
    start = 0
    while start < total:
        length = min(MAX_ROWS_IN_STATEMENT, 1 << ((total - start).bit_length() - 1))
        out.append((start, length))
        start += length
    return out


def insert_own(
    db: sqlite3.Connection,
    peer: int,
    rows: Sequence[NewMessage],
    now_ms: int,
    before: tuple[int, int, int],
) -> list[MessageRow]:
    """Append own messages; `before` is (no, seq, lamport) of the last one.

    Raises sqlite3.IntegrityError when an id is known already; then all of them are to be removed
    with `remove_after`.
    """
    no, seq, lamport = (value + 1 for value in before)
    for start, length in _chunks(len(rows)):
        head = (no + start, peer, now_ms, seq + start, lamport + start)
        fields = map(_OWN_FIELDS, rows[start : start + length])
        db.execute(_OWN_SQL[length], (*head, *chain.from_iterable(fields)))
    return [
        MessageRow(no + k, r.id, True, r.kind, r.body, r.sent_ms, now_ms, seq + k, 0, "",
                   lamport + k, no + k, "", r.reply_to)
        for k, r in enumerate(rows)
    ]  # fmt: skip


def insert_arrived(
    db: sqlite3.Connection,
    peer: int,
    author: int,
    rows: Sequence[Message],
    now_ms: int,
    source: str,
    before: tuple[int, int],
) -> list[MessageRow]:
    """Append a peer's messages; `before` is (no, ack) of the last one.

    Raises sqlite3.IntegrityError as `insert_own` does.
    """
    no, ack = (value + 1 for value in before)
    for start, length in _chunks(len(rows)):
        head = (no + start, peer, author, now_ms, ack + start, source)
        fields = map(_ARRIVED_FIELDS, rows[start : start + length])
        db.execute(_ARRIVED_SQL[length], (*head, *chain.from_iterable(fields)))
    return [
        MessageRow(no + k, r.id, False, r.kind, r.body, r.sent_ms, now_ms, 0, ack + k, source,
                   r.lamport, no + k, "", r.reply_to)
        for k, r in enumerate(rows)
    ]  # fmt: skip


def remove_after(db: sqlite3.Connection, no: int) -> None:
    """Take out what an insert that met a known id has appended."""
    db.execute("DELETE FROM messages WHERE no > ?", (no,))


def last_no(db: sqlite3.Connection) -> int:
    """The last number given out in this session."""
    (no,) = db.execute("SELECT last_no FROM totals").fetchone()
    return int(no)


def store_last_no(db: sqlite3.Connection, no: int) -> None:
    """Numbers are never reused, whatever is deleted."""
    db.execute("UPDATE totals SET last_no = ?", (no,))
