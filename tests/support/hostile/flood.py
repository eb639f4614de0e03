"""Hostile peers on real sockets: `python -m hostile.flood JSON`, a process of its own.

The argument is a `Flood` as JSON. It prints `linked` once each peer has a link, floods for as long
as was asked, and prints one line of JSON: what was sent, what came back.
"""

import json
import select
import socket
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from random import Random

from hostile.grammar import Grammar, Known
from hostile.peer import HostilePeer

BURST_S = 0.002
SOCKET_BYTES = 1 << 22


@dataclass(frozen=True)
class Flood:
    """What to send, to whom, how fast, for how long."""

    seed: int
    target: tuple[str, int]
    ports: list[int]
    """One hostile peer at each, bound to 127.0.0.1."""
    datagrams: int
    """Stop after so many."""
    seconds: float = 3600.0
    """Stop after so long."""
    per_second: float = 0.0
    """Datagrams a second; 0: as fast as this process can."""
    bytes_per_second: float = 0.0
    """Instead of `per_second`; 0: no limit of bytes."""
    violations: float | None = None
    """Share of packets that break the specification, if not the grammar's own: who sends one is
    left alone for a minute, so that a flood with some ends within seconds."""

    def to_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))


@dataclass
class Report:
    """What was done."""

    datagrams: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    """Of all peers, by name."""


class Sender:
    """Peers and their sockets."""

    def __init__(self, flood: Flood) -> None:
        self._flood = flood
        now = time.monotonic()
        self._ends: list[tuple[HostilePeer, socket.socket]] = []
        for port in flood.ports:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
            sock.bind(("127.0.0.1", port))
            sock.setblocking(False)
            random = Random(f"{flood.seed} {port}")
            peer = HostilePeer(
                random,
                private_key=Random(port).randbytes(32),
                port=port,
                target=(flood.target[0], flood.target[1]),
                now=now,
                grammar=Grammar if flood.violations is None else self._grammar,
            )
            self._ends.append((peer, sock))
        self.report = Report()

    def _grammar(self, random: Random, known: Known) -> Grammar:
        return Grammar(random, known, violations=self._flood.violations or 0.0)

    def link(self, within_s: float) -> bool:
        """Handshakes alone, until each peer has a link."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            self._exchange(acts=0)
            if all(peer.linked for peer, _ in self._ends):
                return True
            select.select([sock for _, sock in self._ends], [], [], 0.05)
        return False

    def run(self) -> Report:
        """Flood."""
        flood, report = self._flood, self.report
        begin = time.monotonic()
        while report.datagrams < flood.datagrams:
            report.seconds = time.monotonic() - begin
            if report.seconds >= flood.seconds:
                break
            if self._is_ahead(report.seconds):
                time.sleep(BURST_S)
            elif not self._exchange(acts=4):  # nobody has a link
                select.select([sock for _, sock in self._ends], [], [], BURST_S)
        counts: Counter[str] = Counter()
        for peer, sock in self._ends:
            counts.update(peer.counts)
            sock.close()
        report.counts = dict(counts)
        return report

    def _is_ahead(self, seconds: float) -> bool:
        flood, report = self._flood, self.report
        if flood.bytes_per_second:
            return report.size_bytes > flood.bytes_per_second * seconds
        return bool(flood.per_second) and report.datagrams > flood.per_second * seconds

    def _exchange(self, acts: int) -> int:
        """How many datagrams left."""
        before = self.report.datagrams
        for peer, sock in self._ends:
            now = time.monotonic()
            for _ in range(64):
                try:
                    data, source = sock.recvfrom(2048)
                except BlockingIOError:
                    break
                peer.receive(data, source, now)
            for data, target in peer.send(now, acts):
                try:
                    sock.sendto(data, target)
                except BlockingIOError:
                    break
                self.report.datagrams += 1
                self.report.size_bytes += len(data)
        return self.report.datagrams - before


def main() -> int:
    """One flood."""
    sender = Sender(Flood(**json.loads(sys.argv[1])))
    print("linked" if sender.link(30.0) else "alone", flush=True)
    print(json.dumps(asdict(sender.run())), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
