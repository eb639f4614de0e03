"""Finds the sessions on this machine and says which of them run.

A session is a folder below HOME/sessions. It runs when its connection file names a living process;
whether that process answers is found out by attaching.
"""

import contextlib
import os
import time
from collections.abc import Mapping

from msgspec import Struct

from chatnet_client.channel import read_connection_file
from chatnet_client.errors import EngineUnreachable, NoSession, SeveralSessions
from chatnet_protocol.ipc.session_files import (
    CONNECTION_FILE,
    HISTORY,
    IDENTITY,
    KNOWN_PEERS,
    LOCK,
    SESSION_NAME,
    ConnectionFile,
    home_dir,
    session_dir,
)

STARTED_FIELD = 19
"""Of /proc/PID/stat, counted behind the name: when it started, in clock ticks since boot."""
CLOCK_GRACE_S = 5.0
"""Tolerance between a file's time and its writer's start time."""
STATE_FILES = (CONNECTION_FILE, IDENTITY, HISTORY, KNOWN_PEERS)
"""One of them makes a folder a session."""
MAX_SESSIONS = 1000
"""Folders looked at; more are not listed."""


class Session(Struct, frozen=True):
    """A session's folder, and the engine that runs it, if one does."""

    name: str
    folder: str
    engine: ConnectionFile | None

    @property
    def connection_file(self) -> str:
        """Path of the connection file, whether or not it is there."""
        return f"{self.folder}/{CONNECTION_FILE}"


def home(environ: Mapping[str, str]) -> str:
    """The folder of all state: CHATNET_HOME, else the platform's folder for application data."""
    return os.path.abspath(home_dir(environ, "") or _default_home())


def find(environ: Mapping[str, str], name: str) -> Session:
    """The session of that name, whether it runs or not. Raises CommandError for a bad name."""
    folder = session_dir(home(environ), name)
    return Session(name, folder, _running_engine(folder))


def find_all(environ: Mapping[str, str]) -> list[Session]:
    """All sessions by name, at most MAX_SESSIONS.

    A folder that never held a key or a history is none: an engine refused to start there.
    """
    try:
        names = sorted(os.listdir(f"{home(environ)}/sessions"))
    except OSError:
        return []
    folder = f"{home(environ)}/sessions"
    known = [name for name in names if SESSION_NAME.fullmatch(name)]
    begun = [name for name in known if _has_begun(f"{folder}/{name}")]
    return [find(environ, name) for name in begun[:MAX_SESSIONS]]


def choose(environ: Mapping[str, str], name: str | None) -> Session:
    """The running session meant by `--session NAME`, or the only one that runs.

    Raises NoSession, or SeveralSessions when none is named and more than one runs.
    """
    if name is not None:
        session = find(environ, name)
        if session.engine is None:
            raise NoSession(f"Session {name} is not running. Start it with: chatnet engine ...")
        return session
    running = [session for session in find_all(environ) if session.engine is not None]
    if not running:
        raise NoSession(
            "No session is running. Start one with: chatnet LOCAL_PORT PEER_HOST PEER_PORT"
        )
    if len(running) > 1:
        raise SeveralSessions([session.name for session in running])
    return running[0]


def is_alive(pid: int) -> bool:
    """Whether a process of that number exists; one that is not ours counts too."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return not _is_zombie(pid)


def _has_begun(folder: str) -> bool:
    return any(os.path.lexists(f"{folder}/{name}") for name in STATE_FILES)


def _is_zombie(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read(512).rpartition(b")")[2].split()[:1] == [b"Z"]
    except OSError:
        return False


def is_running(connection: ConnectionFile, folder: str) -> bool:
    """Whether the engine that a connection file names lives.

    After a restart of the machine its number may be that of any other process: one that is younger
    than the file and does not have the session's lock open is not it.
    """
    if not is_alive(connection.pid):
        return False
    return not _is_younger(connection.pid, f"{folder}/{CONNECTION_FILE}") or _has_open(
        connection.pid, f"{folder}/{LOCK}"
    )


def _is_younger(pid: int, path: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            started = int(file.read(1024).rpartition(b")")[2].split()[STARTED_FIELD])
        age_s = time.time() - os.stat(path).st_mtime
    except (OSError, IndexError, ValueError):
        return False
    process_age_s = time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    return process_age_s < age_s - CLOCK_GRACE_S


def _has_open(pid: int, path: str) -> bool:
    """True as well when that cannot be seen."""
    try:
        wanted = os.stat(path)
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{name}"), wanted):
                    return True
    except OSError:
        return True
    return False


def _running_engine(folder: str) -> ConnectionFile | None:
    try:
        connection = read_connection_file(f"{folder}/{CONNECTION_FILE}")
    except EngineUnreachable:
        return None
    return connection if is_running(connection, folder) else None


def _default_home() -> str:
    import platformdirs  # not needed where CHATNET_HOME is set

    return platformdirs.user_data_dir("chatnet", appauthor=False)
