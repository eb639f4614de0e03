"""Everything behind one UDP socket: who is there, and sealed packets to and from them.

Feed it datagrams and time; drain datagrams and events after every input. The caller answers
each Authenticated with accept or refuse, gives each packet the number its ARQ allocated, and sends
what take_datagrams returns before what seal returned. Nothing that is not authenticated changes
more than counters and the bounded table of half-open handshakes.
"""

from collections.abc import Callable, Mapping, Sequence

from chatnet_engine.addresses import Addr
from chatnet_engine.deadlines import Deadlines
from chatnet_engine.secure.claims import PendingHandshakes
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.dial import Dial
from chatnet_engine.secure.events import (
    Event,
    PacketArrived,
    PeerStatus,
    VersionSeen,
)
from chatnet_engine.secure.handshake import Initiation
from chatnet_engine.secure.identity import Identity
from chatnet_engine.secure.local import Local
from chatnet_engine.secure.peer import PeerLink
from chatnet_engine.secure.responder import Responder
from chatnet_protocol.errors import DecodeError, LocalProtocolError
from chatnet_protocol.limits import MAX_PACKET_NUMBER
from chatnet_protocol.version import WIRE_VERSION
from chatnet_protocol.wire import datagrams

_MIN_DATA_BYTES = 32


class Endpoint:
    """The secure link of one engine to all its peers."""

    def __init__(
        self,
        *,
        identity: Identity,
        incarnation: int,
        local_port: int,
        random: Callable[[int], bytes],
        now: float,
        config: SecureConfig | None = None,
    ) -> None:
        """`incarnation`: 64 random bits drawn when the engine starts."""
        self._now = now
        self._local = Local(
            identity=identity,
            incarnation=incarnation,
            port=local_port,
            random=random,
            config=config or SecureConfig(),
        )
        self._responder = Responder(self._local, now)
        self._links: dict[int, PeerLink] = {}
        self._deadlines: Deadlines[int] = Deadlines()
        self._claims = PendingHandshakes(self._local)
        self.counters = self._local.counters
        """Live; for people and tests."""

    # --- inputs ---------------------------------------------------------------------------------

    def peer_of(self, data: bytes) -> int:
        """Number of the peer whose session a DATA names, 0 for none; nothing is authenticated."""
        is_data = len(data) >= _MIN_DATA_BYTES and data[0] == datagrams.DATA
        session = self._local.sessions.get(datagrams.peek_index(data)) if is_data else None
        return session.peer if session else 0

    def handle_datagram(self, data: bytes, addr: Addr, now: float) -> None:
        """Anything that arrived on the socket. Never raises for what is in it."""
        self._now = now
        kind = data[0] if len(data) >= datagrams.HEADER_BYTES else 0
        if kind == datagrams.DATA:
            self._handle_data(data, addr, now)
            return
        if kind == datagrams.INIT and data[1] == WIRE_VERSION:
            self._responder.handle_init(data, addr, now)
            return
        if kind == datagrams.VERSION:
            self._handle_version(data, addr)
        elif kind and data[1] != WIRE_VERSION:
            self._handle_other_version(data, addr, now)
        elif kind == datagrams.RESP:
            self._handle_resp(data, addr, now)
        elif kind == datagrams.FIN:
            self._handle_fin(data, addr, now)
        elif kind == datagrams.COOKIE:
            self._handle_cookie(data, addr, now)
        else:
            self._local.counters.dropped_malformed += 1

    def handle_timeout(self, now: float) -> None:
        """Do what is due; harmless when nothing is."""
        self._now = now
        self._responder.handle_timeout(now)
        self._note_changed()
        for peer in self._deadlines.take_due(now):
            self._links[peer].handle_timeout(now)
            self._local.changed.add(peer)
        self._claims.handle_timeout(now)

    # --- asks -----------------------------------------------------------------------------------

    def dial(
        self,
        peer: int,
        addrs: Sequence[Addr],
        now: float,
        *,
        remote_key: bytes | None,
        psk: bytes | None = None,
        at_once: bool = False,
    ) -> None:
        """Keep trying to have a session with `peer` at these addresses until hang_up.

        States the wanted end: repeating it is harmless, other arguments replace the former ones.
        `remote_key`: the pinned key, if any. `psk`: 32 bytes of an invite, for a first contact.
        `at_once`: an INIT goes out now, whatever the pause since the last one was to be.
        """
        config = self._local.config
        if len(addrs) > config.max_dial_addrs:
            raise LocalProtocolError(f"more than {config.max_dial_addrs} addresses for one peer")
        link = self._link(peer, now)
        link.set_dial(Dial(addrs, remote_key, psk), now, at_once=at_once)
        self._due(link, now)

    def set_urgent(self, peer: int, urgent: bool) -> None:
        """Whether something waits for this peer: INITs are then at most 2 s apart."""
        link = self._links.get(peer)
        if link is not None:
            link.set_urgent(urgent, self._now)
            self._local.changed.add(peer)

    def hang_up(self, peer: int) -> None:
        """Stop dialling and forget all sessions. Send a CLOSE first if the peer should know."""
        link = self._links.pop(peer, None)
        if link is None:
            return
        link.erase(renew=True)
        self._local.changed.add(peer)

    def end_link(
        self, peer: int, now: float, *, pause_s: float = 0.0, by_peer: bool = False
    ) -> None:
        """Forget the sessions, so that the next one makes a new link; a dial goes on.

        Draws a new incarnation for this key, which makes the link new at its next handshake; not
        when the peer sent the CLOSE (`by_peer`) and will come with a new one.
        """
        link = self._links.get(peer)
        if link is None:
            return
        link.erase(renew=not by_peer)
        link.hold(now + pause_s)
        self._due(link, now)

    def accept(self, attempt: int, peer: int, now: float) -> bool:
        """The key of `attempt` is `peer`. Announces LinkUp, at once or when confirmed. False: it
        makes no session (incarnations.py), and the peer will come again."""
        proof, origin = self._claims.take(attempt)
        link = self._link(peer, now)
        counters = self._local.counters
        if isinstance(origin, Initiation):
            owner = self._links.get(origin.peer)
            if owner is not None:
                owner.consume_initiation(origin)
                self._local.changed.add(origin.peer)
            taken = link.initiated(proof, origin, now)
            counters.handshakes_initiated += taken
        else:
            taken = link.responded(proof, origin.addrs, now)
            counters.handshakes_responded += taken
        counters.dropped_stale += not taken
        self._due(link, now)
        return taken

    def refuse(self, attempt: int, payload: bytes, now: float) -> None:
        """Turn the key of `attempt` away. `payload` is a CLOSE frame, or empty: no answer.

        As responder it is sealed to the other side, which pauses its dial. As initiator nothing
        is sent: our key is not shown to one we do not trust; the dial goes on, for the right one.
        """
        proof, origin = self._claims.take(attempt)
        self._local.counters.handshakes_refused += 1
        if isinstance(origin, Initiation):
            if len(origin.refused_keys) < self._local.config.max_pending:
                origin.refused_keys.append(proof.key)
            return
        if not payload:
            return
        session = proof.session(0, now)
        sealed = session.seal_control(datagrams.REFUSE_NUMBER, payload)
        self._responder.remember_refusal(proof, sealed, now)

    def set_invites(self, invites: Mapping[int, bytes]) -> None:
        """Secrets (32 bytes, by a number of the owner's) under which strangers may come."""
        if len(invites) > self._local.config.max_invites:
            raise LocalProtocolError(f"more than {self._local.config.max_invites} open invites")
        self._responder.invites = dict(invites)

    def seal(self, peer: int, number: int, payload: bytes) -> tuple[bytes, Addr] | None:
        """The DATA datagram for a packet number, and where to send it.

        None when no session can seal, or the peer's new address may not get more yet. Numbers
        must rise; LocalProtocolError otherwise.
        """
        sealed = self.seal_many(peer, ((number, payload),), self._now)
        return None if sealed is None else (sealed[0][0], sealed[1])

    def seal_many(
        self, peer: int, packets: Sequence[tuple[int, bytes]], now: float
    ) -> tuple[list[bytes], Addr] | None:
        """seal for several packets (number, payload); may return fewer datagrams."""
        link = self._links.get(peer)
        return None if link is None else link.seal_many(packets, now)

    def rehandshake(self, peer: int, now: float) -> None:
        """Make a new session beside the present one: 15 s of sending were unanswered."""
        link = self._links.get(peer)
        if link is not None:
            link.rehandshake(now)
            self._due(link, now)

    def path_validated(self, peer: int, token: bytes, now: float) -> None:
        """The peer echoed a challenge token."""
        link = self._links.get(peer)
        if link is not None:
            link.path_validated(token)
            self._local.changed.add(peer)

    # --- outputs --------------------------------------------------------------------------------

    @property
    def has_news(self) -> bool:
        """Whether anything came of what was handled: something to take, or another deadline."""
        return bool(self._local.events or self._local.outbox or self._local.changed)

    def take_datagrams(self) -> list[tuple[bytes, Addr]]:
        """Handshake datagrams to send, before any sealed ones."""
        taken, self._local.outbox = self._local.outbox, []
        return taken

    def take_events(self) -> list[Event]:
        """What happened, in order. Until it is taken nothing is sealed for a new link."""
        taken, self._local.events = self._local.events, []
        self._local.unannounced.clear()
        return taken

    def next_timeout(self) -> float | None:
        """When handle_timeout is wanted next; None for never."""
        self._note_changed()
        due = self._deadlines.next_timeout()
        when = min(self._responder.next_timeout(), self._claims.next_timeout())
        when = when if due is None else min(when, due)
        return None if when == float("inf") else when

    def incarnation(self, key: bytes = b"") -> int:
        """What the next handshake with this key says of us; without one: with a stranger."""
        return self._local.incarnations.of(key)

    def peer_status(self, peer: int) -> PeerStatus | None:
        """How a peer is reached; None for one that is neither dialled nor connected."""
        link = self._links.get(peer)
        return None if link is None else link.status(self._now)

    # --- inside ---------------------------------------------------------------------------------

    def _handle_data(self, data: bytes, addr: Addr, now: float) -> None:
        local = self._local
        counters = local.counters
        if len(data) < _MIN_DATA_BYTES:
            counters.dropped_malformed += 1
            return
        _, index, number = datagrams.DATA_HEADER.unpack_from(data)
        session = local.sessions.get(index)
        if session is None:
            counters.dropped_unknown_index += 1
            return
        if now >= session.ends_at(local.config):
            counters.dropped_expired += 1
            return
        if number >= MAX_PACKET_NUMBER:
            self._handle_control(session.peer, index, number, data, addr, now)
            return
        window = session.window
        if number <= window.highest and not window.is_fresh(number):
            counters.dropped_replayed += 1
            return
        payload = session.open(data)
        if payload is None:
            counters.dropped_forged += 1
            return
        window.mark(number)
        counters.packets_opened += 1
        peer = session.peer
        if not session.carried and session.carry((payload,), local.config, now):
            local.changed.add(peer)
        self._links[peer].packet_received(session, number, len(data), addr, now)
        local.events.append(PacketArrived(peer, session.link[1], number, payload, addr))

    def _handle_control(
        self, peer: int, index: int, number: int, data: bytes, addr: Addr, now: float
    ) -> None:
        session = self._local.sessions[index]
        payload = session.open(data)
        if payload is None:
            self._local.counters.dropped_forged += 1
            return
        self._local.changed.add(peer)
        if number == datagrams.CONFIRM_NUMBER:
            self._links[peer].confirm_received(session, addr, now)
        elif number == datagrams.REFUSE_NUMBER:
            self._links[peer].refusal_received(session, payload, addr, now)

    def _handle_resp(self, data: bytes, addr: Addr, now: float) -> None:
        counters = self._local.counters
        try:
            answer = datagrams.decode_resp(data)
        except DecodeError:
            counters.dropped_malformed += 1
            return
        initiation = self._local.initiations.get(answer.index)
        if initiation is None:
            counters.dropped_unknown_index += 1
            return
        try:
            proof = initiation.read_resp(answer, addr)
        except DecodeError:
            counters.dropped_forged += 1
            return
        if proof.key in initiation.refused_keys:
            counters.dropped_refused_key += 1
            return
        self._claims.ask(proof, initiation, initiation.peer, now)

    def _handle_fin(self, data: bytes, addr: Addr, now: float) -> None:
        index = datagrams.peek_index(data)
        session = self._local.sessions.get(index)
        if session is not None:
            if not session.initiator and session.fin == data:
                self._links[session.peer].confirm(session, addr)
            return
        completed = self._responder.handle_fin(data, addr)
        if completed is None:
            return
        half_open, proof = completed
        self._claims.ask(proof, half_open, None, now)

    def _handle_cookie(self, data: bytes, addr: Addr, now: float) -> None:
        local = self._local
        try:
            reply = datagrams.decode_cookie(data)
        except DecodeError:
            local.counters.dropped_malformed += 1
            return
        initiation = local.initiations.get(reply.index)
        if initiation is None or addr not in local.initiating:
            local.counters.dropped_unknown_index += 1
            return
        if initiation.take_cookie(addr, reply.cookie):
            local.counters.cookies_received += 1
            self._links[initiation.peer].send_init(initiation, addr, now, has_cookie=True)
            self._local.changed.add(initiation.peer)

    def _handle_version(self, data: bytes, addr: Addr) -> None:
        initiation = self._local.initiations.get(datagrams.peek_index(data))
        if initiation is None or addr not in self._local.initiating:
            self._local.counters.dropped_unknown_index += 1
            return
        self._local.events.append(VersionSeen(addr, datagrams.peek_version(data)))

    def _handle_other_version(self, data: bytes, addr: Addr, now: float) -> None:
        if data[0] != datagrams.INIT:
            self._local.counters.dropped_version += 1
            return
        self._responder.handle_version(data, addr, now)

    def _link(self, peer: int, now: float) -> PeerLink:
        link = self._links.get(peer)
        if link is None:
            if len(self._links) >= self._local.config.max_links:
                raise LocalProtocolError("too many links")
            link = self._links[peer] = PeerLink(peer, self._local, now)
        return link

    def _due(self, link: PeerLink, now: float) -> None:
        """An ask may have made something due at once."""
        self._now = now
        link.handle_timeout(now)
        self._local.changed.add(link.number)

    def _note_changed(self) -> None:
        """Put the deadlines of the peers whose timers may be others."""
        changed, self._local.changed = self._local.changed, set()
        for peer in changed:
            link = self._links.get(peer)
            self._deadlines.put(peer, None if link is None else link.next_timeout())
