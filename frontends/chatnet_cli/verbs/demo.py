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
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_cli.verbs.attaching import best_front_end
from chatnet_cli.verbs.demo_script import play
from chatnet_client.client import Client
from chatnet_client.errors import ClientError
from chatnet_client.launch import ensure_engine
from chatnet_client.sessions import Session
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.commands import AddPeer, StopEngine

NAMES = ("alice", "bob")
HOST = "127.0.0.1"
STOP_TIMEOUT_S = 5.0


def demo(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Run the demonstration; ends when both windows are closed, or the script is over."""
    seed = options.seed if options.seed is not None else secrets.randbelow(10_000)
    env.say(f"Two engines on this machine; the line between them: loss {options.loss}, delay")
    env.say(f"{options.delay} each way, seed {seed} (the same again: --seed {seed}).")
    signal.signal(signal.SIGTERM, _end)
    home = tempfile.mkdtemp(prefix="chatnet-demo-")
    try:
        with _two_sessions(env, home, options, seed) as (alice, bob):
            if not options.script and best_front_end(env) == "qt":
                _windows(env, home, (alice, bob))
            else:
                play(env, alice.connection_file, bob.connection_file, Path(home))
    finally:
        shutil.rmtree(home, ignore_errors=True)
    env.say("The demo is over; nothing is left behind.")
    return ExitStatus.DONE


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


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
            # Both on any free port, so the second one can be told where the first one is.
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
        for session in sessions:
            _stop(session)


def _stop(session: Session) -> None:
    assert session.engine
    with suppress(ClientError, CommandError):
        with Client.attach(session.connection_file, name="demo") as client:
            client.request(StopEngine("the demo is over"), STOP_TIMEOUT_S)
            client.wait_until(lambda: bool(client.view.stopping), STOP_TIMEOUT_S)
        return
    with suppress(OSError):
        os.kill(session.engine.pid, signal.SIGTERM)


def _windows(env: Environment, home: str, sessions: tuple[Session, Session]) -> None:
    env.say("Close both windows to end the demo.")
    command = [sys.executable, "-P", "-m", "chatnet_cli", "attach", "qt", "--session"]
    environ = {**env.environ, "CHATNET_HOME": home}
    windows = [
        subprocess.Popen([*command, session.name], env=environ, stdin=subprocess.DEVNULL)  # noqa: S603 - ourselves
        for session in sessions
    ]
    try:
        codes = [window.wait() for window in windows]
    finally:
        for window in windows:
            if window.poll() is None:
                window.terminate()
                window.wait()
    if any(codes):
        raise Failure("A window could not be opened; try: chatnet demo --script")
