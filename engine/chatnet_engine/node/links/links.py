"""Owns the link to each peer: whom to dial, who may answer, and what front ends show of it.

The secure endpoint does the handshakes; `Gate` decides about keys, this file keeps one
LinkRow per peer, and opens and ends the session of each link.
"""

import contextlib

from chatnet_engine.addresses import Addr
from chatnet_engine.arq import events as arq
from chatnet_engine.clock import Now
from chatnet_engine.deadlines import earliest
from chatnet_engine.node.effects import HostResolved, ReplyTo
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.links.host_names import HostNames
from chatnet_engine.node.links.link import (
    LOOK_AGAIN_S,
    MAX_DIAL_ADDRS,
    REFUSED_WAIT_S,
    Link,
    why_closed,
)
from chatnet_engine.node.links.link_traces import without_values
from chatnet_engine.node.links.sessions import Sessions
from chatnet_engine.node.people.invites import Invites
from chatnet_engine.node.people.peers import Meaning, Peers, Verdict
from chatnet_engine.node.subject import Subject
from chatnet_engine.node.turn import Turn
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.trace import Kind, Tracer
from chatnet_protocol.addresses import show_address
from chatnet_protocol.errors import CloseCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.reasons import LinkReason, Reason, reason
from chatnet_protocol.ipc.rows import LinkRow, LinkState, PeerRow, Trust


