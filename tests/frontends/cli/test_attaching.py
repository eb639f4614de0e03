"""The three-argument usage and front ends by name."""

import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from chatnet_cli import run_frontend
from chatnet_cli.environment import Environment
from chatnet_cli.verbs import attaching
from chatnet_client import sessions
from chatnet_client.errors import EngineStartFailed
from chatnet_client.front_end import OR_TERMINAL
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.session_files import (
    EndedFile,
    StartFile,
    encode_ended_file,
    encode_start_file,
)
from cli_shell import Replaced, Shell
from local_engine import LocalEngine

INVITE_CODE = "abcd-efgh-ijkl-mnop"


def environment(environ: dict[str, str]) -> Environment:
    return replace(Environment.real(), environ=environ, stderr=io.StringIO())


def printed(env: Environment) -> str:
    assert isinstance(env.stderr, io.StringIO)
    return env.stderr.getvalue()


def test_a_running_session_is_attached_to(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("12345", "10.0.0.1", "5001", stdin="hello\n") == 0
    assert local.seen(cmd.AddPeer) == []
    assert [command.text for command in local.seen(cmd.SendMessage)] == ["hello"]
    assert "me: hello" in shell.out


def test_a_new_peer_of_a_running_session_is_added_and_talked_to(
    shell: Shell, local: LocalEngine
) -> None:
    assert shell.run("--session", "12345", "5000", "10.0.0.9", "99", stdin="hello\n") == 0
    assert local.seen(cmd.AddPeer) == [cmd.AddPeer("10.0.0.9", 99)]
    assert local.seen(cmd.SendMessage)[0].peer == 2


@pytest.mark.parametrize(
    ("words", "address"),
    [
        (("10.0.0.9:99",), ("10.0.0.9", 99)),
        (("--name", "carol:1", "10.0.0.9:99"), ("10.0.0.9", 99)),
        (("--na", "carol:1", "10.0.0.9:99"), ("10.0.0.9", 99)),
        (("--name=carol:1", "10.0.0.9:99"), ("10.0.0.9", 99)),
        (("10.0.0.9", "--name", "carol:1", "99"), ("10.0.0.9", 99)),
        (("[::1]:99",), ("::1", 99)),
        (("[::1]", "99"), ("::1", 99)),
        (("::1", "99"), ("::1", 99)),
        (("[::ffff:10.0.0.9]:99",), ("10.0.0.9", 99)),
        (("fe80::1%eth0", "99"), ("fe80::1%eth0", 99)),
        (("[fe80::1%2]:99",), ("fe80::1%2", 99)),
        (("bob.example:99",), ("bob.example", 99)),
    ],
)
def test_an_address_is_one_word_or_two_wherever_it_is_typed(
    shell: Shell, local: LocalEngine, words: tuple[str, ...], address: tuple[str, int]
) -> None:
    assert shell.run("peer", "add", *words) == 0
    assert shell.run("peer-add", *words) == 0
    assert shell.run("--session", "12345", "5000", *words) == 0
    seen = [(command.host, command.port) for command in local.seen(cmd.AddPeer)]
    assert set(seen) == {address}
    assert len(seen) == 2, "the third time it is known"
    assert shell.run("send", "hello", "--peer", show_address(*address)) == 0
    assert local.seen(cmd.SendMessage)[-1].peer == 2


class Starter:
    """In the place of `ensure_engine`: starts an engine in this process, and keeps what for."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.asked: list[tuple[str, Sequence[str]]] = []
        self.engine: LocalEngine | None = None

    def __call__(
        self, environ: Mapping[str, str], name: str, arguments: Sequence[str]
    ) -> tuple[sessions.Session, bool]:
        self.asked.append((name, arguments))
        self.engine = LocalEngine(self.home)
        self.engine.start()
        return sessions.find(environ, "12345"), True


@pytest.fixture
def starter(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Starter]:
    starter = Starter(home)
    monkeypatch.setattr(attaching, "ensure_engine", starter)
    yield starter
    if starter.engine:
        starter.engine.close()


def test_otherwise_the_engine_is_started(shell: Shell, starter: Starter) -> None:
    words = ("12345", "10.0.0.1", "5001", "--name", "Alice A", "--impair", "loss=20%")
    assert shell.run(*words) == 0
    assert starter.asked == [
        (
            "12345",
            ["12345", "10.0.0.1", "5001", "--session", "12345", "--name=Alice A",
             "--impair=loss=20%"],
        )
    ]  # fmt: skip
    assert "it keeps running when the front end closes" in shell.err


def test_with_an_invite_the_engine_calls_nobody_before_it_knows_the_code(
    shell: Shell, starter: Starter
) -> None:
    words = ("12345", "10.0.0.9", "5009", "--invite")
    assert shell.run(*words, stdin=f"{INVITE_CODE}\nhello\n") == 0
    assert starter.asked == [("12345", ["12345", "--session", "12345"])]
    assert starter.engine
    assert starter.engine.seen(cmd.AddPeer) == [cmd.AddPeer("10.0.0.9", 5009, "", INVITE_CODE)]


def test_an_engine_that_does_not_start(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(environ: Mapping[str, str], name: str, arguments: Sequence[str]) -> None:
        raise EngineStartFailed("UDP port 12345 is busy.", 1)

    monkeypatch.setattr(attaching, "ensure_engine", ensure)
    assert shell.run("12345", "10.0.0.1", "5001") == 1
    assert shell.err == "UDP port 12345 is busy.\n"


@pytest.mark.parametrize(
    ("environ", "name"),
    [({}, "cli"), ({"DISPLAY": ":0"}, "qt"), ({"WAYLAND_DISPLAY": "wayland-0"}, "qt")],
)
def test_the_best_front_end(environ: dict[str, str], name: str) -> None:
    env = environment(environ)
    assert attaching.best_front_end(env) == name
    assert printed(env) == ""


def test_a_screen_without_pyqt_gets_the_terminal_and_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attaching, "find_spec", lambda _: None)
    env = environment({"DISPLAY": ":0"})
    assert attaching.best_front_end(env) == "cli"
    assert "apt-get install python3-pyqt5" in printed(env)


@pytest.mark.parametrize("asked", [False, True])
def test_only_a_window_that_nobody_asked_for_may_be_the_terminal_instead(
    shell: Shell,
    local: LocalEngine,
    replaced: type[Replaced],
    monkeypatch: pytest.MonkeyPatch,
    asked: bool,
) -> None:
    monkeypatch.setattr(attaching, "best_front_end", lambda _: "qt")
    with pytest.raises(replaced) as caught:
        shell.run("attach", *(["qt"] if asked else []))
    assert (OR_TERMINAL in caught.value.command) is not asked


def test_other_front_ends_are_processes_of_their_own(
    shell: Shell, local: LocalEngine, replaced: type[Replaced]
) -> None:
    with pytest.raises(replaced) as caught:
        shell.run("attach", "qt", "--peer", "bob")
    assert caught.value.command == [
        sys.executable, "-P", "-m", "chatnet_cli.run_frontend", "chatnet_qt.app:main",
        local.connection_file, "--peer", "bob",
    ]  # fmt: skip
    assert shell.run("attach", "nonsense") == 2
    assert "Installed: cli, qt" in shell.err


def test_the_terminal_chat_knows_its_options(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("attach", "cli", "--", "--nonsense") == 2
    assert shell.run("attach", "cli", "--peer", "nobody") == 1


def test_running_a_stranger_s_front_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "stranger_face.py").write_text(
        "def main(argv, connection_file):\n    print(argv, connection_file)\n    return 7\n"
        "def stop(argv, connection_file):\n    raise KeyboardInterrupt\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run_frontend.main(["stranger_face:main", "/c.json", "a"]) == 7
    assert capsys.readouterr().out == "['a'] /c.json\n"
    assert run_frontend.main(["stranger_face:stop", "/c.json"]) == 130
    assert run_frontend.main(["stranger_face:none", "/c.json"]) == 1
    assert run_frontend.main(["no_such_module:main", "/c.json"]) == 1
    assert "cannot be loaded" in capsys.readouterr().err
    assert run_frontend.main(["x"]) == 2


def test_attach_starts_what_is_gone_without_anybody_having_ended_it(
    shell: Shell, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[tuple[str, bool]] = []

    def start_again(environ: object, folder: str, *, unasked: bool) -> None:
        starts.append((folder, unasked))

    monkeypatch.setattr(attaching, "start_again", start_again)
    folder = home / "sessions" / "12345"
    folder.mkdir(parents=True)
    (folder / "identity.key").touch()
    (folder / "start.json").write_bytes(encode_start_file(StartFile(["12345"])))
    assert shell.run("attach", "cli") == 3  # this one did not come up
    assert starts == [(str(folder), True)]
    assert shell.run("status") == 3
    (folder / "ended").write_bytes(encode_ended_file(EndedFile("stopped", "")))
    assert shell.run("attach", "cli") == 3
    assert len(starts) == 1
