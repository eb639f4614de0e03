"""Finds out why no engine serves a session, and what may be done about it.

Looks at the session's folder only; see section 5.1 of the specification.
"""

import fcntl
import os
import shlex

from chatnet_client.channel import open_at_once, read_connection_file
from chatnet_client.client_events import Cause, Outage
from chatnet_client.errors import EngineUnreachable
from chatnet_client.sessions import is_running
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.session_files import (
    CONNECTION_FILE,
    ENDED_FILE,
    MAX_ENDED_FILE_BYTES,
    MAX_START_FILE_BYTES,
    SESSION_NAME,
    START_FILE,
    SUPERVISOR_LOCK,
    Ended,
    EndedFile,
    StartFile,
    decode_ended_file,
    decode_start_file,
)


def look(folder: str) -> Outage:
    """What the session's folder says now."""
    start = read_start_file(folder)
    command = start_command(start) if start else ""
    try:
        connection = read_connection_file(f"{folder}/{CONNECTION_FILE}")
    except EngineUnreachable:
        connection = None
    if connection is not None and is_running(connection, folder):
        return Outage(Cause.SILENT, command=command)
    ended = read_ended_file(folder)
    if ended is not None:
        known = ended.code in set(Ended)
        cause = Cause(ended.code) if known else Cause.STOPPED
        return Outage(cause, ended.detail, command)
    if is_supervised(folder):
        return Outage(Cause.RESTARTING, command=command)
    return Outage(Cause.ABSENT, start.kept_by if start else "", command)


def may_start_unasked(folder: str) -> bool:
    """Whether a front end of a person may start the engine without being asked to."""
    start = read_start_file(folder)
    return start is not None and not start.kept_by and look(folder).cause == Cause.ABSENT


def is_supervised(folder: str) -> bool:
    """Whether a supervisor lives, which starts the engine again."""
    try:
        descriptor = os.open(f"{folder}/{SUPERVISOR_LOCK}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def supervisor_of(folder: str) -> int:
    """The process number of the supervisor that lives, else 0."""
    if not is_supervised(folder):
        return 0
    text = _read(f"{folder}/{SUPERVISOR_LOCK}", 16) or b""
    return int(text) if text.strip().isdigit() else 0


def read_start_file(folder: str) -> StartFile | None:
    """None when it is missing, unreadable or damaged."""
    data = _read(f"{folder}/{START_FILE}", MAX_START_FILE_BYTES + 1)
    try:
        return decode_start_file(data) if data is not None else None
    except DecodeError:
        return None


def read_ended_file(folder: str) -> EndedFile | None:
    """None when it is missing. A damaged one says that somebody stopped the engine."""
    data = _read(f"{folder}/{ENDED_FILE}", MAX_ENDED_FILE_BYTES + 1)
    try:
        return decode_ended_file(data) if data is not None else None
    except DecodeError as error:
        return EndedFile(Ended.STOPPED, error.reason)


def start_command(start: StartFile) -> str:
    """What a person types to start it."""
    return shlex.join(["chatnet", "engine", *start.arguments, "-d"])


def is_session_folder(folder: str) -> bool:
    """Whether it is HOME/sessions/NAME; elsewhere a connection file starts nothing."""
    above, name = os.path.split(folder)
    return bool(SESSION_NAME.fullmatch(name)) and os.path.basename(above) == "sessions"


def _read(path: str, size: int) -> bytes | None:
    try:
        with open(path, "rb", opener=open_at_once) as file:
            return file.read(size)
    except OSError:
        return None
