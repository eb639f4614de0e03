"""Owns what was last written about each transfer, so that a log of them says what is new."""

from chatnet_protocol.ipc.reasons import Reason
from chatnet_protocol.ipc.rows import Compared, TransferRow
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS

PROGRESS_EVERY_S = 1.0

_Step = tuple[str, str, Reason | None]
_Done = tuple[int, Compared | None]


class TransferFeed:
    """A change of state is new at once, mere progress once a second."""

    def __init__(self) -> None:
        self._written: dict[bytes, tuple[_Step, _Done, float]] = {}

    def is_new(self, row: TransferRow, done_bytes: int, now_s: float) -> bool:
        """Whether to write this now; if so, it counts as written."""
        step, done = (row.state, row.by, row.reason), (done_bytes, row.compared)
        former = self._written.get(row.id)
        if former is not None and former[0] == step:
            if done == former[1]:
                return False
            if now_s < former[2] + PROGRESS_EVERY_S:
                return False
        self._written.pop(row.id, None)
        self._written[row.id] = step, done, now_s
        if len(self._written) > MAX_VIEW_TRANSFERS:
            del self._written[next(iter(self._written))]
        return True
