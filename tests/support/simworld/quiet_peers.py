"""Honest peers that keep their links, receipt what comes and say nothing: many of one engine.

`QuietPeer` has neither sockets nor clock: the simulator drives it here, a benchmark on real ones.
"""

from collections.abc import Callable

from chatnet_engine.addresses import Addr
from chatnet_engine.arq import events as arq
from chatnet_engine.arq.connection import Connection
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.wire import messages as wire
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Network

THE_ENGINE = 1
PACKETS = 64


class QuietPeer:
    """One key at one address. It waits to be dialled."""

    def __init__(self, random: Callable[[int], bytes], port: int, now: float) -> None:
        self._random = random
        self._endpoint = Endpoint(
            identity=Identity.from_private_bytes(random(32)),
            incarnation=int.from_bytes(random(8)) | 1,
            local_port=port,
            random=random,
            now=now,
        )
        self._connection: Connection | None = None
        self._acks = 0
        self.linked = False
        """HELLO has been exchanged."""

    def receive(self, data: bytes, source: Addr, now: float) -> list[tuple[bytes, Addr]]:
        """A datagram of the engine; what leaves now."""
        self._endpoint.handle_datagram(data, source, now)
        return self._pump(now)

    def handle_timeout(self, now: float) -> list[tuple[bytes, Addr]]:
        """Time has passed; what leaves now."""
        self._endpoint.handle_timeout(now)
        if self._connection:
            self._connection.handle_timeout(now)
        return self._pump(now)

    def next_timeout(self) -> float:
        """When `handle_timeout` has something to do; infinity: never."""
        dues = [self._endpoint.next_timeout()]
        if self._connection:
            dues.append(self._connection.next_timeout())
        return min((due for due in dues if due is not None), default=float("inf"))

    def _pump(self, now: float) -> list[tuple[bytes, Addr]]:
        endpoint = self._endpoint
        for event in endpoint.take_events():
            match event:
                case secure.Authenticated():
                    endpoint.accept(event.attempt, THE_ENGINE, now)
                case secure.PacketArrived() if self._connection:
                    self._connection.handle_packet(event.number, event.payload, now)
                case _:
                    pass
        for event in endpoint.take_events():
            if isinstance(event, secure.LinkUp) and not event.rekey:
                leads = event.local_incarnation < event.remote_incarnation
                self._connection = Connection(now=now, random=self._random, leads=leads)
                hello = wire.Hello(1, 0, 0, 0, 0, "quiet", False)
                self._connection.set_hello(wire.encode_hello(hello))
        out = endpoint.take_datagrams()
        connection = self._connection
        if connection is None:
            return out
        for arrived in connection.take_events():
            self._take(arrived, connection)
        packets = [(one.number, one.payload) for one in connection.take_packets(now, PACKETS)]
        sealed = endpoint.seal_many(THE_ENGINE, packets, now) if packets else None
        return out + [(data, sealed[1]) for data in sealed[0]] if sealed else out

    def _take(self, event: arq.Event, connection: Connection) -> None:
        if isinstance(event, arq.HelloArrived):
            connection.start_receiving(1)
            connection.start_sending(1)
            self.linked = True
        elif isinstance(event, arq.MessagesArrived) and event.channel == wire.CHANNEL_CONVERSATION:
            count = len(event.messages)
            self._acks += count
            connection.receipt(event.first_number + count - 1, self._acks, count)


class QuietPeers:
    """So many of them in a simulated world, each known to the engine by its address."""

    def __init__(self, clock: Clock, network: Network, engine: SimEngine, count: int) -> None:
        self._clock = clock
        self._network = network
        self._wake_at: dict[Addr, float] = {}
        self.peers: dict[Addr, QuietPeer] = {}
        for number in range(count):
            addr = (f"10.1.{number // 250}.{number % 250 + 1}", 5000)
            self.peers[addr] = QuietPeer(clock.bytes_for(f"quiet {addr}"), 5000, clock.now_s)
            network.listen(addr, self._receiver(addr))
            engine.dial(addr)

    @property
    def linked(self) -> bool:
        """Whether all are."""
        return all(peer.linked for peer in self.peers.values())

    def _receiver(self, addr: Addr) -> Callable[[bytes, Addr], None]:
        def receive(data: bytes, source: Addr) -> None:
            self._send(addr, self.peers[addr].receive(data, source, self._clock.now_s))

        return receive

    def _send(self, addr: Addr, datagrams: list[tuple[bytes, Addr]]) -> None:
        for data, target in datagrams:
            self._network.send(addr, target, data)
        due = self.peers[addr].next_timeout()
        if due < self._wake_at.get(addr, float("inf")):
            self._wake_at[addr] = due
            self._clock.after(max(0.0, due - self._clock.now_s), lambda: self._wake(addr, due))

    def _wake(self, addr: Addr, due: float) -> None:
        if self._wake_at.get(addr) == due:
            del self._wake_at[addr]
            self._send(addr, self.peers[addr].handle_timeout(self._clock.now_s))
