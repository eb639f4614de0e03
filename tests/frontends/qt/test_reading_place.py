"""What a person reads stays where it is: a hit far away, pages, arrivals, sizes, a new snapshot."""

from typing import Any, Protocol

import msgspec
import pytest

from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_qt import bubble_delegate, card_layout, pager, settling
from chatnet_qt.banner import Banner, Tone
from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_delegate import BubbleDelegate
from chatnet_qt.bubble_layout import Placed
from chatnet_qt.conversation_pane import HISTORY_FAILED
from chatnet_qt.qt import QPoint, Qt, present
from qtworld import MakeStage, Stage, message_id, peer_view, session_view, text_row, with_rows

NEEDLE = "nightly build"


def row_of(no: int, needles: frozenset[int] = frozenset()) -> MessageRow:
    words = NEEDLE if no in needles else "word " * (no * 7 % 23)
    return text_row(no, f"{no} {words}", ack=no)


class LongHistory:
    """Messages 1 to `last`, made when they are asked for."""

    def __init__(self, last: int, needles: frozenset[int]) -> None:
        self.last = last
        self.needles = needles

    def page(self, query: FetchHistory) -> HistoryPage:
        if query.search:
            found = [no for no in sorted(self.needles, reverse=True) if self._before(query, no)]
        elif query.after_place is not None:
            found = list(range(query.after_place + 1, self.last + 1)[: query.limit + 1])
        else:
            end = query.before_place or self.last + 1
            found = list(range(end - 1, 0, -1)[: query.limit + 1])
        rows = [row_of(no, self.needles) for no in found[: query.limit]]
        return HistoryPage(rows, [query.peer] * len(rows), len(found) > query.limit)

    def _before(self, query: FetchHistory, no: int) -> bool:
        return not query.before_place or no < query.before_place


class OpenOn(Protocol):
    def __call__(self, last: int, needles: frozenset[int] = ...) -> Stage: ...


@pytest.fixture
def open_on(make_stage: MakeStage) -> OpenOn:
    def make(last: int, needles: frozenset[int] = frozenset()) -> Stage:
        rows = [row_of(no, needles) for no in range(max(1, last - 49), last + 1)]
        view = session_view(with_rows(peer_view(my_read=last), rows))
        return make_stage(view, page_of=LongHistory(last, needles).page)

    return make


def top_on_screen(stage: Stage, no: int) -> int:
    """Where a bubble begins, in pixels below the upper edge of the window."""
    view, model = stage.pane.view, stage.pane.model
    row = model.row_of(message_id(no))
    assert row >= 0, f"message {no} is not in memory"
    top = view.visualRect(model.index(row)).topLeft()
    placed = view.placed(row)
    return present(view.viewport()).mapTo(stage.window, top).y() + round(placed.bubble.top())


def is_settled(stage: Stage) -> bool:
    """Whether every message in memory was measured."""
    delegate = stage.pane.view.itemDelegate()
    assert isinstance(delegate, BubbleDelegate)
    return not delegate.unmeasured()


def first_on_screen(stage: Stage) -> int:
    return stage.pane.model.message(stage.pane.view.visible_rows()[1]).no


def find(stage: Stage, words: str = NEEDLE) -> None:
    stage.pane.find_bar.open_bar()
    stage.pane.find_bar.box.setText(words)
    stage.pane.find_bar.search()
    stage.settle()


def assert_centred(stage: Stage, no: int) -> None:
    view, model = stage.pane.view, stage.pane.model
    box = view.visualRect(model.index(model.row_of(message_id(no))))
    middle = present(view.viewport()).height() / 2
    assert abs(box.center().y() - middle) < 30
    assert view.currentIndex().row() == model.row_of(message_id(no))


@pytest.mark.parametrize(("last", "hit"), [(250, 190), (250, 60), (100_000, 5_000), (100_000, 1)])
def test_a_hit_is_shown_wherever_it_stands_and_stays(open_on: OpenOn, last: int, hit: int) -> None:
    stage = open_on(last, frozenset({hit}))
    find(stage)
    assert stage.pane.find_bar.count.text() == "1 of 1"
    asked = len(stage.client.asked(FetchHistory))
    before = top_on_screen(stage, hit)
    for _ in range(20):
        stage.settle()
        assert top_on_screen(stage, hit) == before
    assert len(stage.client.asked(FetchHistory)) - asked <= 2, "it goes on fetching"
    if hit > 10:
        assert_centred(stage, hit)
    assert not stage.pane.view.at_end


