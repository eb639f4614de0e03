"""Wrong variants of the engine, each leaving one rule out: if none of them lived, the rules of the
simulator would be tested.

A mutant is a patch; it is killed by the first seed whose run breaks a promise, or does not end, or
by the test that is named with it.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from simulate import (
    wrong_containment,
    wrong_disks,
    wrong_engines,
    wrong_files,
    wrong_links,
    wrong_people,
)
from simulate.kinds import kind_of
from simulate.mutant import MUTANTS, Mutant
from simulate.run import run_seed
from simworld.network import Line
from simworld.pair import Pair

FROM = (wrong_containment, wrong_engines, wrong_links, wrong_people, wrong_disks, wrong_files)
"""The modules that name mutants."""
PROMPT_S = 2.3
"""Mean time of the first words at 50 % loss: 1.6 s as it should be, 3.0 without repeated FINs."""
FIRST_WORDS_AT = 40
"""They are looked at after so many seeds."""
TRIES = 400
"""A mutant that so many seeds do not notice has survived."""
BROKEN = ("AttributeError", "NameError", "TypeError", "no such table", "no such column")
"""A patch that no longer fits what it patches is no mutant: it dies of itself."""


@contextmanager
def applied(name: str) -> Iterator[None]:
    """The engine is wrong in that way."""
    patches = MUTANTS[name].make()
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in reversed(patches):
            one.stop()


def first_words_s(worlds: int = 60) -> float:
    """How long two people take, on average, to say their first words over a very bad line."""
    total_s = 0.0
    for seed in range(worlds):
        pair = Pair(seed, Line(loss=0.5))
        pair.at_a.say("hello")
        pair.at_b.say("hello")
        began_s = pair.clock.now_s
        pair.clock.run(began_s + 120, pair.settled)
        total_s += pair.clock.now_s - began_s
    return total_s / worlds


@dataclass(frozen=True, slots=True)
class Fate:
    """How a mutant ended; `by`: the seed or test that noticed, empty: it survived, or is none."""

    name: str
    by: str
    symptom: str


@dataclass(slots=True)
class _Failures:
    """A pytest plugin: what went wrong."""

    symptoms: list[str] = field(default_factory=list)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            self.symptoms.append(crash.message if crash else str(report.longrepr))


def _killed_before(results: Path | None) -> list[Fate]:
    if results is None or not results.exists():
        return []
    lines = results.read_text(encoding="utf-8").splitlines()
    return [fate for line in lines if (fate := Fate(*json.loads(line))).name in MUTANTS]


def try_mutant(name: str, tries: int = TRIES) -> Fate:
    """Run what should notice, until something does."""
    one = MUTANTS[name]
    try:
        with applied(name):
            return _try_test(one) if one.test else _try_seeds(one, tries)
    except AttributeError as error:
        return Fate(name, "", f"BROKEN: {error}")


def _try_seeds(one: Mutant, tries: int) -> Fate:
    fitting = (seed for seed in range(tries * 20) if one.worlds in str(kind_of(seed)))
    for number, seed in enumerate(islice(fitting, tries)):
        if number == FIRST_WORDS_AT and (mean_s := first_words_s()) > PROMPT_S:
            return Fate(one.name, "Pair", f"two first words take {mean_s:.1f} s at 50 % loss")
        if problems := run_seed(seed).problems:
            return _fate(one, f"seed {seed}", problems[0].strip().splitlines()[-1])
    return Fate(one.name, "", "SURVIVED")


def _try_test(one: Mutant) -> Fate:
    failures = _Failures()
    with redirect_stdout(StringIO()):
        code = pytest.main(["-q", "-x", "-p", "no:cacheprovider", one.test], plugins=[failures])
    if code == pytest.ExitCode.OK:
        return Fate(one.name, "", f"SURVIVED {one.test}")
    if code != pytest.ExitCode.TESTS_FAILED or not failures.symptoms:
        return Fate(one.name, "", f"BROKEN: {one.test} does not run")
    return _fate(one, one.test.partition("::")[2], failures.symptoms[0].splitlines()[0])


def _fate(one: Mutant, by: str, symptom: str) -> Fate:
    if any(word in symptom for word in BROKEN):
        return Fate(one.name, "", f"BROKEN: {symptom}")
    return Fate(one.name, by, symptom)


def main(jobs: int, results: Path | None = None) -> int:
    """Print the kill table; exit code 0 when none survived.

    `results`: a file of what was killed so far, which is not tried again.
    """
    width = max(map(len, MUTANTS))
    fates = _killed_before(results)
    left = MUTANTS.keys() - {fate.name for fate in fates}
    with ProcessPoolExecutor(jobs, max_tasks_per_child=1) as pool:
        for fate in pool.map(try_mutant, [name for name in MUTANTS if name in left]):
            fates.append(fate)
            if results is not None and fate.by:
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([fate.name, fate.by, fate.symptom]) + "\n")
            print(f"{fate.name:{width}}  {fate.by:9.60}  {fate.symptom[:120]}", flush=True)
    killed = sum(bool(fate.by) for fate in fates)
    print(f"{killed} of {len(fates)} mutants killed")
    return 0 if killed == len(fates) else 1
