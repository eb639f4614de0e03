"""Why there is no engine, and who may start one."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnet_client import outage
from chatnet_client.channel import Channel, read_connection_file
from chatnet_client.client_events import Cause, Outage
from chatnet_client.errors import EngineStartFailed, EngineUnreachable
from chatnet_client.launch import start_again
from chatnet_client.reviver import RETRY_S, Reviver
from chatnet_client.words import outage_words
from chatnet_protocol.ipc.session_files import (
    ConnectionFile,
    Ended,
    EndedFile,
    StartFile,
    encode_connection_file,
    encode_ended_file,
    encode_start_file,
)

COMMAND = "chatnet engine 12345 --session s -d"


class Folder:
    """A session's folder, with what an engine and its supervisor leave there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = path / "connection.json"

    def start_file(self, kept_by: str = "") -> None:
        value = StartFile(["12345", "--session", "s"], kept_by)
        (self.path / "start.json").write_bytes(encode_start_file(value))

    def ended(self, code: str, detail: str = "") -> None:
        (self.path / "ended").write_bytes(encode_ended_file(EndedFile(code, detail)))

    def engine(self, pid: int) -> None:
        value = ConnectionFile("s", "00", pid, 1, "0", "ipc://a", "ipc://b", 1)
        self.connection.write_bytes(encode_connection_file(value))

    def look(self) -> Outage:
        return outage.look(str(self.path))

    def may(self) -> bool:
        return outage.may_start_unasked(str(self.path))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "sessions" / "s"
    path.mkdir(parents=True)
    return Folder(path)


@pytest.fixture
def dead_pid() -> int:
    process = subprocess.Popen(["/bin/true"])
    process.wait()
    return process.pid


@pytest.fixture
def supervisor(folder: Folder) -> Iterator[None]:
    with (folder.path / "supervisor.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def test_a_dead_engine_without_supervisor_may_be_started(folder: Folder, dead_pid: int) -> None:
    folder.start_file()
    folder.engine(dead_pid)
    assert folder.look() == Outage(Cause.ABSENT, command=COMMAND)
    assert folder.may()


def test_a_lock_that_nobody_holds_is_no_supervisor(folder: Folder) -> None:
    folder.start_file()
    (folder.path / "supervisor.lock").write_text("1\n")
    assert folder.may()
    assert outage.supervisor_of(str(folder.path)) == 0


@pytest.mark.usefixtures("supervisor")
def test_a_supervisor_starts_its_engine_itself(folder: Folder) -> None:
    folder.start_file()
    assert folder.look() == Outage(Cause.RESTARTING, command=COMMAND)
    assert not folder.may()
    assert outage.supervisor_of(str(folder.path)) == os.getpid()


@pytest.mark.parametrize("code", [*Ended, "of-a-later-version"])
def test_what_has_ended_is_started_by_a_person_alone(folder: Folder, code: str) -> None:
    folder.start_file()
    folder.ended(code, "because")
    found = folder.look()
    expected = Cause(code) if code in set(Ended) else Cause.STOPPED
    assert found == Outage(expected, "because", COMMAND)
    assert found.is_final
    assert not folder.may()
    assert outage_words(found)


def test_a_damaged_ended_counts_as_one_and_a_damaged_start_starts_nothing(folder: Folder) -> None:
    folder.start_file()
    (folder.path / "ended").write_bytes(b"{")
    assert folder.look().cause == Cause.STOPPED
    (folder.path / "ended").unlink()
    (folder.path / "start.json").write_bytes(b"{")
    assert folder.look() == Outage(Cause.ABSENT)
    assert not folder.may()


def test_what_somebody_else_keeps_is_left_to_them(folder: Folder) -> None:
    folder.start_file("systemd")
    assert not folder.may()
    assert outage_words(folder.look()) == "The engine is not running; systemd starts it."


def test_an_engine_that_lives_is_silent_at_most(folder: Folder) -> None:
    folder.start_file()
    folder.engine(os.getpid())
    folder.ended("stopped")
    assert folder.look() == Outage(Cause.SILENT, command=COMMAND)
    assert not folder.may()


def test_after_a_restart_of_the_machine_a_number_may_be_anybodys(folder: Folder) -> None:
    folder.start_file()
    folder.engine(os.getpid())
    (folder.path / "lock").touch()
    # The file is from the day before this process began.
    os.utime(folder.connection, (1_000_000, 1_000_000))
    assert folder.look().cause == Cause.ABSENT
    with (folder.path / "lock").open():
        assert folder.look().cause == Cause.SILENT


def test_a_connection_file_elsewhere_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "start.json").write_bytes(encode_start_file(StartFile(["12345"])))
    with pytest.raises(EngineStartFailed, match="not known how"):
        start_again({}, str(tmp_path), unasked=True)


