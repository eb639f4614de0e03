"""The thread that makes backups: a complete copy of a session appears, or nothing does.

The history is copied on a read-only connection of its own, the files after it: `known_peers` is
never older than the history that it has the last word about.
"""

import errno
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass

from chatnet_engine.io.private_dir import read_private, sync_dir, write_atomically
from chatnet_engine.io.worker import Worker
from chatnet_engine.ledger.copying import copy_store
from chatnet_engine.ledger.schema import StoreDamaged, open_read_only
from chatnet_engine.node.effects import CopySession, SessionCopied
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import session_files

logger = logging.getLogger(__name__)

BACKUP_NOTE = "backup.part"
"""In the session's folder: the path of a draft, while it is being made."""
PART = ".part"
MAX_NOTE_BYTES = 8192
FLUSH_STEPS = 8
"""Steps of a MiB between flushes: more unwritten data would hold the store's own fsync up."""
STOP_TIMEOUT_S = 2.0
"""For throwing a copy away that is not complete when the engine ends."""


@dataclass(frozen=True, slots=True)
class SessionPaths:
    """What is copied."""

    history: str
    identity: str
    known_peers: str


class BackupMaker:
    """Makes one backup after the other, in a thread that starts with the first."""

    def __init__(self, paths: SessionPaths, ring: Callable[[], None]) -> None:
        self._stopping = threading.Event()
        self._open = lambda: _BackupHandler(paths, self._stopping)
        self._ring = ring
        self._worker: Worker[CopySession, SessionCopied] | None = None

    def ask(self, ask: CopySession) -> None:
        """The node asks for one at a time."""
        if self._worker is None:
            self._worker = Worker("backup", self._open, self._ring)
        self._worker.ask(ask)

    def take_answers(self) -> list[SessionCopied]:
        """At most one."""
        return self._worker.take_answers() if self._worker else []

    def stop(self) -> None:
        """Throw away what is not complete."""
        self._stopping.set()
        if self._worker:
            self._worker.stop(STOP_TIMEOUT_S)


class _Stopped(Exception):
    """The engine ends."""


class _BackupHandler:
    def __init__(self, paths: SessionPaths, stopping: threading.Event) -> None:
        self._paths = paths
        self._stopping = stopping

    def answer(self, ask: CopySession) -> SessionCopied:
        try:
            return self._make(ask)
        except CommandError as error:
            failure = error
        except StoreDamaged as error:
            failure = CommandError(ErrorCode.STORE, str(error))
        except sqlite3.Error as error:
            failure = _explain(ask.folder, error)
        except OSError as error:
            sentence = f"{ask.folder} cannot be written: {error.strerror}."
            failure = CommandError(ErrorCode.FILE, sentence)
        except _Stopped:
            failure = CommandError(ErrorCode.BUSY, "The engine ends; no backup was made.")
        logger.warning("no backup was made: %s", failure.code)
        return SessionCopied(0, 0, failure)

    def _make(self, ask: CopySession) -> SessionCopied:
        target = os.path.realpath(ask.folder)
        _refuse_used(target, ask.folder)
        parent, name = os.path.split(target)
        draft = os.path.join(parent, f".{name}.{os.urandom(8).hex()}{PART}")
        session = os.path.dirname(self._paths.history)
        sweep(session)
        # First the note: a process that is killed leaves no draft that nobody knows of.
        note = os.path.join(session, BACKUP_NOTE)
        write_atomically(note, os.fsencode(draft))
        try:
            os.mkdir(draft, 0o700)
            messages = self._copy_history(os.path.join(draft, session_files.HISTORY))
            if not ask.history_only:
                for path in (self._paths.known_peers, self._paths.identity):
                    _copy_small(path, draft)
            size_bytes = sum(entry.stat().st_size for entry in os.scandir(draft))
            sync_dir(draft)
            try:
                os.rename(draft, target)  # takes the place of an empty folder, and of nothing else
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    _refuse_used(target, ask.folder)
                raise
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            os.unlink(note)
            raise
        sync_dir(parent)
        os.unlink(note)
        logger.info("a backup of %d messages was made", messages)
        return SessionCopied(messages, size_bytes)

    def _copy_history(self, path: str) -> int:
        steps = 0
        # Held open until SQLite has closed the file: closing it would take SQLite's locks away.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)

        def pace() -> None:
            nonlocal steps
            steps += 1
            if self._stopping.is_set():
                raise _Stopped
            if steps % FLUSH_STEPS == 0:
                os.fdatasync(fd)

        try:
            source = open_read_only(self._paths.history)
            try:
                messages = copy_store(source, path, pace)
            finally:
                source.close()
            os.fsync(fd)
        finally:
            os.close(fd)
        return messages

    def close(self) -> None:
        """Nothing is kept open between backups."""


def sweep(session: str) -> None:
    """Remove the draft that a killed engine left; called under the lock of the session."""
    note = os.path.join(session, BACKUP_NOTE)
    try:
        draft = os.fsdecode(read_private(note, MAX_NOTE_BYTES))
        status = os.lstat(draft)
        name = os.path.basename(draft)
        if name.startswith(".") and name.endswith(PART) and status.st_uid == os.geteuid():
            shutil.rmtree(draft)
        os.unlink(note)
    except FileNotFoundError:
        pass  # nothing was left, or on a disk that is not here now
    except (OSError, ValueError) as error:
        logger.warning("what a backup left cannot be removed: %s", error)


def _refuse_used(target: str, folder: str) -> None:
    if not os.path.lexists(target):
        return
    if not os.path.isdir(target):
        raise CommandError(ErrorCode.FILE, f"{folder} is there already and is no folder.")
    if os.listdir(target):
        raise CommandError(ErrorCode.FILE, f"{folder} is not empty; choose another folder.")


def _copy_small(path: str, folder: str) -> None:
    """One of the session's own files, if it is there."""
    try:
        with open(path, "rb") as source:
            data = source.read()
    except FileNotFoundError:
        return
    write_atomically(os.path.join(folder, os.path.basename(path)), data)


def _explain(folder: str, error: sqlite3.Error) -> CommandError:
    name = getattr(error, "sqlite_errorname", "unknown error")
    if name == "SQLITE_FULL":
        return CommandError(ErrorCode.FILE, f"The disk that holds {folder} is full.")
    return CommandError(ErrorCode.STORE, f"The history cannot be copied ({name}).")
