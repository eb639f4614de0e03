"""Transfers keep their place, and a start reads only those that matter."""

import msgspec

from chatnet_protocol import commit as c
from chatnet_protocol.ipc.rows import AckRun, TransferRow
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS
from simworld.ledger_desk import Desk, message_id


def offer(number: int, state: str = "offered") -> TransferRow:
    return TransferRow(
        message_id(number), 1, number, True, state, "n", 2, 30, 4, "me", "why", "/p", 99
    )


def test_a_transfer_comes_back_as_it_was_stored() -> None:
    desk = Desk()
    desk.add_peer()
    assert desk.do(c.StoreTransfer(offer(1), b"private")) == c.TransferStored(offer(1))
    assert desk.ledger.load().transfers == [c.StoredTransfer(offer(1), b"private")]
    changed = msgspec.structs.replace(offer(1), state="active", done_bytes=7, mine=False)
    desk.do_all(c.StoreTransfer(offer(2), b""), c.StoreTransfer(changed, b"more"))
    assert desk.ledger.load().transfers == [
        c.StoredTransfer(changed, b"more"),
        c.StoredTransfer(offer(2), b""),
    ]


def test_the_oldest_ended_transfers_stay_in_the_store_only() -> None:
    desk = Desk()
    desk.add_peer()
    desk.do_all(*(c.StoreTransfer(offer(n), b"") for n in range(MAX_VIEW_TRANSFERS + 20)))
    ends = range(MAX_VIEW_TRANSFERS + 10)
    desk.do_all(*(c.StoreTransfer(offer(n, "done"), b"") for n in ends))
    kept = [row.no for row in desk.view.transfers]
    assert kept == list(range(10, MAX_VIEW_TRANSFERS + 20))
    count = desk.connection.execute("SELECT count(*) FROM transfers").fetchone()
    assert count == (MAX_VIEW_TRANSFERS + 20,)


def test_transfers_that_left_the_view_are_read_by_id_and_come_back_last() -> None:
    desk = Desk()
    desk.add_peer()
    count = MAX_VIEW_TRANSFERS + 2
    desk.do_all(*(c.StoreTransfer(offer(n, "done"), b"%d" % n) for n in range(count)))
    asked = c.LoadTransfers([message_id(0), b"?" * 16, message_id(7)])
    found = [c.StoredTransfer(offer(n, "done"), b"%d" % n) for n in (0, 7)]
    assert desk.do(asked) == c.TransfersLoaded(found)
    desk.do_all(c.StoreTransfer(offer(0, "active"), b""), c.StoreTransfer(offer(9, "failed"), b""))
    kept = [row.no for row in desk.view.transfers]
    assert kept[-1] == 0
    assert kept.index(9) == kept.index(8) + 1
    assert [row.no for row in desk.ledger.load_view(desk.view.session).transfers][-1] == 0
    desk.do(c.StoreTransfer(offer(0, "done"), b""))
    loaded = [row.no for row in desk.ledger.load_view(desk.view.session).transfers]
    assert loaded == [row.no for row in desk.view.transfers]
    assert loaded[-1] == 0


def test_an_own_offer_tells_whether_the_peer_has_it() -> None:
    desk = Desk()
    peer = desk.add_peer()
    texts = [c.NewMessage(message_id(n), 1, b"x", 5) for n in (2, 1)]
    desk.do(c.QueueMessages(peer, texts, 6, True))
    desk.do(c.StoreTransfer(msgspec.structs.replace(offer(1), no=2), b"d"))
    (stored,) = desk.ledger.load().transfers
    assert (stored.row.no, stored.waiting_seq) == (2, 2)
    desk.do(c.StoreReceipts(peer, [AckRun(1, 1, 1)]))
    assert desk.ledger.load().transfers[0].waiting_seq == 2
    desk.do(c.StoreReceipts(peer, [AckRun(2, 2, 1)]))
    assert desk.do(c.LoadTransfers([message_id(1)])) == c.TransfersLoaded(
        [msgspec.structs.replace(stored, waiting_seq=0)]
    )


def test_what_came_without_a_question_is_kept_by_key_for_the_newest_day() -> None:
    desk = Desk()
    desk.add_peer()
    uses = [c.AutomaticUse(b"k" * 32, 5, 30, 2), c.AutomaticUse(b"o" * 32, 5, 7, 1)]
    for number, use in enumerate(uses):
        desk.do(c.StoreTransfer(offer(number), b"", automatic=use))
    assert desk.ledger.load().automatic == uses
    desk.do(c.StoreTransfer(offer(0, "active"), b"", automatic=uses[1]))
    more = c.AutomaticUse(b"o" * 32, 5, 14, 2)
    assert sorted(desk.ledger.load().automatic, key=lambda use: use.key) == [uses[0], more]
    later = c.AutomaticUse(b"k" * 32, 6, 4, 1)
    desk.do(c.StoreTransfer(offer(0, "active"), b"", automatic=later))
    desk.do(c.StoreTransfer(offer(1, "active"), b""))
    assert sorted(desk.ledger.load().automatic, key=lambda use: use.key) == [later, more]


def test_a_listing_is_kept_until_another_is_given() -> None:
    desk = Desk()
    desk.add_peer()
    desk.do(c.StoreTransfer(offer(1), b"offered", b"files"))
    desk.do(c.StoreTransfer(offer(1, "active"), b"half"))
    [stored] = desk.ledger.load().transfers
    assert (stored.detail, stored.listing) == (b"half", b"files")
    desk.do(c.StoreTransfer(offer(1, "active"), b"more", b"a file changed"))
    [stored] = desk.do(c.LoadTransfers([message_id(1)])).found
    assert (stored.detail, stored.listing) == (b"more", b"a file changed")
