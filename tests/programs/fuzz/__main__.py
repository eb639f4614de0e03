"""scripts/fuzz: hostile bytes at every door, for a while; what is new is kept in the corpus.

Work is counted, not timed: calls of Python functions for one input, on a sample of them.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType

from fuzz import doors
from fuzz.harnesses import HARNESSES
from fuzz.mutation import mutate
from fuzz.seeds import honest

CORPUS = Path(__file__).resolve().parent / "corpus"
MAX_KEPT = 40
"""Files of one harness's corpus."""
MAX_CALLS = 250_000
"""Function calls for one input, the simulated time after it included."""
COUNT_EVERY = 40


def corpus_of(name: str) -> list[bytes]:
    """What was kept, in the order of the file names."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]


def main(argv: list[str]) -> int:
    """Exit code 0 when every door held."""
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="in all (default 60)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=sorted(HARNESSES), help="one harness")
    parser.add_argument("--keep", action="store_true", help="write new inputs into the corpus")
    parser.add_argument("--doors", action="store_true", help="what people bring in, instead")
    parser.add_argument("--depth", type=int, default=2, help="--doors: every sequence this long")
    args = parser.parse_args(argv)
    if args.doors:
        return doors.main(args.seconds, args.seed, args.depth)
    names = [args.only] if args.only else list(HARNESSES)
    given = honest()
    failed = 0
    for name in names:
        random = Random(f"{args.seed} {name}")
        failed += _fuzz(name, given.get(name, []), random, args.seconds / len(names), args.keep)
    return 1 if failed else 0


def _fuzz(name: str, given: list[bytes], random: Random, seconds: float, keep: bool) -> int:
    harness = HARNESSES[name]
    corpus = given + corpus_of(name)
    seen: set[str] = set()
    tried = most_calls = 0
    until = time.monotonic() + seconds
    first = iter(list(corpus))
    while time.monotonic() < until:
        known = next(first, None)
        data = known if known is not None else mutate(corpus, random)
        tried += 1
        try:
            if tried % COUNT_EVERY:
                word = harness(data)
            else:
                word, calls = counted(harness, data)
                most_calls = max(most_calls, calls)
                assert calls <= MAX_CALLS, f"{calls} calls for one input"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            path = _keep(name, data, "broke")
            traceback.print_exc()
            print(f"{name}: {path} breaks it", file=sys.stderr)
            return 1
        if word not in seen:
            seen.add(word)
            corpus.append(data)
            if keep and known is None and len(list((CORPUS / name).glob("*"))) < MAX_KEPT:
                _keep(name, data, "new")
    print(f"{name:20} {tried:7} inputs, {len(seen):4} outcomes, at most {most_calls} calls")
    return 0


def counted(harness: Callable[[bytes], str], data: bytes) -> tuple[str, int]:
    """The harness's word, and how many Python functions were called."""
    calls = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        return harness(data), calls
    finally:
        sys.setprofile(None)


def _keep(name: str, data: bytes, kind: str) -> Path:
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kind}-{Random(data).getrandbits(64):016x}"
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
