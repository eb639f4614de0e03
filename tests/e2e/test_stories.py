"""The three stories that everything is judged by, with real processes."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatnet_client.client import Client
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.view import message_state
from realworld.engines import RealEngine, two_engines
from realworld.stores import stored_view

WITHIN_S = 30.0


def delivered(client: Client) -> bool:
    peer = client.view.peers[0]
    return peer.last_seq > 0 and peer.delivered_seq == peer.last_seq


@contextmanager
def attached_program(
    engine: RealEngine, face: str, **env: str
) -> Iterator["subprocess.Popen[str]"]:
    """`chatnet attach FACE` in a process of its own, ended at the end."""
    program = subprocess.Popen(
        [engine.python, "-P", "-m", "chatnet_cli", "attach", face, "--session", engine.name],
        env=engine.env | env,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with program:
        try:
            yield program
        finally:
            program.send_signal(signal.SIGTERM)
            program.communicate(timeout=WITHIN_S)


def equals_the_store(client: Client, engine: RealEngine) -> bool:
    """Not yet while a receipt is on its way; then it does."""
    return client.view.durable() == stored_view(engine.database, client.view.session)


def names(client: Client) -> list[str]:
    return sorted(row.name for row in client.view.clients)


def test_story_1_and_2_a_window_and_a_terminal_on_one_session(tmp_path: Path, xvfb: str) -> None:
    with two_engines(tmp_path) as (a, b), a.attach("watcher") as watcher:
        screen = {"DISPLAY": xvfb, "QT_QPA_PLATFORM": "xcb"}
        with (
            attached_program(a, "qt", **screen),
            attached_program(a, "cli") as terminal,
            b.attach("other") as other,
        ):
            assert watcher.wait_until(lambda: names(watcher) == ["cli", "qt", "watcher"], WITHIN_S)
            assert terminal.stdin
            terminal.stdin.write("said in the terminal\n")
            terminal.stdin.flush()
            assert watcher.wait_until(lambda: delivered(watcher), WITHIN_S)
            peer = other.view.peers[0]
            assert other.wait_until(lambda: len(other.view.peers[0].messages) == 1, WITHIN_S)
            assert [row.text for row in peer.messages] == ["said in the terminal"]
            other.send_message(peer.info.peer, "and the answer")
            assert watcher.wait_until(lambda: watcher.view.peers[0].my_shown == 1, WITHIN_S), (
                "the window shows the answer"
            )
            assert terminal.stdout
            line = next(line for line in terminal.stdout if "and the answer" in line)
            assert f"ACK 1 · 127.0.0.1:{b.port}" in line
        assert watcher.wait_until(lambda: names(watcher) == ["watcher"], WITHIN_S)


@pytest.mark.parametrize("face", ["qt", "cli"])
def test_story_3_a_killed_front_end_is_missed_by_nobody(tmp_path: Path, face: str) -> None:
    with two_engines(tmp_path) as (a, b), b.attach("other") as other:
        with a.attach("watcher") as watcher, attached_program(a, face) as front:
            assert watcher.wait_until(lambda: len(names(watcher)) == 2, WITHIN_S)
            link = watcher.view.peers[0].link
            other.send_message(1, "before")
            front.kill()
            front.wait(WITHIN_S)
            for number in range(20):
                other.send_message(1, f"while it is away {number}")
                watcher.send_message(1, f"said meanwhile {number}")
            assert other.wait_until(lambda: delivered(other), WITHIN_S)
            assert watcher.wait_until(lambda: delivered(watcher), WITHIN_S)
        with a.attach("again") as again:
            assert again.view.peers[0].link == link, "no reconnect, the same incarnations"
            assert again.wait_until(lambda: equals_the_store(again, a), WITHIN_S)
            assert again.view.peers[0].unread == 21
        status = json.loads(a.cli("status", "--json").stdout)
        assert status["links"][0]["links"] == 1


def test_two_views_are_alike_whoever_acts(tmp_path: Path) -> None:
    with (
        two_engines(tmp_path) as (a, b),
        a.attach("one") as one,
        a.attach("two") as two,
        b.attach("other") as other,
    ):
        one.send_message(1, "from one")
        two.send_message(1, "from two")
        other.send_message(1, "from the peer")
        two.request(cmd.SetDraft(1, "half a thought", 0))
        assert one.wait_until(lambda: one.view.peers[0].draft == "half a thought", WITHIN_S)
        assert one.wait_until(lambda: one.view.peers[0].last_ack == 1, WITHIN_S)
        one.request(cmd.MarkRead(1, 1))
        assert two.wait_until(lambda: two.view.peers[0].my_read == 1, WITHIN_S)
        for client in (one, two):
            assert client.wait_until(lambda client=client: delivered(client), WITHIN_S)
        assert one.view.peers[0].messages == two.view.peers[0].messages
        assert other.wait_until(lambda: other.view.peers[0].peer_read == 1, WITHIN_S)
        sent = other.view.peers[0]
        assert [message_state(row, sent) for row in sent.messages if row.mine] == ["read"]


def test_nobody_attached_loses_nothing_and_shows_unread(tmp_path: Path) -> None:
    with two_engines(tmp_path) as (a, b):
        with b.attach("other") as other:
            for number in range(30):
                other.send_message(1, f"{number}")
            assert other.wait_until(lambda: delivered(other), WITHIN_S)
        with a.attach("late") as late:
            peer = late.view.peers[0]
            assert [row.text for row in peer.messages] == [f"{n}" for n in range(30)]
            assert peer.unread == 30


def test_the_original_usage_on_one_machine(tmp_path: Path) -> None:
    """`chatnet A 127.0.0.1 B` and `chatnet B 127.0.0.1 A` of one user, nothing else said."""
    a, b = RealEngine(tmp_path, "a"), RealEngine(tmp_path, "b")
    b.env = a.env
    a.start("--bind", "127.0.0.1")
    try:
        b.start("--bind", "127.0.0.1", "127.0.0.1", str(a.port))
        port_a, port_b = a.port, b.port
        a.stop()
        a.start("--bind", "127.0.0.1", "127.0.0.1", str(port_b))
        assert a.port == port_a
        sent = a.cli("send", "hello", "--session", "a", "--wait", "delivered", "--timeout", "20")
        assert sent.returncode == 0, sent.stderr
        said = json.loads(b.cli("history", "--session", "b", "--json").stdout.splitlines()[-1])
        assert (said["text"], said["ack"], said["from"]) == ("hello", 1, f"127.0.0.1:{port_a}")
    finally:
        a.stop()
        b.stop()
