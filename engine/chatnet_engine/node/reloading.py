"""Reads one peer or transfer again from the store: into the parts, and what front ends lack.

Until the answer is there the peer is not linked, and results about it reach only who asked.
"""

from chatnet_engine.node.config import Now
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.parts import Parts
from chatnet_protocol import commit as c
from chatnet_protocol import commit_restore as cr
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import MessageRow, PeerRow
from chatnet_protocol.ipc.view import PeerView, idle_link


def read_peer(parts: Parts, peer: int) -> None:
    """Throw away what memory has of a peer and ask the store for it."""
    if conversation := parts.conversations.get(peer):
        parts.conversations[peer] = _conversation(parts, conversation.state)
    parts.links.reloading.add(peer)
    parts.restoring.forget(peer)
    parts.transfers.throw_away(parts.transfers.ids_of(peer))
    shown = parts.publisher.view.peer(peer)
    after = (shown.last_no, shown.delivered_seq) if shown else (0, 0)
    parts.commits.add(c.LoadPeer(peer, *after))


def read_transfers(parts: Parts, ids: list[bytes]) -> None:
    """Throw these away and ask the store for them."""
    if ids:
        parts.reread_transfers.update({one: parts.transfers.peer_of(one) for one in ids})
        parts.transfers.throw_away(ids)
        parts.commits.add(c.LoadTransfers(ids))


def read_owners(parts: Parts, found: list[c.StoredTransfer], ids: list[bytes], now: Now) -> None:
    """What the store does not have was an offer just arrived: it becomes a transfer again from its
    message, with everything else of its peer."""
    stored = {one.row.id for one in found}
    owners = {parts.reread_transfers.pop(one, 0) for one in ids if one not in stored}
    for peer in owners - {0}:
        parts.links.contain(peer, reason(LinkReason.READ_AGAIN), now)
        read_peer(parts, peer)
    for one in stored:
        parts.reread_transfers.pop(one, None)


def handle_loaded(parts: Parts, result: c.PeerLoaded, now: Now) -> None:
    """The peer as the store has it."""
    peer = result.peer
    parts.links.reloading.discard(peer)
    if result.row is None:
        _remove(parts, result, now)
        return
    parts.conversations[peer] = _conversation(parts, result.state)
    if peer not in parts.peers.leaving and not parts.commits.changes_peer(peer):
        parts.peers.put(result.row)
    if result.restore != cr.RestoreState(peer):
        parts.restoring.handle_loss(result.restore)
    parts.transfers.handle_loaded([], result.transfers, now.mono_s, now.wall_ms)
    _publish(parts, result, result.row)
    if not parts.links.get(peer) and (row := parts.peers.get(peer)):
        parts.links.add(row, now)


def _conversation(parts: Parts, state: c.PeerState) -> Conversation:
    return Conversation(state, parts.commits, parts.publisher, parts.config.arq.window_bytes)


def _remove(parts: Parts, result: c.PeerLoaded, now: Now) -> None:
    """The peer is not listed any more, and memory may not have taken that in."""
    peer = result.peer
    parts.links.remove(peer)
    parts.peers.remove(peer)
    parts.conversations.pop(peer, None)
    if parts.publisher.view.peer(peer):
        parts.publisher.publish(ev.PeerRemoved(peer, 0, []))
    parts.transfers.handle_loaded([], result.transfers, now.mono_s, now.wall_ms)
    parts.transfers.handle_peer_forgotten(peer, 0, 0, now.mono_s, now.wall_ms)


def take_back_row(parts: Parts, peer: int, now: Now) -> None:
    """A command about this peer came to nothing: its row is as committed, or about to be."""
    if peer in parts.peers.leaving and not parts.commits.forgets_peer(peer):
        parts.peers.take_back(peer)
    shown = parts.publisher.view.peer(peer)
    row = parts.peers.get(peer)
    if shown and row and not parts.commits.changes_peer(peer) and row != shown.info:
        parts.peers.put(shown.info)
    if row and not parts.links.get(peer):
        parts.links.add(row, now)


def take_back_removals(parts: Parts, now: Now) -> None:
    """Peers whose removal came to nothing are there again."""
    for peer in [peer for peer in parts.peers.leaving if not parts.commits.forgets_peer(peer)]:
        if row := parts.peers.take_back(peer):
            parts.links.add(row, now)


def _publish(parts: Parts, result: c.PeerLoaded, row: PeerRow) -> None:
    """What front ends do not know of it yet: only more than they know, never less."""
    peer, publisher, state = result.peer, parts.publisher, result.state
    known = publisher.view.peer(peer)
    shown = known or PeerView(info=row, link=idle_link(peer))
    if known is None or known.info != row:
        publisher.publish(ev.PeerChanged(row))
    for rows in _dense(result.rows):
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
