"""Writes what a session's folder says about starting its engine: `start.json` and `ended`."""

import fcntl
import logging
import os
import time
from collections.abc import Sequence

from chatnet_engine.io.private_dir import write_atomically
from chatnet_protocol.ipc.session_files import (
    ENDED_FILE,
    LOCK,
    MAX_ENDED_DETAIL_CHARACTERS,
    START_FILE,
    Ended,
    EndedFile,
    StartFile,
    encode_ended_file,
    encode_start_file,
)

logger = logging.getLogger(__name__)


def write_start_file(folder: str, arguments: Sequence[str], kept_by: str) -> None:
    """For the next start of this engine. The session's lock is held. Raises OSError."""
    value = StartFile(list(arguments), kept_by)
    write_atomically(os.path.join(folder, START_FILE), encode_start_file(value))


def remove_ended(folder: str) -> None:
    """An engine is being started. The session's lock is held. Raises OSError."""
    _remove(os.path.join(folder, ENDED_FILE))


def write_ended(folder: str, code: Ended | str, detail: str) -> None:
    """Say why no engine runs. The session's lock is held.

    When that cannot be written, `start.json` goes instead: on a full disk too, nobody starts an
    engine that its user has stopped.
    """
    value = EndedFile(code, detail[:MAX_ENDED_DETAIL_CHARACTERS], time.time_ns() // 1_000_000)
    try:
        write_atomically(os.path.join(folder, ENDED_FILE), encode_ended_file(value))
    except OSError as error:
        logger.warning("%s cannot be written: %s", ENDED_FILE, error)
        try:
            _remove(os.path.join(folder, START_FILE))
        except OSError as problem:
            logger.warning("%s cannot be removed: %s", START_FILE, problem)


def write_ended_unless_running(folder: str, code: Ended | str, detail: str) -> None:
    """As `write_ended`, from outside of the engine: nothing while an engine holds the lock."""
    try:
        fd = os.open(os.path.join(folder, LOCK), os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return  # the folder is gone, or never had an engine
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        write_ended(folder, code, detail)
    except BlockingIOError:
        pass
    finally:
        os.close(fd)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
