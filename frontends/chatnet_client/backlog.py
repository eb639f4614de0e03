"""Owns the publications that arrived before they could be applied, in order, within a limit."""

from collections import deque

from chatnet_protocol.ipc.envelope import Publication

MAX_BUFFERED_EVENTS = 4096
"""Later ones are dropped and fetched again from the engine."""


class Backlog:
    """Publications waiting for what comes before them."""

    def __init__(self) -> None:
        self._waiting: deque[Publication] = deque()
        self._events = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def keep(self, publication: Publication) -> None:
        """Wait with this one; dropped beyond MAX_BUFFERED_EVENTS."""
        if self._events + len(publication.events) <= MAX_BUFFERED_EVENTS:
            self._waiting.append(publication)
            self._events += len(publication.events)

    def take(self) -> Publication:
        """The oldest one."""
        publication = self._waiting.popleft()
        self._events -= len(publication.events)
        return publication

    def put_back(self, publication: Publication) -> None:
        """It is not its turn yet; the next `take` gives it again."""
        self._waiting.appendleft(publication)
        self._events += len(publication.events)

    def clear(self) -> None:
        """Forget them."""
        self._waiting.clear()
        self._events = 0
