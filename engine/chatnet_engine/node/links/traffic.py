"""Moves data through the links: from the endpoint to a link, from a link to its subjects, and
back."""

from collections.abc import Callable
from typing import assert_never

from chatnet_engine.addresses import Addr
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.held import HeldTotal
from chatnet_engine.clock import Now
from chatnet_engine.node.config import NodeConfig
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.links.link import TRIED, close_in
from chatnet_engine.node.links.link_traces import trace_secure
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.people.gate import Gate
from chatnet_engine.node.people.peers import Meaning, Peers
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.trace import Kind, LinkTracer, describe
from chatnet_protocol.errors import DecodeError, RemoteProtocolError
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.version import WIRE_VERSION

PACKETS_PER_TURN = 64
"""A busy link lets the others, the store and the front ends have their turn."""


class Traffic:
    """The traffic of all links. `Links` decides about their states."""

    def __init__(
        self,
        config: NodeConfig,
        endpoint: Endpoint,
        gate: Gate,
        peers: Peers,
        links: Links,
        touch: Callable[[int], None],
        random: Callable[[int], bytes],
    ) -> None:
        self._config, self._trace = config, config.trace
        self._endpoint = endpoint
        self._gate = gate
        self._peers = peers
        self._links = links
        self._sessions = links.sessions
        self._touch = touch
        self._random = random
        self.held = HeldTotal()

    # --- in ---

    def handle_events(self, now: Now) -> tuple[set[int], dict[int, str]]:
        """Take in the endpoint's events; the peers on whose links something arrived, and
        those that could not be handled, with the traceback."""
        touched: set[int] = set()
        broken: dict[int, str] = {}
        while events := self._endpoint.take_events():  # answering some brings up more
            for event in events:
                self._gate.begin()
                try:
                    self._handle_event(event, touched, now)
                except Exception as error:
                    if not self._config.contain:
                        raise
                    peer = self._peer_of(event)
                    broken |= dict.fromkeys(self._gate.roll_back() or {peer}, describe(error))
        return touched, broken

    def _peer_of(self, event: secure.Event) -> int:
        """0: nobody's."""
        match event:
            case secure.Authenticated():
                owner = self._peers.by_key(event.key)
                return event.peer_hint or (owner.peer if owner else 0)
            case secure.VersionSeen():
                return 0
            case _:
                return event.peer

    def _handle_event(self, event: secure.Event, touched: set[int], now: Now) -> None:
        trace_secure(self._trace, event)
        match event:
            case secure.PacketArrived():
                self._packet(event, touched, now)
            case secure.Authenticated():
                self._authenticated(event, now)
            case secure.LinkUp():
                self._link_up(event, now)
                touched.add(event.peer)
            case secure.Reflected():
                if link := self._links.get(event.peer):
                    link.hint(reason(LinkReason.OWN_ADDRESS), now)
            case secure.VersionSeen():
                seen = reason(LinkReason.OTHER_VERSION, event.version, WIRE_VERSION)
                for row in self._peers:
                    link = self._links.get(row.peer)
                    if link and event.addr in self._links.names.dial_addrs(row):
                        link.hint(seen, now)
            case secure.Roamed():
                self._roamed(event, now)
            case secure.Refused():
                self._handle_refused(event, now)
            case secure.PathChallengeNeeded():
                if session := self._sessions.get(event.peer):
                    session.challenge(event.token)
                    touched.add(event.peer)
            case secure.SessionExpired():
                pass  # the peer is dialled again, and the link may go on
            case _:
                assert_never(event)

    def _packet(self, event: secure.PacketArrived, touched: set[int], now: Now) -> None:
        session = self._sessions.get(event.peer)
        if session is None or session.remote_incarnation != event.remote_incarnation:
            return
        try:
            session.handle_packet(event.number, event.payload, now.mono_s)
        except (RemoteProtocolError, DecodeError) as error:
            self._links.violated(event.peer, str(error), now)
        if session.connection.has_events:
            touched.add(event.peer)

    def _authenticated(self, event: secure.Authenticated, now: Now) -> None:
        typed_at, refused = self._links.names.peers_at, self._links.refused_now(now)
        verdict = self._gate.answer(event, typed_at, refused, now)
        if verdict.meaning in (Meaning.KEY_CHANGED, Meaning.OURSELVES):
            self._links.refuse(verdict, event, now)
        elif verdict.meaning is Meaning.UNINVITED and (link := self._links.get(verdict.peer)):
            state, why = LinkState(link.row.state), reason(LinkReason.UNINVITED)
            link.tell(state, now, link.row.address, why)

    def _handle_refused(self, event: secure.Refused, now: Now) -> None:
        link = self._links.get(event.peer)
        if link is None or link.row.state == LinkState.UP:
            return  # the late answer to an attempt that another one has overtaken
        if closed := close_in(event.payload):
            self._links.closed(event.peer, closed, now, refused=True)

    def _link_up(self, event: secure.LinkUp, now: Now) -> None:
        link = self._links.get(event.peer)
        if link is None or self._peers.get(event.peer) is None:
            return
        if not self._gate.proves(event):
            self._links.restart(event.peer, now)
            return
        session = self._sessions.get(event.peer)
        if not event.rekey or session is None:
            config, trace = self._config.arq, LinkTracer(self._trace, event.peer)
            connection = Connection(
                now=now.mono_s,
                random=self._random,
                config=config,
                trace=trace,
                held_total=self.held,
                leads=event.local_incarnation < event.remote_incarnation,
            )
            connection.assume_rtt(event.rtt_s)
            incarnations = (event.local_incarnation, event.remote_incarnation)
            session = LinkSession(event.peer, connection, incarnations, event.addr, self._touch)
            self._links.start(session, now)
        else:
            if session.connection.first_unanswered is not None:
                session.ping()
            if session.streaming:
                self._links.up(link, event.addr, now)
        link.challenged_at = None

    def _roamed(self, event: secure.Roamed, now: Now) -> None:
        link, session = self._links.get(event.peer), self._sessions.get(event.peer)
        if link and session:
            session.moved(event.addr, now.mono_s)
            if session.streaming:
                self._links.up(link, event.addr, now)

    def handle_addresses_changed(self, now: Now) -> list[int]:
        """This machine has a new address, or lost one: look up and dial at once every peer that is
        not reached. Peers that are pinged, to show them where we are now."""
        self._trace.add(0, Kind.NETWORK_CHANGED)
        pinged = []
        for row in self._peers:
            link, session = self._links.get(row.peer), self._sessions.get(row.peer)
            if link is None:
                continue
            if link.row.state in TRIED:
                self._links.dial(row.peer, now, at_once=True)
            elif link.row.state == LinkState.UP and session is not None:
                session.ping()
                pinged.append(row.peer)
        return pinged

    def hand_over(self, peer: int, now: Now) -> None:
        """Hand what arrived on the link of a peer to its owners; a violation ends the link."""
        try:
            self._sessions.hand_over(peer, now)
        except (RemoteProtocolError, DecodeError) as error:
            self._links.violated(peer, str(error), now)

    # --- out ---

    def serve(self, peer: int, now: Now) -> list[tuple[bytes, Addr]]:
        """The datagrams that leave for a peer now."""
        session = self._sessions.get(peer)
        if session is None or not session.may_send:
            return []
        session.report_loss(now.mono_s)
        session.may_send = False
        packets = session.connection.take_packets(now.mono_s, PACKETS_PER_TURN)
        if not packets:
            if session.connection.exhausted:  # no number twice: a new incarnation
                self._links.restart(peer, now)
                self._links.dial(peer, now)
            return []
        if session.connection.has_events:
            self.hand_over(peer, now)  # what has just been sent for the first time
        numbered = [(packet.number, packet.payload) for packet in packets]
        out = self._endpoint.seal_many(peer, numbered, now.mono_s)
        return [(datagram, out[1]) for datagram in out[0]] if out else []
