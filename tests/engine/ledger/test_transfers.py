"""Transfers keep their place, and a start reads only those that matter."""

import msgspec

from chatnet_protocol import commit as c
from chatnet_protocol.ipc.rows import TransferRow
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
