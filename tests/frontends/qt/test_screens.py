"""Every state of the window: nothing is cut, covered or nameless. Other scales: scripts/screens."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from chatnet_qt.bubble_layout import Placed
from chatnet_qt.labels import label
from chatnet_qt.qt import QApplication, QPushButton, QRectF, QWidget
from screens.faults import faults_of, wrong_parts
from screens.scene import Scene
from screens.states import STATES


@pytest.fixture
def scene(app: QApplication, tmp_path: Path) -> Iterator[Scene]:
    scene = Scene(app, str(tmp_path), "light")
    yield scene
    scene.close()


@pytest.mark.parametrize("name", STATES)
def test_nothing_is_cut_and_nothing_overlaps(scene: Scene, name: str) -> None:
    shown = STATES[name](scene)
    scene.settle()
    assert faults_of(shown) == []


@pytest.fixture
def board(app: QApplication) -> Iterator[QWidget]:
    """A bare window to put wrong things on."""
    board = QWidget()
    board.resize(300, 200)
    yield board
    board.close()


def test_cut_text_is_found(board: QWidget) -> None:
    label("These words need more room than they get", board).setGeometry(0, 0, 40, 20)
    label("And these want more lines than there are", board, wrap=True).setGeometry(0, 50, 60, 15)
    QPushButton("A button with words", board).setGeometry(0, 100, 40, 30)
    board.show()
    assert len(faults_of(board)) == 3


def test_what_sticks_out_of_its_parent_is_found(board: QWidget) -> None:
    made = label("words", board)
    made.resize(made.sizeHint())
    made.move(290, 0)
    board.show()
    assert ["cut off" in fault for fault in faults_of(board)] == [True]


def test_overlapping_widgets_are_found_unless_one_floats(board: QWidget) -> None:
    one, other = label("one", board), label("other", board)
    one.setGeometry(0, 0, 100, 40)
    other.setGeometry(50, 20, 100, 40)
    board.show()
    assert len(faults_of(board)) == 1
    other.setProperty("floats", True)
    assert faults_of(board) == []


def test_a_control_without_a_name_is_found(board: QWidget) -> None:
    control = QPushButton("", board)
    control.setGeometry(0, 0, 40, 30)
    board.show()
    assert ["no name" in fault for fault in faults_of(board)] == [True]
    control.setAccessibleName("Close")
    assert faults_of(board) == []


def test_a_time_over_a_buttons_words_is_found() -> None:
    placed = Placed(100, QRectF(0, 0, 200, 90), "17:02", QRectF(150, 60, 40, 16), QRectF())
    placed.buttons.append((QRectF(140, 55, 50, 24), "accept"))
    assert len(list(wrong_parts(placed, 300))) == 1
    placed.buttons[0][0].moveLeft(190)
    assert len(list(wrong_parts(placed, 300))) == 1
