"""Batches, order, retry: what waits for the store."""

import copy

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.node import commits
from chatnet_engine.node.commit_shares import MAX_HELD_COST, MAX_ROWS_IN_COMMIT, OP_COST
from chatnet_engine.node.commits import (
    FIRST_RETRY_S,
    HELD_REST_S,
    MAX_RETRY_S,
    MAX_WAITING_ROWS,
    CommitQueue,
)
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.waiting import MAX_MERGED_HELD_ROWS, MAX_MERGED_ROWS
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import AckRange, PeerRow

NOW = Now(100.0, 1)


def queued(text: str, peer: int = 1, release: bool = False) -> c.QueueMessages:
    row = c.NewMessage(text.encode().ljust(16, b"."), 1, text.encode(), 5)
    return c.QueueMessages(peer, [row], 5, release)


def arrived(first: int, count: int, incarnation: int = 7) -> c.AcceptMessages:
    rows = [c.Message(1, bytes([n]) * 16, n, 5, b"x") for n in range(first, first + count)]
    return c.AcceptMessages(1, incarnation, first, rows, "ip:1", 5)


def so_many_wait(queue: CommitQueue, rows: int) -> bool:
    """Whether so many own messages wait in the queue or with the store, and no more."""
    full = []
    for limit in (rows, rows + 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(commits, "MAX_WAITING_ROWS", limit)
            full.append(queue.full)
    return full == [True, False]


def results(commit: c.Commit) -> c.Committed:
    return c.Committed(commit.number, [c.DraftStored(1, True, 1, "")] * len(commit.ops))


def test_only_one_transaction_is_in_flight_and_the_rest_forms_the_next() -> None:
    queue = CommitQueue()
    queue.add(queued("a"))
    first = queue.take(NOW)
    assert first
    queue.add(queued("b"))
    queue.add(queued("c"))
    assert queue.take(NOW) is None
    queue.handle_committed(results(first))
    second = queue.take(NOW)
    assert second
    assert second.number == first.number + 1
    (op,) = second.ops
    assert isinstance(op, c.QueueMessages)
    assert [row.body for row in op.rows] == [b"b", b"c"]
    assert not queue.idle
    queue.handle_committed(results(second))
    assert queue.idle


def test_each_row_keeps_its_asker() -> None:
    queue = CommitQueue()
    askers = [ReplyTo(b"r1", 1), None, ReplyTo(b"r2", 9)]
    for text, asker in zip("abc", askers, strict=True):
        queue.add(queued(text), asker)
    commit = queue.take(NOW)
    assert commit
    ((_, waiting),) = queue.handle_committed(results(commit))
    assert waiting.askers == askers


def test_rows_of_other_peers_or_of_another_release_are_not_merged() -> None:
    queue = CommitQueue()
    for op in (queued("a"), queued("b", peer=2), queued("c", release=True)):
        queue.add(op)
    commit = queue.take(NOW)
    assert commit
    assert len(commit.ops) == 3


def test_arrivals_are_merged_while_their_numbers_follow() -> None:
    queue = CommitQueue()
    for op in (arrived(1, 2), arrived(3, 1), arrived(5, 1), arrived(6, 1, incarnation=8)):
        queue.add(op)
    commit = queue.take(NOW)
    assert commit
    counts = [(op.first_number, len(op.rows)) for op in commit.ops]  # type: ignore[union-attr]
    assert counts == [(1, 3), (5, 1), (6, 1)]


def test_receipts_and_marks_are_merged() -> None:
    queue = CommitQueue()
    queue.add(c.StoreReceipts(1, [AckRange(1, 1, 1)]))
    queue.add(c.StoreReceipts(1, [AckRange(2, 2, 1)]))
    queue.add(c.StoreMarks(1, sent_seq=4, my_read=1))
    queue.add(c.StoreMarks(1, sent_seq=3, my_shown=2))
    queue.add(c.StoreMarks(2, sent_seq=9))
    commit = queue.take(NOW)
    assert commit
    assert commit.ops == [
        c.StoreReceipts(1, [AckRange(1, 1, 1), AckRange(2, 2, 1)]),
        c.StoreMarks(1, sent_seq=4, my_read=1, my_shown=2),
        c.StoreMarks(2, sent_seq=9),
    ]


def test_a_transaction_has_a_bounded_number_of_rows() -> None:
    queue = CommitQueue()
    for number in range(MAX_ROWS_IN_COMMIT + 10):
        queue.add(queued(str(number)))
    commit = queue.take(NOW)
    assert commit
    taken = [len(op.rows) for op in commit.ops if isinstance(op, c.QueueMessages)]
    assert len(taken) == len(commit.ops)
    assert sum(taken) <= MAX_ROWS_IN_COMMIT
    queue.handle_committed(results(commit))
    assert queue.take(NOW)


def test_too_many_waiting_rows_are_told_by_full() -> None:
    queue = CommitQueue()
    for number in range(MAX_WAITING_ROWS):
        assert not queue.full
        queue.add(queued(str(number)))
    assert queue.full
    while commit := queue.take(NOW):
        queue.handle_committed(results(commit))
    assert not queue.full


def test_a_failure_tells_askers_and_keeps_what_the_peer_sent() -> None:
    queue = CommitQueue()
    asker = ReplyTo(b"r", 3)
    queue.add(queued("mine"), asker)
    queue.add(arrived(1, 1))
    queue.add(c.StoreDraft(1, "draft", 0), ReplyTo(b"r", 4))
    commit = queue.take(NOW)
    assert commit
    queue.add(queued("later"), ReplyTo(b"r", 5))
    dropped = queue.handle_failed(c.CommitFailed(commit.number, "The disk is full.", False), NOW)
    told = [asker for waiting in dropped for asker in waiting.askers]
    assert told == [asker, ReplyTo(b"r", 4), ReplyTo(b"r", 5)]
    assert queue.failing == "The disk is full."
    assert queue.take(NOW) is None
    assert queue.next_timeout() == NOW.mono_s + FIRST_RETRY_S
    again = queue.take(Now(NOW.mono_s + FIRST_RETRY_S, 1))
    assert again
    assert again.ops == [arrived(1, 1)]
    queue.handle_committed(results(again))
    assert queue.failing == ""


def test_retries_slow_down_to_a_limit() -> None:
    queue = CommitQueue()
    queue.add(arrived(1, 1))
    now = NOW
    waits = []
    for _ in range(8):
        commit = queue.take(now)
        assert commit
        queue.handle_failed(c.CommitFailed(commit.number, "no", False), now)
        due = queue.next_timeout()
        assert due
        waits.append(due - now.mono_s)
        now = Now(due, 1)
    assert waits[0] == FIRST_RETRY_S
    assert waits[-1] == MAX_RETRY_S
    assert waits == sorted(waits)


def test_an_answer_to_nothing_is_a_broken_invariant() -> None:
    with pytest.raises(AssertionError):
        CommitQueue().handle_committed(c.Committed(1, []))


def ops_of(queue: CommitQueue) -> list[c.Op]:
    commit = queue.take(NOW)
    return list(commit.ops) if commit else []


def test_what_was_asked_for_since_is_taken_back() -> None:
    asker = ReplyTo(b"r", 1)
    added: list[list[c.Op]] = [
        [queued("b")],
        [queued("other", peer=2)],
        [queued("b"), arrived(9, 1), c.StoreDraft(1, "d", 0)],
    ]
    for later in added:
        queue = CommitQueue()
        queue.add(queued("a"), asker)
        queue.begin()
        for op in later:
            queue.add(op, ReplyTo(b"r", 2))
        queue.roll_back()
        queue.roll_back()
        assert so_many_wait(queue, 1)
        (op,) = ops_of(queue)
        assert isinstance(op, c.QueueMessages)
        assert [row.body for row in op.rows] == [b"a"]
        (waiting,) = (one for _, one in queue.handle_committed(results(c.Commit(1, [op]))))
        assert waiting.askers == [asker]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (arrived(1, 2), arrived(3, 1)),
        (c.StoreReceipts(1, [AckRange(2, 2, 2)]), c.StoreReceipts(1, [AckRange(3, 3, 1)])),
        (c.StoreMarks(1, 1, 1, 1, 1, 1), c.StoreMarks(1, 2, 2, 2, 2, 2)),
    ],
)
def test_what_was_merged_into_an_older_operation_is_taken_back(before: c.Op, after: c.Op) -> None:
    alone = CommitQueue()
    alone.add(before)
    (expected,) = ops_of(alone)
    expected = copy.deepcopy(expected)
    queue = CommitQueue()
    queue.add(before)
    queue.begin()
    queue.add(after)
    queue.roll_back()
    (op,) = ops_of(queue)
    assert op == expected


