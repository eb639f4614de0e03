"""Exceptions at every statement of the handlers: `python -m injection --results FILE`.

One line a statement; interrupted, it goes on where FILE ends. 800 of the node at 0.7 s each, then
650 of the transfers at 2.5 s, then those of updates.
"""

import argparse
import pathlib
import sys
import traceback

from injection import files, scenario, updates
from injection.scenario import Point, World, inject, points

WORLDS: tuple[tuple[type[World], tuple[str, ...]], ...] = (
    (World, scenario.HANDLERS),
    (files.FilesWorld, files.HANDLERS),
    (updates.UpdatesWorld, updates.HANDLERS),
)


def wrong_at(point: Point, make: type[World]) -> list[str]:
    """What is wrong after an exception there, also when it was not contained."""
    try:
        return inject(point, make)
    except Exception:  # noqa: BLE001  (that is a finding, too)
        return [traceback.format_exc()]


def main() -> int:
    parser = argparse.ArgumentParser(prog="injection", description=__doc__)
    parser.add_argument("--results", type=pathlib.Path, required=True, help="appended to")
    args = parser.parse_args()
    done = args.results.read_text().splitlines() if args.results.exists() else []
    seen = {line.split(" ", 1)[0] for line in done}
    failed = sum(" wrong " in line for line in done)
    with args.results.open("a") as results:
        every = [(world, one) for world, names in WORLDS for one in points(world, names)]
        for make, point in every:
            name = f"{point[0]}:{point[1]}"
            if name in seen:
                continue
            problems = wrong_at(point, make)
            verdict = "wrong " + " | ".join(problems).replace("\n", " ") if problems else "held"
            print(f"{name} {verdict}", file=results, flush=True)
            if problems:
                failed += 1
                print(name, *problems, sep="\n  ")
    print(f"{failed} statements at which an exception is not contained")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
