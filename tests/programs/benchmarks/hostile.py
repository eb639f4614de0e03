"""What peers with right keys can do to an engine: CPU, memory, and how an honest peer fares.

Half an hour for a million datagrams; interrupted, it goes on where it was:
CHATNET_HOSTILE_KEEP=FOLDER keeps what was measured, CHATNET_HOSTILE_DATAGRAMS=20000 makes it
shorter, CHATNET_HOSTILE_SECONDS=20 is the length of each measured phase.

CHATNET_HOSTILE_PART=megabit or =honest measures that alone, CHATNET_HOSTILE_ROUNDS=3 so often, each
on new engines; for =honest the median of the rounds counts, as a round's p99 is its seventh worst
message. For =honest, each with =1:

CHATNET_HOSTILE_CONTROL   measures beside a process too that takes as much CPU as the flood's does
CHATNET_HOSTILE_LASTING   the flood breaks no rule of the specification; else each of its peers is
                          left alone for a minute after its first breach, and all within seconds
CHATNET_HOSTILE_OWN_DISK  the honest peer's history is in memory: else its transactions wait for
                          those of the engine under attack, as both are synced to one disk
CHATNET_HOSTILE_STAGES    where the time of all and of the slow messages went
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import message_path
from benchmarks.measure import cpu_s, memory_mib, percentile
from benchmarks.message_path import Notes, Timed
from benchmarks.recorded_engine import RECORD
from chatnet_client.client import Client
from chatnet_client.client_events import Changed
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import MessagesAdded
from chatnet_protocol.ipc.rows import LinkState
from hostile.flood import Flood
from realworld.engines import RealEngine, free_port, linked

DATAGRAMS = int(os.environ.get("CHATNET_HOSTILE_DATAGRAMS", "1000000"))
SECONDS = float(os.environ.get("CHATNET_HOSTILE_SECONDS", "20"))
KEEP = os.environ.get("CHATNET_HOSTILE_KEEP", "")
PART = os.environ.get("CHATNET_HOSTILE_PART", "")
ROUNDS = int(os.environ.get("CHATNET_HOSTILE_ROUNDS", "1"))
CONTROL = bool(os.environ.get("CHATNET_HOSTILE_CONTROL"))
LASTING = bool(os.environ.get("CHATNET_HOSTILE_LASTING"))
OWN_DISK = bool(os.environ.get("CHATNET_HOSTILE_OWN_DISK"))
STAGES = bool(os.environ.get("CHATNET_HOSTILE_STAGES"))
ROUND_DATAGRAMS = 50_000
"""At full speed on one pair of engines; then the next seed, on new ones."""
HOSTILE_PEERS = 4
"""One that breaks the specification is left alone for a minute; the others go on."""
MEGABIT_BYTES_S = 125_000
MANY_A_SECOND = 5_000
MAX_CORE = 0.25
MAX_GROWTH_MIB = 32
MAX_RATIO = 2.0
MAX_P99_S = 1.0
GAP_S = 0.02
WITHIN_S = 30.0
MEMORY = "/dev/shm"
BURN_PAUSE_S = 0.002
"""As the flood sleeps when it is ahead."""
BURNER = """
import time
while True:
    time.sleep({pause})
    end = time.perf_counter() + {pause} * {share} / (1 - {share})
    while time.perf_counter() < end:
        pass
"""


@dataclass(frozen=True)
class Scene:
    """An engine under attack, its honest peer, and a front end at each."""

    victim: RealEngine
    honest: RealEngine
    at_victim: Client
    at_honest: Client
    ports: list[int]

    @property
    def pid(self) -> int:
        """Of the victim."""
        assert self.victim.process
        return self.victim.process.pid


@contextmanager
def scene(root: Path, *, recorded: bool = False) -> Iterator[Scene]:
    """Two engines that are linked; the victim also knows the hostile addresses. When they are
    `recorded`, their notes are below `root` when the scene has ended."""
    root.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory(prefix="cnb-", dir=MEMORY if OWN_DISK else root) as beside,
        linked(
            victim := _engine(root, root, "a", recorded),
            honest := _engine(Path(beside), root, "b", recorded),
        ),
        victim.attach("reader") as at_victim,
        honest.attach("sender") as at_honest,
    ):
        ports = [free_port() for _ in range(HOSTILE_PEERS)]
        for port in ports:
            at_victim.request(cmd.AddPeer("127.0.0.1", port))
        yield Scene(victim, honest, at_victim, at_honest, ports)


def _engine(root: Path, notes: Path, name: str, recorded: bool) -> RealEngine:
    more = {RECORD: str(notes / f"{name}.notes"), "PYTHONPATH": os.environ["PYTHONPATH"]}
    engine = RealEngine(root, name, "--bind", "127.0.0.1", env=more if recorded else None)
    if recorded:
        engine.program = ("benchmarks.recorded_engine",)
    return engine


@contextmanager
def flooding(on: Scene, seed: int, **limits: Any) -> Iterator["subprocess.Popen[str]"]:
    """A process of hostile peers; ended with the block if it has not ended before."""
    flood = Flood(seed=seed, target=("127.0.0.1", on.victim.port), ports=on.ports, **limits)
    command = [sys.executable, "-P", "-m", "hostile.flood", flood.to_json()]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        first = process.stdout.readline().strip()
        if first != "linked":
            raise RuntimeError(f"the hostile peers found no link: {first}")
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def leave_processor_to_others(pid: int) -> None:
    """A hostile peer is another machine: what its process takes of this one would be counted as
    harm that it does, and alone makes an honest p99 1.3 to 1.5 times as long."""
    os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0))


def report_of(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a flood did, when it has ended."""
    assert process.stdout
    found: dict[str, Any] = json.loads(process.stdout.readline())
    return found


