"""What follows from a committed transaction about transfers and links."""

from chatnet_engine.node import reloading
from chatnet_engine.node.commits import Waiting
from chatnet_engine.node.config import Now
from chatnet_engine.node.containment import COMMAND_FAILED
from chatnet_engine.node.parts import Parts
from chatnet_protocol import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import NoticeCode
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.ipc.view import idle_link

RESULTS = (c.PeerLoaded, c.TransferStored, c.TransfersLoaded)


def answer_anyway(parts: Parts, result: c.OpResult, waiting: Waiting) -> None:
    """It is committed, though what follows from it failed here."""
    if isinstance(result, c.MessagesQueued):
        parts.messaging.answer_queued(result, waiting)
        return
    if isinstance(result, c.TransfersLoaded):
        for asker in filter(None, waiting.askers):
            parts.forget_asker(asker)
            parts.fail(asker, CommandError(ErrorCode.INTERNAL, COMMAND_FAILED))
        return
    for asker in filter(None, waiting.askers):
        parts.forget_asker(asker)
        parts.reply(asker, cmd.Done())


def handle_result(parts: Parts, result: c.OpResult, waiting: Waiting, now: Now) -> None:
    """Everything that follows from one of RESULTS."""
    match result:
        case c.TransferStored():
            parts.publisher.publish(ev.TransferChanged(result.row))
            parts.transfers.handle_stored(result.row, now.mono_s, now.wall_ms)
        case c.TransfersLoaded():
            _transfers_loaded(parts, result, waiting, now)
        case c.PeerLoaded():
            reloading.handle_loaded(parts, result, now)
            resume(parts, result.peer, result.offers, now)
        case _:
            pass


def resume(parts: Parts, peer: int, offers: list[MessageRow], now: Now) -> None:
    """Offers that came right before the engine died: they become transfers now."""
    if parts.peers.get(peer):
        parts.file_transfers.offers_committed(peer, offers, now)


def _transfers_loaded(parts: Parts, result: c.TransfersLoaded, waiting: Waiting, now: Now) -> None:
    assert isinstance(waiting.op, c.LoadTransfers)
    ids = waiting.op.ids
    parts.transfers.handle_loaded(ids, result.found, now.mono_s, now.wall_ms)
    for stored in result.found:
        if stored.row.id in parts.reread_transfers:
            parts.publisher.publish(ev.TransferChanged(stored.row))
    reloading.read_owners(parts, result.found, ids, now)
    for asker in waiting.askers:
        accept = parts.accepting.pop(asker, None) if asker else None
        if accept is None:
            continue
        try:
            accept_transfer(parts, accept, now)
        except CommandError as error:
            parts.fail(asker, error)
        else:
            parts.reply(asker, cmd.Done())


def accept_transfer(parts: Parts, command: cmd.AcceptTransfer, now: Now) -> None:
    """Take the files of a transfer that is in memory. Raises CommandError."""
    peer = parts.transfers.peer_of(command.id)
    if peer and parts.peers.get(peer) is None:
        raise CommandError(ErrorCode.NOT_ALLOWED, "The peer of this transfer was removed.")
    parts.transfers.accept(command.id, command.folder, now.mono_s, now.wall_ms)


def handle_failed(parts: Parts, failed: c.CommitFailed, now: Now) -> None:
    """The store does not work: tell people once, and everybody who waits."""
    if not parts.commits.failing:
        parts.publisher.publish(ev.notice("error", NoticeCode.STORE_FAILED, failed.reason))
    parts.known.handle_failed()
    for waiting in parts.commits.handle_failed(failed, now):
        parts.people.handle_dropped(waiting.op, now)
        for asker in filter(None, waiting.askers):
            parts.forget_asker(asker)
            parts.fail_store(asker, failed.reason)


def seed_view(parts: Parts) -> None:
    """Give links to the peers that the loaded view brought along."""
    for peer in parts.publisher.view.peers:
        link = parts.links.get(peer.info.peer)
        peer.link = link.row if link else idle_link(peer.info.peer)
