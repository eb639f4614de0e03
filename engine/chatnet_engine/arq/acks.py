"""Which packets of the peer were processed, and when they have to be acknowledged.

Owns the received packet numbers. An ACK waits for a packet that it can ride in, a few milliseconds
for one of its own content, longer for receipts, whose sender does not hurry; it leaves at once when
something was lost or reordered, or a probe asks (RFC 9000 section 13.2). It goes out once: who
lacks it sends again, and that elicits another. Where this direction loses packets it does not wait,
and rides in later packets of receipts too, so that the peer's estimate does not lag.
"""

from enum import IntEnum

from chatnet_engine.arq.packets import DeliveryToken, SentFrame
from chatnet_engine.arq.ranges import RangeSet
from chatnet_protocol.limits import MAX_ACK_RANGES
from chatnet_protocol.wire import frames

MAX_DELAY_US = 10_000_000
ACK_DELAY_S = 0.005
"""An ACK of content waits so long for the receipt, which follows the commit. No longer: senders
allow for it in their probe timeouts."""
RECEIPT_ACK_DELAY_S = 0.25
"""An ACK of receipts alone waits so long for a packet to ride in. Senders of receipts allow for it;
a receipt that was lost is in the next one anyway."""
PACKETS_AN_ACK = 2
"""So many packets with content are acknowledged without delay, RFC 9000 section 13.2.2."""


class Elicits(IntEnum):
    """How soon a packet, or a frame, wants its ACK."""

    NOTHING = 0
    PATIENT = 1
    """Within RECEIPT_ACK_DELAY_S."""
    SOON = 2
    """Within ACK_DELAY_S."""
    AT_ONCE = 3


NOTHING, PATIENT, SOON, AT_ONCE = Elicits
"""A member of a class of constants costs as much as a call, for each packet."""


class Acks:
    """Source of ACK frames. Its tokens are (largest number reported,)."""

    def __init__(self) -> None:
        self._received = RangeSet()
        self._largest = -1
        self._largest_at = 0.0
        self._confirmed = -1
        self._news = False
        self._eliciting = 0
        self.due_at = float("inf")
        """When an ACK has to leave, with or without other content."""
        self.insistent = True
        """Whether the line to the peer loses packets, or is not known."""

    def seen(self, number: int) -> bool:
        """Whether this packet was processed, as far as is remembered."""
        return number <= self._largest and number in self._received

    def on_packet(self, number: int, elicits: Elicits, now: float) -> None:
        """A packet was processed."""
        in_order = number == self._largest + 1
        self._received.add(number, number)
        if number > self._largest:
            self._largest = number
            self._largest_at = now
        if not in_order:
            self._received.keep_highest(MAX_ACK_RANGES)
        if elicits is NOTHING:
            return
        self._news = True
        if elicits is PATIENT:
            self.due_at = min(self.due_at, now + RECEIPT_ACK_DELAY_S)
            return
        self._eliciting += 1
        may_wait = in_order and self._eliciting < PACKETS_AN_ACK and not self.insistent
        at_once = elicits is AT_ONCE or not may_wait
        self.due_at = min(self.due_at, now if at_once else now + ACK_DELAY_S)

    def pull(self, now: float, *, again: bool = False) -> SentFrame | None:
        """The ACK frame, if there is anything that was not reported yet; with `again`, on a line
        that loses, also when the peer may lack what was reported."""
        if not self._news and not (again and self.insistent and self._largest > self._confirmed):
            return None
        self._settled()
        ranges = self._received.highest_first(MAX_ACK_RANGES)
        delay_us = 0
        if ranges[0][1] == self._largest:
            delay_us = min(max(int((now - self._largest_at) * 1e6), 0), MAX_DELAY_US)
        return frames.encode_ack(delay_us, ranges), (ranges[0][1],)

    def on_acked(self, token: DeliveryToken) -> None:
        """The peer has this ACK: ranges up to it need not be sent again (RFC 9000 section
        13.2.4)."""
        if token[0] > self._confirmed:
            self._confirmed = token[0]
            self._received.drop_below(token[0] + 1)
            if not self._received:  # a late packet went with it: its sender will say it again
                self._settled()

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        """Nothing: the next packet carries a newer one."""

    def on_probe(self, token: DeliveryToken) -> None:
        """Nothing."""

    def _settled(self) -> None:
        self._news = False
        self._eliciting = 0
        self.due_at = float("inf")
