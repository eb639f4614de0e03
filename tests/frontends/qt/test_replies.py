"""Answering a message in the window: choosing it, sending, the quote above the bubble, the jump."""

import msgspec
import pytest
from msgspec.structs import replace

from chatnet_client.kept import MemoryKeeper
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import FetchHistory, SendMessage
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_qt.bubble import Quote, spoken
from chatnet_qt.bubble_delegate import BubbleDelegate, tip_words
from chatnet_qt.bubble_layout import Numbers
from chatnet_qt.card_layout import place
from chatnet_qt.qt import QEvent, QKeyEvent, QPoint, QRectF, Qt
from chatnet_qt.tokens import measures_of
from qtworld import MakeStage, Stage, message_id, peer_view, session_view, text_row, with_rows
from screens.faults import wrong_parts

ALT = Qt.KeyboardModifier.AltModifier
GONE = b"\xee" * 16
HOSTILE = "<b>x</b>\u202e \n\x1b[31m" + "long " * 400


def answering(no: int, text: str, reply_to: bytes, **fields: object) -> MessageRow:
    return msgspec.structs.replace(text_row(no, text, ack=no), reply_to=reply_to, **fields)


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """1 and 3 are the peer's, 2 is ours, 4 answers 1, 5 answers what nobody has."""
    rows = [text_row(1, "lunch?", ack=1), text_row(2, "hm", mine=True, seq=1)]
    rows += [text_row(3, "or dinner?", ack=2), answering(4, "yes", message_id(1))]
    rows += [answering(5, "what?", GONE)]
    return make_stage(session_view(with_rows(peer_view(), rows)), history=rows)


def press(stage: Stage, key: int, modifier: Qt.KeyboardModifier = ALT) -> None:
    event = QKeyEvent(QEvent.Type.KeyPress, key, modifier)
    stage.pane.composer.box.keyPressEvent(event)
    stage.settle()


def quote_of(stage: Stage, row: int) -> Quote | None:
    return stage.pane.model.bubble(row).quote


def chosen(stage: Stage) -> bytes:
    bar = stage.pane.composer.reply_bar
    assert bar.isVisible() is bool(bar.message_id)
    return bar.message_id


def write(stage: Stage, text: str) -> None:
    stage.pane.composer.box.setPlainText(text)
    stage.pane.composer.send()
    stage.settle()


def test_alt_and_arrows_choose_and_the_text_answers_it_once(stage: Stage) -> None:
    for _ in range(3):
        press(stage, Qt.Key.Key_Up)
    assert chosen(stage) == message_id(3)
    press(stage, Qt.Key.Key_Up)
    press(stage, Qt.Key.Key_Down)
    assert chosen(stage) == message_id(3)
    write(stage, "dinner")
    assert chosen(stage) == b""
    write(stage, "at eight")
    sent = [(c.text, c.reply_to) for c in stage.client.asked(SendMessage)]
    assert sent == [("dinner", message_id(3)), ("at eight", b"")]


def test_at_the_top_it_stays_below_the_newest_it_ends(stage: Stage) -> None:
    press(stage, Qt.Key.Key_Down)
    assert chosen(stage) == b""
    for _ in range(9):
        press(stage, Qt.Key.Key_Up)
    assert chosen(stage) == message_id(1)
    for _ in range(9):
        press(stage, Qt.Key.Key_Down)
    assert chosen(stage) == b""


