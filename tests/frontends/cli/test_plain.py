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
from fake_engine import FakeEngine


def test_every_line_is_sent_and_printed(shell: Shell, engine: FakeEngine) -> None:
    engine.do(lambda core: core.receive(1, "before"))
    assert shell.run("attach", "cli", stdin="one\n\n/quit\ntwo") == 0
    assert [row.text for _, row in engine.core.history] == ["before", "one", "/quit", "two"]
    assert "bob: before" in shell.out
    assert engine.seen(cmd.MarkRead) == []


def test_a_long_input_is_read_no_faster_than_it_becomes_durable(
    shell: Shell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "MAX_UNDER_WAY", 4)
    monkeypatch.setattr(plain, "MAX_WAITING", 8)
    lines = [f"line {number}" for number in range(100)]
    assert shell.run("attach", "cli", stdin="\n".join(lines)) == 0
    assert [row.text for _, row in engine.core.history] == lines


def test_lines_that_cannot_be_queued_fail(shell: Shell, engine: FakeEngine) -> None:
    engine.core.refuse[cmd.SendMessage] = CommandError(ErrorCode.STORE, "the disk is full")
    assert shell.run("attach", "cli", stdin="one\n") == 1
    assert "the disk is full" in shell.err


def test_a_piped_line_leaves_the_draft_that_somebody_writes_alone(
    shell: Shell, engine: FakeEngine
) -> None:
    with Client.attach(engine.connection_file, name="window") as window:
        assert window.ask(cmd.SetDraft(1, "half a thought", 0), cmd.DraftSet).accepted
    assert shell.run("attach", "cli", stdin="one\ntwo\n") == 0
    assert [row.text for _, row in engine.core.history] == ["one", "two"]
    assert [message.draft_revision for message in engine.seen(cmd.SendMessage)] == [0, 0]
    assert engine.core.peer(1).draft == "half a thought"


def test_a_refused_line_becomes_nobodys_draft(shell: Shell, engine: FakeEngine) -> None:
    engine.core.refuse[cmd.SendMessage] = CommandError(ErrorCode.STORE, "the disk is full")
    assert shell.run("attach", "cli", stdin="one\n") == 1
    assert engine.seen(cmd.SetDraft) == []


def stdin_of(data: bytes) -> io.TextIOWrapper:
    """As `Environment.real` reads its standard input."""
    return io.TextIOWrapper(io.BytesIO(data), "utf-8", "surrogateescape", newline="\n")


@pytest.mark.parametrize(
    ("encoding", "middle"),
    [("utf-8", "br\ufffdcke"), ("ascii", "br\ufffdcke"), ("latin-1", "brücke")],
)
def test_a_line_that_is_not_utf_8_is_read_as_the_locale_says(
    shell: Shell, engine: FakeEngine, encoding: str, middle: str
) -> None:
    shell.input_encoding = encoding
    stdin = stdin_of(b"first\nbr\xfccke\ngr\xc3\xbc\xc3\x9fe\n")
    assert shell.run("attach", "cli", stdin=stdin) == 0
    assert [row.text for _, row in engine.core.history] == ["first", middle, "grüße"]


def test_crlf_ends_a_line_and_blanks_alone_are_not_sent(shell: Shell, engine: FakeEngine) -> None:
    assert shell.run("attach", "cli", stdin="one\r\n \t \r\n\r\n  two \r\n") == 0
    assert [row.text for _, row in engine.core.history] == ["one", "  two "]


def test_a_line_longer_than_a_message_becomes_several(shell: Shell, engine: FakeEngine) -> None:
    line = "ü" * MAX_TEXT_BYTES + "x" * (MAX_TEXT_BYTES // 2)
    assert shell.run("attach", "cli", stdin=line + "\nlast") == 0
    texts = [row.text for _, row in engine.core.history]
    assert "".join(texts[:-1]) == line
    assert texts[-1] == "last"
    assert max(len(text.encode()) for text in texts) <= MAX_TEXT_BYTES


def test_an_input_that_fails_ends_the_chat_with_a_sentence(
    shell: Shell, engine: FakeEngine
) -> None:
    class Broken(io.StringIO):
        def readline(self, size: int = -1, /) -> str:
            line = super().readline(size)
            if not line:
                raise OSError(5, "Input/output error")
            return line

    assert shell.run("attach", "cli", stdin=Broken("one\n")) == 1
    assert "The input cannot be read: Input/output error." in shell.err
    assert [row.text for _, row in engine.core.history] == ["one"]


def test_a_client_that_dies_ends_the_chat_with_a_sentence(
    shell: Shell, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
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
    shell: Shell, engine: FakeEngine
) -> None:
    shell.stdin_is_tty = True
    assert shell.run("attach", "cli", stdin="a\x1b[31mb\x07\n/nonsense\n/quit\nnot sent\n") == 0
    assert [row.text for _, row in engine.core.history] == ["a[31mb"]
    assert "There is no /nonsense" in shell.err
    assert "keeps running" in shell.err
