"""Owns when the statistics of links and transfers are published next, and the last published ones
of links."""

from collections.abc import Iterable

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.front_ends.status import Figures
from chatnet_engine.node.publisher import Publisher
from chatnet_protocol.ipc.events import LinkGauge
from chatnet_protocol.limits import GAUGE_INTERVAL_S


class Gauges:
    """Of all links and transfers, at most five a second each."""

    def __init__(self, figures: Figures, transfers: Transfers, publisher: Publisher) -> None:
        self._figures = figures
        self._transfers = transfers
        self._publisher = publisher
        self._due_s = 0.0
        self._revision = 0
        self._last: dict[int, LinkGauge] = {}
        self._changed: set[int] = set()
        """Peers that were served since the last publication."""

    def note(self, peers: Iterable[int]) -> None:
        """The statistics of these may be others now."""
        self._changed.update(peers)

    def publish(self, now: Now) -> None:
        """Those that say something new."""
        if now.mono_s < self._due_s:
            return
        self._due_s = now.mono_s + GAUGE_INTERVAL_S
        self._revision += 1
        for moving in self._transfers.take_gauges(now.mono_s):
            self._publisher.gauge(moving)
        for peer in sorted(self._changed):
            gauge = self._figures.link_gauge(peer, 0)
            if gauge is not None and self._last.get(peer) != gauge:
                self._last[peer] = gauge
                current = msgspec.structs.replace(gauge, revision=self._revision)
                self._publisher.gauge(current)
        self._changed.clear()
