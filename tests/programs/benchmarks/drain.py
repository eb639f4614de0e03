"""How fast a backlog drains, and what a message costs."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import cpu_s, memory_mib
from chatnet_client.client_events import Changed
from chatnet_protocol.ipc.events import MessagesAdded
from realworld.backlog import queue_texts
from realworld.engines import RealEngine, two_engines

BACKLOG = 20_000


def run(root: Path) -> Iterator[str]:
    """A backlog of 20,000 messages of 100 bytes to an attached client, every engine durable."""
    with two_engines(root) as (a, b):
        b.stop()
        with a.attach("sender") as sender:
            peer = sender.view.peers[0].info.peer
        texts = [f"{number} ".ljust(100, "x") for number in range(BACKLOG)]
        start = time.perf_counter()
        queue_texts(a.connection_path, peer, texts)
        queued_s = time.perf_counter() - start
        yield f"queued by one client: {BACKLOG / queued_s:,.0f} messages/s"
        b.start()
        with b.attach("reader") as reader:
            yield from _drain(a, b, reader)


def _drain(a: RealEngine, b: RealEngine, reader: object) -> Iterator[str]:
    assert a.process
    assert b.process
    before = {engine.name: cpu_s(engine.process.pid) for engine in (a, b) if engine.process}
    seen = 0
    first = last = 0.0
    while seen < BACKLOG:
        event = reader.next_event(60.0)  # type: ignore[attr-defined]
        assert event is not None, f"only {seen} messages arrived"
        if isinstance(event, Changed) and isinstance(event.event, MessagesAdded):
            last = time.perf_counter()
            first = first or last
            seen += len(event.event.rows)
    rate = seen / (last - first)
    yield f"drained to a client of B: {rate:,.0f} messages/s ({last - first:.2f} s)"
    for engine in (a, b):
        assert engine.process
        used = cpu_s(engine.process.pid) - before[engine.name]
        yield (
            f"engine {engine.name}: {used / BACKLOG * 1e6:.1f} us of CPU per message, "
            f"{memory_mib(engine.process.pid):.0f} MiB resident"
        )
