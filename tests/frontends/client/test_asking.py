"""Asking an engine without attaching to it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnet_client import asking
from chatnet_client.asking import ask_status, ask_to_stop
from chatnet_client.errors import EngineUnreachable
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from fake_engine import FakeEngine


@pytest.fixture
def engine(own_home: Path) -> Iterator[FakeEngine]:
    with FakeEngine(own_home) as engine:
        yield engine


def test_the_status_comes_with_the_view_and_takes_no_place(engine: FakeEngine) -> None:
    engine.core.part_bytes = 50
    status, view = ask_status(engine.connection_file)
    assert status.facts["session"] == view.session.name
    assert status.parts > 1
    assert engine.seen(cmd.Attach) == []


def test_a_snapshot_that_is_gone_is_asked_for_again(engine: FakeEngine) -> None:
    engine.core.refuse[cmd.FetchSnapshot] = CommandError(ErrorCode.GONE, "Gone.")
    with pytest.raises(EngineUnreachable, match="cannot be read"):
        ask_status(engine.connection_file)
    assert len(engine.seen(cmd.FetchStatus)) == asking.MAX_ATTEMPTS
    engine.core.refuse[cmd.FetchSnapshot] = CommandError(ErrorCode.STORE, "Broken.")
    with pytest.raises(CommandError, match="Broken"):
        ask_status(engine.connection_file)


def test_a_busy_engine_is_asked_again_until_the_time_is_over(engine: FakeEngine) -> None:
    engine.core.refuse[cmd.FetchStatus] = CommandError(ErrorCode.BUSY, "Later.")
    with pytest.raises(CommandError, match="Later"):
        ask_status(engine.connection_file, timeout_s=0.5)
    assert len(engine.seen(cmd.FetchStatus)) > 1


def test_stopping_needs_no_place(engine: FakeEngine) -> None:
    ask_to_stop(engine.connection_file, "enough")
    assert engine.core.stopped
    assert engine.seen(cmd.Attach) == []


def test_a_stop_that_is_lost_is_asked_for_again(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "STOP_AGAIN_S", 0.2)
    answer = engine.core.answer
    lost = []

    def lose_the_first(routing_id: bytes, command: cmd.Command) -> cmd.Result:
        if isinstance(command, cmd.StopEngine) and not lost:
            lost.append(command)
            return cmd.Done()
        return answer(routing_id, command)

    handle = engine.core.handle_request

    def lose_its_answer(routing_id: bytes, frame: bytes) -> bytes:
        before = len(lost)
        answered = handle(routing_id, frame)
        return b"" if len(lost) > before else answered

    monkeypatch.setattr(engine.core, "answer", lose_the_first)
    monkeypatch.setattr(engine.core, "handle_request", lose_its_answer)
    ask_to_stop(engine.connection_file, "enough")
    assert lost
    assert engine.core.stopped


def test_an_engine_that_ends_before_its_answer_is_read_has_ended(
    engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_without_a_word(self: object, command: cmd.Command) -> cmd.Result:
        os.unlink(engine.connection_file)
        raise EngineUnreachable("The engine does not answer.")

    monkeypatch.setattr(asking._Asking, "ask", end_without_a_word)
    ask_to_stop(engine.connection_file, "enough")


def test_no_engine_and_no_answer_are_one_sentence(engine: FakeEngine, own_home: Path) -> None:
    with pytest.raises(EngineUnreachable, match="is not running"):
        ask_status(str(own_home / "missing.json"))
    with pytest.raises(EngineUnreachable, match="does not answer"):
        ask_status(engine.connection_file, timeout_s=0.0)
