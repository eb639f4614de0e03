"""What follows from a committed transaction: rows into the parts, events out, askers answered."""

import msgspec

from chatnet_engine.files.offering import OTHER_MESSAGE
from chatnet_engine.node import reloading
from chatnet_engine.node.commits import Waiting
from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.messaging.conversation import Conversation
from chatnet_engine.node.parts import Parts
from chatnet_engine.node.people import inviting
from chatnet_engine.node.people.known_peers import TRUSTED
from chatnet_engine.node.people.peers import Meaning, Verdict
from chatnet_engine.node.transfers import offers
from chatnet_engine.secure import events as secure
from chatnet_engine.secure.safety_number import safety_number
from chatnet_protocol import commit as c
from chatnet_protocol.addresses import show_address
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import MessageKind, PeerRow, Trust
from chatnet_protocol.ipc.view import idle_link

RESULTS = (
    c.MessagesQueued, c.MessagesAccepted, c.ReceiptsStored, c.OutboxPage, c.HelloApplied,
    c.MarksStored, c.DraftStored, c.MessageFailedStored, c.PeerStored, c.PeerForgotten,
    c.PeerLoaded, c.TransferStored, c.TransfersLoaded,
)  # fmt: skip


def answer_anyway(parts: Parts, result: c.OpResult, waiting: Waiting) -> None:
    """It is committed, though what follows from it failed here."""
    if isinstance(result, c.MessagesQueued):
        _answer_queued(parts, result, waiting)
        return
    for asker in filter(None, waiting.askers):
        parts.forget_asker(asker)
        parts.reply(asker, cmd.Done())


def handle_result(parts: Parts, result: c.OpResult, waiting: Waiting, now: Now) -> None:
    match result:
        case c.PeerStored():
            _peer_stored(parts, result, waiting, now)
        case c.PeerForgotten():
            _peer_forgotten(parts, result, waiting, now)
        case c.TransferStored():
            parts.publisher.publish(ev.TransferChanged(result.row))
            parts.transfers.handle_stored(result.row, now.mono_s, now.wall_ms)
        case c.TransfersLoaded():
            _transfers_loaded(parts, result, waiting, now)
        case c.MessageFailedStored():
            _message_failed(parts, result, waiting)
        case c.PeerLoaded():
            reloading.handle_loaded(parts, result, now)
            offers.resume(parts, [(result.peer, offer) for offer in result.offers], now)
        case _:
            conversation = parts.conversations.get(result.peer)
            if conversation and result.peer not in parts.links.reloading:
                conversation.handle_result(result, waiting)
            _follow(parts, result, waiting, now)


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


def _message_failed(parts: Parts, result: c.MessageFailedStored, waiting: Waiting) -> None:
    if (failed := parts.conversations.get(result.peer)) and result.no:
        failed.skipped(result.delivered_seq)
        parts.publisher.publish(ev.MessageFailed(result.peer, result.no, result.reason))
        delivered = ev.MessagesDelivered(result.peer, result.delivered_seq, [])
        parts.publisher.publish(delivered)
    for asker in waiting.askers:
        if result.no or result.known:
            parts.reply(asker, cmd.Done())
        else:
            sentence = "There is no such text that was certainly never sent."
            parts.fail(asker, CommandError(ErrorCode.NOT_ALLOWED, sentence))


def handle_failed(parts: Parts, failed: c.CommitFailed, now: Now) -> None:
    """The store does not work: tell people once, and everybody who waits."""
    if not parts.commits.failing:
        text = f"The history cannot be written: {failed.reason} Nothing is lost; trying again."
        parts.publisher.publish(ev.Notice("error", "store-failed", text))
    parts.known.handle_failed()
    for waiting in parts.commits.handle_failed(failed, now):
        match waiting.op:
            case c.ForgetPeer(peer=peer):
                if row := parts.peers.take_back(peer):
                    parts.links.add(row, now)
            case c.StorePeer(row=row) if row.peer:
                _take_back_changes(parts, row.peer, now)
            case _:
                pass
        for asker in filter(None, waiting.askers):
            parts.forget_asker(asker)
            parts.fail_store(asker, failed.reason)


