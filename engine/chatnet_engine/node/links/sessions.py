"""Owns the live link to each peer, if there is one, and passes what arrives to its owner."""

from collections.abc import Callable, Mapping

from chatnet_engine.addresses import Addr
from chatnet_engine.arq import events as arq
from chatnet_engine.clock import Now
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_protocol.errors import RemoteProtocolError

ArrivalHandler = Callable[[LinkSession, arq.Event, Now], None]


class Sessions:
    """Live links by peer. `channels`, `arrivals`: the handler of what arrives, by channel and by
    type of event; filled once, by the node."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.channels: Mapping[int, ArrivalHandler] = {}
        self.arrivals: Mapping[type, ArrivalHandler] = {}
        self._endpoint = endpoint
        self._sessions: dict[int, LinkSession] = {}
        self._farewells: list[tuple[bytes, Addr]] = []

    def get(self, peer: int) -> LinkSession | None:
        """The present one of this peer."""
        return self._sessions.get(peer)

    def all(self) -> list[LinkSession]:
        """Those of all peers."""
        return list(self._sessions.values())

    def start(self, session: LinkSession) -> None:
        """From now on this is the link to its peer."""
        self._sessions[session.peer] = session

    def end(self, peer: int) -> LinkSession | None:
        """The link to this peer is over; the one that there was."""
        session = self._sessions.pop(peer, None)
        if session:
            session.end()
        return session

    def close(self, peer: int, code: int, reason: str, now: Now) -> None:
        """Seal a CLOSE while there is a session to seal with; the caller ends the link after it."""
        session = self._sessions.get(peer)
        if session is None:
            return
        session.close(code, reason)
        for packet in session.connection.take_packets(now.mono_s, 1):
            if sealed := self._endpoint.seal(peer, packet.number, packet.payload):
                self._farewells.append(sealed)

    def hand_over(self, peer: int, now: Now) -> None:
        """Hand what arrived on the link of a peer to its owners, in its order.

        Raises RemoteProtocolError, DecodeError.
        """
        session = self._sessions.get(peer)
        if session is None:
            return
        for event in session.take_events():
            if isinstance(event, arq.MessagesArrived):
                owner = self.channels.get(event.channel)
                if owner is None:
                    raise RemoteProtocolError(f"channel {event.channel} has no use")
            else:
                owner = self.arrivals[type(event)]
            if isinstance(event, arq.Closed):
                session.closed = event
            owner(session, event, now)

    def take_farewells(self) -> list[tuple[bytes, Addr]]:
        """Datagrams with the CLOSE of links that have ended."""
        out, self._farewells = self._farewells, []
        return out

    # --- time ---

    def handle_due(self, peer: int, now: Now) -> None:
        """Time has passed on the link of this peer."""
        if session := self._sessions.get(peer):
            session.may_send = True
            session.connection.handle_timeout(now.mono_s)
