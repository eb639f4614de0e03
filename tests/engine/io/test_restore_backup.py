"""A backup is put back whole or not at all, and what was there is kept."""

import os
import shutil
import sqlite3
import threading
from pathlib import Path

import pytest

from chatnet_engine.io import restore_backup, state_change
from chatnet_engine.io.backup import SessionPaths, _BackupHandler
from chatnet_engine.io.session import SessionFolder
from chatnet_engine.node.effects import CopySession
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_protocol.ipc.session_files import session_dir

KEY, BOB = b"1" * 32, b"B" * 32


class Restoring:
    """A home, and what the program printed last."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.backup = home / "backup"
        self._capsys = capsys
        self.out = self.err = ""

    def folder(self, name: str) -> Path:
        return Path(session_dir(str(self.home), name))

    def say(self, name: str, *texts: str, key: bytes = KEY) -> list[str]:
        """Start the session, queue texts, stop; all that it holds then."""
        folder = SessionFolder(str(self.folder(name)), name)
        _, known = folder.open_state(lambda size: key)
        ledger = folder.open_ledger()
        if not ledger.load().peers:
            ledger.apply(c.Commit(1, [c.StorePeer(PeerRow(0, "bob", "host", 9))]))
            pin = c.StorePeer(PeerRow(1, "bob", "host", 9, key=BOB, trust=Trust.PINNED))
            ledger.apply(c.Commit(2, [pin], known.note([pin], 7)))
        for text in texts:
            new = c.NewMessage(text.encode().ljust(16), 1, text.encode(), 5)
            ledger.apply(c.Commit(3, [c.QueueMessages(1, [new], 5, False)]))
        ledger.close()
        folder.close()
        with sqlite3.connect(folder.history_path) as db:
            rows = db.execute("SELECT body FROM messages ORDER BY no").fetchall()
        db.close()
        return [bytes(body).decode() for (body,) in rows]

    def make(self, name: str, *, history_only: bool = False) -> None:
        folder = self.folder(name)
        names = ("history.db", "identity.key", "known_peers")
        paths = SessionPaths(*(str(folder / file) for file in names))
        maker = _BackupHandler(paths, threading.Event())
        assert maker.answer(CopySession(str(self.backup), history_only)).error is None

    def run(self, *words: str) -> int:
        status = restore_backup.main(words, {"CHATNET_HOME": str(self.home)})
        self.out, self.err = self._capsys.readouterr()
        return status


@pytest.fixture
def restoring(own_home: Path, capsys: pytest.CaptureFixture[str]) -> Restoring:
    restoring = Restoring(own_home / "chatnet", capsys)
    assert restoring.say("s", "one", "two") == ["one", "two"]
    return restoring


def test_into_a_session_that_is_not_there(restoring: Restoring) -> None:
    restoring.make("s")
    assert restoring.run(str(restoring.backup), "new") == 0
    assert restoring.out == "restored · 2 messages · session new\n"
    assert restoring.err == ""
    assert restoring.say("new", "three", key=b"x" * 32) == ["one", "two", "three"]
    keys = [(restoring.folder(n) / "identity.key").read_bytes() for n in ("s", "new")]
    assert keys[0] == keys[1]
    assert (restoring.folder("new") / "history.db").stat().st_mode & 0o777 == 0o600


def test_in_the_place_of_what_is_there_only_when_told_and_that_is_kept(
    restoring: Restoring,
) -> None:
    restoring.make("s")
    restoring.say("s", "three")
    (restoring.folder("s") / "inbox").mkdir()
    assert restoring.run(str(restoring.backup), "s") == 1
    assert restoring.err.startswith("Session s is there already; with --replace ")
    assert restoring.say("s") == ["one", "two", "three"]
    assert restoring.run(str(restoring.backup), "s", "--replace") == 0
    aside = restoring.folder("s") / "set-aside-1"
    assert restoring.err == f"What was there before is kept in {aside}.\n"
    assert restoring.say("s") == ["one", "two"]
    assert (restoring.folder("s") / "inbox").is_dir()
    assert sorted(os.listdir(aside)) == ["history.db", "identity.key", "known_peers"]
    shutil.copytree(aside, restoring.folder("again"))
    assert restoring.say("again") == ["one", "two", "three"]


def test_a_history_alone_goes_under_the_identity_of_the_session(restoring: Restoring) -> None:
    restoring.make("s", history_only=True)
    restoring.say("s", "three")
    key = (restoring.folder("s") / "identity.key").read_bytes()
    assert restoring.run(str(restoring.backup), "s", "--replace") == 0
    assert restoring.say("s") == ["one", "two"]
    assert (restoring.folder("s") / "identity.key").read_bytes() == key
    assert restoring.run(str(restoring.backup), "new") == 1
    assert "the history alone, and the identity key of session new is missing." in restoring.err
    restoring.say("other", key=b"2" * 32)
    assert restoring.run(str(restoring.backup), "other", "--replace") == 1
    assert "history.db belongs to the identity" in restoring.err


def test_a_running_session_is_left_alone(restoring: Restoring) -> None:
    restoring.make("s")
    running = SessionFolder(str(restoring.folder("s")), "s")
    assert restoring.run(str(restoring.backup), "s", "--replace") == 1
    assert restoring.err.startswith("Session s is running already")
    running.close()


@pytest.mark.parametrize(
    ("name", "spoil", "sentence"),
    [
        ("history.db", b"no database" * 100, "history.db is damaged."),
        ("history.db", b"", "history.db is empty."),
        ("history.db", None, "history.db is missing."),
        ("identity.key", b"x" * 40, "identity.key is damaged."),
        ("identity.key", b"y" * 32, "history.db belongs to the identity"),
        ("known_peers", None, "known_peers is missing."),
        ("known_peers", b"bob\n", "known_peers is damaged: line 1"),
    ],
)
def test_a_backup_that_is_not_whole_changes_nothing(
    restoring: Restoring, name: str, spoil: bytes | None, sentence: str
) -> None:
    restoring.make("s")
    restoring.say("s", "three")
    if spoil is None:
        (restoring.backup / name).unlink()
    else:
        (restoring.backup / name).write_bytes(spoil)
    assert restoring.run(str(restoring.backup), "s", "--replace") == 1
    assert restoring.err.startswith(f"{restoring.backup} cannot be put back: ")
    assert sentence in restoring.err
    assert restoring.err.count("\n") == 1
    assert restoring.say("s") == ["one", "two", "three"]
    assert not list(restoring.folder("s").glob("set-aside-*"))


def test_what_is_no_backup_is_refused(restoring: Restoring, tmp_path: Path) -> None:
    assert restoring.run(str(tmp_path / "nowhere"), "new") == 1
    assert restoring.err == f"{tmp_path / 'nowhere'} is no folder.\n"
    assert restoring.run(str(tmp_path), "new") == 1
    assert "is missing" in restoring.err
    assert not restoring.folder("new").exists(), "nothing is left of the attempt"


def test_a_disk_that_is_full_changes_nothing(
    restoring: Restoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    restoring.make("s")
    restoring.say("s", "three")

    def full(path: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(state_change, "write_durably", full)
        assert restoring.run(str(restoring.backup), "s", "--replace") == 1
    assert restoring.err.endswith("cannot be put back: No space left on device.\n")
    assert restoring.say("s") == ["one", "two", "three"]
