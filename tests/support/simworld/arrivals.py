"""What reached one engine since its last turn: as much as the product's pump takes in one."""

from collections import Counter

from chatnet_engine.addresses import Addr
from chatnet_engine.clock import Now
from chatnet_engine.io.datagram_budget import LONG_HOLD_S
from chatnet_engine.node.effects import ClientGone
from chatnet_engine.node.node import Node
from chatnet_engine.store_ops.commit import CommitFailed, Committed

DATAGRAMS_AT_ONCE = 64
LARGE = 16
MAX_DATAGRAMS = 256


class Arrivals:
    """In the order of the pump: the world's answers, datagrams, requests of front ends and ends
    of their connections."""

    def __init__(self) -> None:
        self.results: list[object] = []
        self.datagrams: list[tuple[bytes, Addr]] = []
        self.requests: list[tuple[bytes, bytes]] = []
        self.gone: list[ClientGone] = []

    @property
    def committed(self) -> bool:
        """Whether the answer to a transaction is among them."""
        return any(isinstance(result, Committed | CommitFailed) for result in self.results)

    def feed(self, node: Node, now: Now, counts: Counter[str]) -> bool:
        """Hand them to the node; whether some have to wait for the next turn."""
        results, self.results = self.results, []
        for result in results:
            node.handle_io(result, now)  # type: ignore[arg-type]
        taken, self.datagrams = self.datagrams[:MAX_DATAGRAMS], self.datagrams[MAX_DATAGRAMS:]
        for first in range(0, len(taken), DATAGRAMS_AT_ONCE):
            batch = taken[first : first + DATAGRAMS_AT_ONCE]
            counts["batch"] += len(batch) > 1
            counts["large batch"] += len(batch) >= LARGE
            node.handle_datagrams(batch, now)
        if len(taken) >= LARGE:  # as the loop does with busy peers
            busy = {node.peer_of(data) for data, _ in taken}
            node.hold(busy, now.mono_s + LONG_HOLD_S)
            counts["held"] += 1
        requests, self.requests = self.requests, []
        counts["mixed turn"] += bool(results and taken)
        for routing_id, frame in requests:
            node.handle_request(routing_id, [frame], now)
        gone, self.gone = self.gone, []
        for end in gone:
            node.handle_io(end, now)
        return bool(self.datagrams)
