"""First contacts from the window, and the safety number as a QR code."""

import msgspec
import pytest

from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc.commands import AddPeer, Done, Invited, MakeInvite
from chatnet_protocol.ipc.rows import LinkState, PeerRow, Trust
from chatnet_protocol.ipc.view import PeerView
from chatnet_qt.banner import link_banner
from chatnet_qt.invites import AddPeerDialog, InviteDialog
from chatnet_qt.qr import QUIET_MODULES, QrCode, qr_modules
from chatnet_qt.qt import QAction, QApplication, QColor, QLabel, Qt
from chatnet_qt.safety import KeyChangedDialog, SafetyDialog
from chatnet_qt.wording import link_words
from qtworld import NOW_MS, Stage, peer_view, session_view

CODE = "abcd-efgh-ijkl-mnop"


def action(stage: Stage, words: str) -> QAction:
    actions = stage.window.menuBar().findChildren(QAction)
    return next(a for a in actions if a.text().replace("&", "") == words)


def unmet(trust: str = Trust.NONE, state: str = LinkState.DIALLING) -> PeerView:
    peer = peer_view(state=state)
    peer.info = PeerRow(1, "Bob", "10.0.0.7", 5001, trust=trust)
    return peer


def test_an_invite_is_shown_once_the_engine_made_it(make_stage) -> None:
    stage = make_stage(session_view(unmet()))
    action(stage, "Invite…").trigger()
    dialog = stage.window.findChild(InviteDialog)
    assert dialog.code.text() == "…"
    assert stage.client.asked(MakeInvite) == [MakeInvite(1)]
    stage.client.answer(Invited(1, CODE, NOW_MS))
    stage.settle()
    assert dialog.code.text() == CODE


def test_an_invite_is_for_somebody_new_where_everybody_is_known(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    action(stage, "Invite…").trigger()
    dialog = stage.window.findChild(InviteDialog)
    assert stage.client.asked(MakeInvite) == [MakeInvite(0)]
    stage.client.answer(error="At most 4 invites are open at a time.")
    stage.settle()
    assert dialog.code.text() == "At most 4 invites are open at a time."


def test_somebody_is_added_with_the_code_they_gave(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    action(stage, "Add contact or invite…").trigger()
    dialog = stage.window.findChild(AddPeerDialog)
    dialog.host.setText(" 10.0.0.9 ")
    dialog.port.setText("x")
    dialog.add.click()
    assert "A port is" in dialog.problem.text()
    assert not stage.client.asked(AddPeer)
    dialog.port.setText("5009")
    dialog.called.setText("Carol")
    dialog.code.setText(CODE)
    dialog.add.click()
    assert stage.client.asked(AddPeer) == [AddPeer("10.0.0.9", 5009, "Carol", CODE)]
    stage.client.answer(error="That is no invite.")
    stage.settle()
    assert dialog.problem.text() == "That is no invite."
    dialog.show()
    dialog.add.click()
    stage.client.answer(Done())
    stage.settle()
    assert stage.window.findChild(AddPeerDialog) is None


@pytest.mark.parametrize(
    ("pasted", "host", "port"),
    [
        ("10.0.0.9:5009", "10.0.0.9", "5009"),
        ("[::1]:5009", "::1", "5009"),
        (" [fe80::1%eth0]:5009\n", "fe80::1%eth0", "5009"),
        ("::1", "::1", ""),
        ("bob.example", "bob.example", ""),
    ],
)
def test_a_pasted_address_fills_both_boxes(make_stage, pasted: str, host: str, port: str) -> None:
    stage = make_stage(session_view(peer_view()))
    dialog = AddPeerDialog(stage.session)
    QApplication.clipboard().setText(pasted)
    dialog.host.paste()
    assert (dialog.host.text(), dialog.port.text()) == (host, port)
    assert dialog.problem.text() == ""
    dialog.deleteLater()


def test_a_typed_address_is_split_and_judged_when_the_box_is_left(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    dialog = AddPeerDialog(stage.session)
    for character in "10.0.0.300:50":
        dialog.host.insert(character)
    assert dialog.port.text() == "", "somebody is typing"
    dialog.host.editingFinished.emit()
    assert (dialog.host.text(), dialog.port.text()) == ("10.0.0.300", "50")
    assert "is no IPv4 address" in dialog.problem.text()
    dialog.add.click()
    assert not stage.client.asked(AddPeer)
    dialog.host.setText("10.0.0.3")
    dialog.host.editingFinished.emit()
    assert dialog.problem.text() == ""
    dialog.deleteLater()


def test_the_reason_why_an_address_is_not_found_is_shown(make_stage) -> None:
    peer = unmet(state=LinkState.RESOLVING)
    peer.link = msgspec.structs.replace(peer.link, detail="bob.example cannot be found: no answer.")
    banner = link_banner(peer, NOW_MS)
    assert banner is not None
    assert banner.words == "bob.example cannot be found: no answer."


def test_an_invited_peer_is_waited_for_or_invited_again(make_stage) -> None:
    banner = link_banner(unmet(Trust.INVITED), NOW_MS)
    assert banner is not None
    assert "Waiting for your guest" in banner.words
    assert link_words(unmet(Trust.INVITED).link, unmet(Trust.INVITED).info) == "invited"
    over = unmet(Trust.INVITED, LinkState.IDLE)
    over.link = msgspec.structs.replace(over.link, detail="The invite is over.")
    stage = make_stage(session_view(over))
    buttons = stage.window.banner.buttons()
    next(button for button in buttons if button.text() == "New invite").click()
    assert stage.client.asked(MakeInvite) == [MakeInvite(1)]


def test_the_qr_code_holds_the_digits_that_are_shown(make_stage) -> None:
    stage = make_stage(session_view(peer_view()))
    action(stage, "Safety number…").trigger()
    dialog = stage.pane.findChild(SafetyDialog)
    digits = "".join(dialog.digits.text().split())
    assert len(digits) == 60
    assert dialog.code.modules == qr_modules(digits)


def test_a_qr_code_is_black_on_white_with_its_margin(app) -> None:
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


def test_both_fingerprints_of_a_changed_key_stand_there(make_stage) -> None:
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
