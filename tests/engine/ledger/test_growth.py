"""What an engine does at a start, and a reader for a page, costs the same however long the history.

Counted in steps of SQLite's machine, not in time.
"""

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chatnet_engine.ledger.history import History
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import close_file, open_file, open_read_only
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.commands import FetchHistory
from chatnet_protocol.ipc.rows import AckRange, PeerRow
from simworld.ledger_harness import SESSION, arrived, texts

SHORT, LONG, BATCH = 400, 6000, 200
PAGES = {
    "newest": FetchHistory(peer=1, limit=50),
    "newest of all": FetchHistory(limit=50),
    "in the middle": FetchHistory(peer=1, before_place=200, before_no=200, limit=50),
    "forwards": FetchHistory(after_no=100, limit=50),
    "forwards in one conversation": FetchHistory(peer=1, after_no=100, limit=50),
}


def steps_of(connection: sqlite3.Connection, act: Callable[[], object]) -> int:
    """In hundreds."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(step, 100)
    act()
    connection.set_progress_handler(None, 0)
    return count


def grow(ledger: Ledger, first: int, last: int) -> None:
    """Messages both ways, delivered."""
    for start in range(first, last, BATCH):
        half = range(start, start + BATCH // 2)
        rest = range(start + BATCH // 2, start + BATCH)
        state = ledger.load().states[0]
        last_seq = state.last_seq + len(half)
        ops: list[c.Op] = [
            c.QueueMessages(1, texts(*half), 1, True),
            c.AcceptMessages(1, 7, state.mark + 1, arrived(*rest), "", 1),
            c.StoreReceipts(1, [AckRange(last_seq, last_seq, len(half))]),
        ]
        done = ledger.apply(c.Commit(1, ops))
        assert isinstance(done, c.Committed)


def measure(path: str) -> dict[str, int]:
    """A start after a clean stop, and pages."""
    connection = open_file(path)
    ledgers: list[Ledger] = []
    costs = {"start": steps_of(connection, lambda: ledgers.append(Ledger(connection)))}
    costs["load"] = steps_of(connection, lambda: ledgers[0].load_view(SESSION))
    close_file(connection)
    reader = open_read_only(path)
    history = History(reader)
    costs |= {name: steps_of(reader, partial(history.page, query)) for name, query in PAGES.items()}
    reader.close()
    return costs


def test_neither_a_start_nor_a_page_costs_more_with_a_longer_history(tmp_path: Path) -> None:
    path = str(tmp_path / "store.db")
    found = []
    for first, last in ((0, SHORT), (SHORT, LONG)):
        connection = open_file(path)
        ledger = Ledger(connection)
        if not first:
            row = PeerRow(0, "bob", "h", 1, key=b"k" * 32, trust="pinned")
            ledger.apply(c.Commit(1, [c.StorePeer(row), c.ApplyHello(1, 7, 1, 0, 0, 0, "")]))
        grow(ledger, first, last)
        assert ledger.load().last_no == last
        close_file(connection)
        found.append(measure(path))
    short, long = found
    for name, cost in short.items():
        assert long[name] <= cost * 1.3 + 2, (name, short, long)
