"""Owns when the statistics of links are published next, and what they said last."""

from chatnet_engine.node import status
from chatnet_engine.node.config import Now
from chatnet_engine.node.parts import Parts
from chatnet_protocol.ipc.events import LinkGauge
from chatnet_protocol.limits import GAUGE_INTERVAL_S


class Gauges:
    """Of all links, at most five a second each."""

    def __init__(self) -> None:
        self._due_s = 0.0
        self._revision = 0
        self._last: dict[int, LinkGauge] = {}

    def publish(self, parts: Parts, now: Now) -> None:
        """Those that say something new, while anybody looks."""
        if now.mono_s < self._due_s or not len(parts.clients):
            return
        self._due_s = now.mono_s + GAUGE_INTERVAL_S
        self._revision += 1
        for peer in parts.conversations:
            gauge = status.link_gauge(parts, peer, 0)
            if gauge is not None and self._last.get(peer) != gauge:
                self._last[peer] = gauge
                current = status.link_gauge(parts, peer, self._revision)
                if current is not None:
                    parts.publisher.gauge(current)
