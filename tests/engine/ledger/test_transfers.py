"""Transfers keep their place, and a start reads only those that matter."""

import msgspec
import pytest

from chatnet_engine.ledger import transfers
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.reasons import TransferReason, reason
from chatnet_protocol.ipc.rows import AckRange, TransferRow
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS
from simworld.ledger_harness import LedgerHarness, message_id

WHY = reason(TransferReason.NO_SPACE, "/in [x]", 5)


def offer(number: int, state: str = "offered") -> TransferRow:
    return TransferRow(
        message_id(number), 1, number, True, state, "n", 2, 30, 4, "me", WHY, "/p", 99
    )


def test_a_transfer_comes_back_as_it_was_stored() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    assert harness.do(c.StoreTransfer(offer(1), b"private")) == c.TransferStored(offer(1))
    assert harness.ledger.load().transfers == [c.StoredTransfer(offer(1), b"private")]
    changed = msgspec.structs.replace(offer(1), state="active", done_bytes=7, mine=False)
    harness.do_all(c.StoreTransfer(offer(2), b""), c.StoreTransfer(changed, b"more"))
    assert harness.ledger.load().transfers == [
        c.StoredTransfer(changed, b"more"),
        c.StoredTransfer(offer(2), b""),
    ]


def test_a_sentence_of_an_earlier_version_comes_back_as_it_was_stored() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.do(c.StoreTransfer(offer(1), b""))
    harness.connection.execute("UPDATE transfers SET reason = 'The disk is full.'")
    (stored,) = harness.ledger.load().transfers
    assert stored.row.reason == reason(TransferReason.EARLIER, "The disk is full.")
    harness.do(c.StoreTransfer(stored.row, b""))
    assert harness.ledger.load().transfers == [stored]


def test_the_oldest_ended_transfers_stay_in_the_store_only() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.do_all(*(c.StoreTransfer(offer(n), b"") for n in range(MAX_VIEW_TRANSFERS + 20)))
    ends = range(MAX_VIEW_TRANSFERS + 10)
    harness.do_all(*(c.StoreTransfer(offer(n, "done"), b"") for n in ends))
    kept = [row.no for row in harness.view.transfers]
    assert kept == list(range(10, MAX_VIEW_TRANSFERS + 20))
    count = harness.connection.execute("SELECT count(*) FROM transfers").fetchone()
    assert count == (MAX_VIEW_TRANSFERS + 20,)


def test_transfers_that_left_the_view_are_read_by_id_and_come_back_last() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    count = MAX_VIEW_TRANSFERS + 2
    harness.do_all(*(c.StoreTransfer(offer(n, "done"), b"%d" % n) for n in range(count)))
    asked = c.LoadTransfers([message_id(0), b"?" * 16, message_id(7)])
    found = [c.StoredTransfer(offer(n, "done"), b"%d" % n) for n in (0, 7)]
    assert harness.do(asked) == c.TransfersLoaded(found)
    harness.do_all(
        c.StoreTransfer(offer(0, "active"), b""), c.StoreTransfer(offer(9, "failed"), b"")
    )
    kept = [row.no for row in harness.view.transfers]
    assert kept[-1] == 0
    assert kept.index(9) == kept.index(8) + 1
    assert [row.no for row in harness.ledger.load_view(harness.view.session).transfers][-1] == 0
    harness.do(c.StoreTransfer(offer(0, "done"), b""))
    loaded = [row.no for row in harness.ledger.load_view(harness.view.session).transfers]
    assert loaded == [row.no for row in harness.view.transfers]
    assert loaded[-1] == 0


def test_an_own_offer_tells_whether_the_peer_has_it() -> None:
    harness = LedgerHarness()
    peer = harness.add_peer()
    texts = [c.NewMessage(message_id(n), 1, b"x", 5) for n in (2, 1)]
    harness.do(c.QueueMessages(peer, texts, 6, True))
    harness.do(c.StoreTransfer(msgspec.structs.replace(offer(1), no=2), b"d"))
    (stored,) = harness.ledger.load().transfers
    assert (stored.row.no, stored.waiting_seq) == (2, 2)
    harness.do(c.StoreReceipts(peer, [AckRange(1, 1, 1)]))
    assert harness.ledger.load().transfers[0].waiting_seq == 2
    harness.do(c.StoreReceipts(peer, [AckRange(2, 2, 1)]))
    assert harness.do(c.LoadTransfers([message_id(1)])) == c.TransfersLoaded(
        [msgspec.structs.replace(stored, waiting_seq=0)]
    )


