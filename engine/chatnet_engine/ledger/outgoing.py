"""Owns own messages on their way: queueing, what waits for the peer, receipts, failures.

What waits is not a table: it is the own messages that no row of `settled_runs` covers. A peer
commits in order, so a receipt settles a run in one row, and a whole conversation is often one row.
"""

import sqlite3
from typing import NamedTuple

import msgspec

from chatnet_engine.ledger import batches, transfers
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.reasons import MessageFailure
from chatnet_protocol.ipc.rows import AckRange, MessageKind, MessageRow

NO_ACK = 0
"""`first_ack` of messages that left the outbox without the peer having committed them."""


class _Run(NamedTuple):
    """Consecutive own messages that have left the outbox; a row of `settled_runs`."""

    first: int
    length: int
    first_ack: int

    @property
    def last(self) -> int:
        return self.first + self.length - 1


_LAST = (
    "SELECT merged_into, totals.last_no, last_seq, lamport"
    " FROM counters JOIN peers USING (peer), totals WHERE peer = ?"
)


def queue(db: sqlite3.Connection, op: c.QueueMessages) -> c.MessagesQueued:
    """Append own messages that are not in the history yet; see QueueMessages.

    One whose id is that of a message with another content is refused. What is queued for a peer
    that was merged goes to the one it was merged into.
    """
    peer, release = op.peer, op.release
    into, *before = db.execute(_LAST, (peer,)).fetchone()
    if into:
        peer, release = into, False
        _, *before = db.execute(_LAST, (peer,)).fetchone()
    no, seq, lamport = before
    new = op.rows
    twice: list[int] = []
    try:
        rows = batches.insert_own(db, peer, new, op.now_ms, (no, seq, lamport))
    except sqlite3.IntegrityError:
        batches.remove_after(db, no)
        new, twice = _unknown(db, op.rows)
        rows = batches.insert_own(db, peer, new, op.now_ms, (no, seq, lamport))
    if rows:
        batches.store_last_no(db, rows[-1].no)
        db.execute(
            "UPDATE counters SET last_no = ?, last_seq = ?, lamport = ?,"
            " released_seq = iif(?, ?2, released_seq) WHERE peer = ?",
            (rows[-1].no, rows[-1].seq, rows[-1].lamport, release, peer),
        )
        for row, message in zip(rows, new, strict=True):
            if message.transfer:
                _store_offer(db, peer, row, message.transfer)
    refused = tuple(at for at in twice if not _is_repeated(db, peer, op.rows[at]))
    known = [_own_message(db, op.rows[at].id) for at in twice if at not in refused]
    return c.MessagesQueued(peer, rows, known, _clear_draft(db, peer, new), refused)


def _store_offer(
    db: sqlite3.Connection, peer: int, message: MessageRow, op: c.StoreTransfer
) -> None:
    row = msgspec.structs.replace(op.row, peer=peer, no=message.no, changed_ms=message.arrived_ms)
    transfers.store(db, msgspec.structs.replace(op, row=row))


def _unknown(
    db: sqlite3.Connection, rows: list[c.NewMessage]
) -> tuple[list[c.NewMessage], list[int]]:
    """The rows that are new, and the places of the others: in the history, or twice here."""
    new: dict[bytes, c.NewMessage] = {}
    twice: list[int] = []
    for place, row in enumerate(rows):
        query = "SELECT 1 FROM messages WHERE id = ? AND author = 0"
        if row.id in new or db.execute(query, (row.id,)).fetchone():
            twice.append(place)
        else:
            new[row.id] = row
    return list(new.values()), twice


def _is_repeated(db: sqlite3.Connection, peer: int, message: c.NewMessage) -> bool:
    """Whether the message of that id is this one: kind, peer, and text with what it answers, or
    paths as given."""
    query = "SELECT body, peer, kind, reply_to FROM messages WHERE id = ? AND author = 0"
    body, *known = db.execute(query, (message.id,)).fetchone()
    if known != [peer, message.kind, message.reply_to]:
        return False
    if message.kind != MessageKind.OFFER:
        return bool(body == message.body)
    found = db.execute("SELECT given FROM transfers WHERE id = ?", (message.id,)).fetchone()
    given = message.transfer.given if message.transfer else b""
    return not (found and found[0] and given) or bool(found[0] == given)


def _own_message(db: sqlite3.Connection, message_id: bytes) -> tuple[bytes, int, int]:
    query = "SELECT id, no, max(seq, 0) FROM messages WHERE id = ? AND author = 0"
    found: tuple[bytes, int, int] = db.execute(query, (message_id,)).fetchone()
    return found


def _clear_draft(db: sqlite3.Connection, peer: int, rows: list[c.NewMessage]) -> int:
    """The draft's new revision if one of `rows` was made of it; else 0."""
    made_of = [row.draft_revision for row in rows if row.draft_revision]
    if not made_of:
        return 0
    found = db.execute("SELECT revision FROM drafts WHERE peer = ?", (peer,)).fetchone()
    revision = found[0] if found else 0
    if revision not in made_of:
        return 0
    db.execute("UPDATE drafts SET revision = ?, text = '' WHERE peer = ?", (revision + 1, peer))
    return int(revision) + 1


