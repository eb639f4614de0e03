"""What many quiet peers cost an engine: CPU, wake-ups, sends, attaching, memory; eight minutes.

All engines run side by side and are watched over the same five minutes, in which every link is
re-keyed once. CPU seconds are each engine's own, so a busy machine does not spoil them; a send is
compared with one of the engine with one peer right before it. CHATNET_PEERS=20 makes the crowds a
tenth or so, CHATNET_PEERS_SECONDS=60 is how long they are watched.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import cpu_s, memory_mib, percentile
from chatnet_client.client import Client
from chatnet_client.client_events import Changed
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import MessagesAdded
from chatnet_protocol.ipc.rows import LinkState
from realworld.engines import RealEngine

PEERS = int(os.environ.get("CHATNET_PEERS", "200"))
SECONDS = float(os.environ.get("CHATNET_PEERS_SECONDS", "300"))
"""280 to 300 s pass between two re-keys of a quiet link."""
DISCARD_PORT = 9
"""Nobody answers there: peers out of reach are at the addresses of 127.0.0.0/8."""
WITHIN_S = 600.0
SETTLE_S = 15.0
UNREACHABLE_SETTLE_S = 100.0
"""A dial slows down after 90 s."""
SENDS, ATTACHES = 300, 20
GAP_S = 0.01
MAX_SEND_MORE_S = 0.0003
MAX_ATTACH_S, MAX_MEMORY_MIB = 0.030, 80.0


@dataclass(frozen=True)
class Crowd:
    """The peers of one engine, and what they may cost it."""

    count: int
    reachable: bool
    max_core: float
    max_wakes: float = float("inf")

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.count} {'linked' if self.reachable else 'unreachable'}"


class Subject:
    """An engine with its crowd, and the state of its counters when the watch began."""

    def __init__(self, crowd: Crowd, engine: RealEngine) -> None:
        self.crowd = crowd
        self.engine = engine
        assert engine.process
        self.pid = engine.process.pid
        self.begin()

    def begin(self) -> None:
        """What `spent` counts from."""
        self._cpu_s, self._wakes, self._begin_s = cpu_s(self.pid), wake_ups(self.pid), time.time()

    def spent(self) -> tuple[float, float]:
        """Share of a core, and wake-ups a second."""
        passed_s = time.time() - self._begin_s
        return (
            (cpu_s(self.pid) - self._cpu_s) / passed_s,
            (wake_ups(self.pid) - self._wakes) / passed_s,
        )

    def attach(self) -> Client:
        """A front end, also where the machine is busy."""
        return Client.attach(self.engine.connection_path, name="bench", timeout_s=WITHIN_S)

    def introduce(self, addrs: Sequence[tuple[str, int]]) -> str:
        """Add its peers, who are there, and wait until they are linked."""
        cpu, begin_s, count = cpu_s(self.pid), time.time(), self.crowd.count
        with self.attach() as client:
            for host, port in addrs:
                client.request(cmd.AddPeer(host, port), WITHIN_S)
            if self.crowd.reachable:
                up = client.wait_until(lambda: linked(client) == count, WITHIN_S)
                assert up, f"{linked(client)} of {count} peers are linked"
        passed_s, spent_s = time.time() - begin_s, cpu_s(self.pid) - cpu
        return (
            f"{self.crowd.name:>17}: there after {passed_s:.1f} s, "
            f"{1e3 * spent_s / count:.1f} ms of CPU each"
        )


@contextmanager
def players(count: int) -> Iterator[list[tuple[str, int]]]:
    """A process of so many quiet peers, which wait to be dialled; where they are."""
    command = [sys.executable, "-P", "-m", "benchmarks.quiet_players", str(count)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    assert process.stdin
    assert process.stdout
    try:
        ports = process.stdout.readline().split()
        if len(ports) != count:
            raise RuntimeError("the peers did not start")
        yield [("127.0.0.1", int(port)) for port in ports]
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def linked(client: Client) -> int:
    """How many peers are."""
    return sum(peer.link.state == LinkState.UP for peer in client.view.peers)


def wake_ups(pid: int) -> int:
    """Of its first thread since the start: each is a voluntary switch."""
    with open(f"/proc/{pid}/task/{pid}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["voluntary_ctxt_switches"])


def send_time(client: Client, number: int) -> float:
    """Seconds from the command to the event of the durable message to peer 1."""
    start = time.perf_counter()
    client.send_message(1, f"{number} ".ljust(100, "x"))
    while True:
        event = client.next_event(WITHIN_S)
        assert event is not None, "a message is not durable"
        if isinstance(event, Changed) and isinstance(event.event, MessagesAdded):
            return time.perf_counter() - start


def attach_times(subject: Subject) -> list[float]:
    """Seconds from the call to a live view."""
    times = []
    for _ in range(ATTACHES):
        start = time.perf_counter()
        with subject.attach():
            times.append(time.perf_counter() - start)
    return times


def verdict(holds: bool, bound: str) -> str:
    """For the end of a figure."""
    return f" ({bound}: {'holds' if holds else 'DOES NOT HOLD'})"


def judge_idle(subject: Subject) -> str:
    """What it costs that nothing happens."""
    crowd, (core, wakes) = subject.crowd, subject.spent()
    most = f"at most {crowd.max_core:.1%}"
    line = f"{crowd.name:>17}: {core:6.2%} of a core{verdict(core <= crowd.max_core, most)}"
    line += f", {wakes:.1f} wake-ups/s"
    if crowd.max_wakes < float("inf"):
        line += verdict(wakes <= crowd.max_wakes, f"at most {crowd.max_wakes:g}")
    return line


def judge_attach(subject: Subject) -> str:
    """How long a front end takes, and the engine's memory."""
    times = attach_times(subject)
    middle_s, memory = percentile(times, 0.5), memory_mib(subject.pid)
    return (
        f"{subject.crowd.name:>17}: attach p50 {middle_s * 1e3:.1f} ms"
        f"{verdict(middle_s <= MAX_ATTACH_S, f'at most {MAX_ATTACH_S * 1e3:g}')}, "
        f"slowest {max(times) * 1e3:.1f} ms, RSS {memory:.0f} MiB"
        f"{verdict(memory <= MAX_MEMORY_MIB, f'at most {MAX_MEMORY_MIB:g}')}"
    )


