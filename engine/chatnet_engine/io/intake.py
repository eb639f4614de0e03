"""Datagrams that were taken off the socket and wait for their turn: a queue for each peer.

Who sends more than is handled loses what is too much, as on a full line, and nobody else does. A
datagram belongs to the peer whose session it names; handshakes and strangers share a queue.
"""

from collections import deque
from collections.abc import Callable, Sequence

from chatnet_engine.io.udp import Datagram, UdpCounters

MAX_QUEUED_OF_ONE = 2048
"""More than a window of a link holds in flight, so that an honest burst loses nothing."""
MAX_QUEUED = 8192
"""Of all together: some 12 MiB. At the limit the longest queue loses what comes for it."""


class Intake:
    """Fair between its queues: one datagram of each in turn."""

    def __init__(self, owner: Callable[[bytes], int], counters: UdpCounters) -> None:
        """`owner`: number of the peer whose session a datagram names, 0 for none."""
        self._owner = owner
        self._queues: dict[int, deque[Datagram]] = {}
        self._count = 0
        self._counters = counters

    def __len__(self) -> int:
        return self._count

    def add(self, batch: Sequence[Datagram]) -> None:
        """Sort in what has arrived."""
        queues, owner = self._queues, self._owner
        for datagram in batch:
            key = owner(datagram[0])
            queue = queues.get(key)
            if queue is None:
                queue = queues[key] = deque()
            elif len(queue) >= MAX_QUEUED_OF_ONE:
                self._counters.overrun += 1
                continue
            if self._count >= MAX_QUEUED and not self._make_room(queue):
                self._counters.overrun += 1
                continue
            queue.append(datagram)
            self._count += 1

    def take(self, count: int) -> list[Datagram]:
        """Up to `count`, one of each queue in turn."""
        taken: list[Datagram] = []
        queues = self._queues
        while queues and len(taken) < count:
            key = next(iter(queues))
            queue = queues.pop(key)
            if len(queues) == 0:
                while queue and len(taken) < count:
                    taken.append(queue.popleft())
            else:
                taken.append(queue.popleft())
            if queue:
                queues[key] = queue  # to the end of the line
        self._count -= len(taken)
        return taken

    def _make_room(self, queue: deque[Datagram]) -> bool:
        """Drop the newest of the longest queue; False when that is `queue` itself."""
        longest = max(self._queues.values(), key=len)
        if longest is queue or len(longest) <= len(queue) + 1:
            return False
        longest.pop()
        self._count -= 1
        self._counters.overrun += 1
        return True
