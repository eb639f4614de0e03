"""What the secure link costs, and what a flood of forged datagrams does to a conversation."""

import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from operator import methodcaller
from pathlib import Path
from random import Random
from typing import TypeVar

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from benchmarks.latency import _one
from benchmarks.measure import cpu_s, memory_mib, percentile
from chatnet_engine.secure.admission import mac1, mac1_key
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.events import Authenticated
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.wire import datagrams
from realworld.engines import two_engines

R = TypeVar("R")

DATAGRAM_BYTES = 1200
PAYLOAD = bytes(DATAGRAM_BYTES - 32)
PACKETS = 2000
ROUNDS = 15
HANDSHAKES = 300
FORGED = 20_000
FLOOD_RATE_S = 10_000
TEXTS = 50
BLOCKS = 40
"""Short ones in turn: whatever else the machine does meets all three kinds alike."""
SOURCES = 32
A, B = ("10.0.0.1", 1), ("10.0.0.2", 2)


def run(root: Path) -> Iterator[str]:
    """Sealing beside the raw primitive, handshakes, forged datagrams, latency under a flood."""
    yield from _sealing()
    yield _handshakes()
    yield from _forged()
    yield from _flooded(root)


class _Two:
    """Two endpoints on a perfect line without time; `cpu` is what each has used."""

    def __init__(self) -> None:
        rng = Random(1)
        self.now = 1000.0
        self.cpu = {A: 0.0, B: 0.0}
        self.ends = {
            addr: Endpoint(
                identity=Identity.from_private_bytes(rng.randbytes(32)),
                incarnation=addr[1],
                local_port=addr[1],
                random=rng.randbytes,
                now=self.now,
            )
            for addr in (A, B)
        }

    def shake_hands(self) -> None:
        """A new link, from INIT to CONFIRM."""
        self.now += 1.0
        self._spend(A, lambda end: end.hang_up(1))
        self._spend(B, lambda end: end.hang_up(1))
        self._spend(A, lambda end: end.dial(1, [B], self.now, remote_key=None))
        moving = True
        while moving:
            moving = False
            for addr in (A, B):
                out = self._spend(addr, Endpoint.take_datagrams)
                for data, target in out:
                    moving = True
                    self._spend(target, methodcaller("handle_datagram", data, addr, self.now))
                    for event in self._spend(target, Endpoint.take_events):
                        if isinstance(event, Authenticated):
                            self._spend(target, methodcaller("accept", event.attempt, 1, self.now))
        for addr in (A, B):
            self.ends[addr].take_events()

    def _spend(self, addr: tuple[str, int], work: Callable[[Endpoint], R]) -> R:
        start = time.process_time()
        result = work(self.ends[addr])
        self.cpu[addr] += time.process_time() - start
        return result


def _sealing() -> Iterator[str]:
    two = _Two()
    two.shake_hands()
    a, b = two.ends[A], two.ends[B]
    cipher, nonce, header = ChaCha20Poly1305(bytes(32)), bytes(12), bytes(16)
    raw, ours = [], []
    number = 0
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(PACKETS):
            cipher.decrypt(nonce, cipher.encrypt(nonce, PAYLOAD, header), header)
        raw.append(time.process_time() - start)
        start = time.process_time()
        for first in range(number + 1, number + PACKETS + 1, 50):
            packets = [(n, PAYLOAD) for n in range(first, first + 50)]
            sealed = a.seal_many(1, packets, two.now)
            assert sealed
            assert len(sealed[0]) == 50
            for data in sealed[0]:
                b.handle_datagram(data, A, two.now)
            assert len(b.take_events()) == 50
        ours.append(time.process_time() - start)
        number += PACKETS
    fastest, fast = (min(values) / PACKETS * 1e6 for values in (raw, ours))
    yield f"{'raw ChaCha20-Poly1305, seal + open':42} {fastest:6.2f} us per packet of 1,200 B"
    yield f"{'endpoint, seal + open':42} {fast:6.2f} us"
    yield f"{'ratio (of the fastest rounds; wanted: <= 2)':42} {fast / fastest:6.2f}"


def _handshakes() -> str:
    two = _Two()
    for _ in range(20):
        two.shake_hands()
    two.cpu = {A: 0.0, B: 0.0}
    for _ in range(HANDSHAKES):
        two.shake_hands()
    assert two.ends[B].counters.handshakes_responded == HANDSHAKES + 20
    each = [two.cpu[addr] / HANDSHAKES * 1e3 for addr in (A, B)]
    return f"{'handshake, CPU of initiator / responder':42} {each[0]:.3f} / {each[1]:.3f} ms (< 1)"


def _forged() -> Iterator[str]:
    two = _Two()
    two.shake_hands()
    b = two.ends[B]
    key = Identity.from_private_bytes(bytes(31) + b"\1").public
    for name, batch in (
        ("INIT", [_init(Random(n), key) for n in range(FORGED)]),
        ("random datagram", [Random(n).randbytes(DATAGRAM_BYTES) for n in range(FORGED)]),
    ):
        start = time.process_time()
        for index, data in enumerate(batch):
            source = (f"10.8.{index % 250}.{index // 250}", 9)
            b.handle_datagram(data, source, two.now + index / FLOOD_RATE_S)
            if index % 64 == 0:
                b.take_datagrams()
        spent = (time.process_time() - start) / FORGED * 1e6
        two.now += FORGED / FLOOD_RATE_S
        yield f"{'forged ' + name + ', endpoint':42} {spent:6.2f} us of CPU (< 30)"


def _init(rng: Random, key: bytes) -> bytes:
    covered = datagrams.init_covered(rng.getrandbits(32), 0, rng.randbytes(32))
    return datagrams.encode_init(covered, mac1(mac1_key(key), covered))


def _flooded(root: Path) -> Iterator[str]:
    """Blocks of texts in turn: without a flood, with one at a port of nobody, with one at B's."""
    with (
        two_engines(root) as (a, b),
        a.attach("sender") as sender,
        b.attach("reader") as reader,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody,
    ):
        nobody.bind(("127.0.0.1", 0))
        assert b.process
        pid = b.process.pid
        for number in range(50):
            _one(sender, reader, f"warm {number}")
        before = memory_mib(pid)
        ports = {"quiet": 0, "flood elsewhere": nobody.getsockname()[1], "flood": b.port}
        times: dict[str, list[float]] = {name: [] for name in ports}
        cpu, sent = dict.fromkeys(ports, 0.0), dict.fromkeys(ports, 0)
        for block in range(BLOCKS):
            for name, port in ports.items():
                used = cpu_s(pid)
                process = _start_flood(port) if port else None
                times[name] += [
                    _one(sender, reader, f"{name} {block} {number}") for number in range(TEXTS)
                ]
                sent[name] += _stop_flood(process) if process else 0
                cpu[name] += cpu_s(pid) - used
        after = memory_mib(pid)
        assert len(reader.view.peers) == 1, "nobody was let in"
        status = b.cli("status", "--json").stdout
    for name, values in times.items():
        p50, p99 = percentile(values, 0.5) * 1e3, percentile(values, 0.99) * 1e3
        yield f"{'message, ' + name:42} p50 {p50:7.3f} ms   p99 {p99:7.3f} ms"
    quiet, elsewhere, flooded = (percentile(values, 0.99) * 1e3 for values in times.values())
    yield f"{'p99 under flood - p99 quiet (<= 2)':42} {flooded - quiet:6.2f} ms"
    yield f"{'the same, of a flood elsewhere':42} {elsewhere - quiet:6.2f} ms"
    each = (cpu["flood"] - cpu["quiet"]) / sent["flood"] * 1e6
    yield f"{'CPU of the engine per forged one (< 30)':42} {each:6.2f} us, {sent['flood']:,} sent"
    yield f"{'memory of the engine before / after':42} {before:.1f} / {after:.1f} MiB"
    yield f"counters: {_facts(status)}"


def _facts(status: str) -> str:
    wanted = ("half_open", "cookies", "dropped_un", "stranger", "socket_")
    words = status.replace("{", ",").replace("}", ",").split(",")
    return ", ".join(
        word.strip() for word in words if any(name in word for name in wanted)
    ).replace('"', "")


def _start_flood(port: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-P", __file__, str(port), str(FLOOD_RATE_S)]
    process = subprocess.Popen(
        command,
        env={"PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "started\n"
    return process


def _stop_flood(process: "subprocess.Popen[str]") -> int:
    count, _ = process.communicate("stop\n", timeout=30)
    return int(count)


def flood(port: int, rate_s: int) -> int:
    """Forged INITs (three of four) and noise from many addresses, until something is on stdin."""
    rng = Random(port)
    keys = (b"\1" * 32, None, b"\2" * 32)
    batch = [_init(rng, keys[n % 3] or bytes(32)) for n in range(1500)]
    batch += [rng.randbytes(rng.choice((16, 40, 200, 1200))) for _ in range(500)]
    rng.shuffle(batch)
    senders = []
    for number in range(SOURCES):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((f"127.0.1.{number + 1}", 0))
        sender.setblocking(False)
        senders.append(sender)
    print("started", flush=True)
    sent = 0
    start = time.monotonic()
    while not select.select([sys.stdin], [], [], 0.001)[0]:
        due = int((time.monotonic() - start) * rate_s)
        while sent < due:
            try:
                senders[sent % SOURCES].sendto(batch[sent % len(batch)], ("127.0.0.1", port))
            except OSError:
                pass
            sent += 1
    return sent


if __name__ == "__main__":
    print(flood(int(sys.argv[1]), int(sys.argv[2])), flush=True)
