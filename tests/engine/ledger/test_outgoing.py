"""Own messages: queued once, loaded in pages, settled by receipts, failed with a reason."""

import msgspec
import pytest

from chatnet_protocol import commit as c
from chatnet_protocol.ipc.rows import AckRun, MessageKind, PeerRow
from simworld.ledger_desk import Desk, message_id, raised, texts


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.add_peer()
    return desk


def waiting(desk: Desk, peer: int = 1, after_seq: int = 0) -> list[int]:
    return [row.seq for row in desk.do(c.LoadOutbox(peer, after_seq, 10**9, 10**6)).rows]


def receipts(desk: Desk, *runs: tuple[int, int, int]) -> c.ReceiptsStored:
    return desk.do(c.StoreReceipts(1, [AckRun(*run) for run in runs]))


def test_queued_messages_are_numbered_and_stored_as_told(desk: Desk) -> None:
    result = desk.queue(1, texts(1, 2, 3))
    assert [(row.no, row.seq, row.lamport, row.place) for row in result.rows] == [
        (1, 1, 1, 1),
        (2, 2, 2, 2),
        (3, 3, 3, 3),
    ]
    assert desk.history() == result.rows
    assert waiting(desk) == [1, 2, 3]


@pytest.mark.parametrize("count", [1, 2, 3, 5, 255, 256, 257, 600])
def test_batches_of_any_size_are_stored_whole(desk: Desk, count: int) -> None:
    rows = desk.queue(1, texts(*range(1, count + 1))).rows
    assert len(rows) == count
    assert desk.history() == rows


def test_new_messages_are_stored_without_a_question_for_each(desk: Desk) -> None:
    statements: list[str] = []
    desk.connection.set_trace_callback(statements.append)
    desk.ledger.apply(c.Commit(1, [c.QueueMessages(1, texts(*range(256)), 1, False)]))
    desk.connection.set_trace_callback(None)
    assert len(statements) < 20


def test_a_known_id_changes_nothing_and_tells_its_numbers(desk: Desk) -> None:
    desk.queue(1, texts(1, 2))
    before = desk.history()
    result = desk.queue(1, texts(2, 1))
    assert result == c.MessagesQueued(1, [], [(message_id(2), 2, 2), (message_id(1), 1, 1)], 0)
    assert desk.history() == before
    assert desk.queue(1, texts(3)).rows[0].no == 3


def test_known_and_new_ids_mix_and_repeat_in_one_batch(desk: Desk) -> None:
    desk.queue(1, texts(*range(300)))
    result = desk.queue(1, texts(*range(1000, 1300), 7, 1000, 1300))
    assert [row.seq for row in result.rows] == list(range(301, 602))
    assert result.known == [(message_id(7), 8, 8), (message_id(1000), 301, 301)]


def test_an_id_known_with_another_peer_is_refused(desk: Desk) -> None:
    other = desk.add_peer(b"o" * 32)
    desk.queue(1, texts(5))
    assert desk.queue(other, texts(5)) == c.MessagesQueued(other, [], [], 0, (0,))


def test_an_id_known_with_another_text_is_refused(desk: Desk) -> None:
    desk.queue(1, texts(5))
    before = desk.history()
    another = msgspec.structs.replace(texts(5)[0], body=b"something else")
    later = msgspec.structs.replace(texts(5)[0], sent_ms=9, draft_revision=3)
    result = desk.queue(1, [*texts(6), another, later])
    assert [row.id for row in result.rows] == [message_id(6)]
    assert result.known == [(message_id(5), 1, 1)]
    assert result.refused == (1,)
    assert desk.history()[:1] == before


def test_of_two_messages_under_one_id_in_a_batch_the_first_counts(desk: Desk) -> None:
    first, other = texts(5)[0], msgspec.structs.replace(texts(5)[0], body=b"something else")
    result = desk.queue(1, [first, other, first])
    assert [row.body for row in result.rows] == [first.body]
    assert (result.known, result.refused) == ([(first.id, 1, 1)], (1,))


def test_a_text_and_an_offer_are_never_the_same(desk: Desk) -> None:
    text = texts(5)[0]
    desk.queue(1, [text])
    offer = msgspec.structs.replace(text, kind=MessageKind.OFFER)
    assert desk.queue(1, [offer]).refused == (0,)


def test_a_sent_message_clears_the_draft_it_was_made_of(desk: Desk) -> None:
    desk.do(c.StoreDraft(1, "hel", 0))
    desk.do(c.StoreDraft(1, "hello", 1))
    assert desk.queue(1, texts(1, draft_revision=1)).cleared_draft == 0
    assert desk.state(1).draft == "hello"
    assert desk.queue(1, texts(2, draft_revision=2)).cleared_draft == 3
    assert (desk.state(1).draft, desk.state(1).draft_revision) == ("", 3)


