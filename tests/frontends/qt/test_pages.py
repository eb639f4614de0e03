"""Contact and settings: what they say, what they change, and that it takes effect at once."""

from pathlib import Path

import msgspec
import pytest

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import (
    CleanUp,
    FetchSpace,
    RemovePeer,
    SetPeer,
    SetSession,
    Space,
    TrustPeer,
)
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_qt import autostart
from chatnet_qt.contact_page import BlockCard, PartCard, SafetyCard, WhoCard
from chatnet_qt.controls import Switch
from chatnet_qt.qt import QAction, QApplication, QComboBox, QLabel, Qt, present
from chatnet_qt.theme import colours_of
from qtworld import MakeStage, Stage, peer_view, session_view, text_row, with_rows


def entries_of(stage: Stage) -> dict[str, QAction]:
    """The menu of the first peer."""
    menu = stage.window.attendants.peer_menu.menu_for(1)
    assert menu
    return {entry.text().replace("&", ""): entry for entry in menu.actions() if entry.text()}


@pytest.fixture
def contact(make_stage: MakeStage) -> Stage:
    stage = make_stage(session_view(peer_view(), peer_view(2, name="Carol")))
    stage.pane.header.contact.click()
    stage.settle()
    assert stage.window.stack.currentWidget() is stage.window.pages.contact
    return stage


def test_a_contact_is_renamed(contact: Stage) -> None:
    card = contact.window.pages.contact.findChild(WhoCard)
    card.edit.click()
    card.box.setText("Robert")
    card.edit.click()
    assert contact.client.asked(SetPeer) == [SetPeer(1, name="Robert")]


def test_a_contact_gets_another_address(contact: Stage) -> None:
    card = contact.window.pages.contact.findChild(WhoCard)
    card.readdress.click()
    assert card.place.box.text() == "10.0.0.7:5001"
    card.place.box.setText("10.0.0.300")
    card.place.save.click()
    assert "10.0.0.300" in card.place.problem.text()
    card.place.box.setText("[2001:db8::7]:5000")
    card.place.save.click()
    assert contact.client.asked(SetPeer) == [SetPeer(1, host="2001:db8::7", port=5000)]
    assert card.place.isHidden()


def test_files_are_accepted_up_to_what_is_chosen(contact: Stage) -> None:
    sizes = contact.window.pages.contact.findChild(QComboBox)
    assert sizes.currentText() == "Up to 256 MB"
    sizes.activated.emit(0)
    assert contact.client.asked(SetPeer) == [SetPeer(1, auto_accept_bytes=0)]


def test_removing_is_asked_about_once_more(contact: Stage) -> None:
    card = contact.window.pages.contact.findChild(PartCard)
    card.button.click()
    assert not contact.client.asked(RemovePeer)
    card.button.click()
    assert contact.client.asked(RemovePeer) == [RemovePeer(1)]
    contact.client.change(ev.PeerRemoved(1))
    contact.settle()
    assert contact.pane.peer_number == 2
    assert contact.window.stack.currentWidget() is contact.pane


def test_blocking_is_asked_about_once_more_and_taken_back_at_once(contact: Stage) -> None:
    page = contact.window.pages.contact
    page.findChild(BlockCard).button.click()
    assert not contact.client.asked(SetPeer)
    page.findChild(BlockCard).button.click()
    info = msgspec.structs.replace(peer_view().info, blocked=True)
    contact.client.change(ev.PeerChanged(info))
    contact.settle()
    cards = [card for card in page.findChildren(BlockCard) if card.isVisibleTo(page)]
    cards[-1].button.click()
    assert contact.client.asked(SetPeer) == [SetPeer(1, blocked=True), SetPeer(1, blocked=False)]


