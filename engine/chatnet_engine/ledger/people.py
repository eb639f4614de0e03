"""Owns who the peers are: their rows, their keys, forgetting and merging them."""

import sqlite3
from typing import Any

import msgspec

from chatnet_engine.ledger import outgoing, pages, restores
from chatnet_engine.ledger.counters import peer_state
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import PeerRow

_COLUMNS = (
    "peer, name, host, port, key, trust, display_name, address, safety_number, offered_key,"
    " auto_accept_bytes, refused_keys, auto_accept_set, blocked"
)
_KEY_BYTES = 32
_NOT_SHOWN = 2
"""`auto_accept_set` of a peer whose default a new version changed, until its row is stored next,
which is when front ends have been notified."""


def numbers(db: sqlite3.Connection) -> list[int]:
    """Of the peers in the list, rising."""
    return [peer for (peer,) in db.execute("SELECT peer FROM peers WHERE listed ORDER BY peer")]


def asking_now(db: sqlite3.Connection) -> list[int]:
    """Peers in the list whose default for files a new version changed, and nobody was notified."""
    query = "SELECT peer FROM peers WHERE listed AND auto_accept_set = ? ORDER BY peer"
    return [peer for (peer,) in db.execute(query, (_NOT_SHOWN,))]


def one(db: sqlite3.Connection, peer: int) -> PeerRow:
    """The row of a peer, as stored."""
    query = f"SELECT {_COLUMNS} FROM peers WHERE peer = ?"  # noqa: S608
    return _row(*db.execute(query, (peer,)).fetchone())


def name(db: sqlite3.Connection, peer: int) -> str:
    """Of a peer whose row may be damaged, with marks for what is no text."""
    (stored,) = db.execute("SELECT name FROM peers WHERE peer = ?", (peer,)).fetchone()
    return stored if isinstance(stored, str) else stored.decode("utf-8", "replace")


def store(db: sqlite3.Connection, op: c.StorePeer) -> c.PeerStored:
    """Insert a peer, or write down who it is; see StorePeer.

    A key belongs to one peer of the list. When it belonged to a forgotten one, what was counted
    with that key goes on here, so that the two sides still agree and nothing comes twice.
    """
    row = op.row
    if row.key and (holder := _holder(db, row)) and holder[1]:
        # Who holds it may have been left out at the start: nothing but its name is needed.
        owner = PeerRow(holder[0], name(db, holder[0]), "", 0)
        return c.PeerStored(owner, c.PeerState(holder[0]), holder[0])
    if row.peer == 0:
        row = _insert(db, row)
    elif not _is_listed(db, row.peer):
        return c.PeerStored(row, c.PeerState(row.peer), row.peer)
    if row.key:
        _take_key(db, row)
    (display_name,) = db.execute(
        "UPDATE peers SET name = ?, host = ?, port = ?, key = ?, trust = ?,"
        " address = ?, safety_number = ?, offered_key = ?, auto_accept_bytes = ?, refused_keys = ?,"
        " auto_accept_set = ?, blocked = ? WHERE peer = ? RETURNING display_name",
        (
            *_identity(row),
            b"".join(row.refused_keys),
            int(row.auto_accept_set),
            int(row.blocked),
            row.peer,
        ),
    ).fetchone()
    row = msgspec.structs.replace(row, display_name=display_name)
    return c.PeerStored(row, peer_state(db, row.peer))


def _insert(db: sqlite3.Connection, row: PeerRow) -> PeerRow:
    (number,) = db.execute(
        "UPDATE totals SET last_peer = last_peer + 1 RETURNING last_peer"
    ).fetchone()
    db.execute(
        "INSERT INTO peers (listed, merged_into, author, peer, name, host, port, key, trust,"
        " display_name, address, safety_number, offered_key, auto_accept_bytes)"
        " VALUES (1, 0, ?1, ?1, '', '', 0, x'', '', ?2, '', '', x'', 0)",
        (number, row.display_name),
    )
    db.execute("INSERT INTO counters (peer) VALUES (?)", (number,))
    return msgspec.structs.replace(row, peer=number)


