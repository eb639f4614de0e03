"""An engine that notes when its stages happen: `python -m benchmarks.recorded_engine PORT …`.

The notes are lines of JSON, `[name, begin, end, …]` in monotonic seconds, written at the end to the
file that CHATNET_RECORD names. Noting costs some microseconds a stage.
"""

import functools
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chatnet_engine.io.machine import Machine
from chatnet_engine.io.udp import UdpSocket
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.main import main
from chatnet_engine.node.node import Node
from chatnet_engine.store_ops import commit as c

RECORD = "CHATNET_RECORD"


class Recorder:
    """Notes in memory."""

    def __init__(self) -> None:
        self._notes: list[str] = []
        """Packed, so that they give a garbage collection nothing to look at."""
        self._collecting_s = 0.0

    def note(self, name: str, begin_s: float, *facts: object) -> None:
        """It ends now."""
        self._notes.append(json.dumps((name, begin_s, time.monotonic(), *facts)))

    def write(self) -> None:
        """All of them."""
        Path(os.environ[RECORD]).write_text("\n".join(self._notes))

    def around(self, owner: type, name: str, note: Callable[..., None]) -> None:
        """`note(begin_s, result, *arguments)` follows each call of a method."""
        method = getattr(owner, name)

        @functools.wraps(method)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            begin_s = time.monotonic()
            result = method(*args, **kwargs)
            note(begin_s, result, *args)
            return result

        setattr(owner, name, recorded)

    def collections(self, phase: str, info: dict[str, int]) -> None:
        """For gc.callbacks."""
        if phase == "start":
            self._collecting_s = time.monotonic()
        else:
            self.note("collection", self._collecting_s, info["generation"])


def texts_of(commit: c.Commit) -> list[str]:
    """Of the messages in a transaction."""
    return [
        row.body.decode("utf-8", "replace")
        for op in commit.ops
        if isinstance(op, c.QueueMessages | c.AcceptMessages)
        for row in op.rows
    ]


def record(recorder: Recorder) -> None:
    """Put notes around the stages."""
    note = recorder.note

    def applied(begin_s: float, done: object, ledger: object, commit: c.Commit) -> None:
        note("commit", begin_s, commit.number, texts_of(commit), len(commit.ops))

    def handled_io(begin_s: float, done: object, node: object, io: object, now: object) -> None:
        if isinstance(io, c.Committed):
            note("committed", begin_s, io.number)

    def read(begin_s: float, batch: Any, udp: object, limit: int) -> None:
        note("read", begin_s, sorted({addr[1] for _, addr in batch}))

    def handled(begin_s: float, changed: object, node: object, batch: Any, now: object) -> None:
        note("handled", begin_s, sorted({addr[1] for _, addr in batch}))

    def happened(name: str) -> Callable[..., None]:
        return lambda begin_s, *_: note(name, begin_s)

    around = recorder.around
    around(Ledger, "apply", applied)
    around(Machine, "publish", happened("published"))
    around(Machine, "send_datagrams", happened("sent"))
    around(Node, "handle_io", handled_io)
    around(Node, "handle_datagrams", handled)
    around(Node, "handle_request", happened("request"))
    around(UdpSocket, "receive", read)
    gc.callbacks.append(recorder.collections)


def run(argv: list[str]) -> int:
    """The engine, and then the notes."""
    recorder = Recorder()
    record(recorder)
    try:
        return main(argv)
    finally:
        recorder.write()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
