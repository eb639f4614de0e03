"""Every dialog: a key pressed too early does nothing that cannot be undone, and nothing is cut."""

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import chatnet_qt
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import (
    AcceptTransfer,
    AnswerRestore,
    CancelTransfer,
    Command,
    Delivery,
    FetchDelivery,
    FetchHistory,
    MakeInvite,
    MarkRead,
    MarkShown,
    SetDraft,
    TrustPeer,
)
from chatnet_protocol.ipc.rows import PacketRow, PeerRow, Trust
from chatnet_qt.details import MessageDetails
from chatnet_qt.help_text import HelpDialog
from chatnet_qt.picture_viewer import PictureViewer
from chatnet_qt.qt import (
    QApplication,
    QDialog,
    QEvent,
    QKeyEvent,
    QLabel,
    QPushButton,
    Qt,
    QWidget,
    present,
)
from chatnet_qt.quit_dialog import QuitDialog
from chatnet_qt.safety import KeyChangedDialog, SafetyDialog
from chatnet_qt.sheet import Sheet
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

OTHER_KEY = b"N" * 32
Make = Callable[[Stage], QDialog]


def info_of(stage: Stage, **more: Any) -> PeerRow:
    return msgspec.structs.replace(present(stage.pane.model.peer()).info, **more)


def details(stage: Stage) -> QDialog:
    return MessageDetails(stage.pane.model.bubble(0), stage.pane.view)


DIALOGS: dict[type[QDialog], list[Make]] = {
    SafetyDialog: [
        lambda stage: SafetyDialog(stage.session, info_of(stage), stage.pane),
        lambda stage: SafetyDialog(
            stage.session, info_of(stage, trust=Trust.VERIFIED, refused_keys=[OTHER_KEY])
        ),
        lambda stage: SafetyDialog(stage.session, info_of(stage, key=b"", safety_number="")),
    ],
    KeyChangedDialog: [
        lambda stage: KeyChangedDialog(stage.session, info_of(stage, offered_key=OTHER_KEY)),
        lambda stage: KeyChangedDialog(stage.session, info_of(stage, refused_keys=[OTHER_KEY])),
    ],
    MessageDetails: [details],
    HelpDialog: [
        lambda stage: HelpDialog(stage.session, stage.window.attendants.menus.actions, stage.window)
    ],
    QuitDialog: [lambda stage: QuitDialog(stage.session.view, stage.window)],
    Sheet: [],
}
OWN_WINDOWS: set[type] = {PictureViewer}
"""They ask nothing, and have tests of their own."""
CASES = [(kind, make) for kind, makers in DIALOGS.items() for make in makers]
HARMLESS = (SetDraft, FetchHistory, MarkShown, MarkRead, MakeInvite)
"""Asked for without a key press."""


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    row = offer_row(1, "a.bin", 1000, ack=1)
    view = session_view(with_rows(peer_view(my_read=1), [row]))
    view.transfers.append(transfer_row(row, "offered", "a.bin", 1000))
    return make_stage(view)


def test_every_dialog_of_the_window_is_tried_here() -> None:
    for module in pkgutil.iter_modules(chatnet_qt.__path__):
        if module.name != "__main__":
            importlib.import_module(f"chatnet_qt.{module.name}")
    found: set[type] = set()
    kinds = [QDialog]
    while kinds:
        kinds = [sub for kind in kinds for sub in kind.__subclasses__()]
        found.update(kind for kind in kinds if kind.__module__.startswith("chatnet_qt."))
    assert found == {*DIALOGS, *OWN_WINDOWS}


def test_an_invite_may_have_verified_where_nobody_compared(stage: Stage) -> None:
    dialog = SafetyDialog(stage.session, info_of(stage, trust=Trust.VERIFIED), stage.pane)
    words = " ".join(found.text() for found in dialog.findChildren(QLabel))
    assert "by this number or by an invite" in words
    assert "You compared" not in words


def open_fresh(stage: Stage, make: Make) -> QDialog:
    dialog = make(stage)
    dialog.show()
    stage.app.setActiveWindow(dialog)
    stage.settle()
    return dialog


