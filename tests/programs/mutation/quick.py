"""Runs mutmut with a switch between mutants that costs a comparison instead of three calls.

mutmut's own reads the environment at every call of every mutated function, which makes these
packages, whose functions are small, several times slower. Started in the workplace as
`python -m mutation.quick generate` and `python -m mutation.quick run NAME...`.
"""

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

from mutmut.mutation import trampoline
from mutmut.state import state
from mutmut.utils.format_utils import mangled_name_from_mutant_name

GIVEN = trampoline.wrap_in_trampoline

Function = Callable[..., Any]


def switch(
    mutants: dict[str, Function], is_classmethod: bool = False
) -> Callable[[Function], Function]:
    """Takes the place of mutmut's decorator: the same choice, made once per mutant."""

    def decorate(function: Function) -> Function:
        given = GIVEN(mutants, is_classmethod)(function)
        if is_classmethod or inspect.isgeneratorfunction(function):
            return given
        now: str | None = "never"
        chosen = given

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal now, chosen
            if trampoline._mutant_under_test is not now:
                now = trampoline._mutant_under_test
                chosen = _choose(now, function, mutants, given)
            return chosen(*args, **kwargs)

        return call

    return decorate


def _choose(
    active: str | None, function: Function, mutants: dict[str, Function], given: Function
) -> Function:
    original = mutants["_mutmut_orig"]
    if active == "stats":
        name = f"{original.__module__}.{mangled_name_from_mutant_name(original.__name__)}"
        hits = state()

        def note(*args: Any, **kwargs: Any) -> Any:
            hits._stats.add(name)
            return original(*args, **kwargs)

        return note
    if active == "":
        return original
    module, _, name = (active or "").rpartition(".")
    if not module:
        return given  # it makes the tests fail on purpose, or forbids calls
    return mutants.get(name, original) if module == function.__module__ else original


def main(argv: list[str]) -> None:
    """Either what `mutmut run` begins with, so that one can choose, or all of it."""
    vars(trampoline)["wrap_in_trampoline"] = switch
    from mutmut import __main__

    program: Any = __main__

    if argv[0] == "generate":
        program.copy_src_dir()
        program.copy_also_copy_files()
        program.setup_source_paths()
        program.create_mutants(1)
    else:
        program.cli(argv)


if __name__ == "__main__":
    main(sys.argv[1:])
