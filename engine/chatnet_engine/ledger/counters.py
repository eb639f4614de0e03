"""Owns the watermarks and the draft of each conversation."""

import sqlite3

from chatnet_engine.store_ops import commit as c

INCARNATION_BYTES = 8
_STATE = (
    "SELECT peer, incarnation, mark, received_total, acked_total, lamport, last_seq,"
    " delivered_seq, sent_seq, peer_shown, peer_read, my_shown, my_read,"
    " coalesce(text, ''), coalesce(revision, 0), line FROM counters LEFT JOIN drafts USING (peer)"
)


def incarnation_bytes(incarnation: int) -> bytes:
    """64 random bits as the store keeps them: SQLite's own numbers have a sign."""
    return incarnation.to_bytes(INCARNATION_BYTES, "big")


def _state_of(values: tuple[int, bytes, *tuple[int, ...]]) -> c.PeerState:
    peer, incarnation, *rest = values
    return c.PeerState(peer, int.from_bytes(incarnation, "big"), *rest)  # type: ignore[arg-type]


def peer_state(db: sqlite3.Connection, peer: int) -> c.PeerState:
    """The counters of one peer, listed or not."""
    return _state_of(db.execute(f"{_STATE} WHERE peer = ?", (peer,)).fetchone())


def store_marks(db: sqlite3.Connection, op: c.StoreMarks) -> c.MarksStored:
    """Raise watermarks; see StoreMarks.

    Ours never pass what exists: `sent_seq` the own messages, shown and read the peer's.
    """
    old = db.execute(
        "SELECT sent_seq, peer_shown, peer_read, my_shown, my_read, last_seq, received_total"
        " FROM counters WHERE peer = ?",
        (op.peer,),
    ).fetchone()
    last_seq, received = old[5:]
    asked = (
        min(op.sent_seq, last_seq),
        op.peer_shown,
        op.peer_read,
        min(op.my_shown, received),
        min(op.my_read, received),
    )
    new = tuple(map(max, old, asked))
    changed = new != old[:5]
    if changed:
        db.execute(
            "UPDATE counters SET sent_seq = ?, peer_shown = ?, peer_read = ?, my_shown = ?,"
            " my_read = ? WHERE peer = ?",
            (*new, op.peer),
        )
    return c.MarksStored(op.peer, changed, *new)


def store_line(db: sqlite3.Connection, op: c.StoreLine) -> c.LineStored:
    """Replace what is known of the line; see StoreLine."""
    db.execute("UPDATE counters SET line = ? WHERE peer = ?", (op.line, op.peer))
    return c.LineStored(op.peer, op.line)


def store_draft(db: sqlite3.Connection, op: c.StoreDraft) -> c.DraftStored:
    """Replace the draft if nobody else did meanwhile; see StoreDraft."""
    found = db.execute("SELECT revision, text FROM drafts WHERE peer = ?", (op.peer,)).fetchone()
    revision, text = found or (0, "")
    if revision != op.base_revision:
        return c.DraftStored(op.peer, False, revision, text)
    db.execute("REPLACE INTO drafts VALUES (?, ?, ?)", (op.peer, revision + 1, op.text))
    return c.DraftStored(op.peer, True, revision + 1, op.text)
