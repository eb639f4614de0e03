"""Owns when the statistics of links and transfers are published next, and what links said last."""

from chatnet_engine.node.config import Now
from chatnet_engine.node.front_ends import status
from chatnet_engine.node.parts import Parts
from chatnet_protocol.ipc.events import LinkGauge
from chatnet_protocol.limits import GAUGE_INTERVAL_S


class Gauges:
    """Of all links and transfers, at most five a second each."""

    def __init__(self) -> None:
        self._due_s = 0.0
        self._revision = 0
        self._last: dict[int, LinkGauge] = {}

    def publish(self, parts: Parts, now: Now) -> None:
        """Those that say something new, while anybody looks."""
        if now.mono_s < self._due_s or not len(parts.front_ends.clients):
            return
        self._due_s = now.mono_s + GAUGE_INTERVAL_S
        self._revision += 1
        for moving in parts.transfers.take_gauges(now.mono_s):
            parts.publisher.gauge(moving)
        for peer in parts.conversations:
            gauge = status.link_gauge(parts, peer, 0)
            if gauge is not None and self._last.get(peer) != gauge:
                self._last[peer] = gauge
                current = status.link_gauge(parts, peer, self._revision)
                if current is not None:
                    parts.publisher.gauge(current)
