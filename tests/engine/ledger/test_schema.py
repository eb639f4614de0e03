"""Connections to files: durable settings, the check after an unclean stop, read-only readers."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chatnet_engine.ledger.history import History
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import (
    StoreDamaged,
    close_file,
    mark_in_use,
    open_file,
    open_memory,
    open_read_only,
    reading,
    transaction,
)
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import VersionMismatch
from chatnet_protocol.ipc.commands import FetchHistory
from simworld.ledger_harness import LedgerHarness, texts


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "his?tory#%41.db")


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_file_is_durable_and_wipes_what_it_deletes(path: str) -> None:
    connection = open_file(path)
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2
    for each in (connection, open_memory()):
        assert pragma(each, "foreign_keys") == 1
        assert pragma(each, "secure_delete") == 1
        assert pragma(each, "busy_timeout") not in (0, None)
        assert pragma(each, "temp_store") == 2, "what is sorted stays in memory"
        assert pragma(each, "trusted_schema") == 0
        each.close()


def test_a_file_is_there_again_after_a_clean_and_an_unclean_stop(path: str) -> None:
    harness = LedgerHarness(open_file(path))
    harness.add_peer()
    rows = harness.queue(1, texts(1, 2)).rows
    harness.connection.close()
    harness = LedgerHarness(open_file(path))
    assert harness.history() == rows
    close_file(harness.connection)
    harness = LedgerHarness(open_file(path))
    assert harness.history() == rows
    close_file(harness.connection)


def test_a_reader_sees_commits_and_cannot_write(path: str) -> None:
    harness = LedgerHarness(open_file(path))
    reader = open_read_only(path)
    harness.add_peer()
    rows = harness.queue(1, texts(1, 2)).rows
    assert History(reader).page(FetchHistory(after_no=0)).rows == rows
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("DELETE FROM messages")
    reader.close()
    close_file(harness.connection)


def test_a_connection_may_be_handed_to_another_thread(path: str) -> None:
    harness = LedgerHarness(open_file(path))
    harness.add_peer()
    reader = open_read_only(path)
    with ThreadPoolExecutor(1) as other:
        rows = other.submit(harness.queue, 1, texts(1, 2)).result().rows
        found = other.submit(History(reader).page, FetchHistory(after_no=0)).result()
        other.submit(reader.close).result()
        other.submit(close_file, harness.connection).result()
    assert found.rows == rows


def damage(path: str) -> None:
    data = bytearray(Path(path).read_bytes())
    data[4096:] = b"\xa5" * (len(data) - 4096)
    Path(path).write_bytes(data)


def test_damage_is_found_after_an_unclean_stop(path: str) -> None:
    harness = LedgerHarness(open_file(path))
    harness.add_peer()
    harness.connection.close()
    damage(path)
    with pytest.raises(StoreDamaged):
        open_file(path)


def test_an_index_that_lost_rows_is_found_after_an_unclean_stop(path: str) -> None:
    harness = LedgerHarness(open_file(path))
    harness.add_peer()
    harness.queue(1, texts(*range(300)))
    root = harness.connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'messages'"
    ).fetchone()[0]
    harness.connection.close()
    data = bytearray(Path(path).read_bytes())
    data[(root - 1) * 4096 : (root - 1) * 4096 + 64] = bytes(64)
    Path(path).write_bytes(data)
    with pytest.raises(StoreDamaged):
        open_file(path)


def test_another_kind_of_file_is_not_a_history(path: str) -> None:
    Path(path).write_bytes(b"not a database" * 500)
    with pytest.raises(StoreDamaged, match=r"^The history file is damaged \(SQLITE_NOTADB\)\.$"):
        open_file(path)


def test_a_missing_folder_is_an_error_of_sqlite(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        open_file(str(tmp_path / "none" / "x.db"))


def test_a_newer_clean_flag_is_not_needed_for_an_empty_file(path: str) -> None:
    Path(path).write_bytes(b"")
    ledger = Ledger(open_file(path))
    assert ledger.load().last_no == 0


@pytest.mark.parametrize("version", [1, 2])
def test_a_broken_rule_is_looked_for_after_an_unclean_stop_only(path: str, version: int) -> None:
    harness = LedgerHarness(open_file(path))
    harness.connection.execute(f"PRAGMA user_version = {version}")
    harness.connection.execute("PRAGMA ignore_check_constraints = ON")
    harness.connection.execute("UPDATE totals SET one = 2")
    close_file(harness.connection)
    connection = open_file(path)
    mark_in_use(connection)
    connection.close()
    with pytest.raises(StoreDamaged, match=r"^The history file is damaged: [a-z ]+\.$"):
        open_file(path)


def test_a_file_that_was_checked_before_is_not_checked_twice(path: str) -> None:
    harness = LedgerHarness(open_file(path))
    harness.connection.execute("PRAGMA ignore_check_constraints = ON")
    harness.connection.execute("UPDATE totals SET one = 2")
    harness.connection.close()
    open_file(path, checked=True).close()
    with pytest.raises(StoreDamaged):
        open_file(path)


def test_a_schema_whose_names_are_not_text_is_damage(path: str) -> None:
    connection = open_file(path)
    connection.execute("CREATE TABLE odd (x)")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("UPDATE sqlite_schema SET name = CAST(x'ff' AS TEXT), sql = 'CREATE odd'")
    connection.close()
    with pytest.raises(StoreDamaged, match="not UTF-8"):
        open_file(path)


def test_a_closed_file_is_not_called_damaged(path: str) -> None:
    connection = open_file(path)
    connection.close()
    with pytest.raises(sqlite3.ProgrammingError), reading():
        connection.execute("SELECT 1")


def test_a_newer_store_is_left_to_the_migration(path: str) -> None:
    connection = open_file(path)
    connection.executescript(
        "CREATE TABLE totals (later CHECK (later > 0)); PRAGMA ignore_check_constraints = ON;"
        "INSERT INTO totals VALUES (0); PRAGMA user_version = 99;"
    )
    connection.close()
    with pytest.raises(VersionMismatch):
        Ledger(open_file(path))


def test_a_store_that_somebody_else_holds_is_tried_again(path: str) -> None:
    harness = LedgerHarness(open_file(path))
    harness.add_peer()
    other = open_file(path)
    other.execute("BEGIN IMMEDIATE")
    harness.connection.execute("PRAGMA busy_timeout = 0")
    failed = harness.refused(c.QueueMessages(1, texts(1), 1, False))
    assert not failed.fatal
    other.execute("ROLLBACK")
    assert harness.queue(1, texts(1)).rows[0].no == 1


def test_a_store_that_may_not_be_written_is_fatal() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.connection.execute("PRAGMA query_only = ON")
    assert harness.refused(c.QueueMessages(1, texts(1), 1, False)).fatal


def test_a_transaction_that_raises_leaves_nothing() -> None:
    connection = open_memory()

    def half_done() -> None:
        with transaction(connection):
            connection.execute("CREATE TABLE fresh (x)")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_done()
    assert not connection.in_transaction
    found = connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'fresh'")
    assert found.fetchone() == (0,)
