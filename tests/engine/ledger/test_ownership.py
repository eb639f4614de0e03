"""What a store says of itself before anything is written to it, and whose history it becomes."""

import sqlite3

import msgspec
import pytest

from chatnet_engine.ledger.migrations import STEPS
from chatnet_engine.ledger.ownership import HistoryFacts, adopt, examine
from chatnet_engine.ledger.schema import StoreDamaged, open_memory
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import VersionMismatch
from chatnet_protocol.ipc.rows import PeerRow
from freeze_store import load_frozen
from simworld.ledger_harness import LedgerHarness, arrived, texts

OWN, OTHER = b"o" * 32, b"p" * 32


@pytest.fixture
def harness() -> LedgerHarness:
    harness = LedgerHarness()
    harness.add_peer()
    return harness


def damaged(harness: LedgerHarness, sql: str) -> sqlite3.Connection:
    harness.connection.execute("PRAGMA foreign_keys = OFF")
    harness.connection.execute(sql)
    return harness.connection


def test_a_store_tells_its_owner_and_how_many_it_trusts() -> None:
    harness = LedgerHarness()
    for number, trust in enumerate(("pinned", "verified", "none", "pinned", "pinned")):
        key = b"" if number == 3 else bytes([number]) * 32
        harness.do(c.StorePeer(PeerRow(0, f"peer {number}", "h", 1, key=key, trust=trust)))
    harness.do(c.ForgetPeer(5))
    adopt(harness.connection, OWN)
    before = harness.image()
    assert examine(harness.connection) == HistoryFacts(OWN, 2)
    assert harness.image() == before


def test_an_empty_file_says_nothing() -> None:
    connection = open_memory()
    assert examine(connection) is None
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)


@pytest.mark.parametrize("version", range(1, len(STEPS)))
def test_an_older_store_is_read_and_not_migrated(version: int) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    load_frozen(connection, version)
    before = connection.serialize()
    facts = examine(connection)
    assert facts is not None
    assert facts.own_key == b""
    assert facts.trusted > 0
    assert connection.serialize() == before


def test_a_newer_store_is_refused() -> None:
    connection = open_memory()
    connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    with pytest.raises(VersionMismatch, match="history file's schema"):
        examine(connection)


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("PRAGMA user_version = 0", "it has no version"),
        ("DELETE FROM totals", "its totals are gone"),
        ("DROP TABLE transfers", r"\(SQLITE_ERROR\)"),
    ],
)
def test_what_an_engine_could_not_start_from_is_damage(
    harness: LedgerHarness, sql: str, sentence: str
) -> None:
    harness.queue(1, texts(1))
    with pytest.raises(StoreDamaged, match=rf"^The history file is damaged.*{sentence}.*\.$"):
        examine(damaged(harness, sql))


def test_a_store_that_may_not_be_read_is_not_called_damaged() -> None:
    connection = open_memory()
    connection.set_authorizer(lambda *_: sqlite3.SQLITE_DENY)
    with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
        examine(connection)


def test_a_new_owner_has_the_safety_numbers_computed_again(harness: LedgerHarness) -> None:
    peer = harness.ledger.load().peers[0]
    harness.do(c.StorePeer(msgspec.structs.replace(peer, safety_number="12345")))

    def number() -> str:
        return harness.ledger.load().peers[0].safety_number

    for owner, left in ((OWN, "12345"), (OWN, "12345"), (OTHER, "")):
        adopt(harness.connection, owner)
        assert number() == left
        assert examine(harness.connection) == HistoryFacts(owner, 1)
        assert not harness.connection.in_transaction


def test_a_history_stays_readable_to_its_owner(harness: LedgerHarness) -> None:
    harness.hello(1, 7)
    harness.queue(1, texts(1))
    harness.accept(1, 7, 1, arrived(2))
    adopt(harness.connection, OWN)
    again = LedgerHarness.from_image(harness.image())
    assert [row.no for row in again.history()] == [1, 2]
    assert examine(again.connection) == HistoryFacts(OWN, 1)


@pytest.mark.parametrize(
    "sql", ["DELETE FROM counters", "UPDATE peers SET name = CAST(x'ff' AS TEXT)"]
)
def test_rows_that_a_start_leaves_out_do_not_condemn_the_store(
    harness: LedgerHarness, sql: str
) -> None:
    harness.queue(1, texts(1))
    adopt(harness.connection, OWN)
    facts = examine(damaged(harness, sql))
    assert facts is not None
    assert facts.own_key == OWN
