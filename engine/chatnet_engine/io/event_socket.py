"""The PUB socket: publications go to the subscribers, and it never waits for one.

A subscriber is read a little at a time, may say little, and is closed beyond that. (10^5
subscriptions, sent in 20 ms, cost libzmq's PUB 50 MB and hold the thread that publishes for a
second.)
"""

from chatnet_engine.io.local_socket import Connection, LocalSocket
from chatnet_engine.io.zmtp import Violation
from chatnet_engine.io.zmtp_pub import Subscriber, publication
from chatnet_protocol.ipc.envelope import TOPICS_BY_NAME
from chatnet_protocol.limits import KIB, MIB

SNDHWM = 128
"""Publications kept for a front end that does not read; it fetches the rest afterwards."""
SNDHWM_BYTES = 8 * MIB
MAX_SUBSCRIBERS = 128
READ_BYTES = 4 * KIB
"""Read of one subscriber in a turn."""
ALLOWANCE_BYTES = 4 * KIB
"""A subscriber may say this much at once ..."""
ALLOWANCE_BYTES_S = 1 * KIB
"""... and this much a second."""


class _Subscriber(Subscriber):
    """With what it may still say."""

    allowance_bytes: float = ALLOWANCE_BYTES

    def wants(self, topic: bytes) -> bool:
        """Those that are for who names them are not part of everything."""
        return topic in self.topics if topic in TOPICS_BY_NAME else super().wants(topic)


class EventSocket(LocalSocket[_Subscriber]):
    """Listens at `path` from its making. Raises OSError when it cannot be bound."""

    carries = "events"

    def __init__(self, path: str, now_s: float) -> None:
        super().__init__(path, now_s, MAX_SUBSCRIBERS)

    def publish(self, topic: bytes, body: bytes) -> None:
        """To all who subscribed to it and read."""
        packed = publication(topic, body)
        for connection in list(self._open.values()):
            if not connection.peer.wants(topic):
                continue
            if _is_behind(connection) and connection in self._to_flush:
                self._flush(connection)
            if connection.is_open and not _is_behind(connection):
                self._send(connection, packed)

    def is_wanted(self, topic: bytes) -> bool:
        """Whether anybody subscribed to it."""
        return any(connection.peer.wants(topic) for connection in self._open.values())

    def _make_peer(self) -> _Subscriber:
        return _Subscriber()

    def _read_size(self, connection: Connection[_Subscriber]) -> int:
        return READ_BYTES

    def _take_in(self, connection: Connection[_Subscriber], data: bytes, now_s: float) -> None:
        peer = connection.peer
        earned = (now_s - connection.last_received_s) * ALLOWANCE_BYTES_S
        peer.allowance_bytes = min(peer.allowance_bytes + earned, ALLOWANCE_BYTES) - len(data)
        if peer.allowance_bytes < 0:
            raise Violation("it says too much")
        peer.feed(data)
        connection.asked_s = now_s


def _is_behind(connection: Connection[_Subscriber]) -> bool:
    return len(connection.waiting) >= SNDHWM or connection.waiting_bytes >= SNDHWM_BYTES
