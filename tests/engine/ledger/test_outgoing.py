"""Own messages: queued once, loaded in pages, settled by receipts, failed with a reason."""

import msgspec
import pytest

from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import AckRange, MessageKind, PeerRow
from simworld.ledger_harness import LedgerHarness, message_id, raised, texts


@pytest.fixture
def harness() -> LedgerHarness:
    harness = LedgerHarness()
    harness.add_peer()
    return harness


def waiting(harness: LedgerHarness, peer: int = 1, after_seq: int = 0) -> list[int]:
    return [row.seq for row in harness.do(c.LoadOutbox(peer, after_seq, 10**9, 10**6)).rows]


def receipts(harness: LedgerHarness, *runs: tuple[int, int, int]) -> c.ReceiptsStored:
    stored: c.ReceiptsStored = harness.do(c.StoreReceipts(1, [AckRange(*run) for run in runs]))
    return stored


def test_queued_messages_are_numbered_and_stored_as_told(harness: LedgerHarness) -> None:
    result = harness.queue(1, texts(1, 2, 3))
    assert [(row.no, row.seq, row.lamport, row.place) for row in result.rows] == [
        (1, 1, 1, 1),
        (2, 2, 2, 2),
        (3, 3, 3, 3),
    ]
    assert harness.history() == result.rows
    assert waiting(harness) == [1, 2, 3]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 255, 256, 257, 600])
def test_batches_of_any_size_are_stored_whole(harness: LedgerHarness, count: int) -> None:
    rows = harness.queue(1, texts(*range(1, count + 1))).rows
    assert len(rows) == count
    assert harness.history() == rows


def test_new_messages_are_stored_without_a_question_for_each(harness: LedgerHarness) -> None:
    statements: list[str] = []
    harness.connection.set_trace_callback(statements.append)
    harness.ledger.apply(c.Commit(1, [c.QueueMessages(1, texts(*range(256)), 1, False)]))
    harness.connection.set_trace_callback(None)
    assert len(statements) < 20


def test_a_known_id_changes_nothing_and_tells_its_numbers(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2))
    before = harness.history()
    result = harness.queue(1, texts(2, 1))
    assert result == c.MessagesQueued(1, [], [(message_id(2), 2, 2), (message_id(1), 1, 1)], 0)
    assert harness.history() == before
    assert harness.queue(1, texts(3)).rows[0].no == 3


def test_known_and_new_ids_mix_and_repeat_in_one_batch(harness: LedgerHarness) -> None:
    harness.queue(1, texts(*range(300)))
    result = harness.queue(1, texts(*range(1000, 1300), 7, 1000, 1300))
    assert [row.seq for row in result.rows] == list(range(301, 602))
    assert result.known == [(message_id(7), 8, 8), (message_id(1000), 301, 301)]


def test_an_id_known_with_another_peer_is_refused(harness: LedgerHarness) -> None:
    other = harness.add_peer(b"o" * 32)
    harness.queue(1, texts(5))
    assert harness.queue(other, texts(5)) == c.MessagesQueued(other, [], [], 0, (0,))


def test_an_id_known_with_another_text_is_refused(harness: LedgerHarness) -> None:
    harness.queue(1, texts(5))
    before = harness.history()
    another = msgspec.structs.replace(texts(5)[0], body=b"something else")
    later = msgspec.structs.replace(texts(5)[0], sent_ms=9, draft_revision=3)
    result = harness.queue(1, [*texts(6), another, later])
    assert [row.id for row in result.rows] == [message_id(6)]
    assert result.known == [(message_id(5), 1, 1)]
    assert result.refused == (1,)
    assert harness.history()[:1] == before


def test_of_two_messages_under_one_id_in_a_batch_the_first_counts(harness: LedgerHarness) -> None:
    first, other = texts(5)[0], msgspec.structs.replace(texts(5)[0], body=b"something else")
    result = harness.queue(1, [first, other, first])
    assert [row.body for row in result.rows] == [first.body]
    assert (result.known, result.refused) == ([(first.id, 1, 1)], (1,))


def test_a_text_and_an_offer_are_never_the_same(harness: LedgerHarness) -> None:
    text = texts(5)[0]
    harness.queue(1, [text])
    offer = msgspec.structs.replace(text, kind=MessageKind.OFFER)
    assert harness.queue(1, [offer]).refused == (0,)


