"""Owns the stored transfers, in the order in which they were first offered. One that had left the
view and is stored again comes last, in the view as here."""

import sqlite3
import sys
from typing import Any

import msgspec

from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.reasons import Reason, TransferReason, reason
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, Differences, TransferRow
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS

PAGE_ROWS = 256
"""A transaction must stay short for the others."""

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Differences)
_REASONS = msgspec.json.Decoder(Reason)
_COLUMNS = (
    "id, peer, no, mine, state, name, files, size_bytes, done_bytes, by_whom, reason, path,"
    " changed_ms, kind, things, differences, is_update, updates_allowed"
)
_REASON = TransferRow.__struct_fields__.index("reason")
_QUERY = (
    "SELECT t.place, t.id, t.peer, t.no, t.mine, t.state, t.name, t.files, t.size_bytes,"
    " t.done_bytes, t.by_whom, t.reason, t.path, t.changed_ms, t.kind, t.things, t.differences,"
    " t.is_update, t.updates_allowed, t.detail,"
    " coalesce(iif(t.mine AND m.seq > c.delivered_seq, m.seq, 0), 0), coalesce(l.listing, x'')"
    " FROM transfers t LEFT JOIN messages m ON m.no = t.no"
    " LEFT JOIN counters c ON c.peer = t.peer LEFT JOIN listings l ON l.id = t.id"
)


def store(db: sqlite3.Connection, op: c.StoreTransfer) -> c.TransferStored:
    """Insert or replace a transfer; it keeps its place among the others."""
    row = op.row
    _put_last_if_forgotten(db, row.id)
    values = (
        row.id, row.peer, row.no, row.mine, str(row.state), row.name, row.files, row.size_bytes,
        row.done_bytes, row.by, _reason_text(row.reason), row.path, row.changed_ms,
        row.kind, row.things,
        _ENCODER.encode(row.differences) if row.differences else b"",
        row.update, row.updates_allowed, row.state in ENDED_TRANSFER_STATES, op.detail, op.given,
    )  # fmt: skip
    db.execute(
        f"INSERT INTO transfers ({_COLUMNS}, ended, detail, given)"  # noqa: S608
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET peer = excluded.peer, no = excluded.no,"
        " mine = excluded.mine, state = excluded.state, name = excluded.name,"
        " files = excluded.files, size_bytes = excluded.size_bytes,"
        " done_bytes = excluded.done_bytes, by_whom = excluded.by_whom,"
        " reason = excluded.reason, path = excluded.path, changed_ms = excluded.changed_ms,"
        " kind = excluded.kind, things = excluded.things, differences = excluded.differences,"
        " is_update = excluded.is_update, updates_allowed = excluded.updates_allowed,"
        " ended = excluded.ended, detail = excluded.detail",
        values,
    )
    if op.listing:
        db.execute("REPLACE INTO listings VALUES (?, ?)", (row.id, op.listing))
    if op.digests:
        db.execute("REPLACE INTO digests VALUES (?, ?)", (row.id, op.digests))
    if (use := op.automatic) is not None:
        db.execute(
            "INSERT INTO automatic VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET"
            " size_bytes = excluded.size_bytes + iif(day = excluded.day, size_bytes, 0),"
            " files = excluded.files + iif(day = excluded.day, files, 0), day = excluded.day",
            (use.key, use.day, use.size_bytes, use.files),
        )
    return c.TransferStored(row)


def automatic(db: sqlite3.Connection) -> list[c.AutomaticUse]:
    """What the files of each key took without a question, on the newest such day."""
    return [c.AutomaticUse(*values) for values in db.execute("SELECT * FROM automatic")]


def load(db: sqlite3.Connection) -> list[c.StoredTransfer]:
    """Those not ended and the newest ended ones, oldest first."""
    found = db.execute(f"{_QUERY} WHERE t.ended = 0").fetchall()
    found += db.execute(
        f"{_QUERY} WHERE t.ended = 1 ORDER BY t.place DESC LIMIT ?", (MAX_VIEW_TRANSFERS,)
    ).fetchall()
    found.sort()
    return [_stored(values) for values in found]