def press(stage: Stage, key: int, text: str = "") -> None:
    """As somebody does who has not looked yet: to whatever has the focus."""
    for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
        target: QWidget = QApplication.focusWidget() or stage.window
        event = QKeyEvent(kind, key, Qt.KeyboardModifier.NoModifier, text)
        stage.app.sendEvent(target, event)
    stage.settle()


def decided(stage: Stage) -> list[Command]:
    return [command for command in stage.client.commands if not isinstance(command, HARMLESS)]


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
@pytest.mark.parametrize(("kind", "make"), CASES)
def test_a_key_pressed_at_once_decides_nothing(
    stage: Stage, kind: type[QDialog], make: Make, key: int
) -> None:
    dialog = open_fresh(stage, make)
    assert type(dialog) is kind
    for _ in range(2):
        press(stage, key, " " if key == Qt.Key.Key_Space else "\r")
        keeps = [c for c in decided(stage) if isinstance(c, TrustPeer) and c.decision == "keep"]
        assert decided(stage) == keeps, "only what can be undone"


@pytest.mark.parametrize(("kind", "make"), CASES)
def test_no_button_but_the_safe_one_answers_to_enter(
    stage: Stage, kind: type[QDialog], make: Make
) -> None:
    dialog = open_fresh(stage, make)
    buttons = dialog.findChildren(QPushButton)
    assert len([button for button in buttons if button.isDefault()]) == 1, kind
    assert [b.text() for b in buttons if b.autoDefault() and not b.isDefault()] == []
    dialog.close()


@pytest.mark.parametrize(("width", "height"), [(480, 320), (640, 400), (1280, 800)])
@pytest.mark.parametrize(("kind", "make"), CASES)
def test_all_of_a_dialog_can_be_seen_on_a_small_screen(
    stage: Stage, kind: type[QDialog], make: Make, width: int, height: int
) -> None:
    dialog = open_fresh(stage, make)
    assert isinstance(dialog, Sheet)
    dialog.fit(width, height)
    stage.settle()
    assert dialog.width() <= width
    assert dialog.height() <= height
    for button in dialog.findChildren(QPushButton):
        if button.isVisible() and button.parentWidget() is dialog:
            assert dialog.rect().contains(button.geometry()), (kind, button.text())
    for label in dialog.findChildren(QLabel):
        if label.wordWrap() and label.isVisible():
            assert label.height() >= label.heightForWidth(label.width()), label.text()
    dialog.close()


def test_a_verification_is_made_and_taken_back(stage: Stage) -> None:
    dialog = SafetyDialog(stage.session, info_of(stage), stage.pane)
    assert dialog.verify.text() == "They match"
    dialog.verify.click()
    info = info_of(stage, trust=Trust.VERIFIED)
    dialog = SafetyDialog(stage.session, info, stage.pane)
    assert dialog.verify.text() == "Remove verification"
    dialog.verify.click()
    stage.settle()
    assert stage.client.asked(TrustPeer) == [
        TrustPeer(1, "verified", info.key),
        TrustPeer(1, "unverified", info.key),
    ]


def test_a_new_key_is_trusted_only_after_a_second_question(stage: Stage) -> None:
    dialog = KeyChangedDialog(stage.session, info_of(stage, offered_key=OTHER_KEY), stage.pane)
    dialog.show()
    dialog.replace.click()
    stage.settle()
    assert stage.client.asked(TrustPeer) == []
    press(stage, Qt.Key.Key_Return, "\r")
    assert stage.client.asked(TrustPeer) == [TrustPeer(1, "keep", OTHER_KEY)], "the safe answer"
    stage.client.commands.clear()
    dialog = KeyChangedDialog(stage.session, info_of(stage, offered_key=OTHER_KEY), stage.pane)
    dialog.show()
    dialog.replace.click()
    dialog.confirm.click()
    stage.settle()
    assert stage.client.asked(TrustPeer) == [TrustPeer(1, "replace", OTHER_KEY)]


