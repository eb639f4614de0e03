"""Owns the stored transfers, in the order in which they were first offered."""

import sqlite3

from chatnet_protocol import commit as c
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, TransferRow
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS

_COLUMNS = (
    "id, peer, no, mine, state, name, files, size_bytes, done_bytes, by_whom, reason, path,"
    " changed_ms"
)


def store(db: sqlite3.Connection, op: c.StoreTransfer) -> c.TransferStored:
    """Insert or replace a transfer; it keeps its place among the others."""
    row = op.row
    values = (
        row.id, row.peer, row.no, row.mine, str(row.state), row.name, row.files, row.size_bytes,
        row.done_bytes, row.by, row.reason, row.path, row.changed_ms,
        row.state in ENDED_TRANSFER_STATES, op.detail,
    )  # fmt: skip
    db.execute(
        f"INSERT INTO transfers ({_COLUMNS}, ended, detail)"  # noqa: S608
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET peer = excluded.peer, no = excluded.no,"
        " mine = excluded.mine, state = excluded.state, name = excluded.name,"
        " files = excluded.files, size_bytes = excluded.size_bytes,"
        " done_bytes = excluded.done_bytes, by_whom = excluded.by_whom,"
        " reason = excluded.reason, path = excluded.path, changed_ms = excluded.changed_ms,"
        " ended = excluded.ended, detail = excluded.detail",
        values,
    )
    return c.TransferStored(row)


def load(db: sqlite3.Connection) -> list[c.StoredTransfer]:
    """Those not ended and the newest ended ones, oldest first."""
    query = f"SELECT place, {_COLUMNS}, detail FROM transfers"  # noqa: S608
    found = db.execute(f"{query} WHERE ended = 0").fetchall()
    found += db.execute(
        f"{query} WHERE ended = 1 ORDER BY place DESC LIMIT ?", (MAX_VIEW_TRANSFERS,)
    ).fetchall()
    found.sort()
    return [_stored(values) for values in found]


def _stored(values: tuple[object, ...]) -> c.StoredTransfer:
    _, transfer_id, peer, no, mine, *rest, detail = values
    row = TransferRow(transfer_id, peer, no, bool(mine), *rest)  # type: ignore[arg-type]
    return c.StoredTransfer(row, detail)  # type: ignore[arg-type]
