"""The main jobs, each done with keys alone."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import (
    AcceptTransfer,
    AddPeer,
    MakeInvite,
    OfferFiles,
    RejectTransfer,
    SendMessage,
    TrustPeer,
)
from chatnet_qt.details import MessageDetails
from chatnet_qt.qt import QApplication, QDialog, QEvent, QFileDialog, QObject, Qt, QWidget, present
from chatnet_qt.safety import KeyChangedDialog
from keyboard import Keyboard, name_of
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

KEY = Qt.Key
ENTER, SPACE, ESCAPE = KEY.Key_Return, KEY.Key_Space, KEY.Key_Escape


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    rows = [text_row(no, f"message {no} " + "x" * (no % 90), ack=no) for no in range(1, 61)]
    bob = with_rows(peer_view(my_read=60), rows[10:])
    view = session_view(bob, peer_view(2, name="Carol"))
    return make_stage(view, history=rows, size=(1100, 700))


@pytest.fixture
def keys(stage: Stage) -> Keyboard:
    return Keyboard(stage)


def visible(kind: type[QDialog]) -> list[QDialog]:
    """The windows of that kind that are open."""
    found = [each for each in QApplication.topLevelWidgets() if isinstance(each, kind)]
    return [each for each in found if each.isVisible()]


def dialog_of(stage: Stage, kind: type[QDialog]) -> QDialog:
    """The open window of that kind; it has the keys now, as a window manager gives them to it."""
    (dialog,) = visible(kind)
    stage.app.setActiveWindow(dialog)
    stage.settle()
    return dialog


def sent(stage: Stage) -> list[str]:
    return [each.text for each in stage.client.asked(SendMessage)]


def test_a_text_is_sent(stage: Stage, keys: Keyboard) -> None:
    keys.write("hello")
    keys.press(ENTER)
    assert sent(stage) == ["hello"]
    assert stage.pane.composer.box.written() == ""


def test_a_message_is_answered(stage: Stage, keys: Keyboard) -> None:
    alt = Qt.KeyboardModifier.AltModifier
    keys.press(KEY.Key_Up, alt)
    keys.press(KEY.Key_Up, alt)
    keys.write("to the one before")
    keys.press(ENTER)
    (asked,) = stage.client.asked(SendMessage)
    assert (asked.text, asked.reply_to) == ("to the one before", message_id(59))


def test_a_word_is_found_and_the_search_is_left(stage: Stage, keys: Keyboard) -> None:
    keys.ctrl(KEY.Key_F)
    keys.write("message 12")
    keys.press(ENTER)
    assert stage.pane.find_bar.count.text() == "1 of 1"
    keys.press(ESCAPE)
    assert stage.pane.composer.box.hasFocus()


def test_another_conversation_is_opened(stage: Stage, keys: Keyboard) -> None:
    keys.ctrl(KEY.Key_K)
    keys.write("car")
    keys.press(ENTER)
    assert stage.pane.peer_number == 2
    assert stage.pane.composer.box.hasFocus()
    keys.ctrl(KEY.Key_Tab)
    assert stage.pane.peer_number == 1


def test_a_contact_is_added(stage: Stage, keys: Keyboard) -> None:
    keys.ctrl(KEY.Key_N)
    keys.tab_to("Invite or address")
    keys.write("10.0.0.9:5009")
    keys.press(ENTER)
    (added,) = stage.client.asked(AddPeer)
    assert (added.host, added.port) == ("10.0.0.9", 5009)


def test_an_invite_is_made_and_the_page_left(stage: Stage, keys: Keyboard) -> None:
    keys.ctrl(KEY.Key_N)
    keys.tab_to("Create invite")
    keys.press(SPACE)
    assert len(stage.client.asked(MakeInvite)) == 1
    keys.press(ESCAPE)
    assert stage.window.stack.currentWidget() is not stage.window.pages.start


def test_a_safety_number_is_confirmed(stage: Stage, keys: Keyboard) -> None:
    keys.ctrl(KEY.Key_I)
    keys.tab_to("They match")
    keys.press(SPACE)
    (decided,) = stage.client.asked(TrustPeer)
    assert decided.decision == "verified"


def test_a_file_is_attached_and_sent(stage: Stage, keys: Keyboard, tmp_path: Path) -> None:
    path = tmp_path / "plan.txt"
    path.write_text("x")
    keys.ctrl(KEY.Key_O)
    dialog_of(stage, QFileDialog)
    keys.write(str(path))
    keys.press(ENTER)
    stage.until(lambda: bool(stage.pane.composer.attachments.paths))
    if (completer := QApplication.activePopupWidget()) is not None:
        completer.close()  # this platform leaves it there when its window goes
    stage.app.setActiveWindow(stage.window)
    stage.pane.composer.box.setFocus()
    keys.press(ENTER)
    (offered,) = stage.client.asked(OfferFiles)
    assert offered.paths == [str(path)]


@pytest.mark.parametrize(
    ("button", "kind"), [("Accept", AcceptTransfer), ("Decline", RejectTransfer)]
)
def test_a_file_is_accepted_or_declined(
    make_stage: MakeStage, button: str, kind: type[AcceptTransfer] | type[RejectTransfer]
) -> None:
    row = offer_row(1, "a.bin", 1000, ack=1)
    view = session_view(with_rows(peer_view(my_read=1), [row]))
    view.transfers.append(transfer_row(row, "offered", "a.bin", 1000))
    stage = make_stage(view)
    keys = Keyboard(stage)
    keys.tab_to("Conversation")
    keys.press(ENTER)
    dialog_of(stage, MessageDetails)
    keys.tab_to(button)
    keys.press(SPACE)
    assert stage.client.asked(kind) == [kind(message_id(1))]


def test_a_message_is_inspected_and_left(stage: Stage, keys: Keyboard) -> None:
    keys.tab_to("Conversation")
    keys.press(KEY.Key_Up)
    keys.press(ENTER)
    dialog_of(stage, MessageDetails)
    keys.press(ESCAPE)
    stage.until(lambda: not visible(MessageDetails))


def test_settings_are_opened_changed_and_left(stage: Stage, keys: Keyboard) -> None:
    keys.ctrl(KEY.Key_Comma)
    switch = keys.tab_to("Show pictures in messages")
    keys.press(SPACE)
    assert name_of(switch)
    keys.press(ESCAPE)
    assert stage.window.pane is not None
    assert stage.pane.composer.box.hasFocus()


def test_the_oldest_and_the_newest_are_reached(stage: Stage, keys: Keyboard) -> None:
    end = stage.bar.value()
    keys.ctrl(KEY.Key_Home)
    stage.until(lambda: stage.pane.model.message(stage.pane.view.visible_rows()[0]).no == 1)
    keys.ctrl(KEY.Key_End)
    stage.until(lambda: stage.bar.value() == stage.bar.maximum())
    assert stage.bar.value() >= end - 1


def test_the_window_is_closed(stage: Stage, keys: Keyboard) -> None:
    keys.ctrl(KEY.Key_W)
    assert not stage.window.isVisible()


def seen(widget: QWidget) -> bytes:
    """What is drawn of a widget and the pixels around it; nothing where it is out of sight."""
    top = present(widget.window())
    place = widget.rect().translated(widget.mapTo(top, widget.rect().topLeft()))
    place = place.adjusted(-3, -3, 3, 3) & top.rect()
    if place.isEmpty():
        return b""
    image = top.grab(place).toImage()
    return bytes(present(image.constBits()).asstring(image.sizeInBytes()))


class Windows(QObject):
    """Notes what becomes a window of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """See it and let it happen."""
        shows = event is not None and event.type() == QEvent.Type.Show
        if shows and isinstance(watched, QWidget) and watched.isWindow():
            self.shown.append(f"{type(watched).__name__} {name_of(watched)}")
        return False


