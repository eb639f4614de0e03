"""Datagrams that were taken off the socket and wait for their turn: a queue for each peer.

Who sends more than is handled loses what is too much, as on a full line, and nobody else does. A
datagram belongs to the peer whose session it names; handshakes and strangers share a queue.
"""

from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence

from chatnet_engine.io.udp import Datagram, UdpCounters

UNIT_BYTES = 1472
"""A datagram counts once for each begun unit, so that large ones take no more memory."""
MAX_QUEUED_OF_ONE = 2048
"""More than a window of a link holds in flight, so that an honest burst loses nothing."""
MAX_QUEUED = 8192
"""Of all together: some 12 MiB. At the limit the longest queue loses what comes for it."""


class _Queue(deque[Datagram]):
    """Of one peer; `units` is what it counts."""

    units = 0


def _units(datagram: Datagram) -> int:
    return 1 + max(len(datagram[0]) - 1, 0) // UNIT_BYTES


class Intake:
    """Fair between its queues: one datagram of each in turn. Those that are held wait aside."""

    def __init__(self, owner: Callable[[bytes], int], counters: UdpCounters) -> None:
        """`owner`: number of the peer whose session a datagram names, 0 for none."""
        self._owner = owner
        self._queues: dict[int, _Queue] = {}
        self._held: dict[int, _Queue] = {}
        self.late: set[int] = set()
        """Peers of whom something still waits that was held."""
        self._count = 0
        self._units = 0
        self._counters = counters

        self.counts: Counter[int] = Counter()
        """Datagrams that arrived since this was cleared, by peer; also those that were lost."""
        self.sizes: Counter[int] = Counter()
        """Of how many bytes."""
        self.taken_bytes = 0
        """In datagrams that were taken since this was cleared."""

    def __len__(self) -> int:
        return self._count

    @property
    def ready(self) -> bool:
        """Whether `take` returns something."""
        return bool(self._queues)

    @property
    def queue_count(self) -> int:
        """Of how many peers something is ready; strangers count as one."""
        return len(self._queues)

    def hold(self, peers: Collection[int], *, whole: bool) -> None:
        """What comes of these waits for `release`; with `whole` also what waits of them already,
        without it those of whom something waits are left alone."""
        for peer in peers:
            if peer not in self._held and (whole or peer not in self._queues):
                self._held[peer] = self._queues.pop(peer, _Queue())

    def release(self) -> None:
        """What is held is ready, after what is; first of those who sent least."""
        for peer, queue in sorted(self._held.items(), key=lambda item: item[1].units):
            if queue:
                self._queues[peer] = queue
                self.late.add(peer)
        self._held.clear()

    def add(self, batch: Sequence[Datagram]) -> None:
        """Sort in what has arrived."""
        queues, owner = self._queues, self._owner
        for datagram in batch:
            key, units = owner(datagram[0]), _units(datagram)
            self.counts[key] += 1
            self.sizes[key] += len(datagram[0])
            queue = queues.get(key)
            if queue is None:
                queue = self._held.get(key)
            if queue is None:
                queue = queues[key] = _Queue()
            elif queue.units + units > MAX_QUEUED_OF_ONE:
                self._counters.overrun += 1
                continue
            full = False
            while self._units + units > MAX_QUEUED and not full:
                full = not self._make_room(queue)
            if full:
                self._counters.overrun += 1
                continue
            queue.append(datagram)
            queue.units += units
            self._count += 1
            self._units += units

    def take(self, count: int) -> list[Datagram]:
        """Up to `count`, one of each queue in turn."""
        taken: list[Datagram] = []
        queues = self._queues
        while queues and len(taken) < count:
            key = next(iter(queues))
            queue = queues.pop(key)
            most = 1 if queues else count - len(taken)
            while queue and most:
                datagram = queue.popleft()
                taken.append(datagram)
                units = _units(datagram)
                queue.units -= units
                self._units -= units
                self.taken_bytes += len(datagram[0])
                most -= 1
            if queue:
                queues[key] = queue  # to the end of the line
            else:
                self.late.discard(key)
        self._count -= len(taken)
        return taken

    def _make_room(self, queue: _Queue) -> bool:
        """Drop the newest of the longest queue; False when that is `queue` itself."""
        queues = (*self._queues.values(), *self._held.values())
        longest = max(queues, key=lambda each: each.units)
        if longest is queue or longest.units <= queue.units + 1:
            return False
        units = _units(longest.pop())
        longest.units -= units
        self._units -= units
        self._count -= 1
        self._counters.overrun += 1
        return True
