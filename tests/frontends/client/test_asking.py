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
from chatnet_protocol.ipc import view as view_module
from local_engine import LocalEngine
from local_world import LostFrame


@pytest.fixture
def engine(own_home: Path) -> Iterator[LocalEngine]:
    with LocalEngine(own_home) as engine:
        yield engine


def test_the_status_comes_with_the_view_and_takes_no_place(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "SNAPSHOT_PART_BYTES", 50)
    status, view = ask_status(engine.connection_file)
    assert view.session.name == "12345"
    assert [link["peer"] for link in status.links] == [1]
    assert status.parts > 1
    assert engine.seen(cmd.Attach) == []


def test_a_snapshot_that_is_gone_is_asked_for_again(engine: LocalEngine) -> None:
    engine.world.instead[cmd.FetchSnapshot] = CommandError(ErrorCode.GONE, "Gone.")
    with pytest.raises(EngineUnreachable, match="cannot be read"):
        ask_status(engine.connection_file)
    assert len(engine.seen(cmd.FetchStatus)) == asking.MAX_ATTEMPTS
    engine.world.instead[cmd.FetchSnapshot] = CommandError(ErrorCode.STORE, "Broken.")
    with pytest.raises(CommandError, match="Broken"):
        ask_status(engine.connection_file)


def test_a_busy_engine_is_asked_again_until_the_time_is_over(engine: LocalEngine) -> None:
    engine.world.instead[cmd.FetchStatus] = CommandError(ErrorCode.BUSY, "Later.")
    with pytest.raises(CommandError, match="Later"):
        ask_status(engine.connection_file, timeout_s=0.5)
    assert len(engine.seen(cmd.FetchStatus)) > 1


def test_stopping_needs_no_place(engine: LocalEngine) -> None:
    ask_to_stop(engine.connection_file, "enough")
    assert not engine.world.engine.is_up
    assert engine.seen(cmd.Attach) == []


def test_a_stop_that_is_lost_is_asked_for_again(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "STOP_AGAIN_S", 0.2)
    lost: list[cmd.Command] = []

    def lose_the_first(command: cmd.Command) -> cmd.Result | None:
        if lost:
            return None
        lost.append(command)
        raise LostFrame

    engine.world.instead[cmd.StopEngine] = lose_the_first
    ask_to_stop(engine.connection_file, "enough")
    assert lost
    assert not engine.world.engine.is_up


def test_an_engine_that_ends_before_its_answer_is_read_has_ended(
    engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end_without_a_word(self: object, command: cmd.Command) -> cmd.Result:
        os.unlink(engine.connection_file)
        raise EngineUnreachable("The engine does not answer.")

    monkeypatch.setattr(asking._Asking, "ask", end_without_a_word)
    ask_to_stop(engine.connection_file, "enough")


def test_no_engine_and_no_answer_are_one_sentence(engine: LocalEngine, own_home: Path) -> None:
    with pytest.raises(EngineUnreachable, match="is not running"):
        ask_status(str(own_home / "missing.json"))
    with pytest.raises(EngineUnreachable, match="does not answer"):
        ask_status(engine.connection_file, timeout_s=0.0)
