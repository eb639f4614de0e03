"""Between the transfers and the rest of the node: what leaves them, and what reaches them."""

from functools import partial

from chatnet_engine.files.offering import FailedOffer, ReadyOffer
from chatnet_engine.node.config import Now
from chatnet_engine.node.containment import Containment
from chatnet_engine.node.effects import FilesRestarted, FilesSaid, ReplyTo
from chatnet_engine.node.parts import Parts
from chatnet_protocol import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.rows import MessageKind
from chatnet_protocol.wire.messages import CHANNEL_CONTROL


def handle_files(parts: Parts, result: FilesSaid | FilesRestarted, now: Now) -> None:
    """What the file process reports."""
    transfers = parts.transfers
    if isinstance(result, FilesSaid):
        transfers.handle_process(result.frame, now.mono_s, now.wall_ms)
    else:
        transfers.handle_process_restarted(now.mono_s, now.wall_ms)


def move(parts: Parts, contained: Containment, now: Now) -> None:
    """At the end of a turn: offers become messages, controls leave, what changed is stored."""
    for offer in parts.transfers.offering.take():
        asker = parts.offer_askers.pop(offer.transfer_id, None)
        contained.answer(asker, partial(_send, parts, offer, asker, now))
    for peer, body in parts.transfers.take_controls():
        if session := parts.links.sessions.get(peer):
            contained.peer(peer, now, partial(session.send, CHANNEL_CONTROL, body))
    for op in parts.transfers.take_stores():
        parts.commits.add(op)
    if ids := parts.transfers.lookups.take():
        parts.commits.add(c.LoadTransfers(ids))
    contained.take_failed(now)


def _send(parts: Parts, offer: ReadyOffer | FailedOffer, asker: ReplyTo | None, now: Now) -> None:
    if isinstance(offer, FailedOffer):
        parts.fail(asker, CommandError(offer.code, offer.sentence))
        return
    message = c.NewMessage(
        offer.transfer_id, MessageKind.OFFER, offer.body, now.wall_ms, transfer=offer.store
    )
    if parts.peers.get(offer.peer):
        parts.conversations[offer.peer].queue(message, asker, now)
    else:
        gone = CommandError(ErrorCode.UNKNOWN_PEER, "The peer was removed meanwhile.")
        parts.fail(asker, gone)
