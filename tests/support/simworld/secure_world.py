"""Two or more endpoints on a virtual clock with seeded bad lines between them."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.events import (
    Authenticated,
    Event,
    LinkUp,
    PacketArrived,
    PathChallengeNeeded,
    Refused,
)
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.limits import MAX_PACKET_NUMBER
from chatnet_protocol.wire import datagrams

PING = b"\x01"
PONG = b"\x02"  # no whole frame, so that it counts as content
CHALLENGE = b"\x03"
RESPONSE = b"\x04"
LIVENESS_S = 15.0
KEEPALIVE_S = 10.0
PROBE_S = 1.0


@dataclass
class Line:
    """What the network does to each datagram."""

    loss: float = 0.0
    duplicate: float = 0.0
    min_delay_s: float = 0.05
    max_delay_s: float = 0.05


@dataclass
class Peer:
    """The owner's side of one link: a stand-in for the ARQ."""

    key: bytes | None = None
    link: tuple[int, int] | None = None
    next_number: int = 0
    last_heard: float = 0.0
    unanswered_since: float | None = None
    last_probe: float = 0.0
    last_sent: float = 0.0
    arrived: list[tuple[int, int, bytes]] = field(default_factory=list)


class Node:
    """An endpoint with the smallest owner that keeps a link alive."""

    def __init__(
        self,
        world: "World",
        name: str,
        addr: Addr,
        *,
        key: bytes | None = None,
        config: SecureConfig | None = None,
        liveness: bool = True,
    ) -> None:
        self.world = world
        self.addr = addr
        world.born += 1
        self.rng = random.Random(f"{world.seed} {name} {world.born}")
        self.identity = Identity.from_private_bytes(key or self.rng.randbytes(32))
        self.endpoint = Endpoint(
            identity=self.identity,
            incarnation=self.rng.getrandbits(64),
            local_port=addr[1],
            random=self.rng.randbytes,
            now=world.now,
            config=config,
        )
        self.peers: dict[int, Peer] = {}
        self.events: list[Event] = []
        self.liveness = liveness
        self.alive = True
        self.talkative = True
        self.decide: Callable[[Authenticated], int | None] = self.first_contact

    def first_contact(self, event: Authenticated) -> int | None:
        """Pin the only typed peer on first contact; refuse any other key."""
        for number, peer in self.peers.items():
            if peer.key == event.key:
                return number
        for number, peer in self.peers.items():
            if peer.key is None:
                peer.key = event.key
                return number
        return None

    def dial(self, number: int, *addrs: Addr, psk: bytes | None = None) -> None:
        peer = self.peers.setdefault(number, Peer())
        self.endpoint.dial(number, addrs, self.world.now, remote_key=peer.key, psk=psk)
        self.endpoint.set_urgent(number, True)
        self.flush()

    def receive(self, data: bytes, source: Addr) -> None:
        if self.alive:
            self.endpoint.handle_datagram(data, source, self.world.now)
            self.flush()

    def tick(self) -> None:
        now = self.world.now
        if not self.alive:
            return
        when = self.endpoint.next_timeout()
        if when is not None and now >= when:
            self.endpoint.handle_timeout(now)
        self.flush()
        for number, peer in self.peers.items():
            self._keep_alive(number, peer, now)
        self.flush()

    def send(self, number: int, payload: bytes) -> bool:
        peer = self.peers[number]
        sealed = self.endpoint.seal(number, peer.next_number, payload)
        peer.next_number += 1
        peer.last_sent = self.world.now
        self._flush_datagrams()
        if sealed is not None:
            self.world.transmit(self, *sealed)
        return sealed is not None

    def flush(self) -> None:
        """Answer events until there are none, and send what came of it."""
        while events := self.endpoint.take_events():
            self.events.extend(events)
            for event in events:
                self._on(event)
        self._flush_datagrams()

    def count(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    def current(self, number: int = 1) -> bytes | None:
        status = self.endpoint.peer_status(number)
        return None if status is None else status.slots[1]

    def _flush_datagrams(self) -> None:
        for data, to in self.endpoint.take_datagrams():
            self.world.transmit(self, data, to)

    def _on(self, event: Event) -> None:
        now = self.world.now
        if isinstance(event, Authenticated):
            number = self.decide(event)
            if number is None:
                self.endpoint.refuse(event.attempt, b"refused", now)
            else:
                self.endpoint.accept(event.attempt, number, now)
        elif isinstance(event, LinkUp):
            peer = self.peers.setdefault(event.peer, Peer())
            link = (event.local_incarnation, event.remote_incarnation)
            assert event.rekey == (peer.link == link)
            if not event.rekey:
                peer.link, peer.next_number, peer.unanswered_since = link, 0, None
            self._flush_datagrams()
            self.send(event.peer, PING)
        elif isinstance(event, PacketArrived):
            self._on_packet(event, now)
        elif isinstance(event, PathChallengeNeeded):
            self.send(event.peer, CHALLENGE + event.token)
        elif isinstance(event, Refused):
            self.peers[event.peer].link = None

    def _on_packet(self, event: PacketArrived, now: float) -> None:
        peer = self.peers[event.peer]
        assert peer.link is not None
        assert peer.link[1] == event.remote_incarnation
        peer.last_heard = now
        peer.unanswered_since = None
        peer.arrived.append((event.remote_incarnation, event.number, event.payload))
        kind, body = event.payload[:1], event.payload[1:9]
        if kind == PING:
            self.send(event.peer, PONG)
        elif kind == CHALLENGE:
            self.send(event.peer, RESPONSE + body)
        elif kind == RESPONSE:
            self.endpoint.path_validated(event.peer, body, now)

    def _keep_alive(self, number: int, peer: Peer, now: float) -> None:
        status = self.endpoint.peer_status(number)
        if status is None or not status.usable or not self.talkative:
            return
        waiting = peer.unanswered_since is not None
        due = peer.last_probe + (PROBE_S if waiting else KEEPALIVE_S)
        if now >= due:
            peer.last_probe = now
            if peer.unanswered_since is None:
                peer.unanswered_since = now
            self.send(number, PING)
        if self.liveness and waiting and now >= (peer.unanswered_since or now) + LIVENESS_S:
            self.endpoint.rehandshake(number, now)


class World:
    """The clock, the lines and the wiretap."""

    def __init__(self, seed: int, line: Line | None = None) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.now = 1000.0
        self.line = line or Line()
        self.nodes: list[Node] = []
        self.at: dict[Addr, Node] = {}
        self.wire: list[tuple[float, int, Addr, Addr, bytes]] = []
        self.captured: list[tuple[bytes, Addr, Addr]] = []
        self.capture = False
        self.sent = 0
        self.born = 0
        self.filter: Callable[[bytes, Addr, Addr], bool] = lambda data, source, to: True

    def add(self, name: str, addr: Addr, **options: object) -> Node:
        node = Node(self, name, addr, **options)  # type: ignore[arg-type]
        self.nodes.append(node)
        self.at[addr] = node
        return node

    def move(self, node: Node, addr: Addr) -> None:
        """The node's packets now come from `addr`, and its old address is dead."""
        del self.at[node.addr]
        node.addr = addr
        self.at[addr] = node

    def transmit(self, node: Node, data: bytes, to: Addr) -> None:
        if self.capture:
            self.captured.append((data, node.addr, to))
        if not self.filter(data, node.addr, to):
            return
        line = self.line
        if self.rng.random() < line.loss:
            return
        copies = 2 if self.rng.random() < line.duplicate else 1
        for _ in range(copies):
            delay = self.rng.uniform(line.min_delay_s, line.max_delay_s)
            self.inject(data, node.addr, to, delay)

    def instead(self, data: bytes, source: Addr, to: Addr, delay: float) -> bool:
        """Inject this; False, as the answer of a filter about the datagram it replaces."""
        self.inject(data, source, to, delay)
        return False

    def inject(self, data: bytes, source: Addr, to: Addr, delay: float = 0.0) -> None:
        self.sent += 1
        heapq.heappush(self.wire, (self.now + delay, self.sent, source, to, data))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Advance; True as soon as `until` holds."""
        end = self.now + seconds
        next_tick = self.now
        while True:
            if until is not None and until():
                return True
            wake = [end, next_tick]
            if self.wire:
                wake.append(self.wire[0][0])
            for node in self.nodes:
                when = node.endpoint.next_timeout() if node.alive else None
                if when is not None:
                    wake.append(when)
            self.now = max(self.now, min(wake))
            if self.now >= end:
                return until is not None and until()
            while self.wire and self.wire[0][0] <= self.now:
                _, _, source, to, data = heapq.heappop(self.wire)
                if to in self.at:
                    self.at[to].receive(data, source)
            if self.now >= next_tick:
                next_tick = self.now + 0.25
            for node in self.nodes:
                node.tick()


A: Addr = ("10.0.0.1", 1001)
B: Addr = ("10.0.0.2", 1002)


def two(seed: int, line: Line | None = None, **options: object) -> tuple[World, Node, Node]:
    """Two nodes that dial each other."""
    world = World(seed, line)
    a, b = world.add("a", A, **options), world.add("b", B, **options)
    a.dial(1, B)
    b.dial(1, A)
    return world, a, b


def is_data(data: bytes) -> bool:
    """Whether a datagram carries a packet, and not the end of a handshake."""
    return data[0] == datagrams.DATA and (
        datagrams.DATA_HEADER.unpack_from(data)[2] < MAX_PACKET_NUMBER
    )


def agreed(a: Node, b: Node) -> bool:
    """Both hold the same confirmed session."""
    return a.current() is not None and a.current() == b.current()