def test_a_sent_message_clears_the_draft_it_was_made_of(harness: LedgerHarness) -> None:
    harness.do(c.StoreDraft(1, "hel", 0))
    harness.do(c.StoreDraft(1, "hello", 1))
    assert harness.queue(1, texts(1, draft_revision=1)).cleared_draft == 0
    assert harness.state(1).draft == "hello"
    assert harness.queue(1, texts(2, draft_revision=2)).cleared_draft == 3
    assert (harness.state(1).draft, harness.state(1).draft_revision) == ("", 3)


def test_a_repeated_command_does_not_clear_a_newer_draft(harness: LedgerHarness) -> None:
    harness.do(c.StoreDraft(1, "hello", 0))
    harness.queue(1, texts(1))
    assert harness.queue(1, texts(1, draft_revision=1)).cleared_draft == 0
    assert harness.state(1).draft == "hello"


def test_the_outbox_comes_in_pages_of_rows(harness: LedgerHarness) -> None:
    harness.queue(1, texts(*range(1, 6)))
    page = harness.do(c.LoadOutbox(1, 0, 10**9, 2))
    assert ([row.seq for row in page.rows], page.more) == ([1, 2], True)
    page = harness.do(c.LoadOutbox(1, 2, 10**9, 3))
    assert ([row.seq for row in page.rows], page.more) == ([3, 4, 5], False)
    assert page.rows[0].message.id == message_id(3)


def test_the_outbox_comes_in_pages_of_bytes_with_one_row_at_least(harness: LedgerHarness) -> None:
    rows = [c.NewMessage(message_id(n), 1, b"x" * 100, 1) for n in range(4)]
    harness.queue(1, rows)
    page = harness.do(c.LoadOutbox(1, 0, 200, 10))
    assert ([row.seq for row in page.rows], page.more) == ([1, 2], True)
    page = harness.do(c.LoadOutbox(1, 2, 1, 10))
    assert ([row.seq for row in page.rows], page.more) == ([3], True)


def test_a_receipt_settles_a_run_and_tells_the_ack_numbers(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3))
    assert receipts(harness, (2, 12, 2)) == c.ReceiptsStored(1, 2, 12, [AckRange(2, 12, 2)])
    assert [row.ack for row in harness.history()] == [11, 12, 0]
    assert waiting(harness) == [3]
    assert harness.state(1).sent_seq == 2


def test_a_repeated_receipt_tells_nothing_new(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3))
    receipts(harness, (2, 2, 2))
    assert receipts(harness, (2, 2, 2)).runs == []
    assert receipts(harness, (3, 3, 3)).runs == [AckRange(3, 3, 1)]
    assert receipts(harness, (3, 99, 1)).runs == [], "the first number told is kept"
    assert [row.ack for row in harness.history()] == [1, 2, 3]
    assert harness.state(1).acked_total == 99


def test_overlapping_runs_in_one_operation_count_once(harness: LedgerHarness) -> None:
    harness.queue(1, texts(*range(1, 10)))
    receipts(harness, (5, 5, 5))
    assert receipts(harness, (8, 8, 3), (9, 9, 3)).runs == [AckRange(8, 8, 3), AckRange(9, 9, 1)]
    assert [row.ack for row in harness.history()] == list(range(1, 10))


def test_receipts_out_of_order_leave_a_hole_until_it_is_filled(harness: LedgerHarness) -> None:
    harness.queue(1, texts(*range(1, 7)))
    assert receipts(harness, (4, 4, 1)).delivered_seq == 0
    assert waiting(harness) == [1, 2, 3, 5, 6]
    assert receipts(harness, (6, 6, 1)).delivered_seq == 0
    result = receipts(harness, (5, 5, 5))
    assert result.runs == [AckRange(3, 3, 3), AckRange(5, 5, 1)]
    assert result.delivered_seq == 6
    assert waiting(harness) == []
    assert [row.ack for row in harness.history()] == [1, 2, 3, 4, 5, 6]


def test_a_conversation_in_order_is_one_settled_row(harness: LedgerHarness) -> None:
    for n in range(1, 40):
        harness.queue(1, texts(n))
        receipts(harness, (n, 100 + n, 1))
    rows = harness.connection.execute("SELECT * FROM settled_runs").fetchall()
    assert rows == [(1, 1, 39, 101)]


def test_ack_numbers_that_jump_start_a_new_run(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3))
    receipts(harness, (1, 1, 1), (2, 7, 1), (3, 8, 1))
    assert [row.ack for row in harness.history()] == [1, 7, 8]


