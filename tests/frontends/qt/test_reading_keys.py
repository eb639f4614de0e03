"""The conversation is read without a mouse: from the composer, from the list, by Tab."""

import itertools

import pytest

from chatnet_protocol.ipc.commands import SendMessage
from chatnet_qt.qt import QApplication, QEvent, QKeyEvent, QPoint, Qt, QWidget, present
from keyboard import Keyboard
from qtworld import MakeStage, Stage, message_id, peer_view, session_view, text_row, with_rows

KEY = Qt.Key
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
PLAIN = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    rows = [text_row(no, f"message {no} " + "x" * (no % 90), ack=no) for no in range(1, 151)]
    view = session_view(with_rows(peer_view(my_read=150), rows[100:]))
    return make_stage(view, history=rows)


def press(
    stage: Stage,
    widget: QWidget,
    key: int,
    modifiers: Qt.KeyboardModifiers | Qt.KeyboardModifier = PLAIN,
) -> None:
    stage.app.sendEvent(widget, QKeyEvent(QEvent.Type.KeyPress, key, modifiers))
    stage.settle()


def current_no(stage: Stage) -> int:
    return stage.pane.model.message(stage.pane.view.currentIndex().row()).no


def assert_current_in_sight(stage: Stage) -> None:
    view = stage.pane.view
    box = view.visualRect(view.currentIndex())
    area = present(view.viewport()).rect()
    assert area.contains(box), f"message {current_no(stage)} at {box} is not inside {area}"


def test_pages_turn_while_one_writes(stage: Stage) -> None:
    box = stage.pane.composer.box
    box.setPlainText("half a thought\nand more")
    stage.settle()
    end = stage.bar.value()
    press(stage, box, KEY.Key_PageUp)
    page = present(stage.pane.view.viewport()).height()
    assert page * 0.7 < end - stage.bar.value() < page, "some lines of the last page stay"
    press(stage, box, KEY.Key_PageDown)
    assert stage.bar.value() == end
    assert box.toPlainText() == "half a thought\nand more"
    assert not stage.pane.view.currentIndex().isValid(), "reading selects nothing"


def test_the_first_and_the_newest_are_reached_while_one_writes(stage: Stage) -> None:
    box = stage.pane.composer.box
    box.setPlainText("half a thought\nand more")
    press(stage, box, KEY.Key_Home, CTRL)
    assert stage.pane.model.message(stage.pane.view.visible_rows()[0]).no == 1
    press(stage, box, KEY.Key_End, CTRL)
    assert stage.pane.view.at_end
    assert stage.bar.value() == stage.bar.maximum()


def test_pages_turn_while_one_searches(stage: Stage) -> None:
    stage.pane.find_bar.open_bar()
    stage.settle()
    end = stage.bar.value()
    press(stage, stage.pane.find_bar.box, KEY.Key_PageUp)
    assert stage.bar.value() < end


def test_selecting_in_the_composer_stays_there(stage: Stage) -> None:
    box = stage.pane.composer.box
    box.insertPlainText("a\nb")
    stage.settle()
    end = stage.bar.value()
    press(stage, box, KEY.Key_Home, Qt.KeyboardModifiers(CTRL) | SHIFT)
    assert box.textCursor().selectedText()
    assert stage.bar.value() == end


