"""The process above an engine, with a small program in the engine's place."""

import fcntl
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatnet_engine.io import supervisor
from chatnet_engine.io.file_link import child_environ
from chatnet_engine.io.start_report import decode_report
from chatnet_protocol.ipc import session_files
from chatnet_protocol.ipc.session_files import decode_ended_file

WAIT_S = 20
PREPARE = """
import os, signal, sys
report_fd = int(sys.argv[sys.argv.index("--report-fd") + 1])
folder = os.environ["FOLDER"]
lives = open(folder + "/lives", "a")
lives.write(" ".join(sys.argv[1:]).partition(" --report-fd ")[0] + " " + str(os.getpid()))
lives.write(" " + " ".join(sys.argv[sys.argv.index("--report-fd") + 2 :]) + "\\n")
lives.close()
def ready():
    os.write(report_fd, "\\0".join(["ready", folder, "again", "end"]).encode())
    os.close(report_fd)
"""
SUPERVISE = """
import sys
from chatnet_engine.io.supervisor import Supervisor
program = [sys.executable, "-S", "-c", sys.argv[3]]
sys.exit(Supervisor(["first"], sys.argv[2], int(sys.argv[1]), program=program).run())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "lock").touch()
    return tmp_path


@contextmanager
def supervised(
    folder: Path, engine: str, known_folder: bool = True
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], list[str]]]]:
    """(the supervisor's process, its report to whoever started it)."""
    read_fd, write_fd = os.pipe()
    path = str(folder) if known_folder else ""
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", SUPERVISE, str(write_fd), path, PREPARE + engine],
        pass_fds=[write_fd],
        env={**child_environ(), "FOLDER": str(folder)},
    )
    os.close(write_fd)
    try:
        with os.fdopen(read_fd, "rb") as reports:
            yield process, lambda: decode_report(reports.read())
    finally:
        process.kill()
        process.wait()


def lives_of(folder: Path) -> list[tuple[str, int, list[str]]]:
    """(arguments, pid, what it was told of the life before) of every engine so far."""
    lines = (folder / "lives").read_text().splitlines()
    return [(line.split()[0], int(line.split()[1]), line.split()[2:]) for line in lines]


def ended(folder: Path) -> tuple[str, str]:
    value = decode_ended_file((folder / "ended").read_bytes())
    return value.code, value.detail


def is_held(folder: Path) -> bool:
    with open(folder / "supervisor.lock") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait_gone(pid: int) -> None:
    """Until a process that is not our child has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    assert select.select([descriptor], [], [], WAIT_S)[0]
    os.close(descriptor)


def test_the_lock_is_the_one_that_front_ends_look_at() -> None:
    assert supervisor.LOCK_NAME == session_files.SUPERVISOR_LOCK


def test_what_a_person_starts_is_started_again_with_what_lasts_and_told_why(folder: Path) -> None:
    dies_once = """
ready()
if "again" in sys.argv:
    sys.exit(0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with supervised(folder, dies_once) as (process, report):
        assert report() == ["ready"]
        assert process.wait(WAIT_S) == 0
    (first, _, nothing), (second, _, why) = lives_of(folder)
    assert (first, nothing) == ("first", [])
    assert (second, why) == ("again", ["--restarts", "1", "--died-of", "SIGKILL"])
    assert not (folder / "ended").exists()  # the engine itself says that it was stopped
    assert not is_held(folder)


def test_five_quick_deaths_are_the_last_and_say_so(folder: Path) -> None:
    dies = "ready(); os.kill(os.getpid(), signal.SIGKILL)"
    with supervised(folder, dies, known_folder=False) as (process, report):
        assert report() == ["ready"]
        assert process.wait(WAIT_S) == 1
    assert len(lives_of(folder)) == 5
    assert ended(folder) == ("gave-up", "SIGKILL")


def test_a_start_that_dies_five_times_is_answered_with_its_last_words(folder: Path) -> None:
    dies = "os.write(report_fd, b'failed\\0It hurts.\\0end'); sys.exit(70)"
    with supervised(folder, dies) as (process, report):
        assert report() == ["failed", "It hurts."]
        assert process.wait(WAIT_S) == 1
    assert len(lives_of(folder)) == 5
    assert ended(folder) == ("gave-up", "internal-error")


def test_a_refused_start_is_final(folder: Path) -> None:
    refuses = "os.write(report_fd, b'refused\\0The port is in use.\\0end'); sys.exit(2)"
    with supervised(folder, refuses) as (process, report):
        assert report() == ["refused", "The port is in use."]
        assert process.wait(WAIT_S) == 2
    assert len(lives_of(folder)) == 1
    assert not (folder / "ended").exists()  # the engine writes it, if the session is its own


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_stop_is_passed_on_and_ends_both(folder: Path, number: int) -> None:
    with supervised(folder, "ready(); signal.pause()") as (process, report):
        assert report() == ["ready"]
        assert is_held(folder)
        process.send_signal(number)
        assert process.wait(WAIT_S) == 0
    ((_, pid, _),) = lives_of(folder)
    assert not Path(f"/proc/{pid}").exists()
    assert ended(folder) == ("stopped", signal.Signals(number).name)


def test_a_stop_in_a_pause_starts_nothing_more(folder: Path) -> None:
    # The pause before the fifth life is the longest: 0.8 s.
    dies = """
lives = len(open(folder + "/lives").readlines())
if lives == 1:
    ready()
if lives == 4:
    os.kill(os.getppid(), signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGKILL)
"""
    with supervised(folder, dies) as (process, report):
        assert report() == ["ready"]
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.wait(WAIT_S) == 0
    assert len(lives_of(folder)) == 4
    assert ended(folder)[0] == "stopped"


def test_killing_the_supervisor_leaves_the_engine_and_frees_its_lock(folder: Path) -> None:
    with supervised(folder, "ready(); signal.pause()") as (process, report):
        assert report() == ["ready"]
        process.kill()
        process.wait()
    ((_, pid, _),) = lives_of(folder)
    try:
        assert not is_held(folder)
        assert Path(f"/proc/{pid}").exists()
    finally:
        os.kill(pid, signal.SIGKILL)
        wait_gone(pid)


def test_nothing_is_said_over_an_engine_that_somebody_else_started(folder: Path) -> None:
    dies = "ready(); os.kill(os.getpid(), signal.SIGKILL)"
    with open(folder / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with supervised(folder, dies) as (process, report):
            assert report() == ["ready"]
            assert process.wait(WAIT_S) == 1
    assert not (folder / "ended").exists()


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, chatnet_engine.io.supervisor; print(sorted(sys.modules))"
    out = subprocess.check_output([sys.executable, "-P", "-c", code], env=child_environ())
    for name in ("zmq", "msgspec", "subprocess", "json", "logging", "chatnet_protocol"):
        assert f"'{name}'" not in out.decode()
