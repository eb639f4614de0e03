"""A peer's messages: each once, in order, with its ACK number; HELLO and what either side lost."""

import pytest

from chatnet_engine.ledger.counters import incarnation_bytes
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import AckRange
from chatnet_protocol.limits import MAX_MESSAGES_IN_WINDOW, MAX_TOTAL_AHEAD
from chatnet_protocol.wire.frames import Receipt
from simworld.ledger_harness import LedgerHarness, arrived, raised, texts

FIRST, SECOND = 2**64 - 1, 5


@pytest.fixture
def harness() -> LedgerHarness:
    harness = LedgerHarness()
    harness.add_peer()
    harness.hello(1, FIRST)
    return harness


def test_messages_get_numbers_and_one_receipt_run(harness: LedgerHarness) -> None:
    result = harness.accept(1, FIRST, 1, arrived(1, 2, 3))
    assert [(row.no, row.ack, row.seq, row.mine) for row in result.rows] == [
        (1, 1, 0, False),
        (2, 2, 0, False),
        (3, 3, 0, False),
    ]
    assert (result.receipts, result.mark) == ([Receipt(3, 3, 3)], 3)
    assert harness.history() == result.rows


@pytest.mark.parametrize("count", [1, 3, 255, 256, 257, 600])
def test_batches_of_any_size_are_stored_whole(harness: LedgerHarness, count: int) -> None:
    result = harness.accept(1, FIRST, 1, arrived(*range(count)))
    assert len(result.rows) == count
    assert harness.history() == result.rows
    assert result.receipts == [Receipt(count, count, count)]


def test_a_conversation_in_order_is_one_receipt_run(harness: LedgerHarness) -> None:
    """Also when the peer has started anew since, and its numbers lie behind the ACK numbers."""
    harness.accept(1, FIRST, 1, arrived(1, 2))
    harness.hello(1, SECOND)
    for number in (1, 3, 5):
        harness.accept(1, SECOND, number, arrived(100 + number, 101 + number))
    assert harness.hello(1, SECOND).receipts == [Receipt(6, 8, 6)]


def test_numbers_at_or_below_the_mark_are_skipped(harness: LedgerHarness) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2))
    assert harness.accept(1, FIRST, 1, arrived(1, 2)) == c.MessagesAccepted(1, [], [], 2)
    result = harness.accept(1, FIRST, 2, arrived(2, 3))
    assert [row.ack for row in result.rows] == [3]
    assert (result.receipts, result.mark) == ([Receipt(3, 3, 1)], 3)
    assert harness.accept(1, FIRST, 1, []).mark == 3


@pytest.mark.parametrize(("incarnation", "first_number"), [(FIRST, 2), (SECOND, 1)])
def test_a_gap_or_an_unknown_incarnation_is_a_broken_invariant(
    harness: LedgerHarness, incarnation: int, first_number: int
) -> None:
    op = c.AcceptMessages(1, incarnation, first_number, arrived(1), "", 1)
    assert raised(harness.ledger.apply(c.Commit(9, [op])))
    assert harness.history() == []


def test_known_ids_get_their_old_numbers_and_no_row(harness: LedgerHarness) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2, 3))
    harness.hello(1, SECOND)
    result = harness.accept(1, SECOND, 1, arrived(2, 3, 4, 1, 5))
    assert [row.ack for row in result.rows] == [4, 5]
    assert result.receipts == [Receipt(3, 4, 3), Receipt(4, 1, 1), Receipt(5, 5, 1)]
    assert result.mark == 5
    assert [row.ack for row in harness.history()] == [1, 2, 3, 4, 5]


def test_an_id_twice_in_one_batch_is_one_message(harness: LedgerHarness) -> None:
    result = harness.accept(1, FIRST, 1, arrived(*range(300), 7, 300))
    assert len(result.rows) == 301
    assert result.receipts == [
        Receipt(300, 300, 300),
        Receipt(301, 8, 1),
        Receipt(302, 301, 1),
    ]


def test_only_known_ids_move_the_mark_and_nothing_else(harness: LedgerHarness) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2))
    before = harness.history()
    result = harness.accept(1, FIRST, 3, arrived(1, 2))
    assert (result.rows, result.mark, result.receipts) == ([], 4, [Receipt(4, 2, 2)])
    assert harness.history() == before
    assert harness.state(1).received_total == 2


def test_the_same_id_from_another_author_is_another_message(harness: LedgerHarness) -> None:
    other = harness.add_peer(b"o" * 32)
    harness.hello(other, FIRST)
    harness.queue(1, texts(1))
    harness.accept(1, FIRST, 1, arrived(1))
    assert [row.ack for row in harness.accept(other, FIRST, 1, arrived(1)).rows] == [1]
    assert len(harness.history()) == 3


def test_accepting_raises_the_lamport_counter(harness: LedgerHarness) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2, lamport=40))
    assert harness.queue(1, texts(9)).rows[0].lamport == 42
    harness.accept(1, FIRST, 3, arrived(3, lamport=5))
    assert harness.queue(1, texts(10)).rows[0].lamport == 43


def test_a_counter_too_far_ahead_is_a_broken_invariant(harness: LedgerHarness) -> None:
    op = c.AcceptMessages(1, FIRST, 1, arrived(1, lamport=MAX_TOTAL_AHEAD + 1), "", 1)
    assert raised(harness.ledger.apply(c.Commit(9, [op])))
    harness.accept(1, FIRST, 1, arrived(1, lamport=MAX_TOTAL_AHEAD))


