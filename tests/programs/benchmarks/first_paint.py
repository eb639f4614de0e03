"""From the start of the window's process to its first messages, on a real engine."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import percentile
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.schema import open_file
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc.rows import PeerRow
from realworld.engines import RealEngine

STARTS = int(os.environ.get("CHATNET_WINDOW_STARTS", "10"))
BATCH = 1000


def run(folder: Path, platform: str, messages: int) -> Iterator[str]:
    """Beside Qt alone: a process that shows a list of Qt's own with as many rows as are loaded."""
    engine = RealEngine(folder, "paint", "--bind", "127.0.0.1").start()
    engine.stop()
    fill(engine.database, messages)
    engine.start()
    try:
        for name, file in (("window", engine.connection_path), ("Qt alone", "bare")):
            yield _line(name, [_start(folder, platform, file) for _ in range(STARTS + 1)][1:])
    finally:
        engine.stop()


def fill(database: Path, messages: int) -> None:
    """A conversation of texts of one to several lines."""
    connection = open_file(str(database))
    ledger = Ledger(connection)
    ledger.apply(c.Commit(1, [c.StorePeer(PeerRow(0, "bob", "127.0.0.1", 9))]))
    for first in range(0, messages, BATCH):
        rows = [
            c.NewMessage(no.to_bytes(16), 1, b"Message. " + b"It goes on. " * (no % 9), 1)
            for no in range(first, min(first + BATCH, messages))
        ]
        ledger.apply(c.Commit(2, [c.QueueMessages(1, rows, 1, False)]))
    connection.close()


def _start(folder: Path, platform: str, file: str) -> list[float]:
    """[ms to the first paint, ms of CPU, MiB] of one process; the first one compiles byte code."""
    environment = {**os.environ, "QT_QPA_PLATFORM": platform}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    words = [sys.executable, "-P", "-m", "benchmarks.paint_program", file, str(time.monotonic())]
    made = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return [float(word) for word in made.stdout.split()]


def _line(name: str, starts: list[list[float]]) -> str:
    wall, cpu, memory = (sorted(figures) for figures in zip(*starts, strict=True))
    wanted = " (wanted < 300)" if name == "window" else ""
    return (
        f"first paint, {name:9} median {percentile(wall, 0.5):4.0f} ms, longest {wall[-1]:4.0f}"
        f"{wanted}; CPU {percentile(cpu, 0.5):.0f}; {memory[-1]:.0f} MiB; {len(starts)} starts"
    )
