"""Owns which transfers are in memory, and lets go of those that are to be read again."""

from collections.abc import Sequence

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.schedule import Schedule
from chatnet_engine.files.sending import Sending
from chatnet_engine.files.transfer import Transfer


class TransferTable:
    """The tables; `Transfers` fills them."""

    def __init__(self) -> None:
        self._out = Outputs()
        self._schedule = Schedule()
        self._all: dict[bytes, Transfer] = {}
        self._open: dict[bytes, Transfer] = {}
        """Those of `_all` that have not ended, or not been stored since."""
        self._undelivered: dict[bytes, Sending] = {}
        """Own offers that their receiver has not committed."""
        self._changed: dict[bytes, Transfer] = {}
        """May have something to store."""

    def peer_of(self, transfer_id: bytes) -> int:
        """Whose transfer it is; 0 if it is not in memory."""
        known = self._all.get(transfer_id)
        return known.peer if known else 0

    def throw_away(self, ids: Sequence[bytes]) -> None:
        """Forget these, to be loaded again from the store by `handle_loaded`."""
        for transfer_id in ids:
            transfer = self._all.pop(transfer_id, None)
            for table in (self._open, self._undelivered, self._changed):
                table.pop(transfer_id, None)
            if transfer is not None:
                if transfer.job:
                    self._out.ask(pw.Stop(transfer.job))
                self._schedule.forget(transfer_id)

    def ids_of(self, peer: int = 0) -> list[bytes]:
        """Transfers of this peer in memory; 0: of all peers, those that have not ended."""
        every = self._all if peer else self._open
        return [one.id for one in every.values() if peer in (0, one.peer)]
