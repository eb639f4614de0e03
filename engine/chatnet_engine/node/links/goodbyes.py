"""Owns the CLOSE datagrams that leave at the end of the turn, after their links have ended."""

from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import Addr
from chatnet_engine.node.links.link_session import LinkSession
from chatnet_engine.secure.endpoint import Endpoint


class Goodbyes:
    """See the module."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._sealed: list[tuple[bytes, Addr]] = []

    def say(self, peer: int, session: LinkSession, code: int, reason: str, now: Now) -> None:
        """End this link, and seal its CLOSE while there is a session to seal with."""
        session.close(code, reason)
        for packet in session.connection.take_packets(now.mono_s, 1):
            if sealed := self._endpoint.seal(peer, packet.number, packet.payload):
                self._sealed.append(sealed)

    def take(self) -> list[tuple[bytes, Addr]]:
        """What is to be sent."""
        out, self._sealed = self._sealed, []
        return out
