"""What leaves, and what is remembered of it until it is acknowledged or declared lost.

Packets are never resent, content is: each source is notified when its content is acknowledged or
lost.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from msgspec import Struct

DeliveryToken: TypeAlias = tuple[int, ...]
"""A source's own note of what it put into a packet."""
SentFrame: TypeAlias = tuple[bytes, DeliveryToken]
"""An encoded frame and its token."""


class Source(Protocol):
    """A part of the sender that owns content of one kind."""

    def on_acked(self, token: DeliveryToken) -> None:
        """The packet arrived."""

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        """The packet with this number is believed lost: send the content again if it matters."""

    def on_probe(self, token: DeliveryToken) -> None:
        """Probe timeout: send the content again although it may still be in flight."""


class Packet(Struct, frozen=True, gc=False):
    """One payload to seal and send. `number` is never used again."""

    number: int
    payload: bytes


class Snapshot(NamedTuple):
    """What had been delivered as a packet left; see `delivery`."""

    delivered_bytes: int
    delivered_at: float
    first_sent_at: float
    """When the packet left whose ACK brought the count to `delivered_bytes`."""
    app_limited: bool
    """There was too little to send, so a rate says nothing of the path."""


NO_SNAPSHOT = Snapshot(0, 0.0, 0.0, app_limited=True)


class SentRecord(Struct, gc=False):
    """A packet with messages of channel 0, for those who ask later; see `delivery_log`."""

    number: int
    sent_at: float
    contents: list[DeliveryToken]
    """(first, count) for whole messages, (number, offset, end) for a part of one."""
    acked_at: float | None = None
    lost_at: float | None = None
    """When it was declared lost; an ACK may follow."""

    @property
    def last(self) -> int:
        """The highest number of a message in it."""
        return max([t[0] + t[1] - 1 if len(t) == 2 else t[0] for t in self.contents])


class SentPacket(Struct):
    """An ack-eliciting packet in flight."""

    number: int
    sent_at: float
    size_bytes: int
    contents: list[tuple[Source, DeliveryToken]]
    is_control: bool = False
    """It left for the sake of receipts, states or HELLO, outside window and pace."""
    is_patient: bool = False
    """Its ACK may wait for RECEIPT_ACK_DELAY_S."""
    is_mtu_probe: bool = False
    """Its loss says something of its size, and nothing of congestion or the line."""
    snapshot: Snapshot = NO_SNAPSHOT
    forget_at: float = 0.0
    """Declared lost: until then a late ACK of it says that it was not."""
    record: SentRecord | None = None
    """Where its fate is entered, if it carries messages of channel 0."""


class PacketLog:
    """Packets in ascending order of their numbers: added at the end, taken out by ranges.

    Taking a range costs two bisections and what is taken, whatever else is kept.
    """

    __slots__ = ("_packets", "numbers")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        """Of what is in it, ascending."""
        self._packets: list[SentPacket] = []

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[SentPacket]:
        """Oldest first; not while taking."""
        return iter(self._packets)

    def add(self, packets: Sequence[SentPacket]) -> None:
        """Packets with ascending numbers, higher than all."""
        self.numbers += [packet.number for packet in packets]
        self._packets += packets

    def take(self, low: int, high: int) -> list[SentPacket]:
        """Remove and return what is within low … high, both inclusive."""
        numbers = self.numbers
        first = bisect_left(numbers, low)
        end = bisect_right(numbers, high, first)
        if first == end:
            return []
        taken = self._packets[first:end]
        del numbers[first:end], self._packets[first:end]
        return taken

    def take_oldest(self, count: int) -> list[SentPacket]:
        """Remove and return the first `count`, or all there are."""
        taken = self._packets[:count]
        del self.numbers[:count], self._packets[:count]
        return taken
