"""Owns the restore requests of both sides, and what is restored.

A restored message has its author's counter, time and ACK number, a new number, and the place
of its Lamport predecessor. Own ones have `seq` = -`no`: they left the outbox long ago, and count
neither for it nor for what is being restored.
"""

import sqlite3
from collections.abc import Sequence

import msgspec

from chatnet_engine.ledger import batches, pages, transfers
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.rows import (
    RESTORE_UNDER_WAY,
    MessageRow,
    RestoreMine,
    RestoreTheirs,
)

_COLUMNS = "peer, mine, want, after, after_id, restored, theirs, their_want"
"""In the order of the fields of RestoreState."""
_SELECT = f"SELECT {_COLUMNS} FROM restores"  # noqa: S608
_MAKE_INDEX = "CREATE INDEX IF NOT EXISTS restoring ON messages (peer, lamport)"
"""Only during a restore: a permanent one would make every insertion 5 % slower."""


def stored(db: sqlite3.Connection, peer: int) -> cr.RestoreState | None:
    """That of one peer; None when there never was any."""
    found = db.execute(f"{_SELECT} WHERE peer = ?", (peer,)).fetchone()
    return cr.RestoreState(*found) if found else None


def load(db: sqlite3.Connection, peer: int) -> cr.RestoreState:
    """That of one peer; an empty one when there never was any."""
    return stored(db, peer) or cr.RestoreState(peer)


def forget(db: sqlite3.Connection, peer: int) -> None:
    """The peer is not in the list any more."""
    db.execute("DELETE FROM restores WHERE peer = ?", (peer,))
    _keep_index(db)


def note_loss(
    db: sqlite3.Connection, peer: int, *, here: bool, there: bool
) -> cr.RestoreState | None:
    """A HELLO showed that messages are missing here or there; the state if that changes anything.

    What is being put back starts over: the peer's places may mean other messages now.
    """
    state = load(db, peer)
    if state.mine in RESTORE_UNDER_WAY:
        if (here or there) and state.after:
            return _store(db, state, after=0, after_id=b"")
    elif here:
        return _store(db, state, mine=RestoreMine.POSSIBLE, restored=0)
    return None


def store_request(db: sqlite3.Connection, op: cr.StoreRestoreRequest) -> cr.RestoreStored:
    """Begin or end our restore request; see StoreRestoreRequest."""
    state = load(db, op.peer)
    under_way = state.mine in RESTORE_UNDER_WAY
    if op.mine == RestoreMine.ASKING and not under_way:
        db.execute(_MAKE_INDEX)
        state = _store(db, state, mine=op.mine, want=op.want, after=0, after_id=b"", restored=0)
    elif op.mine != RestoreMine.ASKING and under_way and op.want == state.want:
        mine = op.mine
        if mine == RestoreMine.NONE and _has_gaps(db, op.peer):
            mine = RestoreMine.POSSIBLE
        state = _store(db, state, mine=mine)
        _keep_index(db)
    return cr.RestoreStored(op.peer, state)


def store_peer_request(db: sqlite3.Connection, op: cr.StorePeerRestoreRequest) -> cr.RestoreStored:
    """Store the state of the peer's restore request; see StorePeerRestoreRequest."""
    state = load(db, op.peer)
    if (op.theirs == RestoreTheirs.ASKED) is (op.want != state.their_want):
        state = _store(db, state, theirs=op.theirs, their_want=op.want)
    return cr.RestoreStored(op.peer, state)


def put_back(db: sqlite3.Connection, op: cr.PutBack) -> cr.MessagesPutBack:
    """Insert a page of restored messages; see PutBack."""
    state = load(db, op.peer)
    (author,) = db.execute("SELECT author FROM peers WHERE peer = ?", (op.peer,)).fetchone()
    before = no = batches.last_no(db)
    changed: list[int] = []
    fresh: list[cr.RestoredMessage] = []
    moved: list[c.StoredTransfer] = []
    wanted = (
        state.mine in RESTORE_UNDER_WAY and state.want == op.want and op.after in (0, state.after)
    )
    for row in op.rows if wanted else ():
        known = db.execute(
            "SELECT peer, no, lamport, sent_ms, failed FROM messages WHERE id = ? AND author = ?",
            (row.id, 0 if row.mine else author),
        ).fetchone()
        if known is None:
            no += 1
            fresh.append(row)
            _insert(db, op, row, author, no)
            moved += _put_transfer(db, op.peer, row, no)
        elif known[0] == op.peer and known[1] <= before and _agree(db, row, known[1:]):
            # One of a conversation from before the peer was removed stays as it is there.
            changed.append(known[1])
    if fresh:
        _count(db, op.peer, fresh, no)
    if wanted:
        state = _advance(db, state, op, len(fresh))
    counters = db.execute(
        "SELECT lamport, received_total, acked_total, my_shown, my_read FROM counters"
        " WHERE peer = ?",
        (op.peer,),
    ).fetchone()
    return cr.MessagesPutBack(
        op.peer,
        _rows(db, range(before + 1, no + 1)),
        _rows(db, changed),
        pages.tail(db, op.peer),
        moved,
        state,
        *counters,
    )


