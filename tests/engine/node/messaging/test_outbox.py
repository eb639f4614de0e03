"""Wire numbers, receipts in any order, and new links."""

import pytest

from chatnet_engine.node.messaging.outbox import Outbox
from chatnet_engine.store_ops.commit import OutboxRow
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc.rows import AckRange
from chatnet_protocol.limits import MAX_MESSAGES_IN_WINDOW
from chatnet_protocol.wire.frames import Receipt
from chatnet_protocol.wire.messages import Message, decode_message


def rows(first: int, count: int) -> list[OutboxRow]:
    return [
        OutboxRow(seq, Message(1, bytes([seq % 256]) * 16, seq, 5, f"m{seq}".encode()))
        for seq in range(first, first + count)
    ]


def started(count: int) -> Outbox:
    outbox = Outbox(0)
    outbox.extend(rows(1, count))
    assert outbox.restart(0, receiver_is_new=True) == 1
    return outbox


def test_entries_are_handed_out_once_within_the_room() -> None:
    outbox = started(3)
    first = outbox.take_unsent(2 * 100, overhead_bytes=64)
    assert [decode_message(data).body for data in first] == [b"m1", b"m2"]
    assert outbox.unsent == 1
    assert [decode_message(d).body for d in outbox.take_unsent(1000, 64)] == [b"m3"]
    assert outbox.take_unsent(1000, 64) == []


def test_a_window_of_tiny_messages_is_bounded_by_their_number() -> None:
    outbox = Outbox(0)
    outbox.extend(rows(1, MAX_MESSAGES_IN_WINDOW + 5))
    outbox.restart(0, receiver_is_new=True)
    assert len(outbox.take_unsent(1 << 30, 0)) == MAX_MESSAGES_IN_WINDOW


def test_receipts_become_runs_of_running_numbers_and_the_low_end_leaves() -> None:
    outbox = started(5)
    assert outbox.handle_receipts([Receipt(3, 13, 3)]) == [AckRange(3, 13, 3)]
    assert (outbox.base, len(outbox)) == (4, 2)
    assert outbox.seq_of(4) == 4
    assert outbox.seq_of(3) == 0


def test_a_later_receipt_first_keeps_the_earlier_entries() -> None:
    outbox = started(5)
    assert outbox.handle_receipts([Receipt(5, 25, 2)]) == [AckRange(5, 25, 2)]
    assert (outbox.base, len(outbox)) == (1, 5)
    assert outbox.handle_receipts([Receipt(3, 3, 3), Receipt(5, 25, 2)]) == [AckRange(3, 3, 3)]
    assert (outbox.base, len(outbox)) == (6, 0)


def test_the_store_is_read_on_by_halves_of_the_window_once_a_quarter_is_open() -> None:
    outbox = Outbox(0, window_bytes=4096)
    assert outbox.page_bytes == 2048
    assert [outbox.wants_page(credit) for credit in (1024, 1025)] == [False, True]
    outbox.loading = True
    assert not outbox.wants_page(4096)
    outbox.loading = False
    outbox.extend(rows(1, 1))
    assert not outbox.wants_page(4096), "what is in memory goes first"
    outbox.restart(0, receiver_is_new=True)
    outbox.take_unsent(4096, 64)
    assert outbox.wants_page(4096)
    outbox.complete = True
    assert not outbox.wants_page(4096)


def test_a_repeated_receipt_tells_nothing() -> None:
    outbox = started(2)
    assert outbox.handle_receipts([Receipt(2, 2, 2)])
    assert outbox.handle_receipts([Receipt(2, 2, 2)]) == []


def test_a_receipt_beyond_what_is_held_counts_what_is_held() -> None:
    outbox = started(2)
    assert outbox.handle_receipts([Receipt(4, 4, 4)]) == [AckRange(2, 2, 2)]


def test_runs_are_split_where_numbers_do_not_follow() -> None:
    outbox = Outbox(0)
    outbox.extend(rows(1, 2) + rows(5, 1))
    outbox.restart(0, receiver_is_new=True)
    assert outbox.handle_receipts([Receipt(3, 3, 3)]) == [AckRange(2, 2, 2), AckRange(5, 3, 1)]


def test_a_new_link_starts_after_what_the_peer_has() -> None:
    outbox = started(5)
    outbox.take_unsent(10_000, 64)
    assert outbox.restart(3, receiver_is_new=False) == 4
    assert [decode_message(d).body for d in outbox.take_unsent(10_000, 64)] == [b"m4", b"m5"]
    assert outbox.base == 1, "receipts for the first three are still to come"


def test_a_peer_that_lost_its_history_gets_all_that_is_still_held() -> None:
    outbox = started(5)
    outbox.take_unsent(10_000, 64)
    outbox.handle_receipts([Receipt(2, 2, 2)])
    assert outbox.restart(0, receiver_is_new=True) == 3
    assert len(outbox.take_unsent(10_000, 64)) == 3


def test_a_mark_above_what_was_sent_is_an_error_and_changes_nothing() -> None:
    outbox = started(2)
    with pytest.raises(RemoteProtocolError):
        outbox.restart(3, receiver_is_new=True)
    assert (outbox.base, len(outbox)) == (1, 2)


def test_a_mark_below_what_was_receipted_needs_a_new_receiver() -> None:
    outbox = started(3)
    outbox.handle_receipts([Receipt(2, 2, 2)])
    with pytest.raises(RemoteProtocolError):
        outbox.restart(1, receiver_is_new=False)
    assert outbox.restart(1, receiver_is_new=True) == 3
