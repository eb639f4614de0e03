"""What is moving: all transfers of a session taken together."""

from msgspec import Struct

from chatnet_protocol.ipc.rows import TransferState
from chatnet_qt.session import Session


class Work(Struct, frozen=True):
    """Transfers that move, and how far all of them have come."""

    ids: tuple[bytes, ...]
    total_bytes: int
    done_bytes: int
    rate_bytes_s: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 1.0

    @property
    def left_s(self) -> float | None:
        """Seconds to go at this rate; None while there is none."""
        if self.rate_bytes_s < 1:
            return None
        return (self.total_bytes - self.done_bytes) / self.rate_bytes_s


def work_of(session: Session) -> Work | None:
    """None: nothing moves, or nobody knows."""
    view = session.view
    if view is None or not session.online:
        return None
    rows = [row for row in view.transfers if row.state == TransferState.ACTIVE]
    if not rows:
        return None
    progress = [session.mirror.progress(row) for row in rows]
    return Work(
        tuple(row.id for row in rows),
        sum(row.size_bytes for row in rows),
        sum(one.done_bytes for one in progress),
        sum(one.rate_bytes_s for one in progress),
    )
