"""For those who want it: nothing can be read while another program is used."""

import pytest

from chatnet_protocol.ipc.commands import MarkShown
from chatnet_qt.qt import QApplication
from qtworld import MakeStage, Stage, peer_view, session_view, text_row, with_rows


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    rows = [text_row(1, "secret", ack=1)]
    return make_stage(session_view(with_rows(peer_view(my_read=1, my_shown=1), rows)))


def leave(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QApplication, "activeWindow", lambda: None)
    stage.window.cover.follow()


def test_it_is_off_unless_wanted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(stage, monkeypatch)
    assert stage.window.cover.isHidden()


def test_it_covers_everything_and_nothing_counts_as_shown(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.window.pages.settings.blur_toggled.emit(True)
    leave(stage, monkeypatch)
    cover = stage.window.cover
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
    image = stage.window.cover.grab().toImage()
    steps = [
        abs(image.pixelColor(x, y).lightness() - image.pixelColor(x + 1, y).lightness())
        for y in range(0, image.height(), 3)
        for x in range(image.width() - 1)
    ]
    assert max(steps) <= 12