def test_a_start_uses_the_same_home_and_looks_again_under_the_lock(folder: Folder) -> None:
    folder.start_file()
    note = folder.path / "home"
    script = f"echo $CHATNET_HOME $@ > {note}; exit 1"
    command = ("/bin/sh", "-c", script, "sh")
    with pytest.raises(EngineStartFailed):
        start_again({"CHATNET_HOME": "/x"}, str(folder.path), unasked=True, command=command)
    assert note.read_text() == f"{folder.path.parent.parent} 12345 --session s -d\n"
    note.unlink()
    folder.ended("stopped")
    with pytest.raises(EngineStartFailed) as caught:
        start_again({}, str(folder.path), unasked=True, command=command)
    assert caught.value.status == 0
    assert not note.exists()
    with pytest.raises(EngineStartFailed):
        start_again({}, str(folder.path), unasked=False, command=command)
    assert note.exists()


class Starts:
    """Stands in for `start_again`: notes the starts, fails with `problem`."""

    def __init__(self) -> None:
        self.unasked: list[bool] = []
        self.problem = ""

    def __call__(self, environ: object, folder: str, *, unasked: bool) -> None:
        self.unasked.append(unasked)
        if self.problem:
            raise EngineStartFailed(self.problem, 1)


def settle(reviver: Reviver) -> None:
    assert reviver._thread is not None
    reviver._thread.join()


def test_a_front_end_of_a_person_starts_what_nobody_else_starts(folder: Folder) -> None:
    folder.start_file()
    starts = Starts()
    reviver = Reviver(str(folder.connection), unasked=True, start=starts)
    assert reviver.look(0.0) == Outage(Cause.RESTARTING)
    settle(reviver)
    assert starts.unasked == [True]
    other = Reviver(str(folder.connection), unasked=False, start=starts)
    assert other.look(0.0).cause == Cause.ABSENT
    assert starts.unasked == [True]


def test_a_start_that_fails_is_said_and_tried_again_after_a_minute(folder: Folder) -> None:
    folder.start_file()
    starts = Starts()
    starts.problem = "No room."
    reviver = Reviver(str(folder.connection), unasked=True, start=starts)
    reviver.look(0.0)
    settle(reviver)
    assert reviver.look(1.0) == Outage(Cause.REFUSED, "No room.", COMMAND)
    assert reviver.look(RETRY_S).cause == Cause.RESTARTING
    settle(reviver)
    assert starts.unasked == [True, True]


def test_a_person_may_start_what_has_ended(folder: Folder) -> None:
    folder.start_file()
    folder.ended("gave-up", "SIGKILL")
    starts = Starts()
    reviver = Reviver(str(folder.connection), unasked=True, start=starts)
    found = reviver.look(0.0)
    assert "five times within a minute (killed by SIGKILL)" in outage_words(found)
    assert starts.unasked == []
    reviver.ask()
    assert reviver.look(0.1).cause == Cause.RESTARTING
    settle(reviver)
    assert starts.unasked == [False]


def test_the_end_of_the_engine_s_process_is_noticed_at_once(folder: Folder) -> None:
    channel = Channel(str(folder.connection))
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) as engine:
        folder.engine(engine.pid)
        channel.open()
        channel.wait(0.0)
        assert not channel.engine_ended
        assert engine.stdin is not None
        engine.stdin.close()
        channel.wait(30.0)
        assert channel.engine_ended
    channel.close()


def test_a_fifo_in_the_place_of_a_file_makes_nobody_wait(tmp_path: Path) -> None:
    for name in ("connection.json", "start.json", "ended"):
        os.mkfifo(tmp_path / name)
        assert outage._read(str(tmp_path / name), 10) == b""
    with pytest.raises(EngineUnreachable):
        read_connection_file(str(tmp_path / "connection.json"))