def test_a_failed_operation_takes_those_of_its_peer_along_and_no_others() -> None:
    queue = CommitQueue()
    queue.add(queued("a"), ReplyTo(b"r", 1))
    queue.add(queued("b", peer=2))
    commit = queue.take(NOW)
    assert commit
    queue.add(queued("c"))
    queue.add(c.StoreDraft(2, "d", 0))
    dropped = queue.drop_peer(1, 0, commit.number)
    assert [one.op.rows[0].body for one in dropped] == [b"a", b"c"]  # type: ignore[union-attr]
    assert so_many_wait(queue, 1)
    assert [type(op) for op in ops_of(queue)] == [c.QueueMessages, c.StoreDraft]


def test_a_failed_operation_of_nobody_is_dropped_alone() -> None:
    queue = CommitQueue()
    for name in ("one", "two"):
        queue.add(c.StorePeer(PeerRow(0, name, "h", 1)), ReplyTo(b"r", 1))
    commit = queue.take(NOW)
    assert commit
    (dropped,) = queue.drop_peer(0, 1, commit.number)
    assert dropped.op.row.name == "two"  # type: ignore[union-attr]
    (op,) = ops_of(queue)
    assert op.row.name == "one"  # type: ignore[union-attr]


def test_a_removal_counts_until_it_is_stored() -> None:
    queue = CommitQueue()
    assert not queue.forgets_peer(1)
    queue.add(c.ForgetPeer(1))
    assert queue.forgets_peer(1)
    commit = queue.take(NOW)
    assert commit
    assert queue.forgets_peer(1)
    assert not queue.forgets_peer(2)
    queue.handle_committed(results(commit))
    assert not queue.forgets_peer(1)