class Links(Subject):
    """All links of one engine."""

    def __init__(
        self,
        endpoint: Endpoint,
        invites: Invites,
        peers: Peers,
        turn: Turn,
        trace: Tracer,
    ) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._invites = invites
        self._peers = peers
        self._replies = turn.replies
        self._touch = turn.due.touch
        self._trace = trace
        self.sessions = Sessions(endpoint)
        self._links: dict[int, Link] = {}
        self.changed: set[int] = set()
        """Peers whose LinkRow may be another than was published last."""
        self._refused: set[int] = set()
        """Peers whose calls are refused, unless that is over."""
        self.names = HostNames()
        self._addresses: dict[int, str] = {}
        self.reloading: set[int] = set()
        """Peers that are being read again from the store: not linked meanwhile."""
        self.commands = {cmd.RetryPeer: self._retry}
        self.arrivals = {
            arq.PathResponded: self._path_responded,
            arq.PathChallenged: self._path_challenged,
            arq.Closed: self._closed_by_peer,
        }

    # --- who is to be dialled ---

    def add(self, row: PeerRow, now: Now, *, moved: bool = False) -> None:
        """Start keeping a link to this peer; harmless when it is kept already.

        `moved`: another address was typed: a link that is up stays, and is dialled there when it
        ends.
        """
        if moved:
            self._look_up_again(row, now)
            return
        link = self._links.get(row.peer)
        if link is None:
            idle = LinkRow(row.peer, LinkState.IDLE, now.wall_ms)
            link = self._links[row.peer] = Link(idle, self.changed)
            self.changed.add(row.peer)
        self._touch(row.peer)
        if row.blocked:
            self.names.forget(row.peer)
        if row.blocked or row.trust == Trust.PENDING:
            return
        if row.host and not self.names.addrs(row.peer):
            self.names.want(row, now)
            if self.sessions.get(row.peer) is None:
                link.tell(LinkState.RESOLVING, now)
        elif row.address or self.names.addrs(row.peer):
            self.dial(row.peer, now)

    def remove(self, peer: int) -> None:
        """Stop keeping a link to this peer."""
        self._end(peer)
        self._endpoint.hang_up(peer)
        self._links.pop(peer, None)
        self.names.forget(peer)
        self._touch(peer)

    def restart(self, peer: int, now: Now) -> None:
        """Forget the sessions with this peer: it is to be somebody else from now on."""
        self._endpoint.hang_up(peer)
        self._end(peer)
        self._links[peer].hold_until = None
        self._links[peer].tell(LinkState.IDLE, now)
        self._touch(peer)

    def _look_up_again(self, row: PeerRow, now: Now) -> None:
        self.names.forget(row.peer)
        if not row.host or row.blocked:
            return
        self.names.want(row, now)
        link = self._links.get(row.peer)
        if link and self.sessions.get(row.peer) is None:
            self._endpoint.hang_up(row.peer)
            link.tell(LinkState.RESOLVING, now)

    def dial(self, peer: int, now: Now, *, at_once: bool = False) -> None:
        """Keep trying to reach this peer from now on; `at_once`: without the rest of a pause."""
        link = self._links[peer]
        row = self._peers.get(peer)
        if row is None or row.blocked:
            return
        link.hold_until = None
        self._touch(peer)
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
        if link is None or row is None or self.names.is_outdated(result):
            return
        if not self.names.handle_resolved(result.peer, result.addrs, now):
            self._trace.add(result.peer, Kind.HOST_UNRESOLVED)
            why = result.error or reason(LinkReason.HOST_UNKNOWN, row.host)
            link.tell(LinkState.RESOLVING, now, "", why)
        if link.hold_until is None:
            self.dial(result.peer, now)

    def _retry(self, command: cmd.RetryPeer, reply_to: ReplyTo, now: Now) -> None:
        self._peers.need_accepted(command.peer)
        self.dial(command.peer, now, at_once=True)
        self._replies.reply(reply_to, cmd.Done())

    # --- what becomes of a link ---

    def get(self, peer: int) -> Link | None:
        """What is known of the link to a peer."""
        return self._links.get(peer)

    def refused_now(self, now: Now) -> set[int]:
        """Peers whose calls are refused for the moment."""
        links = self._links
        self._refused = {p for p in self._refused if p in links and links[p].is_blocked(now)}
        return self._refused | self.reloading

    def start(self, session: LinkSession, now: Now) -> None:
        """There is a new link; the last one is over."""
        self._end(session.peer)
        link = self._links[session.peer]
        if link.line:
            session.connection.line.resume(link.line)
        self.sessions.start(session)
        for subject in self.subjects:
            subject.link_made(session, now)

    def refuse(self, verdict: Verdict, event: secure.Authenticated, now: Now) -> None:
        """Show that a key is refused: another one than the pinned one, or our own."""
        link, row = self._links.get(verdict.peer), self._peers.get(verdict.peer)
        if link is None or row is None:
            return
        if verdict.meaning is Meaning.OURSELVES:
            ourselves = reason(LinkReason.OWN_ADDRESS)
            self._hold(verdict.peer, LinkState.REFUSED, ourselves, now, by_peer=True)
            return
        if self.sessions.get(verdict.peer) is None or link.row.state == LinkState.SILENT:
            link.refuse_key(show_address(*event.addr), now, pinned=event.key == row.key)

    def opened(self, session: LinkSession, now: Now) -> None:
        """HELLO was exchanged: the peer has accepted us, the link is up."""
        if link := self._links.get(session.peer):
            link.count(session.name)
            self.up(link, session.addr, now)
        for subject in self.subjects:
            subject.link_up(session, now)

    def up(self, link: Link, addr: Addr, now: Now) -> None:
        """Show that the peer answers there, and remember it."""
        row, address = self._peers.get(link.row.peer), show_address(*addr)
        link.tell(LinkState.UP, now, address)
        if row and row.key and row.address != address:
            self._addresses[row.peer] = address

    def watch(self, peer: int, waiting: int, now: Now) -> None:
        """Look whether the peer still answers; shown after a while, then a new handshake.

        `waiting`: own messages that the peer has not committed.
        """
        link, session = self._links.get(peer), self.sessions.get(peer)
        if link is None:
            return  # its removal is under way
        if link.waiting != waiting:
            if waiting > link.waiting and link.row.state != LinkState.UP:
                self.names.look_again(peer, now)
            link.waiting = waiting
            self._endpoint.set_urgent(peer, link.urgent)
        if session is None:
            return
        if link.watch(session.connection.first_unanswered, now):
            self._trace.add(peer, Kind.REHANDSHAKE)
            self.names.look_again(peer, now)
            self.dial(peer, now)
            self._endpoint.rehandshake(peer, now.mono_s)

    def _path_responded(self, session: LinkSession, event: arq.PathResponded, now: Now) -> None:
        self._endpoint.path_validated(session.peer, event.token, now.mono_s)

    def _path_challenged(self, session: LinkSession, event: arq.PathChallenged, now: Now) -> None:
        pass  # the connection has answered

    def _closed_by_peer(self, session: LinkSession, event: arq.Closed, now: Now) -> None:
        self.closed(session.peer, event, now)

    def closed(self, peer: int, closed: arq.Closed, now: Now, *, refused: bool = False) -> None:
        """The peer ended the link and gave a reason.

        `refused`: an attempt only, and there may be another that the peer has taken since. It may
        go on with that link; here it is over, so that its packet numbers must not come again.
        """
        state, why = why_closed(closed)
        if state == LinkState.DIALLING:
            self._touch(peer)
            self._end(peer)
            self._endpoint.end_link(peer, now.mono_s, by_peer=not refused)
            self._links[peer].tell(state, now, self._links[peer].row.address, why)
        else:
            self._hold(peer, state, why, now, by_peer=not refused)

    def violated(self, peer: int, what: str, now: Now) -> None:
        """The peer broke the specification: say so, and leave it alone for a while."""
        self._trace.add(peer, Kind.PROTOCOL_VIOLATION, reason=without_values(what))
        self._goodbye(peer, CloseCode.PROTOCOL_VIOLATION, what, now)
        why = reason(LinkReason.VIOLATION, what)
        self._hold(peer, LinkState.REFUSED, why, now, by_peer=False, block=True)

    def shut_down(self, now: Now) -> None:
        """The engine ends: close every link with a CLOSE."""
        for peer in self._links:
            self._goodbye(peer, CloseCode.SHUTDOWN, "", now)
            self._end(peer)  # what is committed now waits for the next link

    def contain(self, peer: int, why: Reason, now: Now) -> float:
        """What we hold of this peer is not to be trusted: end its link, in whatever state that is,
        and leave the peer alone for so many seconds as it returns."""
        link = self._links.get(peer)
        if link is None:
            return 0.0
        with contextlib.suppress(Exception):  # it may be what has just failed
            self._goodbye(peer, CloseCode.NONE, "", now)
        pause_s = link.next_pause(now)
        self._hold(peer, LinkState.REFUSED, why, now, by_peer=False, block=True, pause_s=pause_s)
        return pause_s

    def _goodbye(self, peer: int, code: CloseCode, reason: str, now: Now) -> None:
        """Put a CLOSE on the wire; the caller drops the link afterwards."""
        self.sessions.close(peer, code, reason, now)

    def _hold(
        self,
        peer: int,
        state: LinkState,
        why: Reason,
        now: Now,
        *,
        by_peer: bool,
        block: bool = False,
        pause_s: float = REFUSED_WAIT_S,
    ) -> None:
        link = self._links[peer]
        self._end(peer)
        self._endpoint.end_link(peer, now.mono_s, pause_s=pause_s, by_peer=by_peer)
        link.hold_until, link.blocked = now.mono_s + pause_s, block
        if block:
            self._refused.add(peer)
        self._touch(peer)
        link.tell(state, now, link.row.address, why)

    # --- time ---

    def handle_due(self, peer: int, now: Now) -> None:
        """Look the name up again, dial again whom we left alone, let the link probe."""
        link = self._links.get(peer)
        if link is None:
            return
        if link.row.state != LinkState.UP:
            self.names.handle_due(peer, now)
        if link.hold_until is not None and now.mono_s >= link.hold_until:
            if peer in self.reloading:
                link.hold_until = now.mono_s + LOOK_AGAIN_S
            else:
                self.dial(peer, now)
        self.sessions.handle_due(peer, now)

    def due_of(self, peer: int) -> float | None:
        """When `handle_due` or `watch` has something to do."""
        link, session = self._links.get(peer), self.sessions.get(peer)
        if link is None:
            return None
        since = session.connection.first_unanswered if session else None
        session_s = session.connection.next_timeout() if session else None
        if since is None and link.hold_until is None and link.row.state == LinkState.UP:
            return session_s
        # A peer with a live link needs no lookup.
        names_s = None if link.row.state == LinkState.UP else self.names.due_of(peer)
        return earliest((names_s, link.next_timeout(since), session_s))

    # --- what comes out ---

    def take_addresses(self) -> dict[int, str]:
        """Peers whose validated address changed and is to be remembered."""
        out, self._addresses = self._addresses, {}
        return out

    def take_changed(self) -> list[LinkRow]:
        """Link rows that changed since they were last published, newest state only."""
        if not self.changed:
            return []
        found = [self._links.get(peer) for peer in sorted(self.changed)]
        changed = [link for link in found if link and link.row != link.published]
        self.changed.clear()
        for link in changed:
            link.published = link.row
        return [link.row for link in changed]

    def _end(self, peer: int) -> None:
        if session := self.sessions.end(peer):
            if link := self._links.get(peer):
                link.line = session.connection.line.remember() or link.line
            for subject in self.subjects:
                subject.link_ended(peer)