def _is_listed(db: sqlite3.Connection, peer: int) -> bool:
    found = db.execute("SELECT 1 FROM peers WHERE peer = ? AND listed", (peer,)).fetchone()
    return found is not None


def _row(*values: Any) -> PeerRow:
    *fields, keys, chosen, blocked = values
    chosen = chosen == 1 if chosen in (0, 1, _NOT_SHOWN) else chosen
    blocked = blocked == 1 if blocked in (0, 1) else blocked
    return msgspec.structs.replace(
        PeerRow(*fields), refused_keys=_split(keys), auto_accept_set=chosen, blocked=blocked
    )


def _holder(db: sqlite3.Connection, row: PeerRow) -> tuple[int, int, int] | None:
    """Who has the key besides this peer: (peer, listed, author)."""
    found: tuple[int, int, int] | None = db.execute(
        "SELECT peer, listed, author FROM peers WHERE key = ? AND key != x'' AND peer != ?",
        (row.key, row.peer),
    ).fetchone()
    return found


def _identity(row: PeerRow) -> tuple[str, str, int, bytes, str, str, str, bytes, int]:
    return (
        row.name, row.host, row.port, row.key, str(row.trust), row.address, row.safety_number,
        row.offered_key, row.auto_accept_bytes,
    )  # fmt: skip


def _split(keys: bytes) -> list[bytes]:
    return [keys[start : start + _KEY_BYTES] for start in range(0, len(keys), _KEY_BYTES)]


def _take_key(db: sqlite3.Connection, row: PeerRow) -> None:
    """From a forgotten peer, if one has it: what was counted with it goes on here."""
    holder = _holder(db, row)
    if holder is None:
        return
    former, _, author = holder
    db.execute("UPDATE peers SET key = x'' WHERE peer = ?", (former,))
    begun = db.execute(
        "SELECT 1 FROM counters WHERE peer = ? AND (received_total OR incarnation != zeroblob(8))",
        (row.peer,),
    ).fetchone()
    if begun:
        return
    db.execute("UPDATE peers SET author = ? WHERE peer = ?", (author, row.peer))
    db.execute(
        "UPDATE counters AS new SET incarnation = old.incarnation, mark = old.mark,"
        " received_total = old.received_total, acked_total = old.acked_total,"
        " lamport = max(new.lamport, old.lamport),"
        " my_shown = old.received_total, my_read = old.received_total"
        " FROM counters AS old WHERE new.peer = ? AND old.peer = ?",
        (row.peer, former),
    )
    db.execute("UPDATE inbound_runs SET peer = ? WHERE peer = ?", (row.peer, former))


def forget(db: sqlite3.Connection, op: c.ForgetPeer) -> c.PeerForgotten:
    """Take a peer from the list, or merge it into another; see ForgetPeer.

    A forgotten peer keeps its key, so that its messages are recognised should it return.
    Operations on it that are still on their way do no harm.
    """
    if not _is_listed(db, op.peer):
        return c.PeerForgotten(op.peer, 0, None)
    restores.forget(db, op.peer)
    if op.into not in (0, op.peer) and _is_listed(db, op.into):
        offset = _merge(db, op.peer, op.into)
        tail = pages.tail(db, op.into)
        return c.PeerForgotten(op.peer, op.into, peer_state(db, op.into), tail, offset)
    db.execute("UPDATE peers SET listed = 0 WHERE peer = ?", (op.peer,))
    db.execute("DELETE FROM drafts WHERE peer = ?", (op.peer,))
    return c.PeerForgotten(op.peer, 0, None)


