"""What comes back: each message once, where it was, with the numbers and times it had."""

from typing import Any

import pytest

from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.reasons import TransferReason, reason
from chatnet_protocol.ipc.rows import AckRange, MessageRow, TransferRow
from chatnet_protocol.wire.frames import Receipt
from simworld.ledger_harness import SOURCE, LedgerHarness, arrived, message_id, texts

WANT = 77


def back(number: int, mine: bool, ack: int, lamport: int, **fields: Any) -> cr.RestoredMessage:
    body = f"text {number}".encode() if mine else f"from peer {number}".encode()
    values: dict[str, Any] = {
        "kind": 1,
        "sent_ms": 1000 + number,
        "arrived_ms": 3000 + number,
        "body": body,
    }
    return cr.RestoredMessage(
        mine=mine, id=message_id(number), lamport=lamport, ack=ack, **(values | fields)
    )


def page(
    *rows: cr.RestoredMessage, after: int = 0, upto: int = 0, more: bool = False, want: int = WANT
) -> cr.PutBack:
    return cr.PutBack(1, want, after, upto, rows[-1].id if rows else b"", more, list(rows), SOURCE)


def asking() -> LedgerHarness:
    """Wiped: the peer remembers five messages each way."""
    harness = LedgerHarness()
    harness.add_peer()
    harness.hello(1, 7, acked_total=5, received_total=5, lamport=20)
    harness.do(cr.StoreRestoreRequest(1, WANT, "asking"))
    return harness


def index_is_there(harness: LedgerHarness) -> bool:
    query = "SELECT count(*) FROM sqlite_schema WHERE name = 'restoring'"
    return bool(harness.connection.execute(query).fetchone()[0])


def shown(rows: list[MessageRow]) -> list[tuple[int, bool, int, int, int, int]]:
    return [(r.no, r.mine, r.seq, r.ack, r.lamport, r.place) for r in rows]


def state(harness: LedgerHarness) -> cr.RestoreState:
    return harness.ledger.load().restores[0]


def test_a_gap_makes_it_possible_and_a_wish_asks_once() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    assert harness.hello(1, 7).restore is None
    assert harness.ledger.load().restores == []
    told = harness.hello(1, 8, acked_total=3).restore
    assert told == cr.RestoreState(1, "possible")
    assert harness.do(cr.StoreRestoreRequest(1, 5, "asking")).state == cr.RestoreState(
        1, "asking", 5
    )
    assert harness.do(cr.StoreRestoreRequest(1, 6, "asking")).state.want == 5, "one wish at a time"
    assert index_is_there(harness)
    assert harness.do(cr.StoreRestoreRequest(1, 6, "refused")).state.mine == "asking", (
        "another wish"
    )
    assert harness.do(cr.StoreRestoreRequest(1, 5, "none")).state.mine == "possible", (
        "the gap is still there"
    )
    assert not index_is_there(harness)
    assert harness.do(cr.StoreRestoreRequest(1, 9, "asking")).state.want == 9
    assert harness.do(cr.StoreRestoreRequest(1, 9, "refused")).state.mine == "refused"
    asked = harness.do(cr.StorePeerRestoreRequest(1, 4, "asked"))
    assert asked == cr.RestoreStored(1, state(harness))
    assert (state(harness).theirs, state(harness).their_want, state(harness).mine) == (
        "asked",
        4,
        "refused",
    )
    assert harness.do(cr.StorePeerRestoreRequest(1, 3, "giving")).state.theirs == "asked", (
        "of another wish"
    )
    assert harness.do(cr.StorePeerRestoreRequest(1, 4, "giving")).state.theirs == "giving"
    assert harness.do(cr.StorePeerRestoreRequest(1, 4, "asked")).state.theirs == "giving", (
        "answered already"
    )


def test_own_messages_that_only_the_peer_has_make_it_possible_too() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    told = harness.hello(1, 7, received_total=4)
    assert told.own_lost == 4
    assert told.restore
    assert told.restore.mine == "possible"