def judge_sends(one: Subject, many: Subject) -> str:
    """Sends of both in turns, so that what else the machine does slows both."""
    times: dict[Subject, list[float]] = {one: [], many: []}
    with one.attach() as first, many.attach() as second:
        for number in range(SENDS):
            for subject, client in ((one, first), (many, second)):
                times[subject].append(send_time(client, number))
                time.sleep(GAP_S)
    alone_s, beside_s = (percentile(each, 0.5) for each in times.values())
    more_s = beside_s - alone_s
    return (
        f"{many.crowd.name:>17}: durable send p50 {beside_s * 1e3:.2f} ms, "
        f"{more_s * 1e3:+.2f} ms to one peer's {alone_s * 1e3:.2f}"
        f"{verdict(more_s <= MAX_SEND_MORE_S, f'at most {MAX_SEND_MORE_S * 1e3:+g}')}"
    )


def run(root: Path) -> Iterator[str]:
    """An engine with one, 200 and 1,000 quiet peers each, and one with 200 out of reach."""
    crowds = (
        Crowd(PEERS, reachable=False, max_core=0.01),
        Crowd(1, reachable=True, max_core=0.001, max_wakes=2.0),
        Crowd(PEERS, reachable=True, max_core=0.01),
        Crowd(5 * PEERS, reachable=True, max_core=0.05),
    )
    begin_s = time.time()
    subjects = []
    with ExitStack() as stack:
        for crowd in crowds:
            name = crowd.name.replace(" ", "-")
            engine = RealEngine(root, name, "--bind", "127.0.0.1").start()
            stack.callback(engine.stop)
            subjects.append(Subject(crowd, engine))
            if crowd.reachable:
                addrs = stack.enter_context(players(crowd.count))
            else:
                addrs = [
                    (f"127.1.{n // 250}.{n % 250 + 1}", DISCARD_PORT) for n in range(crowd.count)
                ]
            yield subjects[-1].introduce(addrs)
        time.sleep(max(SETTLE_S, begin_s + UNREACHABLE_SETTLE_S - time.time()))
        for subject in subjects:
            subject.begin()
        time.sleep(SECONDS)
        yield from map(judge_idle, subjects)
        for subject in subjects[1:]:
            yield judge_attach(subject)
        for subject in subjects[2:]:
            yield judge_sends(subjects[1], subject)
