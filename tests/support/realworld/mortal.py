"""The real engine in a process that kills itself with SIGKILL at a chosen point.

    python -m realworld.mortal effect 37 LOCAL_PORT ...       before its 37th effect
    python -m realworld.mortal statement 37 LOCAL_PORT ...    before its 37th SQL statement

Nothing of the engine knows of it: what it calls is wrapped from outside. An engine that ends before
says how far it came.
"""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable

from chatnet_engine import main as engine_main
from chatnet_engine.io import history_file, runner
from chatnet_engine.io.perform import World
from chatnet_engine.node.effects import Effect


class Fate:
    """Counts, and kills."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.count = 0

    def step(self) -> None:
        """One point is reached."""
        self.count += 1
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


def count_effects(fate: Fate) -> None:
    """Die before an effect: the pump is stopped wherever the store's thread may be."""
    real: Callable[[Effect, World], None] = vars(runner)["perform"]

    def perform(effect: Effect, world: World) -> None:
        fate.step()
        real(effect, world)

    runner.perform = perform  # type: ignore[attr-defined]


def count_statements(fate: Fate) -> None:
    """Die before an SQL statement, those of the start and of the schema included."""
    real: Callable[..., sqlite3.Connection] = vars(history_file)["open_file"]

    def open_file(path: str, *, checked: bool = False) -> sqlite3.Connection:
        connection = real(path, checked=checked)
        connection.set_trace_callback(lambda sql: fate.step())
        return connection

    history_file.open_file = open_file  # type: ignore[attr-defined]


KINDS = {"effect": count_effects, "statement": count_statements}


def main(argv: list[str]) -> int:
    """Run an engine until it ends or dies."""
    kind, number, *rest = argv
    fate = Fate(int(number))
    KINDS[kind](fate)
    code = engine_main.main(rest)
    print(f"outlived: {kind} {fate.count} of {fate.last}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
