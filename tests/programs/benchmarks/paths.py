"""Files where TCP does not get through, on a line of 100 Mbit/s and 25 ms each way, queue 50 ms.

Firewalls let UDP through and drop TCP without a word: at both sides from the start, in the middle
of a transfer, at the receiver alone. Each file with text beside it; idle text is the control.
`CHATNET_PATHS_SECONDS` (15) is how long each file moves before the next thing happens.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.pace import DELAY_MS, MBIT, SETTLED_S, Beside, engines_on
from chatnet_client.client import Client
from chatnet_client.client_events import Gauged
from chatnet_protocol.ipc.commands import AcceptTransfer, CancelTransfer
from chatnet_protocol.ipc.events import TransferGauge
from realworld.engines import START_S, is_up
from realworld.namespaces import why_not, why_not_control
from realworld.narrow_line import NarrowLine, narrow_line

QUEUE_MS = 50
REPLACED_WITHIN_S = 10.0
FIRST_BYTE_WITHIN_S = 30.0
TCP_AGAIN_WITHIN_S = 90.0


class Watch:
    """Which path the bytes of one transfer take, as a front end sees it."""

    def __init__(self, client: Client, transfer: bytes) -> None:
        self._client = client
        self._transfer = transfer
        self.newest: TransferGauge | None = None

    def until(self, holds: Callable[[TransferGauge], bool], within_s: float) -> float:
        """Seconds until a gauge for which `holds`; infinite if there was none in time."""
        begun_s = time.monotonic()
        while (left_s := begun_s + within_s - time.monotonic()) > 0:
            event = self._client.next_event(left_s)
            gauge = event.gauge if isinstance(event, Gauged) else None
            if isinstance(gauge, TransferGauge) and gauge.id == self._transfer:
                self.newest = gauge
                if holds(gauge):
                    return time.monotonic() - begun_s
        return float("inf")


def run(root: Path) -> Iterator[str]:
    """Which path a file takes, how soon, and what text beside it notices."""
    if obstacle := why_not() or why_not_control("bbr"):
        yield f"not measured: {obstacle}"
        return
    seconds = float(os.environ.get("CHATNET_PATHS_SECONDS", "15"))
    big = root / "big.bin"
    with big.open("wb") as file:
        file.truncate(int(MBIT * 125e3 * (10 * seconds + 60)))
    with narrow_line(MBIT, DELAY_MS, QUEUE_MS) as line:
        a, b = engines_on(line, root, "bbr")
        try:
            with a.attach("sender") as sender, b.attach("reader") as reader, b.attach("w") as watch:
                assert sender.wait_until(lambda: is_up(sender), START_S)
                yield from _measure(line, sender, reader, watch, big, seconds)
        finally:
            for engine in (a, b):
                engine.stop()
        yield f"the line was late by {line.end() * 1e3:.1f} ms at worst"


def _measure(
    line: NarrowLine, sender: Client, reader: Client, watcher: Client, big: Path, seconds: float
) -> Iterator[str]:
    beside = Beside(sender, reader)
    try:
        yield from _cases(line, sender, watcher, beside, big, seconds)
    finally:
        beside.end()


def _cases(
    line: NarrowLine, sender: Client, watcher: Client, beside: Beside, big: Path, seconds: float
) -> Iterator[str]:
    begun_s = time.monotonic()
    beside.send_for(max(5.0, seconds / 2))
    idle_ms = beside.p99_ms(begun_s + 1, time.monotonic())
    yield f"text alone: p99 {idle_ms:.1f} ms"

    for sides, name in (("ab", "no TCP at either side"), ("b", "no TCP into the receiver")):
        for side in sides:
            line.drop_tcp(side, new_only=True)
        watch = Watch(watcher, _offer(sender, watcher, big))
        first_s = watch.until(lambda gauge: gauge.done_bytes > 0, FIRST_BYTE_WITHIN_S)
        path = "link" if watch.newest and watch.newest.on_link else "TCP"
        begun_s = time.monotonic()
        beside.send_for(seconds)
        since_s, until_s = begun_s + SETTLED_S, time.monotonic()
        yield (
            f"{name}: by {path}, first bytes after {first_s:.1f} s,"
            f" {beside.mbit(since_s, until_s):.1f} Mbit/s,"
            f" text p99 {beside.p99_ms(since_s, until_s) - idle_ms:+.1f} ms"
        )
        for side in sides:
            line.let_in_tcp(side)
        if path == "link":
            again_s = watch.until(lambda gauge: not gauge.on_link, TCP_AGAIN_WITHIN_S)
            yield f"  TCP is let in: used after {again_s:.1f} s"
        _cancel(watcher, watch)

    watch = Watch(watcher, _offer(sender, watcher, big))
    watch.until(lambda gauge: gauge.done_bytes > 0 and not gauge.on_link, FIRST_BYTE_WITHIN_S)
    for side in "ab":
        line.drop_tcp(side)
    stood = watch.newest.done_bytes if watch.newest else 0
    replaced_s = watch.until(lambda gauge: gauge.on_link and gauge.done_bytes > stood, 60.0)
    missed = "" if replaced_s <= REPLACED_WITHIN_S else "  MISSED"
    yield f"TCP stops in the middle: bytes move on the link after {replaced_s:.1f} s{missed}"
    _cancel(watcher, watch)


def _offer(sender: Client, answerer: Client, big: Path) -> bytes:
    offered, _ = sender.offer_files(sender.view.peers[0].info.peer, [str(big)])
    assert answerer.wait_until(lambda: answerer.view.transfer(offered) is not None, START_S)
    answerer.request(AcceptTransfer(offered))
    return offered


def _cancel(answerer: Client, watch: Watch) -> None:
    transfer = watch.newest.id if watch.newest else b""
    if transfer:
        answerer.request(CancelTransfer(transfer))
