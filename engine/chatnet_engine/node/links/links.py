"""Owns the link to each peer: whom to dial, who may answer, and what people are told about it.

The secure endpoint does the handshakes; `Gate` decides about keys, this file keeps one
LinkRow per peer, and opens and ends the session of each link.
"""

import contextlib
from collections.abc import Callable

from chatnet_engine.arq import events as arq
from chatnet_engine.arq.connection import Connection
from chatnet_engine.node.config import NodeConfig, Now
from chatnet_engine.node.effects import Addr, HostResolved
from chatnet_engine.node.links.goodbyes import Goodbyes
from chatnet_engine.node.links.host_names import HostNames
from chatnet_engine.node.links.link import (
    LOOK_AGAIN_S,
    MAX_DIAL_ADDRS,
    REFUSED_WAIT_S,
    Link,
    close_in,
    why_closed,
)
from chatnet_engine.node.links.link_session import LinkSession
from chatnet_engine.node.links.link_traces import trace_secure, without_values
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.people.gate import Gate
from chatnet_engine.node.people.invites import Invites
from chatnet_engine.node.people.peers import Meaning, Peers, Verdict
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.trace import Kind, LinkTracer, describe
from chatnet_protocol.addresses import show_address
from chatnet_protocol.errors import CloseCode, DecodeError, RemoteProtocolError
from chatnet_protocol.ipc.reasons import LinkReason, Reason, reason
from chatnet_protocol.ipc.rows import LinkRow, LinkState, PeerRow, Trust
from chatnet_protocol.version import WIRE_VERSION


