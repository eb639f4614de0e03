"""scripts/sim: whole engines in a simulated world, seed after seed, judged by the checker."""

import argparse
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

from simulate.faults import COUNTED
from simulate.run import Outcome, run_seed

CHUNK = 8
ALL_FAULTS_FROM = 200
"""Runs of at least so many seeds have to meet every kind of fault."""


def main(argv: list[str]) -> int:
    """Exit code 0 when every promise held in every run."""
    parser = argparse.ArgumentParser(prog="scripts/sim", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seeds", type=int, help="so many seeds, from --first on")
    what.add_argument("--seed", type=int, help="this one")
    what.add_argument("--minutes", type=float, help="as many seeds as fit")
    what.add_argument(
        "--mutants", action="store_true", help="wrong variants: each has to be caught"
    )
    what.add_argument("--crash-points", action="store_true", help="die everywhere, in turn")
    parser.add_argument("--first", type=int, default=0, help="first seed (default 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trace", action="store_true", help="with --seed: say what happens when")
    args = parser.parse_args(argv)
    if args.mutants:
        from simulate.mutants import main as try_mutants

        return try_mutants(args.jobs)
    if args.crash_points:
        from simulate.crash_points import main as die_everywhere

        return die_everywhere(args.jobs)
    if args.seed is not None:
        return _one(args.seed, args.trace)
    return _many(args.first, args.seeds, args.minutes, args.jobs)


def _one(seed: int, trace: bool) -> int:
    outcome = run_seed(seed, print if trace else None)
    _print_problems(outcome)
    print(f"seed {seed}: {outcome.committed} messages in {outcome.simulated_s:.1f} simulated s")
    print(", ".join(f"{name} {count}" for name, count in sorted(outcome.counts.items())))
    return 1 if outcome.problems else 0


def _many(first: int, seeds: int | None, minutes: float | None, jobs: int) -> int:
    began, cpu = time.monotonic(), time.process_time()
    until = began + minutes * 60 if minutes is not None else float("inf")
    numbers = itertools.count(first) if seeds is None else range(first, first + seeds)
    counts: Counter[str] = Counter()
    done = committed = 0
    simulated = 0.0
    failed: list[int] = []
    for outcome in _outcomes(numbers, jobs, until):
        done += 1
        counts += outcome.counts
        committed += outcome.committed
        simulated += outcome.simulated_s
        if outcome.problems:
            failed.append(outcome.seed)
            _print_problems(outcome)
    took = time.monotonic() - began
    cpu = time.process_time() - cpu + _children_cpu_s()
    print(f"seeds {first} to {first + done - 1}: {len(failed)} failed {failed[:20] or ''}")
    print(
        f"{committed} messages committed, {committed / max(1, done):.0f} a seed, "
        f"{committed / max(cpu, 0.001):.0f} a CPU-second; {simulated / 3600:.1f} simulated hours "
        f"in {took:.0f} s"
    )
    print(", ".join(f"{name} {counts[name]}" for name in COUNTED))
    missing = [name for name in COUNTED if not counts[name]]
    if missing and done >= ALL_FAULTS_FROM:
        print(f"never happened: {', '.join(missing)}", file=sys.stderr)
        return 1
    return 1 if failed else 0


def _outcomes(numbers: Iterable[int], jobs: int, until: float) -> Iterator[Outcome]:
    def wanted() -> Iterator[int]:
        return itertools.takewhile(lambda _: time.monotonic() < until, numbers)

    if jobs == 1:
        yield from map(run_seed, wanted())
        return
    with ProcessPoolExecutor(jobs) as pool:
        batches = iter(lambda: list(itertools.islice(seeds, CHUNK * jobs * 4)), [])
        seeds = iter(wanted())
        for batch in batches:
            yield from pool.map(run_seed, batch, chunksize=CHUNK)


def _children_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _print_problems(outcome: Outcome) -> None:
    for problem in outcome.problems[:8]:
        print(f"seed {outcome.seed}: {problem}")
    if outcome.problems:
        print(f"replay it with: scripts/sim --seed {outcome.seed} --trace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
