import contextlib
import errno
import gc
import os
import select
import signal
import socket
import stat
import subprocess
import sys
from typing import IO, TypeVar

import pytest

from chatnet_client.client import Client
from chatnet_engine.io.file_link import child_environ
from chatnet_engine.main import main
from chatnet_protocol.ipc.commands import StopEngine
from chatnet_protocol.ipc.session_files import (
    ConnectionFile,
    decode_connection_file,
    decode_ended_file,
    decode_start_file,
    session_dir,
)

T = TypeVar("T", str, bytes)


def run_engine(*argv: str) -> subprocess.Popen[str]:
    """The engine as a process, with its stderr in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "chatnet_engine", *argv],
        stderr=subprocess.PIPE,
        env=child_environ(),
        text=True,
    )


def stderr_of(process: "subprocess.Popen[T]") -> IO[T]:
    assert process.stderr is not None
    return process.stderr


def connection_of(name: str) -> ConnectionFile:
    folder = session_dir(os.environ["CHATNET_HOME"], name)
    with open(f"{folder}/connection.json", "rb") as file:
        return decode_connection_file(file.read())


def read_log(name: str) -> str:
    with open(f"{session_dir(os.environ['CHATNET_HOME'], name)}/engine.log") as file:
        return file.read()


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["70000"], "70000 is not a UDP port: use 1 to 65535, or 0 for any free one."),
        (["-1"], "-1 is not a UDP port: use 1 to 65535, or 0 for any free one."),
        (["1", "host"], "The peer's UDP port is missing"),
        (["1", "--limit", "fast"], "'fast' is not a size (try 500MB or 1GiB)"),
        (
            ["1", "--limit", "5kB/s"],
            "The least limit is 20,000 bytes a second.",
        ),
        (["1", "host", "0"], "0 is not a UDP port of a peer: use 1 to 65535."),
        (["1", "h" * 300, "5"], "A host name has at most 253 characters."),
        (["1", "10.0.0.300", "5"], "'10.0.0.300' is no IPv4 address"),
        (["1", "[::1]:0"], "0 is not a UDP port of a peer: use 1 to 65535."),
        (["1", "[::1]:x"], "0 is not a UDP port of a peer: use 1 to 65535."),
        (["1", "[::1]:5001", "5001"], "'[::1]:5001' has a port behind it"),
        (["0", "--session", "No Name"], "'No Name' is no session name"),
        (["0", "--name", "\udcff"], "The arguments are not valid UTF-8."),
        (["0", "--name", "n" * 65], "A display name has at most 64 bytes."),
        (["0", "--impair", "loss=2"], "--impair: loss is at most 1 or 100%, not '2'."),
        (["0", "--bind", "host.example"], "'host.example' is no IP address to bind to."),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert err.startswith(sentence)
    assert (err.count("\n"), out) == (1, "")


def test_help_needs_no_engine(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "loss=20%," in capsys.readouterr().out


def test_other_systems_are_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["0"]) == 1
    assert capsys.readouterr().err == "ChatNet runs on Linux; this is win32.\n"


def test_a_busy_port_is_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert main([str(port), "--bind", "127.0.0.1"]) == 1
    assert f"UDP port {port} on 127.0.0.1 is in use" in capsys.readouterr().err


def test_an_internal_error_is_one_sentence_with_the_trace_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: object) -> None:
        raise AssertionError("an invariant\nis broken")

    monkeypatch.setattr("chatnet_engine.io.engine.Engine.run", broken)
    monkeypatch.setattr("sys.excepthook", lambda *args: None)
    assert main(["0", "--session", "a"]) == 70
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "internal error" in err.splitlines()[-1]
    assert "AssertionError: an invariant\\x0ais broken" in read_log("a")


def test_what_a_start_has_made_is_left_out_of_later_collections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frozen: list[int] = []
    monkeypatch.setattr(
        "chatnet_engine.io.engine.Engine.run", lambda engine: frozen.append(gc.get_freeze_count())
    )
    gc.unfreeze()
    try:
        assert main(["0", "--session", "a"]) == 0
    finally:
        gc.unfreeze()
    assert frozen[0] > 10_000


def test_an_internal_error_while_starting_is_told_the_same_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: object, **options: object) -> None:
        raise AssertionError("no node")

    monkeypatch.setattr("chatnet_engine.io.engine.Node", broken)
    monkeypatch.setattr("sys.excepthook", lambda *args: None)
    assert main(["0", "--session", "a"]) == 70
    expected = "The engine cannot start because of an internal error (AssertionError).\n"
    assert capsys.readouterr().err == expected
    assert "AssertionError: no node" in read_log("a")
    assert main(["0", "--session", "a", "--bind", "192.0.2.1"]) == 2


def test_a_full_disk_at_the_start_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(path: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", path)

    monkeypatch.setattr("chatnet_engine.io.session.write_atomically", full)
    monkeypatch.setattr("sys.excepthook", lambda *args: None)
    assert main(["0", "--session", "a"]) == 1
    err = capsys.readouterr().err
    assert err.startswith("The engine cannot start: [Errno 28] No space left on device")
    assert err.count("\n") == 1


def test_a_lost_identity_is_one_sentence_and_a_way_on_is_an_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with run_engine("0", "--session", "a") as engine:
        assert stderr_of(engine).readline()
        engine.kill()
    os.unlink(f"{session_dir(os.environ['CHATNET_HOME'], 'a')}/identity.key")
    for options in ((), ("-d",), ("--without-history",)):
        with run_engine("0", "--session", "a", *options) as engine:
            assert engine.wait(20) == 1
            sentence = stderr_of(engine).read()
        assert sentence.startswith("The session does not start: identity.key is missing;")
        assert "--new-identity (" in sentence
        assert sentence.count("\n") == 1
    with run_engine("0", "--session", "a", "--new-identity") as engine:
        assert stderr_of(engine).readline().startswith("session a")
        engine.terminate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_foreground_says_where_it_is_and_ends_at_a_signal(number: int) -> None:
    with run_engine("0", "--session", "a") as engine:
        greeting = stderr_of(engine).readline()
        assert greeting.startswith("session a · listening on UDP port ")
        assert connection_of("a").pid == engine.pid
        engine.send_signal(number)
        assert engine.wait(10) == 0
        assert stderr_of(engine).read() == ""
    folder = session_dir(os.environ["CHATNET_HOME"], "a")
    assert not os.path.exists(f"{folder}/connection.json")


def test_nobody_else_may_read_what_an_engine_keeps() -> None:
    with run_engine("0", "--session", "a") as engine:
        assert stderr_of(engine).readline()
        folder = session_dir(os.environ["CHATNET_HOME"], "a")
        names = os.listdir(folder)
        assert {"history.db", "identity.key", "engine.log", "connection.json"} < set(names)
        for name in names:
            assert stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) & 0o077 == 0, name
        engine.terminate()


@pytest.mark.parametrize("options", [[], ["-d"]])
def test_files_that_arrive_get_the_modes_that_their_user_is_used_to(options: list[str]) -> None:
    command = [sys.executable, "-m", "chatnet_engine", "0", "--session", "a", *options]
    starter = subprocess.Popen(command, stderr=subprocess.PIPE, env=child_environ(), umask=0o027)
    with starter:
        assert stderr_of(starter).readline() or starter.wait(20) == 0
        pid = connection_of("a").pid
        children: list[str] = []
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            while not children:
                select.select([], [], [], 0.01)
                file.seek(0)
                children = file.read().split()
        with open(f"/proc/{children[0]}/cmdline") as file:
            while "--umask" not in (words := file.read().split("\0")):
                file.seek(0)
        assert words[words.index("--umask") + 1] == str(0o027)
        ended = os.pidfd_open(pid)
        os.kill(pid, signal.SIGTERM)
        assert select.select([ended], [], [], 10)[0]
        os.close(ended)


def test_a_killed_engine_leaves_a_session_that_starts_again() -> None:
    with run_engine("0", "--session", "a") as engine:
        assert stderr_of(engine).readline()
        engine.kill()
    with run_engine("0", "--session", "a") as engine:
        assert stderr_of(engine).readline().startswith("session a")
        assert connection_of("a").pid == engine.pid
        engine.terminate()
        assert engine.wait(10) == 0


def test_a_killed_background_engine_is_back_with_the_same_port_and_says_why() -> None:
    with run_engine("0", "192.0.2.7", "5000", "-d", "--session", "a") as starter:
        assert starter.wait(20) == 0
    folder = session_dir(os.environ["CHATNET_HOME"], "a")
    first = connection_of("a")
    with open(f"{folder}/start.json", "rb") as file:
        lasting = ["--log-level=info", "--session", "a"]
        assert decode_start_file(file.read()).arguments == [str(first.port), *lasting]
    os.kill(first.pid, signal.SIGKILL)
    second = first
    while second.boot == first.boot:
        select.select([], [], [], 0.02)
        with contextlib.suppress(FileNotFoundError):
            second = connection_of("a")
    assert second.port == first.port
    with Client.attach(f"{folder}/connection.json", name="test", timeout_s=20) as client:
        row = client.view.session
        assert (row.restarts, row.died_of) == (1, "SIGKILL")
        assert [peer.info.host for peer in client.view.peers] == ["192.0.2.7"]
        client.request(StopEngine("enough"))
    ended = os.pidfd_open(second.pid)
    assert select.select([ended], [], [], 10)[0]
    os.close(ended)
    with open(f"{folder}/ended", "rb") as file:
        value = decode_ended_file(file.read())
    assert (value.code, value.detail) == ("stopped", "enough")


def test_a_refused_start_of_a_session_that_ran_is_noted_beside_it() -> None:
    folder = session_dir(os.environ["CHATNET_HOME"], "a")
    os.makedirs(folder, mode=0o700)
    with open(f"{folder}/engine.log", "w", encoding="ascii"):
        pass
    assert main(["0", "--session", "a", "--bind", "192.0.2.1"]) == 2
    with open(f"{folder}/ended", "rb") as file:
        value = decode_ended_file(file.read())
    assert value.code == "refused"
    assert "192.0.2.1" in value.detail


@pytest.mark.parametrize("background", [False, True])
def test_a_refused_start_of_a_new_session_leaves_no_folder(background: bool) -> None:
    folder = session_dir(os.environ["CHATNET_HOME"], "a")
    arguments = ["0", "--session", "a", "--bind", "192.0.2.1"]
    assert main([*arguments, *(["-d"] if background else [])]) == 2
    assert not os.path.exists(folder)


def test_the_background_engine_is_there_when_the_command_returns() -> None:
    with run_engine("0", "-d", "--session", "a") as starter:
        assert starter.wait(20) == 0
        assert stderr_of(starter).read() == ""
    pid = connection_of("a").pid
    assert pid != starter.pid
    assert os.getpgid(pid) not in (os.getpgid(0), starter.pid)
    ended = os.pidfd_open(pid)
    with run_engine("0", "-d", "--session", "a") as second:
        assert second.wait(20) == 1
        assert stderr_of(second).read() == f"Session a is running already (process {pid}).\n"
    os.kill(pid, signal.SIGTERM)
    assert select.select([ended], [], [], 10)[0]
    os.close(ended)
    assert "stopping: signal SIGTERM" in read_log("a")


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "The following arguments are required: LOCAL_PORT."),
        (["x"], "LOCAL_PORT: invalid int value: 'x'."),
        (["1", "--no-such"], "Unrecognized arguments: --no-such."),
    ],
)
def test_what_cannot_be_parsed_is_a_sentence_and_then_the_short_usage(
    argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    first, usage, more = capsys.readouterr().err.splitlines()
    assert first == sentence
    assert usage.startswith("usage: chatnet engine [OPTIONS] LOCAL_PORT")
    assert more == "More: chatnet engine --help"