class Links:
    """All links of one engine."""

    def __init__(
        self,
        config: NodeConfig,
        endpoint: Endpoint,
        gate: Gate,
        invites: Invites,
        peers: Peers,
        conversations: dict[int, Conversation],
        random: Callable[[int], bytes],
    ) -> None:
        self._config, self._trace = config, config.trace
        self._endpoint = endpoint
        self._gate = gate
        self._invites = invites
        self._peers = peers
        self._conversations = conversations
        self._random = random
        self._links: dict[int, Link] = {}
        self.names = HostNames()
        self._addresses: dict[int, str] = {}
        self.goodbyes = Goodbyes(endpoint)
        self._ended: list[int] = []
        self.reloading: set[int] = set()
        """Peers that are being read again from the store: not linked meanwhile."""

    # --- who is to be dialled ---

    def add(self, row: PeerRow, now: Now) -> None:
        """Start keeping a link to this peer; harmless when it is kept already."""
        link = self._links.get(row.peer)
        if link is None:
            link = self._links[row.peer] = Link(LinkRow(row.peer, LinkState.IDLE, now.wall_ms))
        if row.trust == Trust.PENDING:
            return
        if row.host and not self.names.addrs(row.peer):
            self.names.want(row, now)
            link.tell(LinkState.RESOLVING, now)
        elif row.address or self.names.addrs(row.peer):
            self.dial(row.peer, now)

    def remove(self, peer: int) -> None:
        """Stop keeping a link to this peer."""
        self._end(peer)
        self._endpoint.hang_up(peer)
        self._links.pop(peer, None)
        self.names.forget(peer)

    def restart(self, peer: int, now: Now) -> None:
        """Forget the sessions with this peer: it is to be somebody else from now on."""
        self._endpoint.hang_up(peer)
        self._end(peer)
        self._links[peer].hold_until = None
        self._links[peer].tell(LinkState.IDLE, now)

    def dial(self, peer: int, now: Now, *, at_once: bool = False) -> None:
        """Keep trying to reach this peer from now on; `at_once`: without the rest of a pause."""
        link = self._links[peer]
        row = self._peers.get(peer)
        if row is None:
            return
        link.hold_until = None
        if at_once:
            self.names.look_again(peer, now, afresh=True)
            self._endpoint.rehandshake(peer, now.mono_s)
        addrs = self.names.dial_addrs(row)
        psk = None if row.key else self._invites.psk(peer)
        unready = row.trust == Trust.INVITED and psk is None
        if unready and not self._invites.get(peer):
            link.tell(LinkState.IDLE, now, "", reason(LinkReason.NO_INVITE))
        if unready or not addrs:
            return
        link.show_dial(show_address(*addrs[0]), now)
        addrs, key = addrs[:MAX_DIAL_ADDRS], row.key or None
        self._endpoint.dial(peer, addrs, now.mono_s, remote_key=key, psk=psk, at_once=at_once)
        self._endpoint.set_urgent(peer, link.urgent)

    def handle_resolved(self, result: HostResolved, now: Now) -> None:
        """A host name was looked up."""
        link, row = self._links.get(result.peer), self._peers.get(result.peer)
        if link is None or row is None:
            return
        if not self.names.handle_resolved(result.peer, result.addrs, now):
            self._trace.add(result.peer, Kind.HOST_UNRESOLVED)
            why = result.error or reason(LinkReason.HOST_UNKNOWN, row.host)
            link.tell(LinkState.RESOLVING, now, "", why)
        if link.hold_until is None:
            self.dial(result.peer, now)

    # --- what the endpoint tells ---

    def handle_events(self, now: Now) -> tuple[set[int], dict[int, str]]:
        """Take in the endpoint's events; the peers whose conversations have to be drained, and
        those that could not be handled, with the traceback."""
        touched: set[int] = set()
        broken: dict[int, str] = {}
        while events := self._endpoint.take_events():
            for event in events:  # answering some brings up more
                try:
                    self._handle_event(event, touched, now)
                except Exception as error:
                    if not self._config.contain:
                        raise
                    peer = getattr(event, "peer", 0) or getattr(event, "peer_hint", 0) or 0
                    broken[peer] = describe(error)
        return touched, broken

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
                    if link and event.addr in self.names.dial_addrs(row):
                        link.hint(seen, now)
            case secure.Roamed():
                self._roamed(event, now)
            case secure.Refused():
                self._handle_refused(event, now)
            case secure.PathChallengeNeeded():
                if session := self._session(event.peer):
                    session.connection.challenge(event.token)

    def _packet(self, event: secure.PacketArrived, touched: set[int], now: Now) -> None:
        session = self._session(event.peer)
        if session is None or session.remote_incarnation != event.remote_incarnation:
            return
        touched.add(event.peer)
        try:
            session.connection.handle_packet(event.number, event.payload, now.mono_s)
        except (RemoteProtocolError, DecodeError) as error:
            self.violated(event.peer, str(error), now)

    def _authenticated(self, event: secure.Authenticated, now: Now) -> None:
        typed = self.names.all_addrs()
        shunned = {peer for peer, link in self._links.items() if link.shuns(now)}
        verdict = self._gate.answer(event, typed, shunned | self.reloading, now)
        if verdict.meaning in (Meaning.KEY_CHANGED, Meaning.OURSELVES):
            self._refused(verdict, event, now)
        elif verdict.meaning is Meaning.UNINVITED:
            link = self._links[verdict.peer]
            state, why = LinkState(link.row.state), reason(LinkReason.UNINVITED)
            link.tell(state, now, link.row.address, why)

    def _handle_refused(self, event: secure.Refused, now: Now) -> None:
        link = self._links.get(event.peer)
        if link is None or link.row.state == LinkState.UP:
            return  # the late answer to an attempt that another one has overtaken
        if closed := close_in(event.payload):
            agreed = not self._conversations[event.peer].streaming
            self.closed(event.peer, closed, now, agreed=agreed)

    def _refused(self, verdict: Verdict, event: secure.Authenticated, now: Now) -> None:
        link, row = self._links.get(verdict.peer), self._peers.get(verdict.peer)
        if link is None or row is None:
            return
        if verdict.meaning is Meaning.OURSELVES:
            ourselves = reason(LinkReason.OWN_ADDRESS)
            self._hold(verdict.peer, LinkState.REFUSED, ourselves, now, by_peer=True)
            return
        talking = self._conversations[verdict.peer].connection is not None
        if not talking or link.row.state == LinkState.SILENT:
            link.refuse_key(show_address(*event.addr), now, pinned=event.key == row.key)

    def _link_up(self, event: secure.LinkUp, now: Now) -> None:
        conversation, link = self._conversations.get(event.peer), self._links.get(event.peer)
        if conversation is None or link is None:
            return
        if not self._gate.proves(event):
            self.restart(event.peer, now)
            return
        session = conversation.link
        if not event.rekey or session is None:
            self._end(event.peer)
            config, trace = self._config.arq, LinkTracer(self._trace, event.peer)
            connection = Connection(now=now.mono_s, random=self._random, config=config, trace=trace)
            conversation.open_link(
                connection,
                (event.local_incarnation, event.remote_incarnation),
                event.addr,
                self._config.session.display_name,
                self._config.fast_aes,
            )
        else:
            session.connection.ping()
            if session.streaming:
                self._up(link, event.addr, now)
        link.challenged_at = None

    def opened(self, peer: int, now: Now) -> None:
        """HELLO was exchanged: the peer has accepted us, the link is up."""
        link, session = self._links.get(peer), self._session(peer)
        if link and session:
            link.count(session.name)
            self._up(link, session.addr, now)

    def _up(self, link: Link, addr: Addr, now: Now) -> None:
        row, address = self._peers.get(link.row.peer), show_address(*addr)
        link.tell(LinkState.UP, now, address)
        if row and row.key and row.address != address:
            self._addresses[row.peer] = address

    def _roamed(self, event: secure.Roamed, now: Now) -> None:
        link, session = self._links.get(event.peer), self._session(event.peer)
        if link and session:
            session.addr = event.addr
            if session.streaming:
                self._up(link, event.addr, now)

    # --- liveness ---

    def watch(self, peer: int, now: Now) -> None:
        """Look whether the peer still answers; shown after a while, then a new handshake."""
        conversation, link = self._conversations[peer], self._links.get(peer)
        if link is None:
            return  # its removal is under way
        connection = conversation.connection
        if link.waiting != conversation.waiting:
            if conversation.waiting > link.waiting and link.row.state != LinkState.UP:
                self.names.look_again(peer, now)
            link.waiting = conversation.waiting
            self._endpoint.set_urgent(peer, link.urgent)
        if connection is None:
            return
        if link.watch(connection.first_unanswered, now):
            self._trace.add(peer, Kind.REHANDSHAKE)
            self.names.look_again(peer, now)
            self.dial(peer, now)
            self._endpoint.rehandshake(peer, now.mono_s)

    def closed(self, peer: int, closed: arq.Closed, now: Now, *, agreed: bool = True) -> None:
        """The peer ended the link and said why; `agreed`: it has forgotten the link as we do."""
        state, why = why_closed(closed)
        if state == LinkState.DIALLING:
            self._end(peer)
            self._endpoint.end_link(peer, now.mono_s, by_peer=True)
            self._links[peer].tell(state, now, self._links[peer].row.address, why)
        else:
            broken = closed.code in (CloseCode.PROTOCOL_VIOLATION, CloseCode.VERSION)
            self._hold(peer, state, why, now, by_peer=agreed or broken)

    def violated(self, peer: int, what: str, now: Now) -> None:
        """The peer broke the specification: say so, and leave it alone for a while."""
        self._trace.add(peer, Kind.PROTOCOL_VIOLATION, reason=without_values(what))
        self.goodbye(peer, CloseCode.PROTOCOL_VIOLATION, what, now)
        why = reason(LinkReason.VIOLATION, what)
        self._hold(peer, LinkState.REFUSED, why, now, by_peer=False, shun=True)

    def shut_down(self, now: Now) -> None:
        """The engine ends: every link does, and its peer is told so."""
        for peer in self._links:
            self.goodbye(peer, CloseCode.SHUTDOWN, "", now)
            self._end(peer)  # what is committed now waits for the next link

    def contain(self, peer: int, why: Reason, now: Now) -> float:
        """What we hold of this peer is not to be trusted: end its link, in whatever state that is,
        and leave the peer alone for so many seconds as it returns."""
        link = self._links.get(peer)
        if link is None:
            return 0.0
        with contextlib.suppress(Exception):  # it may be what has just failed
            self.goodbye(peer, CloseCode.NONE, "", now)
        pause_s = link.next_pause(now)
        self._hold(peer, LinkState.REFUSED, why, now, by_peer=False, shun=True, pause_s=pause_s)
        return pause_s

    def goodbye(self, peer: int, code: CloseCode, text: str, now: Now) -> None:
        """Put a CLOSE on the wire; the caller drops the link afterwards."""
        if session := self._session(peer):
            self.goodbyes.say(peer, session, code, text, now)

    def _hold(
        self,
        peer: int,
        state: LinkState,
        why: Reason,
        now: Now,
        *,
        by_peer: bool,
        shun: bool = False,
        pause_s: float = REFUSED_WAIT_S,
    ) -> None:
        link = self._links[peer]
        self._end(peer)
        self._endpoint.end_link(peer, now.mono_s, pause_s=pause_s, by_peer=by_peer)
        link.hold_until, link.shunned = now.mono_s + pause_s, shun
        link.tell(state, now, link.row.address, why)

    # --- time ---

    def handle_timeout(self, now: Now) -> None:
        """Look names up again, dial again whom we left alone."""
        up = {peer for peer, link in self._links.items() if link.row.state == LinkState.UP}
        self.names.handle_timeout(up, now)
        for peer, link in self._links.items():
            if link.hold_until is not None and now.mono_s >= link.hold_until:
                if peer in self.reloading:
                    link.hold_until = now.mono_s + LOOK_AGAIN_S
                else:
                    self.dial(peer, now)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` or `watch` has something to do."""
        dues = [
            link.next_timeout(self._conversations[peer].unanswered_since)
            for peer, link in self._links.items()
        ]
        dues.append(self.names.next_timeout())
        return min((due for due in dues if due is not None), default=None)

    # --- what comes out ---

    def take_addresses(self) -> dict[int, str]:
        """Peers whose validated address changed and is to be remembered."""
        out, self._addresses = self._addresses, {}
        return out

    def take_changed(self) -> list[LinkRow]:
        """Link rows that changed since they were last told, newest state only."""
        changed = [link for link in self._links.values() if link.row != link.told]
        for link in changed:
            link.told = link.row
        return [link.row for link in changed]

    def row(self, peer: int) -> LinkRow | None:
        """The link row of a peer."""
        link = self._links.get(peer)
        return link.row if link else None

    def addrs(self, peer: int) -> list[Addr]:
        """Where the peer may be, the present address first."""
        row = self._peers.get(peer)
        return self.names.dial_addrs(row) if row and peer in self._links else []

    def take_ended(self) -> list[int]:
        """Peers whose link has ended since the last call, for whoever used it."""
        out, self._ended = self._ended, []
        return out

    def _session(self, peer: int) -> LinkSession | None:
        conversation = self._conversations.get(peer)
        return conversation.link if conversation else None

    def _end(self, peer: int) -> None:
        conversation = self._conversations.get(peer)
        if conversation and conversation.link:
            conversation.close_link()
            self._ended.append(peer)