def test_a_repeated_command_does_not_clear_a_newer_draft(desk: Desk) -> None:
    desk.do(c.StoreDraft(1, "hello", 0))
    desk.queue(1, texts(1))
    assert desk.queue(1, texts(1, draft_revision=1)).cleared_draft == 0
    assert desk.state(1).draft == "hello"


def test_the_outbox_comes_in_pages_of_rows(desk: Desk) -> None:
    desk.queue(1, texts(*range(1, 6)))
    page = desk.do(c.LoadOutbox(1, 0, 10**9, 2))
    assert ([row.seq for row in page.rows], page.more) == ([1, 2], True)
    page = desk.do(c.LoadOutbox(1, 2, 10**9, 3))
    assert ([row.seq for row in page.rows], page.more) == ([3, 4, 5], False)
    assert page.rows[0].id == message_id(3)


def test_the_outbox_comes_in_pages_of_bytes_with_one_row_at_least(desk: Desk) -> None:
    rows = [c.NewMessage(message_id(n), 1, b"x" * 100, 1) for n in range(4)]
    desk.queue(1, rows)
    page = desk.do(c.LoadOutbox(1, 0, 200, 10))
    assert ([row.seq for row in page.rows], page.more) == ([1, 2], True)
    page = desk.do(c.LoadOutbox(1, 2, 1, 10))
    assert ([row.seq for row in page.rows], page.more) == ([3], True)


def test_a_receipt_settles_a_run_and_tells_the_ack_numbers(desk: Desk) -> None:
    desk.queue(1, texts(1, 2, 3))
    assert receipts(desk, (2, 12, 2)) == c.ReceiptsStored(1, 2, 12, [AckRun(2, 12, 2)])
    assert [row.ack for row in desk.history()] == [11, 12, 0]
    assert waiting(desk) == [3]
    assert desk.state(1).sent_seq == 2


def test_a_repeated_receipt_tells_nothing_new(desk: Desk) -> None:
    desk.queue(1, texts(1, 2, 3))
    receipts(desk, (2, 2, 2))
    assert receipts(desk, (2, 2, 2)).runs == []
    assert receipts(desk, (3, 3, 3)).runs == [AckRun(3, 3, 1)]
    assert receipts(desk, (3, 99, 1)).runs == [], "the first number told is kept"
    assert [row.ack for row in desk.history()] == [1, 2, 3]
    assert desk.state(1).acked_total == 99


def test_overlapping_runs_in_one_operation_count_once(desk: Desk) -> None:
    desk.queue(1, texts(*range(1, 10)))
    receipts(desk, (5, 5, 5))
    assert receipts(desk, (8, 8, 3), (9, 9, 3)).runs == [AckRun(8, 8, 3), AckRun(9, 9, 1)]
    assert [row.ack for row in desk.history()] == list(range(1, 10))


def test_receipts_out_of_order_leave_a_hole_until_it_is_filled(desk: Desk) -> None:
    desk.queue(1, texts(*range(1, 7)))
    assert receipts(desk, (4, 4, 1)).delivered_seq == 0
    assert waiting(desk) == [1, 2, 3, 5, 6]
    assert receipts(desk, (6, 6, 1)).delivered_seq == 0
    result = receipts(desk, (5, 5, 5))
    assert result.runs == [AckRun(3, 3, 3), AckRun(5, 5, 1)]
    assert result.delivered_seq == 6
    assert waiting(desk) == []
    assert [row.ack for row in desk.history()] == [1, 2, 3, 4, 5, 6]


def test_a_conversation_in_order_is_one_settled_row(desk: Desk) -> None:
    for n in range(1, 40):
        desk.queue(1, texts(n))
        receipts(desk, (n, 100 + n, 1))
    rows = desk.connection.execute("SELECT * FROM settled_runs").fetchall()
    assert rows == [(1, 1, 39, 101)]


def test_ack_numbers_that_jump_start_a_new_run(desk: Desk) -> None:
    desk.queue(1, texts(1, 2, 3))
    receipts(desk, (1, 1, 1), (2, 7, 1), (3, 8, 1))
    assert [row.ack for row in desk.history()] == [1, 7, 8]