def _take_back_changes(parts: Parts, peer: int, now: Now) -> None:
    """A peer is as it was committed last, and its link begins anew on that."""
    shown = parts.publisher.view.peer(peer)
    if shown and parts.peers.get(peer):
        parts.peers.put(shown.info)
        parts.links.restart(peer, now)
        parts.links.add(shown.info, now)


def _follow(parts: Parts, result: c.OpResult, waiting: Waiting, now: Now) -> None:
    match result:
        case c.MessagesQueued():
            _answer_queued(parts, result, waiting)
            if parts.peers.get(result.peer):
                offers.take_committed(parts, result.peer, now)
            else:
                offers.end(parts, result, now)
        case c.MessagesAccepted():
            offers.take_committed(parts, result.peer, now)
        case c.ReceiptsStored():
            parts.transfers.handle_delivered(
                result.peer, result.delivered_seq, now.mono_s, now.wall_ms
            )
        case c.DraftStored():
            asker = waiting.reply_to
            client = parts.front_ends.clients.number(asker.route) if asker else 0
            if result.accepted:
                event = ev.DraftChanged(result.peer, result.revision, result.text, client)
                parts.publisher.publish(event)
            parts.reply(asker, cmd.DraftSet(result.accepted, result.revision, result.text))
        case c.HelloApplied():
            _hello_applied(parts, result, waiting, now)
        case _:
            pass


def _answer_queued(parts: Parts, result: c.MessagesQueued, waiting: Waiting) -> None:
    assert isinstance(waiting.op, c.QueueMessages)
    if not any(waiting.askers):
        return
    numbers = {row.id: (row.no, row.seq) for row in result.rows}
    numbers |= {known_id: (no, seq) for known_id, no, seq in result.known}
    for place, (row, asker) in enumerate(zip(waiting.op.rows, waiting.askers, strict=True)):
        if place in result.refused:
            if row.kind == MessageKind.OFFER:
                parts.transfers.offering.pop_listed(row.id)
            parts.fail(asker, CommandError(ErrorCode.INVALID, OTHER_MESSAGE))
            continue
        no, seq = numbers[row.id]
        parts.reply(asker, cmd.Queued(no, seq))


def _hello_applied(parts: Parts, result: c.HelloApplied, waiting: Waiting, now: Now) -> None:
    row = parts.peers.get(result.peer)
    conversation = parts.conversations.get(result.peer)
    if row is None or conversation is None:
        return
    assert isinstance(waiting.op, c.ApplyHello)
    shown = parts.publisher.view.peer(result.peer)
    if shown and (name := waiting.op.display_name) != shown.info.display_name:
        parts.peers.put(msgspec.structs.replace(row, display_name=name))
        committed = msgspec.structs.replace(shown.info, display_name=name)
        parts.publisher.publish(ev.PeerChanged(committed))
    if result.restore:
        parts.restoring.handle_loss(result.restore)
    link = conversation.link
    if link is None or link is not waiting.link or not link.streaming:
        return
    parts.links.opened(result.peer, now)
    parts.restoring.handle_link(result.peer)
    assert link.hello
    parts.transfers.handle_link(
        result.peer,
        True,
        parts.links.addrs(result.peer),
        incarnation=link.remote_incarnation,
        fast_aes=link.hello.fast_aes and parts.config.fast_aes,
        now=now.mono_s,
        wall_ms=now.wall_ms,
    )


def _peer_stored(parts: Parts, result: c.PeerStored, waiting: Waiting, now: Now) -> None:
    row = result.row
    asker = waiting.reply_to
    assert isinstance(waiting.op, c.StorePeer)
    parts.peers.strangers.discard(waiting.op.row.key)
    if result.refused:
        _peer_refused(parts, waiting.op.row.peer, result, asker, now)
        return
    is_new = row.peer not in parts.conversations
    owner = parts.peers.by_key(row.key) if row.trust == Trust.PENDING else None
    if owner and owner.peer != row.peer:
        # A stranger that was pinned as a typed peer while it was on its way into the store.
        parts.commits.add(c.ForgetPeer(row.peer, owner.peer))
        parts.commits.add(c.StorePeer(owner))
        return
    if is_new:
        window_bytes = parts.config.arq.window_bytes
        conversation = Conversation(result.state, parts.commits, parts.publisher, window_bytes)
        parts.conversations[row.peer] = conversation
    if row.peer not in parts.peers.leaving and not parts.commits.changes_peer(row.peer):
        parts.peers.put(row)
    parts.publisher.publish(ev.PeerChanged(row))
    parts.conversations[row.peer].resume(result.state)
    if is_new and row.trust == Trust.PENDING:
        text = f"{row.name} wants to talk; accept it with its safety number in view."
        parts.publisher.publish(ev.Notice("info", "peer-pending", text, row.peer))
    if listed := parts.peers.get(row.peer):
        parts.links.add(listed, now)
    if not inviting.handle_stored(parts, row, asker):
        added = asker in parts.adding
        parts.reply(asker, cmd.PeerAdded(row.peer) if added else cmd.Done())
    if asker:
        parts.adding.discard(asker)


