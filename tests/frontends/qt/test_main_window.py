"""The window around the conversations: list, title, menus, how it leaves."""

import pytest

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import Delivery, StopEngine, TrustPeer
from chatnet_qt.details import MessageDetails, facts_of
from chatnet_qt.qt import QAction, QPlainTextEdit, present
from chatnet_qt.safety import SafetyDialog, number_lines
from chatnet_qt.theme import Theme, colours_of
from qtworld import MakeStage, Stage, message_id, peer_view, session_view, text_row, with_rows


def action(stage: Stage, words: str) -> QAction:
    actions = stage.window.findChildren(QAction)
    return next(a for a in actions if a.text().replace("&", "") == words)


def test_a_narrow_window_shows_one_pane_at_a_time(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(), peer_view(2, name="Carol")), size=(1200, 600))
    window = stage.window
    assert window.side.isVisible()
    assert window.right.isVisible()
    window.resize(480, 600)
    stage.settle()
    assert not window.side.isVisible()
    assert window.right.isVisible()
    stage.pane.header.back.click()
    stage.settle()
    assert window.side.isVisible()
    assert not window.right.isVisible()
    window.peers.clicked.emit(window.peers.peers.index(1))
    stage.settle()
    assert not window.side.isVisible()
    assert stage.pane.peer_number == 2
    window.resize(1200, 600)
    stage.settle()
    assert window.side.isVisible()
    assert window.right.isVisible()


def test_each_peer_has_its_conversation_and_box(make_stage: MakeStage) -> None:
    second = with_rows(peer_view(2, name="Carol"), [text_row(9, "from carol", ack=1)])
    stage = make_stage(session_view(peer_view(), second))
    stage.pane.composer.box.setPlainText("for bob")
    stage.window.peers.step(1)
    stage.settle()
    assert stage.window.windowTitle().endswith("Carol — ChatNet")
    assert stage.pane.composer.box.toPlainText() == ""
    stage.window.peers.step(1)
    assert stage.pane.composer.box.toPlainText() == "for bob"


def test_the_title_counts_what_is_unread(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(), peer_view(2)))
    stage.arrive(text_row(1, "x", ack=1), text_row(2, "y", ack=2), peer=2)
    assert stage.window.windowTitle().startswith("(2) Bob")


def test_a_peer_that_is_removed_takes_its_conversation_along(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(), peer_view(2, name="Carol")))
    stage.client.change(ev.PeerRemoved(1))
    stage.settle()
    assert stage.pane.peer_number == 2
    stage.client.change(ev.PeerRemoved(2))
    stage.settle()
    assert stage.window.pane is None
    assert stage.window.stack.currentWidget() is stage.window.pages.start


def test_closing_says_once_that_the_engine_goes_on(
    make_stage: MakeStage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.window.close()
    assert "keeps receiving" in capsys.readouterr().err
    stage.window.show()
    stage.window.close()
    assert capsys.readouterr().err == ""
    assert not stage.client.asked(StopEngine)


def test_the_theme_changes_while_it_runs_and_is_remembered(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    action(stage, "Dark").trigger()
    stage.settle()
    assert colours_of(stage.window.palette()).dark
    assert stage.window._settings.theme is Theme.DARK
    action(stage, "Light").trigger()
    stage.settle()
    assert not colours_of(stage.window.palette()).dark


def test_safety_numbers_are_compared_and_verified(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    action(stage, "Safety number…").trigger()
    dialog = stage.pane.findChild(SafetyDialog)
    assert dialog.digits.text().count("\n") == 2
    assert sum(c.isdigit() for c in dialog.digits.text()) == 60
    dialog.verify.click()
    info = present(stage.pane.model.peer()).info
    assert stage.client.asked(TrustPeer) == [TrustPeer(1, "verified", info.key)]
    assert number_lines("") == ""


def test_details_show_everything_as_text(make_stage: MakeStage) -> None:
    rows = [text_row(1, "<b>x</b>\n" * 200, ack=1042)]
    stage = make_stage(session_view(with_rows(peer_view(my_read=2000), rows)))
    stage.pane.message_actions.show_details(message_id(1))
    dialog = stage.pane.view.findChild(MessageDetails)
    assert dialog.findChild(QPlainTextEdit).toPlainText() == "<b>x</b>\n" * 200
    facts = dict(facts_of(stage.pane.model.bubble(0), Delivery()))
    assert facts["ACK number"] == "1042"
    assert facts["Came from"] == "10.0.0.7:5001"
    assert facts["Id"] == message_id(1).hex()


def test_finding_walks_through_the_whole_history(make_stage: MakeStage) -> None:
    everything = [text_row(no, f"{'needle' if no % 50 == 0 else 'hay'} {no}", ack=no)
                  for no in range(1, 301)]  # fmt: skip
    view = session_view(with_rows(peer_view(my_read=300), everything[-50:]))
    stage = make_stage(view, history=everything)
    bar = stage.pane.find_bar
    action(stage, "Find…").trigger()
    bar.box.setText("needle")
    bar.search()
    stage.settle()
    assert bar.count.text() == "1 of 6"
    for _ in range(4):
        bar.step(1)
        stage.settle()
    assert bar.count.text() == "5 of 6"
    current = stage.pane.view.currentIndex()
    assert stage.pane.model.message(current.row()).text == "needle 100"
    bar.box.setText("nothing like it")
    bar.search()
    stage.settle()
    assert bar.count.text() == "Nothing found"


def test_everything_that_takes_focus_has_a_name(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(), peer_view(2)))
    pane = stage.pane
    for widget in (pane.view, pane.composer.box, pane.composer.attach_button, pane.jump):
        assert widget.accessibleName()
    for widget in (pane.composer.send_button, pane.find_bar.box, stage.window.peers):
        assert widget.accessibleName()
