"""For those who want it: nothing can be read while another program is used."""

from pathlib import Path

import pytest

from chatnet_protocol.ipc.commands import MarkShown
from chatnet_qt.main_window import MainWindow
from chatnet_qt.privacy import PrivacyCover
from chatnet_qt.qt import QApplication
from chatnet_qt.settings import Settings
from qtworld import MakeStage, Stage, peer_view, session_view, text_row, with_rows


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    rows = [text_row(1, "secret", ack=1)]
    return make_stage(session_view(with_rows(peer_view(my_read=1, my_shown=1), rows)))


def leave(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QApplication, "activeWindow", lambda: None)
    stage.window.attendants.cover.follow()


def test_it_is_off_unless_wanted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(stage, monkeypatch)
    assert stage.window.attendants.cover.isHidden()


def test_a_window_that_opens_in_the_background_is_covered_from_the_start(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = Settings(str(tmp_path))
    settings.blur = True
    settings.save()
    before: list[bool] = []
    show = MainWindow.show

    def noted(window: MainWindow) -> None:
        cover = window.findChild(PrivacyCover)
        before.append(cover is not None and not cover.isHidden())
        show(window)

    monkeypatch.setattr(QApplication, "activeWindow", lambda: None)
    monkeypatch.setattr(MainWindow, "show", noted)
    window = make_stage(session_view(with_rows(peer_view(), [text_row(1, "secret", ack=1)]))).window
    assert before == [True]
    assert window.attendants.cover.geometry() == window.rect()


def test_it_covers_everything_and_nothing_counts_as_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.window.pages.settings.blur_toggled.emit(True)
    leave(stage, monkeypatch)
    cover = stage.window.attendants.cover
    assert cover.isVisible()
    assert cover.geometry() == stage.window.rect()
    stage.arrive(text_row(2, "another", ack=2))
    assert stage.client.asked(MarkShown) == []
    monkeypatch.undo()
    cover.follow()
    stage.settle()
    assert cover.isHidden()
    assert stage.client.asked(MarkShown) == [MarkShown(1, 2)]


def test_no_letter_is_left(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where text stood no two neighbours differ by more than a shade."""
    stage.window.pages.settings.blur_toggled.emit(True)
    leave(stage, monkeypatch)
    image = stage.window.attendants.cover.grab().toImage()
    steps = [
        abs(image.pixelColor(x, y).lightness() - image.pixelColor(x + 1, y).lightness())
        for y in range(0, image.height(), 3)
        for x in range(image.width() - 1)
    ]
    assert max(steps) <= 12
