"""Packet numbers of one direction: each is given out once, and some are left out on purpose.

An ACK of a number that was left out, or is not reached yet, proves that the peer acknowledges
without looking (RFC 9000 sections 13.1 and 21.4).
"""

from collections.abc import Callable, Sequence

from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.limits import MAX_PACKET_NUMBER

SKIPS_KEPT = 16
MIN_SKIP_DISTANCE = 64


class PacketNumbers:
    """Allocates numbers upward from the first."""

    def __init__(self, first: int, random: Callable[[int], bytes]) -> None:
        self.next = first
        self._first = first
        self._random = random
        self._skipped: list[int] = []
        self._skip_at = first + self._distance()

    @property
    def exhausted(self) -> bool:
        """No number is left: the link needs a new incarnation."""
        return self.next >= MAX_PACKET_NUMBER

    def take(self) -> int:
        """The next number. The caller has asked `exhausted`."""
        number = self.next
        self.next = number + 1
        if self.next == self._skip_at:
            self._skipped.append(self.next)
            del self._skipped[:-SKIPS_KEPT]
            self.next += 1
            self._skip_at = self.next + self._distance()
        return number

    def check(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Raises RemoteProtocolError when `ranges` hold a number that was never sent."""
        if ranges[0][1] >= self.next or ranges[-1][0] < self._first:
            raise RemoteProtocolError("ACK of a packet that was never sent")
        lowest = ranges[-1][0]
        for number in self._skipped:
            if number >= lowest and any(low <= number <= high for low, high in ranges):
                raise RemoteProtocolError("ACK of a packet number that was left out")

    def _distance(self) -> int:
        return MIN_SKIP_DISTANCE + int.from_bytes(self._random(1), "big")
