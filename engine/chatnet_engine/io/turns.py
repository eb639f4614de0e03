"""Whose turn is next: processes in turn, and within a process its connections in turn."""

from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Turns(Generic[T]):
    """Round robin over groups. Nothing is taken out but by `take`."""

    def __init__(self) -> None:
        self._groups: dict[int, deque[T]] = {}
        """By process, the next one first."""
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, pid: int, item: T) -> None:
        """At the end of its process' row."""
        self._groups.setdefault(pid, deque()).append(item)
        self._count += 1

    def take(self) -> T:
        """The next one; raises StopIteration when there is none."""
        pid = next(iter(self._groups))
        group = self._groups.pop(pid)
        item = group.popleft()
        self._count -= 1
        if group:
            self._groups[pid] = group
        return item
