"""The list of bubbles: it stays where it is, and what is clicked is what was drawn."""

import pytest

from chatnet_protocol.ipc.commands import AcceptTransfer, FetchHistory, RejectTransfer
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_qt.bubble_delegate import BubbleDelegate, Hit, tip_words
from chatnet_qt.bubble_layout import Numbers
from chatnet_qt.qt import (
    QApplication,
    QEvent,
    QKeyEvent,
    QMouseEvent,
    QPoint,
    QPointF,
    Qt,
    QTextLayout,
    present,
)
from qtworld import (
    MakeStage,
    Stage,
    message_id,
    offer_row,
    peer_view,
    session_view,
    text_row,
    transfer_row,
    with_rows,
)


def history(first: int, last: int) -> list[MessageRow]:
    return [
        text_row(no, f"message {no} " + "x" * (no % 90), ack=no) for no in range(first, last + 1)
    ]


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage(
        session_view(with_rows(peer_view(my_read=150), history(101, 150))), history=history(1, 150)
    )


def x_of(layout: QTextLayout, position: int) -> float:
    x = layout.lineForTextPosition(position).cursorToX(position)
    return x[0] if isinstance(x, tuple) else x


def top_of(stage: Stage, no: int) -> int:
    view, model = stage.pane.view, stage.pane.model
    row = model.row_of(message_id(no))
    placed = view.placed(row)
    return view.visualRect(model.index(row)).top() + round(placed.bubble.top())


def visible_no(stage: Stage) -> int:
    return stage.pane.model.message(stage.pane.view.visible_rows()[0]).no


def test_at_the_end_it_follows_new_messages(stage: Stage) -> None:
    assert stage.pane.view.at_end
    stage.arrive(text_row(151, "new\n" * 10, ack=151))
    assert stage.pane.view.at_end
    assert 50 in stage.pane.view.visible_rows()


def test_further_up_new_messages_move_nothing(stage: Stage) -> None:
    stage.bar.setValue(stage.bar.maximum() // 2)
    stage.settle()
    no = visible_no(stage)
    before = top_of(stage, no)
    stage.arrive(*[text_row(no, "new", ack=no) for no in range(151, 161)])
    assert top_of(stage, no) == before
    assert not stage.pane.view.at_end
    assert stage.pane.jump.isVisible()
    assert stage.pane.jump.count == 10


def test_older_pages_load_near_the_top_and_move_nothing(stage: Stage) -> None:
    stage.bar.setValue(100)
    no = visible_no(stage)
    before = top_of(stage, no)
    stage.settle()
    assert stage.client.asked(FetchHistory)
    assert stage.pane.model.rowCount() > 50
    assert top_of(stage, no) == before


def test_a_new_width_keeps_the_place(stage: Stage) -> None:
    stage.bar.setValue(stage.bar.maximum() // 2)
    stage.settle()
    no = visible_no(stage)
    before = top_of(stage, no)
    stage.window.resize(380, 500)
    stage.settle()
    assert top_of(stage, no) == before
    stage.pane.view.go_to_end()
    stage.window.resize(600, 420)
    stage.settle()
    assert stage.pane.view.at_end


def test_numbers_can_be_switched_off(stage: Stage) -> None:
    tall = stage.bar.maximum()
    stage.window.panes.set_numbers(Numbers.NEVER)
    stage.settle()
    assert stage.pane.view.at_end
    assert stage.bar.maximum() <= tall


def test_the_button_goes_to_the_end(stage: Stage) -> None:
    stage.bar.setValue(0)
    stage.settle()
    stage.pane.jump.click()
    stage.settle()
    assert stage.pane.view.at_end
    assert not stage.pane.jump.isVisible()


def test_copying_one_gives_the_text_and_several_a_transcript(stage: Stage) -> None:
    view, model = stage.pane.view, stage.pane.model
    clipboard = present(QApplication.clipboard())
    view.setCurrentIndex(model.index(0))
    view.copy_selected()
    assert clipboard.text() == model.bubble(0).text
    view.selectAll()
    view.copy_selected()
    lines = clipboard.text().splitlines()
    assert len(lines) == model.rowCount()
    assert "] Bob: message" in lines[0]


def test_letters_typed_on_the_list_go_to_the_composer(stage: Stage) -> None:
    key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a")
    stage.pane.view.keyPressEvent(key)
    assert stage.pane.composer.box.toPlainText() == "a"


def test_enter_opens_the_details(stage: Stage) -> None:
    wanted: list[bytes] = []
    stage.pane.view.details_wanted.connect(wanted.append)
    stage.pane.view.setCurrentIndex(stage.pane.model.index(3))
    key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier)
    stage.pane.view.keyPressEvent(key)
    assert wanted == [message_id(104)]


def offer_stage(make_stage: MakeStage) -> Stage:
    row = offer_row(1, "a.bin", 1000, ack=1)
    view = session_view(with_rows(peer_view(my_read=9), [row]))
    view.transfers.append(transfer_row(row, "offered", "a.bin", 1000))
    return make_stage(view)


def click(stage: Stage, at: QPoint) -> None:
    viewport = present(stage.pane.view.viewport())
    for kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonRelease):
        left = Qt.MouseButton.LeftButton
        event = QMouseEvent(kind, QPointF(at), left, left, Qt.KeyboardModifier.NoModifier)
        stage.app.sendEvent(viewport, event)


