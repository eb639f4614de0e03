"""The menus: each letter presses one entry. What the list says about a contact."""

import msgspec
import pytest

from chatnet_qt.peer_list import preview_of
from chatnet_qt.qt import QAction, QMenu
from chatnet_qt.safety import SafetyDialog
from qtworld import MakeStage, peer_view, session_view


def letters_of(entries: list[QAction]) -> list[str]:
    """The letters that press the entries of a menu."""
    texts = [entry.text().replace("&&", "") for entry in entries]
    return [text[text.index("&") + 1].lower() for text in texts if "&" in text]


@pytest.mark.parametrize("blocked", [True, False])
@pytest.mark.parametrize(("state", "key"), [("up", b"k" * 32), ("silent", b"k" * 32), ("off", b"")])
def test_one_letter_presses_one_entry_of_a_contacts_menu(
    make_stage: MakeStage, blocked: bool, state: str, key: bytes
) -> None:
    """Of two with the same letter neither is pressed, and the next one is a dangerous neighbour."""
    peer = peer_view(state=state)
    trust = "pinned" if key else "none"
    peer.info = msgspec.structs.replace(peer.info, blocked=blocked, key=key, trust=trust)
    menu = make_stage(session_view(peer)).window.attendants.peer_menu.menu_for(1)
    assert menu
    letters = letters_of(menu.actions())
    assert len(letters) >= 7
    assert len(set(letters)) == len(letters), letters


def test_one_letter_presses_one_entry_of_the_windows_menus(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(peer_view()))
    menus = [menu for menu in stage.window.findChildren(QMenu) if len(menu.actions()) > 1]
    assert len(menus) >= 4
    for menu in menus:
        letters = letters_of(menu.actions())
        assert len(set(letters)) == len(letters), [entry.text() for entry in menu.actions()]


def test_a_number_is_compared_with_three_keys(make_stage: MakeStage) -> None:
    """The key of the dialog, Tab, Space: Enter decides nothing."""
    stage = make_stage(session_view(peer_view()))
    action = next(a for a in stage.window.attendants.menus.actions if "Safety" in a.text())
    assert action.shortcut().toString() == "Ctrl+Shift+S"
    action.trigger()
    dialog = stage.pane.findChild(SafetyDialog)
    stage.until(lambda: dialog.focusWidget() is not None)
    assert dialog.focusWidget() is not dialog.verify
    dialog.focusNextPrevChild(True)
    assert dialog.focusWidget() is dialog.verify


def test_a_conversation_without_messages_says_that_the_engine_is_away() -> None:
    peer = peer_view()
    assert preview_of(peer, online=True)[0] == "Connected"
    assert preview_of(peer, online=False)[0] == "Engine not running"
