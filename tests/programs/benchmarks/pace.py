"""Text beside a file on a line of 100 Mbit/s and 25 ms each way, queues of 50 and 250 ms.

Each case in a line of its own, without a file first: that is the control. CUBIC is measured by
keeping BBR from the file process. `CHATNET_PACE_SECONDS` (15) is how long the file moves,
`CHATNET_PACE_CASES='bbr 50/cubic 250'` measures these alone.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from math import ceil
from pathlib import Path

from benchmarks.measure import percentile
from chatnet_client.client import Client
from chatnet_client.client_events import Changed, Gauged
from chatnet_protocol.ipc.commands import AcceptTransfer, CancelTransfer
from chatnet_protocol.ipc.events import MessagesAdded, TransferGauge
from realworld.engines import START_S, RealEngine, is_up
from realworld.namespaces import run as shell
from realworld.namespaces import why_not, why_not_control
from realworld.narrow_line import ADDRESSES, NarrowLine, narrow_line

MBIT = 100
FALLEN_MBIT = 20
DELAY_MS = 25
QUEUES_MS = (50, 250)
GAP_S = 0.05
PORT = 47000
SETTLED_S = 3.0
"""After the start, and after each change of the rate, nothing is judged."""
LAST_S = 0.5
"""What is sent just before a change is delivered after it."""
ALLOWED_MS = 6
WITHOUT_BBR = """
import chatnet_engine.io.file_pace
chatnet_engine.io.file_pace.LOSSY_CONTROL = b"none"
"""


class Beside:
    """Messages each 50 ms, with the times that they took, and the file's progress."""

    def __init__(self, sender: Client, reader: Client) -> None:
        self.took: list[tuple[float, float]] = []
        self.moved: list[tuple[float, int]] = []
        self._sender = sender
        self._reader = reader
        self._sent: dict[str, float] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def send_for(self, seconds: float) -> None:
        start_s = time.monotonic()
        self.send_at(start_s + number * GAP_S for number in range(ceil(seconds / GAP_S)))

    def send_at(self, due_times: Iterable[float]) -> None:
        peer = self._sender.view.peers[0].info.peer
        for due_s in due_times:
            time.sleep(max(0.0, due_s - time.monotonic()))
            text = f"{len(self._sent)} ".ljust(100, "x")
            self._sent[text] = time.monotonic()
            self._sender.send_message(peer, text)

    def end(self) -> None:
        time.sleep(1.0)
        self._ended.set()
        self._thread.join()

    def p99_ms(self, since_s: float, until_s: float) -> float:
        waits = [took for sent, took in self.took if since_s <= sent < until_s]
        return percentile(waits, 0.99) * 1e3

    def mbit(self, since_s: float, until_s: float) -> float:
        there = [each for each in self.moved if since_s <= each[0] < until_s]
        if len(there) < 2:
            return 0.0
        (first_s, first), (last_s, last) = there[0], there[-1]
        return (last - first) * 8e-6 / (last_s - first_s)

    def _read(self) -> None:
        while not self._ended.is_set():
            event = self._reader.next_event(0.2)
            now = time.monotonic()
            if isinstance(event, Changed) and isinstance(event.event, MessagesAdded):
                for row in event.event.rows:
                    if row.text in self._sent:
                        self.took.append((self._sent[row.text], now - self._sent[row.text]))
            elif isinstance(event, Gauged) and isinstance(event.gauge, TransferGauge):
                self.moved.append((now, event.gauge.done_bytes))


def run(root: Path) -> Iterator[str]:
    """Message p99 beside a file, against the same line without one."""
    if obstacle := why_not():
        yield f"not measured: {obstacle}"
        return
    seconds = float(os.environ.get("CHATNET_PACE_SECONDS", "15"))
    yield f"{'case':24} {'idle p99':>9} {'p99':>8} {'more':>7}  Mbit/s   late by"
    every = "/".join(f"{control} {ms}" for control in ("cubic", "bbr") for ms in QUEUES_MS)
    for number, case in enumerate(os.environ.get("CHATNET_PACE_CASES", every).split("/")):
        control, queue_ms = case.split()
        if obstacle := why_not_control(control):
            yield f"{case} ms not measured: {obstacle}"
            continue
        folder = root / str(number)
        folder.mkdir()
        yield from _case(folder, control, float(queue_ms), seconds)


def _case(root: Path, control: str, queue_ms: float, seconds: float) -> Iterator[str]:
    big = root / "big.bin"
    with big.open("wb") as file:
        file.truncate(int(MBIT * 125e3 * (3 * seconds + 10)))
    with narrow_line(MBIT, DELAY_MS, queue_ms) as line:
        a, b = engines_on(line, root, control)
        try:
            with a.attach("sender") as sender, b.attach("reader") as reader, b.attach("yes") as yes:
                assert sender.wait_until(lambda: is_up(sender), START_S)
                name = f"{control}, {queue_ms:.0f} ms"
                yield from _measure(line, (sender, reader, yes), big, name, seconds)
        finally:
            for engine in (a, b):
                engine.stop()
        late_s = line.end()
    yield f"{'':24} the line was late by {late_s * 1e3:.1f} ms at worst"


def _measure(
    line: NarrowLine, clients: tuple[Client, Client, Client], big: Path, name: str, seconds: float
) -> Iterator[str]:
    sender, reader, answerer = clients
    beside = Beside(sender, reader)
    begun_s = time.monotonic()
    beside.send_for(max(5.0, seconds / 2))
    idle_ms = beside.p99_ms(begun_s + 1, time.monotonic())
    offered, _ = sender.offer_files(sender.view.peers[0].info.peer, [str(big)])
    assert answerer.wait_until(lambda: bool(answerer.view.transfers), START_S)
    answerer.request(AcceptTransfer(offered))
    for mbit in (MBIT, FALLEN_MBIT, MBIT):
        line.set_rate(mbit)
        begun_s = time.monotonic()
        beside.send_for(seconds)
        since_s, until_s = begun_s + SETTLED_S, time.monotonic() - LAST_S
        p99_ms = beside.p99_ms(since_s, until_s)
        moved = beside.mbit(since_s, until_s)
        holds = p99_ms <= idle_ms + ALLOWED_MS and moved >= 0.88 * mbit
        verdict = "" if holds else "  MISSED"
        label = f"{name}, {mbit} Mbit/s"
        yield (
            f"{label:24} {idle_ms:6.1f} ms {p99_ms:5.1f} ms {p99_ms - idle_ms:+6.1f}"
            f"  {moved:6.1f}{verdict}"
        )
    answerer.request(CancelTransfer(offered))
    beside.end()


def engines_on(line: NarrowLine, root: Path, control: str) -> tuple[RealEngine, RealEngine]:
    """One at each end, with that TCP congestion control."""
    more: dict[str, str] = {}
    if control == "cubic":
        patch = root / "patch"
        patch.mkdir()
        (patch / "sitecustomize.py").write_text(WITHOUT_BBR)
        more = {"PYTHONPATH": os.pathsep.join([str(patch), os.environ.get("PYTHONPATH", "")])}
    engines = []
    for side, other in ("ab", "ba"):
        engine = RealEngine(root, side, env=more)
        engine.within = line.within(side)
        engine.port = PORT
        kernel = f"net.ipv4.tcp_congestion_control={control}"
        shell(*engine.within, "sysctl", "-qw", kernel)
        engine.start(ADDRESSES[other], str(PORT))
        engines.append(engine)
    return engines[0], engines[1]
