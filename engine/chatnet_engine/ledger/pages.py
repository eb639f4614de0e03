"""Owns reading messages back: the tail that a view shows, and pages in either direction.

On screen messages stand by (place, lamport, mine, id). Nearly all have place = no, so they come
by their number; restored ones, whose place is another's, come from an index of their own, and the
two streams are merged. Every query is bounded by what it returns, not by the history.
"""

import sqlite3
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_protocol.ipc.view import bounded_tail, screen_order
from chatnet_protocol.limits import MAX_INTEGER, VIEW_MESSAGES, VIEW_TEXT_BYTES

_SELECT = (
    "SELECT no, id, mine, kind, body, sent_ms, arrived_ms, seq, ack, source, lamport, place,"
    " failed, reply_to, peer FROM conversation"
)
ScreenKey = tuple[int, int, int, bytes]
"""Where something stands on screen; see `screen_order`."""
END: ScreenKey = (MAX_INTEGER, MAX_INTEGER, 2, b"")
"""After any message."""
NEWEST_ROWS = 8192
"""Where an offer can be whose transfer is not stored: some commits after it, the engine died."""
OFFERS_BYTES = 1024 * 1024
_SOURCE, _FAILED = 4, 7
"""Where the texts are among the columns after the body."""
Found = tuple[MessageRow, int]
"""A message and the number of its peer."""


class Slice(Struct, frozen=True):
    """Which messages, and how many at most."""

    peer: int
    """0: of all peers."""
    max_rows: int
    max_bytes: int
    """Of bodies; the row that passes it is the last, and there are at least two if there can be,
    so that the caller sees whether there are more."""
    like: str = ""
    """A LIKE pattern for texts and the names of offered files; empty: all messages."""

    def condition(self) -> tuple[str, list[object]]:
        """SQL for a WHERE clause and its parameters."""
        parts: list[str] = []
        parameters: list[object] = []
        if self.peer:
            parts.append("peer = ?")
            parameters.append(self.peer)
        if self.like:
            parts.append(
                "(kind = 1 AND CAST(body AS TEXT) LIKE ? ESCAPE '\\'"
                " OR kind = 2 AND file_names(body) LIKE ? ESCAPE '\\')"
            )
            parameters += [self.like, self.like]
        return " AND ".join(["1", *parts]), parameters


def tail(db: sqlite3.Connection, peer: int) -> list[MessageRow]:
    """The newest messages of one conversation, as a view holds them, oldest first."""
    found = backwards(db, Slice(peer, VIEW_MESSAGES, VIEW_TEXT_BYTES), END)
    return bounded_tail([row for row, _ in reversed(found)])


def damaged(db: sqlite3.Connection, peer: int) -> list[int]:
    """Numbers of those among the newest messages that no page shows: a text in them is none."""
    found = db.execute(
        "SELECT no, source, failed FROM messages WHERE peer = ? ORDER BY no DESC LIMIT ?",
        (peer, VIEW_MESSAGES),
    )
    return [no for no, *texts in found if not all(isinstance(text, str) for text in texts)]


def offers_without_transfer(db: sqlite3.Connection) -> list[tuple[int, MessageRow]]:
    """Offers of peers among the newest messages that no transfer was stored for, by peer."""
    found = db.execute(
        f"{_SELECT} WHERE no > (SELECT last_no FROM totals) - ? AND kind = ? AND NOT mine"  # noqa: S608
        " AND place = no"
        " AND NOT EXISTS (SELECT 1 FROM transfers t WHERE t.id = conversation.id) ORDER BY no",
        (NEWEST_ROWS, MessageKind.OFFER),
    )
    return [(peer, row) for row, peer in _read(found, OFFERS_BYTES)]


def backwards(db: sqlite3.Connection, which: Slice, before: ScreenKey) -> list[Found]:
    """Messages that stand before `before` on screen, newest first."""
    return _beside(db, which, before, "<", "DESC")


def onwards(db: sqlite3.Connection, which: Slice, after: ScreenKey) -> list[Found]:
    """Messages that stand after `after` on screen, oldest first."""
    return _beside(db, which, after, ">", "ASC")


def forwards(db: sqlite3.Connection, which: Slice, after_no: int) -> list[Found]:
    """Messages with a higher number than `after_no`, in the order of their numbers."""
    condition, parameters = which.condition()
    cursor = db.execute(
        f"{_SELECT} WHERE {condition} AND no > ? ORDER BY no LIMIT ?",
        (*parameters, after_no, which.max_rows),
    )
    return _read(cursor, which.max_bytes)


def with_ids(db: sqlite3.Connection, which: Slice, ids: Sequence[bytes]) -> list[Found]:
    """Messages that have one of these ids, in screen order."""
    condition, parameters = which.condition()
    some = ", ".join("?" * len(ids))
    cursor = db.execute(
        f"{_SELECT} WHERE {condition} AND id IN ({some}) ORDER BY place, lamport, mine, id LIMIT ?",
        (*parameters, *ids, which.max_rows),
    )
    return _read(cursor, which.max_bytes)


def message(db: sqlite3.Connection, no: int) -> MessageRow | None:
    """The message with that number, if there is one."""
    found = _read(db.execute(f"{_SELECT} WHERE no = ?", (no,)), 1)
    return found[0][0] if found else None


def _beside(
    db: sqlite3.Connection,
    which: Slice,
    key: ScreenKey,
    side: Literal["<", ">"],
    order: Literal["ASC", "DESC"],
) -> list[Found]:
    """The messages nearest to `key`, on one side of it; the nearest first."""
    condition, parameters = which.condition()
    beside = f"{condition} AND (place, lamport, mine, id) {side} (?, ?, ?, ?)"
    normal = db.execute(
        f"{_SELECT} WHERE {beside} AND no {side}= ? AND place = no ORDER BY no {order} LIMIT ?",
        (*parameters, *key, key[0], which.max_rows),
    )
    moved = db.execute(
        f"{_SELECT} WHERE {beside} AND place != no ORDER BY place {order}, lamport {order},"
        f" mine {order}, id {order} LIMIT ?",
        (*parameters, *key, which.max_rows),
    )
    rows = _read(normal, which.max_bytes) + _read(moved, which.max_bytes)
    rows.sort(key=lambda found: screen_order(found[0]), reverse=order == "DESC")
    return rows[: which.max_rows]


def _read(cursor: sqlite3.Cursor, max_bytes: int) -> list[Found]:
    rows: list[Found] = []
    size = 0
    for no, message_id, mine, kind, body, *rest, peer in cursor:
        if not (isinstance(rest[_SOURCE], str) and isinstance(rest[_FAILED], str)):
            continue  # damaged; a start names it
        rows.append((MessageRow(no, message_id, bool(mine), kind, body, *rest), peer))
        size += len(body)
        if size > max_bytes and len(rows) > 1:
            break
    cursor.close()
    return rows