@pytest.mark.parametrize("by_key", [True, False])
def test_the_choice_is_dropped_and_the_text_stays(stage: Stage, by_key: bool) -> None:
    press(stage, Qt.Key.Key_Up)
    stage.pane.composer.box.setPlainText("half a thought")
    if by_key:
        press(stage, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
    else:
        stage.pane.composer.reply_bar.close_button.click()
    assert chosen(stage) == b""
    stage.pane.composer.send()
    assert stage.client.asked(SendMessage)[0].reply_to == b""


def test_what_was_withdrawn_or_waits_is_not_answered(make_stage: MakeStage) -> None:
    rows = [text_row(1, "lunch?", ack=1)]
    failed = msgspec.structs.replace(text_row(2, "no", mine=True, seq=1), failed="withdrawn")
    stage = make_stage(session_view(with_rows(peer_view(), [*rows, failed])))
    stage.client.answers_messages = False
    write(stage, "waits")
    press(stage, Qt.Key.Key_Up)
    assert chosen(stage) == message_id(1)
    menu = stage.pane.message_actions.menu_for(message_id(2))
    assert menu is not None
    assert "&Reply" not in [action.text() for action in menu.actions()]


def test_the_menu_answers_too(stage: Stage) -> None:
    menu = stage.pane.message_actions.menu_for(message_id(2))
    assert menu is not None
    next(action for action in menu.actions() if action.text() == "&Reply").trigger()
    assert chosen(stage) == message_id(2)
    assert stage.pane.composer.box.hasFocus()


def test_quotes_say_what_is_answered_or_that_it_is_not_here(stage: Stage) -> None:
    assert quote_of(stage, 3) == Quote(message_id(1), "Bob", "lunch?")
    assert quote_of(stage, 4) == Quote(GONE, "", "Message not here")
    assert quote_of(stage, 0) is None
    assert "answers Bob, lunch?: yes" in spoken(stage.pane.model.bubble(3))
    asked = [c for c in stage.client.asked(FetchHistory) if c.ids]
    assert asked == [FetchHistory(1, ids=[GONE])]
    back = text_row(6, "that", ack=3)
    stage.client.change(
        ev.MessagesRestored(1, 6, [msgspec.structs.replace(back, id=GONE, place=1)])
    )
    stage.settle()
    row = stage.pane.model.row_of(message_id(5))
    assert quote_of(stage, row) == Quote(GONE, "Bob", "that")


def test_a_withdrawn_message_is_not_here(make_stage: MakeStage) -> None:
    rows = [text_row(1, "hm", mine=True, seq=1), answering(2, "what?", message_id(1))]
    stage = make_stage(session_view(with_rows(peer_view(), rows)))
    assert quote_of(stage, 1) == Quote(message_id(1), "You", "hm")
    stage.client.change(ev.MessageFailed(1, 1, "withdrawn"))
    stage.settle()
    assert quote_of(stage, 1) == Quote(message_id(1), "", "Message not here")


def test_a_click_on_the_quote_shows_the_message_also_one_further_up(make_stage: MakeStage) -> None:
    history = [text_row(no, f"message {no}", ack=no) for no in range(1, 200)]
    history.append(answering(200, "yes", message_id(3)))
    view = session_view(with_rows(peer_view(my_read=200), history[-50:]))
    stage = make_stage(view, history=history)
    row = stage.pane.model.row_of(message_id(200))
    assert quote_of(stage, row) == Quote(message_id(3), "Bob", "message 3")
    assert stage.pane.model.row_of(message_id(3)) < 0
    stage.pane.view.acted.emit(message_id(200), "answered")
    stage.settle()
    shown = stage.pane.model.row_of(message_id(3))
    assert shown >= 0
    assert shown in stage.pane.view.visible_rows()


def test_the_quote_lies_under_the_mouse(stage: Stage) -> None:
    view, model = stage.pane.view, stage.pane.model
    delegate = view.itemDelegate()
    assert isinstance(delegate, BubbleDelegate)
    for row, action in ((3, "answered"), (4, "")):
        bubble = model.bubble(row)
        box = delegate.placed(bubble, view.font()).quote_box
        assert box is not None
        found = delegate.hit(bubble, view.font(), QPoint(*map(round, (box.x() + 9, box.y() + 9))))
        assert (found.action, found.on_bubble) == (action, True)
    assert tip_words(model.bubble(3), found) != ""


@pytest.mark.parametrize("width", [260.0, 600.0, 2000.0])
@pytest.mark.parametrize("mine", [True, False])
@pytest.mark.parametrize("text", ["ok", "👍", "many words " * 30, "```\ncode\n```"])
def test_a_quote_lies_inside_its_bubble(stage: Stage, width: float, mine: bool, text: str) -> None:
    m = measures_of(stage.app.font())
    model = stage.pane.model
    for quote in (model.quotes.quote(text_row(9, HOSTILE, mine=mine)), Quote(GONE, "", "…")):
        assert "\n" not in quote.text
        row = msgspec.structs.replace(text_row(1, text, mine=mine, ack=1), reply_to=GONE)
        bubble = replace(model.bubble(0), row=row, text=text, quote=quote)
        placed = place(bubble, width, m, Numbers.ALWAYS)
        assert list(wrong_parts(placed, width)) == []
        assert placed.quote_box is not None
        assert QRectF(placed.bubble).contains(placed.quote_box)
        assert all(block.at.y() >= placed.quote_box.bottom() for block in placed.blocks)


def test_a_kept_answer_shows_its_quote_while_it_waits(make_stage: MakeStage) -> None:
    rows = [text_row(1, "lunch?", ack=1)]
    keeper = MemoryKeeper()
    stage = make_stage(session_view(with_rows(peer_view(), rows)), keeper=keeper)
    stage.client.answers_messages = False
    press(stage, Qt.Key.Key_Up)
    write(stage, "yes")
    stage.settle()
    assert quote_of(stage, 1) == Quote(message_id(1), "Bob", "lunch?")
