"""The ROUTER socket: requests in, clients in turn; replies out, each to the connection that asked.

Back-pressure is the kernel's: of a client that has a request waiting here, has too many unanswered
or does not read its replies, nothing more is read. Identities that clients choose do not matter; a
routing_id is a number of this socket's own.
"""

from collections import Counter

from chatnet_engine.io.local_socket import Connection, LocalSocket
from chatnet_engine.io.turns import Turns
from chatnet_engine.io.zmtp import Violation
from chatnet_engine.io.zmtp_router import Requester
from chatnet_protocol.limits import KIB, MAX_REQUESTS_UNDER_WAY, MIB

MAX_CONNECTIONS = 256
"""40 front ends, and those that only ask."""
READ_BYTES = 16 * KIB
"""Read of a connection at a time: some hundred small requests."""
LARGE_READ_BYTES = 128 * KIB
"""The same in the middle of a large one."""
MAX_GONE_UNANSWERED = 8
"""Requests of a client that has hung up done before one is answered, which then ends it: for
programs that say a few things and exit."""
REPLY_HWM = 64
"""With this many replies unsent, a client is not read from ..."""
REPLY_HWM_BYTES = 1 * MIB
"""... or with this many bytes of them."""
MAX_UNSENT_BYTES = 4 * MIB
"""Of replies for one client, to what was asked before; the next one is dropped."""
MAX_HELD_BYTES = 32 * MIB
"""Of all connections together, in both directions: beyond it the one that holds most is closed."""
WORTH_COUNTING_BYTES = 64 * KIB
"""Held by one connection: less by all of them stays below MAX_HELD_BYTES."""


class _Client(Requester):
    """With what it waits for."""

    def __init__(self, routing_id: bytes) -> None:
        super().__init__()
        self.routing_id = routing_id
        self.unanswered = 0
        self.was_answered = False
        """Since the last tick."""
        self.is_parked = False
        """It has requests that are not taken until it has got replies."""


class CommandSocket(LocalSocket[_Client]):
    """Listens at `path` from its making. Raises OSError when it cannot be bound."""

    carries = "commands"

    def __init__(self, path: str, now_s: float) -> None:
        super().__init__(path, now_s, MAX_CONNECTIONS)
        self.replies_dropped = 0
        """The client was gone or did not read."""
        self._count = 0
        self._by_routing_id: dict[bytes, Connection[_Client]] = {}
        self._turns: Turns[Connection[_Client]] = Turns()
        """Connections with something to take."""
        self._leaving: Turns[Connection[_Client]] = Turns()
        """The same of clients that have hung up: they come when nobody else has something."""
        self._gone: list[bytes] = []

    @property
    def has_requests(self) -> bool:
        """`receive` has something to do."""
        return bool(self._turns or self._leaving)

    def receive(self, now_s: float) -> tuple[bytes, list[bytes]] | None:
        """The next request as (routing id, frames); None: none is complete, or others come
        first."""
        for _ in range(len(self._turns) + len(self._leaving)):
            turns = self._turns or self._leaving
            connection = turns.take()
            if not connection.is_open:
                continue
            if connection.is_gone and turns is self._turns:
                self._queue(connection)
                continue
            if self._is_full(connection):
                connection.peer.is_parked = True
                continue
            try:
                request = connection.peer.take()
            except Violation as violation:
                self._end(connection, str(violation))
                continue
            self._answer(connection)
            if connection.peer.is_starved:
                connection.reads = True
                self._watch(connection)
            else:
                self._queue(connection)
            if request is not None:
                connection.asked_s = now_s
                connection.peer.unanswered += 1
                return connection.peer.routing_id, request
        return None

    def reply(self, routing_id: bytes, body: bytes) -> bool:
        """Send or keep it; False when it was dropped."""
        connection = self._by_routing_id.get(routing_id)
        if connection is None:
            self.replies_dropped += 1
            return False
        peer = connection.peer
        peer.unanswered = max(0, peer.unanswered - 1)
        peer.was_answered = True
        if connection.waiting_bytes + len(body) > MAX_UNSENT_BYTES:
            self.replies_dropped += 1
            return False
        self._send(connection, peer.reply(body))
        if connection.is_gone:
            self._flush(connection)  # it cannot: then nothing more of it needs to be done
        self._unpark(connection)
        self._mind_memory(connection)
        return True

    @property
    def has_gone(self) -> bool:
        """`take_gone` has something to give."""
        return bool(self._gone)

    def take_gone(self) -> list[bytes]:
        """Routing ids of clients whose connection has ended on either side; `receive` returns
        nothing more of them."""
        gone, self._gone = self._gone, []
        return gone

    def _make_peer(self) -> _Client:
        self._count += 1
        return _Client(self._count.to_bytes(8, "big"))

    def _read_size(self, connection: Connection[_Client]) -> int:
        return LARGE_READ_BYTES if connection.peer.held_bytes >= READ_BYTES else READ_BYTES

    def _take_in(self, connection: Connection[_Client], data: bytes, now_s: float) -> None:
        self._by_routing_id[connection.peer.routing_id] = connection
        connection.peer.feed(data)
        connection.reads = False
        self._queue(connection)
        self._mind_memory(connection)

    def _is_full(self, connection: Connection[_Client]) -> bool:
        gone = connection.is_gone
        return (
            connection.peer.unanswered >= (MAX_GONE_UNANSWERED if gone else MAX_REQUESTS_UNDER_WAY)
            or len(connection.waiting) >= REPLY_HWM
            or connection.waiting_bytes >= REPLY_HWM_BYTES
        )

    def _unpark(self, connection: Connection[_Client]) -> None:
        if connection.peer.is_parked and connection.is_open and not self._is_full(connection):
            connection.peer.is_parked = False
            self._queue(connection)

    def _queue(self, connection: Connection[_Client]) -> None:
        turns = self._leaving if connection.is_gone else self._turns
        turns.add(connection.pid, connection)

    def _flush(self, connection: Connection[_Client]) -> None:
        super()._flush(connection)
        self._unpark(connection)

    def _tick(self, connection: Connection[_Client], now_s: float) -> None:
        """Not every request gets a reply of its own: a repeated one is answered once."""
        peer = connection.peer
        if peer.is_parked and not peer.was_answered:
            peer.unanswered = 0
        peer.was_answered = False
        self._unpark(connection)
        super()._tick(connection, now_s)

    def _mind_memory(self, connection: Connection[_Client]) -> None:
        if _held_bytes(connection) < WORTH_COUNTING_BYTES:
            return
        held: Counter[int] = Counter()
        for found in self._open.values():
            held[found.pid] += _held_bytes(found)
        if held.total() > MAX_HELD_BYTES:
            [(pid, _)] = held.most_common(1)
            own = (found for found in self._open.values() if found.pid == pid)
            self._end(max(own, key=_held_bytes), "too much memory")

    def _close(self, connection: Connection[_Client]) -> None:
        super()._close(connection)
        if self._by_routing_id.pop(connection.peer.routing_id, None) is not None:
            self._gone.append(connection.peer.routing_id)


def _held_bytes(connection: Connection[_Client]) -> int:
    return connection.peer.held_bytes + connection.waiting_bytes
