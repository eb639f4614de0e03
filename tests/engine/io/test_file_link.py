import contextlib
import os
import select
import subprocess
import sys
from collections.abc import Iterator

import pytest

from chatnet_engine.files.process_wire import MAX_FRAME_BYTES
from chatnet_engine.io import file_link as link_module
from chatnet_engine.io.file_link import (
    FIRST_BACKOFF_S,
    GONE_CHECK_S,
    MAX_BACKOFF_S,
    STABLE_S,
    FileLink,
    child_environ,
    file_command,
)
from chatnet_engine.node.effects import FileProcessReport, FilesRestarted

ECHO = """
import socket, sys
with socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1])) as end:
    while data := end.recv(65536):
        if b"die" in data:
            sys.exit(1)
        if b"lie" in data:
            end.sendall(b"\\xff" * 8)
        else:
            end.sendall(data)
"""
DEAF = """
import sys, time
sys.stdin.read(); time.sleep(30)
"""


def make_link(script: str = ECHO) -> FileLink:
    link = FileLink([sys.executable, "-c", script])
    link.start(0.0)
    return link


@pytest.fixture
def link() -> Iterator[FileLink]:
    link = make_link()
    yield link
    link.close()


def reports(
    link: FileLink, count: int, now_s: float = 0.0
) -> list[FileProcessReport | FilesRestarted]:
    got: list[FileProcessReport | FilesRestarted] = []
    while len(got) < count:
        assert select.select([link], [], [], 60)[0], f"{len(got)} of {count} reports"
        got += link.handle_readable(now_s)
    return got


def until_dead(link: FileLink, now_s: float) -> None:
    while link.fileno() >= 0:
        assert select.select([link], [], [], 60)[0]
        assert link.handle_readable(now_s) == []


def test_frames_go_there_and_back(link: FileLink) -> None:
    assert link.next_timeout() is None
    for frame in (b"one", b"", bytes(70_000)):
        link.tell(frame, 0.0)
    got: list[FileProcessReport | FilesRestarted] = []
    while len(got) < 3:
        assert select.select([link], [link] if link.wants_write else [], [], 60)
        link.handle_writable(0.0)
        got += link.handle_readable(0.0)
    assert got == [
        FileProcessReport(b"one"),
        FileProcessReport(b""),
        FileProcessReport(bytes(70_000)),
    ]


def test_a_process_that_dies_is_started_again_and_that_is_told(link: FileLink) -> None:
    link.tell(b"die", 0.0)
    until_dead(link, 1.0)
    link.tell(b"lost", 1.0)
    assert link.dropped == 1
    assert link.next_timeout() == 1.0
    assert link.handle_timeout(1.0) == [FilesRestarted()]
    assert link.restarts == 1
    link.tell(b"again", 1.0)
    assert reports(link, 1) == [FileProcessReport(b"again")]


def test_the_wait_before_a_restart_grows_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    link = make_link()
    for now_s, wait_s in ((0.0, 0.0), (1.0, FIRST_BACKOFF_S), (2.0, 2 * FIRST_BACKOFF_S)):
        link.tell(b"die", now_s)
        until_dead(link, now_s)
        assert link.next_timeout() == now_s + wait_s
        assert link.handle_timeout(now_s + wait_s - 0.01) == []
        assert link.handle_timeout(now_s + wait_s) == [FilesRestarted()]
    late_s = 3.0 + STABLE_S
    link.tell(b"die", late_s)
    until_dead(link, late_s)
    assert link.next_timeout() == late_s
    link.close()


def test_a_process_that_cannot_be_started_is_tried_again_and_again() -> None:
    link = FileLink(["/nonexistent/program"])
    link.start(0.0)
    now_s = 0.0
    waits: list[float] = []
    for _ in range(12):
        due_s = link.next_timeout()
        assert due_s is not None
        waits.append(due_s - now_s)
        now_s = due_s
        assert link.handle_timeout(now_s) == []
    assert waits[0] == 0.0
    assert max(waits) == waits[-1] == pytest.approx(MAX_BACKOFF_S)
    link.tell(b"nobody", now_s)
    assert (link.dropped, link.restarts) == (1, 0)
    link.close()


def test_a_process_that_cannot_be_killed_yet_is_not_waited_for(
    link: FileLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(timeout: float) -> None:
        raise subprocess.TimeoutExpired("x", timeout)

    process = link._process
    assert process
    with monkeypatch.context() as patch:
        patch.setattr(process, "wait", hang)
        link.tell(b"die", 1.0)
        until_dead(link, 1.0)
        assert link.handle_timeout(1.0) == []
        assert link.next_timeout() == 1.0 + GONE_CHECK_S
    with contextlib.suppress(ChildProcessError):  # it may have been reaped already
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert link.handle_timeout(1.0 + GONE_CHECK_S) == [FilesRestarted()]


def test_a_process_that_does_not_read_is_bounded_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "MAX_UNSENT_BYTES", 1_000_000)
    link = make_link(DEAF)
    told = 0
    while link.fileno() >= 0:
        link.tell(bytes(100_000), 0.0)
        told += 1
        assert told < 100
    assert not link.wants_write
    assert link.next_timeout() is not None
    link.close()


def test_an_impossible_length_ends_the_process(link: FileLink) -> None:
    link.tell(b"fine", 0.0)
    assert reports(link, 1) == [FileProcessReport(b"fine")]
    link.tell(b"lie", 0.0)
    until_dead(link, 0.0)
    assert MAX_FRAME_BYTES < 0xFFFFFFFF


def test_closing_ends_the_process_even_a_stubborn_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "END_TIMEOUT_S", 0.01)
    link = make_link(DEAF)
    assert link._process
    pid = link._process.pid
    link.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    link.close()
    assert link.fileno() == -1
    assert link.handle_readable(0.0) == []


def test_the_command_and_environment_find_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "relative", "/absolute"])
    path = child_environ()["PYTHONPATH"].split(os.pathsep)
    assert path == [os.path.abspath("relative"), "/absolute"]
    options = ["--port", "5", "--bind", "::", "--umask", "18", "--listings", "/l"]
    assert file_command(5, "::", 0o22, "/l")[-8:] == options
