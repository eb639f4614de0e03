"""What is kept out of order until the gap before it closes, counted for a link and for all links.

A link has a share that the others cannot take, so that its conversation never waits for them; more
comes out of a total for all. What finds no space is left unacknowledged and comes again.
"""

from chatnet_protocol.limits import HELD_SHARE_BYTES, MAX_HELD_BYTES


class HeldTotal:
    """Of all links of an engine."""

    __slots__ = ("limit_bytes", "weight_bytes")

    def __init__(self, limit_bytes: int = MAX_HELD_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.weight_bytes = 0


class Held:
    """Of all channels of a link together; grows only as bytes arrive."""

    __slots__ = ("_limit_bytes", "_total", "weight_bytes")

    def __init__(self, limit_bytes: int, total: HeldTotal) -> None:
        self._limit_bytes = limit_bytes
        self._total = total
        self.weight_bytes = 0
        """Bytes that came, MESSAGE_OVERHEAD_BYTES a message, PIECE_OVERHEAD_BYTES a piece."""

    def add(self, weight_bytes: int) -> None:
        """So much more is kept; less, where negative."""
        self.weight_bytes += weight_bytes
        self._total.weight_bytes += weight_bytes

    def has_space(self, weight_bytes: int) -> bool:
        """Whether so much more may be kept."""
        after_bytes = self.weight_bytes + weight_bytes
        if after_bytes > self._limit_bytes:
            return False
        total = self._total
        shared = total.weight_bytes + weight_bytes <= total.limit_bytes
        return shared or after_bytes <= HELD_SHARE_BYTES

    def release(self) -> None:
        """The link is over, and what it kept with it."""
        self.add(-self.weight_bytes)
