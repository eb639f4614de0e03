"""scripts/sim: whole engines in a simulated world, seed after seed, judged by the checker.

--seed N --trace prints what each engine did, a line a step:

    12.3456  a  b      connectivity:connection_state_updated old=dialling new=up
    time     |  |      what: a kind of trace, as in the engine's log, and its fields; a line
             |  |      without a colon in it says what a person did or which fault began
             |  the peer that it is about: its letter, or `peer 3` while its key is not known
             whose engine; empty: the world

--packets adds a line for each packet sent, received, acknowledged, declared lost.
"""

import argparse
import itertools
import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from simulate.run import Outcome, run_seed
from simulate.tally import Tally

CHUNK = 8


def main(argv: list[str]) -> int:
    """Exit code 0 when every promise held in every run."""
    parser = argparse.ArgumentParser(
        prog="scripts/sim",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seeds", type=_range, help="FIRST-LAST, or so many from 0 on")
    what.add_argument("--seed", type=int, help="this one")
    what.add_argument("--minutes", type=float, help="as many seeds as fit")
    what.add_argument(
        "--mutants", action="store_true", help="wrong variants: each has to be caught"
    )
    what.add_argument("--crash-points", action="store_true", help="die everywhere, in turn")
    parser.add_argument("--first", type=int, default=0, help="with --minutes: first seed")
    parser.add_argument("--results", type=Path, help="kept here, and left out the next time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trace", action="store_true", help="with --seed: what each engine did")
    parser.add_argument("--packets", action="store_true", help="with --trace: packets too")
    args = parser.parse_args(argv)
    if args.mutants:
        from simulate.mutants import main as try_mutants

        return try_mutants(args.jobs, args.results)
    if args.crash_points:
        from simulate.crash_points import main as die_everywhere

        return die_everywhere(args.jobs)
    if args.seed is not None:
        return _one(args.seed, trace=args.trace or args.packets, packets=args.packets)
    return _many(args)


def _one(seed: int, *, trace: bool, packets: bool) -> int:
    outcome = run_seed(seed, print if trace else None, packets=packets)
    _print_problems(outcome)
    print(
        f"seed {seed} ({outcome.kind}): {outcome.committed} messages in "
        f"{outcome.simulated_s:.1f} simulated s"
    )
    print(", ".join(f"{name} {count}" for name, count in sorted(outcome.counts.items())))
    return 1 if outcome.problems else 0


def _many(args: argparse.Namespace) -> int:
    until = time.monotonic() + (args.minutes * 60 if args.minutes else float("inf"))
    tally = Tally(args.results)
    tally.load()
    first, last = args.seeds or (args.first, sys.maxsize)
    numbers = (seed for seed in range(first, last + 1) if seed not in tally.done)
    try:
        for outcome in _outcomes(numbers, args.jobs, until):
            tally.add(outcome)
            _print_problems(outcome)
    except KeyboardInterrupt:
        print("interrupted; the same command with --results FILE goes on", file=sys.stderr)
        tally.report()
        return 130
    return tally.report()


def _range(text: str) -> tuple[int, int]:
    """`2000` is 0-1999."""
    first, dash, last = text.partition("-")
    return (int(first), int(last)) if dash else (0, int(first) - 1)


def _outcomes(numbers: Iterable[int], jobs: int, until: float) -> Iterator[Outcome]:
    wanted = itertools.takewhile(lambda _: time.monotonic() < until, numbers)
    if jobs == 1:
        yield from map(run_seed, wanted)
        return
    with ProcessPoolExecutor(jobs) as pool:
        batches = iter(lambda: list(itertools.islice(wanted, CHUNK * jobs * 4)), [])
        for batch in batches:
            yield from pool.map(run_seed, batch, chunksize=CHUNK)


def _print_problems(outcome: Outcome) -> None:
    for problem in outcome.problems[:8]:
        print(f"seed {outcome.seed}: {problem}")
    if outcome.problems:
        print(f"replay it with: scripts/sim --seed {outcome.seed} --trace")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
