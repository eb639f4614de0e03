"""The conversation as a list: what each row says, and how rows come and go."""

from typing import Any

import msgspec
import pytest

from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import FetchHistory
from chatnet_protocol.ipc.rows import AckRange, MessageKind, MessageRow
from chatnet_qt.models import ConversationModel
from chatnet_qt.qt import QModelIndex, Qt, present
from qtworld import (
    NOW_MS,
    MakeStage,
    Stage,
    message_id,
    offer_row,
    peer_view,
    session_view,
    text_row,
    transfer_row,
    with_rows,
)


def texts(model: ConversationModel) -> list[str]:
    return [model.message(row).text for row in range(model.rowCount())]


def history(first: int, last: int) -> list[MessageRow]:
    return [text_row(no, f"m{no}", ack=no) for no in range(first, last + 1)]


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    return make_stage(session_view(with_rows(peer_view(), history(1, 3))))


def test_the_view_fills_it_and_events_add_to_it(stage: Stage) -> None:
    model = stage.pane.model
    stage.arrive(text_row(4, "m4", ack=4))
    assert texts(model) == ["m1", "m2", "m3", "m4"]
    assert model.rowCount(model.index(0)) == 0
    assert model.data(QModelIndex()) is None


def test_another_peers_messages_are_not_ours(make_stage: MakeStage) -> None:
    stage = make_stage(session_view(with_rows(peer_view(), history(1, 2)), peer_view(2)))
    stage.arrive(text_row(3, "for the other", ack=1), peer=2)
    assert texts(stage.pane.model) == ["m1", "m2"]


def test_a_new_snapshot_keeps_the_rows_that_join(stage: Stage) -> None:
    model = stage.pane.model
    resets = []
    model.modelReset.connect(lambda: resets.append(1))
    stage.client.reset(session_view(with_rows(peer_view(), history(2, 5))), b"boot2")
    stage.settle()
    assert texts(model) == ["m1", "m2", "m3", "m4", "m5"]
    assert resets == []


def test_a_snapshot_of_another_conversation_replaces_them(stage: Stage) -> None:
    model = stage.pane.model
    stage.client.reset(session_view(with_rows(peer_view(), history(80, 82))), b"boot2")
    stage.settle()
    assert texts(model) == ["m80", "m81", "m82"]


def test_states_come_from_the_watermarks(make_stage: MakeStage) -> None:
    rows = [text_row(no, "x", mine=True, seq=no) for no in range(1, 6)]
    rows[4] = msgspec.structs.replace(rows[4], failed="too large")
    stage = make_stage(session_view(with_rows(peer_view(), rows)))
    model = stage.pane.model
    runs = [AckRange(seq=3, ack=3, count=3)]
    stage.client.change(
        ev.MessagesDelivered(peer=1, delivered_seq=3, runs=runs),
        ev.MarksMoved(peer=1, sent_seq=4, peer_shown=2, peer_read=1, my_shown=0, my_read=0),
    )
    stage.settle()
    states = [model.bubble(row).state for row in range(5)]
    assert states == ["read", "shown", "delivered", "sent", "failed"]
    stage.client.change(ev.MessageFailed(peer=1, no=4, reason="gone"))
    stage.settle()
    assert model.bubble(3).state == "failed"


def test_a_day_gets_a_separator_once(make_stage: MakeStage) -> None:
    day = 86_400_000
    rows = [
        text_row(no, "x", ack=no, at_ms=NOW_MS + at) for no, at in ((1, 0), (2, 1000), (3, day))
    ]
    stage = make_stage(session_view(with_rows(peer_view(), rows)))
    days = [bool(stage.pane.model.bubble(row).day) for row in range(3)]
    assert days == [True, False, True]


def test_groups_end_at_two_minutes_at_the_author_and_at_a_failure(make_stage: MakeStage) -> None:
    def row(no: int, at_s: int, **more: Any) -> MessageRow:
        return text_row(no, "x", at_ms=NOW_MS + at_s * 1000, **more)

    rows = [
        row(1, 0, ack=1),
        row(2, 100, ack=2),
        row(3, 230, ack=3),
        row(4, 231, mine=True, seq=1),
        msgspec.structs.replace(row(5, 232, mine=True, seq=2), failed="no"),
    ]
    stage = make_stage(session_view(with_rows(peer_view(), rows)))
    bubbles = [stage.pane.model.bubble(number) for number in range(5)]
    assert [bubble.starts_group for bubble in bubbles] == [True, False, True, True, True]
    assert [bubble.ends_group for bubble in bubbles] == [False, True, True, True, True]


