"""A copy is of one instant, whatever is written meanwhile, and is checked."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from chatnet_engine.ledger import copying
from chatnet_engine.ledger.copying import copy_store
from chatnet_engine.ledger.schema import StoreDamaged, open_file, open_read_only
from simworld.ledger_harness import LedgerHarness, texts

MANY = 1000


def test_a_copy_is_of_one_instant_while_the_writer_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "STEP_PAGES", 16)
    harness = LedgerHarness(open_file(str(tmp_path / "store.db")))
    harness.add_peer()
    for first in range(0, MANY, 500):
        harness.queue(1, texts(*range(first, first + 500)))
    steps: list[int] = []

    def write_meanwhile() -> None:
        steps.append(harness.queue(1, texts(MANY + len(steps))).rows[0].no)

    path = str(tmp_path / "copy.db")
    source = open_read_only(str(tmp_path / "store.db"))
    assert copy_store(source, path, write_meanwhile) == MANY
    source.close()
    assert len(steps) > 1
    assert steps == list(range(MANY + 1, MANY + 1 + len(steps))), "the writer never waited"
    assert [entry.name for entry in tmp_path.glob("copy*")] == ["copy.db"]
    copy = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    assert copy.execute("SELECT count(*), max(no) FROM messages").fetchone() == (MANY, MANY)
    assert copy.execute("SELECT clean FROM totals").fetchone() == (0,), "checked when it starts"
    copy.close()
    harness.connection.close()


def test_what_a_step_raises_ends_the_copying(tmp_path: Path) -> None:
    harness = LedgerHarness(open_file(str(tmp_path / "store.db")))
    source = open_read_only(str(tmp_path / "store.db"))

    def enough() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_store(source, str(tmp_path / "copy.db"), enough)
    assert not source.in_transaction
    source.close()
    harness.connection.close()


def test_a_copy_that_breaks_a_rule_is_none(tmp_path: Path) -> None:
    harness = LedgerHarness(open_file(str(tmp_path / "store.db")))
    harness.connection.execute("PRAGMA ignore_check_constraints = ON")
    harness.connection.execute("UPDATE totals SET one = 2")
    source = open_read_only(str(tmp_path / "store.db"))
    with pytest.raises(
        StoreDamaged, match=r"^The history file is damaged: [a-z ]+ copy [a-z ]+\.$"
    ):
        copy_store(source, str(tmp_path / "copy.db"), lambda: None)
    source.close()
    harness.connection.close()


def test_a_damaged_history_gives_no_copy(tmp_path: Path) -> None:
    harness = LedgerHarness(open_file(str(tmp_path / "store.db")))
    harness.add_peer()
    harness.queue(1, texts(*range(300)))
    (root,) = harness.connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'messages'"
    ).fetchone()
    harness.connection.close()
    damaged = tmp_path / "damaged.db"
    shutil.copy(tmp_path / "store.db", damaged)
    data = bytearray(damaged.read_bytes())
    data[(root - 1) * 4096 : (root - 1) * 4096 + 64] = bytes(64)
    damaged.write_bytes(data)
    source = open_read_only(str(damaged))
    with pytest.raises((StoreDamaged, sqlite3.DatabaseError)):
        copy_store(source, str(tmp_path / "copy.db"), lambda: None)
    source.close()
