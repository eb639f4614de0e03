"""Owns what a peer tells: its messages, each once, and the HELLO that begins a link.

A peer's wire numbers count within its incarnation, which is new with each of its starts; the mark
says up to where they are committed here. `inbound_runs` remembers which ACK numbers they were
given, so that receipts can be repeated on the next link.
"""

import sqlite3
from collections.abc import Sequence

from chatnet_engine.ledger import batches, outgoing, restores
from chatnet_engine.ledger.counters import incarnation_bytes, peer_state
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.limits import MAX_MESSAGES_IN_WINDOW, MAX_TOTAL_AHEAD
from chatnet_protocol.wire.frames import Receipt


def accept(db: sqlite3.Connection, op: c.AcceptMessages) -> c.MessagesAccepted:
    """Commit the peer's next messages; see AcceptMessages."""
    author, incarnation, mark, received, lamport, no, *newest = db.execute(
        "SELECT author, incarnation, mark, received_total, lamport, totals.last_no,"
        " r.last_number, r.ack, r.run FROM counters c JOIN peers USING (peer), totals"
        " LEFT JOIN inbound_runs r ON r.peer = c.peer AND r.last_number ="
        " (SELECT max(last_number) FROM inbound_runs WHERE peer = c.peer) WHERE c.peer = ?",
        (op.peer,),
    ).fetchone()
    assert incarnation == incarnation_bytes(op.incarnation), "messages before a HELLO"
    assert op.first_number <= mark + 1, "a gap above the mark"
    fresh = op.rows[mark + 1 - op.first_number :]
    if not fresh:
        return c.MessagesAccepted(op.peer, [], [], mark)
    highest = max(row.lamport for row in fresh)
    assert highest <= lamport + MAX_TOTAL_AHEAD, "a Lamport counter too far ahead"
    before = (no, received)
    mark += len(fresh)
    try:
        rows = batches.insert_arrived(db, op.peer, author, fresh, op.now_ms, op.source, before)
        runs = [Receipt(mark, received + len(rows), len(rows))]
    except sqlite3.IntegrityError:
        batches.remove_after(db, no)
        known = _known_acks(db, author, fresh)
        new = _first_of_each(fresh, known)
        rows = batches.insert_arrived(db, op.peer, author, new, op.now_ms, op.source, before)
        known.update((row.id, row.ack) for row in rows)
        runs = _compressed(mark - len(fresh) + 1, [known[row.id] for row in fresh])
    _remember_runs(db, op.peer, runs, mark, newest if newest[0] is not None else None)
    _count(db, op.peer, rows, mark, max(lamport, highest))
    return c.MessagesAccepted(op.peer, rows, runs, mark)


def _known_acks(db: sqlite3.Connection, author: int, rows: list[c.Message]) -> dict[bytes, int]:
    query = "SELECT ack FROM messages WHERE id = ? AND author = ?"
    known: dict[bytes, int] = {}
    for row in rows:
        if found := db.execute(query, (row.id, author)).fetchone():
            known[row.id] = found[0]
    return known


def _first_of_each(rows: list[c.Message], known: dict[bytes, int]) -> list[c.Message]:
    """Those not known, the first of each id: a peer may say one twice in one batch."""
    new: dict[bytes, c.Message] = {}
    for row in rows:
        if row.id not in known:
            new.setdefault(row.id, row)
    return list(new.values())


def _compressed(first_number: int, acks: list[int]) -> list[Receipt]:
    """Runs of consecutive ACK numbers over consecutive wire numbers."""
    runs: list[Receipt] = []
    for number, ack in enumerate(acks, first_number):
        if runs and ack == runs[-1].ack + 1:
            runs[-1] = Receipt(number, ack, runs[-1].count + 1)
        else:
            runs.append(Receipt(number, ack, 1))
    return runs


def _count(
    db: sqlite3.Connection, peer: int, rows: list[MessageRow], mark: int, lamport: int
) -> None:
    if not rows:
        db.execute(
            "UPDATE counters SET mark = ?, lamport = ? WHERE peer = ?", (mark, lamport, peer)
        )
        return
    batches.store_last_no(db, rows[-1].no)
    db.execute(
        "UPDATE counters SET mark = ?, lamport = ?, last_no = ?, last_ack = ?,"
        " received_total = ?4 WHERE peer = ?",
        (mark, lamport, rows[-1].no, rows[-1].ack, peer),
    )


