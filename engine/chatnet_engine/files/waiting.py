"""Owns how long each transfer has stood still, and what its row then shows as the reason.

Most reasons come with an input: a queue, a full disk, a path that acknowledges nothing. Where none
came, SAY_AFTER_S without a change of phase or one more byte are enough to look for it here. A
sender cannot see what holds its receiver up, so the receiver says it (`TransferStatus.wait`).
"""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

from chatnet_engine.clock import Now
from chatnet_engine.deadlines import next_tick
from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.phases import S
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.sending import Sending
from chatnet_engine.files.transfer import Transfer
from chatnet_engine.files.updating import Updating
from chatnet_protocol.ipc.reasons import TransferReason

R = TransferReason

SAY_AFTER_S = 5.0
"""What takes less needs no words."""
SAY_ACTIVE_AFTER_S = 5.5
"""With a connection: a little later than the file process reports what it knows (STALLED_S)."""

PEER_WAITS: Mapping[str, R] = MappingProxyType(
    {
        R.QUEUED: R.PEER_QUEUED,
        R.COMPARING: R.PEER_COMPARING,
        R.DISK_FULL: R.PEER_DISK_FULL,
        R.NO_SPACE: R.PEER_DISK_FULL,
        R.UNWRITABLE: R.PEER_UNWRITABLE,
    }
)
"""What a receiver waits for, as it sends it, and what that is for the sender."""
BRIEF = frozenset({R.QUEUED, R.COMPARING})
"""Those that are often over in a moment: sent only after SAY_AFTER_S."""

_FOUND_HERE = frozenset(
    {
        R.NO_LINK,
        R.FILES_STARTING,
        R.CONNECTING,
        R.PEER_NOT_READY,
        R.LIMITED,
        R.DISK_BUSY,
        *PEER_WAITS.values(),
    }
)
"""Shown by this module alone, and replaced by it when it is no longer so."""
_STRONGER = frozenset({R.NO_LINK, R.FILES_STARTING, *PEER_WAITS.values()})
"""Shown also where a reason of a connection stands already."""
_OF_CONNECTIONS = frozenset({R.CONNECTION_CUT, R.NO_TCP, R.PATH_SILENT})


class _Still:
    __slots__ = ("due_s", "mark", "since_s")

    def __init__(self) -> None:
        self.mark: int | None = None
        self.since_s = inf
        self.due_s: float | None = None


class Waits:
    """The standstills of all transfers."""

    def __init__(self, out: Outputs) -> None:
        self._out = out
        self._still: dict[bytes, _Still] = {}

    def note(self, transfer: Transfer, at: Now) -> float | None:
        """An input was handled, or the time has come that was returned last: show what it waits
        for. When to look again."""
        if transfer.held or transfer.phase not in (S.WAITING, S.ACTIVE, S.VERIFYING):
            self.forget(transfer.id)
            return None
        still = self._still.setdefault(transfer.id, _Still())
        mark = _mark(transfer)
        if still.mark != mark:
            still.mark, still.since_s = mark, at.mono_s
        after_s = SAY_ACTIVE_AFTER_S if transfer.phase is S.ACTIVE else SAY_AFTER_S
        is_long = at.mono_s >= still.since_s + after_s
        self._show(transfer, at, is_long=is_long)
        if isinstance(transfer, Receiving):
            self._send_wait(transfer, is_long=is_long)
        if still.due_s is None or still.due_s <= at.mono_s:
            still.due_s = None if is_long else next_tick(still.since_s + after_s)
        return still.due_s

    def forget(self, transfer_id: bytes) -> None:
        """It is over, held, or not in memory any more."""
        self._still.pop(transfer_id, None)

    def _show(self, transfer: Transfer, at: Now, *, is_long: bool) -> None:
        shown = _shown(transfer)
        is_known = isinstance(transfer, Sending) and transfer.peer_wait in PEER_WAITS
        if not is_long and (transfer.phase is S.ACTIVE or not (is_known or shown in _FOUND_HERE)):
            return
        found = why_still(transfer, self._out)
        if (found or "") != shown and _may_replace(shown, found, transfer):
            transfer.show_wait(found, at)

    def _send_wait(self, transfer: Receiving, *, is_long: bool) -> None:
        """The sender learns what holds this side up. That it goes on, the next request for a
        connection shows."""
        why = _shown(transfer)
        wait = why if why in PEER_WAITS and (is_long or why not in BRIEF) else ""
        if transfer.phase is S.ACTIVE:
            wait = ""
        if transfer.wait.change(wait, transfer.row.compared):
            self._out.say(transfer.peer, transfer.wait.status(transfer.id, transfer.detail.held))


def why_still(transfer: Transfer, out: Outputs) -> TransferReason | None:
    """What it waits for, as far as this side knows; None: its phase says it."""
    if not out.ready:
        return R.FILES_STARTING
    if transfer.phase is S.ACTIVE:
        if transfer.job == transfer.bulk_job and (why := out.bulk.why_still(transfer.job)):
            return why
        if out.limit_bytes_s:
            return R.LIMITED
        all_sent = transfer.progress.moved_bytes >= transfer.offer.size_bytes
        return R.RECEIVER_BUSY if isinstance(transfer, Sending) and all_sent else R.DISK_BUSY
    if not transfer.link.up:
        return R.NO_LINK
    if isinstance(transfer, Sending) and transfer.peer_wait in PEER_WAITS:
        return PEER_WAITS[transfer.peer_wait]
    if transfer.phase is S.VERIFYING:
        return None
    if isinstance(transfer, Updating) and transfer.is_preparing:
        return R.COMPARING
    if isinstance(transfer, Sending) and not transfer.job:
        return R.QUEUED if transfer.is_asked else R.PEER_NOT_READY
    return R.CONNECTING


def _may_replace(shown: str, found: TransferReason | None, transfer: Transfer) -> bool:
    if not shown or shown in _FOUND_HERE:
        return True
    if shown == R.QUEUED:
        return found in _STRONGER or (found is R.CONNECTING and transfer.job != 0)
    return shown in _OF_CONNECTIONS and transfer.phase is not S.ACTIVE and found in _STRONGER


def _mark(transfer: Transfer) -> int:
    """Another number when it has moved."""
    if transfer.phase is S.ACTIVE:
        return transfer.progress.moved_bytes + transfer.detail.index
    return -1 if transfer.phase is S.WAITING else -2


def _shown(transfer: Transfer) -> str:
    why = transfer.row.reason
    return why.code if why else ""
