"""Messages on bad lines: the product beside bare UDP, KCP, QUIC and TCP.

Each transport runs beside bare UDP, the control, and beside nothing else: two at a time, each on a
line of its own, so that two cores are enough and what else the machine does meets both. A cell's
ratio is of p99 to that of the control beside it; where a control was late the row says so, and is
no measurement of the transport. What is missing did not come before 15 s of silence. As root the
lines are TUN devices between network namespaces; otherwise each sender impairs its own datagrams,
which the kernel's TCP cannot do. The product's figures are of whole engines: from a front end's
command to the event at the other one, durable on both sides; those of its link are of the link
alone, without store and front ends.
`CHATNET_LINE_ROWS='0 %/20 %'` for some rows only, `CHATNET_LINE_TRANSPORTS=link/kcp` for some
columns, `CHATNET_LINE_MESSAGES` (180: ten minutes for all) for more or less, `CHATNET_LINE_SEED=2`
for other losses, `2/3/4` for the medians of several: these are measured at once, each on lines of
its own, but for those of the whole product. `CHATNET_LINE_KEEP=FOLDER` keeps the pairs, so that a
further run measures only what is missing.
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
from time import monotonic

from benchmarks import line_table as table
from benchmarks.line_node import DIAL_S, SILENCE_S, Task
from benchmarks.line_table import CONTROL, DELAY_MS, ROWS, Figures, Pair, Row
from benchmarks.pace import Beside
from realworld.engines import START_S as ENGINE_START_S
from realworld.engines import RealEngine, is_up
from realworld.namespaces import why_not
from realworld.narrow_line import ADDRESSES, NarrowLine, narrow_line

MBIT, QUEUE_MS = 100, 50
COUNT = int(os.environ.get("CHATNET_LINE_MESSAGES", "180"))
SEEDS = [int(seed) for seed in os.environ.get("CHATNET_LINE_SEED", "1").split("/")]
ASKED = os.environ.get("CHATNET_LINE_TRANSPORTS", "/".join(table.MEASURED)).split("/")
START_S = 0.5 if len(SEEDS) == 1 else 3.0
"""Between the handshake and the first message, so that neither disturbs the other, nor the start of
other seeds."""
KEEP = os.environ.get("CHATNET_LINE_KEEP", "")
PACKAGES = {"kcp": "kcp", "quic": "aioquic"}
"""What they come from: the list `scripts/requirements-line.txt`, for this benchmark alone."""
ENGINE_PORTS = {"a": 47100, "b": 47101}
TIMEOUT_S = 60.0


def run(root: Path) -> Iterator[str]:
    """100 B each 50 ms, 25 ms one way; p50 / p95 / p99 in ms, and wire bytes a message."""
    obstacle = why_not()
    missing = [name for name, package in PACKAGES.items() if find_spec(package) is None]
    if missing:
        yield f"without {', '.join(missing)}: pip install -r scripts/requirements-line.txt"
    if obstacle:
        yield f"impaired by the senders, so without TCP and bytes: {obstacle}"
        missing.append("tcp")
    columns = [name for name in table.MEASURED if name in ASKED and name not in missing]
    asked = table.rows_asked(os.environ.get("CHATNET_LINE_ROWS", ""))
    begun_s = monotonic()
    if len(SEEDS) == 1:
        yield f"{COUNT} messages a cell, seed {SEEDS[0]}, two transports at a time"
    else:
        yield f"medians of seeds {', '.join(map(str, SEEDS))}, each of {COUNT} messages a cell"
    yield from table.head(columns)
    for row_name in asked:
        seeds: list[dict[str, Pair]] = [{} for _ in SEEDS]
        for name in ROWS[row_name].names:
            if name in columns:
                one = partial(_kept, root, row_name, name, namespaces=not obstacle)
                alone = obstacle or name == "ours"  # whose front ends live in this process
                with ThreadPoolExecutor(1 if alone else len(SEEDS)) as pool:
                    for pairs, pair in zip(seeds, pool.map(one, SEEDS), strict=True):
                        pairs[name] = pair
        yield table.line_of(row_name, seeds, columns, COUNT)
    yield f"in {monotonic() - begun_s:.0f} s"


def _kept(root: Path, row_name: str, name: str, seed: int, *, namespaces: bool) -> Pair:
    """A pair of an earlier run, or a new one."""
    case = f"{list(ROWS).index(row_name)}-{name}-{COUNT}-{seed}"
    kept = Path(KEEP or root) / f"{case}.json"
    if not kept.exists():
        folder = root / case
        folder.mkdir()
        table.keep(kept, _pair(folder, ROWS[row_name], name, seed, namespaces=namespaces))
    return table.kept(kept)


def _pair(root: Path, row: Row, name: str, seed: int, *, namespaces: bool) -> Pair:
    """One transport beside the control."""
    one = partial(_one, root, row, seed=seed, namespaces=namespaces)
    with ThreadPoolExecutor(2) as pool:
        return Pair(*pool.map(one, (name, CONTROL)))


def _one(root: Path, row: Row, name: str, *, seed: int, namespaces: bool) -> Figures:
    """One transport on one line."""
    measure = partial(_ours, seed) if name == "ours" else partial(_other, name, seed)
    folder = root / name
    folder.mkdir()
    if not namespaces:
        return Figures(measure(folder, row, None))
    with narrow_line(MBIT, DELAY_MS, QUEUE_MS, row.loss / 100, row.burst, seed=seed) as line:
        took = measure(folder, row, line)
        late_s = line.end()
        return Figures(took, line.carried_bytes, late_s * 1e3)


def _other(name: str, seed: int, root: Path, row: Row, line: NarrowLine | None) -> list[float]:
    """Two nodes; the sender goes on until the receiver is through."""
    host = ADDRESSES["b"] if line else "127.0.0.1"
    impair = "" if line else row.impair(seed)
    task = Task(name, host, 0, row.messages(COUNT), row.at_once, row.links, impair, START_S)
    environment = os.environ | {"CHATNET_LINE_FOLDER": str(root)}
    with ExitStack() as stack:

        def start(side: str, role: str, task: Task) -> "subprocess.Popen[str]":
            within = line.within(side) if line else ()
            arguments = [role, json.dumps(task._asdict())]
            command = [*within, sys.executable, "-P", "-m", "benchmarks.line_node", *arguments]
            node = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            stack.callback(node.wait)
            stack.callback(node.kill)
            assert node.stdout
            return node

        receiver = start("b", "receive", task)
        assert receiver.stdout
        port = int(receiver.stdout.readline())
        sender = start("a", "send", task._replace(port=port))
        assert sender.stdout
        sender.stdout.readline()
        if line:
            line.recount()
        timeout_s = 2 * _seconds(row) + SILENCE_S + TIMEOUT_S
        printed, _ = receiver.communicate(timeout=timeout_s)
        return [float(each) for each in json.loads(printed)]


def _ours(seed: int, root: Path, row: Row, line: NarrowLine | None) -> list[float]:
    """Two engines and a front end at each."""
    engines: list[RealEngine] = []
    for number, side in enumerate("ab"):
        impair = [] if line else ["--impair", row.impair(2 * seed + number)]
        engine = RealEngine(root, side, *impair)
        if line:
            engine.within = line.within(side)
        engine.port = ENGINE_PORTS[side]
        engines.append(engine)
    a, b = engines
    hosts = ADDRESSES if line else {"a": "127.0.0.1", "b": "127.0.0.1"}
    try:
        a.start(hosts["b"], str(b.port))
        b.start(hosts["a"], str(a.port))
        with a.attach("sender") as sender, b.attach("reader") as reader:
            assert sender.wait_until(lambda: is_up(sender), ENGINE_START_S), "no link"
            beside = Beside(sender, reader)
            if line:
                line.recount()
            beside.send_at(table.due_times(row.messages(COUNT), row.at_once, monotonic() + START_S))
            beside.end()
            return [took * 1e3 for _, took in beside.took]
    finally:
        for engine in engines:
            engine.stop()


def _seconds(row: Row) -> float:
    """How long sending takes."""
    one_s = row.messages(COUNT) / row.at_once * table.interval_s(row.at_once)
    return one_s if row.links == 1 else row.links * DIAL_S
