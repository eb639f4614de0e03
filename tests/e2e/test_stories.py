"""The three stories that everything is judged by, with real processes."""

import json
from functools import partial
from pathlib import Path

import pytest

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.view import message_state
from realworld.engines import RealEngine, two_engines
from realworld.stories import WITHIN_S, a_killed_front_end, a_window_and_a_terminal, delivered


def test_story_1_and_2_a_window_and_a_terminal_on_one_session(tmp_path: Path, xvfb: str) -> None:
    a_window_and_a_terminal(tmp_path, xvfb)


@pytest.mark.parametrize("face", ["qt", "cli"])
def test_story_3_a_killed_front_end_is_missed_by_nobody(tmp_path: Path, face: str) -> None:
    a_killed_front_end(tmp_path, face)


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
            assert client.wait_until(partial(delivered, client), WITHIN_S)
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