def test_what_came_without_a_question_is_kept_by_key_for_the_newest_day() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    uses = [c.AutomaticUse(b"k" * 32, 5, 30, 2), c.AutomaticUse(b"o" * 32, 5, 7, 1)]
    for number, use in enumerate(uses):
        harness.do(c.StoreTransfer(offer(number), b"", automatic=use))
    assert harness.ledger.load().automatic == uses
    harness.do(c.StoreTransfer(offer(0, "active"), b"", automatic=uses[1]))
    more = c.AutomaticUse(b"o" * 32, 5, 14, 2)
    assert sorted(harness.ledger.load().automatic, key=lambda use: use.key) == [uses[0], more]
    later = c.AutomaticUse(b"k" * 32, 6, 4, 1)
    harness.do(c.StoreTransfer(offer(0, "active"), b"", automatic=later))
    harness.do(c.StoreTransfer(offer(1, "active"), b""))
    assert sorted(harness.ledger.load().automatic, key=lambda use: use.key) == [later, more]


def test_a_listing_is_kept_until_another_is_given() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.do(c.StoreTransfer(offer(1), b"offered", b"files"))
    harness.do(c.StoreTransfer(offer(1, "active"), b"half"))
    [stored] = harness.ledger.load().transfers
    assert (stored.detail, stored.listing) == (b"half", b"files")
    harness.do(c.StoreTransfer(offer(1, "active"), b"more", b"a file changed"))
    [stored] = harness.do(c.LoadTransfers([message_id(1)])).found
    assert (stored.detail, stored.listing) == (b"more", b"a file changed")


def folder(number: int, **changes: object) -> TransferRow:
    row = msgspec.structs.replace(offer(number, "done"), mine=False, kind="folder", name="proj")
    return msgspec.structs.replace(row, **changes)


def test_the_folder_that_came_last_under_a_name_is_found_with_its_digests() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    other = harness.add_peer(b"o" * 32, "other")
    harness.do(c.StoreTransfer(folder(1, updates_allowed=True), b"old", digests=b"d" * 32))
    harness.do(c.StoreTransfer(folder(2, update=True), b"new", b"listing", digests=b"e" * 64))
    others: list[dict[str, object]] = [
        {"mine": True}, {"kind": "file"}, {"things": 2}, {"state": "active"},
        {"name": "Proj"}, {"peer": other},
    ]  # fmt: skip
    for number, changes in enumerate(others, 3):
        harness.do(c.StoreTransfer(folder(number, **changes), b"", digests=b"x" * 32))
    newest = c.StoredTransfer(folder(2, update=True), b"new", listing=b"listing")
    assert harness.do(c.FindFolder(b"?" * 16, 1, "proj")) == c.FolderFound(newest, b"e" * 64)
    oldest = c.StoredTransfer(folder(1, updates_allowed=True), b"old")
    assert harness.do(c.FindFolder(message_id(2), 1, "proj")) == c.FolderFound(oldest, b"d" * 32)
    assert harness.do(c.FindFolder(b"?" * 16, 1, "none")) == c.FolderFound(None)


def test_what_has_ended_is_listed_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "PAGE_ROWS", 2)
    harness = LedgerHarness()
    harness.add_peer()
    others: dict[int, dict[str, object]] = {2: {"mine": True}, 3: {"state": "active"}}
    for number in range(1, 6):
        row = folder(number, **others.get(number, {}))
        harness.do(c.StoreTransfer(row, b"%d" % number))
    pages = [harness.do(c.ListReceived())]
    while pages[-1].before:
        pages.append(harness.do(c.ListReceived(pages[-1].before)))
    found = [page.found for page in pages]
    assert found == [[(message_id(5), b"5"), (message_id(4), b"4")], [], [(message_id(1), b"1")]]


def test_digests_are_kept_until_others_are_given() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.do(c.StoreTransfer(folder(1), b"", digests=b"d" * 32))
    harness.do(c.StoreTransfer(folder(1), b""))
    search = c.FindFolder(b"?" * 16, 1, "proj")
    assert harness.do(search).digests == b"d" * 32
    harness.do(c.StoreTransfer(folder(1), b"", digests=b"e" * 32))
    assert harness.do(search).digests == b"e" * 32
    harness.do(c.StoreTransfer(folder(2), b""))
    assert harness.do(search).digests == b"", "it came to an engine that stored none"
