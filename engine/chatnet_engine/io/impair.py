"""An artificial bad network in front of the UDP socket, for tests, demonstrations and the curious.

Outgoing datagrams only: each engine impairs its own direction. Decisions depend on the seed and
on how many datagrams went before, never on time, so that a run can be repeated; only bursts of so
many milliseconds come at times that the seed gives, counted from the first datagram. Pure.
"""

import heapq
import math
import random
import re
from dataclasses import dataclass

from chatnet_engine.addresses import Addr
from chatnet_engine.io.bursts import LossModel, PacketBursts, TimeBursts
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.limits import MIB

MAX_HELD_BYTES = 64 * MIB
"""Delayed datagrams in memory; beyond that the line drops, as a full router would."""
MAX_DELAY_S = 60.0
REORDER_HOLD_S = (0.005, 0.030)
"""How much longer a reordered datagram is held, so that later ones overtake it."""

MAX_BURST_PACKETS = 10_000
MAX_BURST_SHARE = 0.9
"""Bursts with a larger share of loss than this are no line."""
NAMES = ("loss", "burst", "dup", "delay", "jitter", "reorder", "seed")

Datagram = tuple[bytes, Addr]
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)(%|ms|s)?")


@dataclass(frozen=True, slots=True)
class ImpairSpec:
    """How bad the line is. Probabilities from 0 to 1; `jitter_s` is added evenly from 0 up.

    With `burst_s` or `burst_packets`, at most one of them, the share `loss` is lost in bursts that
    last so long, or take so many packets, on average.
    """

    loss: float = 0.0
    dup: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    reorder: float = 0.0
    seed: int = 0
    burst_s: float = 0.0
    burst_packets: float = 0.0

    def text(self) -> str:
        """The specification again, in the form `parse_impair` reads."""
        shown = (
            ("loss", self.loss * 100, "%"),
            ("burst", self.burst_s * 1000, "ms"),
            ("burst", self.burst_packets, ""),
            ("dup", self.dup * 100, "%"),
            ("delay", self.delay_s * 1000, "ms"),
            ("jitter", self.jitter_s * 1000, "ms"),
            ("reorder", self.reorder * 100, "%"),
        )
        parts = [f"{name}={value:.10g}{unit}" for name, value, unit in shown if value]
        return ",".join([*parts, f"seed={self.seed}"])


def parse_impair(text: str, *, seed: int) -> ImpairSpec:
    """`loss=0.2,dup=5%,delay=50ms,jitter=20ms,reorder=0.1,seed=7`, any of them in any order, and
    `burst=20ms` or `burst=4` (packets) with `loss`.

    `seed` is used when the text names none. Raises CommandError(invalid) with one sentence.
    """
    values: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if name in values:
            raise _invalid(f"{name} is given twice")
        if not equals:
            raise _invalid(f"{part.strip()!r} is not of the form name=value")
        if name in ("loss", "dup", "reorder"):
            values[name] = _probability(name, value)
        elif name in ("delay", "jitter"):
            values[name] = _duration(name, value)
        elif name == "burst":
            timed = not value.replace(".", "").isdigit()
            values["burst_s" if timed else "burst_packets"] = (
                _duration(name, value) if timed else _packets(name, value)
            )
            values[name] = 0.0
        elif name == "seed":
            if not (value.isascii() and value.isdigit() and len(value) < 20):
                raise _invalid(f"seed is a whole number, not {value!r}")
            seed = int(value)
            values[name] = seed
        else:
            raise _invalid(f"{name!r} is not one of {', '.join(NAMES)}")
    if "burst" in values and not 0 < values.get("loss", 0.0) <= MAX_BURST_SHARE:
        raise _invalid(f"burst goes with a loss above 0 and up to {MAX_BURST_SHARE:.0%}")
    return ImpairSpec(
        loss=values.get("loss", 0.0),
        dup=values.get("dup", 0.0),
        delay_s=values.get("delay", 0.0),
        jitter_s=values.get("jitter", 0.0),
        reorder=values.get("reorder", 0.0),
        seed=seed,
        burst_s=values.get("burst_s", 0.0),
        burst_packets=values.get("burst_packets", 0.0),
    )


