"""What the parts of one endpoint share: who we are, the receiver indices, and the outputs.

Owns the table from receiver index to its holder, so that an index is never given twice. Decides
nothing.
"""

from collections.abc import Callable
from typing import Final

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import Counters, Event
from chatnet_engine.secure.handshake import HalfOpen, Initiation
from chatnet_engine.secure.identity import Identity
from chatnet_engine.secure.incarnations import Incarnations
from chatnet_engine.secure.initiating import Initiating
from chatnet_engine.secure.session import Session
from chatnet_protocol.wire.datagrams import LinkIdentity

MAX_OUTBOX: Final = 2048
"""Handshake datagrams waiting for take_datagrams; more are dropped, as a network would."""


class Local:
    """Shared by the endpoint, its responder and its peers; each changes only what it made."""

    def __init__(
        self,
        *,
        identity: Identity,
        incarnation: int,
        port: int,
        random: Callable[[int], bytes],
        config: SecureConfig,
    ) -> None:
        self.identity = identity
        self.incarnations = Incarnations(incarnation, random)
        self.port = port
        self.random = random
        self.config = config
        self.counters = Counters()
        self.events: list[Event] = []
        self.outbox: list[tuple[bytes, Addr]] = []
        self.sessions: dict[int, Session] = {}
        self.initiations: dict[int, Initiation] = {}
        self.half_open: dict[int, HalfOpen] = {}
        self.initiating = Initiating()
        self.unannounced: set[int] = set()
        """Peers whose LinkUp the caller has not taken yet: nothing is sealed for them."""
        self.changed: set[int] = set()
        """Peers whose timers may be others than when their deadlines were put."""

    def send(self, datagram: bytes, addr: Addr) -> None:
        """Queue a handshake datagram."""
        if len(self.outbox) < MAX_OUTBOX:
            self.outbox.append((datagram, addr))

    def draw_index(self) -> int:
        """A random receiver index that nobody holds."""
        while True:
            index = int.from_bytes(self.random(4), "little")
            taken = index in self.sessions or index in self.initiations or index in self.half_open
            if not taken:
                return index

    def own(self, incarnation: int, index: int = 0) -> LinkIdentity:
        """What we say of ourselves in RESP and FIN."""
        return LinkIdentity(incarnation=incarnation, port=self.port, index=index)