@pytest.mark.parametrize("run", [(4, 4, 1), (2, 1, 2), (2, 3, 3), (1, 1, 0)])
def test_an_impossible_receipt_is_a_broken_invariant(desk: Desk, run: tuple[int, int, int]) -> None:
    desk.queue(1, texts(1, 2, 3))
    assert raised(desk.ledger.apply(c.Commit(9, [c.StoreReceipts(1, [AckRun(*run)])])))
    assert waiting(desk) == [1, 2, 3]


def test_a_failed_message_leaves_the_outbox_with_its_reason(desk: Desk) -> None:
    desk.queue(1, texts(1, 2, 3))
    assert desk.do(c.FailMessage(1, 2, "withdrawn")) == c.MessageFailedStored(1, 2, "withdrawn", 0)
    assert waiting(desk) == [1, 3]
    assert desk.history()[1].failed == "withdrawn"
    assert receipts(desk, (1, 1, 1)).delivered_seq == 2, "what failed holds nothing up"


def test_failing_the_only_message_leaves_nothing_waiting(desk: Desk) -> None:
    desk.queue(1, texts(1))
    assert desk.do(c.FailMessage(1, 1, "no")).delivered_seq == 1
    assert desk.view.peers[0].waiting == 0


@pytest.mark.parametrize("seq", [-1, 0, 1, 2, 4, 5, 99])
def test_nothing_is_failed_that_does_not_wait(desk: Desk, seq: int) -> None:
    desk.queue(1, texts(1, 2, 3, 4, 5))
    receipts(desk, (1, 1, 1), (5, 5, 1))
    desk.do(c.FailMessage(1, 2, "no"))
    desk.do(c.FailMessage(1, 4, "no"))
    again = desk.do(c.FailMessage(1, seq, "again"))
    assert again == c.MessageFailedStored(1, 0, "again", delivered_seq=2)
    assert [row.failed for row in desk.history()] == ["", "no", "", "no", ""]


def test_a_receipt_after_a_failure_does_not_undo_it(desk: Desk) -> None:
    desk.queue(1, texts(1, 2, 3))
    desk.do(c.FailMessage(1, 2, "no"))
    result = receipts(desk, (3, 3, 3))
    assert result.runs == [AckRun(1, 1, 1), AckRun(3, 3, 1)]
    assert [(row.ack, row.failed) for row in desk.history()] == [(1, ""), (0, "no"), (3, "")]


def test_failures_in_a_row_share_a_settled_row_and_have_no_ack(desk: Desk) -> None:
    desk.queue(1, texts(1, 2, 3))
    for seq in (1, 2, 3):
        desk.do(c.FailMessage(1, seq, "no"))
    assert desk.connection.execute("SELECT * FROM settled_runs").fetchall() == [(1, 1, 3, 0)]
    assert [row.ack for row in desk.history()] == [0, 0, 0]


def test_released_messages_keep_their_counters_others_rise_above_the_peer(desk: Desk) -> None:
    desk.queue(1, texts(1, 2), release=True)
    desk.queue(1, texts(3, 4))
    desk.do(c.LoadOutbox(1, 2, 10**9, 1))
    desk.queue(1, texts(5))
    result = desk.hello(1, 7, lamport=50)
    assert (result.raised_after_seq, result.raised_by) == (3, 47)
    assert [row.lamport for row in desk.history()] == [1, 2, 3, 51, 52]
    assert desk.queue(1, texts(6)).rows[0].lamport == 53


def test_what_is_queued_for_a_merged_peer_goes_where_it_went(desk: Desk) -> None:
    typed = desk.do(c.StorePeer(PeerRow(0, "typed", "h", 2))).row.peer
    desk.do(c.ForgetPeer(typed, 1))
    result = desk.do(c.QueueMessages(typed, texts(1), 1, True))
    assert (result.peer, result.rows[0].seq) == (1, 1)
    withdrawn = desk.do(c.FailMessage(1, 0, "withdrawn", message_id(1)))
    assert withdrawn.no == 1, "the link it was meant for is gone, so nobody was given it"


def test_a_merge_raises_only_counters_that_are_not_above_the_others(desk: Desk) -> None:
    typed = desk.do(c.StorePeer(PeerRow(0, "typed", "h", 2))).row.peer
    desk.queue(typed, texts(1, 2))
    desk.do(c.ForgetPeer(typed, 1))
    assert [row.lamport for row in desk.history()] == [1, 2]


def test_a_merge_of_empty_conversations_raises_no_counter(desk: Desk) -> None:
    typed = desk.do(c.StorePeer(PeerRow(0, "typed", "h", 2))).row.peer
    desk.do(c.ForgetPeer(typed, 1))
    assert desk.queue(1, texts(1)).rows[0].lamport == 1
