"""Who gets what of a transaction, what is merged, and which order stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnet_engine.clock import Now
from chatnet_engine.node.commit_shares import (
    EVERYTHING,
    MAX_OPS_IN_COMMIT,
    MAX_ROWS_IN_COMMIT,
    SETTINGS,
    subjects_of,
)
from chatnet_engine.node.commits import CommitQueue
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.waiting import MAX_MERGED_ROWS
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops.restores import PutBack, RestoredMessage
from chatnet_engine.store_ops.settings import StoreSettings
from chatnet_protocol.ipc.rows import PeerRow, TransferRow, TransferState

NOW = Now(100.0, 1)


def queued(text: str, peer: int = 1) -> c.QueueMessages:
    row = c.NewMessage(text.encode().ljust(16, b"."), 1, text.encode(), 5)
    return c.QueueMessages(peer, [row], 5, False)


def put_back(peer: int, count: int) -> PutBack:
    rows = [RestoredMessage(False, bytes(16), 1, 1, 5, 5, 1, b"x")] * count
    return PutBack(peer, 1, 0, count, bytes(16), False, rows, "ip:1")


def arrived_of(peer: int, first: int, count: int) -> c.AcceptMessages:
    rows = [c.Message(1, bytes(16), 1, 5, b"x")] * count
    return c.AcceptMessages(peer, 7, first, rows, "ip:1", 5)


def results(commit: c.Commit) -> c.Committed:
    return c.Committed(commit.number, [c.DraftStored(1, True, 1, "")] * len(commit.ops))


def draft(peer: int, text: str = "d") -> c.StoreDraft:
    return c.StoreDraft(peer, text, 0)


def transfer_row(peer: int, name: bytes) -> TransferRow:
    return TransferRow(name, peer, 1, False, TransferState.OFFERED, "f", 1, 1)


def transfer(peer: int, name: bytes) -> c.StoreTransfer:
    return c.StoreTransfer(transfer_row(peer, name), b"")


def drained(queue: CommitQueue) -> list[list[c.Op]]:
    """The operations of each transaction until nothing waits."""
    out: list[list[c.Op]] = []
    while commit := queue.take(NOW):
        out.append(list(commit.ops))
        queue.handle_committed(results(commit))
    return out


def test_the_backlog_of_one_peer_does_not_hold_up_the_others() -> None:
    queue = CommitQueue()
    for number in range(10 * MAX_OPS_IN_COMMIT):
        queue.add(draft(1, str(number)))
    queue.add(draft(2))
    first, second, *_ = drained(queue)
    assert draft(2) in first
    assert len(first) == MAX_OPS_IN_COMMIT // 2 + 1
    assert len(second) == MAX_OPS_IN_COMMIT


def test_no_backlogs_together_hold_up_a_peer() -> None:
    queue = CommitQueue()
    peers = range(1, 2 * MAX_OPS_IN_COMMIT)
    for number in range(5):
        for peer in peers:
            queue.add(draft(peer, str(number)))
    queue.add(draft(len(peers) + 1))
    assert [len(ops) for ops in drained(queue)] == [len(peers) + 1, *[len(peers)] * 4]


@pytest.mark.parametrize("kind", ["arrived", "put back"])
def test_rows_count_as_operations_do(kind: str) -> None:
    queue = CommitQueue()
    for first in range(1, 2 * MAX_ROWS_IN_COMMIT, 100):
        queue.add(arrived_of(1, first, 100) if kind == "arrived" else put_back(1, 100))
    queue.add(draft(2))
    first_ops = drained(queue)[0]
    assert draft(2) in first_ops
    rows = sum(len(getattr(op, "rows", ())) for op in first_ops)
    assert MAX_ROWS_IN_COMMIT // 2 - 100 < rows <= MAX_ROWS_IN_COMMIT // 2


def test_what_peers_send_in_turn_is_one_operation_each() -> None:
    queue = CommitQueue()
    for number in range(1, 4):
        for peer in (1, 2):
            queue.add(arrived_of(peer, number, 1))
    assert drained(queue) == [[arrived_of(1, 1, 3), arrived_of(2, 1, 3)]]


def test_merging_stops_at_a_limit() -> None:
    queue = CommitQueue()
    for number in range(1, MAX_MERGED_ROWS + 3):
        queue.add(arrived_of(1, number, 1))
        queue.add(queued("x", peer=2))
    ((one, other, *more),) = drained(queue)
    assert len(one.rows) == len(other.rows) == MAX_MERGED_ROWS  # type: ignore[union-attr]
    assert [len(op.rows) for op in more] == [2, 2]  # type: ignore[union-attr]


@pytest.mark.parametrize("between", [c.ForgetPeer(2, into=1), c.LoadPeer(1, 0, 0)])
def test_nothing_is_merged_across_what_is_about_all_peers(between: c.Op) -> None:
    queue = CommitQueue()
    for op in (arrived_of(1, 1, 1), between, arrived_of(1, 2, 1)):
        queue.add(op)
    assert drained(queue) == [[arrived_of(1, 1, 1), between, arrived_of(1, 2, 1)]]


def test_what_is_taken_back_is_not_merged_into_any_more() -> None:
    queue = CommitQueue()
    queue.add(arrived_of(1, 1, 1))
    queue.begin()
    queue.add(draft(1))
    queue.add(c.ForgetPeer(2))
    queue.add(draft(3))
    queue.roll_back()
    queue.add(draft(3))
    queue.add(arrived_of(1, 2, 1))
    assert drained(queue) == [[arrived_of(1, 1, 2), draft(3)]]


def test_what_waits_again_after_a_failure_is_still_merged_into() -> None:
    queue = CommitQueue()
    queue.add(arrived_of(1, 1, 1))
    queue.add(c.LoadPeer(2, 0, 0))
    queue.add(arrived_of(3, 1, 1))
    commit = queue.take(NOW)
    assert commit
    queue.drop_peer(2, 1, commit.number)
    queue.add(arrived_of(1, 2, 1))
    queue.add(arrived_of(3, 2, 1))
    assert drained(queue) == [[arrived_of(1, 1, 2), arrived_of(3, 1, 2)]]


def stored(peer: int) -> c.StorePeer:
    return c.StorePeer(PeerRow(peer, f"p{peer}", "h", 1))


def offered(peer: int, name: bytes) -> c.QueueMessages:
    row = c.NewMessage(name, 2, b"o", 5, transfer=transfer(peer, name))
    return c.QueueMessages(peer, [row], 5, False)


def restored_offer(peer: int, name: bytes) -> PutBack:
    row = transfer_row(peer, name)
    one = RestoredMessage(False, name, 2, 1, 5, 5, 1, b"o", transfer=c.StoredTransfer(row, b""))
    return PutBack(peer, 1, 0, 1, name, False, [one], "ip:1")


@pytest.mark.parametrize(
    ("held", "follows"),
    [
        (stored(1), stored(2)),
        (stored(1), stored(0)),
        (transfer(1, b"t"), c.LoadTransfers([b"t"])),
        (offered(1, b"t"), c.LoadTransfers([b"u", b"t"])),
        (restored_offer(1, b"t"), c.LoadTransfers([b"t"])),
        (transfer(1, b"t"), c.FindFolder(b"u", 1, "proj")),
        (draft(1), c.ForgetPeer(2)),
        (draft(1), c.LoadPeer(2, 0, 0)),
    ],
)
def test_what_builds_on_something_that_waits_waits_too(held: c.Op, follows: c.Op) -> None:
    queue = CommitQueue()
    for number in range(MAX_OPS_IN_COMMIT):
        queue.add(draft(1, str(number)))
    queue.add(held)
    queue.add(follows)
    queue.add(draft(3))
    first, *later = drained(queue)
    assert (draft(3) in first) == (not isinstance(follows, c.ForgetPeer | c.LoadPeer))
    assert follows not in first
    rest = [op for ops in later for op in ops]
    assert rest.index(held) < rest.index(follows)


OPS = st.one_of(
    st.builds(draft, st.integers(1, 4), st.text(max_size=2)),
    st.builds(arrived_of, st.integers(1, 4), st.integers(1, 9), st.integers(1, 300)),
    st.builds(stored, st.integers(0, 4)),
    st.builds(transfer, st.integers(1, 4), st.sampled_from([b"t", b"u"])),
    st.builds(c.LoadTransfers, st.lists(st.sampled_from([b"t", b"u"]), max_size=2)),
    st.builds(c.FindFolder, st.just(b"u"), st.integers(1, 4), st.just("proj")),
    st.builds(c.ListReceived, st.integers(0, 9)),
    st.builds(c.ForgetPeer, st.integers(1, 4)),
)


@given(st.lists(OPS, min_size=1, max_size=300))
def test_everything_is_asked_for_once_and_what_shares_a_subject_in_its_order(
    ops: list[c.Op],
) -> None:
    queue = CommitQueue()
    for number, op in enumerate(ops):
        # What somebody waits for is not merged.
        queue.add(op, ReplyTo(b"r", number))
    order: list[int] = []
    while commit := queue.take(NOW):
        for _, waiting in queue.handle_committed(results(commit)):
            assert waiting.reply_to
            order.append(waiting.reply_to.request)
    assert sorted(order) == list(range(len(ops)))
    places = {number: place for place, number in enumerate(order)}
    last: dict[int | bytes, int] = {}
    for number, op in enumerate(ops):
        subjects = subjects_of(op)
        everything = EVERYTHING in subjects
        before = (
            list(last.values())
            if everything
            else [last[one] for one in (*subjects, EVERYTHING) if one in last]
        )
        assert all(places[one] < places[number] for one in before)
        last |= dict.fromkeys(subjects, number)


def test_settings_are_stored_in_the_order_of_the_commands() -> None:
    first, second = StoreSettings("Ann", "", None), StoreSettings("Anna", "", None)
    assert subjects_of(first) == {SETTINGS}
    queue = CommitQueue()
    for op in (first, draft(1), second):
        queue.add(op)
    assert drained(queue) == [[first, draft(1), second]]
