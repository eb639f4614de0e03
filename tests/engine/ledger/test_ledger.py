"""One transaction per commit: all or nothing, an answer when the disk fails, no scan at start."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import open_memory
from chatnet_protocol import commit as c
from chatnet_protocol.ipc.rows import AckRun, PeerRow, TransferRow
from chatnet_protocol.limits import VIEW_MESSAGES
from simworld.ledger_desk import SESSION, Desk, arrived, message_id, texts


def test_an_empty_store_loads_as_nothing() -> None:
    assert Desk().ledger.load() == c.Loaded([], [], [], 0)


def test_operations_of_one_commit_run_in_order() -> None:
    desk = Desk()
    results = desk.do_all(
        c.StorePeer(PeerRow(0, "a", "h", 1)),
        c.QueueMessages(1, texts(1), 1, False),
        c.QueueMessages(1, texts(2, 1), 1, False),
        c.LoadOutbox(1, 0, 1000, 10),
        c.StoreReceipts(1, [AckRun(2, 2, 2)]),
    )
    assert [row.seq for row in results[3].rows] == [1, 2]
    assert results[4].delivered_seq == 2


def test_numbers_are_dense_over_all_peers() -> None:
    desk = Desk()
    for peer in (1, 2):
        desk.add_peer(bytes([peer]) * 32)
        desk.hello(peer, 7)
    for step in range(1, 5):
        desk.queue(1, texts(step))
        desk.accept(2, 7, step, arrived(step))
    assert [row.no for row in desk.history()] == list(range(1, 9))
    assert desk.ledger.load().last_no == 8


def test_a_broken_invariant_leaves_nothing_of_its_transaction() -> None:
    desk = Desk()
    desk.add_peer()
    before = desk.image()
    ops = [c.QueueMessages(1, texts(1), 1, False), c.StoreReceipts(1, [AckRun(5, 5, 1)])]
    failed = desk.ledger.apply(c.Commit(7, ops))
    assert isinstance(failed, c.CommitFailed)
    assert (failed.culprit, failed.fatal) == (1, False)
    assert "a receipt for a message that does not exist" in failed.traceback
    assert desk.image() == before
    assert desk.queue(1, texts(2)).rows[0].no == 1


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
    desk = Desk()
    desk.add_peer()
    before = desk.image()
    desk.ledger._db = FailsAtTheEnd(desk.connection)  # type: ignore[assignment]
    with pytest.raises(MemoryError):
        desk.ledger.apply(c.Commit(1, [c.QueueMessages(1, texts(1), 1, False)]))
    assert not desk.connection.in_transaction
    assert desk.image() == before


def test_a_mistake_in_sql_is_raised_not_answered() -> None:
    desk = Desk()
    desk.add_peer()
    desk.connection.execute("ALTER TABLE messages RENAME TO hidden")
    with pytest.raises(sqlite3.OperationalError):
        desk.ledger.apply(c.Commit(1, [c.QueueMessages(1, texts(1), 1, False)]))
    assert not desk.connection.in_transaction


def test_a_full_disk_fails_the_commit_and_nothing_else() -> None:
    desk = Desk()
    desk.add_peer()
    desk.hello(1, 7)
    desk.queue(1, texts(1))
    pages = desk.connection.execute("PRAGMA page_count").fetchone()[0]
    desk.connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    before = desk.image()
    big = c.NewMessage(message_id(2), 1, b"x" * 60_000, 1)
    failed = desk.refused(c.StoreDraft(1, "d", 0), c.QueueMessages(1, [big], 1, False))
    assert (failed.number, failed.fatal) == (desk.number, False)
    assert "full" in failed.reason
    assert desk.image() == before
    body = b"y" * 60_000
    desk.refused(c.AcceptMessages(1, 7, 1, [c.ArrivedMessage(message_id(3), 1, 1, 1, body)], "", 1))
    desk.connection.execute("PRAGMA max_page_count = 100000").fetchone()
    assert desk.queue(1, [big]).rows[0].no == 2
    assert desk.state(1).mark == 0, "no receipt for what was not committed"


def test_an_engine_goes_on_from_the_last_committed_state() -> None:
    desk = Desk()
    desk.add_peer()
    desk.hello(1, 7)
    desk.accept(1, 7, 1, arrived(1, 2))
    desk.queue(1, texts(1, 2))
    image = desk.image()
    desk.queue(1, texts(3))
    again = Desk.from_image(image)
    assert again.queue(1, texts(3, 2)).rows[0].no == 5, "a rolled-back number is given again"
    assert again.accept(1, 7, 2, arrived(2, 3)).rows[0].ack == 3


def test_deleted_numbers_are_not_given_again() -> None:
    desk = Desk()
    desk.add_peer()
    desk.queue(1, texts(1, 2))
    desk.connection.execute("DELETE FROM messages")
    answer = desk.ledger.apply(c.Commit(9, [c.QueueMessages(1, texts(3), 1, False)]))
    assert answer.results[0].rows[0].no == 3


def test_the_view_holds_the_newest_of_each_conversation() -> None:
    desk = Desk()
    desk.add_peer()
    desk.queue(1, texts(*range(VIEW_MESSAGES * 2)))
    view = desk.ledger.load_view(SESSION)
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
    desk = Desk()
    desk.add_peer()
    desk.hello(1, 7)
    costs = []
    for start in (0, 5000):
        for first in range(start, start + (50 if start == 0 else 5000), 50):
            ids = range(first, first + 50)
            desk.queue(1, texts(*ids))
            mark = desk.state(1).mark
            desk.ledger.apply(c.Commit(1, [c.AcceptMessages(1, 7, mark + 1, arrived(*ids), "", 1)]))
            desk.view = desk.ledger.load_view(SESSION)
            last = desk.state(1).last_seq
            run = last - desk.state(1).delivered_seq
            desk.do(c.StoreReceipts(1, [AckRun(last, last, run)]))
        row = TransferRow(message_id(start), 1, 1, True, "done", "f", 1, 1)
        acts = {
            "load": lambda: desk.ledger.load_view(SESSION),
            "queue": lambda s=start: desk.queue(1, texts(90_000 + s)),
            "hello": lambda: desk.hello(1, 7, lamport=desk.state(1).lamport + 5),
            "outbox": lambda: desk.do(c.LoadOutbox(1, 0, 1000, 3)),
            "receipt": lambda: desk.do(c.StoreReceipts(1, [AckRun(40, 40, 3)])),
            "transfer": lambda r=row: desk.do(c.StoreTransfer(r, b"")),
        }
        costs.append({name: work(desk.connection, act) for name, act in acts.items()})
    short, long = costs
    for name in short:
        assert long[name] <= short[name] * 1.3 + 2, (name, costs)


def test_a_foreign_connection_cannot_be_a_ledger() -> None:
    connection = open_memory()
    connection.execute("CREATE TABLE messages (a)")
    with pytest.raises(sqlite3.OperationalError):
        Ledger(connection)
    assert not connection.in_transaction
