"""When each of many things is due: a turn costs what is due, not how many wait."""

import math
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

STALE_DUES = 64
"""Superseded entries that the heap may hold besides as many as there are valid ones."""

TICK_S = 0.25
"""What tolerates being this late is due at a multiple of it, so that one wake-up serves many."""

K = TypeVar("K", int, bytes)


def earliest(dues_s: Iterable[float | None]) -> float | None:
    """The first of these deadlines; None where there is none. Asked every turn, so no generator."""
    first_s = None
    for due_s in dues_s:
        if due_s is not None and (first_s is None or due_s < first_s):
            first_s = due_s
    return first_s


def next_tick(due_s: float, tick_s: float = TICK_S) -> float:
    """The first multiple of `tick_s` that is not before `due_s`; infinity stays."""
    return math.ceil(due_s / tick_s) * tick_s if due_s < math.inf else due_s


def whole_second(due_s: float) -> float:
    """The last one that is not after `due_s`, for what is due about once a second: it is due with
    the rest of that kind, and with ticks."""
    return float(math.floor(due_s))


class Deadlines(Generic[K]):
    """One deadline a key, in monotonic seconds."""

    def __init__(self) -> None:
        self._dues: dict[K, float] = {}
        self._heap: list[tuple[float, K]] = []

    def __len__(self) -> int:
        return len(self._dues)

    def put(self, key: K, due_s: float | None) -> None:
        """Replace its deadline; None or infinity: never due."""
        if due_s is None or due_s == float("inf"):
            self._dues.pop(key, None)
        elif self._dues.get(key) != due_s:
            self._dues[key] = due_s
            heappush(self._heap, (due_s, key))
            if len(self._heap) > 2 * len(self._dues) + STALE_DUES:
                self._heap = [(due, key) for key, due in self._dues.items()]
                heapify(self._heap)

    def due_of(self, key: K) -> float | None:
        """What was put last; None: it is not due."""
        return self._dues.get(key)

    def first_due(self, now_s: float) -> K | None:
        """One whose time has come; the same again until it is put anew."""
        due_s = self.next_timeout()
        return self._heap[0][1] if due_s is not None and due_s <= now_s else None

    def take_due(self, now_s: float) -> list[K]:
        """All whose time has come; each is to be put anew."""
        due: list[K] = []
        heap, dues = self._heap, self._dues
        while heap and heap[0][0] <= now_s:
            due_s, key = heappop(heap)
            if dues.get(key) == due_s:
                del dues[key]
                due.append(key)
        return due

    def next_timeout(self) -> float | None:
        """When the next one is due."""
        heap = self._heap
        while heap:
            if self._dues.get(heap[0][1]) == heap[0][0]:
                return heap[0][0]
            heappop(heap)
        return None