def test_both_sides_messages_come_back_with_numbers_times_and_places() -> None:
    harness = asking()
    harness.queue(1, texts(50), release=True)
    rows = [back(1, True, 1, 1), back(2, False, 1, 2), back(3, False, 2, 3), back(4, True, 2, 4)]
    done = harness.do(page(*rows))
    assert shown(done.rows) == [
        (2, True, 0, 1, 1, 0), (3, False, 0, 1, 2, 0), (4, False, 0, 2, 3, 0), (5, True, 0, 2, 4, 0)
    ]  # fmt: skip
    assert [(r.id, r.body, r.sent_ms, r.arrived_ms) for r in done.rows] == [
        (r.id, r.body, r.sent_ms, r.arrived_ms) for r in rows
    ]
    assert [r.source for r in done.rows] == ["", SOURCE, SOURCE, ""]
    assert [r.no for r in harness.view.peers[0].messages] == [2, 3, 4, 5, 1]
    assert done.state == cr.RestoreState(1, "done", WANT, restored=4)
    assert harness.connection.execute("SELECT count(*) FROM gaps").fetchone() == (0,)
    assert not index_is_there(harness)


def test_a_wish_given_up_half_way_is_begun_anew_from_the_start() -> None:
    harness = asking()
    harness.do(page(back(1, True, 1, 1), upto=4, more=True))
    given_up = harness.do(cr.StoreRestoreRequest(1, WANT, "refused")).state
    assert given_up == cr.RestoreState(1, "refused", WANT, 4, message_id(1), 1)
    assert harness.do(cr.StoreRestoreRequest(1, 78, "asking")).state == cr.RestoreState(
        1, "asking", 78
    )
    last = harness.do(page(back(1, True, 1, 1), back(2, False, 1, 2), want=78))
    assert (len(last.rows), last.state.restored) == (1, 1)


def test_a_page_comes_between_what_was_before_and_after_it() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.hello(1, 7)
    harness.accept(1, 7, 1, arrived(1, 2, lamport=1))
    harness.hello(1, 8, acked_total=5, lamport=9)
    harness.accept(1, 8, 1, arrived(6, lamport=10))
    harness.do(cr.StoreRestoreRequest(1, WANT, "asking"))
    first = harness.do(page(back(2, False, 2, 2), back(4, False, 4, 4), upto=9, more=True))
    assert first.state == cr.RestoreState(1, "running", WANT, 9, message_id(4), 1)
    assert shown(first.rows) == [(4, False, 0, 4, 4, 2)]
    last = harness.do(page(back(3, False, 3, 3), back(5, False, 5, 5), after=9))
    assert [(r.no, r.place) for r in last.rows] == [(5, 2), (6, 2)]
    assert last.state == cr.RestoreState(1, "done", WANT, restored=3), "the place is not needed"
    assert [r.id[-1] for r in harness.view.peers[0].messages] == [1, 2, 3, 4, 5, 6]
    assert [r.ack for r in harness.view.peers[0].messages] == [1, 2, 3, 4, 5, 6]
    assert (harness.view.peers[0].last_ack, harness.state(1).received_total) == (6, 6)


def test_of_equal_counters_the_peers_stands_first() -> None:
    harness = asking()
    harness.do(page(back(9, True, 1, 3), back(8, False, 1, 3), back(7, False, 2, 3)))
    assert [r.id[-1] for r in harness.view.peers[0].messages] == [7, 8, 9]


def test_the_same_page_again_changes_nothing() -> None:
    harness = asking()
    rows = [back(1, True, 1, 1), back(2, False, 1, 2)]
    harness.do(page(*rows, upto=2, more=True))
    before = harness.history()
    again = harness.do(page(*rows, after=0, upto=2, more=True))
    assert (again.rows, again.changed, harness.history()) == ([], [], before)
    twice = harness.do(page(back(3, False, 2, 3), back(3, False, 2, 3), after=2))
    assert len(twice.rows) == 1
    assert harness.do(page(back(4, False, 3, 4), after=0)).rows == [], "the wish is over"


def test_a_page_from_the_start_is_taken_at_any_time() -> None:
    """The peer begins anew when it does not know the place we named."""
    harness = asking()
    harness.do(page(back(2, False, 2, 2), upto=4, more=True))
    anew = harness.do(page(back(1, True, 1, 1), after=0, upto=3, more=True))
    assert [r.id for r in anew.rows] == [message_id(1)]
    assert anew.state == cr.RestoreState(1, "running", WANT, 3, message_id(1), 2)


@pytest.mark.parametrize(("want", "after"), [(5, 0), (WANT, 1), (WANT, 3)])
def test_a_page_of_another_wish_or_place_changes_nothing(want: int, after: int) -> None:
    harness = asking()
    done = harness.do(page(back(1, True, 1, 1), want=want, after=after))
    assert (done.rows, done.state.mine, harness.history()) == ([], "asking", [])