@pytest.mark.parametrize("run", [(4, 4, 1), (2, 1, 2), (2, 3, 3), (1, 1, 0)])
def test_an_impossible_receipt_is_a_broken_invariant(
    harness: LedgerHarness, run: tuple[int, int, int]
) -> None:
    harness.queue(1, texts(1, 2, 3))
    assert raised(harness.ledger.apply(c.Commit(9, [c.StoreReceipts(1, [AckRange(*run)])])))
    assert waiting(harness) == [1, 2, 3]


def test_a_failed_message_leaves_the_outbox_with_its_reason(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3))
    assert harness.do(c.FailMessage(1, 2, "withdrawn")) == c.MessageFailedStored(
        1, 2, "withdrawn", 0
    )
    assert waiting(harness) == [1, 3]
    assert harness.history()[1].failed == "withdrawn"
    assert receipts(harness, (1, 1, 1)).delivered_seq == 2, "what failed holds nothing up"


def test_failing_the_only_message_leaves_nothing_waiting(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1))
    assert harness.do(c.FailMessage(1, 1, "no")).delivered_seq == 1
    assert harness.view.peers[0].waiting == 0


@pytest.mark.parametrize("seq", [-1, 0, 1, 2, 4, 5, 99])
def test_nothing_is_failed_that_does_not_wait(harness: LedgerHarness, seq: int) -> None:
    harness.queue(1, texts(1, 2, 3, 4, 5))
    receipts(harness, (1, 1, 1), (5, 5, 1))
    harness.do(c.FailMessage(1, 2, "no"))
    harness.do(c.FailMessage(1, 4, "no"))
    again = harness.do(c.FailMessage(1, seq, "again"))
    assert again == c.MessageFailedStored(1, 0, "again", delivered_seq=2)
    assert [row.failed for row in harness.history()] == ["", "no", "", "no", ""]


def test_a_receipt_after_a_failure_does_not_undo_it(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3))
    harness.do(c.FailMessage(1, 2, "no"))
    result = receipts(harness, (3, 3, 3))
    assert result.runs == [AckRange(1, 1, 1), AckRange(3, 3, 1)]
    assert [(row.ack, row.failed) for row in harness.history()] == [(1, ""), (0, "no"), (3, "")]


def test_failures_in_a_row_share_a_settled_row_and_have_no_ack(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3))
    for seq in (1, 2, 3):
        harness.do(c.FailMessage(1, seq, "no"))
    assert harness.connection.execute("SELECT * FROM settled_runs").fetchall() == [(1, 1, 3, 0)]
    assert [row.ack for row in harness.history()] == [0, 0, 0]


def test_released_messages_keep_their_counters_others_rise_above_the_peer(
    harness: LedgerHarness,
) -> None:
    harness.queue(1, texts(1, 2), release=True)
    harness.queue(1, texts(3, 4))
    harness.do(c.LoadOutbox(1, 2, 10**9, 1))
    harness.queue(1, texts(5))
    result = harness.hello(1, 7, lamport=50)
    assert (result.raised_after_seq, result.raised_by) == (3, 47)
    assert [row.lamport for row in harness.history()] == [1, 2, 3, 51, 52]
    assert harness.queue(1, texts(6)).rows[0].lamport == 53


def test_what_is_queued_for_a_merged_peer_goes_where_it_went(harness: LedgerHarness) -> None:
    typed = harness.do(c.StorePeer(PeerRow(0, "typed", "h", 2))).row.peer
    harness.do(c.ForgetPeer(typed, 1))
    result = harness.do(c.QueueMessages(typed, texts(1), 1, True))
    assert (result.peer, result.rows[0].seq) == (1, 1)
    withdrawn = harness.do(c.FailMessage(1, 0, "withdrawn", message_id(1)))
    assert withdrawn.no == 1, "the link it was meant for is gone, so nobody was given it"


def test_a_merge_raises_only_counters_that_are_not_above_the_others(harness: LedgerHarness) -> None:
    typed = harness.do(c.StorePeer(PeerRow(0, "typed", "h", 2))).row.peer
    harness.queue(typed, texts(1, 2))
    harness.do(c.ForgetPeer(typed, 1))
    assert [row.lamport for row in harness.history()] == [1, 2]


def test_a_merge_of_empty_conversations_raises_no_counter(harness: LedgerHarness) -> None:
    typed = harness.do(c.StorePeer(PeerRow(0, "typed", "h", 2))).row.peer
    harness.do(c.ForgetPeer(typed, 1))
    assert harness.queue(1, texts(1)).rows[0].lamport == 1