def test_from_hit_to_hit_and_back_to_the_end(open_on: OpenOn) -> None:
    stage = open_on(100_000, frozenset({70_000, 69_990, 200}))
    find(stage)
    assert_centred(stage, 70_000)
    for hit, by in ((69_990, 1), (200, 1), (69_990, -1)):
        stage.pane.find_bar.step(by)
        stage.settle()
        assert_centred(stage, hit)
    stage.pane.jump.click()
    stage.settle()
    assert stage.pane.view.at_end
    assert stage.pane.model.message(stage.pane.model.rowCount() - 1).no == 100_000


def test_old_messages_read_downwards_stop_where_the_hand_stops(open_on: OpenOn) -> None:
    stage = open_on(100_000, frozenset({50_000}))
    find(stage)
    for _ in range(3):
        stage.bar.setValue(stage.bar.maximum())
        reading = first_on_screen(stage)
        before = top_on_screen(stage, reading)
        for _ in range(10):
            stage.settle()
        assert top_on_screen(stage, reading) == before
        assert not stage.pane.view.at_end
    assert first_on_screen(stage) < 50_600


def test_pages_of_both_directions_move_nothing(open_on: OpenOn) -> None:
    stage = open_on(5_000, frozenset({2_500}))
    find(stage)
    for value in (0, 0, 0, 0, 0, 0, 10**6, 10**6, 10**6, 10**6, 10**6, 10**6, 0):
        stage.bar.setValue(min(value, stage.bar.maximum()))
        reading = first_on_screen(stage)
        before = top_on_screen(stage, reading)
        stage.settle()
        assert top_on_screen(stage, reading) == before
    assert stage.pane.model.rowCount() <= 500


def test_the_end_is_followed_again_when_one_has_scrolled_there(open_on: OpenOn) -> None:
    stage = open_on(1_000, frozenset({700}))
    find(stage)
    for _ in range(20):
        stage.bar.setValue(stage.bar.maximum())
        stage.settle()
    assert stage.pane.view.at_end
    stage.arrive(row_of(1_001))
    assert stage.pane.model.message(stage.pane.model.rowCount() - 1).no == 1_001
    assert stage.pane.view.at_end


def test_arrivals_beyond_what_is_in_memory_move_nothing(open_on: OpenOn) -> None:
    stage = open_on(100_000, frozenset({5_000}))
    find(stage)
    before = top_on_screen(stage, 5_000)
    for no in range(100_001, 100_031):
        stage.arrive(row_of(no))
    assert top_on_screen(stage, 5_000) == before


