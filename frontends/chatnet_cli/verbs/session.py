"""`status`, `sessions` and `stop`."""

import argparse
import contextlib
import fcntl
import functools
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

from chatnet_cli import render
from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_cli.verbs.cleaning import space_object
from chatnet_cli.verbs.peers import key_lines, peer_object
from chatnet_client import sessions as found
from chatnet_client.asking import ask_space, ask_status, ask_to_stop
from chatnet_client.errors import ClientError, EngineUnreachable, NoSession
from chatnet_client.mirror import Progress
from chatnet_client.outage import is_supervised, supervisor_of
from chatnet_client.words import count_words, is_open, restarted_words
from chatnet_client.words.numbers import gauge_words, limit_words
from chatnet_client.words.space import space_line
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.commands import Space, Status
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, LinkState
from chatnet_protocol.ipc.view import PeerView, View

STOP_TIMEOUT_S = 10.0
POLL_S = 0.02
STOP_LOCK = "stop.lock"
PROBE_TIMEOUT_S = 1.0
SHOWN_FACTS = frozenset(
    {
        "restarts",
        "died_of",
        "session",
        "name",
        "version",
        "fingerprint",
        "inbox",
        "log",
        "impair",
        "limit_bytes_s",
        "pid",
    }
)
"""Facts that `status` says in lines of their own; others are shown unless they are zero."""


