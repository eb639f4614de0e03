"""scripts/mutate: wrong variants of the pure packages, made by mutmut; do the tests see them?

A survivor must be of a rule, or in survivors/PACKAGE.txt with a reason, where there is that file.
Which mutants a sample holds depends on the seed and on the mutants themselves, not on their number:
code elsewhere does not change it.
"""

import argparse
import hashlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from mutation.survivors import load, reason_of
from mutation.workplace import Change, MutationBroken, Workplace

ENOUGH = {"arq": 0.9, "secure": 0.9, "ledger": 0.9, "files": 0.85, "node": 0.85}
"""Of the mutants of each package that must be killed in a run of all."""
PACKAGES = tuple(ENOUGH)
NAMED = ("arq", "secure", "ledger")
"""Packages in which every survivor has a reason."""


def main(argv: list[str]) -> int:
    """Exit code 0: every survivor is known, and of all mutants enough are killed."""
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join(PACKAGES)}")
    parser.add_argument("--sample", type=int, help="try so many mutants of each package")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--jobs", type=int, default=1, help="packages at a time (default 1)")
    parser.add_argument("--keep", type=Path, help="work in this folder and go on there later")
    parser.add_argument(
        "--again", action="store_true", help="with --keep: try survivors without a reason once more"
    )
    args = parser.parse_args(argv)
    if args.again and not args.keep:
        parser.error("--again needs the results that --keep keeps")
    unknown = set(args.packages) - set(PACKAGES)
    if unknown:
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    with ThreadPoolExecutor(args.jobs) as pool:  # the work is done by processes that they wait for
        return max(pool.map(partial(_mutate, args), args.packages or PACKAGES))


def chosen(mutants: dict[str, Change], count: int | None, seed: int) -> list[str]:
    """The mutants with the lowest hashes; all of them without a count."""

    def place(name: str) -> bytes:
        return hashlib.sha256(f"{seed} {mutants[name]} {name}".encode()).digest()

    return sorted(mutants, key=place)[:count]


def _mutate(args: argparse.Namespace, package: str) -> int:
    with tempfile.TemporaryDirectory(prefix="chatnet-mutate-") as temporary:
        folder = Path(args.keep or temporary) / package
        folder.mkdir(parents=True, exist_ok=True)
        place = Workplace(folder, package)
        try:
            place.prepare([f"tests/engine/{package}"])
            mutants = dict(place.mutants())
            names = chosen(mutants, args.sample, args.seed)
            if args.again:
                place.forget_survivors(mutants, load(package))
            tried = place.results()
            if untried := [name for name in names if name not in tried]:
                place.run(untried)
            killed = place.results()
        except MutationBroken as error:
            print(f"{package}: {error}", file=sys.stderr)
            return 2
    lived = [mutants[name] for name in names if not killed[name]]
    return report(package, lived, len(names), of=None if args.sample else ENOUGH[package])


def report(package: str, lived: list[Change], tried: int, *, of: float | None) -> int:
    """Says how many were killed, and shows each survivor without a reason; the exit code."""
    named = load(package)
    new = sorted({change for change in lived if not reason_of(change, named)})
    share = 1 - len(lived) / tried
    known = sum(change not in new for change in lived)
    lines = [f"{package:7} {tried} tried, {share:.1%} killed, {known} survivors with a reason"]
    lines += [f"\nnobody noticed:\n{change}" for change in new]
    print("\n".join(lines), flush=True)
    unnamed = bool(new) and package in NAMED
    return 1 if unnamed or (of is not None and share < of) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
