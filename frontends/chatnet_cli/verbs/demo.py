"""`demo`: two engines on this machine with a bad line between them, and a window for each.

Without a display a scripted conversation runs instead, both sides shown as they happen. All state
lies in a temporary folder; nothing is left behind.
"""

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_cli.verbs.attaching import best_front_end
from chatnet_cli.verbs.demo_script import play
from chatnet_client.asking import ask_to_stop
from chatnet_client.client import Client
from chatnet_client.errors import ClientError
from chatnet_client.launch import ensure_engine
from chatnet_client.outage import supervisor_of
from chatnet_client.sessions import Session, find
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.commands import AddPeer

NAMES = ("alice", "bob")
HOST = "127.0.0.1"
ASK_TIMEOUT_S = 5.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.05
ENDS = (signal.SIGINT, signal.SIGTERM)


def demo(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Run the demonstration; ends when both windows are closed, or the script is over."""
    seed = options.seed if options.seed is not None else secrets.randbelow(10_000)
    env.say(f"Two engines on this machine; the line between them: loss {options.loss}, delay")
    env.say(f"{options.delay} each way, seed {seed} (the same again: --seed {seed}).")
    signal.signal(signal.SIGTERM, _end)
    with _temporary_folder() as home, _two_sessions(env, home, options, seed) as (alice, bob):
        if not options.script and best_front_end(env) == "qt":
            open_windows(env, home, (alice, bob))
        else:
            play(env, alice.connection_file, bob.connection_file, Path(home))
    if os.path.exists(home):
        env.say(f"The demo is over. Not everything could be removed: rm -r {home}")
    else:
        env.say("The demo is over; nothing is left behind.")
    return ExitStatus.DONE


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def held_back() -> Iterator[None]:
    """What runs inside is done whole: Ctrl+C and SIGTERM interrupt when it is over.

    A process that has been started and is in no list yet would never be ended.
    """
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, _frame: came.append(number)) for one in ENDS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    if came:
        raise KeyboardInterrupt


@contextmanager
def _temporary_folder() -> Iterator[str]:
    home = ""
    try:
        with held_back():
            home = tempfile.mkdtemp(prefix="chatnet-demo-")
        yield home
    finally:
        with held_back():
            shutil.rmtree(home, ignore_errors=True)


def _environ(env: Environment, home: str) -> dict[str, str]:
    """State and received files of the demo's engines stay below `home`."""
    return {**env.environ, "CHATNET_HOME": home, "HOME": home}


@contextmanager
def _two_sessions(
    env: Environment, home: str, options: argparse.Namespace, seed: int
) -> Iterator[tuple[Session, Session]]:
    environ = _environ(env, home)
    sessions: list[Session] = []
    try:
        for number, name in enumerate(NAMES):
            impair = f"loss={options.loss},delay={options.delay},seed={seed + number}"
            # Both on any free port, so the second one gets the first one's address.
            arguments = ["0", "--session", name, "--name", name, "--bind", HOST]
            arguments += ["--impair", impair]
            if sessions and sessions[0].engine:
                arguments[1:1] = [HOST, str(sessions[0].engine.port)]
            sessions.append(ensure_engine(environ, name, arguments)[0])
        alice, bob = sessions
        assert bob.engine
        with Client.attach(alice.connection_file, name="demo") as client:
            client.request(AddPeer(HOST, bob.engine.port, "bob"))
        with Client.attach(bob.connection_file, name="demo") as client:
            assert alice.engine
            client.request(AddPeer(HOST, alice.engine.port, "alice"))
        yield alice, bob
    finally:
        with held_back():
            _end_all(environ)


def _end_all(environ: Mapping[str, str]) -> None:
    """End every engine below the demo's home, one that is still starting too, and wait until
    engines and supervisors have ended: they write into their folders until then."""
    until = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < until:
        if sum(_is_ending(find(environ, name)) for name in NAMES) == 0:
            return
        time.sleep(POLL_S)


def _is_ending(session: Session) -> bool:
    """Ask what still runs of a session to end. False when nothing does."""
    supervisor = supervisor_of(session.folder)
    if session.engine is not None:
        with suppress(ClientError, CommandError):
            ask_to_stop(session.connection_file, "the demo is over", ASK_TIMEOUT_S)
    elif supervisor:
        with suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)
    return session.engine is not None or supervisor != 0


def open_windows(env: Environment, home: str, sessions: Sequence[Session]) -> None:
    """A window for each session; returns when all have been closed, and closes them when
    interrupted. Raises Failure when one cannot be opened."""
    env.say("Close both windows to end the demo.")
    command = [sys.executable, "-P", "-m", "chatnet_cli", "attach", "qt", "--session"]
    environ = {**env.environ, "CHATNET_HOME": home}
    windows: list[subprocess.Popen[bytes]] = []
    try:
        with held_back():
            for session in sessions:
                arguments = [*command, session.name]
                windows.append(
                    subprocess.Popen(arguments, env=environ, stdin=subprocess.DEVNULL)  # noqa: S603 - ourselves
                )
        codes = [window.wait() for window in windows]
    finally:
        with held_back():
            _close(windows)
    if any(codes):
        raise Failure("A window could not be opened; try: chatnet demo --script")


def _close(windows: Sequence[subprocess.Popen[bytes]]) -> None:
    for window in windows:
        window.terminate()
    until = time.monotonic() + STOP_TIMEOUT_S
    for window in windows:
        try:
            window.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            window.kill()
            window.wait()