def timed_messages(on: Scene, seconds: float, name: str) -> list[Timed]:
    """From the honest sender's command to the event at the victim's front end."""
    messages: list[Timed] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        text = f"{name} {len(messages)}"
        start = time.monotonic()
        on.at_honest.send_message(1, text)
        wait_for(on.at_victim, text)
        messages.append(Timed(text, start, time.monotonic()))
        time.sleep(GAP_S)
    return messages


def p99_s(messages: list[Timed]) -> float:
    """Of their times."""
    return percentile([each.seconds for each in messages], 0.99)


def wait_for(reader: Client, text: str) -> None:
    """Until that text is there. Raises TimeoutError."""
    end = time.monotonic() + WITHIN_S
    while time.monotonic() < end:
        event = reader.next_event(1.0)
        rows = []
        if isinstance(event, Changed) and isinstance(event.event, MessagesAdded):
            rows = event.event.rows
        if any(row.text == text for row in rows):
            return
    raise TimeoutError(f"{text} did not arrive in {WITHIN_S:.0f} s")


def verdict(holds: bool) -> str:
    """For the end of a line."""
    return "holds" if holds else "DOES NOT HOLD"


def at_one_megabit(on: Scene) -> str:
    """CPU and memory at 1 Mbit/s."""
    time.sleep(1)
    cpu, memory, begin = cpu_s(on.pid), memory_mib(on.pid), time.monotonic()
    limits = {"bytes_per_second": MEGABIT_BYTES_S, "seconds": SECONDS}
    with flooding(on, 1, datagrams=10**9, **limits) as process:
        report = report_of(process)
        core = (cpu_s(on.pid) - cpu) / (time.monotonic() - begin)
    grown = memory_mib(on.pid) - memory
    mean = report["size_bytes"] / max(1, report["datagrams"])
    holds = core <= MAX_CORE and grown <= MAX_GROWTH_MIB
    return (
        f"1 Mbit/s, {report['datagrams']} datagrams of {mean:.0f} B on average: "
        f"{core:.0%} of a core, RSS {grown:+.1f} MiB; {verdict(holds)}"
    )


@dataclass(frozen=True)
class Beside:
    """An honest peer's messages, without and with a flood at its side."""

    quiet: list[Timed]
    loud: list[Timed]
    rate: float
    """Hostile datagrams a second."""
    core: float
    """What the flood's own process takes of one."""

    @property
    def ratio(self) -> float:
        """Of the p99."""
        return p99_s(self.loud) / p99_s(self.quiet)

    def __str__(self) -> str:
        return (
            f"{self.rate:.0f} datagrams/s: honest p99 {p99_s(self.loud) * 1e3:.1f} ms, "
            f"quiet {p99_s(self.quiet) * 1e3:.1f} ms, "
            f"ratio {self.ratio:.2f}; {verdict(self.ratio <= MAX_RATIO)}"
        )


def beside_flood(on: Scene) -> Beside:
    """Latency of an honest message at 5,000 hostile datagrams a second."""
    quiet = timed_messages(on, SECONDS, "quiet")
    limits: dict[str, float] = {"per_second": MANY_A_SECOND, "seconds": SECONDS + WITHIN_S / 10}
    if LASTING:
        limits["violations"] = 0.0
    with flooding(on, 2, datagrams=10**9, **limits) as process:
        leave_processor_to_others(process.pid)
        before_s, begin_s = cpu_s(process.pid), time.monotonic()
        loud = timed_messages(on, SECONDS, "loud")
        core = (cpu_s(process.pid) - before_s) / (time.monotonic() - begin_s)
        report = report_of(process)
    return Beside(quiet, loud, report["datagrams"] / max(report["seconds"], 0.001), core)


