"""An offer and its transfer are stored together; what a peer offered is a transfer in the end."""

import msgspec
import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import close_file
from chatnet_protocol import commit as c
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import MessageKind, TransferRow
from simworld.ledger_desk import Desk, message_id, texts


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.add_peer()
    return desk


def own_offer(number: int) -> c.NewMessage:
    row = TransferRow(message_id(number), 99, 99, True, "offered", "n", 2, 30)
    store = c.StoreTransfer(row, b"private")
    return c.NewMessage(message_id(number), MessageKind.OFFER, b"files", 1, 0, store)


FILES = encode_offer(Offer([OfferedFile(["n"], 1)]))


def offered(*numbers: int) -> list[c.ArrivedMessage]:
    return [c.ArrivedMessage(message_id(n), MessageKind.OFFER, n, 2000, FILES) for n in numbers]


def test_an_own_offer_brings_its_transfer_with_the_messages_number_and_time(desk: Desk) -> None:
    desk.ledger.apply(c.Commit(1, [c.QueueMessages(1, [*texts(1), own_offer(2)], 4000, False)]))
    stored = desk.ledger.load().transfers
    row = TransferRow(message_id(2), 1, 2, True, "offered", "n", 2, 30, changed_ms=4000)
    assert stored == [c.StoredTransfer(row, b"private", 2)]


def test_a_repeated_offer_does_not_touch_its_transfer(desk: Desk) -> None:
    desk.ledger.apply(c.Commit(1, [c.QueueMessages(1, [own_offer(2)], 4000, False)]))
    (before,) = desk.ledger.load().transfers
    changed = c.StoreTransfer(msgspec.structs.replace(before.row, state="active"), b"later")
    desk.ledger.apply(c.Commit(2, [changed]))
    desk.ledger.apply(c.Commit(3, [c.QueueMessages(1, [own_offer(2)], 5000, False)]))
    (after,) = desk.ledger.load().transfers
    assert (after.row.state, after.detail) == ("active", b"later")


def given(number: int, digest: bytes) -> c.NewMessage:
    offer = own_offer(number)
    assert offer.transfer
    store = msgspec.structs.replace(offer.transfer, given=digest)
    return msgspec.structs.replace(offer, transfer=store, body=digest + b" listed anew")


def queue(desk: Desk, *rows: c.NewMessage) -> c.MessagesQueued:
    done = desk.ledger.apply(c.Commit(0, [c.QueueMessages(1, list(rows), 4000, False)]))
    assert isinstance(done.results[0], c.MessagesQueued)
    return done.results[0]


def test_an_offer_is_repeated_when_the_paths_are_the_same_whatever_they_hold_now(
    desk: Desk,
) -> None:
    queue(desk, given(2, b"these paths"))
    again = msgspec.structs.replace(given(2, b"these paths"), body=b"a file has changed")
    assert queue(desk, again).known == [(message_id(2), 1, 1)]
    assert queue(desk, given(2, b"other paths")).refused == (0,)
    assert queue(desk, *texts(2)).refused == (0,)


def test_what_becomes_of_an_offer_does_not_make_it_another_one(desk: Desk) -> None:
    queue(desk, given(2, b"these paths"))
    (stored,) = desk.ledger.load().transfers
    done = msgspec.structs.replace(stored.row, state="done")
    desk.ledger.apply(c.Commit(0, [c.StoreTransfer(done, b"later")]))
    assert queue(desk, given(2, b"these paths")).known == [(message_id(2), 1, 1)]
    assert queue(desk, given(2, b"other paths")).refused == (0,)


def test_an_offer_of_an_older_history_is_not_told_from_another(desk: Desk) -> None:
    queue(desk, own_offer(2))
    assert queue(desk, given(2, b"any paths")).known == [(message_id(2), 1, 1)]


def test_offers_without_a_transfer_are_told_at_the_start_after_a_crash(desk: Desk) -> None:
    desk.hello(1, 7)
    desk.accept(1, 7, 1, offered(1, 2))
    row = TransferRow(message_id(1), 1, 1, False, "offered", "n", 1, 1)
    desk.do(c.StoreTransfer(row, b""))
    again = Desk.from_image(desk.image())
    assert [(peer, offer.id) for peer, offer in again.ledger.load().offers] == [(1, message_id(2))]
    (_, offer) = again.ledger.load().offers[0]
    assert (offer.mine, offer.kind, offer.body) == (False, MessageKind.OFFER, FILES)


def test_after_a_proper_stop_nobody_looks_for_offers(desk: Desk) -> None:
    desk.hello(1, 7)
    desk.accept(1, 7, 1, offered(1))
    desk.connection.execute("UPDATE totals SET clean = 1")
    assert Ledger(desk.connection).load().offers == []
    desk.connection.execute("UPDATE totals SET clean = 0")
    assert len(Ledger(desk.connection).load().offers) == 1
    close_file(desk.connection)


def withdraw(desk: Desk, number: int, peer: int = 1) -> c.MessageFailedStored:
    return desk.do(c.FailMessage(peer, 0, "withdrawn", message_id(number)))


def test_a_text_is_withdrawn_by_its_id_while_no_link_was_given_it(desk: Desk) -> None:
    desk.queue(1, texts(1), release=True)
    desk.queue(1, texts(2, 3))
    assert withdraw(desk, 1) == c.MessageFailedStored(1, 0, "withdrawn", 0)
    assert withdraw(desk, 3) == c.MessageFailedStored(1, 3, "withdrawn", 0)
    assert withdraw(desk, 3) == c.MessageFailedStored(1, 0, "withdrawn", 0, known=True)
    assert [row.failed for row in desk.history()] == ["", "", "withdrawn"]


def test_of_a_text_that_failed_the_words_are_erased_and_nothing_else(desk: Desk) -> None:
    desk.queue(1, texts(1, 2))
    erase = c.FailMessage(1, 0, "deleted", message_id(2))
    assert desk.do(erase) == c.MessageFailedStored(1, 0, "deleted", 0)  # it will be sent
    withdraw(desk, 2)
    assert desk.do(erase) == c.MessageFailedStored(1, 2, "deleted", 0)
    assert desk.do(erase) == c.MessageFailedStored(1, 0, "deleted", 0, known=True)
    assert [(row.no, row.failed, row.body == b"") for row in desk.history()] == [
        (1, "", False), (2, "deleted", True),
    ]  # fmt: skip
    assert desk.queue(1, texts(3)).rows[0].seq == 3


def test_only_own_texts_of_that_peer_are_withdrawn(desk: Desk) -> None:
    other = desk.add_peer(b"o" * 32)
    desk.queue(other, texts(1))
    desk.hello(1, 7)
    desk.accept(1, 7, 1, [c.ArrivedMessage(message_id(2), 1, 1, 2000, b"theirs")])
    desk.ledger.apply(c.Commit(99, [c.QueueMessages(1, [own_offer(3)], 4000, False)]))
    for number in (1, 2, 3, 4):
        assert desk.ledger.apply(
            c.Commit(100, [c.FailMessage(1, 0, "withdrawn", message_id(number))])
        ) == c.Committed(100, [c.MessageFailedStored(1, 0, "withdrawn", 0)])
    assert [row.failed for row in desk.history()] == ["", "", ""]
