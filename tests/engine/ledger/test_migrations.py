"""A store of any older version becomes the present one, step by step; a newer one is refused.

`frozen/version-N.sql` is what an engine of schema version N left on somebody's disk.
"""

import hashlib
import shutil
import sqlite3
from pathlib import Path

import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.migrations import STEPS, migrate
from chatnet_engine.ledger.schema import close_file, open_file, open_memory
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import VersionMismatch
from chatnet_protocol.ipc.rows import AckRange
from checker.histories import History, read
from freeze_store import BOB, FROZEN, frozen_path, load_frozen
from simworld.ledger_harness import LedgerHarness, arrived, texts

VERSIONS = range(1, len(STEPS) + 1)
Content = dict[str, list[tuple[object, ...]]]
MADE_ANEW = frozenset({"totals"})
"""What a start changes in any case: the clean flag."""


def version(connection: sqlite3.Connection) -> int:
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


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


def test_a_store_that_another_process_holds_is_not_migrated(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    holder, connection = open_file(path), open_file(path)
    holder.execute("BEGIN IMMEDIATE")
    connection.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        migrate(connection, ["CREATE TABLE a (x);"])
    assert version(connection) == 0
    holder.execute("ROLLBACK")
    migrate(connection, ["CREATE TABLE a (x);"])
    assert version(connection) == 1
    connection.close()
    holder.close()


def test_a_newer_store_is_refused_untouched() -> None:
    connection = open_memory()
    connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    with pytest.raises(VersionMismatch, match=r"^the history file.s schema version .* this side"):
        Ledger(connection)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


def test_the_present_store_is_of_the_newest_version() -> None:
    connection = open_memory()
    Ledger(connection)
    assert version(connection) == len(STEPS)


# --- what people have on their disks -------------------------------------------------------------


def frozen(version: int) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    load_frozen(connection, version)
    return connection


def schema_of(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Every table, index and view as SQL, without the blanks."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return sorted((kind, name, " ".join(sql.split())) for kind, name, sql in rows)


def content_of(connection: sqlite3.Connection, like: Content | None = None) -> Content:
    """All rows by table and column; with `like` only of its tables and columns."""
    if like is None:
        tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        names = [name for (name,) in tables.fetchall() if name not in MADE_ANEW]
        asked = set()
        for name in names:
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({name})")]
            asked.add(f"{name}({','.join(columns)})")
    else:
        asked = set(like)
    out: Content = {}
    for key in asked:
        table, _, listed = key.rstrip(")").partition("(")
        out[key] = sorted(connection.execute(f"SELECT {listed} FROM {table}").fetchall())
    return out


def facts_of(connection: sqlite3.Connection) -> History:
    """What somebody who knows only the documentation reads of it."""
    history = read(connection)
    assert history.damage == ""
    return history


def test_every_version_is_frozen_and_no_other() -> None:
    found = {path.name for path in FROZEN.iterdir()}
    assert found == {frozen_path(version).name for version in VERSIONS}, (
        "a new version needs `python tests/support/freeze_store.py`"
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_released_steps_never_change(version: int) -> None:
    made = open_memory()
    migrate(made, STEPS[:version])
    assert schema_of(made) == schema_of(frozen(version)), "a change needs a step of its own"


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_frozen_has_something_of_everything(version: int) -> None:
    content = content_of(frozen(version))
    assert [key for key, rows in content.items() if not rows] == []
    facts = facts_of(frozen(version))
    [bob] = [talk for talk in facts.conversations.values() if talk.key == BOB]
    assert len(facts.messages) >= 16
    assert bob.draft == "half a thought – ½"
    assert [m.ack for m in facts.own(BOB) if m.settled and not m.failed] == [1, 2]
    assert [m.ack for m in facts.got(BOB)] == [1, 2, 3, 10, 11, 12]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version_becomes_the_present_one_with_its_content(version: int) -> None:
    connection = frozen(version)
    content, facts = content_of(connection), facts_of(connection)
    harness = LedgerHarness(connection)
    assert schema_of(connection) == schema_of(LedgerHarness().connection)
    assert content_of(connection, content) == content
    assert facts_of(connection) == facts
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    bob = next(peer.info.peer for peer in harness.view.peers if peer.info.key == BOB)
    last = facts.last_no
    assert harness.queue(bob, texts(500)).rows[0].no == last + 1
    harness.hello(bob, 9, lamport=60)
    accepted = harness.accept(bob, 9, 1, arrived(16, 600, lamport=61))
    assert [row.no for row in accepted.rows] == [last + 2], "the offer of then is known"
    assert accepted.rows[0].ack == 13
    harness.do(c.StoreReceipts(bob, [AckRange(3, 3, 1)]))


def copy_files(path: Path, folder: Path) -> Path:
    """What a power loss leaves at this instant."""
    folder.mkdir()
    for file in path.parent.glob(f"{path.name}*"):
        if not file.name.endswith("-shm"):
            shutil.copy(file, folder / file.name)
    return folder / path.name


@pytest.mark.parametrize("version", [0, *VERSIONS])
def test_a_migration_that_dies_at_any_statement_is_done_at_the_next_start(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "store.db"
    connection = open_file(str(path))
    if version:
        load_frozen(connection, version)
    content = content_of(connection)
    images: list[Path] = []
    connection.set_trace_callback(
        lambda sql: images.append(copy_files(path, tmp_path / str(len(images))))
    )
    migrate(connection)
    connection.set_trace_callback(None)
    connection.close()
    assert len(images) >= (3 if version < len(STEPS) else 1)
    for image in images:
        again = open_file(str(image))
        Ledger(again)
        assert schema_of(again) == schema_of(LedgerHarness().connection)
        assert content_of(again, content) == content
        again.close()


def test_a_newer_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    connection = open_file(str(path))
    load_frozen(connection, VERSIONS[-1])
    connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    close_file(connection)
    before = hashlib.sha256(path.read_bytes()).digest()
    connection = open_file(str(path))
    with pytest.raises(VersionMismatch):
        Ledger(connection)
    connection.close()
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert [file.name for file in tmp_path.iterdir()] == ["store.db"]