def load_outbox(db: sqlite3.Connection, op: c.LoadOutbox) -> c.OutboxPage:
    """The next page of what the peer has not committed; see LoadOutbox."""
    delivered, released = db.execute(
        "SELECT delivered_seq, released_seq FROM counters WHERE peer = ?", (op.peer,)
    ).fetchone()
    found = db.execute(
        "SELECT seq, kind, id, lamport, sent_ms, body, reply_to FROM messages m"
        " WHERE peer = ?1 AND author = 0 AND seq > ?2 AND coalesce(("
        "  SELECT first_seq + run FROM settled_runs s WHERE s.peer = ?1"
        "  AND s.first_seq <= m.seq ORDER BY s.first_seq DESC LIMIT 1), 0) <= m.seq"
        " ORDER BY seq LIMIT ?3",
        (op.peer, max(op.after_seq, delivered), op.max_rows + 1),
    )
    rows: list[c.OutboxRow] = []
    size = 0
    more = False
    for seq, *fields in found:
        row = c.OutboxRow(seq, c.Message(*fields))
        size += len(row.message.body)
        if rows and (size > op.max_bytes or len(rows) == op.max_rows):
            more = True
            break
        rows.append(row)
    found.close()
    if rows and rows[-1].seq > released:
        db.execute("UPDATE counters SET released_seq = ? WHERE peer = ?", (rows[-1].seq, op.peer))
    return c.OutboxPage(op.peer, rows, more)


def store_receipts(db: sqlite3.Connection, op: c.StoreReceipts) -> c.ReceiptsStored:
    """Settle what the peer says it committed, a run at least; see StoreReceipts."""
    last_seq, acked, delivered, *newest = db.execute(
        "SELECT last_seq, acked_total, delivered_seq, s.first_seq, s.run, s.first_ack"
        " FROM counters c LEFT JOIN settled_runs s ON s.peer = c.peer AND s.first_seq ="
        " (SELECT max(first_seq) FROM settled_runs WHERE peer = c.peer) WHERE c.peer = ?",
        (op.peer,),
    ).fetchone()
    before = _Run(*newest) if newest[0] is not None else None
    holes = before is not None and before.last > delivered
    new: list[AckRange] = []
    for run in op.runs:
        assert 0 < run.count <= min(run.seq, run.ack), "a receipt for more messages than there are"
        assert run.seq <= last_seq, "a receipt for a message that does not exist"
        acked = max(acked, run.ack)
        first = run.seq - run.count + 1
        if not holes and first <= delivered + 1:  # nothing beyond `delivered` is settled
            parts = [(delivered + 1, run.seq)] if run.seq > delivered else []
        else:
            holes = True
            parts = _unsettled(db, op.peer, first, run.seq, delivered)
        for begin, last in parts:
            part = AckRange(last, run.ack - (run.seq - last), last - begin + 1)
            before = _before(db, op.peer, begin) if holes else before
            before = _settle(
                db, op.peer, _Run(begin, part.count, part.ack - part.count + 1), before
            )
            new.append(part)
        delivered = _advance(db, op.peer, delivered) if holes else max(delivered, run.seq)
    known = max(run.seq for run in op.runs)
    db.execute(
        "UPDATE counters SET acked_total = ?, delivered_seq = ?, sent_seq = max(sent_seq, ?2),"
        " released_seq = max(released_seq, ?) WHERE peer = ?",
        (acked, delivered, known, op.peer),
    )
    return c.ReceiptsStored(op.peer, delivered, acked, new)


def fail(db: sqlite3.Connection, op: c.FailMessage) -> c.MessageFailedStored:
    """Take one own message out of the outbox without the peer having it; see FailMessage."""
    assert op.reason, "a failure has a reason"
    last_seq, delivered, released = db.execute(
        "SELECT last_seq, delivered_seq, released_seq FROM counters WHERE peer = ?", (op.peer,)
    ).fetchone()
    if op.reason == MessageFailure.DELETED:
        return _erase(db, op, delivered)
    if op.id:
        found = db.execute(
            "SELECT seq, failed FROM messages"
            " WHERE id = ? AND author = 0 AND peer = ? AND kind = ?",
            (op.id, op.peer, MessageKind.TEXT),
        ).fetchone()
        if found is None or found[1] or found[0] <= released:
            known = bool(found and found[1])
            return c.MessageFailedStored(op.peer, 0, op.reason, delivered, known)
        op = c.FailMessage(op.peer, found[0], op.reason)
    if op.seq > last_seq or not _unsettled(db, op.peer, op.seq, op.seq, delivered):
        return c.MessageFailedStored(op.peer, 0, op.reason, delivered)
    (no,) = db.execute(
        "UPDATE messages SET failed = ? WHERE peer = ? AND seq = ? AND author = 0 RETURNING no",
        (op.reason, op.peer, op.seq),
    ).fetchone()
    _settle(db, op.peer, _Run(op.seq, 1, NO_ACK), _before(db, op.peer, op.seq))
    delivered = _advance(db, op.peer, delivered)
    db.execute(
        "UPDATE counters SET delivered_seq = ?, sent_seq = max(sent_seq, ?1) WHERE peer = ?",
        (delivered, op.peer),
    )
    return c.MessageFailedStored(op.peer, no, op.reason, delivered)


