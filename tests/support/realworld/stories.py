"""The stories that everything is judged by, with real processes: of a checkout or of a wheel."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatnet_client.client import Client
from realworld.engines import RealEngine, two_engines
from realworld.stores import stored_view

WITHIN_S = 30.0


def delivered(client: Client) -> bool:
    """Whether the peer holds every own message."""
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
    """Of the attached front ends."""
    return sorted(row.name for row in client.view.clients)


def a_window_and_a_terminal(folder: Path, display: str) -> None:
    """Stories 1 and 2: both show the same session, live."""
    with two_engines(folder) as (a, b), a.attach("watcher") as watcher:
        screen = {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
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


def a_killed_front_end(folder: Path, face: str) -> None:
    """Story 3: kill -9, attach again; the peer link does not notice."""
    with two_engines(folder) as (a, b), b.attach("other") as other:
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
