"""scripts/mutate: wrong variants of arq, secure and ledger, made by mutmut; do the tests see them?

A survivor must be in survivors/PACKAGE.txt with a reason. Which mutants a sample holds depends on
the seed and on the mutants themselves, not on their number: code elsewhere does not change it.
"""

import argparse
import hashlib
import sys
import tempfile
from pathlib import Path

from mutation.survivors import load
from mutation.workplace import Change, MutationBroken, Workplace

PACKAGES = ("arq", "secure", "ledger")
ENOUGH = 0.9
"""Of the mutants of one package that must be killed in a run of all."""


def main(argv: list[str]) -> int:
    """Exit code 0: every survivor is known, and of all mutants enough are killed."""
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join(PACKAGES)}")
    parser.add_argument("--sample", type=int, help="try so many mutants of each package")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--keep", type=Path, help="work in this folder and go on there later")
    args = parser.parse_args(argv)
    unknown = set(args.packages) - set(PACKAGES)
    if unknown:
        parser.error(f"no such package: {', '.join(sorted(unknown))}")
    worst = 0
    for package in args.packages or PACKAGES:
        with tempfile.TemporaryDirectory(prefix="chatnet-mutate-") as temporary:
            folder = Path(args.keep or temporary) / package
            folder.mkdir(parents=True, exist_ok=True)
            worst = max(worst, _mutate(Workplace(folder, package), args.sample, args.seed))
    return worst


def chosen(mutants: dict[str, Change], count: int | None, seed: int) -> list[str]:
    """The mutants with the lowest hashes; all of them without a count."""

    def place(name: str) -> bytes:
        return hashlib.sha256(f"{seed} {mutants[name]} {name}".encode()).digest()

    return sorted(mutants, key=place)[:count]


def _mutate(place: Workplace, count: int | None, seed: int) -> int:
    try:
        place.prepare([f"tests/engine/{place.package}"])
        mutants = dict(place.mutants())
        names = chosen(mutants, count, seed)
        known = place.results()
        if untried := [name for name in names if name not in known]:
            place.run(untried)
        killed = place.results()
    except MutationBroken as error:
        print(f"{place.package}: {error}", file=sys.stderr)
        return 2
    lived = sorted({mutants[name] for name in names if not killed[name]})
    reasons = load(place.package)
    new = [change for change in lived if change not in reasons]
    share = 1 - sum(not killed[name] for name in names) / len(names)
    print(
        f"{place.package:7} {len(mutants)} mutants, {len(names)} tried, {share:.1%} killed,"
        f" {len(lived) - len(new)} known survivors, {len(new)} new ones"
    )
    for change in new:
        print(f"\n{change}")
    return 1 if new or (count is None and share < ENOUGH) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
