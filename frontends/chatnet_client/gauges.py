"""Owns which revision of each gauge is the newest one. Knows no sockets and no clock."""

from chatnet_protocol.ipc.events import LinkGauge, TransferGauge

MAX_GAUGES = 1024
"""Links and transfers whose revision is known; beyond it the oldest are forgotten."""


class NewestGauges:
    """The revisions of one boot of the engine."""

    def __init__(self) -> None:
        self._revisions: dict[tuple[str, object], int] = {}

    def handle(self, gauge: LinkGauge | TransferGauge) -> bool:
        """Take one over; false when a newer one, or this one, was there before."""
        key = (type(gauge).__name__, getattr(gauge, "id", gauge.peer))
        if gauge.revision <= self._revisions.get(key, -1):
            return False
        self._revisions[key] = gauge.revision
        if len(self._revisions) > MAX_GAUGES:
            del self._revisions[next(iter(self._revisions))]
        return True

    def clear(self) -> None:
        """Another boot begins."""
        self._revisions.clear()
