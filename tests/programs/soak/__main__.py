"""scripts/soak: real engines and front ends, killed at random moments, judged by the checker."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from random import SystemRandom

from realworld.guard import guarded
from soak.judging import judge
from soak.kills import KINDS, run_kills
from soak.rounds import LINE, Soak
from soak.stops import run_stops


def main(argv: list[str]) -> int:
    """Exit code 0 when every promise held."""
    if any(word.startswith("--returns") for word in argv):
        from soak import returns

        return returns.main(argv)
    with guarded():
        return _main(argv)


def _main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="kills, one a round (default 20)")
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(10**6))
    parser.add_argument("--stops", type=int, help="stops of one engine under a backlog instead")
    parser.add_argument("--kills", type=int, help="kills while files are sent instead")
    parser.add_argument("--files", choices=KINDS, default="many", help="of --kills: what is sent")
    parser.add_argument("--results", type=Path, help="of these two: appended to, gone on with")
    parser.add_argument("--keep", action="store_true", help="keep everything that was written")
    args = parser.parse_args(argv)
    root = Path(tempfile.mkdtemp(prefix="cns-", dir="/tmp"))
    problems: list[str] = []
    try:
        if args.kills:
            lines = run_kills(root, args.seed, args.kills, KINDS[args.files], args.results)
        elif args.stops:
            lines = run_stops(root, args.seed, args.stops, args.results)
        else:
            lines = run(root, args.seed, args.rounds, problems)
        for line in lines:
            print(line, flush=True)
            if line.startswith("BROKEN: "):
                problems.append(line.removeprefix("BROKEN: "))
    finally:
        if args.keep or problems:
            print(f"everything is in {root}")
        else:
            shutil.rmtree(root, ignore_errors=True)
    for text in problems[:50]:
        print(f"BROKEN: {text}")
    print(
        f"seed {args.seed}: "
        + ("every promise kept" if not problems else f"{len(problems)} broken")
    )
    return 1 if problems else 0


def run(root: Path, seed: int, rounds: int, problems: list[str]) -> Iterator[str]:
    """Do the rounds; lines to print. What broke is added to `problems`."""
    began = time.monotonic()
    yield f"seed {seed}, {rounds} rounds, line {LINE}"
    with ExitStack() as stack:
        soak = Soak(root, seed, stack)
        yield from soak.rounds(rounds)
        lived_s = time.monotonic() - began
        soak.settle()
        settled_s = time.monotonic() - began - lived_s
        broken, histories = judge(soak)
        problems += broken
        yield soak.summary()
        for engine, history in zip(soak.engines, histories, strict=True):
            states: dict[str, int] = {}
            for row in history.transfers.values():
                states[row.state] = states.get(row.state, 0) + row.mine
            own = sum(message.mine for message in history.messages)
            yield f"{engine.name}: {own} own messages, own transfers {states}"
        yield ", ".join(f"{name} {count}" for name, count in sorted(soak.counts.items()))
        yield f"{lived_s:.0f} s of rounds, settled in {settled_s:.1f} s"
        for client in soak.judges:
            client.close()
        for engine in soak.engines:
            code = engine.stop()
            if code:
                problems.append(f"engine {engine.name} ended with {code}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