def test_a_blocked_contact_is_marked_and_unblocked_from_its_menu(contact: Stage) -> None:
    info = msgspec.structs.replace(peer_view().info, blocked=True)
    contact.client.change(ev.PeerChanged(info))
    contact.settle()
    assert "blocked" in str(contact.window.peers.peers.index(0, 0).data())
    entries = entries_of(contact)
    assert "Try to connect now" not in entries
    entries["Unblock"].trigger()
    assert contact.client.asked(SetPeer) == [SetPeer(1, blocked=False)]


def test_a_number_that_matches_is_verified_and_taken_back(contact: Stage) -> None:
    page = contact.window.pages.contact
    info = peer_view().info
    page.findChild(SafetyCard).verify.click()
    assert contact.client.asked(TrustPeer) == [TrustPeer(1, "verified", info.key)]
    contact.client.change(ev.PeerChanged(msgspec.structs.replace(info, trust="verified")))
    contact.settle()
    cards = [card for card in page.findChildren(SafetyCard) if card.isVisibleTo(page)]
    assert cards[-1].verify.text() == "Remove verification"


def test_the_menu_leads_to_the_number_that_is_compared(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(), peer_view(2, name="Carol")), size=(700, 600))
    entries = entries_of(stage)
    entries["Verify…"].trigger()
    page = stage.window.pages.contact
    card = page.findChildren(SafetyCard)[-1]
    area = present(page.area.viewport())
    stage.until(lambda: area.rect().contains(card.verify.mapTo(area, card.verify.rect().center())))
    stage.until(lambda: QApplication.focusWidget() is card.entry)
    assert card.entry.accessibleName() == "Safety number", "Enter and Space decide nothing yet"


