"""The window of rows in memory: order, pages, bounds."""

import msgspec
import pytest

from chatnet_protocol.ipc.rows import AckRange, MessageRow
from chatnet_qt import timeline as module
from chatnet_qt.timeline import MAX_ROWS, Timeline
from qtworld import text_row


def rows(first: int, last: int) -> list[MessageRow]:
    return [text_row(no, f"m{no}", ack=no) for no in range(first, last + 1)]


def numbers(timeline: Timeline) -> list[int]:
    return [row.no for row in timeline.rows]


def tail(first: int, last: int) -> Timeline:
    timeline = Timeline()
    timeline.reset(rows(first, last), has_older=True)
    return timeline


def test_new_rows_join_the_end_once() -> None:
    timeline = tail(1, 3)
    timeline.add(rows(3, 5))
    assert numbers(timeline) == [1, 2, 3, 4, 5]


def test_a_restored_row_goes_where_it_belongs() -> None:
    timeline = tail(10, 20)
    timeline.add([msgspec.structs.replace(text_row(30, "restored"), place=14, lamport=14)])
    assert numbers(timeline)[4:7] == [14, 30, 15]


def test_a_row_from_before_the_window_waits_for_its_page() -> None:
    timeline = tail(10, 20)
    timeline.add([msgspec.structs.replace(text_row(30, "restored"), place=2, lamport=2)])
    assert 30 not in numbers(timeline)


def test_an_older_page() -> None:
    timeline = tail(10, 12)
    timeline.add_older(rows(7, 9), more=False)
    assert numbers(timeline) == [7, 8, 9, 10, 11, 12]
    assert not timeline.has_older


def test_at_the_limit_new_rows_push_out_the_oldest() -> None:
    timeline = tail(1, MAX_ROWS)
    timeline.has_older = False
    timeline.add(rows(MAX_ROWS + 1, MAX_ROWS + 3))
    assert len(timeline.rows) == MAX_ROWS
    assert numbers(timeline)[0] == 4
    assert timeline.has_older


def test_at_the_limit_old_pages_push_out_the_newest() -> None:
    timeline = tail(101, 100 + MAX_ROWS)
    timeline.held = timeline.rows[3]
    timeline.add_older(rows(51, 100), more=True)
    assert len(timeline.rows) == MAX_ROWS
    assert numbers(timeline)[0] == 51
    assert not timeline.at_tail
    timeline.add(rows(9000, 9000))
    assert 9000 not in numbers(timeline), "it is beyond the window"
    timeline.held = timeline.rows[-3]
    timeline.add_newer(rows(50 + MAX_ROWS + 1, 100 + MAX_ROWS), more=False)
    assert timeline.at_tail
    assert numbers(timeline) == list(range(101, 101 + MAX_ROWS))


def test_the_text_in_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 10_000)
    timeline = Timeline()
    timeline.add([text_row(no, "x" * 1000) for no in range(1, 101)])
    assert len(timeline.rows) == module.MIN_ROWS


def test_a_snapshot_that_joins_keeps_what_was_loaded() -> None:
    timeline = tail(1, 30)
    timeline.refresh(rows(20, 40))
    assert numbers(timeline) == list(range(1, 41))


def test_a_snapshot_beyond_a_gap_starts_again() -> None:
    timeline = tail(1, 30)
    timeline.refresh(rows(50, 60))
    assert numbers(timeline) == list(range(50, 61))
    assert timeline.has_older


def test_a_search_result_shows_its_surroundings() -> None:
    timeline = tail(900, 950)
    timeline.show([*rows(1, 20), text_row(21, "hit")], has_older=True, at_tail=False)
    assert numbers(timeline) == list(range(1, 22))
    assert not timeline.at_tail


def test_ack_numbers_and_failures() -> None:
    timeline = Timeline()
    timeline.add([text_row(no, "x", mine=True, seq=no) for no in (1, 2, 3)])
    timeline.apply_runs([AckRange(seq=2, ack=9, count=2)])
    timeline.fail(3, "gone")
    assert [row.ack for row in timeline.rows] == [8, 9, 0]
    assert timeline.rows[2].failed == "gone"


def moved(no: int, place: int, lamport: int) -> MessageRow:
    return msgspec.structs.replace(text_row(no, f"m{no}"), place=place, lamport=lamport)


def test_a_row_that_is_another_one_now_moves() -> None:
    timeline = tail(10, 20)
    timeline.restore([moved(18, place=18, lamport=5), moved(30, place=14, lamport=14)])
    assert numbers(timeline) == [10, 11, 12, 13, 14, 30, 15, 16, 17, 18, 19, 20]
    timeline.restore([moved(30, place=2, lamport=2)])
    assert 30 not in numbers(timeline), "it stands before the window now"


def test_a_window_in_the_middle_keeps_its_place() -> None:
    timeline = Timeline()
    timeline.show(rows(1, 3), has_older=True, at_tail=False)
    timeline.restore([moved(no, place=no, lamport=no) for no in (1, 2, 3)])
    assert numbers(timeline) == [1, 2, 3]


def test_new_rows_push_out_nothing_that_is_read() -> None:
    timeline = tail(1, MAX_ROWS)
    timeline.held = timeline.rows[10]
    timeline.add(rows(MAX_ROWS + 1, MAX_ROWS + 3))
    assert len(timeline.rows) == MAX_ROWS
    assert numbers(timeline)[0] == 1
    assert not timeline.at_tail