def test_a_refused_key_is_put_to_rest_in_the_dialog_or_left_for_later(stage: Stage) -> None:
    for press_it, asked in ((False, []), (True, [TrustPeer(1, "keep", OTHER_KEY)])):
        dialog = KeyChangedDialog(stage.session, info_of(stage, offered_key=OTHER_KEY), stage.pane)
        (dialog.keep if press_it else dialog.later).click()
        stage.settle()
        assert stage.client.asked(TrustPeer) == asked


def test_a_key_put_to_rest_is_found_again_behind_the_safety_number(stage: Stage) -> None:
    dialog = SafetyDialog(stage.session, info_of(stage, refused_keys=[OTHER_KEY]), stage.pane)
    wanted = []
    dialog.review_wanted.connect(lambda: wanted.append(1))
    present(dialog.review).click()
    assert wanted == [1]


def test_details_of_an_offer_do_what_their_buttons_say(stage: Stage) -> None:
    dialog = details(stage)
    dialog.acted.connect(stage.pane.message_actions.act)
    button = next(b for b in dialog.findChildren(QPushButton) if b.text() == "Accept")
    button.click()
    stage.settle()
    assert stage.client.asked(AcceptTransfer) == [AcceptTransfer(message_id(1))]
    assert stage.client.asked(CancelTransfer) == []


def test_details_show_how_a_message_travelled_when_the_engine_answers(
    make_stage: MakeStage,
) -> None:
    row = text_row(1, "hello", mine=True, ack=7)
    stage = make_stage(session_view(with_rows(peer_view(), [row])))
    stage.client.held.add(FetchDelivery)
    stage.pane.message_actions.show_details(row.id)
    dialog = stage.pane.view.findChild(MessageDetails)
    assert stage.client.asked(FetchDelivery) == [FetchDelivery(1, seq=row.seq, ack=7)]
    assert dialog.missing.isHidden()
    packet = PacketRow(20_871, row.sent_ms + 2, acked_ms=row.sent_ms + 51)
    stage.client.answer(
        Delivery(
            1, packets=[packet], packet_count=1, attempts=1, acked_ms=packet.acked_ms,
            address="10.0.0.7:5001",
        )
    )  # fmt: skip
    stage.settle()
    copied = dialog.as_text().splitlines()
    assert "First sent: +2 ms" in copied
    assert "Acknowledged: +51 ms" in copied
    assert "Packets: 20,871" in copied
    assert "Sent to: 10.0.0.7:5001" in copied
    shown = [each.text() for each in dialog.findChildren(QLabel) if each.isVisible()]
    assert {"+51 ms", "20,871", "10.0.0.7:5001"} <= set(shown)


def test_an_answer_for_details_that_were_closed_is_dropped(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = text_row(1, "hello", mine=True)
    stage = make_stage(session_view(with_rows(peer_view(), [row])))
    stage.client.held.add(FetchDelivery)
    stage.pane.message_actions.show_details(row.id)
    stage.pane.view.findChild(MessageDetails).reject()
    late: list[Delivery] = []
    monkeypatch.setattr(MessageDetails, "show_delivery", lambda dialog, found: late.append(found))
    stage.client.answer(Delivery())
    stage.settle()
    assert late == []


def test_details_of_what_nobody_remembers_say_so(make_stage: MakeStage) -> None:
    row = text_row(1, "hello", ack=7)
    stage = make_stage(session_view(with_rows(peer_view(my_read=7), [row])))
    stage.client.held.add(FetchDelivery)
    stage.pane.message_actions.show_details(row.id)
    dialog = stage.pane.view.findChild(MessageDetails)
    stage.client.answer(Delivery())
    stage.settle()
    assert dialog.missing.text().startswith("How it arrived is not known")
    assert dialog.missing.isVisible()


def test_a_conversation_asked_for_is_never_given_by_a_stray_key(make_stage: MakeStage) -> None:
    peer = peer_view()
    peer.restore = msgspec.structs.replace(peer.restore, theirs="asked")
    stage = make_stage(session_view(peer))
    stage.client.change(ev.RestoreChanged(peer.restore))
    stage.settle()
    press(stage, Qt.Key.Key_Return, "\r")
    press(stage, Qt.Key.Key_Space, " ")
    assert stage.client.asked(AnswerRestore) == []