def drafts(*peers: int) -> list[c.Op]:
    return [c.StoreDraft(peer, "d", 0) for peer in peers]


def taken(queue: CommitQueue, now_s: float) -> list[c.Op]:
    """The operations of the next transaction, which is answered at once."""
    commit = queue.take(Now(now_s, 1))
    if commit is None:
        return []
    queue.handle_committed(results(commit))
    return list(commit.ops)


def held_queue(ops: list[c.Op]) -> CommitQueue:
    queue = CommitQueue()
    queue.hold([1], 100.0)
    for op in ops:
        queue.add(op)
    return queue


def test_what_a_held_peer_causes_gathers_and_others_do_not_wait() -> None:
    load = c.LoadTransfers([b"t"])
    queue = held_queue([*drafts(1, 2), load])
    assert taken(queue, 99.0) == drafts(2)
    assert taken(queue, 99.5) == []
    assert queue.next_timeout() == 100.0
    queue.hold([1], 101.0)
    queue.add(arrived(1, 1))
    assert taken(queue, 100.0) == [*drafts(1), load], "holding on does not make it wait longer"
    assert taken(queue, 100.5) == []
    assert queue.next_timeout() == 101.0
    assert taken(queue, 101.0) == [arrived(1, 1)]
    assert queue.next_timeout() is None