def beside_an_honest_peer(on: Scene) -> str:
    """The same in one line."""
    return str(beside_flood(on))


def beside_burner(on: Scene, share: float) -> list[Timed]:
    """Beside a process that takes that part of a core, in pieces like the flood's."""
    program = BURNER.format(pause=BURN_PAUSE_S, share=min(share, 0.95))
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        try:
            return timed_messages(on, SECONDS, "burner")
        finally:
            process.kill()


def honest_round(root: Path) -> Iterator[str | Beside]:
    """One round on new engines: lines, and what they are made from."""
    with scene(root, recorded=STAGES) as on:
        found = beside_flood(on)
        yield found
        yield str(found)
        if CONTROL:
            alone = p99_s(beside_burner(on, found.core))
            yield (
                f"  the flood's process takes {found.core:.0%} of a core; beside one that only "
                f"takes it: p99 {alone * 1e3:.1f} ms, {alone / p99_s(found.quiet):.2f} times quiet"
            )
    if STAGES:
        receiver, sender = (Notes(root / f"{name}.notes") for name in "ab")
        for name, messages in (("quiet", found.quiet), ("loud", found.loud)):
            yield from message_path.report(name, messages, sender, on.honest.port, receiver)


def at_full_speed(root: Path, seed: int, datagrams: int) -> dict[str, Any]:
    """One round: as fast as the hostile process can, an honest peer meanwhile."""
    with scene(root) as on:
        links = link_count(on)
        with flooding(on, seed, datagrams=datagrams) as process:
            times: list[Timed] = []
            while process.poll() is None:
                times += timed_messages(on, 1.0, f"full {len(times)}")
            report = report_of(process)
        alive = on.victim.process is not None and on.victim.process.poll() is None
        return {
            "seed": seed,
            "datagrams": report["datagrams"],
            "per_second": report["datagrams"] / max(report["seconds"], 0.001),
            "alive": alive,
            "link_stays": link_count(on) == links,
            "p99_s": p99_s(times),
            "messages": len(times),
            "memory_mib": memory_mib(on.pid),
        }


def link_count(on: Scene) -> int:
    """How many links there were with the honest peer; 0 while there is none."""
    peer = on.at_honest.view.peers[0]
    return peer.link.links if peer.link.state == LinkState.UP else 0


def one_part(root: Path) -> Iterator[str]:
    """Rounds of PART, and for the honest peer the median of the ratios."""
    ratios: list[float] = []
    for number in range(ROUNDS):
        folder = root / f"round {number}"
        if PART == "megabit":
            with scene(folder) as on:
                yield at_one_megabit(on)
            continue
        for found in honest_round(folder):
            if isinstance(found, Beside):
                ratios.append(found.ratio)
            else:
                yield found
    if ratios:
        every = ", ".join(f"{each:.2f}" for each in ratios)
        yield f"ratios {every}; median {median(ratios):.2f}; {verdict(median(ratios) <= MAX_RATIO)}"


def run(root: Path) -> Iterator[str]:
    """Peers with right keys and wrong words: CPU, memory, an honest peer beside them."""
    if PART:
        yield from one_part(root)
        return
    kept = Path(KEEP) if KEEP else root
    kept.mkdir(parents=True, exist_ok=True)
    state_path = kept / "hostile.json"
    state: dict[str, Any] = {"lines": [], "rounds": []}
    if state_path.exists():
        state = json.loads(state_path.read_text())
    phases = (at_one_megabit, beside_an_honest_peer)
    for index, phase in enumerate(phases):
        if index == len(state["lines"]):
            with scene(root / f"phase {index}") as on:
                state["lines"].append(phase(on))
            state_path.write_text(json.dumps(state))
        yield state["lines"][index]
    rounds: list[dict[str, Any]] = state["rounds"]
    while (done := sum(each["datagrams"] for each in rounds)) < DATAGRAMS:
        seed = 100 + len(rounds)
        more = min(ROUND_DATAGRAMS, DATAGRAMS - done)
        rounds.append(at_full_speed(root / f"round {seed}", seed, more))
        state_path.write_text(json.dumps(state))
    worst_s = max(each["p99_s"] for each in rounds)
    holds = all(each["alive"] and each["link_stays"] for each in rounds) and worst_s <= MAX_P99_S
    rate = sum(each["per_second"] for each in rounds) / len(rounds)
    yield (
        f"full speed, {done} datagrams at {rate:.0f}/s: alive, link stays, all "
        f"{sum(each['messages'] for each in rounds)} honest messages delivered, "
        f"worst p99 {worst_s * 1e3:.0f} ms; {verdict(holds)}"
    )