def _peer_refused(
    parts: Parts, peer: int, result: c.PeerStored, asker: ReplyTo | None, now: Now
) -> None:
    """The peer was removed meanwhile, or another one has the key."""
    if peer == result.refused:
        error = CommandError(
            ErrorCode.UNKNOWN_PEER, f"Peer {peer} is not in this session any more."
        )
    else:
        error = CommandError(ErrorCode.NOT_ALLOWED, f"That key is {result.row.name}'s.")
        _take_back_changes(parts, peer, now)
    if asker:
        parts.invites.drop(asker)
        parts.adding.discard(asker)
        parts.fail(asker, error)


def _peer_forgotten(parts: Parts, result: c.PeerForgotten, waiting: Waiting, now: Now) -> None:
    parts.links.remove(result.peer)
    parts.peers.remove(result.peer)
    parts.conversations.pop(result.peer, None)
    parts.restoring.forget(result.peer)
    parts.publisher.publish(ev.PeerRemoved(result.peer, result.into, result.rows))
    if result.into and result.state and (into := parts.conversations.get(result.into)):
        into.take_over(result.state)
    parts.transfers.handle_peer_forgotten(
        result.peer, result.into, result.seq_offset, now.mono_s, now.wall_ms
    )
    parts.reply(waiting.reply_to, cmd.Done())


def handle_verdict(parts: Parts, verdict: Verdict, event: secure.Authenticated) -> None:
    """A key showed up that changes who the peers are: remember it."""
    row = parts.peers.get(verdict.peer)
    match verdict.meaning:
        case Meaning.PIN | Meaning.MERGE if row:
            if verdict.meaning is Meaning.MERGE:
                retired = parts.peers.get(verdict.retires)
                if retired and retired.host and not row.host:
                    row = msgspec.structs.replace(row, host=retired.host, port=retired.port)
                parts.forget_peer(verdict.retires, verdict.peer)
            parts.close_invite(verdict.peer)
            if row.trust not in TRUSTED or event.invite is not None:
                row = _pinned(parts, row, event)
            parts.remember(row)
        case Meaning.KEY_CHANGED if row and event.key not in (row.offered_key, *row.refused_keys):
            row = msgspec.structs.replace(row, offered_key=event.key)
            parts.remember(row)
        case Meaning.STRANGER if event.key not in parts.peers.strangers:
            if event.key in parts.commits.keys_on_the_way():
                return  # no stranger: it will call again when it is in the list
            parts.peers.strangers.add(event.key)
            name = show_address(event.addr[0], event.port)
            stranger = PeerRow(
                peer=0,
                name=name,
                host="",
                port=0,
                key=event.key,
                trust=Trust.PENDING,
                address=name,
                safety_number=safety_number(parts.config.session.key, event.key),
                auto_accept_bytes=0,  # nobody typed its address: its files are asked about
            )
            parts.commits.add(c.StorePeer(stranger))
        case _:
            pass  # known ones, and those who were told why not


def _pinned(parts: Parts, row: PeerRow, event: secure.Authenticated) -> PeerRow:
    number = safety_number(parts.config.session.key, event.key)
    trust = Trust.PINNED if event.invite is None else Trust.VERIFIED
    name = row.name
    if event.invite is not None and row.name == inviting.GUEST:
        name = show_address(event.addr[0], event.port)
    return msgspec.structs.replace(row, name=name, key=event.key, trust=trust, safety_number=number)


def seed_view(parts: Parts) -> None:
    """Give links to the peers that the loaded view brought along."""
    for peer in parts.publisher.view.peers:
        peer.link = parts.links.row(peer.info.peer) or idle_link(peer.info.peer)
