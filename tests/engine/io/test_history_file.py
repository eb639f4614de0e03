import os
import sqlite3
import stat
from pathlib import Path

import pytest

from chatnet_engine.io.history_file import HistoryFile, LedgerFile
from chatnet_engine.ledger.schema import StoreDamaged
from chatnet_engine.store_ops.commit import (
    Commit,
    CommitFailed,
    NewMessage,
    QueueMessages,
    StorePeer,
)
from chatnet_protocol.ipc.commands import FetchHistory
from chatnet_protocol.ipc.rows import PeerRow, SessionRow

KEY = b"o" * 32
SESSION = SessionRow("s", "", "", 1, b"k" * 32, "", "")
PEER = StorePeer(PeerRow(0, "friend", "host", 9))
MESSAGE = QueueMessages(1, [NewMessage(b"i" * 16, 1, b"hello", 5)], 5, False)


@pytest.fixture
def path(own_home: Path) -> str:
    return str(own_home / "history.db")


def test_what_is_committed_is_there_after_the_next_start_and_on_pages(path: str) -> None:
    ledger = LedgerFile(path, path + ".known", KEY)
    ledger.apply(Commit(1, [PEER, MESSAGE]))
    history = HistoryFile(path)
    [row] = history.page(FetchHistory(peer=1)).rows
    assert row.text == "hello"
    history.close()
    ledger.close()
    again = LedgerFile(path, path + ".known", KEY)
    assert again.load().last_no == 1
    assert again.load_view(SESSION).last_no == 1
    again.close()


def test_an_open_history_is_closed_to_others(path: str) -> None:
    with open(path, "wb"):
        pass
    os.chmod(path, 0o644)
    ledger = LedgerFile(path, path + ".known", KEY)
    ledger.apply(Commit(1, [PEER]))
    for name in os.listdir(os.path.dirname(path)):
        if name.startswith("history.db"):
            mode = os.stat(os.path.join(os.path.dirname(path), name)).st_mode
            assert stat.S_IMODE(mode) == 0o600, name
    ledger.close()


def test_pages_cannot_write(path: str) -> None:
    LedgerFile(path, path + ".known", KEY).close()
    history = HistoryFile(path)
    with pytest.raises(sqlite3.OperationalError):
        history._connection.execute("DELETE FROM peers")
    history.close()


def test_a_history_of_a_newer_version_is_left_alone_and_closed(path: str) -> None:
    LedgerFile(path, path + ".known", KEY).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    with pytest.raises(Exception, match="upgrade ChatNet on this side"):
        LedgerFile(path, path + ".known", KEY)
    with open(path, "r+b") as file:
        file.write(b"junk" * 100)
    with pytest.raises(StoreDamaged):
        LedgerFile(path, path + ".known", KEY)


def test_trusted_keys_are_on_disk_before_the_transaction(path: str, own_home: Path) -> None:
    known = str(own_home / "known_peers")
    ledger = LedgerFile(path, known, KEY)
    ledger.apply(Commit(1, [PEER], b"bob\n"))
    with open(known, "rb") as file:
        assert file.read() == b"bob\n"
    assert stat.S_IMODE(os.stat(known).st_mode) == 0o600
    ledger.apply(Commit(2, [MESSAGE]))
    os.mkdir(known + ".new")
    failed = ledger.apply(Commit(3, [PEER], b"eve\n"))
    assert isinstance(failed, CommitFailed)
    assert "known_peers cannot be written" in failed.reason
    assert len(ledger.load().peers) == 1
    with open(known, "rb") as file:
        assert file.read() == b"bob\n"
    ledger.close()
