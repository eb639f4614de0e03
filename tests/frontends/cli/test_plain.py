"""The chat through pipes: every line is a message, in order, whatever it begins with."""

from chatnet_cli import plain
from chatnet_client.client import Client
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from fake_engine import FakeEngine


def test_every_line_is_sent_and_printed(shell, engine: FakeEngine) -> None:
    engine.do(lambda core: core.receive(1, "before"))
    assert shell.run("attach", "cli", stdin="one\n\n/quit\ntwo") == 0
    assert [row.text for _, row in engine.core.history] == ["before", "one", "/quit", "two"]
    assert "bob: before" in shell.out
    assert engine.seen(cmd.MarkRead) == []


def test_a_long_input_is_read_no_faster_than_it_becomes_durable(
    shell, engine: FakeEngine, monkeypatch
) -> None:
    monkeypatch.setattr(plain, "MAX_UNDER_WAY", 4)
    monkeypatch.setattr(plain, "MAX_WAITING", 8)
    lines = [f"line {number}" for number in range(100)]
    assert shell.run("attach", "cli", stdin="\n".join(lines)) == 0
    assert [row.text for _, row in engine.core.history] == lines


def test_lines_that_cannot_be_queued_fail(shell, engine: FakeEngine) -> None:
    engine.core.refuse[cmd.SendMessage] = CommandError(ErrorCode.STORE, "the disk is full")
    assert shell.run("attach", "cli", stdin="one\n") == 1
    assert "the disk is full" in shell.err


def test_a_piped_line_leaves_the_draft_that_somebody_writes_alone(
    shell, engine: FakeEngine
) -> None:
    with Client.attach(engine.connection_file, name="window") as window:
        assert window.ask(cmd.SetDraft(1, "half a thought", 0), cmd.DraftSet).accepted
    assert shell.run("attach", "cli", stdin="one\ntwo\n") == 0
    assert [row.text for _, row in engine.core.history] == ["one", "two"]
    assert [message.draft_revision for message in engine.seen(cmd.SendMessage)] == [0, 0]
    assert engine.core.peer(1).draft == "half a thought"


def test_a_refused_line_becomes_nobodys_draft(shell, engine: FakeEngine) -> None:
    engine.core.refuse[cmd.SendMessage] = CommandError(ErrorCode.STORE, "the disk is full")
    assert shell.run("attach", "cli", stdin="one\n") == 1
    assert engine.seen(cmd.SetDraft) == []
