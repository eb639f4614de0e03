"""How far comparing an update is: in the row, and as the sender learns it."""

import msgspec

from chatnet_protocol.ipc.reasons import TransferReason
from chatnet_protocol.ipc.rows import Compared, TransferRow
from chatnet_protocol.wire.control import TransferStatus

_REASONS = frozenset({TransferReason.COMPARING, TransferReason.PEER_COMPARING})


def is_compared(row: TransferRow) -> bool:
    """Whether its reason is that it is being compared."""
    return row.reason is not None and row.reason.code in _REASONS


def compared_of(status: TransferStatus) -> Compared | None:
    """What a receiver says of it; None: nothing."""
    if status.wait != TransferReason.COMPARING or status.compared is None:
        return None
    return Compared(*status.compared)


class PeerWait:
    """What holds a receiver up, as the sender knows it."""

    def __init__(self) -> None:
        self._wait = ""
        self._compared: Compared | None = None

    def change(self, wait: str, compared: Compared | None) -> bool:
        """It is this now, `compared` counting only while it compares; whether the sender is to
        learn that. Once nothing does, it sees that."""
        compared = compared if wait == TransferReason.COMPARING else None
        if (wait, compared) == (self._wait, self._compared):
            return False
        self._wait, self._compared = wait, compared
        return bool(wait)

    def status(self, transfer_id: bytes, paused: bool) -> TransferStatus:
        """How the transfer stands, for the other side."""
        found = self._compared
        compared = None if found is None else msgspec.structs.astuple(found)
        return TransferStatus(transfer_id, paused, self._wait, compared)
