"""One transaction per commit: all or nothing, an answer when the disk fails, no scan at start."""

import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import open_memory
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import AckRange, PeerRow, TransferRow
from chatnet_protocol.limits import VIEW_MESSAGES
from simworld.ledger_harness import SESSION, LedgerHarness, arrived, message_id, texts


def test_an_empty_store_loads_as_nothing() -> None:
    assert LedgerHarness().ledger.load() == c.Loaded([], [], [], 0)


def test_operations_of_one_commit_run_in_order() -> None:
    harness = LedgerHarness()
    results = harness.do_all(
        c.StorePeer(PeerRow(0, "a", "h", 1)),
        c.QueueMessages(1, texts(1), 1, False),
        c.QueueMessages(1, texts(2, 1), 1, False),
        c.LoadOutbox(1, 0, 1000, 10),
        c.StoreReceipts(1, [AckRange(2, 2, 2)]),
    )
    page, receipts = results[3:]
    assert isinstance(page, c.OutboxPage)
    assert isinstance(receipts, c.ReceiptsStored)
    assert [row.seq for row in page.rows] == [1, 2]
    assert receipts.delivered_seq == 2


def test_numbers_are_dense_over_all_peers() -> None:
    harness = LedgerHarness()
    for peer in (1, 2):
        harness.add_peer(bytes([peer]) * 32)
        harness.hello(peer, 7)
    for step in range(1, 5):
        harness.queue(1, texts(step))
        harness.accept(2, 7, step, arrived(step))
    assert [row.no for row in harness.history()] == list(range(1, 9))
    assert harness.ledger.load().last_no == 8


def test_a_broken_invariant_leaves_nothing_of_its_transaction() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    before = harness.image()
    ops: list[c.Op] = [
        c.QueueMessages(1, texts(1), 1, False),
        c.StoreReceipts(1, [AckRange(5, 5, 1)]),
    ]
    failed = harness.ledger.apply(c.Commit(7, ops))
    assert isinstance(failed, c.CommitFailed)
    assert (failed.culprit, failed.fatal) == (1, False)
    assert "a receipt for a message that does not exist" in failed.traceback
    assert harness.image() == before
    assert harness.queue(1, texts(2)).rows[0].no == 1


class FailsAtTheEnd:
    """A connection on which COMMIT raises what is no error of SQLite."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            raise MemoryError
        return self.connection.execute(sql, *values)


def test_an_error_at_the_end_of_a_commit_blames_no_operation() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    before = harness.image()
    harness.ledger._db = FailsAtTheEnd(harness.connection)  # type: ignore[assignment]
    with pytest.raises(MemoryError):
        harness.ledger.apply(c.Commit(1, [c.QueueMessages(1, texts(1), 1, False)]))
    assert not harness.connection.in_transaction
    assert harness.image() == before


def test_a_mistake_in_sql_is_raised_not_answered() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.connection.execute("ALTER TABLE messages RENAME TO hidden")
    with pytest.raises(sqlite3.OperationalError):
        harness.ledger.apply(c.Commit(1, [c.QueueMessages(1, texts(1), 1, False)]))
    assert not harness.connection.in_transaction


def test_a_full_disk_fails_the_commit_and_nothing_else() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.hello(1, 7)
    harness.queue(1, texts(1))
    pages = harness.connection.execute("PRAGMA page_count").fetchone()[0]
    harness.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    before = harness.image()
    big = c.NewMessage(message_id(2), 1, b"x" * 60_000, 1)
    failed = harness.refused(c.StoreDraft(1, "d", 0), c.QueueMessages(1, [big], 1, False))
    assert (failed.number, failed.fatal) == (harness.number, False)
    assert "full" in failed.reason
    assert harness.image() == before
    body = b"y" * 60_000
    harness.refused(c.AcceptMessages(1, 7, 1, [c.Message(1, message_id(3), 1, 1, body)], "", 1))
    harness.connection.execute("PRAGMA max_page_count = 100000").fetchone()
    assert harness.queue(1, [big]).rows[0].no == 2
    assert harness.state(1).mark == 0, "no receipt for what was not committed"


def test_an_engine_goes_on_from_the_last_committed_state() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.hello(1, 7)
    harness.accept(1, 7, 1, arrived(1, 2))
    harness.queue(1, texts(1, 2))
    image = harness.image()
    harness.queue(1, texts(3))
    again = LedgerHarness.from_image(image)
    assert again.queue(1, texts(3, 2)).rows[0].no == 5, "a rolled-back number is given again"
    assert again.accept(1, 7, 2, arrived(2, 3)).rows[0].ack == 3


def test_deleted_numbers_are_not_given_again() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.queue(1, texts(1, 2))
    harness.connection.execute("DELETE FROM messages")
    answer = harness.ledger.apply(c.Commit(9, [c.QueueMessages(1, texts(3), 1, False)]))
    assert isinstance(answer, c.Committed)
    [queued] = answer.results
    assert isinstance(queued, c.MessagesQueued)
    assert queued.rows[0].no == 3


def test_the_view_holds_the_newest_of_each_conversation() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.queue(1, texts(*range(VIEW_MESSAGES * 2)))
    view = harness.ledger.load_view(SESSION)
    assert view.session == SESSION
    assert [row.seq for row in view.peers[0].messages] == list(
        range(VIEW_MESSAGES + 1, 2 * VIEW_MESSAGES + 1)
    )


def work(connection: sqlite3.Connection, act: Callable[[], object]) -> int:
    """Steps of SQLite's machine, in hundreds."""
    count = [0]

    def step() -> int:
        count[0] += 1
        return 0

    connection.set_progress_handler(step, 100)
    act()
    connection.set_progress_handler(None, 0)
    return count[0]


def test_what_is_done_often_does_not_cost_more_with_a_longer_history() -> None:
    harness = LedgerHarness()
    harness.add_peer()
    harness.hello(1, 7)
    costs = []
    for start in (0, 5000):
        for first in range(start, start + (50 if start == 0 else 5000), 50):
            ids = range(first, first + 50)
            harness.queue(1, texts(*ids))
            mark = harness.state(1).mark
            harness.ledger.apply(
                c.Commit(1, [c.AcceptMessages(1, 7, mark + 1, arrived(*ids), "", 1)])
            )
            harness.view = harness.ledger.load_view(SESSION)
            last = harness.state(1).last_seq
            run = last - harness.state(1).delivered_seq
            harness.do(c.StoreReceipts(1, [AckRange(last, last, run)]))
        row = TransferRow(message_id(start), 1, 1, True, "done", "f", 1, 1)
        acts: dict[str, Callable[[], object]] = {
            "load": lambda: harness.ledger.load_view(SESSION),
            "queue": partial(harness.queue, 1, texts(90_000 + start)),
            "hello": lambda: harness.hello(1, 7, lamport=harness.state(1).lamport + 5),
            "outbox": lambda: harness.do(c.LoadOutbox(1, 0, 1000, 3)),
            "receipt": lambda: harness.do(c.StoreReceipts(1, [AckRange(40, 40, 3)])),
            "transfer": partial(harness.do, c.StoreTransfer(row, b"")),
        }
        costs.append({name: work(harness.connection, act) for name, act in acts.items()})
    short, long = costs
    for name in short:
        assert long[name] <= short[name] * 1.3 + 2, (name, costs)


def test_a_foreign_connection_cannot_be_a_ledger() -> None:
    connection = open_memory()
    connection.execute("CREATE TABLE messages (a)")
    with pytest.raises(sqlite3.OperationalError):
        Ledger(connection)
    assert not connection.in_transaction
