"""Between the transfers and the rest of the node: what leaves them, and what reaches them."""

from chatnet_engine.files.transfers import FailedOffer
from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import FilesRestarted, FilesSaid
from chatnet_engine.node.parts import Parts
from chatnet_protocol import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import MessageKind, MessageRow, PeerRow, Trust
from chatnet_protocol.wire.messages import CHANNEL_CONTROL


def handle_files(parts: Parts, result: FilesSaid | FilesRestarted, now: Now) -> None:
    """What the file process reports."""
    transfers = parts.transfers
    if isinstance(result, FilesSaid):
        transfers.handle_process(result.frame, now.mono_s, now.wall_ms)
    else:
        transfers.handle_process_restarted(now.mono_s, now.wall_ms)


def move(parts: Parts, now: Now) -> None:
    """At the end of a turn: offers become messages, controls leave, what changed is stored."""
    for offer in parts.transfers.offering.take():
        asker = parts.offer_askers.pop(offer.transfer_id, None)
        if isinstance(offer, FailedOffer):
            parts.fail(asker, CommandError(offer.code, offer.sentence))
            continue
        message = c.NewMessage(
            offer.transfer_id, MessageKind.OFFER, offer.body, now.wall_ms, transfer=offer.store
        )
        if parts.peers.get(offer.peer):
            parts.conversations[offer.peer].queue(message, asker, now)
        else:
            gone = CommandError(ErrorCode.UNKNOWN_PEER, "The peer was removed meanwhile.")
            parts.fail(asker, gone)
    for peer, body in parts.transfers.take_controls():
        if conversation := parts.conversations.get(peer):
            conversation.send(CHANNEL_CONTROL, body)
    for op in parts.transfers.take_stores():
        parts.commits.add(op)
    if ids := parts.transfers.lookups.take():
        parts.commits.add(c.LoadTransfers(ids))


def resume(parts: Parts, offers: list[tuple[int, MessageRow]], now: Now) -> None:
    """Offers that came right before the engine died: they become transfers now."""
    for peer, offer in offers:
        if row := parts.peers.get(peer):
            _offer(parts, offer, row, now)


def take_committed(parts: Parts, peer: int, now: Now) -> None:
    """Offers of a conversation, own and the peer's, that were committed just now."""
    conversation = parts.conversations.get(peer)
    row = parts.peers.get(peer)
    if conversation is None or row is None:
        return
    offers, conversation.offers = conversation.offers, []
    for offer in offers:
        _offer(parts, offer, row, now)


def end(parts: Parts, result: c.MessagesQueued, now: Now) -> None:
    """Offers that were under way to the store when their peer was removed: they end with it."""
    offers = [row for row in result.rows if row.kind == MessageKind.OFFER]
    for offer in offers:
        stored = parts.transfers.handle_own_offer(offer, result.peer, now.mono_s, now.wall_ms)
        if stored is not None:
            parts.publisher.publish(ev.TransferChanged(stored))
    if offers:
        parts.transfers.handle_peer_forgotten(result.peer, 0, 0, now.mono_s, now.wall_ms)


def _offer(parts: Parts, offer: MessageRow, peer: PeerRow, now: Now) -> None:
    if offer.mine:
        stored = parts.transfers.handle_own_offer(offer, peer.peer, now.mono_s, now.wall_ms)
        if stored is not None:
            parts.publisher.publish(ev.TransferChanged(stored))
    else:
        parts.transfers.handle_peer_offer(
            offer,
            peer.peer,
            key=peer.key,
            auto_accept_bytes=peer.auto_accept_bytes,
            verified=peer.trust == Trust.VERIFIED,
            now=now.mono_s,
            wall_ms=now.wall_ms,
        )