def test_older_pages_go_on_top_until_there_are_none(make_stage: MakeStage) -> None:
    view = session_view(with_rows(peer_view(), history(151, 160)))
    stage = make_stage(view, history=history(1, 160))
    model = stage.pane.model
    model.fetch_older()
    stage.settle()
    model.fetch_older()
    stage.settle()
    assert model.rowCount() == 160
    asked = stage.client.asked(FetchHistory)
    model.fetch_older()
    assert stage.client.asked(FetchHistory) == asked


def test_one_page_is_asked_for_at_a_time(stage: Stage) -> None:
    stage.client.commands.clear()
    model = stage.pane.model
    model._timeline.has_older = True
    model.fetch_older()
    model.fetch_older()
    assert len(stage.client.asked(FetchHistory)) == 1


def test_a_search_hit_far_back_is_brought_into_memory_and_the_end_comes_back(
    make_stage: MakeStage,
) -> None:
    stage = make_stage(session_view(with_rows(peer_view(), history(1951, 2000))))
    stage.client.history = history(1, 2000)
    model = stage.pane.model
    found: list[bytes] = []
    model.found.connect(found.append)
    model.show_message(text_row(500, "m500", ack=500))
    stage.settle()
    assert found == [message_id(500)]
    assert not model.at_tail
    assert model.row_of(message_id(500)) >= 0
    assert model.row_of(message_id(501)) >= 0
    stage.arrive(text_row(2001, "m2001", ack=2001))
    assert model.row_of(message_id(2001)) == -1
    model.show_tail()
    assert texts(model)[-1] == "m2001"
    assert model.at_tail


def test_after_a_jump_to_what_came_back_the_rest_follows_without_a_hole(
    make_stage: MakeStage,
) -> None:
    """A thousand messages came back above the ten that were written after the loss."""
    back = [
        msgspec.structs.replace(text_row(no, f"m{no}", ack=no), place=0) for no in range(11, 1011)
    ]
    stage = make_stage(session_view(with_rows(peer_view(), history(1, 10))))
    stage.client.history = [*history(1, 10), *back]
    model = stage.pane.model
    model.show_message(back[499])
    stage.settle()
    numbers = [model.message(row).no for row in range(model.rowCount())]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) > 100
    for _ in range(10):
        stage.bar.setValue(stage.bar.maximum())
        stage.settle()
    assert model.at_tail
    numbers = [model.message(row).no for row in range(model.rowCount())]
    assert numbers[-12:] == [1009, 1010, *range(1, 11)]


def test_the_new_line_stands_above_the_first_unread(make_stage: MakeStage) -> None:
    peer = with_rows(peer_view(my_read=2), history(1, 4))
    stage = make_stage(session_view(peer))
    model = stage.pane.model
    assert model.new_after == 2
    assert [model.bubble(row).is_first_new for row in range(4)] == [False, False, True, False]
    assert model.first_new_row() == 2
    model.clear_new_line()
    assert model.first_new_row() == -1


def test_transfers_show_their_progress(make_stage: MakeStage) -> None:
    row = offer_row(1, "a.bin", 1000, ack=1)
    view = session_view(with_rows(peer_view(), [row]))
    view.transfers.append(transfer_row(row, "active", "a.bin", 1000, done_bytes=100))
    stage = make_stage(view)
    gauge = ev.TransferGauge(row.id, peer=1, revision=1, done_bytes=600, rate_bytes_s=50.0)
    stage.client.gauge(gauge)
    stage.settle()
    bubble = stage.pane.model.bubble(0)
    assert bubble.progress == (600, 50.0, False)
    done = transfer_row(row, "done", "a.bin", 1000, done_bytes=1000)
    stage.client.change(ev.TransferChanged(done))
    stage.settle()
    assert stage.pane.model.bubble(0).progress.done_bytes == 1000


def test_a_damaged_offer_is_shown_all_the_same(make_stage: MakeStage) -> None:
    row = msgspec.structs.replace(text_row(1, "", ack=1), kind=int(MessageKind.OFFER), body=b"\xc1")
    stage = make_stage(session_view(with_rows(peer_view(), [row])))
    assert present(stage.pane.model.bubble(0).offer).files == []
    stage.window.grab()


def test_every_row_can_be_spoken(stage: Stage) -> None:
    model = stage.pane.model
    spoken = model.data(model.index(0), Qt.ItemDataRole.AccessibleTextRole)
    assert isinstance(spoken, str)
    assert spoken.startswith("Bob, ")
    assert spoken.endswith("m1. ACK 1 from 10.0.0.7:5001. New")
