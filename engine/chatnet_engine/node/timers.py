"""Owns when something is due: of each peer, and of what the peers share.

One table, brought up to date once a turn, at its end: for the peers that were served and for the
few shared timers. To ask for the next deadline costs the same however many peers there are.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from chatnet_engine.clock import Now
from chatnet_engine.deadlines import earliest
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.due_peers import DuePeers
from chatnet_engine.node.subject import Subject


def nothing(now: Now) -> None:
    """What is due happens when the turn ends."""


@dataclass(frozen=True, slots=True)
class SharedTimer:
    """A deadline that is not one peer's."""

    next_timeout: Callable[[], float | None]
    handle: Callable[[Now], None] = nothing
    """Called when it is due."""


class Timers:
    """All deadlines of a node. `subjects`: all; asked are those that have deadlines of peers."""

    def __init__(
        self,
        shared: Sequence[SharedTimer],
        subjects: Sequence[Subject],
        due: DuePeers,
        contained: Containment,
    ) -> None:
        self._shared = tuple(shared)
        timed = (one for one in subjects if type(one).due_of is not Subject.due_of)
        self._subjects = tuple(timed)
        self._due = due
        self._contained = contained
        self._shared_s = [-math.inf] * len(self._shared)
        """When each is due: at once, before the first turn."""
        self._serves_peers = True
        self._served: set[int] = set()
        """Peers whose deadlines are to be looked up; those of the shared timers are, too."""
        self._due_at_once: set[int] = set()
        self._ended_s = 0.0
        self._is_current = True

    def stop_peers(self) -> None:
        """Peers are not served any more: what is due of them would be due for ever."""
        self._serves_peers = False

    def handle_timeout(self, now: Now) -> None:
        """Handle what is due, and nothing else."""
        if not self._is_current:
            self._look_up()
        for timer, due_s in zip(self._shared, self._shared_s, strict=True):
            if due_s <= now.mono_s:
                timer.handle(now)
        for peer in self._due.take_due(now.mono_s):
            self._contained.peer(peer, now, partial(self._handle_due, peer, now))

    def next_timeout(self) -> float | None:
        """When the first is due, as of the end of the last turn; in monotonic seconds."""
        if not self._is_current:
            self._look_up()
        first_s = min(self._shared_s)
        if self._serves_peers and (due_s := self._due.next_timeout()) is not None:
            first_s = min(first_s, due_s)
        return first_s if first_s < math.inf else None

    def put(self, served: Sequence[int], now: Now) -> None:
        """End the turn in which these peers were served. Deadlines are looked up when they are
        asked for: once, where a turn goes on with the store's answer."""
        self._served.update(served)
        self._due_at_once.difference_update(served)
        self._due_at_once.update(self._due.touched)  # since they were served, or meanwhile
        self._ended_s = now.mono_s
        self._is_current = False

    def _look_up(self) -> None:
        due = self._due
        for peer in self._served:
            due.put(peer, self.due_of(peer))
        for peer in self._due_at_once:
            due.put(peer, self._ended_s)
        self._served.clear()
        self._due_at_once.clear()
        self._is_current = True
        dues = [timer.next_timeout() for timer in self._shared]
        self._shared_s = [math.inf if due_s is None else due_s for due_s in dues]

    def due_of(self, peer: int) -> float | None:
        """When something of this peer is due, in monotonic seconds."""
        return earliest([subject.due_of(peer) for subject in self._subjects])

    def _handle_due(self, peer: int, now: Now) -> None:
        for subject in self._subjects:
            subject.handle_due(peer, now)
