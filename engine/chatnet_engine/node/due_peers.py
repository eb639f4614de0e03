"""Owns which peers a turn has to serve: those of whom something changed, and those that are due.

A turn costs what is in here, however many peers there are. Whatever handles something of a peer
touches it; at the end of the turn every touched peer is served, and its next deadline is put.
"""

from chatnet_engine.deadlines import Deadlines


class DuePeers:
    """One deadline a peer, and the peers that were touched since they were served."""

    def __init__(self) -> None:
        self._touched: set[int] = set()
        self._deadlines: Deadlines[int] = Deadlines()

    def touch(self, peer: int) -> None:
        """Something of this peer is another than when it was served last."""
        self._touched.add(peer)

    @property
    def touched(self) -> list[int]:
        """Peers that are to be served, in the order of their numbers."""
        return sorted(self._touched)

    def served(self, peer: int) -> None:
        """What had changed of this peer is done with."""
        self._touched.discard(peer)

    def put(self, peer: int, due_s: float | None) -> None:
        """When something of this peer is due next, in monotonic seconds; None: never."""
        self._deadlines.put(peer, due_s)

    def due_of(self, peer: int) -> float | None:
        """What was put last; None: it is not due."""
        return self._deadlines.due_of(peer)

    def take_due(self, now_s: float) -> list[int]:
        """Peers whose time has come; they are touched, and to be put anew."""
        due = self._deadlines.take_due(now_s)
        self._touched.update(due)
        return due

    def next_timeout(self) -> float | None:
        """When the first of them is due."""
        return self._deadlines.next_timeout()
