"""R19 for the store: the process dies at each SQL statement in turn; a file has all or nothing."""

import shutil
import sqlite3
from pathlib import Path
from typing import cast

import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import open_file
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.rows import AckRange, PeerRow, TransferRow
from simworld.ledger_harness import SESSION, arrived, message_id, texts

BEFORE: list[c.Op] = [
    c.StorePeer(PeerRow(0, "a", "h", 1, key=b"k" * 32)),
    c.StorePeer(PeerRow(0, "typed", "h", 2)),
    c.ApplyHello(1, 7, 1, 0, 0, 0, ""),
    c.QueueMessages(1, texts(1, 2, 3), 1, True),
    c.QueueMessages(2, texts(4), 1, False),
    c.AcceptMessages(1, 7, 1, arrived(11, 12), "s", 1),
    c.StoreDraft(2, "draft", 0),
]
BACK = [
    cr.RestoredMessage(True, message_id(21), 1, 3, 1, 2, 3, b"own"),
    cr.RestoredMessage(False, message_id(22), 1, 4, 1, 2, 3, b"theirs"),
    cr.RestoredMessage(True, message_id(2), 1, 1, 1, 2, 4, b"known"),
]
TRANSACTION: list[c.Op] = [
    c.QueueMessages(1, texts(2, 5, 6), 2, False),
    c.AcceptMessages(1, 7, 2, arrived(12, 11, 13), "s", 2),
    c.StoreReceipts(1, [AckRange(2, 2, 2)]),
    c.FailMessage(1, 5, "no"),
    c.StoreMarks(1, my_read=1),
    c.StoreTransfer(TransferRow(message_id(11), 1, 5, False, "offered", "f", 1, 1), b""),
    c.ApplyHello(1, 8, 1, 9, 9, 50, "name"),
    c.ForgetPeer(2, 1),
    cr.StorePeerRestoreRequest(1, 6, "asked"),
    cr.StoreRestoreRequest(1, 5, "asking"),
    cr.PutBack(1, 5, 0, 9, message_id(22), True, BACK, "s"),
    cr.PutBack(1, 5, 9, 0, b"", False, [], "s"),
]


class Died(BaseException):
    """The process is no more."""


class Mortal:
    """A connection whose process dies before its `life`-th statement."""

    def __init__(self, connection: sqlite3.Connection, life: int) -> None:
        self.connection = connection
        self.life = life

    @property
    def in_transaction(self) -> bool:
        return False

    def execute(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        self.life -= 1
        if self.life < 0:
            raise Died
        return self.connection.execute(sql, parameters)


def restarted(path: Path, copy: Path) -> tuple[object, object]:
    """What an engine finds that starts on the files as they are now."""
    copy.mkdir()
    for suffix in ("", "-wal"):
        shutil.copy(f"{path}{suffix}", f"{copy / 'store.db'}{suffix}")
    connection = open_file(str(copy / "store.db"))
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    ledger = Ledger(connection)
    found = ledger.load(), ledger.load_view(SESSION)
    connection.close()
    return found


@pytest.mark.parametrize("first_of_all", [True, False], ids=["late", "early"])
def test_a_transaction_happens_whole_or_not_at_all(tmp_path: Path, first_of_all: bool) -> None:
    path = tmp_path / "store.db"
    connection = open_file(str(path))
    ledger = Ledger(connection)
    assert isinstance(ledger.apply(c.Commit(1, BEFORE)), c.Committed)
    before = restarted(path, tmp_path / "before")
    deaths = 0
    for life in range(1 if first_of_all else 0, 400, 2):
        ledger._db = cast(sqlite3.Connection, Mortal(connection, life))
        try:
            answer = ledger.apply(c.Commit(2, TRANSACTION))
        except Died:
            deaths += 1
            assert restarted(path, tmp_path / str(life)) == before
            connection.rollback()
        else:
            assert isinstance(answer, c.Committed)
            assert restarted(path, tmp_path / "after") != before
            break
    assert deaths > 20
    connection.close()
