"""Reads what an engine has durably stored, beside the engine."""

import sqlite3
from pathlib import Path

from chatnet_engine.ledger.ledger import Ledger
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.ipc.view import View


def copy_of(database: Path) -> sqlite3.Connection:
    """A consistent copy in memory of a database that may be in use."""
    copy = sqlite3.connect(":memory:", isolation_level=None)
    source = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    with source:
        source.backup(copy)
    source.close()
    return copy


def stored_view(database: Path, session: SessionRow) -> View:
    """The durable part of the view, as the ledger makes it from the store."""
    copy = copy_of(database)
    try:
        return Ledger(copy).load_view(session)
    finally:
        copy.close()


def stored_texts(database: Path, *, mine: bool) -> list[str]:
    """Texts of one side in history order."""
    copy = copy_of(database)
    try:
        rows = copy.execute(
            "SELECT body FROM messages WHERE (seq > 0) = ? AND kind = 1 ORDER BY no", (mine,)
        )
        return [bytes(body).decode() for (body,) in rows]
    finally:
        copy.close()