def load_some(db: sqlite3.Connection, op: c.LoadTransfers) -> list[c.StoredTransfer]:
    """Those of `ids` that there are."""
    found = (db.execute(f"{_QUERY} WHERE t.id = ?", (one,)).fetchone() for one in op.ids)
    return [_stored(values) for values in found if values]


def find_folder(db: sqlite3.Connection, op: c.FindFolder) -> c.FolderFound:
    """The folder of this name that came last from this peer. The order is that of its messages."""
    values = db.execute(
        f"{_QUERY} WHERE t.peer = ? AND t.name = ? AND t.mine = 0 AND t.state = 'done'"
        " AND t.kind = 'folder' AND t.things = 1 AND t.id <> ? ORDER BY t.no DESC LIMIT 1",
        (op.peer, op.name, op.id),
    ).fetchone()
    if values is None:
        return c.FolderFound(None)
    stored = _stored(values)
    digests = db.execute("SELECT digests FROM digests WHERE id = ?", (stored.row.id,)).fetchone()
    return c.FolderFound(stored, digests[0] if digests else b"")


def list_received(db: sqlite3.Connection, op: c.ListReceived) -> c.ReceivedListed:
    """A page reads PAGE_ROWS transfers of any kind at most."""
    page = db.execute(
        "SELECT place, id, detail, mine = 0 AND ended = 1 FROM transfers"
        " WHERE place < ? ORDER BY place DESC LIMIT ?",
        (op.before or sys.maxsize, PAGE_ROWS),
    ).fetchall()
    found = [(row[1], row[2]) for row in page if row[3]]
    return c.ReceivedListed(found, page[-1][0] if len(page) == PAGE_ROWS else 0)


def _put_last_if_forgotten(db: sqlite3.Connection, transfer_id: bytes) -> None:
    known = db.execute(
        "SELECT place FROM transfers WHERE id = ? AND ended = 1", (transfer_id,)
    ).fetchone()
    if known is None:
        return
    (newer,) = db.execute(
        "SELECT count(*) FROM (SELECT 1 FROM transfers WHERE ended = 1 AND place > ? LIMIT ?)",
        (known[0], MAX_VIEW_TRANSFERS),
    ).fetchone()
    if newer == MAX_VIEW_TRANSFERS:
        db.execute(
            "UPDATE transfers SET place = (SELECT max(place) + 1 FROM transfers) WHERE id = ?",
            (transfer_id,),
        )


def _stored(values: tuple[Any, ...]) -> c.StoredTransfer:
    _, transfer_id, peer, no, mine, *rest, differences, update, allowed = values[:-3]
    detail, waiting_seq, listing = values[-3:]
    facts = _differences(differences), bool(update), bool(allowed)
    fields = [transfer_id, peer, no, bool(mine), *rest, *facts]
    fields[_REASON] = _reason(fields[_REASON])
    return c.StoredTransfer(TransferRow(*fields), detail, waiting_seq, listing)


def _reason_text(why: Reason | None) -> str:
    return msgspec.json.encode(why).decode() if why else ""


def _reason(stored: Any) -> Any:
    """A damaged one stays as it is. Earlier versions stored a sentence."""
    if stored == "":
        return None
    if not isinstance(stored, str):
        return stored
    if not stored.startswith("["):
        return reason(TransferReason.EARLIER, stored)
    try:
        return _REASONS.decode(stored)
    except msgspec.MsgspecError:
        return stored


def _differences(packed: Any) -> Any:
    """Damaged ones stay as they are, and whoever checks the row's types finds them."""
    if packed == b"":
        return None
    try:
        return _DECODER.decode(packed)
    except (msgspec.MsgspecError, TypeError):
        return packed
