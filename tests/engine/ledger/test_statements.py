"""How many statements a message costs: the store's thread lets the interpreter go at each."""

import pytest

from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import AckRange
from simworld.ledger_harness import LedgerHarness, arrived, texts

FRAME = 2
"""BEGIN and COMMIT."""


@pytest.fixture
def harness() -> LedgerHarness:
    harness = LedgerHarness()
    peer = harness.add_peer()
    harness.hello(peer, 7)
    return harness


def statements(harness: LedgerHarness, op: c.Op) -> int:
    seen: list[str] = []
    harness.connection.set_trace_callback(seen.append)
    answer = harness.ledger.apply(c.Commit(1, [op]))
    harness.connection.set_trace_callback(None)
    assert isinstance(answer, c.Committed)
    return len(seen)


def test_an_own_message_costs_four_statements(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1))
    assert statements(harness, c.QueueMessages(1, texts(2), 1, True)) == FRAME + 4


def test_a_peers_message_costs_five_statements(harness: LedgerHarness) -> None:
    harness.accept(1, 7, 1, arrived(1))
    op = c.AcceptMessages(1, 7, 2, arrived(2), "10.0.0.1:1", 1)
    assert statements(harness, op) == FRAME + 5


def test_a_receipt_in_order_costs_three_statements(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3, 4))
    harness.do(c.StoreReceipts(1, [AckRange(1, 1, 1)]))
    assert statements(harness, c.StoreReceipts(1, [AckRange(2, 2, 1)])) == FRAME + 3
    runs = [AckRange(3, 3, 1), AckRange(4, 4, 1)]
    assert statements(harness, c.StoreReceipts(1, runs)) == FRAME + 4


def test_receipts_settle_around_a_message_that_failed(harness: LedgerHarness) -> None:
    harness.queue(1, texts(1, 2, 3, 4), release=True)
    harness.do(c.FailMessage(1, 3, "too_large"))
    stored = harness.do(c.StoreReceipts(1, [AckRange(2, 2, 2), AckRange(4, 3, 1)]))
    assert stored.delivered_seq == 4
    assert [(run.seq, run.ack, run.count) for run in stored.runs] == [(2, 2, 2), (4, 3, 1)]
    repeated = harness.do(c.StoreReceipts(1, [AckRange(2, 2, 2)]))
    assert (repeated.delivered_seq, repeated.runs) == (4, [])
