"""First contacts from the window, and the safety number as a QR code."""

import msgspec
import pytest

from chatnet_client.invite_line import parse_contact
from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import AddPeer, Invited, MakeInvite, PeerAdded, RemovePeer
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState, PeerRow, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.banner import link_banner
from chatnet_qt.qr import QUIET_MODULES, QrCode, qr_modules
from chatnet_qt.qt import QAction, QApplication, QColor, QEvent, QKeyEvent, QLabel, Qt, present
from chatnet_qt.safety import KeyChangedDialog, SafetyDialog
from chatnet_qt.wording import link_words
from qtworld import NOW_MS, MakeStage, Stage, peer_view, session_view

CODE = "abcd-efgh-ijkl-mnop"


def action(stage: Stage, words: str) -> QAction:
    actions = stage.window.findChildren(QAction)
    return next(a for a in actions if a.text().replace("&", "") == words)


def unmet(trust: str = Trust.NONE, state: str = LinkState.DIALLING) -> PeerView:
    peer = peer_view(state=state)
    peer.info = PeerRow(1, "Bob", "10.0.0.7", 5001, trust=trust)
    return peer


def test_nothing_is_made_before_it_is_asked_for_and_nothing_is_left_of_it(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(session_view())
    page = stage.window.pages.start
    assert stage.window.stack.currentWidget() is page
    assert not stage.client.asked(MakeInvite)
    page.invite.make.setFocus()
    page.invite.make.click()
    stage.client.answer(Invited(9, CODE, NOW_MS))
    stage.settle()
    assert QApplication.focusWidget() is page.enter.box
    contact = parse_contact(page.invite.line)
    assert (contact.code, contact.name) == (CODE, "Ann")
    assert {port for _, port in contact.addresses} == {12345}
    assert page.invite.text.toPlainText() == page.invite.line
    assert page.findChild(QrCode).modules == qr_modules(page.invite.line)
    page.invite.copy.click()
    assert present(QApplication.clipboard()).text() == page.invite.line
    page.invite.cancel.setFocus()
    page.invite.cancel.click()
    assert stage.client.asked(RemovePeer) == [RemovePeer(9)]
    assert page.invite.line == ""
    assert QApplication.focusWidget() is page.enter.box


@pytest.mark.parametrize("answered_first", [True, False])
def test_an_invite_stays_on_screen_while_its_guest_appears_in_the_list(
    make_stage: MakeStage, answered_first: bool
) -> None:
    """The event and the answer come on two sockets, in either order."""
    stage = make_stage(session_view())
    page = stage.window.pages.start
    page.invite.make.click()
    for is_answer in (answered_first, not answered_first):
        if is_answer:
            stage.client.answer(Invited(1, CODE, NOW_MS))
        else:
            stage.client.change(ev.PeerChanged(unmet(Trust.INVITED).info))
        stage.settle()
        assert stage.window.stack.currentWidget() is page
    assert page.invite.line
    page.invite.cancel.click()
    assert stage.client.asked(RemovePeer) == [RemovePeer(1)]


def invited(make_stage: MakeStage) -> Stage:
    stage = make_stage(session_view())
    stage.window.pages.start.invite.make.click()
    stage.client.answer(Invited(1, CODE, NOW_MS))
    stage.client.change(ev.PeerChanged(unmet(Trust.INVITED).info))
    stage.settle()
    return stage


def test_an_invite_that_was_cancelled_elsewhere_is_shown_no_longer(make_stage: MakeStage) -> None:
    stage = invited(make_stage)
    stage.client.change(ev.PeerRemoved(1))
    stage.settle()
    page = stage.window.pages.start
    assert stage.window.stack.currentWidget() is page
    assert page.invite.line == ""
    assert page.invite.make.isVisible()
    page.invite.take_back()
    assert not stage.client.asked(RemovePeer)


@pytest.mark.parametrize("into", [0, 2])
def test_a_guest_that_comes_takes_the_place_of_the_invite(make_stage: MakeStage, into: int) -> None:
    stage = invited(make_stage)
    if into:
        stage.client.change(ev.PeerChanged(peer_view(2, name="Guest").info))
        stage.client.change(ev.PeerRemoved(1, into))
    else:
        stage.client.change(ev.PeerChanged(peer_view(1, name="Guest").info))
    stage.settle()
    assert stage.window.stack.currentWidget() is stage.pane
    assert stage.pane.peer_number == (into or 1)
    assert not stage.window.pages.is_inviting


def test_a_guest_that_comes_later_interrupts_nobody(make_stage: MakeStage) -> None:
    stage = invited(make_stage)
    stage.client.change(ev.PeerChanged(peer_view(3, name="Carol").info))
    stage.settle()
    stage.window.show_peer(3)
    stage.client.change(ev.PeerChanged(peer_view(1, name="Guest").info))
    stage.settle()
    assert stage.pane.peer_number == 3
    assert not stage.window.pages.is_inviting


def test_a_refused_invite_says_why(make_stage: MakeStage) -> None:
    stage = make_stage(session_view())
    page = stage.window.pages.start
    page.invite.make.click()
    stage.client.answer(error="At most 4 invites are open at a time.")
    stage.settle()
    assert any("At most 4" in label.text() for label in page.invite.findChildren(QLabel))


def test_one_pasted_line_begins_a_conversation(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    action(stage, "Add contact or invite…").trigger()
    enter = stage.window.pages.start.enter
    present(QApplication.clipboard()).setText(f"chatnet:1/{CODE}/10.0.0.9:5009/Carol")
    enter.box.paste()
    enter.add.click()
    assert stage.client.asked(AddPeer) == [AddPeer("10.0.0.9", 5009, "Carol", CODE)]
    stage.client.answer(PeerAdded(2))
    stage.client.change(ev.PeerChanged(peer_view(2, name="Carol").info))
    stage.settle()
    assert stage.pane.peer_number == 2
    assert stage.window.stack.currentWidget() is stage.pane


def test_what_is_wrong_with_an_address_is_said_while_it_is_typed(make_stage: MakeStage) -> None:
    stage = make_stage(session_view())
    enter = stage.window.pages.start.enter
    enter.box.setText("10.0.0.3")
    assert "For example" in enter.problem.text()
    enter.box.setText("10.0.0.300:50")
    assert "is no IPv4 address" in enter.problem.text()
    enter.add.click()
    assert not stage.client.asked(AddPeer)
    enter.box.setText("10.0.0.3:50")
    assert "For example" in enter.problem.text()
    enter.add.click()
    stage.client.answer(error="Too many peers.")
    stage.settle()
    assert enter.problem.text() == "Too many peers."


def test_escape_leaves_a_page(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    action(stage, "Add contact or invite…").trigger()
    page = stage.window.pages.start
    key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier)
    stage.app.sendEvent(page.enter.box, key)
    stage.settle()
    assert stage.window.stack.currentWidget() is stage.pane


def test_the_reason_why_an_address_is_not_found_is_shown(make_stage: MakeStage) -> None:
    peer = unmet(state=LinkState.RESOLVING)
    peer.link = msgspec.structs.replace(
        peer.link, reason=reason(LinkReason.HOST_NOT_FOUND, "bob.example", "no answer")
    )
    banner = link_banner(peer, NOW_MS)
    assert banner is not None
    assert banner.words == "bob.example cannot be found: no answer."


def test_an_invited_peer_is_waited_for_or_invited_again(make_stage: MakeStage) -> None:
    guest = unmet(Trust.INVITED)
    guest.info = PeerRow(1, "invited guest", "", 0, trust=Trust.INVITED)
    banner = link_banner(guest, NOW_MS)
    assert banner is not None
    assert "Waiting for your guest" in banner.words
    assert link_words(guest.link, guest.info) == "invited"
    over = unmet(Trust.INVITED, LinkState.IDLE)
    over.link = msgspec.structs.replace(over.link, reason=reason(LinkReason.NO_INVITE))
    stage = make_stage(session_view(over))
    buttons = stage.window.banner.buttons()
    next(button for button in buttons if button.text() == "New invite").click()
    assert stage.client.asked(MakeInvite) == [MakeInvite(1)]


def test_who_entered_an_invite_waits_for_its_address_and_for_no_guest() -> None:
    host = unmet(Trust.INVITED)
    banner = link_banner(host, NOW_MS)
    assert banner is not None
    assert "No answer from Bob yet" in banner.words
    assert banner.actions == (("uninvite", "Cancel invite"),)
    assert link_words(host.link, host.info) == "connecting…"


def test_the_qr_code_holds_the_digits_that_are_shown(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    action(stage, "Safety number…").trigger()
    dialog = stage.pane.findChild(SafetyDialog)
    digits = "".join(dialog.digits.text().split())
    assert len(digits) == 60
    assert dialog.code.modules == qr_modules(digits)


def test_a_qr_code_is_black_on_white_with_its_margin(app: QApplication) -> None:
    code = QrCode("1234567890" * 6, "digits")
    side = len(code.modules)
    assert side == 25
    finder = [[1, 1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0, 1], [1, 0, 1, 1, 1, 0, 1]]
    for y, line in enumerate(finder):
        assert [int(module) for module in code.modules[y][:7]] == line
        assert [int(module) for module in code.modules[y][-7:]] == line
        assert [int(module) for module in code.modules[-1 - y][:7]] == line
    image = code.grab().toImage()
    step = image.width() / (side + 2 * QUIET_MODULES)

    def colour(x: int, y: int) -> QColor:
        return image.pixelColor(int((x + 0.5) * step), int((y + 0.5) * step))

    for y in range(side):
        for x in range(side):
            dark = colour(x + QUIET_MODULES, y + QUIET_MODULES) == QColor(Qt.GlobalColor.black)
            assert dark == code.modules[y][x]
    assert colour(1, 1) == QColor(Qt.GlobalColor.white)
    assert QrCode("", "nothing").modules == []


def test_both_fingerprints_of_a_changed_key_stand_there(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    info = msgspec.structs.replace(peer_view().info, offered_key=b"N" * 32)
    dialog = KeyChangedDialog(stage.session, info)
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    assert {fingerprint(info.key), fingerprint(b"N" * 32)} <= set(texts)
    dialog.deleteLater()
    lost = msgspec.structs.replace(info, offered_key=info.key)
    dialog = KeyChangedDialog(stage.session, lost)
    assert any("known_peers" in label.text() for label in dialog.findChildren(QLabel))
    dialog.deleteLater()
