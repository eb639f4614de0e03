"""The link's thin stream in the simulator: no clock, no noise, the same figures on any machine."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from operator import methodcaller
from pathlib import Path
from statistics import median
from typing import Any

from simworld import thin_stream
from simworld.thin_stream import Model, Result, packet_bursts, random_loss, time_bursts

SEEDS = range(1, int(os.environ.get("CHATNET_THIN_SEEDS", "20")) + 1)
COUNT = int(os.environ.get("CHATNET_THIN_MESSAGES", "1200"))
LINKS_A_SEED = 10
FIRST = 20

LINES: dict[str, Model] = {
    **{f"{share} %": random_loss(share / 100) for share in (0, 5, 10, 20, 30)},
    "bursts of 4 packets": packet_bursts(),
    "bursts of 20 ms": time_bursts(),
}
CHANGES = "changes"
EXTRA = (
    "20 at once, 20 %", "first 20, 20 %", "first 20, 20 %, known", "first 20, 0 %", CHANGES,
)  # fmt: skip
ASKED = os.environ.get("CHATNET_THIN_ROWS", "")
ROWS = [name for name in (*LINES, *EXTRA) if not ASKED or name in ASKED.split("/")]


def run(root: Path) -> Iterator[str]:
    """100 B every 50 ms, 25 ms one way; ms of the median and the worst seed."""
    yield f"{'':22} {'p50':>13} {'p95':>13} {'p99':>13}   packets   bytes: forward + back"
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for name in ROWS:
            results = pool.map(partial(_one, name), SEEDS)
            yield from _changes(list(results)) if name == CHANGES else [_row(name, list(results))]


def _row(name: str, results: list[Result]) -> str:
    def both(value: Callable[[Result], float]) -> str:
        values = [value(result) for result in results]
        return f"{median(values):6.1f} {max(values):6.1f}"

    shares = " ".join(both(methodcaller("percentile", fraction)) for fraction in (0.5, 0.95, 0.99))
    packets = median(result.packets for result in results)
    forward = median(result.forward_bytes for result in results)
    back = median(result.back_bytes for result in results)
    total = f"{forward:.0f} + {back:.0f} = {forward + back:.0f}"
    return f"{name:22} {shares}   {packets:7.2f}   {total}"


def _one(name: str, seed: int) -> Any:
    if name == CHANGES:
        return list(thin_stream.changing((0.0, 0.3, 0.0), 8.0, seed))
    if name == "20 at once, 20 %":
        return thin_stream.steady(random_loss(0.2), seed, COUNT, at_once=20, rest=False)
    if name.startswith("first"):
        return _first(random_loss(0.2 if "20 %" in name else 0.0), seed, known="known" in name)
    return thin_stream.steady(LINES[name], seed, COUNT)


def _first(model: Model, seed: int, *, known: bool) -> Result:
    first = partial(thin_stream.steady, rest=False)
    if known:
        lines = thin_stream.measured_lines(model, seed)
        first = partial(thin_stream.first_on_known_line, lines=lines)
    links = [first(model, seed=1000 * seed + link, count=FIRST) for link in range(LINKS_A_SEED)]
    return Result(
        [ms for link in links for ms in link.latency_ms],
        [at for link in links for at in link.sent_s],
        *(
            sum(getattr(link, name) for link in links) / LINKS_A_SEED
            for name in ("packets", "forward_bytes", "back_bytes")
        ),
    )


def _changes(seeds: list[list[tuple[float, Result]]]) -> Iterator[str]:
    yield "the loss changes; p95 of the median and the worst seed by time after it"
    for index, (share, _) in enumerate(seeds[0]):
        parts = []
        for start_s, end_s in ((0, 0.5), (0.5, 1), (1, 2), (2, 8), (0.5, 8)):
            values = [each[index][1].between(start_s, end_s).percentile(0.95) for each in seeds]
            parts.append(f"{start_s}-{end_s} s {median(values):5.1f} {max(values):6.1f}")
        packets = median(each[index][1].packets for each in seeds)
        yield f"{share:4.0%}: {'   '.join(parts)}   packets from 2 s on {packets:.2f}"
