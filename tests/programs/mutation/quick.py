"""Runs mutmut with a switch between mutants that costs a comparison instead of three calls.

mutmut's own reads the environment at every call of every mutated function, which makes these
packages, whose functions are small, several times slower. Started in the workplace as
`python -m mutation.quick generate` and `python -m mutation.quick run NAME...`.
"""

import inspect
import os
import resource
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from mutmut.mutation import trampoline
from mutmut.mutation.data import SourceFileMutationData
from mutmut.state import state
from mutmut.utils.format_utils import mangled_name_from_mutant_name
from mutmut.workers import isolation

GIVEN = trampoline.wrap_in_trampoline
MAX_MEMORY_BYTES = 4 * 1024**3
"""Of address space, for a mutant that allocates for ever; the tests take less than a tenth."""
WALL_PER_LIMIT = 10
"""A mutant's time is limited in seconds of the processor; by the clock it gets so many times
more, as others may have the machine. Only a mutant that waits for ever meets that limit."""

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


def _limit() -> None:
    """Stop what runs for ever, and nothing that merely has to wait for the machine."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    register = vars(isolation)["register_timeout"]

    def register_longer(pid: int, timeout_s: float) -> None:
        register(pid, timeout_s * WALL_PER_LIMIT)

    vars(isolation)["register_timeout"] = register_longer


def _save_whole(data: SourceFileMutationData) -> None:
    """Results are written beside the old ones and take their place, so a run may end anywhere."""
    path = data.meta_path
    data.meta_path = Path(f"{path}.new")
    try:
        SAVE(data)
        os.replace(data.meta_path, path)
    finally:
        data.meta_path = path


SAVE = SourceFileMutationData.save


def main(argv: list[str]) -> None:
    """Either what `mutmut run` begins with, so that one can choose, or all of it."""
    vars(trampoline)["wrap_in_trampoline"] = switch
    type.__setattr__(SourceFileMutationData, "save", _save_whole)
    _limit()
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