@pytest.mark.parametrize("field", ["acked_total", "received_total", "lamport"])
def test_a_hello_too_far_ahead_is_a_broken_invariant(harness: LedgerHarness, field: str) -> None:
    with pytest.raises(AssertionError):
        harness.hello(1, FIRST, **{field: MAX_TOTAL_AHEAD + 1})
    harness.hello(1, FIRST, **{field: MAX_TOTAL_AHEAD})


def test_a_hello_of_the_same_incarnation_repeats_receipts_from_its_base(
    harness: LedgerHarness,
) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2, 3))
    harness.accept(1, FIRST, 4, arrived(2, 4))
    assert harness.hello(1, FIRST, base=2).receipts == [
        Receipt(3, 3, 2),
        Receipt(4, 2, 1),
        Receipt(5, 4, 1),
    ]
    result = harness.hello(1, FIRST, base=5)
    assert (result.mark, result.receipts, result.gap) == (5, [Receipt(5, 4, 1)], 0)
    assert harness.hello(1, FIRST, base=6).receipts == []


def test_a_new_incarnation_starts_below_its_base_without_receipts(harness: LedgerHarness) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2))
    result = harness.hello(1, SECOND, base=4)
    assert (result.mark, result.receipts, result.gap) == (3, [], 0)
    assert result.state.incarnation == SECOND
    assert harness.accept(1, SECOND, 4, arrived(3)).receipts == [Receipt(4, 3, 1)]


def test_a_base_above_the_mark_of_the_same_incarnation_is_a_recorded_gap(
    harness: LedgerHarness,
) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2))
    result = harness.hello(1, FIRST, base=6)
    assert (result.mark, result.gap, result.receipts) == (5, 3, [])
    assert gaps(harness) == [(1, 2, 3)]
    assert harness.hello(1, FIRST, base=6).gap == 0, "told once"


def test_a_peer_that_remembers_more_than_we_have_shows_that_we_lost_history(
    harness: LedgerHarness,
) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2))
    harness.do(c.StoreMarks(1, my_shown=2, my_read=1))
    result = harness.hello(1, FIRST, acked_total=12, base=3)
    assert result.gap == 10
    assert gaps(harness) == [(1, 2, 10)]
    assert (result.state.received_total, result.state.my_shown, result.state.my_read) == (
        12,
        12,
        11,
    )
    assert harness.accept(1, FIRST, 3, arrived(3)).rows[0].ack == 13
    assert harness.view.peers[0].unread == 2, "one of before and the new one"


def test_a_peer_that_has_fewer_than_it_receipted_has_lost_history(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3))
    harness.do(c.StoreReceipts(1, [AckRange(3, 3, 3)]))
    assert harness.hello(1, SECOND, received_total=1).peer_lost == 2
    assert harness.hello(1, SECOND, received_total=3).peer_lost == 0
    assert harness.state(1).acked_total == 3


def test_a_peer_that_has_more_of_ours_than_we_know_shows_what_we_lost(
    harness: LedgerHarness,
) -> None:
    harness.queue(1, texts(1, 2, 3, 4))
    harness.do(c.StoreReceipts(1, [AckRange(1, 1, 1)]))
    harness.do(c.FailMessage(1, 4, "no"))
    assert harness.hello(1, SECOND, received_total=3).own_lost == 0, (
        "two receipts may be on the way"
    )
    assert harness.state(1).acked_total == 1
    assert harness.hello(1, SECOND, received_total=10).own_lost == 7
    assert harness.hello(1, SECOND, received_total=10).own_lost == 0, "told once"
    assert harness.hello(1, SECOND, received_total=6).peer_lost == 2


def test_a_hello_behind_ours_raises_nothing(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2), release=True)
    harness.queue(1, texts(3))
    result = harness.hello(1, SECOND, lamport=3)
    assert (result.raised_after_seq, result.raised_by) == (0, 0)
    assert result.state.lamport == 3
    assert [row.lamport for row in harness.history()] == [1, 2, 3]


def test_a_hello_ahead_raises_the_counter_even_with_nothing_waiting(harness: LedgerHarness) -> None:
    result = harness.hello(1, FIRST, lamport=9)
    assert (result.raised_by, result.state.lamport) == (0, 9)
    assert harness.queue(1, texts(1)).rows[0].lamport == 10


def test_a_hello_brings_the_name_of_the_peer(harness: LedgerHarness) -> None:
    harness.hello(1, FIRST, display_name="Robert")
    assert harness.ledger.load().peers[0].display_name == "Robert"


def test_receipts_kept_for_repetition_are_bounded(harness: LedgerHarness) -> None:
    harness.accept(1, FIRST, 1, arrived(1, 2))
    count = MAX_MESSAGES_IN_WINDOW + 50
    harness.accept(1, FIRST, 3, arrived(*([1] * count)))
    kept = harness.connection.execute("SELECT min(last_number), count(*) FROM inbound_runs")
    assert kept.fetchone() == (count + 3 - MAX_MESSAGES_IN_WINDOW, MAX_MESSAGES_IN_WINDOW)


def test_incarnations_use_all_64_bits(harness: LedgerHarness) -> None:
    assert harness.state(1).incarnation == FIRST
    assert incarnation_bytes(FIRST) == b"\xff" * 8


def gaps(harness: LedgerHarness) -> list[tuple[int, int, int]]:
    return harness.connection.execute("SELECT peer, after_no, missing FROM gaps").fetchall()
