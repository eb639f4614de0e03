"""Which sessions there are, which of them run, and which one is meant."""

import os
from pathlib import Path

import pytest

from chatnet_client import sessions
from chatnet_client.errors import NoSession, SeveralSessions
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.session_files import ConnectionFile, encode_connection_file

DEAD_PID = 2**22 + 1
"""Beyond the largest number Linux gives to a process."""


def put(home: Path, name: str, pid: int) -> None:
    folder = home / "sessions" / name
    folder.mkdir(parents=True)
    connection = ConnectionFile(name, "00" * 8, pid, 1, "0.1.0", "ipc://a", "ipc://b", 12345)
    (folder / "connection.json").write_bytes(encode_connection_file(connection))


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"CHATNET_HOME": str(tmp_path)}


def test_home_follows_the_environment(environ: dict[str, str], own_home: Path) -> None:
    assert sessions.home(environ) == environ["CHATNET_HOME"]
    assert sessions.home({}) == str(own_home / "data" / "chatnet")


def test_nothing_runs(environ: dict[str, str], tmp_path: Path) -> None:
    assert sessions.find_all(environ) == []
    with pytest.raises(NoSession, match="No session is running"):
        sessions.choose(environ, None)
    put(tmp_path, "left-over", DEAD_PID)
    with pytest.raises(NoSession, match="No session is running"):
        sessions.choose(environ, None)
    with pytest.raises(NoSession, match="Session left-over is not running"):
        sessions.choose(environ, "left-over")
    assert [session.engine for session in sessions.find_all(environ)] == [None]


def test_the_only_running_one_is_meant(environ: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path, "dead", DEAD_PID)
    put(tmp_path, "alive", os.getpid())
    (tmp_path / "sessions" / "Not A Name").mkdir()
    chosen = sessions.choose(environ, None)
    assert chosen.name == "alive"
    assert chosen.connection_file == f"{tmp_path}/sessions/alive/connection.json"
    assert [session.name for session in sessions.find_all(environ)] == ["alive", "dead"]


def test_several_need_a_name(environ: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path, "a", os.getpid())
    put(tmp_path, "b", os.getpid())
    with pytest.raises(SeveralSessions, match="Several sessions are running: a, b"):
        sessions.choose(environ, None)
    assert sessions.choose(environ, "b").name == "b"


def test_damaged_files_are_no_engines(environ: dict[str, str], tmp_path: Path) -> None:
    put(tmp_path, "a", os.getpid())
    path = tmp_path / "sessions" / "a" / "connection.json"
    for data in (b"", b"{", b"[]", b"x" * 5000, b'{"pid": "1"}'):
        path.write_bytes(data)
        assert sessions.find(environ, "a").engine is None


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "x" * 33, "ä"])
def test_impossible_names_are_refused(environ: dict[str, str], name: str) -> None:
    with pytest.raises(CommandError, match="no session name"):
        sessions.choose(environ, name)


def test_which_processes_are_alive() -> None:
    assert sessions.is_alive(os.getpid())
    assert sessions.is_alive(1)
    assert not sessions.is_alive(DEAD_PID)
    assert not sessions.is_alive(0)
    assert not sessions.is_alive(-1)
    child = os.posix_spawn("/bin/true", ["true"], {})
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert not sessions.is_alive(child), "a zombie runs no engine"
    os.waitpid(child, 0)
