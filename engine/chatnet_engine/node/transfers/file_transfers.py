"""Owns what the rest of the node and the files package are to each other."""

from chatnet_engine.arq.events import MessagesArrived
from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.config import Now
from chatnet_engine.node.links.link_session import LinkSession
from chatnet_engine.node.links.links import Links
from chatnet_engine.node.people.peers import Peers
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.subject import Subject
from chatnet_protocol.commit import PeerForgotten
from chatnet_protocol.ipc.events import TransferChanged
from chatnet_protocol.ipc.rows import MessageRow, PeerRow, Trust
from chatnet_protocol.transfer_ops import StoredTransfer
from chatnet_protocol.wire.messages import CHANNEL_CONTROL


class FileTransfers(Subject):
    """See the module."""

    def __init__(
        self, transfers: Transfers, peers: Peers, links: Links, publisher: Publisher, fast_aes: bool
    ) -> None:
        super().__init__()
        self._links = links
        self._fast_aes = fast_aes
        self._ended: list[int] = []
        self.channels = {CHANNEL_CONTROL: self._control_arrived}
        self._transfers = transfers
        self._peers = peers
        self._publisher = publisher

    def _control_arrived(self, session: LinkSession, event: MessagesArrived, now: Now) -> None:
        for body in event.messages:
            self._transfers.handle_control(session.peer, body, now.mono_s, now.wall_ms)

    def link_up(self, session: LinkSession, now: Now) -> None:
        """Transfers with this peer go on."""
        row = self._peers.need(session.peer)
        assert session.hello
        self._transfers.handle_link(
            session.peer,
            True,
            self._links.names.dial_addrs(row),
            incarnation=session.remote_incarnation,
            fast_aes=session.hello.fast_aes and self._fast_aes,
            now=now.mono_s,
            wall_ms=now.wall_ms,
        )

    def link_ended(self, peer: int) -> None:
        """Its transfers are told in `end_link`."""
        self._ended.append(peer)

    def take_ended(self) -> list[int]:
        """Peers whose link has ended, each for a call of `end_link`."""
        out, self._ended = self._ended, []
        return out

    def end_link(self, peer: int, now: Now) -> None:
        """Transfers with this peer wait."""
        self._transfers.handle_link(
            peer, up=False, addrs=[], incarnation=0, fast_aes=False,
            now=now.mono_s, wall_ms=now.wall_ms,
        )  # fmt: skip

    def offers_committed(self, peer: int, offers: list[MessageRow], now: Now) -> None:
        """They become transfers; own ones whose peer was removed meanwhile end at once."""
        row = self._peers.get(peer)
        for offer in offers:
            if offer.mine:
                stored = self._transfers.handle_own_offer(offer, peer, now.mono_s, now.wall_ms)
                if stored is not None:
                    self._publisher.publish(TransferChanged(stored))
            elif row:
                self._handle_peer_offer(offer, row, now)
        if row is None and any(offer.mine for offer in offers):
            self._transfers.handle_peer_forgotten(peer, 0, 0, now.mono_s, now.wall_ms)

    def _handle_peer_offer(self, offer: MessageRow, peer: PeerRow, now: Now) -> None:
        self._transfers.handle_peer_offer(
            offer,
            peer.peer,
            key=peer.key,
            auto_accept_bytes=peer.auto_accept_bytes,
            verified=peer.trust == Trust.VERIFIED,
            now=now.mono_s,
            wall_ms=now.wall_ms,
        )

    def offer_refused(self, transfer_id: bytes) -> None:
        """Its list of files is not needed."""
        self._transfers.offering.pop_listed(transfer_id)

    def messages_delivered(self, peer: int, delivered_seq: int, now: Now) -> None:
        """What waited for the peer to know of an offer goes on."""
        self._transfers.handle_delivered(peer, delivered_seq, now.mono_s, now.wall_ms)

    def peer_removed(self, result: PeerForgotten, now: Now) -> None:
        """Its transfers end, or go to another peer."""
        self._transfers.handle_peer_forgotten(
            result.peer, result.into, result.seq_offset, now.mono_s, now.wall_ms
        )

    def transfers_restored(self, restored: list[StoredTransfer], now: Now) -> None:
        """Records of transfers came with messages that a peer gave back."""
        for stored in restored:
            self._publisher.publish(TransferChanged(stored.row))
        self._transfers.handle_loaded([], restored, now.mono_s, now.wall_ms)
