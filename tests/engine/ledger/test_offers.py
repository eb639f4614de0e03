"""An offer and its transfer are stored together; what a peer offered is a transfer in the end."""

import msgspec
import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import close_file
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import MessageKind, TransferRow
from simworld.ledger_harness import LedgerHarness, message_id, texts


@pytest.fixture
def harness() -> LedgerHarness:
    harness = LedgerHarness()
    harness.add_peer()
    return harness


def own_offer(number: int) -> c.NewMessage:
    row = TransferRow(message_id(number), 99, 99, True, "offered", "n", 2, 30)
    store = c.StoreTransfer(row, b"private")
    return c.NewMessage(message_id(number), MessageKind.OFFER, b"files", 1, 0, store)


FILES = encode_offer(Offer([OfferedFile(["n"], 1)]))


def offered(*numbers: int) -> list[c.Message]:
    return [c.Message(MessageKind.OFFER, message_id(n), n, 2000, FILES) for n in numbers]


def test_an_own_offer_brings_its_transfer_with_the_messages_number_and_time(
    harness: LedgerHarness,
) -> None:
    harness.ledger.apply(c.Commit(1, [c.QueueMessages(1, [*texts(1), own_offer(2)], 4000, False)]))
    stored = harness.ledger.load().transfers
    row = TransferRow(message_id(2), 1, 2, True, "offered", "n", 2, 30, changed_ms=4000)
    assert stored == [c.StoredTransfer(row, b"private", 2)]


def test_a_repeated_offer_does_not_touch_its_transfer(harness: LedgerHarness) -> None:
    harness.ledger.apply(c.Commit(1, [c.QueueMessages(1, [own_offer(2)], 4000, False)]))
    (before,) = harness.ledger.load().transfers
    changed = c.StoreTransfer(msgspec.structs.replace(before.row, state="active"), b"later")
    harness.ledger.apply(c.Commit(2, [changed]))
    harness.ledger.apply(c.Commit(3, [c.QueueMessages(1, [own_offer(2)], 5000, False)]))
    (after,) = harness.ledger.load().transfers
    assert (after.row.state, after.detail) == ("active", b"later")


def given(number: int, digest: bytes) -> c.NewMessage:
    offer = own_offer(number)
    assert offer.transfer
    store = msgspec.structs.replace(offer.transfer, given=digest)
    return msgspec.structs.replace(offer, transfer=store, body=digest + b" listed anew")


def queue(harness: LedgerHarness, *rows: c.NewMessage) -> c.MessagesQueued:
    done = harness.ledger.apply(c.Commit(0, [c.QueueMessages(1, list(rows), 4000, False)]))
    assert isinstance(done, c.Committed)
    [queued] = done.results
    assert isinstance(queued, c.MessagesQueued)
    return queued


def test_an_offer_is_repeated_when_the_paths_are_the_same_whatever_they_hold_now(
    harness: LedgerHarness,
) -> None:
    queue(harness, given(2, b"these paths"))
    again = msgspec.structs.replace(given(2, b"these paths"), body=b"a file has changed")
    assert queue(harness, again).known == [(message_id(2), 1, 1)]
    assert queue(harness, given(2, b"other paths")).refused == (0,)
    assert queue(harness, *texts(2)).refused == (0,)


def test_what_becomes_of_an_offer_does_not_make_it_another_one(harness: LedgerHarness) -> None:
    queue(harness, given(2, b"these paths"))
    (stored,) = harness.ledger.load().transfers
    done = msgspec.structs.replace(stored.row, state="done")
    harness.ledger.apply(c.Commit(0, [c.StoreTransfer(done, b"later")]))
    assert queue(harness, given(2, b"these paths")).known == [(message_id(2), 1, 1)]
    assert queue(harness, given(2, b"other paths")).refused == (0,)


def test_an_offer_of_an_older_history_is_not_told_from_another(harness: LedgerHarness) -> None:
    queue(harness, own_offer(2))
    assert queue(harness, given(2, b"any paths")).known == [(message_id(2), 1, 1)]


def test_offers_without_a_transfer_are_told_at_the_start_after_a_crash(
    harness: LedgerHarness,
) -> None:
    harness.hello(1, 7)
    harness.accept(1, 7, 1, offered(1, 2))
    row = TransferRow(message_id(1), 1, 1, False, "offered", "n", 1, 1)
    harness.do(c.StoreTransfer(row, b""))
    again = LedgerHarness.from_image(harness.image())
    assert [(peer, offer.id) for peer, offer in again.ledger.load().offers] == [(1, message_id(2))]
    (_, offer) = again.ledger.load().offers[0]
    assert (offer.mine, offer.kind, offer.body) == (False, MessageKind.OFFER, FILES)


def test_after_a_proper_stop_nobody_looks_for_offers(harness: LedgerHarness) -> None:
    harness.hello(1, 7)
    harness.accept(1, 7, 1, offered(1))
    harness.connection.execute("UPDATE totals SET clean = 1")
    assert Ledger(harness.connection).load().offers == []
    harness.connection.execute("UPDATE totals SET clean = 0")
    assert len(Ledger(harness.connection).load().offers) == 1
    close_file(harness.connection)


def withdraw(harness: LedgerHarness, number: int, peer: int = 1) -> c.MessageFailedStored:
    failed: c.MessageFailedStored = harness.do(
        c.FailMessage(peer, 0, "withdrawn", message_id(number))
    )
    return failed


def test_a_text_is_withdrawn_by_its_id_while_no_link_was_given_it(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1), release=True)
    harness.queue(1, texts(2, 3))
    assert withdraw(harness, 1) == c.MessageFailedStored(1, 0, "withdrawn", 0)
    assert withdraw(harness, 3) == c.MessageFailedStored(1, 3, "withdrawn", 0)
    assert withdraw(harness, 3) == c.MessageFailedStored(1, 0, "withdrawn", 0, known=True)
    assert [row.failed for row in harness.history()] == ["", "", "withdrawn"]


def test_of_a_text_that_failed_the_words_are_erased_and_nothing_else(
    harness: LedgerHarness,
) -> None:
    harness.queue(1, texts(1, 2))
    erase = c.FailMessage(1, 0, "deleted", message_id(2))
    assert harness.do(erase) == c.MessageFailedStored(1, 0, "deleted", 0)  # it will be sent
    withdraw(harness, 2)
    assert harness.do(erase) == c.MessageFailedStored(1, 2, "deleted", 0)
    assert harness.do(erase) == c.MessageFailedStored(1, 0, "deleted", 0, known=True)
    assert [(row.no, row.failed, row.body == b"") for row in harness.history()] == [
        (1, "", False), (2, "deleted", True),
    ]  # fmt: skip
    assert harness.queue(1, texts(3)).rows[0].seq == 3


def test_only_own_texts_of_that_peer_are_withdrawn(harness: LedgerHarness) -> None:
    other = harness.add_peer(b"o" * 32)
    harness.queue(other, texts(1))
    harness.hello(1, 7)
    harness.accept(1, 7, 1, [c.Message(1, message_id(2), 1, 2000, b"theirs")])
    harness.ledger.apply(c.Commit(99, [c.QueueMessages(1, [own_offer(3)], 4000, False)]))
    for number in (1, 2, 3, 4):
        assert harness.ledger.apply(
            c.Commit(100, [c.FailMessage(1, 0, "withdrawn", message_id(number))])
        ) == c.Committed(100, [c.MessageFailedStored(1, 0, "withdrawn", 0)])
    assert [row.failed for row in harness.history()] == ["", "", ""]
