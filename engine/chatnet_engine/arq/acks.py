"""Which packets of the peer were processed, and what has to be said about it.

Owns the received packet numbers. An ACK is due at once after any ack-eliciting packet, and rides
in the first packet of each batch until the peer is known to have it.
"""

from chatnet_engine.arq.packets import Pulled, Token
from chatnet_engine.arq.ranges import RangeSet
from chatnet_protocol.limits import MAX_ACK_RANGES
from chatnet_protocol.wire import frames

MAX_DELAY_US = 10_000_000


class Acks:
    """Source of ACK frames. Its tokens are (largest number told,)."""

    def __init__(self) -> None:
        self._received = RangeSet()
        self._largest = -1
        self._largest_at = 0.0
        self._confirmed = -1
        self._late = False
        self.due = False

    def seen(self, number: int) -> bool:
        """Whether this packet was processed, as far as is remembered."""
        return number in self._received

    def on_packet(self, number: int, eliciting: bool, now: float) -> None:
        """A packet was processed."""
        self._received.add(number, number)
        self._received.keep_highest(MAX_ACK_RANGES)
        if number > self._largest:
            self._largest = number
            self._largest_at = now
        else:
            self._late = True
        self.due = self.due or eliciting

    def pull(self, now: float) -> Pulled | None:
        """The ACK frame, if there is anything that the peer may not know."""
        if not (self.due or self._late or self._largest > self._confirmed):
            return None
        self.due = False
        self._late = False
        ranges = self._received.highest_first(MAX_ACK_RANGES)
        delay_us = 0
        if ranges[0][1] == self._largest:
            delay_us = min(max(int((now - self._largest_at) * 1e6), 0), MAX_DELAY_US)
        return frames.encode_ack(delay_us, ranges), (ranges[0][1],)

    def on_acked(self, token: Token) -> None:
        """The peer has this ACK and needs no more of what it told, RFC 9000 section 13.2.4."""
        if token[0] > self._confirmed:
            self._confirmed = token[0]
            self._received.drop_below(token[0] + 1)
            if not self._received:  # a late packet went with it: its sender will say it again
                self.due = self._late = False

    def on_lost(self, token: Token, packet: int) -> None:
        """Nothing: the next packet carries a newer one."""

    def on_probe(self, token: Token) -> None:
        """Nothing."""
