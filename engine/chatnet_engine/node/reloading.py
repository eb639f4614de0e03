"""Owns which peers are being read again from the store, and publishes what front ends lack.

Until a peer is read it is not linked, and of results about it only new messages are published.
"""

import math

from chatnet_engine.clock import Now
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.subject import Subject
from chatnet_engine.node.turn import Turn
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import MessageRow, PeerRow
from chatnet_protocol.ipc.view import PeerView, idle_link


class Reloading(Subject):
    """The subject that reads peers again, as a start would."""

    def __init__(self, peers: Peers, links: Links, turn: Turn) -> None:
        super().__init__()
        self._peers = peers
        self._links = links
        self._turn = turn
        self._due: dict[int, float] = {}
        """When a peer that could not be read is read again, in monotonic seconds."""
        self.results = {c.PeerLoaded: self._loaded}

    def read_peer(self, peer: int) -> None:
        """Throw away what memory has of a peer and ask the store for it."""
        for subject in self.subjects:
            subject.peer_unloaded(peer)
        self._links.reloading.add(peer)
        shown = self._turn.publisher.view.peer(peer)
        after = (shown.last_no, shown.delivered_seq) if shown else (0, 0)
        self._turn.commits.add(c.LoadPeer(peer, *after))

    def read_later(self, peer: int, due_s: float) -> None:
        """The store cannot give this peer now; ask again at `due_s`."""
        self._due[peer] = due_s
        self._turn.due.touch(peer)

    def handle_due(self, peer: int, now: Now) -> None:
        """Read a peer again that could not be read."""
        if self._due.get(peer, math.inf) <= now.mono_s:
            del self._due[peer]
            self.read_peer(peer)

    def due_of(self, peer: int) -> float | None:
        """When this peer is read again; None: it is there."""
        return self._due.get(peer)

    def transfer_missing(self, peer: int, now: Now) -> None:
        """An offer just arrived that is no stored transfer: it is one again with its peer."""
        self._links.contain(peer, reason(LinkReason.READ_AGAIN), now)
        self.read_peer(peer)

    def _loaded(self, result: c.PeerLoaded, waiting: Waiting, now: Now) -> None:
        """The peer as the store has it."""
        peer, peers = result.peer, self._peers
        self._links.reloading.discard(peer)
        if result.row is None:
            self._remove(result, now)
            return
        if peer not in peers.leaving and not self._turn.commits.changes_peer(peer):
            peers.put(result.row)
        for subject in self.subjects:
            subject.peer_loaded(result, now)
        self._publish(result, result.row)
        if not self._links.get(peer) and (row := peers.get(peer)):
            self._links.add(row, now)
        for subject in self.subjects:
            subject.offers_resumed(peer, result.offers, now)

    def _remove(self, result: c.PeerLoaded, now: Now) -> None:
        """The peer is not listed any more, and memory may not have taken that in."""
        peer = result.peer
        self._links.remove(peer)
        self._peers.remove(peer)
        if self._turn.publisher.view.peer(peer):
            self._turn.publisher.publish(ev.PeerRemoved(peer, 0, []))
        for subject in self.subjects:
            subject.peer_loaded(result, now)
            subject.peer_removed(c.PeerForgotten(peer, 0, None), now)

    def take_back_row(self, peer: int, now: Now) -> None:
        """A command about this peer came to nothing: its row is as committed, or about to be."""
        peers, commits = self._peers, self._turn.commits
        if peer in peers.leaving and not commits.forgets_peer(peer):
            peers.take_back(peer)
        shown = self._turn.publisher.view.peer(peer)
        row = peers.get(peer)
        if shown and row and not commits.changes_peer(peer) and row != shown.info:
            peers.put(shown.info)
        if row and not self._links.get(peer):
            self._links.add(row, now)

    def take_back_removals(self, now: Now) -> None:
        """Peers whose removal came to nothing are there again."""
        forgets = self._turn.commits.forgets_peer
        for peer in [peer for peer in self._peers.leaving if not forgets(peer)]:
            if row := self._peers.take_back(peer):
                self._links.add(row, now)

    def _publish(self, result: c.PeerLoaded, row: PeerRow) -> None:
        """What front ends do not know of it yet: only more than they know, never less."""
        peer, publisher, state = result.peer, self._turn.publisher, result.state
        known = publisher.view.peer(peer)
        shown = known or PeerView(info=row, link=idle_link(peer))
        if known is None or known.info != row:
            publisher.publish(ev.PeerChanged(row))
        # Read twice in one turn, or beside a commit: what the first answer published is known.
        for rows in _dense([row for row in result.rows if row.no > shown.last_no]):
            publisher.publish(ev.MessagesAdded(peer, rows[0].no, rows))
        if shown.delivered_seq != state.delivered_seq or result.runs:
            publisher.publish(ev.MessagesDelivered(peer, state.delivered_seq, result.runs))
        marks = (state.sent_seq, state.peer_shown, state.peer_read, state.my_shown, state.my_read)
        if marks != (
            shown.sent_seq, shown.peer_shown, shown.peer_read, shown.my_shown, shown.my_read,
        ):  # fmt: skip
            publisher.publish(ev.MarksMoved(peer, *marks))
        if (shown.draft, shown.draft_revision) != (state.draft, state.draft_revision):
            publisher.publish(ev.DraftChanged(peer, state.draft_revision, state.draft, 0))
        publisher.publish(ev.MessagesRestored(peer, 0, [], result.tail))
        for stored in result.transfers:
            if publisher.view.transfer(stored.row.id) != stored.row:
                publisher.publish(ev.TransferChanged(stored.row))


def _dense(rows: list[MessageRow]) -> list[list[MessageRow]]:
    groups: list[list[MessageRow]] = []
    for row in rows:
        if not groups or groups[-1][-1].no + 1 != row.no:
            groups.append([])
        groups[-1].append(row)
    return groups