def test_more_arrivals_than_memory_holds_leave_what_is_read(open_on: OpenOn) -> None:
    stage = open_on(3_000)
    stage.bar.setValue(stage.bar.maximum() // 2)
    reading = first_on_screen(stage)
    before = top_on_screen(stage, reading)
    for first in range(3_001, 4_001, 100):
        stage.arrive(*[row_of(no) for no in range(first, first + 100)])
    assert top_on_screen(stage, reading) == before
    assert stage.pane.model.rowCount() <= 500


@pytest.mark.parametrize("size", [(600, 300), (600, 800), (400, 500), (900, 500)])
def test_another_size_of_the_window_keeps_the_hit(open_on: OpenOn, size: tuple[int, int]) -> None:
    stage = open_on(1_000, frozenset({500}))
    find(stage)
    before = top_on_screen(stage, 500)
    stage.window.resize(*size)
    stage.settle()
    assert top_on_screen(stage, 500) == before


def test_a_banner_that_comes_and_goes_does_not_push_the_text(open_on: OpenOn) -> None:
    stage = open_on(1_000)
    stage.bar.setValue(stage.bar.maximum() // 2)
    stage.settle()
    reading = stage.pane.model.message(stage.pane.view.visible_rows()[3]).no
    before = top_on_screen(stage, reading)
    for strip in (stage.pane.notice_strip, stage.window.engine_strip):
        strip.show_banner(Banner(Tone.INFO, "news " * 40, (("ok", "OK"),)))
        stage.settle()
        assert top_on_screen(stage, reading) == before
    for strip in (stage.pane.notice_strip, stage.window.engine_strip):
        strip.show_banner(None)
    stage.settle()
    assert top_on_screen(stage, reading) == before
    stage.pane.composer.box.setPlainText("a\nb\nc\nd")
    stage.settle()
    assert top_on_screen(stage, reading) == before


def test_at_the_end_the_newest_stays_in_sight_below_a_banner(open_on: OpenOn) -> None:
    stage = open_on(1_000)
    stage.pane.notice_strip.show_banner(Banner(Tone.INFO, "news " * 40))
    stage.settle()
    assert stage.pane.view.at_end
    assert stage.bar.value() == stage.bar.maximum()


def test_a_new_snapshot_leaves_old_messages_on_screen(open_on: OpenOn) -> None:
    stage = open_on(100_000, frozenset({5_000}))
    find(stage)
    before = top_on_screen(stage, 5_000)
    rows = [row_of(no) for no in range(100_051, 100_101)]
    stage.client.page_of = LongHistory(100_100, frozenset({5_000})).page
    stage.client.reset(session_view(with_rows(peer_view(my_read=1), rows)), b"boot2")
    stage.settle()
    assert top_on_screen(stage, 5_000) == before
    stage.pane.view.go_to_end()
    stage.settle()
    assert stage.pane.model.message(stage.pane.model.rowCount() - 1).no == 100_100


def test_what_happens_while_a_page_is_read_is_not_lost(open_on: OpenOn) -> None:
    """The page was read before message 201 was committed, and answered after."""
    stage = open_on(200, frozenset({60}))
    find(stage)
    stage.client.held.add(FetchHistory)
    stage.pane.model.fetch_newer()
    stage.arrive(row_of(201))
    _token, query = stage.client.unanswered[-1]
    assert isinstance(query, FetchHistory)
    stage.client.held.clear()
    stage.client.answer(LongHistory(200, frozenset()).page(query))
    for _ in range(10):
        stage.bar.setValue(stage.bar.maximum())
        stage.settle()
    numbers = [stage.pane.model.message(at).no for at in range(stage.pane.model.rowCount())]
    assert numbers == list(range(numbers[0], 202))


def test_rows_that_come_back_while_an_older_page_is_read_are_in_it(open_on: OpenOn) -> None:
    stage = open_on(60)
    stage.client.held.add(FetchHistory)
    stage.pane.model.fetch_older()
    _token, query = stage.client.unanswered[-1]
    assert isinstance(query, FetchHistory)
    back = msgspec.structs.replace(text_row(90, "back", ack=90), place=4, lamport=4)
    stage.client.change(ev.MessagesRestored(peer=1, first_no=90, rows=[back]))
    stage.client.answer(LongHistory(60, frozenset()).page(query))
    stage.settle()
    numbers = [stage.pane.model.message(at).no for at in range(stage.pane.model.rowCount())]
    assert numbers[:6] == [1, 2, 3, 4, 90, 5]


def test_a_page_with_too_much_happening_meanwhile_is_asked_for_again(
    open_on: OpenOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pager, "MAX_EVENTS_KEPT", 3)
    stage = open_on(300)
    stage.client.held.add(FetchHistory)
    stage.pane.model.fetch_older()
    _token, query = stage.client.unanswered[-1]
    assert isinstance(query, FetchHistory)
    stage.arrive(*[row_of(no) for no in range(301, 303)])
    for no in range(303, 310):
        stage.arrive(row_of(no))
    stage.client.answer(LongHistory(300, frozenset()).page(query))
    stage.settle()
    assert stage.pane.model.message(0).no == 251, "not taken"
    stage.client.held.clear()
    stage.pane.model.fetch_older()
    stage.settle()
    assert stage.pane.model.message(0).no == 151


def test_an_answer_from_before_a_jump_is_dropped(open_on: OpenOn) -> None:
    stage = open_on(10_000, frozenset({500}))
    stage.client.held.add(FetchHistory)
    stage.pane.model.fetch_older()
    _token, query = stage.client.unanswered[-1]
    assert isinstance(query, FetchHistory)
    stage.client.held.clear()
    stage.pane.model.show_message(row_of(500))
    stage.settle()
    stage.client.answer(LongHistory(10_000, frozenset()).page(query))
    stage.settle()
    numbers = [stage.pane.model.message(at).no for at in range(stage.pane.model.rowCount())]
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert 500 in numbers


def test_a_hit_that_cannot_be_fetched_is_said(open_on: OpenOn) -> None:
    stage = open_on(10_000, frozenset({500}))
    before = top_on_screen(stage, 9_999)

    def fail(_query: FetchHistory) -> HistoryPage:
        raise CommandError(ErrorCode.BUSY, "64 pages are being read.")

    find(stage, "")
    stage.client.page_of = fail
    stage.pane.model.show_message(row_of(500))
    stage.settle()
    assert stage.pane.notice_strip.shown is not None
    assert stage.pane.notice_strip.shown.words == HISTORY_FAILED
    assert top_on_screen(stage, 9_999) == before


def test_the_first_message_of_all_is_one_key_away(open_on: OpenOn) -> None:
    stage = open_on(100_000)
    stage.pane.view.go_to_start()
    stage.settle()
    assert stage.pane.model.message(0).no == 1
    assert stage.bar.value() == 0
    assert not stage.pane.view.at_end
    view = stage.pane.view
    assert view.indexAt(QPoint(8, 1)).row() == 0
    assert stage.client.asked(FetchHistory)[-1].after_place == 0


def test_marks_move_while_one_reads_far_back_and_nothing_is_marked_read(open_on: OpenOn) -> None:
    stage = open_on(1_000, frozenset({300}))
    find(stage)
    stage.client.commands.clear()
    stage.arrive(row_of(1_001))
    before = top_on_screen(stage, 300)
    marks = ev.MarksMoved(peer=1, sent_seq=0, peer_shown=0, peer_read=0, my_shown=1, my_read=1)
    stage.client.change(marks)
    stage.settle()
    assert top_on_screen(stage, 300) == before
    assert [type(c).__name__ for c in stage.client.commands if "Mark" in type(c).__name__] == []


@pytest.mark.parametrize("last", [50, 3], ids=["at the end", "all on one screen"])
def test_a_hit_beside_the_newest_message_leaves_the_end_followed(
    open_on: OpenOn, last: int
) -> None:
    stage = open_on(last, frozenset({last - 1}))
    find(stage)
    assert stage.pane.view.currentIndex().row() == stage.pane.model.rowCount() - 2
    assert stage.pane.view.at_end
    assert not stage.pane.jump.isVisible()
    stage.arrive(*[row_of(no) for no in range(last + 1, last + 30)])
    assert stage.bar.value() == stage.bar.maximum()


def test_the_hand_on_the_scroll_bar_is_what_counts(open_on: OpenOn) -> None:
    stage = open_on(2_000, frozenset({1_000}))
    find(stage)
    stage.bar.setSliderDown(True)
    stage.bar.setValue(stage.bar.maximum())
    reading = first_on_screen(stage)
    before = top_on_screen(stage, reading)
    stage.settle()
    stage.settle()
    assert top_on_screen(stage, reading) == before
    stage.bar.setSliderDown(False)
    assert stage.bar.orientation() == Qt.Orientation.Vertical


@pytest.mark.parametrize("wanted", [1, 2, 700, 1_999, 2_000])
def test_a_day_is_found_however_far_back(open_on: OpenOn, wanted: int) -> None:
    stage = open_on(2_000, frozenset())
    at_ms = row_of(wanted).arrived_ms
    stage.client.commands.clear()
    stage.pane.model.show_day(at_ms)
    stage.settle()
    stage.settle()
    current = stage.pane.view.currentIndex().row()
    assert stage.pane.model.message(current).no == wanted
    assert current in stage.pane.view.visible_rows()
    asked = [c for c in stage.client.asked(FetchHistory) if c.limit == 1]
    assert len(asked) <= 12


def test_a_new_width_measures_what_is_in_sight_and_the_rest_later(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row_of(no) for no in range(1, 401)]
    stage = make_stage(session_view(with_rows(peer_view(my_read=400), rows)), size=(900, 600))
    view, model = stage.pane.view, stage.pane.model
    delegate = view.itemDelegate()
    assert isinstance(delegate, bubble_delegate.BubbleDelegate)
    view.go_to_row(200)
    stage.settle()
    first = view.visible_rows()[0]
    read, above = model.message(first).id, view.visualRect(model.index(first)).top()
    measured: list[bytes] = []
    place = card_layout.place

    def counted(bubble: Bubble, *rest: Any) -> Placed:
        measured.append(bubble.row.id)
        return place(bubble, *rest)

    def moved() -> int:
        return abs(view.visualRect(model.index(model.row_of(read))).top() - above)

    monkeypatch.setattr(bubble_delegate, "place", counted)
    view.resize(view.width() - 200, view.height())
    count = model.rowCount()
    assert count > 300
    assert 0 < len(measured) < 80
    assert all(delegate.is_measured(row) for row in view.visible_rows())
    assert moved() < 60
    stage.until(lambda: all(delegate.is_measured(row) for row in range(count)))
    assert len(set(measured)) == count
    assert moved() < 60


def test_a_page_is_measured_where_it_is_in_sight_and_the_rest_later(
    open_on: OpenOn, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[bytes] = []
    place = card_layout.place

    def noted(bubble: Bubble, *rest: Any) -> Placed:
        measured.append(bubble.row.id)
        return place(bubble, *rest)

    stage = open_on(5_000)
    view, model = stage.pane.view, stage.pane.model
    count = model.rowCount()
    stage.until(lambda: is_settled(stage))
    monkeypatch.setattr(bubble_delegate, "place", noted)
    with monkeypatch.context() as busy:  # no time for what is out of sight
        busy.setattr(settling.Settling, "handle_paint", lambda _settling: None)
        stage.bar.setValue(0)
        reading = first_on_screen(stage)
        before = top_on_screen(stage, reading)
        view.report_now()
        stage.until(lambda: model.rowCount() > count)
        assert top_on_screen(stage, reading) == before
        assert 0 < len(set(measured)) < 40
    present(view.viewport()).update()
    stage.until(lambda: is_settled(stage))
    assert len(set(measured)) >= pager.PAGE_ROWS
    assert top_on_screen(stage, reading) == before


def test_a_layout_that_waits_does_not_undo_what_the_hand_does(open_on: OpenOn) -> None:
    stage = open_on(1_000)
    stage.client.change(ev.MessagesAdded(1, 1_001, [row_of(1_001, frozenset())]))
    stage.pane.view.scheduleDelayedItemsLayout()
    stage.bar.setValue(stage.bar.maximum() // 2)
    reading = first_on_screen(stage)
    before = top_on_screen(stage, reading)
    assert not stage.pane.view.at_end
    stage.settle()
    assert not stage.pane.view.at_end
    assert top_on_screen(stage, reading) == before


def test_rows_that_arrive_are_measured_at_once(open_on: OpenOn) -> None:
    """One layout each, not one at a height that is assumed and another."""
    stage = open_on(5_000)
    stage.until(lambda: is_settled(stage))
    layouts: list[int] = []
    bar = stage.bar
    bar.rangeChanged.connect(lambda _low, high: layouts.append(high))
    stage.arrive(row_of(5_001, frozenset()))
    assert len(layouts) == 1
    assert is_settled(stage)


def test_a_conversation_that_opens_measures_what_is_in_sight(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[float] = []
    place = card_layout.place

    def noted(bubble: Bubble, width: float, *rest: Any) -> Placed:
        widths.append(width)
        return place(bubble, width, *rest)

    monkeypatch.setattr(bubble_delegate, "place", noted)
    rows = [row_of(no) for no in range(1, 201)]  # fewer than layouts are kept of
    stage = make_stage(session_view(with_rows(peer_view(my_read=200), rows)), size=(900, 600))
    assert 0 < len(widths) <= len(rows)
    assert len(set(widths)) == 1
    assert stage.pane.model.rowCount() - 1 in stage.pane.view.visible_rows()