def test_the_menu_leads_to_the_name_that_is_changed(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    entries_of(stage)["Rename…"].trigger()
    card = stage.window.pages.contact.findChildren(WhoCard)[-1]
    stage.until(card.box.hasFocus)
    assert card.box.selectedText() == "Bob"


def test_a_control_that_vanishes_leaves_the_focus_to_its_page(contact: Stage) -> None:
    """Not to the next button, which would be drawn as if Tab had been pressed."""
    page = contact.window.pages.contact
    page.findChild(SafetyCard).verify.setFocus()
    info = msgspec.structs.replace(peer_view().info, trust="verified")
    contact.client.change(ev.PeerChanged(info))
    contact.settle()
    assert QApplication.focusWidget() is page
    page.focusNextPrevChild(True)
    assert page.isAncestorOf(QApplication.focusWidget())


def test_a_muted_contact_is_not_announced(contact: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(
        contact.window.attendants.tray, "say", lambda title, _words: said.append(title)
    )
    mute = next(
        switch
        for switch in contact.window.pages.contact.findChildren(Switch)
        if switch.accessibleName() == "Mute notifications"
    )
    contact.app.setActiveWindow(None)
    contact.arrive(text_row(1, "x", ack=1))
    contact.window.attendants.tray._announce()
    mute.click()
    contact.arrive(text_row(2, "y", ack=2))
    contact.window.attendants.tray._announce()
    assert said == ["Bob"]


def test_who_waits_or_is_unread_rises_and_the_selection_stays(make_stage: MakeStage) -> None:
    bob = with_rows(peer_view(my_read=9), [text_row(9, "old", ack=1)])
    stage = make_stage(session_view(bob, peer_view(2, name="Carol")))
    model = stage.window.peers.peers
    assert [model.number_at(row) for row in range(2)] == [1, 2]
    stage.arrive(text_row(10, "new", ack=1), peer=2)
    assert [model.number_at(row) for row in range(2)] == [2, 1]
    assert model.number_at(stage.window.peers.currentIndex().row()) == 1
    assert stage.pane.peer_number == 1
    stage.client.change(ev.PeerChanged(peer_view(3, name="Dave").info))
    stage.settle()
    assert model.number_at(stage.window.peers.currentIndex().row()) == 1


def test_a_conversation_is_found_by_a_word_and_enter(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(), peer_view(2, name="Carol")))
    stage.window.attendants.menus.wanted.emit("switch")
    assert stage.app.focusWidget() is stage.window.side.filter
    stage.window.side.filter.setText("car")
    assert stage.window.peers.peers.rowCount() == 1
    stage.window.side.filter.returnPressed.emit()
    stage.settle()
    assert stage.pane.peer_number == 2
    assert stage.window.peers.peers.rowCount() == 2


def test_settings_take_effect_at_once(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    stage.window.side.me.settings.click()
    stage.settle()
    page = stage.window.pages.settings
    assert stage.window.stack.currentWidget() is page
    lists = {box.accessibleName(): box for box in page.findChildren(QComboBox)}
    before = stage.app.font()
    try:
        lists["Theme"].activated.emit(2)
        lists["Text size"].activated.emit(3)
        lists["ACK numbers"].activated.emit(2)
        stage.settle()
        assert colours_of(stage.window.palette()).dark
        assert QApplication.font().pixelSize() > before.pixelSize()
        assert stage.window._settings.numbers == "never"
    finally:
        stage.app.setFont(before)


@pytest.fixture
def own(make_stage: MakeStage) -> Stage:
    stage = make_stage(session_view(peer_view()))
    stage.window.side.me.settings.click()
    stage.settle()
    return stage


def own_row(stage: Stage) -> SessionRow:
    assert stage.session.view
    return stage.session.view.session


def test_the_own_name_is_changed_and_shown_everywhere(own: Stage) -> None:
    card = own.window.pages.settings.own
    assert card.box.text() == "Ann"
    card.box.end(False)
    card.box.insert(" B.")
    card.box.editingFinished.emit()
    card.box.editingFinished.emit()
    assert own.client.asked(SetSession) == [SetSession(display_name="Ann B.")]
    row = msgspec.structs.replace(own_row(own), display_name="Ann B.")
    own.client.change(ev.SessionChanged(row))
    own.settle()
    assert own.window.side.me.name.text() == "Ann B."
    own.client.change(ev.SessionChanged(msgspec.structs.replace(row, display_name="Annie")))
    own.settle()
    assert card.box.text() == "Annie", "another front end changed it"


def test_another_folder_for_received_files_is_chosen(own: Stage, tmp_path: Path) -> None:
    card = own.window.pages.settings.inbox
    card.choose(str(tmp_path))
    assert own.client.asked(SetSession) == [SetSession(inbox=str(tmp_path))]
    row = msgspec.structs.replace(own_row(own), inbox=str(tmp_path))
    own.client.change(ev.SessionChanged(row))
    own.settle()
    assert card.place.text() == str(tmp_path)
    card.choose(str(tmp_path / "missing"))
    assert "cannot be written" in card.problem.words.text()
    assert len(own.client.asked(SetSession)) == 1


def test_the_rate_limit_of_files_is_changed_and_shown(own: Stage) -> None:
    card = own.window.pages.settings.inbox
    box = card.limit.box

    def write(text: str) -> None:
        box.selectAll()
        box.insert(text)
        box.editingFinished.emit()

    assert box.text() == ""
    write("5 MB/s")
    assert own.client.asked(SetSession) == [SetSession(limit_bytes_s=5_000_000)]
    row = msgspec.structs.replace(own_row(own), limit_bytes_s=5_000_000)
    own.client.change(ev.SessionChanged(row))
    own.settle()
    assert box.text() == "5.0 MB/s"
    write("fast")
    assert "is not a size" in card.problem.words.text()
    box.clear()
    box.setModified(True)
    box.editingFinished.emit()
    assert own.client.asked(SetSession)[1:] == [SetSession(limit_bytes_s=0)]
    assert card.problem.words.isHidden()


def test_what_is_left_over_is_removed_in_two_steps(own: Stage) -> None:
    row = own.window.pages.settings.inbox.space
    assert own.client.asked(FetchSpace) == [FetchSpace()]
    assert row.words.text() == "Nothing is left over."
    assert not row.clean.isEnabled()
    own.client.held |= {FetchSpace, CleanUp}
    own.window.pages.settings.open_page()
    own.client.answer(Space(1, 2_000_000, 1, 500_000, 2, 1_000_000))
    own.settle()
    assert row.words.text() == (
        "Unfinished files: 2, 2.5 MB (1 in use or recent); earlier folders: 2, 1.0 MB"
    )
    row.clean.click()
    assert "1 unfinished file and 2 earlier folders, 3.0 MB" in row.words.text()
    assert row.clean.isHidden()
    assert own.window.focusWidget() is row.keep, "Enter removes nothing"
    row.keep.click()
    assert row.clean.isEnabled()
    assert row.remove.isHidden()
    assert own.client.asked(CleanUp) == []
    row.clean.click()
    row.remove.click()
    assert own.client.asked(CleanUp) == [CleanUp()]
    assert row.words.text() == "Removing…"
    own.client.answer(Space(0, 0, 1, 500_000, removed=3, removed_bytes=3_000_000))
    own.settle()
    assert row.words.text() == "Unfinished files: 1, 500 kB (1 in use or recent)"
    assert not row.clean.isEnabled()


def test_what_is_left_over_may_not_be_known(own: Stage) -> None:
    row = own.window.pages.settings.inbox.space
    own.client.held.add(FetchSpace)
    own.window.pages.settings.open_page()
    assert row.words.text() == "Looking…"
    own.client.time_out()
    own.settle()
    assert row.words.text() == "Not known now"
    own.window.pages.settings.open_page()
    own.client.answer(error="The disk is away.")
    own.settle()
    assert row.words.text() == "The disk is away."
    assert not row.clean.isEnabled()


def test_a_refused_name_says_why(own: Stage) -> None:
    card = own.window.pages.settings.own
    own.client.held.add(SetSession)
    card.box.insert("?")
    card.box.editingFinished.emit()
    del own.client.unanswered[:-1]
    own.client.answer(error="A display name is too odd.")
    own.settle()
    assert card.problem.words.text() == "A display name is too odd."


def test_starting_at_login_is_written_and_taken_away(own_home: Path) -> None:
    assert not autostart.starts_at_login("12345")
    assert autostart.set_start_at_login("12345", True) == ""
    assert autostart.starts_at_login("12345")
    with open(autostart.autostart_path("12345"), encoding="utf-8") as file:
        assert '"attach" "qt" "--session" "12345"' in file.read()
    assert autostart.set_start_at_login("12345", False) == ""
    assert not autostart.starts_at_login("12345")


def test_a_command_line_is_quoted_as_desktop_entries_want_it() -> None:
    assert autostart.quoted(["a b", 'c"d', "100%"]) == '"a b" "c\\\\"d" "100%%"'


def test_everything_on_a_page_that_takes_focus_has_a_name(contact: Stage) -> None:
    for page in (contact.window.pages.contact, contact.window.pages.start):
        for switch in page.findChildren(Switch):
            assert switch.accessibleName()
            assert switch.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_a_reader_learns_what_a_list_to_choose_from_is_for(contact: Stage) -> None:
    """On Linux Qt takes its name from the label that it is the buddy of, from nothing else."""
    pages = contact.window.pages
    lists = [
        box for page in (pages.contact, pages.settings) for box in page.findChildren(QComboBox)
    ]
    assert len(lists) == 4
    for box in lists:
        beside = present(box.parentWidget()).findChildren(QLabel)
        assert [name.text() for name in beside if name.buddy() is box]


def test_a_long_name_makes_no_page_wider_than_the_window(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view(name="W" * 60)), size=(480, 800))
    stage.window.attendants.menus.wanted.emit("contact")
    stage.settle()
    page = stage.window.pages.contact
    inside, card = page.area.widget(), page.findChild(WhoCard)
    assert inside is not None
    assert inside.width() <= page.width()
    assert card.name.text() == card.name.accessibleName() == "W" * 60
    assert card.name.height() > 2 * card.name.fontMetrics().height()
