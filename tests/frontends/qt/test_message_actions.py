"""Taking back a text that was never sent: by menu, by key, and when it is too late."""

import pytest

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import (
    AcceptTransfer,
    AllowUpdates,
    DeleteMessage,
    WithdrawMessage,
)
from chatnet_qt.bubble_delegate import Hit, tip_words
from chatnet_qt.message_actions import TOO_LATE
from chatnet_qt.qt import QEvent, QKeyEvent, Qt
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

WITHDRAWN = "withdrawn"


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    """Message 1 is sent, 2 and 3 wait, 4 is the peer's, 5 offers a file."""
    rows = [text_row(no, f"text {no}", mine=True, seq=no) for no in (1, 2, 3)]
    rows += [text_row(4, "theirs", ack=1), offer_row(5, "a.bin", 10, mine=True, seq=4)]
    return make_stage(session_view(with_rows(peer_view(sent_seq=1), rows)))


def entries(stage: Stage, no: int) -> list[str]:
    menu = stage.pane.message_actions.menu_for(message_id(no))
    assert menu is not None
    return [action.text() for action in menu.actions()]


def press_delete(stage: Stage, no: int) -> None:
    view = stage.pane.view
    view.go_to(message_id(no))
    key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Delete, Qt.KeyboardModifier.NoModifier)
    view.keyPressEvent(key)
    stage.settle()


def notice(stage: Stage) -> str:
    shown = stage.pane.notice_strip.shown
    return shown.words if shown else ""


def test_only_an_own_text_that_was_never_sent_offers_to_be_withdrawn(stage: Stage) -> None:
    offering = [no for no in range(1, 6) if "&Withdraw\tDel" in entries(stage, no)]
    assert offering == [2, 3]


def test_a_withdrawn_text_comes_back_into_the_empty_box(stage: Stage) -> None:
    menu = stage.pane.message_actions.menu_for(message_id(2))
    assert menu is not None
    next(action for action in menu.actions() if "Withdraw" in action.text()).trigger()
    assert stage.client.asked(WithdrawMessage) == [WithdrawMessage(message_id(2), 1)]
    stage.client.change(ev.MessageFailed(1, 2, WITHDRAWN))
    stage.settle()
    assert stage.pane.composer.box.toPlainText() == "text 2"
    assert stage.pane.composer.box.hasFocus()
    bubble = stage.pane.model.bubble(1)
    assert (bubble.state, bubble.row.failed) == ("withdrawn", WITHDRAWN)
    assert "&Withdraw\tDel" not in entries(stage, 2)
    assert "&Send again" in entries(stage, 2)


def test_a_withdrawn_text_is_deleted_from_the_conversation(stage: Stage) -> None:
    stage.client.change(ev.MessageFailed(1, 2, WITHDRAWN))
    stage.settle()
    rows = stage.pane.model.rowCount()
    buttons = [action for _, action in stage.pane.view.placed(1).below]
    assert buttons == ["delete-text", "retry-text"]
    press_delete(stage, 2)
    assert stage.client.asked(DeleteMessage) == [DeleteMessage(message_id(2), 1)]
    assert stage.pane.model.rowCount() == rows  # not before the engine says so
    stage.client.change(ev.MessageFailed(1, 2, "deleted"))
    stage.settle()
    assert stage.pane.model.rowCount() == rows - 1
    assert stage.pane.model.row_of(message_id(2)) == -1


def test_a_text_being_written_is_not_replaced(stage: Stage) -> None:
    stage.pane.composer.box.setPlainText("something else")
    press_delete(stage, 3)
    assert stage.client.asked(WithdrawMessage) == [WithdrawMessage(message_id(3), 1)]
    assert stage.pane.composer.box.toPlainText() == "something else"


def test_what_may_have_been_sent_is_told_to_stay(stage: Stage) -> None:
    for no in (1, 4, 5):
        stage.pane.notice_strip.show_banner(None)
        press_delete(stage, no)
        assert notice(stage) == TOO_LATE
    assert stage.client.asked(WithdrawMessage) == []


def test_the_engine_has_the_last_word(stage: Stage) -> None:
    stage.client.held.add(WithdrawMessage)
    press_delete(stage, 2)
    stage.client.answer(error="It may have been sent.")
    stage.settle()
    assert notice(stage) == "It may have been sent."
    assert stage.pane.composer.box.toPlainText() == ""


def test_files_that_came_back_as_a_record_are_fetched(make_stage: MakeStage) -> None:
    row = offer_row(1, "a.bin", 10, ack=1)
    view = session_view(with_rows(peer_view(), [row, offer_row(2, "b.bin", 10, ack=2)]))
    view.transfers = [transfer_row(row, "failed", "a.bin", 10, by="restored")]
    stage = make_stage(view)
    assert entries(stage, 1)[0] == entries(stage, 2)[0] == "Download again"
    stage.pane.message_actions.act(message_id(1), "fetch")
    assert stage.client.asked(AcceptTransfer) == [AcceptTransfer(message_id(1))]


def test_updates_of_a_received_folder_are_allowed_and_stopped(make_stage: MakeStage) -> None:
    row = offer_row(1, "proj", 10, ack=1)
    view = session_view(with_rows(peer_view(), [row]))
    view.transfers = [transfer_row(row, "done", "proj", 10, kind="folder", path="/x/proj")]
    stage = make_stage(view)
    assert "Allow updates" in entries(stage, 1)
    for action in ("allow-updates", "forbid-updates"):
        stage.pane.message_actions.act(message_id(1), action)
    wanted = [AllowUpdates(message_id(1), True), AllowUpdates(message_id(1), False)]
    assert stage.client.asked(AllowUpdates) == wanted


def test_the_menu_says_where_a_link_really_leads(make_stage: MakeStage) -> None:
    text = "https://\u0430pple.com/x and https://apple.com@evil.example/y"
    stage = make_stage(session_view(with_rows(peer_view(), [text_row(1, text, ack=1)])))
    links = [words for words in entries(stage, 1) if "http" in words or "address of" in words]
    assert links == [
        "Open https://xn--pple-43d.com/x (leads to xn--pple-43d.com)",
        "Copy address of xn--pple-43d.com",
        "Open https://apple.com@evil.example/y (leads to evil.example)",
        "Copy address of evil.example",
    ]


def test_what_is_opened_and_what_the_tooltip_says_is_what_the_menu_showed(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://\u0430pple.com/Build_(nightly)"
    row = text_row(1, f"see ({address}).", ack=1)
    stage = make_stage(session_view(with_rows(peer_view(), [row])))
    opened: list[str] = []
    monkeypatch.setattr(stage.pane.message_actions, "_open", opened.append)
    menu = stage.pane.message_actions.menu_for(message_id(1))
    assert menu is not None
    next(action for action in menu.actions() if action.text().startswith("Open ")).trigger()
    honest = "https://xn--pple-43d.com/Build_(nightly)"
    assert opened == [honest]
    assert tip_words(stage.pane.model.bubble(0), Hit(link=address)).endswith(honest)
    assert stage.pane.view.placed(0).blocks[0].links == [(5, len(address), address)]
