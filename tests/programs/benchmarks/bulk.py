"""Bulk on the link over a simulated line, with text beside it and beside TCP: no clock, no noise.

`CHATNET_BULK_ROWS='loss 3 %;beside bbr, first'` for some rows only; all of them take ten CPU
minutes.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from time import process_time

from chatnet_engine.arq.config import ArqConfig
from simworld.bbr import Bbr
from simworld.clock import Clock
from simworld.flows import Cubic, Link, QueueProbe, mbit_of, percentile
from simworld.shared_line import SharedLine

CONTROLS = ("path model", "illinois")
SETTLED_S = 3.0
BULK_S = 12.0
BESIDE_S = 25.0
ASKED = os.environ.get("CHATNET_BULK_ROWS", "")

Row = Callable[[str], str]


def _alone(
    control: str, *, mbit: float, loss: float = 0.0, queue_ms: float = 50, delay_s: float = 0.025
) -> str:
    clock = Clock(1)
    line = SharedLine(clock, mbit=mbit, queue_ms=queue_ms, loss=loss, delay_s=delay_s)
    back = SharedLine(clock, loss=loss, delay_s=delay_s, seed=2)
    link, probe = Link(line, back, ArqConfig(congestion=control)), QueueProbe(line)
    start_s = clock.now_s + 1.0
    clock.after(0.5, link.write)
    clock.after(1.0, link.start)
    began_s = process_time()
    clock.run(start_s + SETTLED_S)
    before = link.got_bytes, line.carried_bytes
    clock.run(start_s + BULK_S)
    took_s = BULK_S - SETTLED_S
    used = (line.carried_bytes - before[1]) / took_s / line.bytes_per_s
    cpu_us = (process_time() - began_s) / link.a.connection.stats.packets_sent * 1e6
    early = [wait for at, wait in probe.waits_s if start_s <= at < start_s + SETTLED_S]
    late = [wait for at, wait in probe.waits_s if at >= start_s + SETTLED_S]
    text = [took - delay_s for at, took in link.text_s if at >= start_s + SETTLED_S]
    return (
        f"{mbit_of(link.got_bytes - before[0], took_s):6.1f} Mbit/s, {used:4.0%} of the line; "
        f"queue p99 {percentile(late, 0.99) * 1e3:5.1f} ms, first 3 s "
        f"{percentile(early, 0.99) * 1e3:5.1f}; text p99 {percentile(text, 0.99) * 1e3:+6.1f} ms; "
        f"{cpu_us:.0f} us a packet, both ends"
    )


def _beside(control: str, *, other: str, first_s: float) -> str:
    clock = Clock(1)
    line, back = SharedLine(clock, mbit=100), SharedLine(clock)
    config = ArqConfig(congestion=control)
    link = Link(line, back, config)
    rival = {"cubic": Cubic, "bbr": Bbr}[other](line, back)
    clock.after(1.0 + max(0.0, -first_s), link.start)
    clock.after(1.0 + max(0.0, first_s), rival.start)
    clock.run(clock.now_s + 1.0 + abs(first_s) + 5.0)
    before = link.got_bytes, rival.got_bytes
    clock.run(clock.now_s + BESIDE_S)
    ours, theirs = link.got_bytes - before[0], rival.got_bytes - before[1]
    return f"{mbit_of(ours, BESIDE_S):6.1f} : {mbit_of(theirs, BESIDE_S):.1f} Mbit/s"


ROWS: dict[str, Row] = {
    **{f"loss {loss} %": partial(_alone, mbit=100, loss=loss / 100) for loss in (0, 1, 3, 10)},
    "2 Mbit/s": partial(_alone, mbit=2, queue_ms=100),
    "2 Mbit/s, loss 3 %": partial(_alone, mbit=2, queue_ms=100, loss=0.03),
    "1 Gbit/s x 100 ms": partial(_alone, mbit=1000, delay_s=0.05),
    "beside cubic, first": partial(_beside, other="cubic", first_s=2.0),
    "beside cubic, second": partial(_beside, other="cubic", first_s=-2.0),
    "beside bbr, first": partial(_beside, other="bbr", first_s=2.0),
    "beside bbr, second": partial(_beside, other="bbr", first_s=-2.0),
}


def run(root: Path) -> Iterator[str]:
    """100 Mbit/s, 25 ms one way and 50 ms of queue where a row says nothing else."""
    cases = [
        (row, each) for row in ROWS for each in CONTROLS if not ASKED or row in ASKED.split(";")
    ]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for (row, control), result in zip(cases, pool.map(_one, cases), strict=True):
            yield f"{row:22} {control:11} {result}"


def _one(case: tuple[str, str]) -> str:
    return ROWS[case[0]](case[1])
