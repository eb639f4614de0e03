"""Stopping the engine says what it stops, and does it only when that was meant."""

import pytest

from chatnet_protocol.ipc.commands import StopEngine
from chatnet_qt.qt import QAction, QApplication, QEvent, QKeyEvent, Qt
from chatnet_qt.quit_dialog import QuitDialog, stop_words
from qtworld import (
    MakeStage,
    Stage,
    offer_row,
    peer_view,
    session_view,
    text_row,
    transfer_row,
    with_rows,
)


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage(session_view(peer_view()))


def ask(stage: Stage) -> QuitDialog:
    actions = stage.window.findChildren(QAction)
    next(a for a in actions if "stop the engine" in a.text().replace("&", "")).trigger()
    stage.settle()
    dialogs = [w for w in QApplication.topLevelWidgets() if isinstance(w, QuitDialog)]
    return next(dialog for dialog in dialogs if dialog.isVisible())


def test_enter_keeps_it_running(stage: Stage) -> None:
    dialog = ask(stage)
    key = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier)
    stage.app.sendEvent(dialog, key)
    assert not dialog.isVisible()
    assert stage.client.asked(StopEngine) == []


def test_it_is_stopped_when_that_is_meant(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QApplication, "quit", lambda: None)
    ask(stage).quit.click()
    stage.settle()
    assert len(stage.client.asked(StopEngine)) == 1


def test_it_says_what_waits() -> None:
    rows = [text_row(1, "hi", mine=True, seq=1), offer_row(2, "a.bin", 9, mine=True, seq=2)]
    view = session_view(with_rows(peer_view(), rows))
    view.transfers = [transfer_row(rows[1], "active", "a.bin", 9)]
    expected = "2 messages that were not delivered yet and 1 transfer wait until you start it again"
    assert stop_words(view) == f"{expected}, and nobody can reach you."
    view = session_view(with_rows(peer_view(), rows[:1]))
    assert stop_words(view).startswith("1 message that was not delivered yet waits until")
    assert stop_words(session_view()) == "Nobody can reach you until you start it again."
