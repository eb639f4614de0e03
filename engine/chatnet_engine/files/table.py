"""Owns which transfers are in memory, and lets go of those that are to be read again."""

from collections import Counter
from collections.abc import Sequence

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.schedule import Schedule
from chatnet_engine.files.sending import Sending
from chatnet_engine.files.transfer import Transfer
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS

MAX_STORING_BYTES = 256 * 1024
"""Of one peer's transfers in one transaction, and one more. Each is stored once with its listing,
up to 60 KiB, and then 100 bytes a change: a transaction must stay short for the others."""


class Storing:
    """How much of each peer's transfers is being stored."""

    def __init__(self) -> None:
        self._sizes: dict[bytes, tuple[int, int]] = {}
        self._bytes: Counter[int] = Counter()

    def has_room(self, peer: int) -> bool:
        """Whether another transfer of this peer may be stored now."""
        return self._bytes[peer] < MAX_STORING_BYTES

    def begin(self, transfer_id: bytes, peer: int, size_bytes: int) -> None:
        """One is asked for."""
        self.over(transfer_id)
        self._sizes[transfer_id] = (peer, size_bytes)
        self._bytes[peer] += size_bytes

    def over(self, transfer_id: bytes) -> None:
        """It is stored, or will not be."""
        peer, size_bytes = self._sizes.pop(transfer_id, (0, 0))
        self._bytes[peer] -= size_bytes


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
        self._settled: dict[bytes, None] = {}
        """The others, in the order in which they became so."""
        self._offered: dict[int, set[bytes]] = {}
        """Offers of each peer that have not ended."""
        self._changed: dict[bytes, Transfer] = {}
        """May have something to store."""
        self._storing = Storing()

    def peer_of(self, transfer_id: bytes) -> int:
        """Whose transfer it is; 0 if it is not in memory."""
        known = self._all.get(transfer_id)
        return known.peer if known else 0

    def throw_away(self, ids: Sequence[bytes]) -> None:
        """Forget these, to be loaded again from the store by `handle_loaded`."""
        for transfer_id in ids:
            transfer = self._all.pop(transfer_id, None)
            for table in (self._open, self._undelivered, self._changed, self._settled):
                table.pop(transfer_id, None)
            if transfer is not None:
                self._offered.get(transfer.peer, set()).discard(transfer_id)
                self._storing.over(transfer_id)
                if transfer.job:
                    self._out.ask(pw.Stop(transfer.job))
                self._schedule.forget(transfer_id)

    def _file(self, transfer: Transfer) -> None:
        """Put it where it belongs now, and forget the oldest of too many settled ones."""
        transfer_id = transfer.id
        if not transfer.row.mine:
            offered = self._offered.setdefault(transfer.peer, set())
            (offered.discard if transfer.ended else offered.add)(transfer_id)
        if not transfer.settled:
            self._settled.pop(transfer_id, None)
            self._open[transfer_id] = transfer
            return
        self._open.pop(transfer_id, None)
        self._settled.setdefault(transfer_id)
        while len(self._settled) > MAX_VIEW_TRANSFERS:
            oldest = next(iter(self._settled))
            del self._settled[oldest], self._all[oldest]

    def ids_of(self, peer: int = 0) -> list[bytes]:
        """Transfers of this peer in memory; 0: of all peers, those that have not ended."""
        every = self._all if peer else self._open
        return [one.id for one in every.values() if peer in (0, one.peer)]
