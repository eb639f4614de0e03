"""A session's folder on disk: its lock, identity, connection file, log and inbox.

The lock is taken before anything else is touched. It is a flock, so it ends with the process that
holds it, however that process ends; the text in the file only tells people who it is.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Mapping

from chatnet_engine.io.history_file import LedgerFile
from chatnet_engine.io.private_dir import make_private_dir, write_atomically
from chatnet_engine.node.known_peers import (
    MAX_KNOWN_PEERS_BYTES,
    KnownPeers,
    parse_known_peers,
)
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc import session_files
from chatnet_protocol.ipc.session_files import ConnectionFile, encode_connection_file

logger = logging.getLogger(__name__)

IDENTITY_BYTES = 32


class SessionFolder:
    """The folder at `path`, locked until `close`. Raises CommandError, busy when it is in use."""

    def __init__(self, path: str, name: str) -> None:
        self.name = name
        self.path = path
        make_private_dir(os.path.dirname(path))
        make_private_dir(path)
        self._lock_fd = _lock(self._file(session_files.LOCK), name)
        # What a killed engine left must not send anybody to its sockets.
        self.remove_connection_file()

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

    def open_ledger(self) -> LedgerFile:
        """The one writing connection to the history."""
        return LedgerFile(self.history_path, self.known_peers_path)

    @property
    def log_path(self) -> str:
        """The engine's log."""
        return self._file(session_files.LOG)

    @property
    def inbox_path(self) -> str:
        """The session's own folder for received files."""
        return self._file(session_files.INBOX)

    def load_identity(self, random: Callable[[int], bytes]) -> bytes:
        """The private key, made at the first start. Raises CommandError for a damaged one.

        A damaged key is never replaced: peers would meet a stranger.
        """
        path = self.identity_path
        try:
            private_key = _read_private(path, IDENTITY_BYTES + 1)
        except FileNotFoundError:
            private_key = random(IDENTITY_BYTES)
            write_atomically(path, private_key)
        except OSError as error:
            raise CommandError(
                ErrorCode.FILE, f"The identity key {path} cannot be read: {error.strerror}."
            ) from None
        if len(private_key) != IDENTITY_BYTES:
            raise CommandError(
                ErrorCode.FILE,
                f"The identity key {path} is damaged; put back a copy of it, or remove it to "
                "become somebody new.",
            )
        return private_key

    def load_known_peers(self) -> KnownPeers:
        """The keys that are trusted. Raises CommandError for a damaged file.

        That is never taken for an empty one: then everybody's next key would be trusted.
        """
        path = self.known_peers_path
        try:
            data = _read_private(path, MAX_KNOWN_PEERS_BYTES + 1)
        except FileNotFoundError:
            return KnownPeers()
        except OSError as error:
            raise CommandError(
                ErrorCode.FILE, f"{path} cannot be read: {error.strerror}."
            ) from None
        try:
            return KnownPeers(parse_known_peers(data))
        except DecodeError as error:
            raise CommandError(
                ErrorCode.FILE,
                f"{path} is damaged: {error}. It says which keys are trusted; mend that, or put "
                "back a copy.",
            ) from None

    def write_connection_file(self, value: ConnectionFile) -> None:
        """After both sockets are bound: front ends may come."""
        write_atomically(self._file(session_files.CONNECTION_FILE), encode_connection_file(value))

    def remove_connection_file(self) -> None:
        """Before the sockets are closed."""
        try:
            os.unlink(self._file(session_files.CONNECTION_FILE))
        except FileNotFoundError:
            pass

    def close(self) -> None:
        """Let go of the lock."""
        os.close(self._lock_fd)

    def _file(self, name: str) -> str:
        return os.path.join(self.path, name)


def _read_private(path: str, size: int) -> bytes:
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            logger.warning("others could get at %s; closing it to them", path)
            os.fchmod(file.fileno(), 0o600)
        return file.read(size)


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
            os.makedirs(inbox, mode=0o700, exist_ok=True)
        except OSError as error:
            logger.warning("%s cannot be used: %s", inbox, error)
        else:
            if os.access(inbox, os.W_OK | os.X_OK):
                return inbox
    make_private_dir(folder.inbox_path)
    return folder.inbox_path


def _lock(path: str, name: str) -> int:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd
