"""A line of a stated rate, delay and queue between two network namespaces. As root.

Each side has one TUN interface; a process of its own carries packets between them in order: the
queue first (its end is cut off when it is longer than allowed), then the delay; a share of the
packets is lost at random, one by one or in bursts. `rate` on its standard input changes the rate,
`recount` counts anew. Packets are handled every GRAIN_S: one by one, 100 Mbit/s of them took a
whole core. At the end it prints what entered it each way, and how late it was at worst.
"""

import collections
import contextlib
import fcntl
import itertools
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

from chatnet_engine.io.bursts import LossModel, PacketBursts, TimeBursts
from realworld.namespaces import run

SIDES = "ab"
ADDRESSES = {"a": "10.78.0.1", "b": "10.78.0.2"}
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
MAX_PACKET = 2048
QUEUE_PACKETS = "5000"
AHEAD_OF_OTHERS = 2
GRAIN_S = 0.0003
"""A packet is late by so much at most when it enters, and again when it leaves."""
_numbers = itertools.count()


class NarrowLine:
    """A running line."""

    def __init__(self, names: dict[str, str], process: "subprocess.Popen[str]") -> None:
        self._names = names
        self._process = process
        self.carried_bytes = (0, 0)
        """IP packets that entered it on side a, and on side b, lost ones too; once it has ended."""

    def within(self, side: str) -> tuple[str, ...]:
        """What runs a command on that side."""
        return ("ip", "netns", "exec", self._names[side])

    def set_rate(self, mbit: float) -> None:
        """Of both directions, from now on."""
        assert self._process.stdin
        print("rate", mbit, file=self._process.stdin, flush=True)

    def recount(self) -> None:
        """What entered it, and how late it was, counts from now on."""
        assert self._process.stdin
        print("recount", file=self._process.stdin, flush=True)

    def drop_tcp(self, side: str, *, new_only: bool = False) -> None:
        """A firewall: this side gets no TCP packet any more, without a word; `new_only`: none
        but answers to its own."""
        what = "ct state new" if new_only else ""
        rules = f"""
            table inet no_tcp {{
                chain input {{
                    type filter hook input priority 0;
                    meta l4proto tcp {what} drop
                }}
            }}
        """
        run(*self.within(side), "nft", "-f", "-", stdin=rules)

    def let_in_tcp(self, side: str) -> None:
        """Take the firewall away."""
        run(*self.within(side), "nft", "flush", "ruleset")

    def end(self) -> float:
        """No packets any more; how late one was at worst, in seconds."""
        out, _ = self._process.communicate(timeout=60)
        from_a, from_b, late_s = out.split()[-3:]
        self.carried_bytes = int(from_a), int(from_b)
        return float(late_s)


@contextlib.contextmanager
def narrow_line(
    mbit: float,
    delay_ms: float,
    queue_ms: float,
    loss: float = 0.0,
    burst: str = "",
    *,
    seed: int = 0,
) -> Iterator[NarrowLine]:
    """One way each; gone at the end. `burst`: see `losses_of`."""
    number = next(_numbers)
    names = {side: f"cn{os.getpid()}-{number}{side}" for side in SIDES}
    made: list[str] = []
    process: subprocess.Popen[str] | None = None
    try:
        for name in names.values():
            run("ip", "netns", "add", name)
            made.append(name)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "realworld.narrow_line"]
            + [str(each) for each in (mbit, delay_ms, queue_ms, loss, burst, seed)]
            + list(names.values()),
            env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        assert process.stdout.readline() == "up\n", "the line did not come up"
        yield NarrowLine(names, process)
    finally:
        if process is not None:
            process.kill()
            process.wait()
        for name in made:
            run("ip", "netns", "del", name)


def losses_of(share: float, burst: str, generator: Random) -> LossModel:
    """`share` of the packets, below 1, in bursts of a mean length: "20ms", "4" packets, "" none."""
    if burst.endswith("ms"):
        return TimeBursts(share, float(burst.removesuffix("ms")) / 1e3, generator)
    # Independent losses are runs of this mean length.
    return PacketBursts(share, float(burst or 1 / (1 - share)), generator)


class _Way:
    """One direction: in at one descriptor, out at the other."""

    def __init__(self, source: int, target: int, losses: LossModel) -> None:
        self.source = source
        self.target = target
        self.entered_bytes = 0
        self._losses = losses
        self.flying: collections.deque[tuple[float, bytes]] = collections.deque()
        self.free_s = 0.0
        """When the queue is empty."""

    def take(self, mbit: float, delay_s: float, queue_s: float) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                packet = os.read(self.source, MAX_PACKET)
                self.entered_bytes += len(packet)
                now = time.monotonic()
                if self._losses.loses(now):
                    continue
                begins_s = max(now, self.free_s)
                if begins_s - now <= queue_s:
                    self.free_s = begins_s + len(packet) * 8 / (mbit * 1e6)
                    self.flying.append((self.free_s + delay_s, packet))

    def deliver(self) -> float:
        """What is due; how late the first was."""
        now = time.monotonic()
        late_s = now - self.flying[0][0] if self.flying else 0.0
        while self.flying and self.flying[0][0] <= now:
            with contextlib.suppress(OSError):
                os.write(self.target, self.flying.popleft()[1])
        return late_s


def _carry(mbit: float, delay_s: float, queue_s: float, ways: tuple[_Way, _Way]) -> float:
    """Until standard input ends; how late a packet was at worst."""
    tuns = [way.source for way in ways]
    worst_s = 0.0
    while True:
        dues = [way.flying[0][0] for way in ways if way.flying]
        wait_s = max(0.0, min(dues) - time.monotonic()) if dues else None
        readable, _, _ = select.select([*tuns, sys.stdin], [], [], wait_s)
        if sys.stdin in readable:
            words = sys.stdin.readline().split()
            if not words:
                return worst_s
            if words[0] == "recount":
                worst_s = 0.0
                for way in ways:
                    way.entered_bytes = 0
            else:
                mbit = float(words[1])
        for way in ways:
            if way.source in readable:
                way.take(mbit, delay_s, queue_s)
            worst_s = max(worst_s, way.deliver())
        if dues:
            time.sleep(GRAIN_S)


def _tun(name: str, side: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    mine = f"cn{os.getpid()}{side}"
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", mine.encode(), IFF_TUN | IFF_NO_PI))
    run("ip", "link", "set", mine, "netns", name)
    inside = ("ip", "-n", name)
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "link", "set", mine, "name", f"w{side}", "txqueuelen", QUEUE_PACKETS)
    run(*inside, "addr", "add", f"{ADDRESSES[side]}/24", "dev", f"w{side}")
    run(*inside, "link", "set", f"w{side}", "up")
    return fd


def main(args: list[str]) -> int:
    """Started by `narrow_line` only."""
    mbit, delay_ms, queue_ms, loss = (float(arg) for arg in args[:4])
    tun_a, tun_b = (_tun(name, side) for name, side in zip(args[6:], SIDES, strict=True))
    there, back = (losses_of(loss, args[4], Random(args[5] + side)) for side in SIDES)
    ways = _Way(tun_a, tun_b, there), _Way(tun_b, tun_a, back)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(AHEAD_OF_OTHERS))
    print("up", flush=True)
    late_s = _carry(mbit, delay_ms / 1e3, queue_ms / 1e3, ways)
    print(*(way.entered_bytes for way in ways), late_s, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
