"""Client events on their way from the client's thread to the thread of a front end, bounded.

A front end that does not keep up (its terminal takes no output, its window is busy) makes the
client's thread wait. Its socket then overflows, and the attach machine heals that gap as any other.
"""

import threading
from collections import deque
from collections.abc import Callable

from chatnet_client.client_events import ClientEvent

MAX_EVENTS_WAITING = 4096
"""Events between the threads; at this many the client's thread waits."""


class EventQueue:
    """One writer thread, and the thread it was made in, which takes."""

    def __init__(self, wake: Callable[[], object]) -> None:
        """`wake`: called from the writer's thread, once until `take` has found the queue empty."""
        self._wake = wake
        self._owner = threading.get_ident()
        self._events: deque[ClientEvent] = deque()
        self._changed = threading.Condition()
        self._is_woken = False
        self._closed = False

    def put(self, event: ClientEvent) -> None:
        """Add one; waits while the queue is full, but never in the thread that takes."""
        with self._changed:
            may_wait = threading.get_ident() != self._owner
            while may_wait and len(self._events) >= MAX_EVENTS_WAITING and not self._closed:
                self._changed.wait()
            if self._closed:
                return
            self._events.append(event)
            if self._is_woken:
                return
            self._is_woken = True
        self._wake()

    def take(self) -> ClientEvent | None:
        """The oldest one; None when there is none, and the next one wakes again."""
        with self._changed:
            if not self._events:
                self._is_woken = False
                return None
            self._changed.notify()
            return self._events.popleft()

    def close(self) -> None:
        """Nothing is taken any more; a writer that waits goes on."""
        with self._changed:
            self._closed = True
            self._events.clear()
            self._changed.notify_all()
