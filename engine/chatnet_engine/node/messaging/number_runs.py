"""Two numbers of the same messages: one found by the other, and when a number was reached."""

from msgspec import Struct
from msgspec.structs import replace

MAX_RUNS = 256
"""Where both numbers ascend together one run holds any number of messages."""
OWN = 0
"""The space of own wire numbers: they go on from link to link as long as the engine runs."""
MAX_MOVES = 512
"""Steps of a watermark whose time is remembered; the oldest are forgotten."""


class _Run(Struct, frozen=True, gc=False):
    space: int
    first: int
    other: int
    count: int


class NumberRuns:
    """Wire numbers by the numbers that are stored. Wire numbers are of a `space`: the incarnation
    that gave them."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, space: int, first: int, other: int, count: int) -> None:
        """`count` messages with wire numbers from `first` on have stored ones from `other` on."""
        last = self._runs[-1] if self._runs else None
        if last and (last.space, last.first + last.count, last.other + last.count) == (
            space,
            first,
            other,
        ):
            self._runs[-1] = replace(last, count=last.count + count)
        else:
            self._runs.append(_Run(space, first, other, count))
            del self._runs[:-MAX_RUNS]

    def find(self, other: int) -> tuple[int, int] | None:
        """(space, wire number) of the message with this stored number."""
        for run in reversed(self._runs):
            if run.other <= other < run.other + run.count:
                return run.space, run.first + other - run.other
        return None


class Watermark:
    """When a number that only rises went past another one. Times are monotonic seconds."""

    def __init__(self, start: int) -> None:
        """`start`: where it stood before anything was known."""
        self._start = start
        self._moves: list[tuple[int, float]] = []

    def move(self, value: int, at: float) -> None:
        """It has reached this, or had before."""
        if value > (self._moves[-1][0] if self._moves else self._start):
            self._moves.append((value, at))
            if len(self._moves) > MAX_MOVES:
                self._start = self._moves.pop(0)[0]

    def reached(self, value: int) -> float | None:
        """When it reached `value`; None when it has not, or nobody remembers."""
        if value > self._start:
            for moved_to, at in self._moves:
                if value <= moved_to:
                    return at
        return None
