"""What many quiet peers cost an engine: CPU, sends, attaching, memory.

CPU seconds are the engine's own, so a busy machine does not spoil them. CHATNET_PEERS=20 makes the
crowds a tenth or so, CHATNET_PEERS_SECONDS=60 is how long each is watched.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import cpu_s, memory_mib, percentile
from chatnet_client.client import Client
from chatnet_client.client_events import Changed
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import MessagesAdded
from chatnet_protocol.ipc.rows import LinkState
from realworld.engines import RealEngine

PEERS = int(os.environ.get("CHATNET_PEERS", "200"))
SECONDS = float(os.environ.get("CHATNET_PEERS_SECONDS", "60"))
FIRST_PORT = 21_000
WITHIN_S = 600.0
SETTLE_S = 15.0
UNREACHABLE_SETTLE_S = 100.0
"""A dial slows down after 90 s."""
SENDS, ATTACHES = 300, 20
GAP_S = 0.01
MAX_ATTACH_S, MAX_MEMORY_MIB = 0.030, 80.0


@contextmanager
def players(count: int) -> Iterator[None]:
    """A process of so many quiet peers, which wait to be dialled."""
    command = [sys.executable, "-P", "-m", "benchmarks.quiet_players", str(FIRST_PORT), str(count)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sys.stderr, text=True
    )
    assert process.stdin
    assert process.stdout
    try:
        if process.stdout.readline().strip() != "ready":
            raise RuntimeError("the peers did not start")
        yield
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def attach(engine: RealEngine) -> Client:
    """A front end, also where the machine is busy."""
    return Client.attach(engine.connection_path, name="bench", timeout_s=WITHIN_S)


def pid_of(engine: RealEngine) -> int:
    """Of its process."""
    assert engine.process
    return engine.process.pid


def introduce(client: Client, count: int) -> None:
    """Add so many peers at the ports of the players."""
    for number in range(count):
        client.request(cmd.AddPeer("127.0.0.1", FIRST_PORT + number), WITHIN_S)


def linked(client: Client) -> int:
    """How many peers are."""
    return sum(peer.link.state == LinkState.UP for peer in client.view.peers)


def core_share(pid: int, seconds: float) -> tuple[float, float]:
    """Share of a core of a process, and how often it woke up a second."""
    cpu, switches, begin = cpu_s(pid), wake_ups(pid), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begin
    return (cpu_s(pid) - cpu) / passed, (wake_ups(pid) - switches) / passed


def wake_ups(pid: int) -> int:
    """Of its first thread since the start: each is a voluntary switch."""
    with open(f"/proc/{pid}/task/{pid}/status") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["voluntary_ctxt_switches"])


def send_times(client: Client, peer: int) -> list[float]:
    """Seconds from the command to the event of the durable message."""
    times = []
    for number in range(SENDS):
        start = time.perf_counter()
        client.send_message(peer, f"{number} ".ljust(100, "x"))
        while True:
            event = client.next_event(WITHIN_S)
            assert event is not None, "a message is not durable"
            if isinstance(event, Changed) and isinstance(event.event, MessagesAdded):
                break
        times.append(time.perf_counter() - start)
        time.sleep(GAP_S)
    return times


def attach_times(engine: RealEngine) -> list[float]:
    """Seconds from the call to a live view."""
    times = []
    for _ in range(ATTACHES):
        start = time.perf_counter()
        with attach(engine):
            times.append(time.perf_counter() - start)
    return times


def verdict(holds: bool) -> str:
    """For the end of a figure."""
    return "" if holds else " (DOES NOT HOLD)"


def measure(root: Path, count: int, *, reachable: bool, max_core: float) -> Iterator[str]:
    """One crowd of one engine."""
    name = f"{count} {'linked' if reachable else 'unreachable'}"
    engine = RealEngine(root, name.replace(" ", "-"), "--bind", "127.0.0.1").start()
    try:
        with players(count if reachable else 0):
            with attach(engine) as client:
                introduce(client, count)
                if reachable:
                    up = client.wait_until(lambda: linked(client) == count, WITHIN_S)
                    assert up, f"{linked(client)} of {count} peers are linked"
            time.sleep(SETTLE_S if reachable else UNREACHABLE_SETTLE_S)
            core, wakes = core_share(pid_of(engine), SECONDS)
            attach_s = percentile(attach_times(engine), 0.5)
            with attach(engine) as client:
                send_s = percentile(send_times(client, 1), 0.5)
            memory = memory_mib(pid_of(engine))
    finally:
        engine.stop()
    yield (
        f"{name:>17}: {core:7.2%} of a core{verdict(core <= max_core)}, {wakes:.1f} wake-ups/s, "
        f"durable send p50 {send_s * 1e3:.2f} ms, "
        f"attach p50 {attach_s * 1e3:.1f} ms{verdict(attach_s <= MAX_ATTACH_S)}, "
        f"RSS {memory:.0f} MiB{verdict(memory <= MAX_MEMORY_MIB)}"
    )


def run(root: Path) -> Iterator[str]:
    """An engine beside one, 200 and 1,000 quiet peers, and 200 that cannot be reached."""
    yield from measure(root, 1, reachable=True, max_core=0.002)
    yield from measure(root, PEERS, reachable=True, max_core=0.01)
    yield from measure(root, PEERS, reachable=False, max_core=0.01)
    yield from measure(root, 5 * PEERS, reachable=True, max_core=0.05)