def test_the_buttons_of_an_offer_do_what_they_say(make_stage: MakeStage) -> None:
    stage = offer_stage(make_stage)
    view, model = stage.pane.view, stage.pane.model
    placed = view.placed(0)
    corner = view.visualRect(model.index(0)).topLeft()
    for box, action in placed.buttons:
        if action not in ("accept-to", "always"):
            click(stage, corner + box.center().toPoint())
    stage.settle()
    assert stage.client.asked(AcceptTransfer) == [AcceptTransfer(message_id(1))]
    assert stage.client.asked(RejectTransfer) == [RejectTransfer(message_id(1))]


def test_a_link_is_found_under_the_mouse_and_only_there(make_stage: MakeStage) -> None:
    text = "look: https://a.example/x and more"
    row = text_row(1, text, ack=1)
    stage = make_stage(session_view(with_rows(peer_view(my_read=9), [row])))
    view, model = stage.pane.view, stage.pane.model
    delegate, bubble = view.itemDelegate(), model.bubble(0)
    assert isinstance(delegate, BubbleDelegate)
    placed = view.placed(0)
    block = placed.blocks[0]
    line = block.layout.lineAt(0)
    x = x_of(block.layout, text.index("a.example"))
    corner = block.at
    on_link = (corner + QPointF(x + 3, line.y() + 5)).toPoint()
    on_word = (corner + QPointF(5, line.y() + 5)).toPoint()
    assert delegate.hit(bubble, view.font(), on_link).link == "https://a.example/x"
    assert delegate.hit(bubble, view.font(), on_word).link == ""
    assert delegate.hit(bubble, view.font(), QPoint(595, 3)) == Hit()


def test_a_link_behind_emoji_is_where_it_is_drawn(make_stage: MakeStage) -> None:
    text = "\N{PARTY POPPER}\N{PARTY POPPER} https://a.example/x more"
    row = text_row(1, text, ack=1)
    stage = make_stage(session_view(with_rows(peer_view(my_read=9), [row])))
    placed = stage.pane.view.placed(0)
    start, length, address = placed.blocks[0].links[0]
    as_qt_counts = placed.blocks[0].layout.text().encode("utf-16-le")
    assert as_qt_counts[2 * start : 2 * (start + length)].decode("utf-16-le") == address


def test_tooltips_say_the_state_and_are_no_markup(make_stage: MakeStage) -> None:
    row = text_row(1, "x", mine=True, seq=1)
    stage = make_stage(session_view(with_rows(peer_view(sent_seq=1), [row])))
    words = tip_words(stage.pane.model.bubble(0), Hit(on_bubble=True))
    assert words.startswith("Sent, not delivered yet.")


def drag(stage: Stage, start: QPoint, end: QPoint) -> None:
    viewport, left = present(stage.pane.view.viewport()), Qt.MouseButton.LeftButton
    none = Qt.KeyboardModifier.NoModifier
    for kind, at, button in (
        (QEvent.Type.MouseButtonPress, start, left),
        (QEvent.Type.MouseMove, end, Qt.MouseButton.NoButton),
        (QEvent.Type.MouseButtonRelease, end, left),
    ):
        held = Qt.MouseButton.NoButton if kind == QEvent.Type.MouseButtonRelease else left
        stage.app.sendEvent(viewport, QMouseEvent(kind, QPointF(at), button, held, none))


