"""Attach time must not grow with the history."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import percentile
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import open_file
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import PeerRow
from realworld.engines import RealEngine

SIZES = (1_000, 100_000)
ATTACHES = 20


def run(root: Path) -> Iterator[str]:
    """From the call to a live view with the last page of the conversation."""
    medians = []
    for size in SIZES:
        engine = RealEngine(root, f"h{size}", "--bind", "127.0.0.1").start()
        engine.stop()
        _fill(engine.database, size)
        start = time.perf_counter()
        engine.start()
        started_s = time.perf_counter() - start
        times = []
        for _ in range(ATTACHES):
            start = time.perf_counter()
            with engine.attach() as client:
                assert len(client.view.peers[0].messages) > 1
                times.append(time.perf_counter() - start)
        engine.stop()
        medians.append(percentile(times, 0.5))
        yield (
            f"{size:>7,} messages: attach p50 {medians[-1] * 1e3:.1f} ms, "
            f"max {max(times) * 1e3:.1f} ms; engine start {started_s:.2f} s"
        )
    yield f"ratio of the medians: {medians[-1] / medians[0]:.2f}"


def _fill(database: Path, size: int) -> None:
    connection: sqlite3.Connection = open_file(str(database))
    ledger = Ledger(connection)
    ledger.apply(c.Commit(1, [c.StorePeer(PeerRow(0, "bob", "127.0.0.1", 9))]))
    for first in range(0, size, 1000):
        rows = [
            c.NewMessage(number.to_bytes(16), 1, b"x" * 100, 1)
            for number in range(first, first + 1000)
        ]
        ledger.apply(c.Commit(2, [c.QueueMessages(1, rows, 1, False)]))
    connection.close()
