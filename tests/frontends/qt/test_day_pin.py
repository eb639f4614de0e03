"""The day of what is being read is said while the list is scrolled."""

import time

import pytest

from chatnet_qt.day_pin import DayPin
from chatnet_qt.wording import day_words
from qtworld import NOW_MS, MakeStage, Stage, peer_view, session_view, text_row, with_rows

DAY_MS = 86_400_000
A_DAY = 40
"""Messages."""


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    rows = [
        text_row(no, f"message {no}", ack=no, at_ms=NOW_MS + no // A_DAY * DAY_MS + no * 1000)
        for no in range(1, 3 * A_DAY)
    ]
    return make_stage(session_view(with_rows(peer_view(my_read=3 * A_DAY), rows)))


def scroll_to(stage: Stage, row: int, by: int = 0) -> DayPin:
    view = stage.pane.view
    top = view.visualRect(stage.pane.model.index(row)).top()
    stage.bar.setValue(stage.bar.value() + top + by)
    return stage.pane.day_pin


def day_of_row(stage: Stage, row: int) -> str:
    return day_words(stage.pane.model.message(row).arrived_ms, int(time.time() * 1000))


def test_it_names_the_day_at_the_upper_edge_and_goes_away(stage: Stage) -> None:
    assert not stage.pane.day_pin.isVisible()  # nobody has scrolled
    pin = scroll_to(stage, A_DAY + 5)
    assert pin.isVisible()
    assert pin.words == day_of_row(stage, A_DAY + 5)
    assert pin.geometry().top() == 8
    pin._end.timeout.emit()
    assert not pin.isVisible()


def test_a_day_line_in_sight_needs_no_second_one(stage: Stage) -> None:
    assert stage.pane.model.bubble(A_DAY - 1).day
    assert not scroll_to(stage, A_DAY - 1).isVisible()


def test_the_next_day_pushes_it_out(stage: Stage) -> None:
    pin = scroll_to(stage, A_DAY - 1, by=-16)
    assert pin.words == day_of_row(stage, A_DAY - 2)
    assert pin.geometry().top() < 8


def test_arrivals_do_not_show_it(stage: Stage) -> None:
    stage.arrive(text_row(500, "new", ack=500))
    assert not stage.pane.day_pin.isVisible()