def point_in(stage: Stage, row: int, position: int) -> QPoint:
    """Where a position in a text is on screen."""
    view = stage.pane.view
    block = view.placed(row).blocks[0]
    line = block.layout.lineForTextPosition(position)
    x = x_of(block.layout, position)
    corner = view.visualRect(stage.pane.model.index(row)).topLeft()
    return corner + (block.at + QPointF(x, line.y() + line.height() / 2)).toPoint()


def test_a_part_of_a_text_is_selected_and_copied(make_stage: MakeStage) -> None:
    rows = [text_row(1, "one two three", ack=1), text_row(2, "four", ack=2)]
    stage = make_stage(session_view(with_rows(peer_view(my_read=9), rows)))
    clipboard = present(QApplication.clipboard())
    drag(stage, point_in(stage, 0, 4), point_in(stage, 0, 7))
    stage.pane.view.copy_selected()
    assert clipboard.text() == "two"
    drag(stage, point_in(stage, 0, 4), point_in(stage, 1, 2))
    stage.pane.view.copy_selected()
    assert [line.split("] ")[1] for line in clipboard.text().splitlines()] == [
        "Bob: one two three",
        "Bob: four",
    ]


def test_news_cover_the_conversation_and_do_not_move_it(stage: Stage) -> None:
    before = top_of(stage, 130)
    stage.pane.tell("Something happened.")
    stage.settle()
    assert stage.window.banner.isVisible()
    assert top_of(stage, 130) == before


def test_one_piece_of_news_at_a_time_the_most_urgent_first(stage: Stage) -> None:
    stage.pane.tell("Something happened.")
    stage.client.lose("no heartbeat")
    stage.settle()
    assert "no heartbeat" in present(stage.window.banner.shown).words
    stage.client.reset(session_view(with_rows(peer_view(), history(101, 150))), b"boot2")
    stage.settle()
    assert present(stage.window.banner.shown).words == "Something happened."


@pytest.mark.parametrize("size", [(600, 500), (480, 620), (1100, 760)])
def test_news_hide_nothing_of_a_conversation_that_fits(
    make_stage: MakeStage, size: tuple[int, int]
) -> None:
    rows = [text_row(no, f"Message {no}.", ack=no) for no in (1, 2)]
    stage = make_stage(session_view(with_rows(peer_view(), rows)), size=size)
    view, model, banner = stage.pane.view, stage.pane.model, stage.window.banner
    before = top_of(stage, 1)
    stage.pane.tell("Something happened. " * 6)
    stage.settle()
    below = banner.mapTo(stage.window, banner.rect().bottomLeft()).y()
    placed = view.placed(0)
    corner = present(view.viewport()).mapTo(stage.window, view.visualRect(model.index(0)).topLeft())
    assert placed.day_box is not None
    assert corner.y() + placed.day_box.top() > below
    stage.pane.notice_strip.show_banner(None)
    stage.settle()
    assert top_of(stage, 1) == before


def test_news_leave_the_first_message_where_it_is_and_can_be_scrolled_away_from_it(
    stage: Stage,
) -> None:
    view = stage.pane.view
    view.go_to_start()
    stage.settle()
    first = stage.pane.model.message(0).no
    before = top_of(stage, first)
    stage.pane.tell("Something happened.")
    stage.settle()
    assert top_of(stage, first) == before
    stage.bar.setValue(0)
    stage.settle()
    banner = stage.window.banner
    below = banner.mapTo(stage.window, banner.rect().bottomLeft()).y()
    assert (
        top_of(stage, first) + present(view.viewport()).mapTo(stage.window, QPoint(0, 0)).y()
        > below
    )


def test_what_is_jumped_to_is_not_under_a_banner(stage: Stage) -> None:
    stage.pane.tell("Something happened.")
    stage.settle()
    view, banner = stage.pane.view, stage.window.banner
    view.go_to_row(10)
    stage.settle()
    below = banner.mapTo(stage.window, banner.rect().bottomLeft()).y()
    origin = present(view.viewport()).mapTo(stage.window, QPoint(0, 0)).y()
    top = top_of(stage, stage.pane.model.message(10).no) + origin
    assert below < top < below + 80