def test_a_text_written_again_after_the_loss_takes_its_first_counter() -> None:
    harness = asking()
    row = harness.queue(1, texts(1), release=True).rows[0]
    assert row.lamport == 21
    harness.do(c.StoreReceipts(1, [AckRange(1, 3, 1)]))
    done = harness.do(page(back(1, True, 3, 7)))
    assert (done.rows, shown(done.changed)) == ([], [(1, True, 1, 3, 7, 1)])
    assert harness.view.peers[0].messages == done.changed
    again = LedgerHarness.from_image(harness.image())
    again.do(cr.StoreRestoreRequest(1, 8, "asking"))
    assert again.do(page(back(1, True, 3, 30), want=8)).changed == [], "both take the lower one"


def test_a_text_that_is_here_is_recognised_whatever_its_number() -> None:
    harness = asking()
    harness.queue(1, texts(50, 51, 1), release=True)
    done = harness.do(page(back(1, True, 3, 7)))
    assert [(r.no, r.seq, r.lamport) for r in done.changed] == [(3, 3, 7)]


def test_a_text_of_the_conversation_before_a_removal_stays_in_that_one() -> None:
    """Reported as one of the new conversation, it made its views count texts it does not have."""
    harness = asking()
    harness.queue(1, texts(1), release=True)
    harness.do(c.StoreReceipts(1, [AckRange(1, 3, 1)]))
    harness.do(c.ForgetPeer(1))
    again = harness.add_peer()
    harness.hello(again, 7, acked_total=9, received_total=9, lamport=90)
    harness.do(cr.StoreRestoreRequest(again, WANT, "asking"))
    rows = [back(1, True, 3, 2)]
    put = cr.PutBack(again, WANT, 0, 0, rows[-1].id, False, rows, SOURCE)
    done = harness.do(put)
    assert (done.rows, done.changed, done.tail) == ([], [], [])
    assert harness.state(again).last_seq == 0


def test_a_text_withdrawn_after_a_rollback_did_not_fail() -> None:
    harness = asking()
    harness.queue(1, texts(1))
    harness.do(c.FailMessage(1, 0, "Withdrawn.", message_id(1)))
    done = harness.do(page(back(1, True, 3, 7)))
    assert [(r.failed, r.ack, r.seq) for r in done.changed] == [("", 3, 1)]
    assert harness.view.peers[0].messages == done.changed


def test_a_text_that_was_erased_after_a_rollback_comes_back_with_its_words() -> None:
    harness = asking()
    harness.queue(1, texts(1))
    harness.do(c.FailMessage(1, 0, "withdrawn", message_id(1)))
    harness.do(c.FailMessage(1, 0, "deleted", message_id(1)))
    done = harness.do(page(back(1, True, 3, 7)))
    assert [(r.failed, r.ack, r.body) for r in done.changed] == [("", 3, b"text 1")]


def test_restored_messages_are_neither_unread_nor_waiting_nor_sent_again() -> None:
    harness = asking()
    before = harness.state(1)
    harness.do(page(back(1, True, 1, 1), back(2, False, 5, 30)))
    after = harness.state(1)
    assert (after.my_read, after.received_total, after.last_seq, after.delivered_seq) == (
        before.my_read, before.received_total, 0, 0,
    )  # fmt: skip
    assert after.lamport == 30
    assert harness.view.peers[0].unread == 0
    assert harness.view.peers[0].waiting == 0
    assert harness.do(c.LoadOutbox(1, 0, 1000, 10)).rows == []
    queued = harness.queue(1, texts(1, 3))
    assert queued.known == [(message_id(1), 1, 0)], "a retried command is the same message"
    assert [(r.no, r.seq) for r in queued.rows] == [(3, 1)]
    accepted = harness.accept(1, 7, 1, arrived(2, lamport=31))
    assert accepted.rows == []
    assert accepted.receipts == [Receipt(1, 5, 1)], "it has its ACK number already"
    withdrawn = harness.do(c.FailMessage(1, 0, "Withdrawn.", message_id(1)))
    assert (withdrawn.no, withdrawn.known) == (0, False)


def test_ack_numbers_that_come_back_above_the_totals_raise_them() -> None:
    harness = asking()
    harness.accept(1, 7, 1, arrived(60, lamport=21))
    done = harness.do(page(back(1, True, 9, 1), back(2, False, 11, 2)))
    assert (done.received_total, done.acked_total, done.my_read) == (11, 9, 10)
    assert harness.view.peers[0].unread == 1
    assert harness.accept(1, 7, 2, arrived(61, lamport=22)).rows[0].ack == 12