def test_no_part_of_a_page_is_a_window_for_a_moment(stage: Stage, keys: Keyboard) -> None:
    windows = Windows()
    stage.app.installEventFilter(windows)
    for opened in (KEY.Key_I, KEY.Key_Comma, KEY.Key_N):
        keys.ctrl(opened)
        assert QApplication.focusWidget() is not None
    stage.client.change(ev.PeerChanged(replace(peer_view().info, trust="verified")))
    stage.window.show_peer(2)
    keys.ctrl(KEY.Key_L)
    KeyChangedDialog(stage.session, replace(peer_view().info, offered_key=b"N" * 32), stage.pane)
    stage.app.removeEventFilter(windows)
    assert windows.shown == []


@pytest.mark.parametrize("page", ["conversation", "contact", "settings", "start"])
def test_where_the_keyboard_is_can_be_seen(stage: Stage, keys: Keyboard, page: str) -> None:
    opened = {"contact": KEY.Key_I, "settings": KEY.Key_Comma, "start": KEY.Key_N}.get(page)
    if opened is not None:
        keys.ctrl(opened)
    looks: dict[QWidget, bytes] = {}
    for _ in range(60):
        keys.press(KEY.Key_Tab)
        here = keys.focus
        if here in looks:
            break
        looks[here] = seen(here)
        assert looks[here], f"{name_of(here)} is out of sight"
    assert len(looks) >= 4, [name_of(each) for each in looks]
    keys.press(KEY.Key_Tab)
    same = [name_of(each) or repr(each) for each, look in looks.items()
            if each is not keys.focus and each.isVisible() and seen(each) == look]  # fmt: skip
    assert same == []
