"""`doctor`: what can be checked from here when two people do not find each other."""

import argparse
import os
import platform
import socket
import stat
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec

from chatnet_cli import render
from chatnet_cli.environment import Environment, ExitStatus
from chatnet_cli.verbs.session import answers
from chatnet_client import sessions
from chatnet_client.asking import ask_status
from chatnet_client.channel import read_connection_file
from chatnet_client.errors import EngineUnreachable
from chatnet_protocol.ipc.rows import LinkState, PeerRow
from chatnet_protocol.ipc.session_files import HISTORY, IDENTITY, KNOWN_PEERS, LOG
from chatnet_protocol.version import IPC_VERSION, PRODUCT_VERSION, WIRE_VERSION

PACKAGES = ("pyzmq", "msgpack", "msgspec", "cryptography", "blake3", "prompt_toolkit", "PyQt5")
Check = tuple[bool | None, str]
"""Whether it is as it should be; None: neither good nor bad, worth knowing."""
MARKS = {True: "ok ", False: "BAD", None: "-- "}


def doctor(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Print one line for each check; FAILED if one of them is bad."""
    bad = False
    for good, text in _checks(env):
        bad |= good is False
        env.out(f"{MARKS[good]} {render.escape_line(text)}")
    return ExitStatus.FAILED if bad else ExitStatus.DONE


def _checks(env: Environment) -> Iterator[Check]:
    yield (
        True,
        f"ChatNet {PRODUCT_VERSION}, wire {WIRE_VERSION}, local protocol {IPC_VERSION}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}",
    )
    yield sys.platform == "linux", "the platform is Linux"
    yield True, ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    screen = env.environ.get("WAYLAND_DISPLAY") or env.environ.get("DISPLAY")
    if screen and find_spec("PyQt5"):
        yield True, "the window can open; the terminal chat works everywhere"
    else:
        missing = "PyQt5 is not installed" if screen else "there is no display"
        yield None, f"the window cannot open here: {missing}; the terminal chat works everywhere"
    yield _home_check(sessions.home(env.environ))
    yield _bind_check()
    yield from _session_checks(env)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _home_check(home: str) -> Check:
    try:
        mode = os.stat(home)
    except FileNotFoundError:
        return True, f"{home} does not exist yet; the first engine makes it"
    except OSError as error:
        return False, f"{home} cannot be used: {error.strerror}"
    if mode.st_uid != os.getuid():
        return False, f"{home} belongs to another user"
    if not os.access(home, os.W_OK | os.X_OK):
        return False, f"{home} cannot be written"
    open_to_others = stat.S_IMODE(mode.st_mode) & 0o022
    return not open_to_others, f"state is in {home}" + (
        ", which other users may write to: chmod go-w" if open_to_others else ""
    )


def _bind_check() -> Check:
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("", 0))
    except OSError as error:
        return False, f"no UDP port can be opened: {error.strerror}"
    return True, "a UDP port can be opened; ChatNet needs the same number for UDP and TCP"


def _session_checks(env: Environment) -> Iterator[Check]:
    found = sessions.find_all(env.environ)
    if not found:
        yield True, "there is no session yet"
    for session in found:
        yield from _state_checks(session)
        log = f"log {session.folder}/{LOG}"
        if session.engine is None:
            killed = os.path.exists(session.connection_file)
            how = "its engine was killed" if killed else "is not running"
            yield not killed, f"session {session.name}: {how}; {log}"
            continue
        problem = answers(session)
        pid = session.engine.pid
        yield (
            not problem,
            f"session {session.name}: process {pid} "
            + (f"runs, but: {problem} {log}" if problem else f"answers; {log}"),
        )
        if not problem:
            yield from _peer_checks(session)


def _state_checks(session: sessions.Session) -> Iterator[Check]:
    """What its engine would refuse to start with; all three missing is a session before its
    first start."""
    folder = session.folder
    if not any(os.path.lexists(f"{folder}/{name}") for name in (IDENTITY, HISTORY, KNOWN_PEERS)):
        return
    for name in (IDENTITY, HISTORY):
        problem = _file_problem(f"{folder}/{name}")
        if problem:
            yield (
                False,
                f"session {session.name}: {name} {problem}; put it back "
                "(chatnet restore-backup FOLDER), chatnet engine says what the other ways cost",
            )


def _file_problem(path: str) -> str:
    try:
        status = os.lstat(path)
    except OSError as error:
        return "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    return "" if status.st_size else "is empty"


def _peer_checks(session: sessions.Session) -> Iterator[Check]:
    try:
        read_connection_file(session.connection_file)
    except EngineUnreachable:
        return
    _, view = ask_status(session.connection_file)
    for peer in view.peers:
        name = render.peer_name(peer.info)
        good = peer.link.state in (LinkState.UP, LinkState.IDLE)
        yield good, f"session {session.name}, {name}: {render.link_words(peer)}"
        if not good and peer.info.host:
            yield _route_check(peer.info)


def _route_check(info: PeerRow) -> Check:
    try:
        family, _, _, _, address = socket.getaddrinfo(info.host, info.port, type=socket.SOCK_DGRAM)[
            0
        ]
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect(address)
            ours = probe.getsockname()[0]
    except socket.gaierror as error:
        return False, f"{info.host} has no address: {error.strerror}"
    except OSError as error:
        return False, f"there is no way to {info.host}: {error.strerror}"
    return True, (
        f"the way to {info.host} starts at {ours}: that address is what the other side types, "
        "unless a router translates it"
    )
