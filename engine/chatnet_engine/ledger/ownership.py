"""Owns whose history a store is, and what is known of a store before anything is written to it."""

import sqlite3
from dataclasses import dataclass

import msgspec

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.migrations import STEPS
from chatnet_engine.ledger.schema import StoreDamaged, check_unclean, reading, transaction
from chatnet_engine.store_ops.commit import Loaded
from chatnet_protocol.errors import VersionMismatch
from chatnet_protocol.ipc.rows import SessionRow, Trust

NOBODY = SessionRow("", "", "", 0, b"", "", "")


@dataclass(frozen=True, slots=True)
class HistoryFacts:
    """What a store says of itself."""

    own_key: bytes
    """Public key of its identity; empty in a store of before, or one without content."""
    trusted: int
    """Listed peers with a key that was trusted."""


def examine(connection: sqlite3.Connection) -> HistoryFacts | None:
    """Read a store as an engine would at its start, and change nothing; None: it has no content.

    Raises StoreDamaged; VersionMismatch for a newer one; sqlite3.Error when it cannot be read.
    """
    with reading():
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if version > len(STEPS):
            raise VersionMismatch(len(STEPS), version, "the history file's schema")
        if version == 0 and tables == 0:
            return None
        if version == 0:
            raise StoreDamaged("The history file is damaged: it has no version.")
        check_unclean(connection)
        try:
            return _facts(connection, version)
        except (ValueError, TypeError, LookupError, OverflowError, AssertionError) as error:
            kind = type(error).__name__
            raise StoreDamaged(f"The history file is damaged ({kind} in its rows).") from None


def _facts(connection: sqlite3.Connection, version: int) -> HistoryFacts:
    own_key = b""
    if version == len(STEPS):
        (own_key,) = connection.execute("SELECT own_key FROM totals").fetchone()
        ledger = Ledger(connection, writes=False)
        ledger.load_view(NOBODY)
        msgspec.msgpack.decode(msgspec.msgpack.encode(ledger.load()), type=Loaded)
    (trusted,) = connection.execute(
        "SELECT count(*) FROM peers WHERE listed AND key != x'' AND trust IN (?, ?)",
        (Trust.PINNED, Trust.VERIFIED),
    ).fetchone()
    return HistoryFacts(own_key, trusted)


def adopt(connection: sqlite3.Connection, own_key: bytes) -> None:
    """From now on it is the history of that key; durable when this returns."""
    with transaction(connection):
        (former,) = connection.execute("SELECT own_key FROM totals").fetchone()
        if former != own_key:
            connection.execute("UPDATE totals SET own_key = ?", (own_key,))
            if former:
                # They belong to pairs of keys; the next start of a node computes them again.
                connection.execute("UPDATE peers SET safety_number = ''")
