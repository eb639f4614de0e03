"""Owns offers and transfers: the adapter between the node and the files package."""

from collections.abc import Mapping

from chatnet_engine.arq.events import MessagesArrived
from chatnet_engine.clock import Now
from chatnet_engine.files.offering import FailedOffer, ReadyOffer
from chatnet_engine.files.transfers import Act, Transfers
from chatnet_engine.node.effects import FileProcessReport, FilesRestarted, ReplyTo
from chatnet_engine.node.left_out import LeftOut
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.messaging.messaging import Messaging
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.subject import Subject
from chatnet_engine.node.transfers.space_asking import SpaceAsking
from chatnet_engine.node.turn import Turn
from chatnet_engine.node.waiting import Waiting
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ids import require_id
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.events import TransferChanged
from chatnet_protocol.ipc.rows import (
    MessageKind,
    MessageRow,
    PeerRow,
    TransferState,
    Trust,
)
from chatnet_protocol.wire.messages import CHANNEL_BULK, CHANNEL_CONTROL

MAX_PATHS = 1000
ACTS = {
    cmd.RejectTransfer: Act.REJECT,
    cmd.PauseTransfer: Act.PAUSE,
    cmd.ResumeTransfer: Act.RESUME,
    cmd.CancelTransfer: Act.CANCEL,
}

OnEnded = cmd.AcceptTransfer | cmd.AllowUpdates
"""What a person may do to a transfer that ended long ago: it is read from the store first."""

MOVING_TRANSFER_STATES = frozenset({TransferState.WAITING, TransferState.ACTIVE})
"""Bytes move as soon as they can."""


