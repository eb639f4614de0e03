"""Owns whether the peer is typing: set by its STATE frames, expires on a timer."""

from chatnet_engine.clock import Now
from chatnet_engine.node.publisher import Publisher
from chatnet_protocol.ipc.events import TypingChanged
from chatnet_protocol.wire.messages import TYPING_KEPT_S


class TypingPeer:
    """Whether one peer is typing, and what has been published of it."""

    def __init__(self, peer: int, publisher: Publisher) -> None:
        self._peer = peer
        self._publisher = publisher
        self.until: float | None = None
        """When it is forgotten; None while nobody types."""

    def handle(self, typing: bool, now: Now) -> None:
        """A STATE frame of the peer."""
        if not typing:
            self.end()
            return
        if self.until is None:
            self._publisher.publish(TypingChanged(self._peer, True))
        self.until = now.mono_s + TYPING_KEPT_S

    def end(self) -> None:
        """It stopped, sent what it typed, or the link is gone."""
        if self.until is not None:
            self.until = None
            self._publisher.publish(TypingChanged(self._peer, False))

    def handle_timeout(self, now: Now) -> None:
        """The state expired."""
        if self.until is not None and now.mono_s >= self.until:
            self.end()