def test_what_comes_back_of_one_side_leaves_the_total_of_the_other() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.add_peer(b"o" * 32, "other")
    harness.queue(2, texts(9))
    harness.hello(1, 7, acked_total=5)
    harness.do(cr.StoreRestoreRequest(1, WANT, "asking"))
    done = harness.do(page(back(2, False, 2, 2)))
    assert (done.received_total, done.acked_total) == (5, 0)
    assert done.tail == done.rows, "of this conversation only"


def test_a_merge_takes_restored_messages_along() -> None:
    harness = asking()
    harness.do(page(back(1, True, 1, 1), back(2, False, 1, 2)))
    harness.add_peer(b"o" * 32, "other")
    harness.queue(2, texts(9))
    harness.do(c.ForgetPeer(1, 2))
    assert {(r.id[-1], r.seq) for r in harness.view.peers[0].messages} == {(1, 0), (2, 0), (9, 1)}
    assert harness.ledger.load().restores == []


def test_a_second_loss_starts_what_is_under_way_over() -> None:
    harness = asking()
    harness.do(page(back(1, True, 1, 1), upto=4, more=True))
    assert harness.hello(1, 8).restore is None
    told = harness.hello(1, 9, received_total=0)
    assert told.peer_lost > 0
    assert told.restore == cr.RestoreState(1, "running", WANT, restored=1)
    harness.do(page(back(1, True, 1, 1)))
    assert state(harness).mine == "done"
    assert harness.hello(1, 10, acked_total=9).restore == cr.RestoreState(1, "possible", WANT)


def offer_back(number: int) -> cr.RestoredMessage:
    row = TransferRow(
        message_id(number),
        99,
        0,
        False,
        "failed",
        "a",
        1,
        9,
        reason=reason(TransferReason.EARLIER, "From an earlier version."),
    )
    stored = c.StoredTransfer(row, b"opaque", listing=b"listing")
    return back(number, False, number, number, kind=2, transfer=stored)


def test_offers_come_back_with_transfers_that_are_over() -> None:
    harness = asking()
    harness.add_peer(b"o" * 32, "other")
    offers = [offer_back(2), offer_back(3)]
    done = harness.do(page(*offers, upto=3, more=True))
    told = [(t.row.id, t.row.peer, t.row.no, t.detail) for t in done.transfers]
    assert told == [(message_id(2), 1, 1, b"opaque"), (message_id(3), 1, 2, b"opaque")]
    assert harness.view.transfers == [t.row for t in done.transfers]
    assert harness.do(c.LoadTransfers([message_id(2)])).found == done.transfers[:1]
    assert done.transfers[0].listing == b"listing"
    assert harness.do(page(*offers)).transfers == []
    assert LedgerHarness.from_image(harness.image()).ledger.load().offers == [], (
        "it is no new offer"
    )


def test_a_transfer_that_is_still_known_is_not_overwritten_by_its_offer() -> None:
    harness = asking()
    known = TransferRow(message_id(2), 1, 9, False, "done", "a", 1, 9, path="/here/a")
    harness.do(c.StoreTransfer(known, b"own"))
    assert harness.do(page(offer_back(2))).transfers == []
    assert harness.ledger.load().transfers == [c.StoredTransfer(known, b"own")]


def test_large_messages_that_come_back_leave_the_view_as_the_store_has_it() -> None:
    harness = asking()
    harness.queue(1, texts(50))
    large = b"x" * 65_510
    rows = [back(1, False, 1, 1), back(2, False, 2, 2, body=large), back(3, False, 3, 3)]
    harness.do(page(rows[1], upto=2, more=True))
    harness.do(page(rows[2], rows[0], after=2))  # the view is compared after each
    assert [r.id[-1] for r in harness.view.peers[0].messages] == [2, 3, 50]


def test_what_comes_back_costs_the_same_in_a_long_history() -> None:
    def steps(length: int) -> int:
        harness = LedgerHarness()
        harness.add_peer()
        harness.hello(1, 7)
        for start in range(0, length, 100):
            numbers = range(1000 + start, 1100 + start)
            harness.accept(1, 7, start + 1, arrived(*numbers, lamport=start * 2 + 1))
        harness.hello(1, 8, acked_total=length + 9, lamport=9000)
        harness.do(cr.StoreRestoreRequest(1, WANT, "asking"))
        count = [0]

        def tick() -> int:
            count[0] += 1
            return 0

        harness.connection.set_progress_handler(tick, 10)
        commit = c.Commit(999, [page(*(back(n, True, n, 50 + n) for n in range(1, 9)), more=True)])
        assert isinstance(harness.ledger.apply(commit), c.Committed)
        harness.connection.set_progress_handler(None, 0)
        return count[0]

    assert steps(1500) < steps(200) * 1.5
