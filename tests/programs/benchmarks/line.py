"""A thin stream on bad lines: the product beside bare UDP, KCP, QUIC and TCP, in one run.

Each transport has a line of its own, all at the same time, so that what else the machine does meets
all alike; bare UDP is the control. As root the lines are TUN devices between network namespaces;
otherwise each sender impairs its own datagrams, which the kernel's TCP cannot do. The product's
figures are of whole engines: from a front end's command to the event at the other one, durable on
both sides; those of its link are of the link alone, without store and front ends.
`CHATNET_LINE_LOSS=0,20` for some rows only, `CHATNET_LINE_MESSAGES` (1200) for less;
`CHATNET_LINE_KEEP=FOLDER` keeps the rows, so that a further run measures only what is missing.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import sleep
from typing import NamedTuple

from benchmarks.line_node import INTERVAL_S, SILENCE_S, START_S
from benchmarks.measure import percentile
from benchmarks.pace import Beside
from realworld.engines import START_S as ENGINE_START_S
from realworld.engines import RealEngine, is_up
from realworld.namespaces import why_not
from realworld.narrow_line import ADDRESSES, NarrowLine, narrow_line

MBIT, DELAY_MS, QUEUE_MS = 100, 25, 50
LOSSES = [int(each) for each in os.environ.get("CHATNET_LINE_LOSS", "0,5,10,20,30").split(",")]
COUNT = int(os.environ.get("CHATNET_LINE_MESSAGES", "1200"))
KEEP = os.environ.get("CHATNET_LINE_KEEP", "")
TRANSPORTS = {
    "ours": "ChatNet",
    "link": "its link",
    "udp": "bare UDP",
    "kcp": "KCP",
    "quic": "QUIC",
    "tcp": "TCP",
}
PACKAGES = {"kcp": "kcp", "quic": "aioquic"}
"""What they come from: the list `scripts/requirements-line.txt`, for this benchmark alone."""
FIRST_PORT = 47100
TIMEOUT_S = 60.0


class Figures(NamedTuple):
    """Of one transport on one line."""

    ms: list[float]
    wire_bytes: tuple[int, int] | None
    """There and back, IP headers included, with the handshake; None: not known."""
    late_ms: float = 0.0
    """How late the line was at worst."""


def run(root: Path) -> Iterator[str]:
    """100 B each 50 ms, 25 ms one way; p50 / p95 / p99 in ms, and wire bytes a message."""
    obstacle = why_not()
    missing = [name for name, package in PACKAGES.items() if find_spec(package) is None]
    if missing:
        yield f"without {', '.join(missing)}: pip install -r scripts/requirements-line.txt"
    if obstacle:
        yield f"impaired by the senders, so without TCP and bytes: {obstacle}"
    names = [name for name in TRANSPORTS if name not in missing]
    if obstacle:
        names.remove("tcp")
    yield f"| loss | {' | '.join(TRANSPORTS[name] for name in names)} |"
    yield f"|---|{'---|' * len(names)}"
    for loss in LOSSES:
        kept = Path(KEEP or root) / f"line-{loss}-{COUNT}.txt"
        if not kept.exists():
            folder = root / f"{loss}"
            folder.mkdir()
            one = partial(_one, folder, loss, namespaces=not obstacle)
            with ThreadPoolExecutor(len(names)) as pool:
                cells = [_cell(figures) for figures in pool.map(one, names)]
            kept.write_text(f"| {loss} % | {' | '.join(cells)} |")
        yield kept.read_text()


def _cell(figures: Figures) -> str:
    if not figures.ms:
        return "nothing arrived"
    shares = " / ".join(f"{percentile(figures.ms, part):.1f}" for part in (0.5, 0.95, 0.99))
    if figures.wire_bytes is None:
        return shares
    there, back = (total / COUNT for total in figures.wire_bytes)
    late = f", line late by {figures.late_ms:.0f}" if figures.late_ms > 1 else ""
    return f"{shares}; {there:.0f} + {back:.0f} B{late}"


def _one(root: Path, loss: int, name: str, *, namespaces: bool) -> Figures:
    """One transport on one line."""
    measure = _ours if name == "ours" else partial(_other, name)
    folder = root / name
    folder.mkdir()
    if not namespaces:
        return Figures(measure(folder, None, f"loss={loss}%,delay={DELAY_MS}ms"), None)
    with narrow_line(MBIT, DELAY_MS, QUEUE_MS, loss / 100) as line:
        took = measure(folder, line, "")
        late_s = line.end()
        return Figures(took, line.carried_bytes, late_s * 1e3)


def _other(name: str, root: Path, line: NarrowLine | None, impair: str) -> list[float]:
    """Two nodes; the sender goes on until the receiver is through."""
    host = ADDRESSES["b"] if line else "127.0.0.1"
    port = str(FIRST_PORT + list(TRANSPORTS).index(name))
    environment = os.environ | {"CHATNET_LINE_FOLDER": str(root)}
    with ExitStack() as stack:
        nodes = []
        for side, role in (("b", "receive"), ("a", "send")):
            within = line.within(side) if line else ()
            arguments = [name, role, host, port, str(COUNT), *([impair] if impair else [])]
            command = [*within, sys.executable, "-P", "-m", "benchmarks.line_node", *arguments]
            node = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            stack.callback(node.wait)
            stack.callback(node.kill)
            nodes.append(node)
            sleep(START_S / 4)  # so that the receiver listens
        timeout_s = COUNT * INTERVAL_S + START_S + SILENCE_S + TIMEOUT_S
        printed, _ = nodes[0].communicate(timeout=timeout_s)
        return [float(each) for each in json.loads(printed)]


def _ours(root: Path, line: NarrowLine | None, impair: str) -> list[float]:
    """Two engines and a front end at each."""
    engines: list[RealEngine] = []
    for side in "ab":
        engine = RealEngine(root, side, *(["--impair", impair] if impair else []))
        if line:
            engine.within = line.within(side)
        engine.port = FIRST_PORT - 1 - "ab".index(side)
        engines.append(engine)
    a, b = engines
    hosts = ADDRESSES if line else {"a": "127.0.0.1", "b": "127.0.0.1"}
    try:
        a.start(hosts["b"], str(b.port))
        b.start(hosts["a"], str(a.port))
        with a.attach("sender") as sender, b.attach("reader") as reader:
            assert sender.wait_until(lambda: is_up(sender), ENGINE_START_S), "no link"
            beside = Beside(sender, reader)
            beside.send_for(COUNT * INTERVAL_S)
            beside.end()
            return [took * 1e3 for _, took in beside.took]
    finally:
        for engine in engines:
            engine.stop()
