"""Simulated time: a heap of things to do, and one seed for every decision.

Time stands still while code runs and jumps to the next thing to do; a run is as long as its events.
"""

import heapq
import itertools
import math
from collections.abc import Callable
from random import Random

EPOCH_MS = 1_700_000_000_000
"""Wall time at simulated second 0."""
MAX_STEPS_AT_ONCE = 50_000
"""More than this at one moment is a loop that never ends."""


class Clock:
    """Owns the time of one simulated world."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now_s = 1000.0
        self.wall_offset_ms = 0
        """Changed by a fault that sets the wall clock."""
        self.steps = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._at_once = 0

    @property
    def wall_ms(self) -> int:
        """Unix time as simulated machines see it."""
        return EPOCH_MS + int(self.now_s * 1000) + self.wall_offset_ms

    def after(self, delay_s: float, action: Callable[[], None]) -> None:
        """Do `action` once, `delay_s` from now."""
        heapq.heappush(self._heap, (self.now_s + delay_s, next(self._order), action))

    def next_s(self) -> float:
        """When the next thing is to be done; infinity: nothing is."""
        return self._heap[0][0] if self._heap else math.inf

    def run(self, until_s: float, done: Callable[[], bool] | None = None) -> bool:
        """Let things happen until that time, or until `done`; whether it was done."""
        while self._heap and self._heap[0][0] <= until_s:
            at, _, action = heapq.heappop(self._heap)
            self._at_once = self._at_once + 1 if at <= self.now_s else 0
            assert self._at_once < MAX_STEPS_AT_ONCE, "time does not advance"
            self.now_s = max(self.now_s, at)
            self.steps += 1
            action()
            if done is not None and done():
                return True
        self.now_s = max(self.now_s, until_s)
        return done() if done is not None else True

    def bytes_for(self, name: str) -> Callable[[int], bytes]:
        """A source of random bytes of its own, so that one part's use does not shift another's."""
        source = Random(f"{name}/{self.random.random()}")
        return source.randbytes
