"""Owns a front end's picture of its session: the view, the statistics, whether both are current.

Fed with the client events in order, in whichever thread draws. It decides nothing of its own:
what it shows is what `View.apply` makes of the events.
"""

from typing import NamedTuple

from chatnet_client.client_events import (
    Changed,
    ClientEvent,
    ClientFailed,
    EngineLost,
    Gauged,
    Live,
    Outage,
    Reset,
)
from chatnet_protocol.ipc.events import LinkGauge, PeerRemoved, TransferChanged, TransferGauge
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, TransferRow
from chatnet_protocol.ipc.view import PeerView, View


class Progress(NamedTuple):
    """How far a transfer is."""

    done_bytes: int
    rate_bytes_s: float = 0.0
    on_link: bool = False
    """Its bytes travel on the link, since no TCP connection could be had."""


NO_PROGRESS = Progress(0)


class Mirror:
    """The session as this client knows it; `view` is None until the first Reset."""

    def __init__(self) -> None:
        self.view: View | None = None
        self.live = False
        self.lost_reason = ""
        """Why the engine is gone, while it is."""
        self.outage: Outage | None = None
        """More about that, where it is known."""
        self.client = 0
        self._links: dict[int, LinkGauge] = {}
        self._transfers: dict[bytes, TransferGauge] = {}

    def handle(self, event: ClientEvent) -> None:
        """Take over one client event."""
        match event:
            case Reset(view=view, client=client):
                self.view = view
                self.client = client
                self.lost_reason = ""
                self.outage = None
                self._links.clear()
                self._transfers.clear()
            case Changed(event=change):
                if self.view is not None:
                    self.view.apply(change)
                if isinstance(change, TransferChanged):
                    self._forget_progress(change.row)
                elif isinstance(change, PeerRemoved):
                    self._links.pop(change.peer, None)
            case Gauged(gauge=LinkGauge() as gauge):
                self._links[gauge.peer] = gauge
            case Gauged(gauge=TransferGauge() as gauge):
                self._transfers[gauge.id] = gauge
            case Live():
                self.live = True
                self.lost_reason = ""
                self.outage = None
            case EngineLost(reason=reason) | ClientFailed(reason=reason):
                self.live = False
                self.lost_reason = reason
                self.outage = event.outage if isinstance(event, EngineLost) else None
            case _:
                pass

    def peer(self, number: int) -> PeerView | None:
        """The conversation with that peer."""
        return self.view.peer(number) if self.view is not None else None

    def draft(self, number: int) -> tuple[str, int]:
        """(text, revision) of the session's draft to that peer."""
        peer = self.peer(number)
        return (peer.draft, peer.draft_revision) if peer is not None else ("", 0)

    def link_gauge(self, peer: int) -> LinkGauge | None:
        """Newest statistics of the link to a peer."""
        return self._links.get(peer)

    def progress(self, row: TransferRow) -> Progress:
        """How a transfer moves, by whichever source is newer."""
        gauge = self._transfers.get(row.id)
        if gauge is None or row.state in ENDED_TRANSFER_STATES:
            return Progress(row.done_bytes)
        done_bytes = max(row.done_bytes, gauge.done_bytes)
        return Progress(done_bytes, gauge.rate_bytes_s, gauge.on_link)

    def _forget_progress(self, row: TransferRow) -> None:
        if row.state in ENDED_TRANSFER_STATES:
            self._transfers.pop(row.id, None)
