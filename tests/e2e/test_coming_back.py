"""Real engines and front ends: what happens when they are killed, stopped and started again."""

import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatnet_client.channel import read_connection_file
from chatnet_client.client import Client, new_id
from chatnet_client.client_events import Cause, ClientEvent, EngineLost, Live
from chatnet_client.kept import KeptTexts
from chatnet_client.kept_file import KeptFile
from chatnet_client.outage import is_supervised, supervisor_of
from chatnet_client.threaded import ThreadedClient
from chatnet_engine.io.file_link import child_environ
from chatnet_protocol.ipc.session_files import decode_ended_file

pytestmark = pytest.mark.e2e

WAIT_S = 60
FRONT_END = """
import sys, time
from chatnet_client.threaded import ThreadedClient
def say(event):
    print(type(event).__name__, getattr(getattr(event, "outage", None), "cause", ""), flush=True)
client = ThreadedClient(sys.argv[1], say, name="window", starts_engine=True)
client.start()
sys.stdin.readline()
client.close()
"""


class Watcher:
    """A front end in this process: waits for what its client says."""

    def __init__(self, file: str, *, starts_engine: bool) -> None:
        self._events: list[ClientEvent] = []
        self._changed = threading.Condition()
        self.client = ThreadedClient(file, self._take, name="watcher", starts_engine=starts_engine)
        self.client.start()

    def _take(self, event: ClientEvent) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def until(self, holds: Callable[[ClientEvent], bool]) -> None:
        with self._changed:
            while not any(map(holds, self._events)):
                assert self._changed.wait(WAIT_S), self._events
            self._events.clear()

    def until_live(self) -> None:
        self.until(lambda event: isinstance(event, Live))

    def until_lost(self, cause: Cause) -> None:
        self.until(
            lambda event: (
                isinstance(event, EngineLost)
                and event.outage is not None
                and event.outage.cause == cause
            )
        )


@pytest.fixture
def file(own_home: Path) -> Iterator[str]:
    """The connection file of an engine in the background, which is ended afterwards."""
    run("-m", "chatnet_engine", "0", "192.0.2.7", "5000", "-d", "--session", "a")
    path = f"{own_home}/chatnet/sessions/a/connection.json"
    yield path
    subprocess.run(
        [sys.executable, "-P", "-m", "chatnet_cli", "stop", "--timeout", "0"],
        env=child_environ(),
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=WAIT_S,
    )


def run(*words: str) -> str:
    command = [sys.executable, "-P", *words]
    return subprocess.run(
        command, env=child_environ(), check=True, timeout=WAIT_S, capture_output=True, text=True
    ).stdout


def texts_of(client: Client) -> list[str]:
    peer = client.view.peer(1)
    return [row.text for row in peer.messages] if peer else []


def kill_and_wait(pid: int) -> None:
    descriptor = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    assert select.select([descriptor], [], [], WAIT_S)[0]
    os.close(descriptor)


def test_texts_written_while_the_engine_dies_are_sent_once_and_in_order(file: str) -> None:
    folder = os.path.dirname(file)
    watcher = Watcher(file, starts_engine=True)
    watcher.until_live()
    texts = KeptTexts(KeptFile(folder), new_id=new_id, wall_ms=lambda: 1)
    kill_and_wait(read_connection_file(file).pid)
    for number in range(5):
        assert texts.add(1, f"text {number}") == ""
    texts.close()  # the front end goes, too, before there is an engine again
    watcher.until_live()
    next_one = KeptTexts(KeptFile(folder), new_id=new_id, wall_ms=lambda: 1)
    assert next_one.adopt()
    with Client.attach(file, name="next", timeout_s=WAIT_S) as client:
        while len(next_one):
            for command in next_one.take_commands(live=True):
                token = client._driver.machine.ask(command, 0.0, 1e9)
                client._waiting.add(token)
                while token not in client._answers:
                    client._turn(1.0)
                next_one.handle_answer(client._answers.pop(token))
        written = [f"text {number}" for number in range(5)]
        assert client.wait_until(lambda: texts_of(client) == written, WAIT_S), texts_of(client)
        assert client.view.session.restarts == 1
    next_one.close()
    watcher.client.close()


def test_what_its_user_has_stopped_stays_stopped_under_a_window_that_sleeps(file: str) -> None:
    folder = os.path.dirname(file)
    with subprocess.Popen(
        [sys.executable, "-P", "-c", FRONT_END, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environ(),
        text=True,
    ) as window:
        assert window.stdout is not None
        try:
            while "Live" not in window.stdout.readline():
                pass
            supervisor = os.pidfd_open(supervisor_of(folder))
            window.send_signal(signal.SIGSTOP)
            run("-m", "chatnet_cli", "stop")
            window.send_signal(signal.SIGCONT)
            while "stopped" not in window.stdout.readline():
                pass
            assert select.select([supervisor], [], [], WAIT_S)[0]
            os.close(supervisor)
            assert not is_supervised(folder)
            assert decode_ended_file(Path(folder, "ended").read_bytes()).code == "stopped"
            assert not os.path.exists(file)
        finally:
            window.kill()


def test_without_a_supervisor_the_front_end_of_a_person_starts_it(file: str) -> None:
    folder = os.path.dirname(file)
    program, person = (Watcher(file, starts_engine=wanted) for wanted in (False, True))
    program.until_live()
    person.until_live()
    first = read_connection_file(file)
    kill_and_wait(supervisor_of(folder))
    kill_and_wait(first.pid)
    person.until_live()
    program.until_live()
    second = read_connection_file(file)
    assert (second.boot != first.boot, second.port) == (True, first.port)
    assert is_supervised(folder)
    person.client.close()
    program.client.close()


def test_an_end_is_shown_and_a_person_s_button_starts_it(file: str) -> None:
    person = Watcher(file, starts_engine=True)
    person.until_live()
    run("-m", "chatnet_cli", "stop")
    person.until_lost(Cause.STOPPED)
    person.client.start_engine()
    person.until_live()
    assert not os.path.exists(os.path.dirname(file) + "/ended")
    person.client.close()
