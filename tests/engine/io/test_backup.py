"""A backup appears complete, private and on disk, or not at all."""

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatnet_engine.io import backup as backup_module
from chatnet_engine.io.backup import BackupMaker, SessionPaths
from chatnet_engine.ledger.schema import open_file
from chatnet_engine.node.effects import CopySession, SessionCopied
from chatnet_protocol.errors import ErrorCode
from simworld.ledger_harness import LedgerHarness, texts


class Session:
    """A session's folder with a writer at work, and its maker of backups."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "session"
        self.folder.mkdir()
        self.parent = root / "kept"
        self.parent.mkdir()
        (self.folder / "identity.key").write_bytes(b"k" * 32)
        (self.folder / "known_peers").write_bytes(b"# bob\n")
        self.harness = LedgerHarness(open_file(str(self.folder / "history.db")))
        self.harness.add_peer()
        self.harness.queue(1, texts(*range(5)))
        self.wakeup = threading.Semaphore(0)
        paths = SessionPaths(
            *(str(self.folder / n) for n in ("history.db", "identity.key", "known_peers"))
        )
        self.maker = BackupMaker(paths, self.wakeup.release)

    def make(self, folder: Path, *, history_only: bool = False) -> SessionCopied:
        self.maker.ask(CopySession(str(folder), history_only))
        assert self.wakeup.acquire(timeout=60)
        [answer] = self.maker.take_answers()
        return answer

    def left(self) -> list[str]:
        return sorted(os.listdir(self.parent))


@pytest.fixture
def session(own_home: Path) -> Iterator[Session]:
    session = Session(own_home)
    yield session
    session.maker.stop()
    session.harness.connection.close()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def refused(answer: SessionCopied, code: ErrorCode, words: str) -> None:
    assert answer.error is not None
    assert answer.error.code == code
    assert words in answer.error.detail
    assert answer.error.detail.endswith(".")


def test_everything_is_there_and_nobody_else_may_read_it(session: Session) -> None:
    target = session.parent / "today"
    made = session.make(target)
    assert (made.error, made.messages) == (None, 5)
    names = {"history.db", "identity.key", "known_peers"}
    assert {path.name for path in target.iterdir()} == names
    assert made.size_bytes == sum(path.stat().st_size for path in target.iterdir())
    assert mode(target) == 0o700
    assert {mode(path) for path in target.iterdir()} == {0o600}
    assert (target / "identity.key").read_bytes() == b"k" * 32
    assert (target / "known_peers").read_bytes() == b"# bob\n"
    assert session.left() == ["today"]


def test_without_keys_and_without_known_peers(session: Session) -> None:
    (session.folder / "known_peers").unlink()
    assert session.make(session.parent / "a").error is None
    assert sorted(os.listdir(session.parent / "a")) == ["history.db", "identity.key"]
    assert session.make(session.parent / "b", history_only=True).error is None
    assert os.listdir(session.parent / "b") == ["history.db"]


def test_an_empty_folder_is_taken_and_a_used_one_is_not(session: Session) -> None:
    target = session.parent / "today"
    target.mkdir(mode=0o755)
    assert session.make(target).error is None
    assert mode(target) == 0o700
    before = (target / "history.db").read_bytes()
    session.harness.queue(1, texts(77))
    refused(session.make(target), ErrorCode.FILE, "is not empty")
    assert (target / "history.db").read_bytes() == before
    refused(session.make(target / "history.db"), ErrorCode.FILE, "is no folder")
    refused(session.make(session.parent / "no" / "such"), ErrorCode.FILE, "No such file")
    assert session.left() == ["today"]


def test_a_folder_that_is_filled_meanwhile_is_not_replaced(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = session.parent / "today"

    def fill(path: str) -> None:
        target.mkdir(exist_ok=True)
        (target / "mine").touch()

    monkeypatch.setattr(backup_module, "sync_dir", fill)
    refused(session.make(target), ErrorCode.FILE, "is not empty")
    assert os.listdir(target) == ["mine"]
    assert session.left() == ["today"]


def test_what_a_killed_engine_left_is_swept_at_its_next_start_or_backup(session: Session) -> None:
    note = session.folder / "backup.part"
    for sweep in (
        lambda: backup_module.sweep(str(session.folder)),
        lambda: session.make(session.parent / "today"),
    ):
        draft = session.parent / ".today.0011223344556677.part"
        draft.mkdir()
        (draft / "history.db").touch()
        note.write_text(str(draft))
        sweep()
        assert not draft.exists()
        assert not note.exists()


def test_a_sweep_removes_nothing_else(session: Session) -> None:
    note = session.folder / "backup.part"
    mine = session.parent / "mine"
    mine.mkdir()
    link = session.parent / ".link.part"
    link.symlink_to(mine)
    for named in (mine, link, session.parent / ".not there.part", session.parent / "\0"):
        note.write_text(str(named))
        backup_module.sweep(str(session.folder))
    assert mine.is_dir()
    note.unlink(missing_ok=True)
    note.mkdir()
    backup_module.sweep(str(session.folder))


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (OSError(28, "No space left on device"), ErrorCode.FILE, "No space left on device"),
        ("SQLITE_FULL", ErrorCode.FILE, "is full"),
        ("SQLITE_IOERR_READ", ErrorCode.STORE, "(SQLITE_IOERR_READ)"),
    ],
)
def test_a_disk_in_trouble_leaves_nothing_behind(
    session: Session, monkeypatch: pytest.MonkeyPatch, error: object, code: ErrorCode, words: str
) -> None:
    def trouble(source: sqlite3.Connection, path: str, on_step: Callable[[], object]) -> int:
        if isinstance(error, OSError):
            raise error
        failed = sqlite3.OperationalError("trouble")
        failed.sqlite_errorname = str(error)
        raise failed

    with monkeypatch.context() as patch:
        patch.setattr(backup_module, "copy_store", trouble)
        refused(session.make(session.parent / "today"), code, words)
    assert session.left() == []
    assert session.make(session.parent / "today").error is None


def test_a_copy_that_is_not_complete_at_the_end_is_thrown_away(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    half_way = threading.Event()
    stopped = threading.Event()

    def slow(source: sqlite3.Connection, path: str, on_step: Callable[[], object]) -> int:
        half_way.set()
        assert stopped.wait(5)
        on_step()
        return 1

    monkeypatch.setattr(backup_module, "copy_store", slow)
    session.maker.ask(CopySession(str(session.parent / "today"), False))
    assert half_way.wait(5)
    threading.Timer(0.01, stopped.set).start()
    session.maker.stop()
    [answer] = session.maker.take_answers()
    refused(answer, ErrorCode.BUSY, "engine ends")
    assert session.left() == []


def test_unwritten_data_is_bounded(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    flushes: list[int] = []
    monkeypatch.setattr(os, "fdatasync", flushes.append)

    def long_one(source: sqlite3.Connection, path: str, on_step: Callable[[], object]) -> int:
        for _ in range(3 * backup_module.FLUSH_STEPS):
            on_step()
        return 1

    monkeypatch.setattr(backup_module, "copy_store", long_one)
    assert session.make(session.parent / "today").error is None
    assert len(flushes) == 3
