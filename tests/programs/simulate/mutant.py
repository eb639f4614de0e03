"""What a wrong engine is: a name, patches, and what has to notice it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

Patches = list[Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """Its rule is the docstring of `make`. `test`: the test that fails with it; else a seed does.
    `worlds`: whether a seed needs a world of a certain kind, so that others are left out."""

    name: str
    make: Callable[[], Patches]
    test: str = ""
    worlds: str = ""


MUTANTS: dict[str, Mutant] = {}


def mutant(make: Callable[[], Patches]) -> Callable[[], Patches]:
    """One that a seed has to notice, in whatever world."""
    return _keep(Mutant(_name(make), make))


def noticed_by(test: str) -> Callable[[Callable[[], Patches]], Callable[[], Patches]]:
    """One that this test (a pytest node id) has to notice."""
    return lambda make: _keep(Mutant(_name(make), make, test=test))


def noticed_in(worlds: str) -> Callable[[Callable[[], Patches]], Callable[[], Patches]]:
    """One that a seed has to notice whose world is described with these words."""
    return lambda make: _keep(Mutant(_name(make), make, worlds=worlds))


def swap(owner: Any, name: str, new: Any) -> Any:
    """Put `new` in the place of something that is there."""
    return patch.object(owner, name, new)


def _name(make: Callable[[], Patches]) -> str:
    return make.__name__.replace("_", " ")


def _keep(one: Mutant) -> Callable[[], Patches]:
    assert one.name not in MUTANTS
    MUTANTS[one.name] = one
    return one.make
