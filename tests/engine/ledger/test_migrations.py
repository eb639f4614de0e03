"""A store of any older version becomes the present one, step by step; a newer one is refused."""

import sqlite3

import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.migrations import STEPS, migrate
from chatnet_engine.ledger.schema import open_memory
from chatnet_protocol.errors import VersionMismatch


def version(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


def test_an_empty_store_gets_every_step_once() -> None:
    connection = open_memory()
    steps = ["CREATE TABLE a (x);", "ALTER TABLE a ADD y; INSERT INTO a VALUES (1, 2);"]
    migrate(connection, steps[:1])
    assert version(connection) == 1
    migrate(connection, steps)
    migrate(connection, steps)
    assert version(connection) == 2
    assert connection.execute("SELECT * FROM a").fetchall() == [(1, 2)]


def test_a_step_that_fails_leaves_the_version_before_it() -> None:
    connection = open_memory()
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, ["CREATE TABLE a (x);", "CREATE TABLE b (x); CREATE TABLE a (x);"])
    assert version(connection) == 1
    assert not connection.in_transaction
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",)]


def test_a_newer_store_is_refused_untouched() -> None:
    connection = open_memory()
    connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    with pytest.raises(VersionMismatch, match="this side"):
        Ledger(connection)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def test_the_present_store_is_of_the_newest_version() -> None:
    connection = open_memory()
    Ledger(connection)
    assert version(connection) == len(STEPS)