def test_between_transactions_of_what_was_held_others_find_the_store_free() -> None:
    queue = held_queue([arrived(first, 1) for first in range(1, 2 * MAX_MERGED_HELD_ROWS + 1)])
    (op,) = taken(queue, 100.0)
    assert taken(queue, 101.0) == [], "the rest begins when the answer is there"
    assert queue.next_timeout() == 101.0 + HELD_REST_S
    queue.add(drafts(2)[0])
    assert queue.next_timeout() == 101.0 + HELD_REST_S
    assert taken(queue, 101.0 + HELD_REST_S / 2) == drafts(2)
    queue.add(drafts(3)[0])
    (late, draft) = taken(queue, 101.0 + HELD_REST_S)
    assert isinstance(op, c.AcceptMessages)
    assert isinstance(late, c.AcceptMessages)
    assert (op.first_number, late.first_number) == (1, 1 + MAX_MERGED_HELD_ROWS)
    assert draft == drafts(3)[0]


def test_it_is_due_in_its_order_when_the_next_hold_is_shorter() -> None:
    queue = held_queue(drafts(1))
    queue.hold([1], 50.0)
    queue.add(arrived(1, 1))
    assert taken(queue, 99.0) == []
    assert queue.next_timeout() == 100.0


@pytest.mark.parametrize("op", [c.LoadPeer(2, 0, 0), c.ForgetPeer(2)])
def test_what_is_about_all_peers_does_not_wait_for_what_is_held(op: c.Op) -> None:
    queue = held_queue([*drafts(1), op])
    assert taken(queue, 99.0) == [*drafts(1), op]


def test_what_somebody_waits_for_is_not_held_but_keeps_its_order() -> None:
    queue = CommitQueue()
    queue.hold([1], 100.0)
    queue.add(c.StoreMarks(1, my_read=1), ReplyTo(b"r", 1))
    assert taken(queue, 99.0) == [c.StoreMarks(1, my_read=1)]
    queue.add(drafts(1)[0])
    queue.add(c.StoreMarks(1, my_read=2), ReplyTo(b"r", 2))
    assert taken(queue, 99.0) == []
    assert queue.next_timeout() == 100.0
    assert taken(queue, 100.0) == [*drafts(1), c.StoreMarks(1, my_read=2)]


def test_a_message_that_somebody_waits_for_takes_those_it_joins_along() -> None:
    queue = held_queue([queued("a")])
    assert queue.take(NOW._replace(mono_s=99.0)) is None
    queue.begin()
    queue.add(queued("b"), ReplyTo(b"r", 1))
    queue.roll_back()
    assert queue.next_timeout() == 100.0
    queue.add(queued("b"), ReplyTo(b"r", 1))
    (op,) = taken(queue, 99.0)
    assert isinstance(op, c.QueueMessages)
    assert [row.body for row in op.rows] == [b"a", b"b"]


def test_a_failure_is_tried_again_at_its_time_though_something_is_held() -> None:
    queue = held_queue([*drafts(1), arrived(1, 1)])
    commit = queue.take(Now(100.0, 1))
    assert commit
    queue.hold([1], 200.0)
    queue.add(drafts(3)[0])
    queue.handle_failed(c.CommitFailed(commit.number, "The disk is full.", False), Now(100.0, 1))
    assert queue.next_timeout() == 100.0 + FIRST_RETRY_S
    assert taken(queue, 100.0 + FIRST_RETRY_S) == drafts(3)
    assert taken(queue, 100.0 + FIRST_RETRY_S + HELD_REST_S) == [*drafts(1), arrived(1, 1)]


