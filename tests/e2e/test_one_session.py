"""R22 with real processes: two engines and one session, a port, a socket; leftovers; a stop."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import zmq

from chatnet_client.client import Client
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.ipc.session_files import CONNECTION_FILE, LOCK, session_dir
from checker.histories import read_file
from checker.verdict import Side, check
from realworld.engines import RealEngine, is_up, two_engines

WITHIN_S = 30.0


def refused(engine: RealEngine, *args: str, env: dict[str, str] | None = None) -> str:
    """What an engine that does not start says: one sentence, and exit code 1."""
    command = [sys.executable, "-P", "-m", "chatnet_engine", *args]
    ended = subprocess.run(
        command,
        env=env or engine.env,
        text=True,
        capture_output=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.strip()


def delivered_and_up(client: Client) -> bool:
    return delivered(client) and is_up(client)


def delivered(client: Client) -> bool:
    peer = client.view.peers[0]
    return peer.last_seq > 0 and peer.delivered_seq == peer.last_seq


@contextmanager
def unharmed(a: RealEngine, b: RealEngine) -> Iterator[None]:
    """Through what is done inside, engine `a`, its front end and its link go on as they were."""
    before = Path(a.connection_path).read_bytes()
    with a.attach("stays") as stays:
        # `up` comes before the number of the link that is up.
        assert stays.wait_until(lambda: stays.view.peers[0].link.links > 0, WITHIN_S)
        link = stays.view.peers[0].link
        yield
        assert Path(a.connection_path).read_bytes() == before
        text = f"after {stays.view.last_no}"
        stays.send_message(1, text)
        assert stays.wait_until(lambda: delivered(stays), WITHIN_S)
        assert stays.view.peers[0].link == link
        with a.attach("newcomer") as newcomer, b.attach("at b") as at_b:
            assert newcomer.view.peers[0].messages[-1].text == text
            assert at_b.view.peers[0].messages[-1].text == text
    sides = [Side(e.name, e.key, [read_file(e.database)]) for e in (a, b)]
    assert check(sides) == []


def test_r22_a_second_engine_refuses_and_the_first_is_unharmed(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (a, b), unharmed(a, b):
        assert a.process
        sentence = f"Session a is running already (process {a.process.pid})."
        assert refused(a, "0", "--session", "a") == sentence
        # The lock lies with the history: another runtime folder makes no second session of it.
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir(mode=0o700)
        env = a.env | {"XDG_RUNTIME_DIR": str(elsewhere)}
        assert refused(a, "0", "--session", "a", env=env) == sentence
        assert refused(a, "0", "-d", "--session", "a") == sentence


def test_r22_a_port_that_is_taken_is_named_and_its_owner_unharmed(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (a, b), unharmed(a, b):
        said = refused(a, str(a.port), "--session", "other", "--bind", "127.0.0.1")
        assert said.startswith(f"UDP port {a.port} on 127.0.0.1 is in use")
        # A session that could not start is not left locked.
        other = RealEngine(tmp_path, "other", "--bind", "127.0.0.1")
        other.env = a.env
        other.start()
        assert other.stop() == 0


def test_r22_a_tcp_port_that_is_taken_costs_no_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with two_engines(tmp_path) as (a, b):
            a.stop()
            a.port = taken.getsockname()[1]
            a.start("127.0.0.1", str(b.port))
            with b.attach() as client:
                client.send_message(1, "text needs no TCP")
                assert client.wait_until(lambda: delivered(client), WITHIN_S)


@pytest.mark.parametrize("how", ["vanished", "stolen", "replaced by a file"])
def test_r22_sockets_that_are_taken_away_come_back(tmp_path: Path, how: str) -> None:
    with two_engines(tmp_path) as (a, b), zmq.Context() as context:
        paths = [
            endpoint.removeprefix("ipc://")
            for endpoint in (a.connection.events, a.connection.commands)
        ]
        thieves: list[zmq.Socket[bytes]] = []
        taken = {os.lstat(path).st_ino for path in paths}

        def all_back() -> bool:
            there = [os.lstat(path) for path in paths if os.path.lexists(path)]
            ours = [s for s in there if stat.S_ISSOCK(s.st_mode) and s.st_ino not in taken]
            return len(ours) == len(paths)

        with unharmed(a, b), a.attach("waits") as waits:
            for path in paths:
                if how == "stolen":
                    thieves.append(context.socket(zmq.ROUTER))
                    thieves[-1].bind(f"ipc://{path}")  # unlinks first, whatever is there
                    taken.add(os.lstat(path).st_ino)
                    continue
                os.unlink(path)
                if how == "replaced by a file":
                    Path(path).write_text("mine")
            assert not all_back()
            until = time.monotonic() + WITHIN_S
            while not all_back():
                assert time.monotonic() < until, "the sockets are not there again"
                waits.next_event(0.05)
        for thief in thieves:
            thief.close(linger=0)


def test_r22_what_a_power_loss_leaves_keeps_nothing_from_starting(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (a, b):
        connection = a.connection
        a.kill()
        folder = Path(session_dir(a.env["CHATNET_HOME"], "a"))
        assert (folder / CONNECTION_FILE).exists()
        # The number in the lock is that of somebody else now, the file was never whole.
        (folder / LOCK).write_text(f"{os.getpid()}\n")
        (folder / CONNECTION_FILE).write_bytes(b'{"session": "a", "bo')
        for endpoint in (connection.events, connection.commands):
            Path(endpoint.removeprefix("ipc://")).unlink(missing_ok=True)
            Path(endpoint.removeprefix("ipc://")).touch()
        said = a.cli("send", "nobody is here", "--session", "a")
        assert (said.returncode, said.stdout) == (3, "")
        assert said.stderr.count("\n") == 1
        a.start()
        with unharmed(a, b):
            assert (folder / LOCK).read_text() == f"{a.connection.pid}\n"


def test_r15_a_stopped_engine_goes_on_where_it_was(tmp_path: Path) -> None:
    """As after a suspend: for one side hours pass in an instant, the other saw it fall silent."""
    with two_engines(tmp_path) as (a, b), b.attach("at b") as at_b, a.attach("at a") as at_a:
        assert a.process
        a.process.send_signal(signal.SIGSTOP)
        try:
            at_b.send_message(1, "you sleep")
            silent = at_b.wait_until(
                lambda: at_b.view.peers[0].link.state == LinkState.SILENT, WITHIN_S
            )
        finally:
            a.process.send_signal(signal.SIGCONT)
        assert silent
        at_a.send_message(1, "good morning")
        for client in (at_a, at_b):
            assert client.wait_until(partial(delivered_and_up, client), WITHIN_S)
        sides = [Side(e.name, e.key, [read_file(e.database)]) for e in (a, b)]
        assert check(sides) == []