def purge(db: sqlite3.Connection) -> None:
    """At a start: forgotten peers that never exchanged anything leave only a gap in the numbers.

    Strangers that called and were refused would otherwise accumulate.
    """
    unused = db.execute(
        "SELECT peer FROM peers JOIN counters USING (peer) WHERE NOT listed AND last_no = 0"
        " AND received_total = 0 AND acked_total = 0"
        " AND peer NOT IN (SELECT peer FROM transfers UNION SELECT peer FROM gaps)"
        " AND peer NOT IN (SELECT merged_into FROM peers)"
    ).fetchall()
    for table in ("drafts", "inbound_runs", "restores", "counters", "peers"):
        db.executemany(f"DELETE FROM {table} WHERE peer = ?", unused)  # noqa: S608
    db.execute("DELETE FROM automatic WHERE key NOT IN (SELECT key FROM peers)")


def _merge(db: sqlite3.Connection, peer: int, into: int) -> int:
    """Move everything of `peer` behind what `into` has; the number of the last message there.

    Own messages count on after those of `into`; ACK numbers that were shown stay the same.
    """
    offset, delivered, lamport = db.execute(
        "SELECT last_seq, delivered_seq, lamport FROM counters WHERE peer = ?", (into,)
    ).fetchone()
    moved_delivered = db.execute(
        "SELECT delivered_seq FROM counters WHERE peer = ?", (peer,)
    ).fetchone()[0]
    everything_delivered = delivered == offset
    db.execute(
        "UPDATE messages SET peer = ?1, seq = iif(author = 0 AND seq > 0, seq + ?2, seq)"
        " WHERE peer = ?3",
        (into, offset, peer),
    )
    db.execute(
        "UPDATE settled_runs SET peer = ?, first_seq = first_seq + ? WHERE peer = ?",
        (into, offset, peer),
    )
    _, highest = outgoing.raise_waiting(db, into, offset + moved_delivered, lamport)
    if everything_delivered:
        delivered = offset + moved_delivered
    db.execute(
        "UPDATE counters AS new SET last_seq = new.last_seq + old.last_seq,"
        " delivered_seq = ?3, sent_seq = max(new.sent_seq, ?3),"
        " lamport = max(new.lamport, old.lamport, ?4), last_no = max(new.last_no, old.last_no),"
        " last_ack = max(new.last_ack, old.last_ack),"
        " received_total = max(new.received_total, old.received_total),"
        " acked_total = max(new.acked_total, old.acked_total),"
        " peer_shown = max(new.peer_shown, old.peer_shown),"
        " peer_read = max(new.peer_read, old.peer_read),"
        " my_shown = max(new.my_shown, old.my_shown), my_read = max(new.my_read, old.my_read)"
        " FROM counters AS old WHERE new.peer = ?2 AND old.peer = ?1",
        (peer, into, delivered, highest),
    )
    # A forgotten peer that returns as a stranger stays the author of what it sent before.
    db.execute(
        "UPDATE peers AS new SET author = old.author FROM peers AS old"
        " WHERE new.peer = ? AND old.peer = ?"
        " AND EXISTS (SELECT 1 FROM messages m WHERE m.author = old.author)"
        " AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.author = new.author)",
        (into, peer),
    )
    _move_draft(db, peer, into)
    db.execute("DELETE FROM inbound_runs WHERE peer = ?", (peer,))
    db.execute("UPDATE transfers SET peer = ? WHERE peer = ?", (into, peer))
    db.execute(
        "UPDATE peers SET listed = iif(peer = ?2, 0, listed), merged_into = ?1"
        " WHERE peer = ?2 OR merged_into = ?2",
        (into, peer),
    )
    return int(offset)


def _move_draft(db: sqlite3.Connection, peer: int, into: int) -> None:
    """A draft moves along where it replaces none."""
    moved = db.execute("SELECT text FROM drafts WHERE peer = ? AND text != ''", (peer,)).fetchone()
    kept = db.execute("SELECT revision, text FROM drafts WHERE peer = ?", (into,)).fetchone()
    revision, text = kept or (0, "")
    if moved and not text:
        db.execute("REPLACE INTO drafts VALUES (?, ?, ?)", (into, revision + 1, moved[0]))
    db.execute("DELETE FROM drafts WHERE peer = ?", (peer,))
