"""The id of the message that a text answers is stored as it came, known here or not."""

import msgspec
import pytest

from chatnet_engine.ledger.history import History
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.commands import FetchHistory
from chatnet_protocol.ipc.rows import MessageRow
from simworld.ledger_harness import SOURCE, LedgerHarness, arrived, message_id, texts

UNKNOWN = message_id(999)
WANT = 77


@pytest.fixture
def harness() -> LedgerHarness:
    harness = LedgerHarness()
    harness.add_peer()
    return harness


def answers(number: int, to: bytes) -> list[c.NewMessage]:
    return [msgspec.structs.replace(row, reply_to=to) for row in texts(number)]


def arrived_answers(number: int, to: bytes) -> list[c.Message]:
    return [msgspec.structs.replace(row, reply_to=to) for row in arrived(number)]


def reference(harness: LedgerHarness, number: int) -> bytes:
    """What the store says the message answers."""
    found = harness.connection.execute(
        "SELECT reply_to FROM messages WHERE id = ?", (message_id(number),)
    )
    return bytes(found.fetchone()[0])


def looked_up(harness: LedgerHarness, number: int, peer: int = 1) -> list[MessageRow]:
    """What a front end gets when it asks for the message that this one answers."""
    query = FetchHistory(peer, ids=[reference(harness, number)])
    return History(harness.connection).page(query).rows


def put_back(harness: LedgerHarness, number: int, reply_to: bytes = b"") -> None:
    """One of the peer's messages returns."""
    row = cr.RestoredMessage(
        False, message_id(number), 1, 1, 1000, 3000, 1, b"old", reply_to=reply_to
    )
    harness.do(cr.PutBack(1, WANT, 0, 1, row.id, False, [row], SOURCE))


def test_an_own_answer_keeps_its_reference_until_it_is_delivered(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1))
    harness.queue(1, answers(2, message_id(1)))
    assert reference(harness, 2) == message_id(1)
    outbox = harness.do(c.LoadOutbox(1, 0, 10**9, 10**6)).rows
    assert [row.message.reply_to for row in outbox] == [b"", message_id(1)]
    assert [row.id for row in looked_up(harness, 2)] == [message_id(1)]


def test_the_same_id_with_another_reference_is_another_text(harness: LedgerHarness) -> None:
    harness.queue(1, answers(2, UNKNOWN))
    repeated = harness.queue(1, answers(2, UNKNOWN))
    assert [known for known, _, _ in repeated.known] == [message_id(2)]
    assert harness.queue(1, answers(2, message_id(7))).refused == (0,)
    assert reference(harness, 2) == UNKNOWN


def test_a_reference_to_nothing_is_kept_and_finds_nothing(harness: LedgerHarness) -> None:
    harness.hello(1, 7)
    harness.accept(1, 7, 1, arrived_answers(5, UNKNOWN))
    harness.queue(1, answers(6, UNKNOWN))
    for number in (5, 6):
        assert reference(harness, number) == UNKNOWN
        assert looked_up(harness, number) == []


def test_another_conversation_s_message_is_not_found_in_this_one(harness: LedgerHarness) -> None:
    other = harness.add_peer(b"o" * 32)
    harness.queue(other, texts(1))
    harness.queue(1, answers(2, message_id(1)))
    assert reference(harness, 2) == message_id(1)
    assert looked_up(harness, 2) == []
    assert [row.id for row in looked_up(harness, 2, peer=other)] == [message_id(1)]


def test_a_withdrawn_message_stays_what_was_answered(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1))
    harness.queue(1, answers(2, message_id(1)))
    harness.do(c.FailMessage(1, 0, "withdrawn", message_id(1)))
    assert reference(harness, 2) == message_id(1)
    assert [row.failed for row in looked_up(harness, 2)] == ["withdrawn"]


def test_what_was_answered_is_found_once_it_is_restored(harness: LedgerHarness) -> None:
    harness.hello(1, 7, acked_total=5, received_total=5, lamport=20)
    harness.do(cr.StoreRestoreRequest(1, WANT, "asking"))
    harness.accept(1, 7, 1, arrived_answers(5, message_id(3)))
    assert looked_up(harness, 5) == []
    put_back(harness, 3)
    assert [row.id for row in looked_up(harness, 5)] == [message_id(3)]


def test_a_restored_answer_brings_its_reference_along(harness: LedgerHarness) -> None:
    harness.hello(1, 7, acked_total=5, received_total=5, lamport=20)
    harness.do(cr.StoreRestoreRequest(1, WANT, "asking"))
    put_back(harness, 4, reply_to=UNKNOWN)
    assert reference(harness, 4) == UNKNOWN
    assert looked_up(harness, 4) == []
