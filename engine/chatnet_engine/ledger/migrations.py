"""Owns the way from any older schema to the present one, each step in a transaction of its own."""

import sqlite3
from collections.abc import Sequence

from chatnet_engine.ledger.schema import (
    BLOCKED,
    CHOSEN_SIZES,
    KNOWN_LINES,
    OWN_KEY,
    OWN_SETTINGS,
    QUOTAS,
    REFUSED_KEYS,
    REPLIES,
    RESTORES,
    TABLES,
)
from chatnet_engine.ledger.transfer_schema import GIVEN_PATHS, LISTINGS, TRANSFER_FACTS, UPDATES
from chatnet_protocol.errors import VersionMismatch

STEPS: tuple[str, ...] = (
    TABLES,
    RESTORES,
    QUOTAS
    + OWN_KEY
    + REFUSED_KEYS
    + GIVEN_PATHS
    + LISTINGS
    + TRANSFER_FACTS
    + UPDATES
    + REPLIES
    + CHOSEN_SIZES
    + KNOWN_LINES
    + BLOCKED
    + OWN_SETTINGS,
)
"""`STEPS[n]` is the SQL that makes version n + 1 of version n. Released steps never change."""


def migrate(connection: sqlite3.Connection, steps: Sequence[str] = STEPS) -> None:
    """Bring the store to version `len(steps)`; nothing happens when it is there already.

    Raises VersionMismatch when a newer program wrote the store, and leaves it as it is.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(steps):
        raise VersionMismatch(len(steps), version, "the history file's schema")
    for number in range(version, len(steps)):
        script = f"BEGIN IMMEDIATE;\n{steps[number]}\nPRAGMA user_version = {number + 1};\nCOMMIT;"
        try:
            connection.executescript(script)
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
