"""The chat through pipes: every line is a message, in order, whatever it begins with."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from chatnet_cli import plain
from chatnet_client.client import Client
from chatnet_client.client_events import ClientEvent, ClientFailed
from chatnet_client.threaded import ThreadedClient
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.limits import MAX_TEXT_BYTES
from cli_shell import Shell
from local_engine import LocalEngine


def texts_of(local: LocalEngine) -> list[str]:
    """Everything that is stored, in order."""
    return local.do(lambda world: [row.text for _, row in world.history])


def test_every_line_is_sent_and_printed(shell: Shell, local: LocalEngine) -> None:
    local.do(lambda world: world.peer_sends("before"))
    assert shell.run("attach", "cli", stdin="one\n\n/quit\ntwo") == 0
    assert texts_of(local) == ["before", "one", "/quit", "two"]
    assert "bob: before" in shell.out
    assert local.seen(cmd.MarkRead) == []


def test_a_long_input_is_read_no_faster_than_it_becomes_durable(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "MAX_UNDER_WAY", 4)
    monkeypatch.setattr(plain, "MAX_WAITING", 8)
    lines = [f"line {number}" for number in range(100)]
    assert shell.run("attach", "cli", stdin="\n".join(lines)) == 0
    assert texts_of(local) == lines


def test_lines_that_cannot_be_queued_fail(shell: Shell, local: LocalEngine) -> None:
    local.world.instead[cmd.SendMessage] = CommandError(ErrorCode.STORE, "the disk is full")
    assert shell.run("attach", "cli", stdin="one\n") == 1
    assert "the disk is full" in shell.err


def test_a_piped_line_leaves_the_draft_that_somebody_writes_alone(
    shell: Shell, local: LocalEngine
) -> None:
    with Client.attach(local.connection_file, name="window") as window:
        assert window.ask(cmd.SetDraft(1, "half a thought", 0), cmd.DraftSet).accepted
    assert shell.run("attach", "cli", stdin="one\ntwo\n") == 0
    assert texts_of(local) == ["one", "two"]
    assert [message.draft_revision for message in local.seen(cmd.SendMessage)] == [0, 0]
    assert local.do(lambda world: world.peer().draft) == "half a thought"


def test_a_refused_line_becomes_nobodys_draft(shell: Shell, local: LocalEngine) -> None:
    local.world.instead[cmd.SendMessage] = CommandError(ErrorCode.STORE, "the disk is full")
    assert shell.run("attach", "cli", stdin="one\n") == 1
    assert local.seen(cmd.SetDraft) == []


def stdin_of(data: bytes) -> io.TextIOWrapper:
    """As `Environment.real` reads its standard input."""
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", "surrogateescape", newline="\n")


@pytest.mark.parametrize(
    ("encoding", "middle"),
    [("utf-8", "br\ufffdcke"), ("ascii", "br\ufffdcke"), ("latin-1", "brücke")],
)
def test_a_line_that_is_not_utf_8_is_read_as_the_locale_says(
    shell: Shell, local: LocalEngine, encoding: str, middle: str
) -> None:
    shell.input_encoding = encoding
    stdin = stdin_of(b"first\nbr\xfccke\ngr\xc3\xbc\xc3\x9fe\n")
    assert shell.run("attach", "cli", stdin=stdin) == 0
    assert texts_of(local) == ["first", middle, "grüße"]


def test_crlf_ends_a_line_and_blanks_alone_are_not_sent(shell: Shell, local: LocalEngine) -> None:
    assert shell.run("attach", "cli", stdin="one\r\n \t \r\n\r\n  two \r\n") == 0
    assert texts_of(local) == ["one", "  two "]


def test_a_line_longer_than_a_message_becomes_several(shell: Shell, local: LocalEngine) -> None:
    line = "ü" * MAX_TEXT_BYTES + "x" * (MAX_TEXT_BYTES // 2)
    assert shell.run("attach", "cli", stdin=line + "\nlast") == 0
    texts = texts_of(local)
    assert "".join(texts[:-1]) == line
    assert texts[-1] == "last"
    assert max(len(text.encode()) for text in texts) <= MAX_TEXT_BYTES


def test_an_input_that_fails_ends_the_chat_with_a_sentence(
    shell: Shell, local: LocalEngine
) -> None:
    class Broken(io.StringIO):
        def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override] # typeshed: bytes
            line = super().readline(-1 if size is None else size)
            if not line:
                raise OSError(5, "Input/output error")
            return line

    assert shell.run("attach", "cli", stdin=Broken("one\n")) == 1
    assert "The input cannot be read: Input/output error." in shell.err
    assert texts_of(local) == ["one"]


def test_a_client_that_dies_ends_the_chat_with_a_sentence(
    shell: Shell, local: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(ThreadedClient):
        def __init__(
            self, file: str, on_event: Callable[[ClientEvent], None], **options: Any
        ) -> None:
            super().__init__(file, on_event, **options)
            on_event(ClientFailed("The thread died."))

    monkeypatch.setattr(plain, "ThreadedClient", Dying)
    assert shell.run("attach", "cli", stdin="one\n") == 1
    assert "The thread died." in shell.err


def test_a_person_s_lines_may_be_commands_and_hold_no_control_characters(
    shell: Shell, local: LocalEngine
) -> None:
    shell.stdin_is_tty = True
    assert shell.run("attach", "cli", stdin="a\x1b[31mb\x07\n/nonsense\n/quit\nnot sent\n") == 0
    assert texts_of(local) == ["a[31mb"]
    assert "There is no /nonsense" in shell.err
    assert "keeps running" in shell.err