def _remember_runs(
    db: sqlite3.Connection,
    peer: int,
    runs: list[Receipt],
    mark: int,
    last: Sequence[int] | None,
) -> None:
    """Keep receipts for repetition; those no honest peer can still lack are let go.

    A peer has at most MAX_MESSAGES_IN_WINDOW messages that it has no receipt of. Only the first of
    `runs` can go on `last`, the newest one kept: none of them goes on the one before it.
    """
    grown = False
    for run in runs:
        if last and (last[0] + run.count, last[1] + run.count) == (run.number, run.ack):
            db.execute(
                "UPDATE inbound_runs SET last_number = ?, ack = ?, run = ?"
                " WHERE peer = ? AND last_number = ?",
                (run.number, run.ack, last[2] + run.count, peer, last[0]),
            )
        else:
            last = (run.number, run.ack, run.count)
            db.execute("INSERT INTO inbound_runs VALUES (?, ?, ?, ?)", (peer, *last))
            grown = True
    if grown:
        _prune_runs(db, peer, mark - MAX_MESSAGES_IN_WINDOW)


def _prune_runs(db: sqlite3.Connection, peer: int, upto: int) -> None:
    db.execute("DELETE FROM inbound_runs WHERE peer = ? AND last_number <= ?", (peer, upto))


def apply_hello(db: sqlite3.Connection, op: c.ApplyHello) -> c.HelloApplied:
    """Agree with the peer on what is committed, and notice what either side lost.

    Missing here is what the peer knows we had: ACK numbers above ours (our history was wiped or
    rolled back), or numbers of this very incarnation below its base. Our ACK numbers go on above
    what the peer remembers, and what nobody here can read any more counts as neither unread nor
    read: both watermarks rise by the same amount.
    """
    old, mark, received, acked, lamport, released, name = db.execute(
        "SELECT incarnation, mark, received_total, acked_total, lamport, released_seq, display_name"
        " FROM counters JOIN peers USING (peer) WHERE peer = ?",
        (op.peer,),
    ).fetchone()
    for ours, theirs in (
        (received, op.acked_total),
        (acked, op.received_total),
        (lamport, op.lamport),
    ):
        assert theirs <= ours + MAX_TOTAL_AHEAD, "a HELLO counter too far ahead"
    incarnation = incarnation_bytes(op.incarnation)
    gap = missing = max(0, op.acked_total - received)
    if old != incarnation:
        mark = op.base - 1
        db.execute("DELETE FROM inbound_runs WHERE peer = ?", (op.peer,))
    else:
        gap = max(missing, op.base - 1 - mark)
        mark = max(mark, op.base - 1)
        _prune_runs(db, op.peer, op.base - 1)
    if gap:
        _record_gap(db, op.peer, gap)
    own_lost = max(0, op.received_total - acked - outgoing.waiting(db, op.peer))
    by = 0
    if op.lamport > lamport:
        by, highest = outgoing.raise_waiting(db, op.peer, released, op.lamport)
        lamport = max(op.lamport, highest)
    if op.display_name != name:
        db.execute("UPDATE peers SET display_name = ? WHERE peer = ?", (op.display_name, op.peer))
    db.execute(
        "UPDATE counters SET incarnation = ?, mark = ?, lamport = ?,"
        " received_total = received_total + ?4, my_shown = my_shown + ?4, my_read = my_read + ?4,"
        " acked_total = acked_total + ?5 WHERE peer = ?6",
        (incarnation, mark, lamport, missing, own_lost, op.peer),
    )
    peer_lost = max(0, acked - op.received_total)
    here, there = bool(gap or own_lost), bool(peer_lost)
    return c.HelloApplied(
        peer=op.peer,
        mark=mark,
        receipts=_receipts_from(db, op.peer, op.base),
        gap=gap,
        peer_lost=peer_lost,
        state=peer_state(db, op.peer),
        raised_after_seq=released if by else 0,
        raised_by=by,
        own_lost=own_lost,
        restore=restores.note_loss(db, op.peer, here=here, there=there),
    )


def _receipts_from(db: sqlite3.Connection, peer: int, base: int) -> list[Receipt]:
    found = db.execute(
        "SELECT last_number, ack, run FROM inbound_runs WHERE peer = ? ORDER BY last_number",
        (peer,),
    )
    return [Receipt(number, ack, min(run, number - base + 1)) for number, ack, run in found]


def _record_gap(db: sqlite3.Connection, peer: int, missing: int) -> None:
    """Remembered with where in the history it is: after the last number given out so far."""
    db.execute(
        "INSERT INTO gaps (peer, after_no, missing) VALUES (?, ?, ?)",
        (peer, batches.last_no(db), missing),
    )
