"""Owns which received folders may be updated by later offers, and the search for earlier ones."""

from functools import partial

from chatnet_engine.clock import Now
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.table import TransferTable
from chatnet_engine.files.updating import Updating
from chatnet_engine.store_ops.commit import FindFolder, FolderFound
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.rows import TransferKind

ONLY_FOLDERS = "Only a single folder that was offered to you can be updated."


class UpdateTable(TransferTable):
    """The transfers, as far as updates are about several of them."""

    def allow_updates(self, transfer_id: bytes, allowed: bool, at: Now) -> None:
        """Whether later offers of this folder may take its place; counts for all that came from
        this peer under this name. Raises CommandError."""
        row = self._known(transfer_id).row
        if row.mine or row.kind != TransferKind.FOLDER or row.things != 1:
            raise CommandError(ErrorCode.NOT_ALLOWED, ONLY_FOLDERS)
        for one in list(self._all.values()):
            same = (one.peer, one.row.name, one.row.kind) == (row.peer, row.name, row.kind)
            if same and isinstance(one, Receiving):
                one.allow_updates(allowed, at)
                self._after(one, at)

    def take_searches(self) -> list[FindFolder]:
        """Earlier folders to be found by the store."""
        ids, self._out.searches = self._out.searches, []
        wanted = [self._all[one].row for one in ids if one in self._all]
        return [FindFolder(row.id, row.peer, row.name) for row in wanted]

    def handle_found(self, transfer_id: bytes, found: FolderFound, at: Now) -> None:
        """The store's answer to one of `take_searches`."""
        transfer = self._all.get(transfer_id)
        if isinstance(transfer, Updating):
            self._do(transfer, partial(transfer.handle_found, found, self.inbox, at), at)
