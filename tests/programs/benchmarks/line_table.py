"""What `benchmarks.line` measures and how it is printed: its rows, cells and controls."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

from benchmarks.measure import percentile

DELAY_MS = 25
LATE_MS = 2.0
"""A control whose p99 is later than that after the line's delay: the machine was busy, and the
tightest limit, 27 ms at p99, cannot be judged."""
INTERVAL_S = 0.05
AT_ONCE_INTERVAL_S = 1.0
INTERVAL_NOISE_S = 0.005
"""So that nothing keeps step with a timer."""
CONTROL = "udp"
NAMES = {
    "ours": "ChatNet",
    "link": "its link",
    "kcp": "KCP",
    "quic": "QUIC",
    "tcp": "TCP",
    CONTROL: "bare UDP",
}
MEASURED = tuple(name for name in NAMES if name != CONTROL)
FIRST = 20
FRESH_LINKS = 50


class Row(NamedTuple):
    """One line, and how messages are sent over it."""

    loss: int
    """Per cent."""
    burst: str = ""
    """Mean length of the bursts in which losses come: "20ms", "4" packets, "" one by one."""
    at_once: int = 1
    links: int = 1
    """Above one: the first `FIRST` messages of each, from when it is open."""
    names: tuple[str, ...] = MEASURED

    def impair(self, seed: int) -> str:
        """The same line for `--impair`."""
        burst = f",burst={self.burst}" if self.burst else ""
        return f"loss={self.loss}%,delay={DELAY_MS}ms{burst},seed={seed}"

    def messages(self, asked: int) -> int:
        """Messages on each link."""
        return FIRST if self.links > 1 else asked


ROWS = {
    **{f"{loss} %": Row(loss) for loss in (0, 5, 10, 20, 30)},
    "10 %, bursts of 20 ms": Row(10, burst="20ms"),
    "10 %, bursts of 4 packets": Row(10, burst="4", names=("ours", "link")),
    "20 %, 20 at once each second": Row(20, at_once=20),
    f"20 %, first {FIRST} of {FRESH_LINKS} links": Row(20, links=FRESH_LINKS, names=("link",)),
}


class Figures(NamedTuple):
    """Of one transport on one line."""

    ms: list[float]
    wire_bytes: tuple[int, int] | None = None
    """There and back, IP headers included, without the first handshake; None: not known."""
    line_late_ms: float = 0.0
    """How late the line was at worst."""


class Pair(NamedTuple):
    """Two runs at the same time."""

    measured: Figures
    control: Figures


def rows_asked(asked: str) -> list[str]:
    """The names of rows, `0 %/20 %`; "" for all. Raises ValueError for one that there is not."""
    names = asked.split("/") if asked else list(ROWS)
    if unknown := [name for name in names if name not in ROWS]:
        raise ValueError(f"no row named {', '.join(unknown)}; there are: {'/'.join(ROWS)}")
    return names


def interval_s(at_once: int) -> float:
    """Between two moments at which messages are sent."""
    return INTERVAL_S if at_once == 1 else AT_ONCE_INTERVAL_S


def due_times(count: int, at_once: int, start_s: float) -> Iterator[float]:
    """When each message is sent."""
    random = Random(1)
    for number in range(count):
        if number % at_once == 0:
            noise_s = random.uniform(0.0, INTERVAL_NOISE_S)
            due_s = start_s + number // at_once * interval_s(at_once) + noise_s
        yield due_s


def late_ms(control: Figures) -> float:
    """By how much the control was later than the line alone is, at p99."""
    return percentile(control.ms, 0.99) - DELAY_MS if control.ms else float("inf")


def cell(pairs: Sequence[Pair], sent: int) -> str:
    """p50 / p95 / p99 in ms, p99 in those of the control beside it, bytes a message, and what
    spoils these figures; of several seeds the medians, and the worst that spoils them."""
    measured = [pair.measured for pair in pairs]
    if not all(each.ms for each in measured):
        return "nothing arrived"
    parts = [_shares(measured)]
    if all(pair.control.ms for pair in pairs):
        ratio = median(_p99(pair.measured) / _p99(pair.control) for pair in pairs)
        parts.append(f"{ratio:.2f} ×")
    wire_bytes = [each.wire_bytes for each in measured if each.wire_bytes is not None]
    if len(wire_bytes) == len(pairs):
        there, back = (median(way) / sent for way in zip(*wire_bytes, strict=True))
        parts.append(f"{there:.0f} + {back:.0f} B")
    fewest = min(len(each.ms) for each in measured)
    if fewest < sent:
        parts.append(f"{sent - fewest} of {sent} missing")
    late_ms = max(each.line_late_ms for each in measured)
    if late_ms > LATE_MS:
        parts.append(f"line late by {late_ms:.0f} ms once")
    return "; ".join(parts)


def control_cells(seeds: Sequence[dict[str, Pair]]) -> tuple[str, str]:
    """The controls of a row, all together, and beside which transports they were late."""
    late: dict[str, float] = {}
    for pairs in seeds:
        for name, pair in pairs.items():
            if (by_ms := late_ms(pair.control)) > LATE_MS:
                late[NAMES[name]] = max(by_ms, late.get(NAMES[name], 0.0))
    controls = (pair.control.ms for pairs in seeds for pair in pairs.values())
    everything = Figures([ms for control in controls for ms in control])
    beside = ", ".join(f"{by_ms:.1f} ms beside {name}" for name, by_ms in late.items())
    return _shares([everything]) if everything.ms else "nothing arrived", beside or "no"


def head(names: Iterable[str]) -> list[str]:
    """Of the table."""
    titles = ["loss", *(NAMES[name] for name in names), f"{NAMES[CONTROL]} (control)", "late"]
    return [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]


def line_of(name: str, seeds: Sequence[dict[str, Pair]], columns: Iterable[str], asked: int) -> str:
    """A row of the table; transports that it does not measure have a dash."""
    row = ROWS[name]
    sent = row.messages(asked) * row.links
    cells = [
        cell([pairs[each] for pairs in seeds], sent) if each in seeds[0] else "–"
        for each in columns
    ]
    return f"| {' | '.join([name, *cells, *control_cells(seeds)])} |"


def keep(path: Path, pair: Pair) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(pair))
    part.replace(path)


def kept(path: Path) -> Pair:
    """What `keep` wrote."""
    return Pair(*(Figures(ms, bytes_, late) for ms, bytes_, late in json.loads(path.read_text())))


def _p99(figures: Figures) -> float:
    return percentile(figures.ms, 0.99)


def _shares(seeds: Sequence[Figures]) -> str:
    shares = (median(percentile(each.ms, part) for each in seeds) for part in (0.5, 0.95, 0.99))
    return " / ".join(f"{share:.1f}" for share in shares)