def status(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Show engine, links, clients, transfers, and where the log is."""
    session = found.choose(env.environ, options.session)
    facts, view = ask_status(session.connection_file)
    space = ask_space(session.connection_file)
    if options.json:
        env.out(render.dumps(_status_object(session, view, facts, space)))
    else:
        _print_status(env, session, view, facts)
        if space and (line := space_line(space)):
            env.out(line)
    return ExitStatus.DONE


def sessions(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """List the sessions of this user, running or not."""
    for session in found.find_all(env.environ):
        engine = session.engine
        if options.json:
            env.out(
                render.dumps(
                    {
                        "type": "session",
                        "name": session.name,
                        "running": engine is not None,
                        "pid": engine.pid if engine else None,
                        "port": engine.port if engine else None,
                        "version": engine.product_version if engine else None,
                        "folder": session.folder,
                    }
                )
            )
        elif engine is not None:
            env.out(f"{session.name} · running · port {engine.port} · pid {engine.pid}")
        else:
            env.out(f"{session.name} · not running")
    return ExitStatus.DONE


def stop(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """End the engine and wait until its process is gone."""
    try:
        session = found.choose(env.environ, options.session)
    except NoSession:
        return _stop_restarting(env, options.session)
    assert session.engine is not None
    pid = session.engine.pid
    with _waiting_alone(session.folder) as alone:
        _wait_sent(env, session, options.timeout if alone else 0.0)
    try:
        ask_to_stop(session.connection_file, "asked to stop by chatnet stop")
    except EngineUnreachable:
        if found.is_alive(pid) and os.path.exists(session.connection_file):
            raise
    _wait_until(
        lambda: not (found.is_alive(pid) and os.path.exists(session.connection_file)),
        f"Process {pid} has not ended yet.",
    )
    env.out(f"stopped · session {session.name}")
    return ExitStatus.DONE


def _wait_sent(env: Environment, session: found.Session, timeout_s: float) -> None:
    """Give what can still leave that long, and say what stays for whom."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            _, view = ask_status(session.connection_file)
        except (ClientError, CommandError):
            return  # an engine that says nothing can be asked to stop all the same
        waiting = [peer for peer in view.peers if peer.waiting]
        can_leave = any(peer.link.state == LinkState.UP for peer in waiting)
        if not can_leave or time.monotonic() >= until:
            break
        time.sleep(POLL_S)
    for peer in waiting:
        verb = "waits" if peer.waiting == 1 else "wait"
        name = render.peer_name(peer.info)
        env.out(f"{count_words(peer.waiting)} for {name} still {verb} and will be sent next time")


@contextlib.contextmanager
def _waiting_alone(folder: str) -> Iterator[bool]:
    """Whether no other `stop` waits for this session: a second one ends it at once."""
    with contextlib.ExitStack() as stack:
        try:
            path = f"{folder}/{STOP_LOCK}"
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            stack.callback(os.close, fd)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass  # on a full disk too
        yield True


def _stop_restarting(env: Environment, name: str | None) -> ExitStatus:
    """Its engine has just died: end the supervisor that is about to start it again."""
    for session in found.find_all(env.environ):
        pid = supervisor_of(session.folder) if name in (None, session.name) else 0
        if pid:
            os.kill(pid, signal.SIGTERM)
            gone = functools.partial(_has_no_supervisor, session.folder)
            _wait_until(gone, f"Process {pid} has not ended yet.")
            env.out(f"stopped · session {session.name}")
            return ExitStatus.DONE
    found.choose(env.environ, name)  # says what is wrong
    return ExitStatus.DONE


def _has_no_supervisor(folder: str) -> bool:
    return not is_supervised(folder)


def _wait_until(holds: Callable[[], bool], problem: str) -> None:
    until = time.monotonic() + STOP_TIMEOUT_S
    while not holds():
        if time.monotonic() >= until:
            raise Failure(problem, ExitStatus.TIMED_OUT)
        time.sleep(POLL_S)


def answers(session: found.Session) -> str:
    """Empty when the engine of a session answers, else one sentence."""
    try:
        ask_status(session.connection_file, PROBE_TIMEOUT_S)
    except (ClientError, CommandError) as error:
        return str(error)
    return ""


def _status_object(
    session: found.Session, view: View, facts: Status, space: Space | None
) -> dict[str, Any]:
    return {
        "type": "status",
        "session": render.struct_object(view.session),
        "folder": session.folder,
        "pid": session.engine.pid if session.engine else None,
        "boot": session.engine.boot if session.engine else None,
        "facts": facts.facts,
        "links": facts.links,
        "clients": facts.clients,
        "peers": [peer_object(peer) for peer in view.peers],
        "space": space_object(space) if space else None,
        "transfers": [render.struct_object(row) for row in view.transfers],
    }


def _print_status(env: Environment, session: found.Session, view: View, facts: Status) -> None:
    row = view.session
    pid = session.engine.pid if session.engine else "?"
    env.out(f"session {row.name} · port {row.port} · pid {pid} · version {row.version}")
    name = f"name {render.escape_line(row.display_name)} · " if row.display_name else ""
    env.out(f"{name}key {row.fingerprint}")
    if words := restarted_words(row):
        env.out(f"{words} Restarts: {row.restarts}.")
    if row.impair:
        env.out(f"impaired on purpose: {row.impair}")
    if row.limit_bytes_s:
        env.out(limit_words(row.limit_bytes_s))
    for peer in view.peers:
        env.out(f"peer {peer.info.peer} {render.peer_name(peer.info)} · {peer.info.trust}")
        env.out(f"  link {_link_line(peer, facts)}")
        env.out(f"  {peer.unread} unread · {peer.waiting} waiting to be delivered")
        for line in key_lines(peer.info):
            env.out(f"  {line}")
        for line in (render.asking_line(peer), render.giving_line(peer)):
            if line and is_open(peer.restore):
                env.out(f"  {line}")
    for client_row in view.clients:
        env.out(f"client {client_row.client} {render.escape_line(client_row.name)}"
                f" · {client_row.role}")  # fmt: skip
    for transfer in view.transfers:
        if transfer.state not in ENDED_TRANSFER_STATES:
            name, progress = render.name_in(view, transfer.peer), Progress(transfer.done_bytes)
            env.out(f"transfer {render.transfer_line(transfer, progress, name)}")
    for name, fact in facts.facts.items():
        if fact and name not in SHOWN_FACTS:
            env.out(f"{render.escape_line(name)} {render.escape_line(str(fact))}")
    env.out(render.inbox_line(row.inbox))
    env.out(f"log {render.escape_line(row.log)}")


def _link_line(peer: PeerView, facts: Status) -> str:
    words = [render.link_words(peer)]
    if peer.link.address:
        words.append(render.escape_line(peer.link.address))
    if peer.link.state != LinkState.UP:
        return " · ".join(words)  # the numbers of a link that is down are of the past
    link = next((link for link in facts.links if link.get("peer") == peer.info.peer), {})
    return " · ".join(words + gauge_words(link))