class Impairment:
    """The line itself. `admit` and `take_due` give what the socket is to send now."""

    def __init__(self, spec: ImpairSpec) -> None:
        self.spec = spec
        self.lost = 0
        self.duplicated = 0
        self.overflowed = 0
        self._random = random.Random(spec.seed)  # noqa: S311 (a repeatable line, no secret)
        self._bursts = _bursts_of(spec)
        self._held: list[tuple[float, int, Datagram]] = []
        self._held_bytes = 0
        self._count = 0

    def admit(self, datagrams: list[Datagram], now_s: float) -> list[Datagram]:
        """Datagrams entering the line; what leaves it at once, in order."""
        for datagram in datagrams:
            # Always the same number of draws, so that decision n depends on nothing but n.
            draws = [self._random.random() for _ in range(6)]
            if self._bursts.loses(now_s) if self._bursts else draws[0] < self.spec.loss:
                self.lost += 1
                continue
            self._hold(datagram, now_s + self._travel_s(draws[2], draws[3]))
            if draws[1] < self.spec.dup:
                self.duplicated += 1
                self._hold(datagram, now_s + self._travel_s(draws[4], draws[5]))
        return self.take_due(now_s)

    def take_due(self, now_s: float) -> list[Datagram]:
        """What has travelled long enough."""
        due: list[Datagram] = []
        while self._held and self._held[0][0] <= now_s:
            datagram = heapq.heappop(self._held)[2]
            self._held_bytes -= len(datagram[0])
            due.append(datagram)
        return due

    def next_timeout(self) -> float | None:
        """When `take_due` has something, in seconds of the clock it is fed."""
        return self._held[0][0] if self._held else None

    def _travel_s(self, jitter_draw: float, reorder_draw: float) -> float:
        spec = self.spec
        travel_s = spec.delay_s + jitter_draw * spec.jitter_s
        if reorder_draw < spec.reorder:
            shortest_s, longest_s = REORDER_HOLD_S
            # The draw is even below `reorder`, so it also says how long.
            travel_s += shortest_s + (longest_s - shortest_s) * reorder_draw / spec.reorder
        return travel_s

    def _hold(self, datagram: Datagram, due_s: float) -> None:
        if self._held_bytes + len(datagram[0]) > MAX_HELD_BYTES:
            self.overflowed += 1
            return
        self._count += 1
        self._held_bytes += len(datagram[0])
        heapq.heappush(self._held, (due_s, self._count, datagram))


def _bursts_of(spec: ImpairSpec) -> LossModel | None:
    generator = random.Random(spec.seed)  # noqa: S311 (a repeatable line, no secret)
    if spec.burst_s:
        return TimeBursts(spec.loss, spec.burst_s, generator)
    if spec.burst_packets:
        return PacketBursts(spec.loss, spec.burst_packets, generator)
    return None


def _packets(name: str, value: str) -> float:
    match = _NUMBER.fullmatch(value)
    if match is None or not 1 <= float(match[1]) <= MAX_BURST_PACKETS:
        raise _invalid(f"{name} is 1 to {MAX_BURST_PACKETS} packets, or a time, not {value!r}")
    return float(match[1])


def _probability(name: str, value: str) -> float:
    match = _NUMBER.fullmatch(value)
    if match is None or match[2] not in (None, "%"):
        raise _invalid(f"{name} is a share such as 0.2 or 20%, not {value!r}")
    share = float(match[1]) / (100 if match[2] else 1)
    if share > 1:
        raise _invalid(f"{name} is at most 1 or 100%, not {value!r}")
    return share


def _duration(name: str, value: str) -> float:
    match = _NUMBER.fullmatch(value)
    if match is None or match[2] not in ("ms", "s"):
        raise _invalid(f"{name} is a time such as 50ms or 0.5s, not {value!r}")
    duration_s = float(match[1]) / (1000 if match[2] == "ms" else 1)
    if duration_s > MAX_DELAY_S or not math.isfinite(duration_s):
        raise _invalid(f"{name} is at most {MAX_DELAY_S:.0f}s, not {value!r}")
    return duration_s


def _invalid(problem: str) -> CommandError:
    return CommandError(ErrorCode.INVALID, f"--impair: {problem}.")
