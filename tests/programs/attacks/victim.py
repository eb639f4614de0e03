"""An engine under attack: its memory, a well-behaved client beside the attackers, the verbs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from chatnet_protocol import codec
from chatnet_protocol.ipc.commands import FetchStatus
from chatnet_protocol.ipc.envelope import Request, decode_reply
from realworld.engines import RealEngine, free_port

MIB = 1024 * 1024
MAX_GROWTH_BYTES = 128 * MIB
MAX_P99_S = 0.1
REPEAT_S = 1.0
STOP_S = 10.0
ASK_EVERY_S = 0.02
GIVE_UP_S = 10.0
QUIET_S = 1.0
PAGE_BYTES = 4096


@dataclass(slots=True)
class Report:
    """What one attack came to."""

    name: str
    quiet_bytes: int = 0
    peak_bytes: int = 0
    quiet_waits_s: list[float] = field(default_factory=list)
    """Of the well-behaved client's questions before the attack."""
    waits_s: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def p99_s(self) -> float:
        """Of the well-behaved client's questions."""
        return _p99(self.waits_s)

    def line(self) -> str:
        """For people."""
        growth = (self.peak_bytes - self.quiet_bytes) / MIB
        asked = len(self.waits_s)
        return (
            f"{self.name}: memory + {growth:.0f} MiB, {asked} questions, p99 "
            f"{self.p99_s * 1000:.0f} ms (quiet {_p99(self.quiet_waits_s) * 1000:.0f}), "
            f"{'; '.join(self.problems) or 'fine'}"
        )


def _p99(waits_s: list[float]) -> float:
    ordered = sorted(waits_s) or [0.0]
    return ordered[int(len(ordered) * 0.99)]


class Victim:
    """One engine with a peer that never answers, so that texts can be queued."""

    def __init__(self, root: Path, name: str) -> None:
        self.engine = RealEngine(root, name, "--bind", "127.0.0.1")
        self.engine.start("127.0.0.1", str(free_port()))

    @property
    def is_alive(self) -> bool:
        """Whether its process runs."""
        return self.engine.process is not None and self.engine.process.poll() is None

    def resident_bytes(self) -> int:
        """0 when it is gone."""
        assert self.engine.process
        try:
            statm = Path(f"/proc/{self.engine.process.pid}/statm").read_bytes()
        except OSError:
            return 0
        return int(statm.split()[1]) * PAGE_BYTES

    def attack(self, kind: str) -> "subprocess.Popen[bytes]":
        """A process that attacks until it is killed."""
        command = [sys.executable, "-P", "-m", "attacks.attackers", kind]
        env = self.engine.env | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return subprocess.Popen([*command, self.engine.connection_path], env=env)

    def watch(self, report: Report, seconds: float) -> None:
        """Ask as a well-behaved client does, and note how long the answers and how much memory."""
        with GoodClient(self.engine.connection.commands) as client:
            until = time.monotonic() + seconds
            while time.monotonic() < until and self.is_alive:
                report.waits_s.append(client.ask())
                report.peak_bytes = max(report.peak_bytes, self.resident_bytes())
                time.sleep(ASK_EVERY_S)
        if not self.is_alive:
            report.problems.append("the engine ended")

    def check_verbs(self, report: Report) -> None:
        """`status` and `send` work at this moment."""
        for words in (("status", "--json"), ("send", "still here")):
            done = self.engine.cli(*words)
            if done.returncode:
                report.problems.append(f"{words[0]}: {done.stderr.strip()[:200]}")

    def stop(self, report: Report) -> None:
        """`chatnet stop`, also in the middle of an attack."""
        if not self.is_alive:
            return
        done = self.engine.cli("stop")
        if done.returncode:
            report.problems.append(f"stop: {done.stderr.strip()[:200]}")
        assert self.engine.process
        try:
            self.engine.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            report.problems.append("stop: it did not end")
        code = self.engine.stop()
        if code:
            report.problems.append(f"the engine ended with {code}")

    def judge(self, report: Report, max_p99_s: float) -> None:
        """What is wrong with the figures."""
        if report.peak_bytes > report.quiet_bytes + MAX_GROWTH_BYTES:
            report.problems.append("too much memory")
        if report.p99_s > max_p99_s:
            report.problems.append("too slow for a well-behaved client")


class GoodClient:
    """One question at a time, repeated when no answer comes."""

    def __init__(self, endpoint: str) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._dealer = self._context.socket(zmq.DEALER)
        self._dealer.linger = 0
        self._dealer.connect(endpoint)
        self._asked = 0

    def __enter__(self) -> "GoodClient":
        return self

    def __exit__(self, *error: object) -> None:
        self._dealer.close(linger=0)
        self._context.term()

    def ask(self, give_up_s: float = GIVE_UP_S) -> float:
        """Seconds until the answer was here, or `give_up_s`."""
        self._asked += 1
        began = time.monotonic()
        while time.monotonic() < began + give_up_s:
            self._dealer.send(codec.pack(Request(self._asked, FetchStatus())), zmq.NOBLOCK)
            while self._dealer.poll(round(REPEAT_S * 1000)):
                if decode_reply(self._dealer.recv()).id == self._asked:
                    return time.monotonic() - began
        return give_up_s


@contextmanager
def victim(root: Path, name: str, report: Report) -> Iterator[Victim]:
    """An engine at rest, its quiet size noted; killed at the end if it still runs."""
    found = Victim(root, name)
    try:
        found.check_verbs(report)
        found.watch(report, QUIET_S)
        report.quiet_waits_s, report.waits_s = report.waits_s, []
        report.quiet_bytes = report.peak_bytes = found.resident_bytes()
        yield found
    finally:
        if found.is_alive:
            found.engine.kill()
