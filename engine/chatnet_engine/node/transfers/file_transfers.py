"""Owns what the rest of the node and the files package are to each other."""

from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.config import Now
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.node.subject import Subject
from chatnet_protocol.ipc.events import TransferChanged
from chatnet_protocol.transfer_ops import StoredTransfer


class FileTransfers(Subject):
    """See the module."""

    def __init__(self, transfers: Transfers, publisher: Publisher) -> None:
        super().__init__()
        self._transfers = transfers
        self._publisher = publisher

    def transfers_restored(self, restored: list[StoredTransfer], now: Now) -> None:
        """Records of transfers came with messages that a peer gave back."""
        for stored in restored:
            self._publisher.publish(TransferChanged(stored.row))
        self._transfers.handle_loaded([], restored, now.mono_s, now.wall_ms)