@pytest.mark.parametrize(
    "reason", [Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason]
)
def test_tab_enters_at_the_newest_in_sight(stage: Stage, reason: Qt.FocusReason) -> None:
    view = stage.pane.view
    stage.bar.setValue(stage.bar.maximum() // 2)
    before = stage.bar.value()
    view.setFocus(reason)
    assert stage.bar.value() == before
    assert_current_in_sight(stage)
    below = view.visualRect(present(view.model()).index(view.currentIndex().row() + 1, 0))
    assert below.bottom() >= present(view.viewport()).height()


def test_tab_comes_back_to_the_message_one_was_at(stage: Stage) -> None:
    view = stage.pane.view
    view.setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(3):
        press(stage, view, KEY.Key_Up)
    no = current_no(stage)
    stage.pane.composer.box.setFocus()
    view.setFocus(Qt.FocusReason.BacktabFocusReason)
    assert current_no(stage) == no


def test_arrows_walk_and_the_list_follows(stage: Stage) -> None:
    view = stage.pane.view
    view.setFocus(Qt.FocusReason.TabFocusReason)
    assert current_no(stage) == 150
    for no in range(149, 90, -1):
        press(stage, view, KEY.Key_Up)
        assert current_no(stage) == no
        assert_current_in_sight(stage)
    for no in range(92, 151):
        press(stage, view, KEY.Key_Down)
        assert current_no(stage) == no
        assert_current_in_sight(stage)
    assert view.at_end


def test_an_arrow_begins_with_what_is_in_sight(stage: Stage) -> None:
    view = stage.pane.view
    view.setFocus(Qt.FocusReason.TabFocusReason)
    stage.bar.setValue(0)
    stage.settle()
    before = view.visible_rows()
    press(stage, view, KEY.Key_Up)
    assert_current_in_sight(stage)
    assert view.visible_rows() == before


def test_pages_and_ends_move_the_current_message_along(stage: Stage) -> None:
    view = stage.pane.view
    view.setFocus(Qt.FocusReason.TabFocusReason)
    press(stage, view, KEY.Key_PageUp)
    assert_current_in_sight(stage)
    assert not view.at_end
    press(stage, view, KEY.Key_PageDown)
    assert_current_in_sight(stage)
    press(stage, view, KEY.Key_Home)
    assert current_no(stage) == 1
    assert_current_in_sight(stage)
    press(stage, view, KEY.Key_End)
    assert current_no(stage) == 150
    assert_current_in_sight(stage)


def test_a_message_taller_than_the_list_is_read_to_its_end(make_stage: MakeStage) -> None:
    rows = [text_row(no, "short", ack=no) for no in (1, 2, 4, 5)]
    rows.insert(2, text_row(3, "line\n" * 50 + "last", ack=3))
    stage = make_stage(session_view(with_rows(peer_view(my_read=5), rows)), size=(600, 400))
    view = stage.pane.view
    view.setFocus(Qt.FocusReason.TabFocusReason)
    tall = present(view.model()).index(2, 0)
    height = present(view.viewport()).height()
    seen: list[tuple[int, int]] = []
    for _ in range(20):
        press(stage, view, KEY.Key_Up)
        if view.currentIndex() == tall:
            box = view.visualRect(tall)
            seen.append((max(0, -box.top()), min(box.height(), height - box.top())))
    assert current_no(stage) == 1
    assert seen[0][1] == view.visualRect(tall).height(), "its end comes into sight first"
    assert min(start for start, _ in seen) == 0
    for (start, _), (_, end) in itertools.pairwise(seen):
        assert end >= start, "no line is passed over"


def test_the_keyboards_place_is_drawn_and_the_mouse_takes_it_away(stage: Stage) -> None:
    view = stage.pane.view
    view.setFocus(Qt.FocusReason.TabFocusReason)
    box = view.visualRect(view.currentIndex())
    with_ring = present(view.viewport()).grab(box).toImage()
    stage.pane.composer.box.setFocus()
    without = present(view.viewport()).grab(box).toImage()
    assert with_ring != without


def test_the_word_found_is_marked_until_the_search_is_closed(stage: Stage) -> None:
    view, bar = stage.pane.view, stage.pane.find_bar
    bar.open_bar()
    bar.box.setText("message 140")
    bar.search()
    stage.settle()
    box = view.visualRect(view.currentIndex())
    marked = present(view.viewport()).grab(box).toImage()
    bar.box.clear()
    bar.search()
    stage.settle()
    assert present(view.viewport()).grab(view.visualRect(view.currentIndex())).toImage() != marked
    assert QApplication.focusWidget() is bar.box
    assert view.indexAt(QPoint(8, box.center().y())).isValid()
    assert stage.pane.model.row_of(message_id(140)) == view.currentIndex().row()


def test_esc_closes_what_is_open_and_goes_back_to_the_newest(stage: Stage) -> None:
    pane = stage.pane
    pane.find_bar.open_bar()
    pane.composer.box.setFocus()
    pane.tell("News.")
    stage.bar.setValue(0)
    stage.settle()
    for open_now in (
        pane.find_bar.isVisible,
        lambda: pane.notice_strip.shown is not None,
        lambda: not pane.view.at_end,
    ):
        assert open_now()
        press(stage, pane.composer.box, Qt.Key.Key_Escape)
        assert not open_now()


def test_what_is_typed_at_the_list_while_messages_arrive_goes_to_the_composer(
    stage: Stage,
) -> None:
    view, box, keys = stage.pane.view, stage.pane.composer.box, Keyboard(stage)
    view.setFocus(Qt.FocusReason.TabFocusReason)
    before = len(stage.client.asked(SendMessage))
    stage.arrive(text_row(900, "and now?", ack=900))
    assert view.hasFocus()
    keys.write("so")
    stage.arrive(text_row(901, "another", ack=901))
    keys.write(" it is")
    assert box.written() == "so it is"
    assert box.hasFocus()
    assert len(stage.client.asked(SendMessage)) == before
    keys.press(KEY.Key_Return)
    sent = stage.client.asked(SendMessage)[before:]
    assert [command.text for command in sent] == ["so it is"]


@pytest.mark.parametrize("key", [KEY.Key_Return, KEY.Key_Delete, KEY.Key_Backspace, KEY.Key_Tab])
def test_a_key_at_the_list_sends_nothing_of_what_is_written(stage: Stage, key: Qt.Key) -> None:
    box = stage.pane.composer.box
    box.setPlainText("unsent")
    stage.pane.view.setFocus(Qt.FocusReason.TabFocusReason)
    stage.arrive(text_row(900, "and now?", ack=900))
    Keyboard(stage).press(key)
    assert stage.client.asked(SendMessage) == []
    assert box.written() == "unsent"
