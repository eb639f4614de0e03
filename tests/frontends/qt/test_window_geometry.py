"""Size and place of the window, for one that comes after it was killed."""

from pathlib import Path

from chatnet_qt.qt import QMainWindow
from chatnet_qt.settings import FILE_NAME, Settings
from chatnet_qt.window_geometry import FIRST_SIZE, WindowGeometry
from qtworld import MakeStage, session_view


def test_a_window_after_a_killed_one_has_its_size(make_stage: MakeStage, tmp_path: Path) -> None:
    stage = make_stage(session_view())
    stage.settle()
    stage.window.resize(517, 433)
    path = tmp_path / FILE_NAME
    stage.until(lambda: path.exists() and "geometry=" in path.read_text())
    after = QMainWindow()
    WindowGeometry(after, Settings(str(tmp_path)))
    assert (after.width(), after.height()) == (517, 433)


def test_the_first_window_fits_the_screen(make_stage: MakeStage, tmp_path: Path) -> None:
    make_stage(session_view())
    first = QMainWindow()
    WindowGeometry(first, Settings(str(tmp_path / "new")))
    assert 0 < first.width() <= FIRST_SIZE[0]
    assert 0 < first.height() <= FIRST_SIZE[1]
