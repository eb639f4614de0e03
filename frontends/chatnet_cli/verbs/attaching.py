"""The three-argument usage, `engine`, and `attach`: getting a front end in front of an engine."""

import argparse
import sys
from importlib import metadata
from importlib.util import find_spec
from typing import NoReturn

from chatnet_cli.environment import Environment, ExitStatus, UsageError
from chatnet_cli.verbs import invites
from chatnet_client import sessions
from chatnet_client.client import Client
from chatnet_client.errors import NoSession
from chatnet_client.front_end import OR_TERMINAL
from chatnet_client.launch import ENGINE_COMMAND, ensure_engine, start_again
from chatnet_client.outage import may_start_unasked
from chatnet_protocol.ipc.commands import AddPeer, PeerAdded
from chatnet_protocol.ipc.session_files import session_dir

GROUP = "chatnet.frontends"
NO_PYQT = (
    "The window needs PyQt5, which is not installed (on Debian and Ubuntu: apt-get install "
    "python3-pyqt5); the terminal is used instead."
)
BUILT_IN = {"cli": "chatnet_cli.chat:main", "qt": "chatnet_qt.app:main"}
"""What the installed entry points say too; here for a checkout that nobody installed."""


def start(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Start this session's engine if none runs, know the peer, attach the best front end."""
    for port in (options.local_port, options.peer_port):
        if not 1 <= port <= 65535:
            raise UsageError(f"{port} is not a valid UDP port (1 to 65535).")
    front_end = options.front_end or best_front_end(env)
    check_front_end(front_end)
    name = options.session or str(options.local_port)
    session_dir("", name)
    code = invites.read_code(env, options)
    arguments = [str(options.local_port)]
    if not code:
        arguments += [options.peer_host, str(options.peer_port)]
    arguments += ["--session", name]
    for option in ("name", "bind", "impair", "limit"):
        value = getattr(options, option)
        if value:
            arguments.append(f"--{option}={value}")
    session, started = ensure_engine(env.environ, name, arguments)
    if started:
        env.say(f"Session {name} is running; it keeps running when the front end closes.")
        env.say(f"It ends with: chatnet stop --session {name}")
    peer = _know_peer(session, options.peer_host, options.peer_port, code)
    arguments = ["--peer", str(peer)]
    if not options.front_end:
        arguments += or_terminal(front_end)
    return run_front_end(env, front_end, session, arguments)


def attach(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Attach a front end to a running session, or to one that it may start."""
    session = _running(env, options.session)
    front_end = options.front_end or best_front_end(env)
    arguments = list(options.arguments)
    if not options.front_end:
        arguments = [*or_terminal(front_end), *arguments]
    if options.peer is not None:
        arguments = ["--peer", options.peer, *arguments]
    return run_front_end(env, front_end, session, arguments)


def _running(env: Environment, name: str | None) -> sessions.Session:
    """The session that is meant. One whose engine is gone without anybody having ended it (after a
    restart of the machine) is started again."""
    try:
        return sessions.choose(env.environ, name)
    except NoSession:
        known = [one for one in sessions.find_all(env.environ) if name in (None, one.name)]
        gone = [one for one in known if may_start_unasked(one.folder)]
        if len(gone) != 1:
            raise
    start_again(env.environ, gone[0].folder, unasked=True)
    return sessions.choose(env.environ, gone[0].name)


def engine(env: Environment, arguments: list[str]) -> NoReturn:
    """Become the engine."""
    env.replace_process([*ENGINE_COMMAND, *arguments], env.environ)


def best_front_end(env: Environment) -> str:
    """The window where there is a screen and Qt, else the terminal; says so if only Qt lacks."""
    if not (env.environ.get("WAYLAND_DISPLAY") or env.environ.get("DISPLAY")):
        return "cli"
    if find_spec("PyQt5") and find_spec("chatnet_qt"):
        return "qt"
    env.say(NO_PYQT)
    return "cli"


def or_terminal(front_end: str) -> list[str]:
    """Nobody asked for the window by name: where it cannot open, the terminal does instead."""
    return [OR_TERMINAL] if front_end == "qt" else []


def front_ends() -> dict[str, str]:
    """Every front end that is installed: name and `module:function`."""
    installed = {point.name: point.value for point in metadata.entry_points(group=GROUP)}
    return BUILT_IN | installed


def check_front_end(name: str) -> str:
    """Its `module:function`. Raises UsageError for a name that is not installed."""
    known = front_ends()
    if name not in known:
        raise UsageError(f"There is no front end {name!r}. Installed: {', '.join(sorted(known))}.")
    return known[name]


def run_front_end(
    env: Environment, name: str, session: sessions.Session, arguments: list[str]
) -> ExitStatus:
    """Run a front end as this process; the terminal chat without starting Python again."""
    target = check_front_end(name)
    if target != BUILT_IN["cli"]:
        command = [sys.executable, "-P", "-m", "chatnet_cli.run_frontend", target]
        env.replace_process([*command, session.connection_file, *arguments], env.environ)
    from chatnet_cli import chat

    return chat.run(env, arguments, session.connection_file)


def _know_peer(session: sessions.Session, host: str, port: int, code: str) -> int:
    """The number of that peer; with a code, nobody else was let in before it is known."""
    with Client.attach(session.connection_file, name="chatnet") as client:
        for peer in client.view.peers:
            if (peer.info.host, peer.info.port) == (host, port) and not code:
                return peer.info.peer
        return client.ask(AddPeer(host, port, "", code), PeerAdded).peer
