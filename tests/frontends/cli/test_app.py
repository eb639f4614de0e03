"""Words, exit codes, and that nothing ever ends in a traceback."""

import dataclasses
import io
import os
import sys
from pathlib import Path

import pytest

from chatnet_cli.app import VERBS
from chatnet_cli.environment import Environment
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.version import PRODUCT_VERSION
from cli_shell import Replaced, Shell
from local_engine import LocalEngine
from local_world import LocalWorld


def test_help_and_version(shell: Shell) -> None:
    assert shell.run("--version") == 0
    assert shell.out == f"chatnet {PRODUCT_VERSION}\n"
    assert shell.run("--help") == 0
    assert "chatnet LOCAL_PORT PEER_HOST PEER_PORT" in shell.out
    assert "exit codes" in shell.out
    assert shell.run() == 2
    assert shell.out == ""


@pytest.mark.parametrize("verb", list(VERBS))
def test_every_verb_has_help_with_examples(shell: Shell, verb: str) -> None:
    assert shell.run(verb, "--help") == 0
    assert "examples:\n  chatnet" in shell.out
    assert shell.err == ""


@pytest.mark.parametrize(
    "words",
    [
        ("nonsense",),
        ("send",),
        ("send", "x", "--wait", "never"),
        ("send", "x", "--timeout", "-1"),
        ("events", "--since", "-1"),
        ("peer",),
        ("peer", "add", "host"),
        ("12345",),
        ("12345", "host"),
        ("12345", "host", "0"),
        ("70000", "host", "1"),
        ("12345", "host", "12346", "--front-end", "nonsense"),
    ],
)
def test_usage_errors(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.run(*words) == 2
    assert shell.out == ""
    assert shell.err


@pytest.mark.parametrize(
    "words",
    [
        ("send", "x"),
        ("history",),
        ("events",),
        ("status",),
        ("stop",),
        ("attach",),
        ("send", "x", "--session", "none"),
    ],
)
def test_without_a_session_the_exit_code_is_3(shell: Shell, words: tuple[str, ...]) -> None:
    assert shell.run(*words) == 3
    assert shell.err.startswith(("No session is running.", "Session none is not running."))


def test_several_sessions_need_a_name(shell: Shell, home: Path, local: LocalEngine) -> None:
    with LocalEngine(home, LocalWorld(session="other")):
        assert shell.run("send", "x") == 2
        assert "12345, other" in shell.err
        assert shell.run("--session", "other", "send", "x") == 0
        assert shell.run("send", "--session", "other", "x") == 0
        assert shell.run("send", "x", "--session", "bad name") == 1
    assert local.seen(cmd.SendMessage) == []


@pytest.mark.parametrize(
    ("code", "status"),
    [(ErrorCode.REFUSED, 5), (ErrorCode.NOT_ALLOWED, 5), (ErrorCode.STORE, 1)],
)
def test_the_engine_s_errors(
    shell: Shell, local: LocalEngine, code: ErrorCode, status: int
) -> None:
    local.world.instead[cmd.SendMessage] = CommandError(code, "It said no.")
    assert shell.run("send", "x") == status
    assert (shell.out, shell.err) == ("", "It said no.\n")


def test_a_stopped_engine_is_no_session(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnet_client.client.ATTACH_TIMEOUT_S", 0.1)
    monkeypatch.setattr(
        "chatnet_client.client.Client.attach.__func__.__kwdefaults__",
        {"role": "full", "since_no": None, "keep_up": False, "timeout_s": 0.1},
        raising=False,
    )
    local.silent = True
    assert shell.run("send", "x") == 3
    assert "does not answer" in shell.err


def test_engine_replaces_the_process(shell: Shell, replaced: type[Replaced]) -> None:
    with pytest.raises(replaced) as caught:
        shell.run("--session", "x", "engine", "12345", "-d", "--help")
    assert caught.value.command == [
        sys.executable, "-P", "-m", "chatnet_engine", "--session", "x", "12345", "-d", "--help",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words", [("history", "--search", "\udcff"), ("peer", "add", "h\udcff", "5"), ("\udcff",)]
)
def test_words_that_are_no_text_are_refused_before_anything_is_done(
    shell: Shell, local: LocalEngine, words: tuple[str, ...]
) -> None:
    assert shell.run(*words) == 2
    assert "is not valid UTF-8; set" in shell.err
    assert shell.err.count("\n") == 1


def test_bugs_interrupts_and_closed_pipes_are_quiet(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, local: LocalEngine
) -> None:
    def broken(error: BaseException) -> None:
        def verb(env: object, options: object) -> None:
            raise error

        monkeypatch.setattr("chatnet_cli.verbs.session.sessions", verb)

    broken(ValueError("odd\x1b"))
    assert shell.run("sessions") == 1
    assert shell.err == "A bug in ChatNet: ValueError odd\\x1b\n"
    broken(KeyboardInterrupt())
    assert shell.run("sessions") == 130
    assert shell.err == ""
    broken(PermissionError(13, "Permission denied", "/root/x"))
    assert shell.run("sessions") == 1
    assert shell.err == "/root/x: Permission denied.\n"

    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    monkeypatch.undo()
    shell.stdout = Closed()
    assert shell.run("sessions") == 0


def test_a_reader_that_left_is_noticed(shell: Shell) -> None:
    read_end, write_end = os.pipe()
    with open(write_end, "w") as stdout:
        env = dataclasses.replace(Environment.real(), stdout=stdout)
        assert not env.reader_is_gone()
        os.close(read_end)
        assert env.reader_is_gone()
    assert not dataclasses.replace(env, stdout=io.StringIO()).reader_is_gone()


def test_another_platform_is_refused(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert shell.run("sessions") == 1
    assert shell.err == "ChatNet runs on Linux; this is darwin.\n"
