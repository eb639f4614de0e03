"""A message that arrives is spoken: the description of what has the focus changes for a moment."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chatnet_qt.bubble import spoken as spoken_message
from chatnet_qt.qt import QApplication, QLabel, QModelIndex, Qt, present
from chatnet_qt.reading_list import ReadingList
from chatnet_qt.settings import Settings
from qtworld import (
    MakeStage,
    Stage,
    offer_row,
    peer_view,
    session_view,
    text_row,
    with_rows,
)


def open_at_box(make_stage: MakeStage) -> Stage:
    carol = with_rows(peer_view(2, name="Carol"), [])
    stage = make_stage(session_view(with_rows(peer_view(), [text_row(1, "hello", ack=1)]), carol))
    stage.pane.composer.box.setFocus()
    stage.settle()
    return stage


def spoken(stage: Stage) -> str:
    box = stage.pane.composer.box
    stage.until(lambda: bool(box.accessibleDescription()))
    return box.accessibleDescription()


def test_a_message_is_spoken_where_one_writes(make_stage: MakeStage) -> None:
    stage = open_at_box(make_stage)
    stage.arrive(text_row(2, "are you <b>there</b>?\n", ack=2))
    assert spoken(stage).startswith("Bob: are you <b>there</b>?")
    assert stage.pane.composer.box.accessibleName() == "Message"


def test_what_comes_together_is_spoken_together(make_stage: MakeStage) -> None:
    stage = open_at_box(make_stage)
    stage.arrive(text_row(2, "one", ack=2), text_row(3, "two", ack=3))
    stage.arrive(text_row(4, "hi", ack=1), peer=2)
    assert spoken(stage) == "2 from Bob, the last: two Carol: hi"


def test_a_file_is_spoken_as_one(make_stage: MakeStage) -> None:
    stage = open_at_box(make_stage)
    stage.arrive(offer_row(2, "photo.jpg", 1000, ack=2))
    assert spoken(stage) == "Bob: a file"


def test_own_old_and_muted_messages_are_not_spoken(make_stage: MakeStage, tmp_path: Path) -> None:
    stage = open_at_box(make_stage)
    Settings(str(tmp_path)).mute(present(stage.session.peer(2)).info.key, True)
    stage.arrive(text_row(2, "mine", mine=True, seq=1))
    stage.arrive(replace(text_row(3, "restored", ack=3), place=1))
    stage.arrive(text_row(4, "quiet", ack=1), peer=2)
    stage.arrive(text_row(5, "last", ack=4))
    assert spoken(stage) == "Bob: last"


def test_old_news_are_not_kept(make_stage: MakeStage) -> None:
    stage = open_at_box(make_stage)
    box = stage.pane.composer.box
    box.setAccessibleDescription("Markdown is not read")
    stage.arrive(text_row(2, "news", ack=2))
    stage.until(lambda: box.accessibleDescription() == "Bob: news")
    stage.window.attendants.announcer.clear()
    assert box.accessibleDescription() == "Markdown is not read"


def test_while_the_window_is_behind_notifications_speak(make_stage: MakeStage) -> None:
    stage = open_at_box(make_stage)
    other = QLabel("another window")
    other.show()
    stage.app.setActiveWindow(other)
    stage.arrive(text_row(2, "unseen", ack=2))
    stage.app.setActiveWindow(stage.window)
    stage.pane.composer.box.setFocus()
    stage.arrive(text_row(3, "seen", ack=3))
    assert spoken(stage) == "Bob: seen"
    other.close()
    assert QApplication.focusWidget() is stage.pane.composer.box


def test_a_reader_that_comes_to_the_list_is_at_a_message(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qt tells readers of a current message when it changes while the list has the focus."""
    stage = open_at_box(make_stage)
    reported: list[QModelIndex] = []
    monkeypatch.setattr(
        ReadingList, "currentChanged", lambda view, current, _before: reported.append(current)
    )
    stage.pane.view.setFocus(Qt.FocusReason.TabFocusReason)
    reported.clear()
    stage.settle()
    assert [index.data(Qt.ItemDataRole.AccessibleTextRole) for index in reported] == [
        spoken_message(stage.pane.model.bubble(0))
    ]
    assert stage.pane.view.accessibleName() == "Conversation"