def _erase(db: sqlite3.Connection, op: c.FailMessage, delivered: int) -> c.MessageFailedStored:
    """The words of a text that has failed. Its row stays: numbers are never used again."""
    found = db.execute(
        "SELECT no, failed FROM messages WHERE id = ? AND author = 0 AND peer = ?", (op.id, op.peer)
    ).fetchone()
    if found is None or found[1] in ("", op.reason):
        known = bool(found and found[1])
        return c.MessageFailedStored(op.peer, 0, op.reason, delivered, known)
    db.execute("UPDATE messages SET failed = ?, body = x'' WHERE no = ?", (op.reason, found[0]))
    return c.MessageFailedStored(op.peer, found[0], op.reason, delivered)


def waiting(db: sqlite3.Connection, peer: int) -> int:
    """How many own messages the peer may have committed without our knowing."""
    (count,) = db.execute(
        "SELECT last_seq - delivered_seq - coalesce((SELECT sum(run) FROM settled_runs s"
        " WHERE s.peer = c.peer AND s.first_seq > c.delivered_seq), 0)"
        " FROM counters c WHERE peer = ?",
        (peer,),
    ).fetchone()
    return int(count)


def _unsettled(
    db: sqlite3.Connection, peer: int, first: int, last: int, delivered: int
) -> list[tuple[int, int]]:
    """The parts of own messages `first` to `last` that still wait, in order."""
    first = max(first, delivered + 1)
    parts: list[tuple[int, int]] = []
    if first > last:
        return parts
    overlapping = db.execute(
        "SELECT first_seq, first_seq + run - 1 FROM settled_runs"
        " WHERE peer = ?1 AND first_seq <= ?3 AND first_seq + run > ?2 AND first_seq >= coalesce(("
        "  SELECT first_seq FROM settled_runs WHERE peer = ?1 AND first_seq <= ?2"
        "  ORDER BY first_seq DESC LIMIT 1), 0)"
        " ORDER BY first_seq",
        (peer, first, last),
    ).fetchall()
    for settled_first, settled_last in overlapping:
        if first < settled_first:
            parts.append((first, settled_first - 1))
        first = settled_last + 1
    if first <= last:
        parts.append((first, last))
    return parts


def _before(db: sqlite3.Connection, peer: int, first: int) -> _Run | None:
    """The settled run before an own message."""
    found = db.execute(
        "SELECT first_seq, run, first_ack FROM settled_runs WHERE peer = ? AND first_seq < ?"
        " ORDER BY first_seq DESC LIMIT 1",
        (peer, first),
    ).fetchone()
    return _Run(*found) if found else None


def _settle(db: sqlite3.Connection, peer: int, new: _Run, before: _Run | None) -> _Run:
    """Remember that these left the outbox, as part of the run before them if they follow it."""
    if before and before.last + 1 == new.first:
        follows = before.first_ack + before.length if before.first_ack else NO_ACK
        if follows == new.first_ack:
            db.execute(
                "UPDATE settled_runs SET run = run + ? WHERE peer = ? AND first_seq = ?",
                (new.length, peer, before.first),
            )
            return _Run(before.first, before.length + new.length, before.first_ack)
    db.execute("INSERT INTO settled_runs VALUES (?, ?, ?, ?)", (peer, *new))
    return new


def _advance(db: sqlite3.Connection, peer: int, delivered: int) -> int:
    """The end of what is settled without a hole, beginning at `delivered`."""
    query = (
        "SELECT first_seq + run - 1 FROM settled_runs WHERE peer = ? AND first_seq <= ?"
        " ORDER BY first_seq DESC LIMIT 1"
    )
    while found := db.execute(query, (peer, delivered + 1)).fetchone():
        if found[0] <= delivered:
            break
        delivered = found[0]
    return delivered


def raise_waiting(db: sqlite3.Connection, peer: int, after_seq: int, above: int) -> tuple[int, int]:
    """Lift the Lamport counters of own messages after `after_seq` above `above`, in their order.

    Returns by how much, and the highest counter among them: (0, 0) when there are none.
    """
    lowest, highest = db.execute(
        "SELECT min(lamport), max(lamport) FROM messages WHERE peer = ? AND author = 0 AND seq > ?",
        (peer, after_seq),
    ).fetchone()
    if lowest is None:
        return 0, 0
    delta = max(0, above + 1 - lowest)
    if delta:
        db.execute(
            "UPDATE messages SET lamport = lamport + ? WHERE peer = ? AND author = 0 AND seq > ?",
            (delta, peer, after_seq),
        )
    return delta, highest + delta
