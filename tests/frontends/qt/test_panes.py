"""Which conversation is on screen and what is read in it, for a window that comes after it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage, MarkRead
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.ipc.view import View
from chatnet_qt.qt import QSettings, present
from chatnet_qt.settings import FILE_NAME, Settings
from qtworld import MakeStage, Stage, message_id, peer_view, session_view, text_row, with_rows

LAST = 600
TAIL = 50
ROWS = [text_row(no, f"{no} " + "word " * (no * 7 % 23), ack=no) for no in range(1, LAST + 10)]

MakeWindow = Callable[..., Stage]


@pytest.fixture
def make_window(make_stage: MakeStage) -> MakeWindow:
    """A window on Bob and Carol, who wrote LAST messages and maybe a few more."""

    def make(last: int = LAST, history: list[MessageRow] | None = None) -> Stage:
        return make_stage(seen_by(last), history=ROWS[:last] if history is None else history)

    return make


def seen_by(last: int) -> View:
    carol = peer_view(2, name="Carol", my_read=LAST, my_shown=LAST)
    return session_view(peer_view(), with_rows(carol, ROWS[last - TAIL : last]))


def read_at(stage: Stage, no: int) -> int:
    """Read message `no` of Carol; where its bubble begins, in px below the window's upper edge."""
    stage.window.peers.step(1)
    stage.settle()
    stage.pane.model.show_message(ROWS[no - 1])
    stage.settle()
    stage.bar.setValue(stage.bar.value() + 37)
    stage.settle()
    return top_on_screen(stage, no)


def top_on_screen(stage: Stage, no: int) -> int:
    view, model = stage.pane.view, stage.pane.model
    row = model.row_of(message_id(no))
    assert row in view.visible_rows()
    top = view.visualRect(model.index(row)).topLeft()
    inside = round(view.placed(row).bubble.top())
    return present(view.viewport()).mapTo(stage.window, top).y() + inside


def written(folder: Path) -> str:
    """What a process that is killed now leaves on disk."""
    path = folder / FILE_NAME
    return path.read_text() if path.exists() else ""


def wait_until_kept(stage: Stage, folder: Path) -> None:
    pane = stage.pane
    message, px = pane.view.place.kept or (b"", 0)
    kept = f"place={pane.peer_number} {message.hex() or '-'} {px}"
    stage.until(lambda: kept in written(folder))


@pytest.mark.parametrize("no", [LAST - TAIL + 10, 60, 1])
def test_a_window_after_a_killed_one_shows_the_same(
    make_window: MakeWindow, tmp_path: Path, no: int
) -> None:
    killed = make_window()
    before = read_at(killed, no)
    wait_until_kept(killed, tmp_path)
    stage = make_window()
    stage.settle()
    assert stage.window.windowTitle().endswith("Carol — ChatNet")
    assert "Carol" in str(stage.window.peers.currentIndex().data())
    assert top_on_screen(stage, no) == before
    for _ in range(10):
        stage.settle()
    assert top_on_screen(stage, no) == before


def test_who_was_at_the_end_is_there_again_or_at_what_is_new(
    make_window: MakeWindow, tmp_path: Path
) -> None:
    killed = make_window()
    killed.window.peers.step(1)
    killed.settle()
    wait_until_kept(killed, tmp_path)
    again = make_window()
    again.settle()
    assert again.pane.peer_number == 2
    assert again.pane.view.at_end
    wait_until_kept(again, tmp_path)
    later = make_window(LAST + 5)
    later.settle()
    assert later.pane.model.first_new_row() in later.pane.view.visible_rows()


def test_what_came_while_there_was_no_window_is_below_and_not_read(
    make_window: MakeWindow, tmp_path: Path
) -> None:
    killed = make_window()
    before = read_at(killed, 60)
    wait_until_kept(killed, tmp_path)
    stage = make_window(LAST + 5)
    stage.settle()
    assert top_on_screen(stage, 60) == before
    assert stage.pane.jump.isVisible()
    assert stage.pane.jump.count == 5
    assert not stage.client.asked(MarkRead)


def test_a_place_that_cannot_be_read_is_the_end(make_window: MakeWindow, tmp_path: Path) -> None:
    killed = make_window()
    read_at(killed, 60)
    wait_until_kept(killed, tmp_path)
    stage = make_window(history=[])
    stage.settle()
    assert stage.pane.peer_number == 2
    assert stage.pane.view.at_end
    assert stage.bar.value() == stage.bar.maximum()


def test_who_scrolls_before_the_place_is_read_stays_there(
    make_stage: MakeStage, make_window: MakeWindow, tmp_path: Path
) -> None:
    killed = make_window()
    read_at(killed, 60)
    wait_until_kept(killed, tmp_path)
    pages: list[FetchHistory] = []

    def page_of(query: FetchHistory) -> HistoryPage:
        pages.append(query)
        raise CommandError(ErrorCode.BUSY, "later")

    stage = make_stage(page_of=page_of)
    stage.client.held.add(FetchHistory)
    stage.client.reset(seen_by(LAST))
    stage.settle()
    assert not stage.pane.view.at_end, "what is seen meanwhile does not count as read"
    stage.bar.setValue(stage.bar.maximum() - 500)
    stage.settle()
    kept = stage.pane.view.place.kept
    stage.client.answer(HistoryPage([ROWS[59]], [2], more=False))
    stage.settle()
    assert stage.pane.view.place.kept == kept


def test_the_place_of_a_peer_that_is_gone_is_the_first_conversation(
    make_window: MakeWindow, make_stage: MakeStage, tmp_path: Path
) -> None:
    killed = make_window()
    read_at(killed, 60)
    wait_until_kept(killed, tmp_path)
    stage = make_stage(session_view(peer_view()))
    stage.settle()
    assert stage.pane.peer_number == 1


@pytest.mark.parametrize("spoiled", ["", "2", "2 zz 5", "2 0123 5", "x - 0", "2 - 0 0", "-1 - 0"])
def test_a_spoiled_place_is_none(tmp_path: Path, spoiled: str) -> None:
    file = QSettings(str(tmp_path / FILE_NAME), QSettings.Format.IniFormat)
    file.setValue("place", spoiled)
    file.sync()
    assert Settings(str(tmp_path)).place == (0, b"", 0)
