"""Starts an engine on behalf of a front end, once, however many front ends want it.

Connect, lock, connect again, spawn, wait: the second process to get the lock finds the engine that
the first one started. The engine is a process group of its own and outlives the process that
started it; the engine's own lock decides in the end, this one only spares a second start.
"""

import fcntl
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from chatnet_client import outage, sessions
from chatnet_client.errors import EngineStartFailed
from chatnet_protocol.ipc.session_files import START_LOCK

ENGINE_COMMAND = (sys.executable, "-P", "-m", "chatnet_engine")
START_TIMEOUT_S = 15.0
POLL_S = 0.02
MAX_ERROR_CHARACTERS = 2000


def ensure_engine(
    environ: Mapping[str, str],
    name: str,
    arguments: Sequence[str],
    *,
    command: Sequence[str] = ENGINE_COMMAND,
    timeout_s: float = START_TIMEOUT_S,
    unasked: bool = False,
) -> tuple[sessions.Session, bool]:
    """(the running session `name`, whether it was started now).

    `arguments` are those of the engine's command line; `-d` is added. `unasked`: no person asked
    for it, so that it is done only where the specification lets a front end do so. Raises
    EngineStartFailed with the engine's own sentence, and CommandError for an impossible name.
    """
    session = sessions.find(environ, name)
    if session.engine is not None:
        return session, False
    _make_folder(session.folder)
    with _start_lock(f"{session.folder}/{START_LOCK}", timeout_s):
        session = sessions.find(environ, name)
        if session.engine is not None:
            return session, False
        if unasked and not outage.may_start_unasked(session.folder):
            raise EngineStartFailed(f"Session {name} is not to be started now.", 0)
        problem = _spawn([*command, *arguments, "-d"], environ, timeout_s)
        until = time.monotonic() + (0.0 if problem else timeout_s)
        while (session := sessions.find(environ, name)).engine is None:
            if problem:
                raise problem
            if time.monotonic() >= until:
                raise EngineStartFailed(f"The engine of session {name} did not come up.", 1)
            time.sleep(POLL_S)
    return session, problem is None


def start_again(
    environ: Mapping[str, str],
    folder: str,
    *,
    unasked: bool,
    command: Sequence[str] = ENGINE_COMMAND,
) -> None:
    """Start the engine of a session as it was started last, and wait until it serves.

    Raises EngineStartFailed.
    """
    start = outage.read_start_file(folder)
    if start is None or not outage.is_session_folder(folder):
        raise EngineStartFailed(
            "It is not known how this engine was started. Use: chatnet engine LOCAL_PORT", 1
        )
    home = os.path.dirname(os.path.dirname(folder))
    ensure_engine(
        {**environ, "CHATNET_HOME": home},
        os.path.basename(folder),
        start.arguments,
        command=command,
        unasked=unasked,
    )


def _spawn(
    command: Sequence[str], environ: Mapping[str, str], timeout_s: float
) -> EngineStartFailed | None:
    import subprocess  # 2 ms that a front end of a running engine need not wait for

    # A file, not a pipe: the engine in the background may keep it open as long as it likes.
    with open(os.memfd_create("errors"), "w+b") as errors:
        try:
            result = subprocess.run(  # noqa: S603 - the engine, by our own interpreter
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=dict(environ),
                start_new_session=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return EngineStartFailed("The engine did not come up in time.", 1)
        except OSError as error:
            return EngineStartFailed(f"The engine cannot be started: {error.strerror}.", 1)
        if result.returncode == 0:
            return None
        errors.seek(0)
        text = errors.read().decode("utf-8", "replace").strip()[-MAX_ERROR_CHARACTERS:]
    last = text.splitlines()[-1] if text else "The engine ended without a message; see its log."
    return EngineStartFailed(last.removeprefix("chatnet: "), result.returncode)


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise EngineStartFailed(f"{folder} cannot be made: {error.strerror}.", 1) from None


@contextmanager
def _start_lock(path: str, timeout_s: float) -> Iterator[None]:
    until = time.monotonic() + timeout_s
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise EngineStartFailed(f"{path} cannot be opened: {error.strerror}.", 1) from None
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise EngineStartFailed("Another front end starts this engine.", 1) from None
                time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)
