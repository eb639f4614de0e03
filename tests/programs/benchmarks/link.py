"""The product's link: `secure.Endpoint` and `arq.Connection`, without store and front ends."""

import os
from collections.abc import Callable

from chatnet_engine.addresses import Addr
from chatnet_engine.arq import events as arq
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.connection import Connection
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.wire.messages import CHANNEL_CONVERSATION

PEER = 1
PACKETS_A_CALL = 32
"""The other end handles them while the next ones are made."""


class Link:
    """One end, without its socket; what it receives is receipted at once."""

    def __init__(
        self, addr: Addr, *, sends: bool, now: float, config: ArqConfig | None = None
    ) -> None:
        """`addr`: where the end that does not dial listens."""
        self._config = config or ArqConfig()
        self._endpoint = Endpoint(
            identity=Identity.from_private_bytes(os.urandom(32)),
            incarnation=int.from_bytes(os.urandom(8), "big") | 1,
            local_port=0 if sends else addr[1],
            random=os.urandom,
            now=now,
        )
        self.connection: Connection | None = None
        self.is_open = False
        """The other end's HELLO is here: messages may be queued."""
        self._unsent: list[bytes] = []
        self._in: list[bytes] = []
        self._received = 0
        if sends:
            self._endpoint.dial(PEER, [addr], now, remote_key=None)

    def send(self, message: bytes, now: float) -> None:
        """A message for the other side."""
        self._unsent.append(message)

    def send_many(self, messages: list[bytes]) -> None:
        """As many as the connection has credit for."""
        self._unsent += messages

    def handle(self, data: bytes, addr: Addr, now: float) -> None:
        """A datagram has come."""
        self.handle_many([(data, addr)], now)

    def handle_many(self, batch: list[tuple[bytes, Addr]], now: float) -> None:
        """Datagrams have come; what is in them is taken in together, as the engine does."""
        for data, addr in batch:
            self._endpoint.handle_datagram(data, addr, now)
        while events := self._endpoint.take_events():
            for event in events:
                self._handle_event(event, now)
        self._take_events(now)

    def messages(self) -> list[bytes]:
        """What arrived since the last call."""
        arrived, self._in = self._in, []
        return arrived

    def take(self, now: float) -> list[tuple[bytes, Addr]]:
        """The datagrams that leave now; more may be due at once."""
        self._handle_due(self._endpoint.next_timeout(), self._endpoint.handle_timeout, now)
        connection, sealed = self.connection, []
        if connection is not None:
            self._handle_due(connection.next_timeout(), connection.handle_timeout, now)
            if self._unsent and self.is_open:
                connection.queue(CHANNEL_CONVERSATION, self._unsent)
                self._unsent = []
            packets = connection.take_packets(now, PACKETS_A_CALL)
            numbered = [(packet.number, packet.payload) for packet in packets]
            if numbered and (out := self._endpoint.seal_many(PEER, numbered, now)):
                sealed = [(datagram, out[1]) for datagram in out[0]]
            self._take_events(now)
        return self._endpoint.take_datagrams() + sealed

    def next_s(self) -> float:
        """When `take` has something to do, at the latest."""
        dues = [self._endpoint.next_timeout()]
        if self.connection is not None:
            dues.append(self.connection.next_timeout())
        return min((due for due in dues if due is not None), default=float("inf"))

    @staticmethod
    def _handle_due(due: float | None, handle: Callable[[float], None], now: float) -> None:
        if due is not None and due <= now:
            handle(now)

    def _handle_event(self, event: secure.Event, now: float) -> None:
        match event:
            case secure.PacketArrived() if self.connection is not None:
                self.connection.handle_packet(event.number, event.payload, now)
            case secure.Authenticated():
                self._endpoint.accept(event.attempt, PEER, now)
            case secure.PathChallengeNeeded() if self.connection is not None:
                self.connection.challenge(event.token)
            case secure.LinkUp(rekey=False):
                leads = event.local_incarnation < event.remote_incarnation
                self.connection = Connection(
                    now=now, random=os.urandom, config=self._config, leads=leads
                )
                self.connection.assume_rtt(event.rtt_s)
                self.connection.set_hello(b"bench")
            case _:
                pass

    def _take_events(self, now: float) -> None:
        connection = self.connection
        if connection is None:
            return
        for event in connection.take_events():
            match event:
                case arq.HelloArrived():
                    connection.start_receiving(1)
                    connection.start_sending(1)
                    self.is_open = True
                case arq.MessagesArrived():
                    self._in += map(bytes, event.messages)
                    count = len(event.messages)
                    self._received += count
                    last = event.first_number + count - 1
                    connection.receipt(last, self._received, count)
                case arq.PathResponded():
                    self._endpoint.path_validated(PEER, event.token, now)
                case _:
                    pass