class FileTransfers(Subject):
    """The subject of transfers. `transfers`: the state machines of all of them."""

    def __init__(
        self,
        transfers: Transfers,
        peers: Peers,
        links: Links,
        messaging: Messaging,
        turn: Turn,
        fast_aes: bool,
    ) -> None:
        super().__init__()
        self.transfers = transfers
        self._peers = peers
        self._links = links
        self._messaging = messaging
        self._turn = turn
        self._fast_aes = fast_aes
        self.ended: list[int] = []
        """Peers whose link has ended, each for a call of `end_link`."""
        self._offered: dict[bytes, ReplyTo] = {}
        """Where the answer goes about an offer whose files are being listed."""
        self._rereading: dict[bytes, int] = {}
        """Transfers that are read again, each with its peer."""
        self._space = SpaceAsking(transfers, turn)
        self.commands = {
            cmd.OfferFiles: self._offer_files,
            cmd.AcceptTransfer: self._accept,
            cmd.AllowUpdates: self._allow_updates,
            **dict.fromkeys(ACTS, self._act),
            **self._space.commands,
        }
        self.results = {
            c.TransferStored: self._stored,
            c.TransfersLoaded: self._loaded,
            c.FolderFound: self._found,
            c.ReceivedListed: self._listed,
        }
        self.channels = {
            CHANNEL_CONTROL: self._control_arrived,
            CHANNEL_BULK: self._bulk_arrived,
        }

    def start(self, left_out: LeftOut) -> None:
        """Stored transfers that cannot be made are left out."""
        for transfer_id, error in self.transfers.unreadable.items():
            shown = self._turn.publisher.view.transfer(transfer_id)
            peer, name = (shown.peer, shown.name) if shown else (0, "")
            left_out.add(c.LeftOut(c.LeftOut.TRANSFER, peer, name, transfer_id, error))

    # --- commands ---

    def _offer_files(self, command: cmd.OfferFiles, reply_to: ReplyTo, now: Now) -> None:
        require_id(command.id)
        self._peers.need_accepted(command.peer)
        if not 1 <= len(command.paths) <= MAX_PATHS:
            raise CommandError(ErrorCode.INVALID, "Offer between 1 and 1,000 files or folders.")
        if not all(path.startswith("/") and "\0" not in path for path in command.paths):
            raise CommandError(ErrorCode.INVALID, "Files are offered by absolute path.")
        given = command.id, command.peer, command.paths
        self.transfers.offer(*given, now, command.update)
        self._offered[command.id] = reply_to

    def _accept(self, command: cmd.AcceptTransfer, reply_to: ReplyTo, now: Now) -> None:
        require_id(command.id)
        if command.folder and not command.folder.startswith("/"):
            raise CommandError(ErrorCode.INVALID, "A folder is named by absolute path.")
        self._with_loaded(command.id, command, reply_to, now)

    def _with_loaded(
        self, transfer_id: bytes, command: OnEnded, reply_to: ReplyTo, now: Now
    ) -> None:
        if self.transfers.peer_of(transfer_id):
            self._do_loaded(command, now)
            self._turn.replies.reply(reply_to, cmd.Done())
        else:
            self._turn.commits.add(c.LoadTransfers([transfer_id]), reply_to, context=command)

    def _do_loaded(self, command: OnEnded, now: Now) -> None:
        if isinstance(command, cmd.AllowUpdates):
            self.transfers.allow_updates(command.id, command.allowed, now)
            return
        peer = self.transfers.peer_of(command.id)
        if peer and self._peers.get(peer) is None:
            raise CommandError(ErrorCode.NOT_ALLOWED, "The peer of this transfer was removed.")
        self.transfers.accept(command.id, command.folder, now)

    def _allow_updates(self, command: cmd.AllowUpdates, reply_to: ReplyTo, now: Now) -> None:
        require_id(command.id)
        self._with_loaded(command.id, command, reply_to, now)

    def _act(self, command: cmd.RejectTransfer, reply_to: ReplyTo, now: Now) -> None:
        self.transfers.act(command.id, ACTS[type(command)], now)
        self._turn.replies.reply(reply_to, cmd.Done())

    # --- what the ledger answers ---

    def _stored(self, result: c.TransferStored, waiting: Waiting, now: Now) -> None:
        self._turn.publisher.publish(TransferChanged(result.row))
        self.transfers.handle_stored(result.row, now)

    def _loaded(self, result: c.TransfersLoaded, waiting: Waiting, now: Now) -> None:
        assert isinstance(waiting.op, c.LoadTransfers)
        ids, replies = waiting.op.ids, self._turn.replies
        self.transfers.handle_loaded(ids, result.found, now)
        for stored in result.found:
            if stored.row.id in self._rereading:
                self._turn.publisher.publish(TransferChanged(stored.row))
        self._read_owners(result.found, ids, now)
        if isinstance(waiting.context, cmd.AcceptTransfer | cmd.AllowUpdates):
            try:
                self._do_loaded(waiting.context, now)
            except CommandError as error:
                replies.fail(waiting.reply_to, error)
            else:
                replies.reply(waiting.reply_to, cmd.Done())

    def _found(self, result: c.FolderFound, waiting: Waiting, now: Now) -> None:
        assert isinstance(waiting.op, c.FindFolder)
        self.transfers.handle_found(waiting.op.id, result, now)

    def _listed(self, result: c.ReceivedListed, waiting: Waiting, now: Now) -> None:
        self.transfers.handle_listed(result)
        self._space.look_up()

    def read_again(self, ids: list[bytes]) -> None:
        """Throw these away and ask the store for them."""
        if ids:
            self._rereading.update({one: self.transfers.peer_of(one) for one in ids})
            self.transfers.throw_away(ids)
            self._turn.commits.add(c.LoadTransfers(ids))

    def throw_away(self, peers: Mapping[bytes, int]) -> None:
        """These (with their peers, 0: not known) are to be read again, when the caller asks."""
        for transfer_id, peer in peers.items():
            known = self.transfers.peer_of(transfer_id) or peer
            if known or transfer_id not in self._rereading:
                self._rereading[transfer_id] = known
        self.transfers.throw_away(list(peers))

    def _read_owners(self, found: list[c.StoredTransfer], ids: list[bytes], now: Now) -> None:
        """What the store does not have was an offer just arrived: it becomes a transfer again from
        its message, with everything else of its peer."""
        stored = {one.row.id for one in found}
        owners = {self._rereading.pop(one, 0) for one in ids if one not in stored}
        for peer in owners - {0}:
            for subject in self.subjects:
                subject.transfer_missing(peer, now)
        for one in stored:
            self._rereading.pop(one, None)

    # --- the file process ---

    def handle_files(self, result: FileProcessReport | FilesRestarted, now: Now) -> None:
        """What the file process reports."""
        if isinstance(result, FileProcessReport):
            self.transfers.handle_process(result.frame, now)
        else:
            self.transfers.handle_process_restarted(now)

    # --- the link ---

    def _control_arrived(self, session: LinkSession, event: MessagesArrived, now: Now) -> None:
        for body in event.messages:
            self.transfers.handle_control(session.peer, body, now)

    def _bulk_arrived(self, session: LinkSession, event: MessagesArrived, now: Now) -> None:
        for body in event.messages:
            self.transfers.bulk.handle_message(session.peer, body)

    def link_up(self, session: LinkSession, now: Now) -> None:
        """Transfers with this peer go on."""
        row = self._peers.need(session.peer)
        assert session.hello
        self.transfers.set_line(session.peer, session.line)
        self.transfers.handle_link(
            session.peer,
            True,
            self._links.names.dial_addrs(row) or [session.addr],  # none is stored yet
            incarnation=session.remote_incarnation,
            fast_aes=session.hello.fast_aes and self._fast_aes,
            at=now,
        )

    def link_ended(self, peer: int) -> None:
        """Its transfers learn of it in `end_link`."""
        self.ended.append(peer)

    def end_link(self, peer: int, now: Now) -> None:
        """Transfers with this peer wait."""
        self.transfers.handle_link(
            peer, up=False, addrs=[], incarnation=0, fast_aes=False,
            at=now,
        )  # fmt: skip

    # --- the end of a turn ---

    def take_offers(self) -> list[tuple[ReadyOffer | FailedOffer, ReplyTo | None]]:
        """Offers whose files have been listed, each with where its answer goes."""
        return [
            (offer, self._offered.pop(offer.transfer_id, None))
            for offer in self.transfers.offering.take()
        ]

    def send_offer(
        self, offer: ReadyOffer | FailedOffer, reply_to: ReplyTo | None, now: Now
    ) -> None:
        """Make a message of an offer."""
        if isinstance(offer, FailedOffer):
            self._turn.replies.fail(reply_to, CommandError(offer.code, offer.sentence))
            return
        if self._peers.get(offer.peer) is None:
            gone = CommandError(ErrorCode.UNKNOWN_PEER, "The peer was removed meanwhile.")
            self._turn.replies.fail(reply_to, gone)
            return
        message = c.NewMessage(
            offer.transfer_id, MessageKind.OFFER, offer.body, now.wall_ms, transfer=offer.store
        )
        self._messaging.queue(offer.peer, message, reply_to, now)

    def take_controls(self) -> list[tuple[LinkSession, bytes]]:
        """Control messages for links that are up."""
        found = [
            (self._links.sessions.get(peer), body) for peer, body in self.transfers.take_controls()
        ]
        return [(session, body) for session, body in found if session]

    def _send_bulk(self) -> None:
        """Bytes of files leave on the links that have credit for them."""
        bulk = self.transfers.bulk
        for peer in bulk.waiting():
            session = self._links.sessions.get(peer)
            if session and (batch := bulk.take(peer, session.credit(CHANNEL_BULK))):
                session.send_batch(CHANNEL_BULK, batch)

    def flush(self) -> None:
        """Send bytes on the links, have stored what changed, and looked up what is not known."""
        self._send_bulk()
        self._space.answer()
        for op in self.transfers.take_stores():
            self._turn.commits.add(op)
        for search in self.transfers.take_searches():
            self._turn.commits.add(search)
        if ids := self.transfers.lookups.take():
            self._turn.commits.add(c.LoadTransfers(ids))

    # --- what others announce ---

    def offers_committed(self, peer: int, offers: list[MessageRow], now: Now) -> None:
        """They become transfers; own ones whose peer was removed meanwhile end at once."""
        row = self._peers.get(peer)
        for offer in offers:
            if offer.mine:
                stored = self.transfers.handle_own_offer(offer, peer, now)
                if stored is not None:
                    self._turn.publisher.publish(TransferChanged(stored))
            elif row:
                self._handle_peer_offer(offer, row, now)
        if row is None and any(offer.mine for offer in offers):
            self.transfers.handle_peer_forgotten(peer, 0, 0, now)

    def _handle_peer_offer(self, offer: MessageRow, peer: PeerRow, now: Now) -> None:
        self.transfers.handle_peer_offer(
            offer,
            peer.peer,
            key=peer.key,
            auto_accept_bytes=peer.auto_accept_bytes,
            verified=peer.trust == Trust.VERIFIED,
            at=now,
        )

    def offers_resumed(self, peer: int, offers: list[MessageRow], now: Now) -> None:
        """They become transfers now."""
        if self._peers.get(peer):
            self.offers_committed(peer, offers, now)

    def offer_refused(self, transfer_id: bytes) -> None:
        """Its list of files is not needed."""
        self.transfers.offering.pop_listed(transfer_id)

    def messages_delivered(self, peer: int, delivered_seq: int, now: Now) -> None:
        """What waited for the peer to know of an offer goes on."""
        self.transfers.handle_delivered(peer, delivered_seq, now)

    def peer_stored(self, result: c.PeerStored, now: Now) -> None:
        """Of one that was blocked no byte moves, not on a connection of its own either."""
        if not result.row.blocked:
            return
        for row in self._turn.publisher.view.transfers:
            if row.peer == result.row.peer and row.state in MOVING_TRANSFER_STATES:
                self.transfers.act(row.id, Act.PAUSE, now)

    def peer_removed(self, result: c.PeerForgotten, now: Now) -> None:
        """Its transfers end, or go to another peer."""
        self.transfers.handle_peer_forgotten(result.peer, result.into, result.seq_offset, now)

    def peer_unloaded(self, peer: int) -> None:
        """Throw its transfers away."""
        self.transfers.throw_away(self.transfers.ids_of(peer))

    def peer_loaded(self, result: c.PeerLoaded, now: Now) -> None:
        """Its transfers as the store has them."""
        self.transfers.handle_loaded([], result.transfers, now)

    def transfers_restored(self, restored: list[c.StoredTransfer], now: Now) -> None:
        """Records of transfers came with messages that a peer gave back."""
        for stored in restored:
            self._turn.publisher.publish(TransferChanged(stored.row))
        self.transfers.handle_loaded([], restored, now)