def test_what_rests_when_a_failure_is_tried_again_is_due_after_that() -> None:
    queue = held_queue(drafts(1))
    commit = queue.take(Now(100.0, 1))
    assert commit
    queue.hold([1], 100.1)
    queue.add(arrived(1, 1))
    queue.handle_failed(c.CommitFailed(commit.number, "The disk is full.", False), Now(100.0, 1))
    retry_s = 100.0 + FIRST_RETRY_S
    assert taken(queue, retry_s) == []
    assert queue.next_timeout() == retry_s + HELD_REST_S, "not at once, again and again"
    assert taken(queue, retry_s + HELD_REST_S) == [*drafts(1), arrived(1, 1)]


def test_what_was_held_takes_a_part_of_a_transaction_only() -> None:
    queue = CommitQueue()
    queue.hold([1, 4, 5, 6, 7], 100.0)
    for first in range(1, 100):
        queue.add(arrived(first, 1))
    for op in drafts(4, 5, 6, 7):
        queue.add(op)
    costs, now_s = [], 100.0
    while queue.next_timeout() is not None:
        ops = taken(queue, now_s)
        if not ops:
            now_s += HELD_REST_S
            continue
        rows = [len(op.rows) if isinstance(op, c.AcceptMessages) else 1 for op in ops]
        assert max(rows) <= MAX_MERGED_HELD_ROWS
        costs.append(sum(rows) + OP_COST * len(rows))
    assert max(costs) <= MAX_HELD_COST
    assert costs == [*[26] * 5, 39, 33, 11], "in their order"


def test_others_wait_for_one_transaction_of_what_was_held_and_it_gets_every_second() -> None:
    queue = CommitQueue()
    queue.hold([1], 100.0)
    for first in range(1, 65):
        queue.add(arrived(first, 1))
    firsts: list[object] = []
    for number in range(4):
        for op in drafts(2, 3):
            queue.add(op)
        ops = taken(queue, 100.0 + number)
        assert ops[-2:] == drafts(2, 3)
        firsts.append([op.first_number for op in ops if isinstance(op, c.AcceptMessages)])
    assert firsts == [[], [1], [], [1 + MAX_MERGED_HELD_ROWS]]


def test_one_held_operation_goes_whatever_its_size() -> None:
    rows = [row for number in range(200) for row in queued(str(number)).rows]
    op = c.QueueMessages(1, rows, 5, False)
    queue = held_queue([op])
    assert taken(queue, 100.0) == [op]


@pytest.mark.parametrize(("held", "most"), [(True, MAX_MERGED_HELD_ROWS), (False, MAX_MERGED_ROWS)])
def test_messages_that_arrive_together_are_several_operations(held: bool, most: int) -> None:
    queue = held_queue([]) if held else CommitQueue()
    queue.begin()
    queue.add(arrived(1, 250))
    queue.roll_back()
    assert taken(queue, 100.0) == []
    queue.add(arrived(1, 250))
    queue.add(c.StoreDraft(2, "d", 0))
    rows: list[int] = []
    ids: list[bytes] = []
    now_s, ops = 100.0, taken(queue, 100.0)
    assert c.StoreDraft(2, "d", 0) in ops, "others do not wait for all of them"
    while ops:
        for op in ops:
            if isinstance(op, c.AcceptMessages):
                assert op.first_number == 1 + sum(rows)
                rows.append(len(op.rows))
                ids += [row.id for row in op.rows]
        now_s += HELD_REST_S
        ops = taken(queue, now_s) or taken(queue, now_s + HELD_REST_S)
    assert max(rows) == most
    assert sum(rows) == 250
    assert b"".join(ids) == b"".join(row.id for row in arrived(1, 250).rows)


def test_after_a_hold_operations_are_as_large_as_before() -> None:
    queue = held_queue(drafts(1))
    assert taken(queue, 100.0) == drafts(1)
    for first in range(1, 101):
        queue.add(arrived(first, 1))
    (op,) = taken(queue, 101.0)
    assert isinstance(op, c.AcceptMessages)
    assert len(op.rows) == 100
