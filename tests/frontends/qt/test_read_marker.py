"""Shown and read: only what a person could see, and each step once."""

import pytest

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import MarkRead, MarkShown
from chatnet_protocol.ipc.rows import MessageRow
from qtworld import MakeStage, Stage, peer_view, session_view, text_row, with_rows


def history(first: int, last: int) -> list[MessageRow]:
    return [text_row(no, f"message {no}\nsecond line", ack=no) for no in range(first, last + 1)]


def marks(stage: Stage) -> tuple[list[int], list[int]]:
    shown = [command.ack for command in stage.client.asked(MarkShown)]
    return shown, [command.ack for command in stage.client.asked(MarkRead)]


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage(session_view(with_rows(peer_view(my_shown=40, my_read=40), history(1, 40))))


def test_what_was_known_before_is_not_told_again(stage: Stage) -> None:
    assert marks(stage) == ([], [])


def test_a_message_at_the_end_of_an_active_window_is_shown_and_read(stage: Stage) -> None:
    stage.arrive(text_row(41, "new", ack=41))
    stage.settle()
    assert marks(stage) == ([41], [41])


def test_a_window_in_the_background_shows_but_does_not_read(stage: Stage) -> None:
    stage.app.setActiveWindow(None)
    stage.arrive(text_row(41, "new", ack=41))
    assert marks(stage) == ([41], [])
    assert stage.pane.model.new_after == 40
    stage.app.setActiveWindow(stage.window)
    stage.settle()
    assert marks(stage) == ([41], [41])
    assert stage.pane.model.new_after == 40, "the line stays until one leaves"
    stage.client.change(ev.MarksMoved(1, 0, 0, 0, my_shown=41, my_read=41))
    stage.settle()
    stage.app.setActiveWindow(None)
    stage.settle()
    assert stage.pane.model.new_after == 40, "another window is not another conversation"
    stage.pane.leave()
    assert stage.pane.model.new_after is None


def test_a_hidden_window_shows_nothing(stage: Stage) -> None:
    stage.window.hide()
    stage.arrive(text_row(41, "new", ack=41))
    assert marks(stage) == ([], [])


def test_further_up_nothing_new_is_shown(stage: Stage) -> None:
    stage.bar.setValue(0)
    stage.arrive(text_row(41, "new", ack=41))
    assert marks(stage) == ([], [])
    assert stage.pane.model.new_after == 40
    stage.pane.view.go_to_end()
    stage.settle()
    assert marks(stage) == ([41], [41])


def test_nothing_is_marked_while_the_engine_is_away(stage: Stage) -> None:
    stage.client.lose()
    stage.arrive(text_row(41, "new", ack=41))
    assert marks(stage) == ([], [])


def test_an_own_message_takes_the_line_away(stage: Stage) -> None:
    stage.app.setActiveWindow(None)
    stage.arrive(text_row(41, "new", ack=41))
    stage.arrive(text_row(42, "answer", mine=True, seq=1))
    assert stage.pane.model.new_after is None


def test_a_conversation_that_is_entered_again_opens_at_the_line(make_stage: MakeStage) -> None:
    first = with_rows(peer_view(my_shown=40, my_read=40), history(1, 40))
    stage = make_stage(session_view(first, peer_view(2, name="Carol")))
    pane = stage.pane
    stage.window.peers.step(1)
    stage.settle()
    stage.arrive(*history(41, 80))
    assert marks(stage) == ([], [])
    stage.window.peers.step(1)
    stage.settle()
    assert stage.pane is pane
    assert pane.model.first_new_row() == 40
    assert 40 in pane.view.visible_rows()
    assert marks(stage)[1] == [], "what was not looked at is not read"


def test_unread_messages_open_at_the_line(make_stage: MakeStage) -> None:
    peer = with_rows(peer_view(my_shown=5, my_read=5), history(1, 40))
    stage = make_stage(session_view(peer))
    first = stage.pane.model.first_new_row()
    assert first == 5
    assert first in stage.pane.view.visible_rows()
    assert not stage.pane.view.at_end
    assert marks(stage)[1] == []
