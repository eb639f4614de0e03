"""How fast the link carries messages between two processes of this machine, beside aioquic.

Both ends encrypt and acknowledge; no store, no front end. aioquic sends 64 messages at a time on
one stream, with its own asyncio server and client. `CHATNET_FLOOD_RUNS` (5) for fewer rounds.
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from benchmarks.measure import percentile
from realworld.engines import free_port

RUNS = int(os.environ.get("CHATNET_FLOOD_RUNS", "5"))
TIMEOUT_S = 120.0
WIRE_1452 = "1452"


class Case(NamedTuple):
    """What one pair of processes moves."""

    transport: str
    size: int
    messages: int
    datagram_bytes: str = ""
    """The largest datagram; empty: whatever the path is found to carry."""


TEXTS = {
    "100 B, link to link": Case("link", 100, 1_000_000),
    "100 B, datagrams of 1,452 B": Case("link", 100, 300_000, WIRE_1452),
}
THEIRS = Case("quic", 100, 64_000)
BULK = {
    "bulk, as large as the path carries": Case("link", 60_000, 12_000),
    "bulk, datagrams of 1,452 B": Case("link", 60_000, 6_000, WIRE_1452),
}


def run(root: Path) -> Iterator[str]:
    """Messages of 100 B a second beside aioquic by 64, and bulk in MB/s, over loopback."""
    rates = {case: [_rate(root, case) for _ in range(RUNS)] for case in BULK.values()}
    for name, case in BULK.items():
        each = [rate * case.size / 1e6 for rate in rates[case]]
        yield f"{name:36} {percentile(each, 0.5):7.0f} MB/s   {min(each):.0f}-{max(each):.0f}"
    if find_spec("aioquic") is None:
        yield "without aioquic: pip install -r scripts/requirements-line.txt"
        return
    theirs: list[float] = []
    texts: dict[str, list[float]] = {name: [] for name in TEXTS}
    for _ in range(RUNS):  # in turn: a machine is not equally fast all the time
        theirs.append(_rate(root, THEIRS))
        for name, case in TEXTS.items():
            texts[name].append(_rate(root, case))
    yield _messages("100 B, aioquic by 64", theirs)
    for name, ours in texts.items():
        yield _messages(name, ours)
        ratios = sorted(mine / other for mine, other in zip(ours, theirs, strict=True))
        words = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        yield f"  ratios: {words}; median {percentile(ratios, 0.5):.2f} (wanted: 2, none below 1.8)"


def _messages(name: str, rates: list[float]) -> str:
    return f"{name:36} {percentile(rates, 0.5):9,.0f}/s   {min(rates):,.0f}-{max(rates):,.0f}"


def _rate(root: Path, case: Case) -> float:
    """Messages a second at the receiver, from the first to the last."""
    port = str(free_port())
    arguments = [case.transport, port, str(case.messages), str(case.size), case.datagram_bytes]
    command = [sys.executable, "-P", "-m", "benchmarks.flood_node"]
    environment = os.environ | {"CHATNET_LINE_FOLDER": str(root)}
    with subprocess.Popen(
        [*command, "receive", *arguments], stdout=subprocess.PIPE, text=True, env=environment
    ) as receiver:
        assert receiver.stdout
        receiver.stdout.readline()  # it listens
        with subprocess.Popen([*command, "send", *arguments], env=environment) as sender:
            try:
                return case.messages / float(receiver.communicate(timeout=TIMEOUT_S)[0])
            finally:
                receiver.kill()
                sender.kill()