def _count(db: sqlite3.Connection, peer: int, rows: list[cr.RestoredMessage], last_no: int) -> None:
    """Totals are those of HELLO already. Where something hid a part of the loss from it, they rise
    here: ACK numbers that were given are never given again, and restored messages are not
    unread."""
    lamport = max(row.lamport for row in rows)
    ours = max((row.ack for row in rows if row.mine), default=0)
    theirs = max((row.ack for row in rows if not row.mine), default=0)
    db.execute(
        "UPDATE counters SET lamport = max(lamport, ?1), acked_total = max(acked_total, ?2),"
        " my_shown = my_shown + max(0, ?3 - received_total),"
        " my_read = my_read + max(0, ?3 - received_total),"
        " received_total = max(received_total, ?3), last_ack = max(last_ack, ?3),"
        " last_no = max(last_no, ?4) WHERE peer = ?5",
        (lamport, ours, theirs, last_no, peer),
    )
    batches.store_last_no(db, last_no)


def _agree(
    db: sqlite3.Connection, row: cr.RestoredMessage, known: tuple[int, int, int, str]
) -> bool:
    """Of two counters both sides take the lower one, and its time: the author wrote it again after
    a loss of its own, with a higher one. An own message that the peer has did not fail, and if its
    words were erased here, the peer has them."""
    no, *written, failed = known
    first = min((row.lamport, row.sent_ms), tuple(written))
    revived = bool(failed and row.mine)
    if first == tuple(written) and not revived:
        return False
    db.execute(
        "UPDATE messages SET lamport = ?1, sent_ms = ?2,"
        " failed = iif(?3, '', failed), ack = iif(?3, ?4, ack), body = iif(?3, ?6, body)"
        " WHERE no = ?5",
        (*first, revived, row.ack, no, row.body),
    )
    return True


def _insert(
    db: sqlite3.Connection, op: cr.PutBack, row: cr.RestoredMessage, author: int, no: int
) -> None:
    (place,) = db.execute(
        "SELECT coalesce((SELECT place FROM messages WHERE peer = ?1 AND lamport <= ?2"
        " AND (lamport, author = 0, id) < (?2, ?3, ?4)"
        " ORDER BY lamport DESC, author = 0 DESC, id DESC LIMIT 1), 0)",
        (op.peer, row.lamport, row.mine, row.id),
    ).fetchone()
    db.execute(
        "INSERT INTO messages (no, peer, author, id, kind, sent_ms, arrived_ms, seq, ack, lamport,"
        " place, source, failed, body, reply_to)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?)",
        (
            no, op.peer, 0 if row.mine else author, row.id, row.kind, row.sent_ms, row.arrived_ms,
            -no if row.mine else 0, row.ack, row.lamport, place, "" if row.mine else op.source,
            row.body, row.reply_to,
        ),
    )  # fmt: skip


def _put_transfer(
    db: sqlite3.Connection, peer: int, row: cr.RestoredMessage, no: int
) -> list[c.StoredTransfer]:
    if row.transfer is None:
        return []
    if db.execute("SELECT 1 FROM transfers WHERE id = ?", (row.id,)).fetchone():
        return []
    stored = msgspec.structs.replace(row.transfer.row, peer=peer, no=no)
    detail, listing = row.transfer.detail, row.transfer.listing
    transfers.store(db, c.StoreTransfer(stored, detail, listing))
    return [c.StoredTransfer(stored, detail, listing=listing)]


def _rows(db: sqlite3.Connection, numbers: Sequence[int]) -> list[MessageRow]:
    found = (pages.message(db, no) for no in numbers)
    return [row for row in found if row is not None]


def _advance(
    db: sqlite3.Connection, state: cr.RestoreState, op: cr.PutBack, count: int
) -> cr.RestoreState:
    restored = state.restored + count
    if op.more:
        return _store(
            db, state, mine=RestoreMine.RUNNING, after=op.next, after_id=op.next_id,
            restored=restored,
        )  # fmt: skip
    db.execute("DELETE FROM gaps WHERE peer = ?", (op.peer,))
    state = _store(db, state, mine=RestoreMine.DONE, after=0, after_id=b"", restored=restored)
    _keep_index(db)
    return state


def _has_gaps(db: sqlite3.Connection, peer: int) -> bool:
    return db.execute("SELECT 1 FROM gaps WHERE peer = ?", (peer,)).fetchone() is not None


def _keep_index(db: sqlite3.Connection) -> None:
    """During a restore only."""
    query = "SELECT 1 FROM restores WHERE mine IN (?, ?)"
    if db.execute(query, tuple(map(str, RESTORE_UNDER_WAY))).fetchone() is None:
        db.execute("DROP INDEX IF EXISTS restoring")


def _store(
    db: sqlite3.Connection, state: cr.RestoreState, **changes: int | str | bytes
) -> cr.RestoreState:
    state = msgspec.structs.replace(state, **changes)
    db.execute(
        f"REPLACE INTO restores ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        msgspec.structs.astuple(state),
    )
    return state
