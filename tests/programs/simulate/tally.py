"""What many seeds came to, in figures; kept in a file, so that an interrupted run goes on."""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from simulate.faults import COUNTED, COUNTED_NEW
from simulate.run import Outcome

ALL_FAULTS_FROM = 200
"""Runs of at least so many seeds have to meet every kind of fault."""


@dataclass(slots=True)
class Share:
    """The figures of plain worlds, or of the others."""

    seeds: int = 0
    committed: int = 0
    cpu_s: float = 0.0
    simulated_s: float = 0.0

    def __str__(self) -> str:
        rate = self.committed / max(self.cpu_s, 0.001)
        return (
            f"{self.seeds} seeds, {self.committed} messages, "
            f"{self.committed / max(1, self.seeds):.0f} a seed, {rate:.0f} a CPU-second; "
            f"{self.simulated_s / 3600:.1f} simulated hours"
        )


@dataclass(slots=True)
class Tally:
    """The sum over a run. `file`: one line a seed, as soon as it is done."""

    file: Path | None = None
    shares: dict[bool, Share] = field(default_factory=lambda: {True: Share(), False: Share()})
    counts: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    def load(self) -> None:
        """Go on where the file ends; a line that was cut off is done again."""
        for seen in _lines(self.file):
            self._add(seen)
        if self.file and self.file.exists() and not self.file.read_bytes().endswith(b"\n"):
            with self.file.open("a", encoding="utf-8") as file:
                file.write("\n")

    def add(self, outcome: Outcome) -> None:
        """One more seed."""
        seen = {
            "seed": outcome.seed, "plain": outcome.kind.plain, "committed": outcome.committed,
            "cpu_s": outcome.cpu_s, "simulated_s": outcome.simulated_s,
            "counts": outcome.counts, "problems": outcome.problems[:8],
        }  # fmt: skip
        if self.file is not None:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(seen) + "\n")
        self._add(seen)

    def report(self) -> int:
        """Print it; the exit code."""
        first, last = min(self.done, default=0), max(self.done, default=0)
        listed = sorted(self.failed)[:20] or ""
        print(f"seeds {first} to {last}: {len(self.done)} done, {len(self.failed)} failed {listed}")
        print(f"plain worlds: {self.shares[True]}")
        print(f"other worlds: {self.shares[False]}")
        print(", ".join(f"{name} {self.counts[name]}" for name in (*COUNTED, *COUNTED_NEW)))
        missing = [name for name in (*COUNTED, *COUNTED_NEW) if not self.counts[name]]
        if missing and len(self.done) >= ALL_FAULTS_FROM:
            print(f"never happened: {', '.join(missing)}", file=sys.stderr)
            return 1
        return 1 if self.failed else 0

    def _add(self, seen: dict) -> None:  # type: ignore[type-arg]
        if seen["seed"] in self.done:
            return
        self.done.add(seen["seed"])
        share = self.shares[seen["plain"]]
        share.seeds += 1
        share.committed += seen["committed"]
        share.cpu_s += seen["cpu_s"]
        share.simulated_s += seen["simulated_s"]
        self.counts.update(seen["counts"])
        if seen["problems"]:
            self.failed.append(seen["seed"])


def _lines(file: Path | None) -> Iterator[dict]:  # type: ignore[type-arg]
    if file is None or not file.exists():
        return
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue
