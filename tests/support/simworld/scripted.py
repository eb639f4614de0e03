"""A peer that has its key right and does with it what the test says: no engine, just a link."""

from chatnet_engine.addresses import Addr
from chatnet_engine.arq import events as arq
from chatnet_engine.arq.connection import Connection
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.wire import messages as wire
from simworld.clock import Clock
from simworld.network import Network

TICK_S = 0.005


class ScriptedPeer:
    """Dials `target` and makes a link; `quiet` keeps its honest half from sending anything."""

    def __init__(self, clock: Clock, network: Network, addr: Addr, target: Addr) -> None:
        self._clock = clock
        self._network = network
        self.addr = addr
        self._target = target
        random = clock.bytes_for(f"scripted {addr}")
        self._random = random
        self.endpoint = Endpoint(
            identity=Identity.from_private_bytes(random(32)),
            incarnation=int.from_bytes(random(8)) | 1,
            local_port=addr[1],
            random=random,
            now=clock.now_s,
        )
        self.connection: Connection | None = None
        self.events: list[arq.Event] = []
        self.quiet = False
        self._left = False
        network.listen(addr, self._receive)
        self.dial()
        self._tick()

    def dial(self) -> None:
        """Try until there is a session."""
        self.endpoint.dial(1, [self._target], self._clock.now_s, remote_key=None)

    def leave(self) -> None:
        """Nothing of it is there any more; `raw` and `send` still work."""
        self._left = True

    def hello(self) -> bytes:
        """The body of HELLO of one who knows nothing."""
        return wire.encode_hello(wire.Hello(1, 0, 0, 0, 0, "scripted", False))

    def raw(self, frames: bytes) -> bytes:
        """A datagram of one packet with exactly these frames; the caller sends it."""
        assert self.connection
        number = self.connection._sender.numbers.take()
        sealed = self.endpoint.seal(1, number, frames)
        assert sealed, "no session"
        return sealed[0]

    def send(self, *datagrams: bytes) -> None:
        """Put them on the line."""
        for data in datagrams:
            self._network.send(self.addr, self._target, data)

    def _receive(self, data: bytes, source: Addr) -> None:
        if self._left:
            return
        self.endpoint.handle_datagram(data, source, self._clock.now_s)
        self._pump()

    def _tick(self) -> None:
        if self._left:
            return
        self.endpoint.handle_timeout(self._clock.now_s)
        self._pump()
        self._clock.after(TICK_S, self._tick)

    def _pump(self) -> None:
        now = self._clock.now_s
        for event in self.endpoint.take_events():
            match event:
                case secure.Authenticated():
                    self.endpoint.accept(event.attempt, 1, now)
                case secure.LinkUp(rekey=False):
                    self.connection = Connection(now=now, random=self._random)
                    self.connection.set_hello(self.hello())
                case secure.PacketArrived() if self.connection:
                    self.connection.handle_packet(event.number, event.payload, now)
                case _:
                    pass
        if self.connection and not self.quiet:
            self._serve(self.connection, now)
        self.send(*(data for data, _ in self.endpoint.take_datagrams()))

    def _serve(self, connection: Connection, now: float) -> None:
        due = connection.next_timeout()
        if due is not None and due <= now:
            connection.handle_timeout(now)
        for event in connection.take_events():
            self.events.append(event)
            if isinstance(event, arq.HelloArrived):
                connection.start_receiving(1)
                connection.start_sending(1)
        packets = [(one.number, one.payload) for one in connection.take_packets(now, 64)]
        sealed = self.endpoint.seal_many(1, packets, now) if packets else None
        if sealed:
            self.send(*sealed[0])
