"""A session's folder on disk: its lock, identity, connection file, log and inbox.

The lock is taken before anything else is touched. It is a flock, so it ends with the process that
holds it, however that process ends; the text in the file only tells people who it is.
"""

import contextlib
import fcntl
import logging
import os
import sqlite3
from collections.abc import Callable, Collection, Mapping

from chatnet_engine.io import state_change
from chatnet_engine.io.history_file import LedgerFile
from chatnet_engine.io.private_dir import (
    make_dirs,
    make_private_dir,
    open_regular,
    write_atomically,
)
from chatnet_engine.io.session_state import open_state
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import session_files
from chatnet_protocol.ipc.session_files import ConnectionFile, encode_connection_file

logger = logging.getLogger(__name__)

UNUSED = frozenset(
    {
        session_files.LOCK,
        session_files.START_LOCK,
        session_files.SUPERVISOR_LOCK,
        session_files.ENDED_FILE,
    }
)
"""What a folder holds in which no engine ever ran."""


class SessionFolder:
    """The folder at `path`, locked until `close`. Raises CommandError, busy when it is in use."""

    def __init__(self, path: str, name: str) -> None:
        self.name = name
        self.path = path
        self._own_key = b""
        _make_folders(path)
        self._lock_fd = _lock(self._file(session_files.LOCK), name)
        try:
            # What a killed engine left must not send anybody to its sockets.
            self.remove_connection_file()
        except CommandError:
            self.close()
            raise

    @property
    def history_path(self) -> str:
        """The database."""
        return self._file(session_files.HISTORY)

    @property
    def identity_path(self) -> str:
        """The private key."""
        return self._file(session_files.IDENTITY)

    @property
    def known_peers_path(self) -> str:
        """The keys that are trusted."""
        return self._file(session_files.KNOWN_PEERS)

    def finish_change(self) -> None:
        """Complete a change of state files that was cut. Raises CommandError."""
        try:
            state_change.finish(self.path)
        except (OSError, sqlite3.Error) as error:
            raise CommandError(
                ErrorCode.FILE, f"A change of {self.path} cannot be completed: {error}."
            ) from None

    def open_state(
        self, random: Callable[[int], bytes], ways: Collection[str] = ()
    ) -> tuple[bytes, KnownPeers]:
        """See `open_state` of the module of that name."""
        self.finish_change()
        private_key, known = open_state(self.path, random, ways)
        self._own_key = Identity.from_private_bytes(private_key).public
        return private_key, known

    def open_ledger(self) -> LedgerFile:
        """The one writing connection to the history; after `open_state`, which has checked it."""
        return LedgerFile(self.history_path, self.known_peers_path, self._own_key, checked=True)

    @property
    def log_path(self) -> str:
        """The engine's log."""
        return self._file(session_files.LOG)

    @property
    def inbox_path(self) -> str:
        """The session's own folder for received files."""
        return self._file(session_files.INBOX)

    @property
    def listings_path(self) -> str:
        """For the lists of own offers with many files."""
        return self._file(session_files.LISTINGS)

    def write_connection_file(self, value: ConnectionFile) -> None:
        """After both sockets are bound: front ends may come."""
        write_atomically(self._file(session_files.CONNECTION_FILE), encode_connection_file(value))

    def remove_connection_file(self) -> None:
        """Before the sockets are closed. Raises CommandError where it is no file."""
        path = self._file(session_files.CONNECTION_FILE)
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise CommandError(
                ErrorCode.FILE, f"{path} cannot be removed: {error.strerror}."
            ) from None

    def remove_if_unused(self) -> bool:
        """Leave no folder behind in which nothing was made; whether that was so.

        The lock is still held, and goes last: who opened it meanwhile sees that it is gone.
        """
        if not set(os.listdir(self.path)) <= UNUSED:
            return False
        for name in (*(UNUSED - {session_files.LOCK}), session_files.LOCK):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._file(name))
        with contextlib.suppress(OSError):
            os.rmdir(self.path)
        return True

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._lock_fd)

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)


def _make_folders(path: str) -> None:
    sessions = os.path.dirname(path)
    try:
        make_dirs(os.path.dirname(sessions))
    except OSError as error:
        raise CommandError(
            ErrorCode.FILE, f"{sessions} cannot be made: {error.strerror}."
        ) from None
    make_private_dir(sessions)
    make_private_dir(path)


def default_home(environ: Mapping[str, str]) -> str:
    """Where all sessions live: CHATNET_HOME, or the platform's folder for application data."""
    home = session_files.home_dir(environ, "")
    if not home:
        import platformdirs

        home = platformdirs.user_data_dir("chatnet")
    return os.path.abspath(home)


def choose_inbox(folder: SessionFolder, user_home: str) -> str:
    """Where received files land: ~/Downloads/ChatNet where there is a ~/Downloads.

    Made if need be; when that does not work, the session's own inbox.
    """
    downloads = os.path.join(user_home, "Downloads")
    if os.path.isdir(downloads):
        inbox = os.path.join(downloads, "ChatNet")
        try:
            make_dirs(inbox)
        except OSError as error:
            logger.warning("the folder for downloads cannot be used: %s", error)
        else:
            if os.access(inbox, os.W_OK | os.X_OK):
                return inbox
    make_private_dir(folder.inbox_path)
    return folder.inbox_path


def _lock(path: str, name: str) -> int:
    """The lock file, locked; made anew where a refused start has removed it with its folder."""
    while True:
        fd = _lock_once(path, name)
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(fd), os.stat(path)):
                os.ftruncate(fd, 0)
                os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
                return fd
        os.close(fd)
        _make_folders(os.path.dirname(path))


def _lock_once(path: str, name: str) -> int:
    try:
        fd = open_regular(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise CommandError(ErrorCode.FILE, f"{path} cannot be opened: {error.strerror}.") from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.read(fd, 16).decode("ascii", "replace").strip()
        os.close(fd)
        if not isinstance(error, BlockingIOError):
            raise CommandError(
                ErrorCode.FILE, f"{path} cannot be locked: {error.strerror}."
            ) from None
        pid = f" (process {owner})" if owner.isdigit() else ""
        raise CommandError(ErrorCode.BUSY, f"Session {name} is running already{pid}.") from None
    return fd
