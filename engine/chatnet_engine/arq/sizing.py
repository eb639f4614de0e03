"""How large packets may be: full size, until large ones vanish while small ones pass.

Owns the size in force. A path that drops large datagrams in silence is known by a run of large
packets lost without one of them acknowledged in between (RFC 8899 section 4.3, black hole
detection); so does an outage begin. The safe size then holds until a single large packet, sent as
a test after a while, has arrived; each one that does not makes the next while longer.
"""

from chatnet_engine.arq.packets import DeliveryToken

SAFE_PAYLOAD_BYTES = 512
"""With header, tag, UDP and IPv4 this fits the 576 bytes that every path carries."""
BLACK_HOLE_LOSSES = 5
"""Large packets lost in a row; a line that loses a third at random does it to one run in 250."""
FIRST_HOLD_S = 0.25
"""Short, because the line may only have been cut, and a test costs one packet."""
LONGEST_HOLD_S = 3600.0


class PayloadSize:
    """A source of no content: it rides in the books of each large packet to learn its fate."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lost_in_a_row = 0
        self._hold_s = FIRST_HOLD_S
        self._held_until: float | None = None
        self._test: int | None = None
        self.black_hole = False
        """Whether large packets are believed to vanish."""

    def limit_bytes(self, now: float) -> int:
        """Largest payload to send now."""
        if not self.black_hole:
            return self._most_bytes
        if self._held_until is None:
            self._held_until = now + self._hold_s
            self._hold_s = min(2 * self._hold_s, LONGEST_HOLD_S)
        if now >= self._held_until and self._test is None:
            return self._most_bytes
        return min(SAFE_PAYLOAD_BYTES, self._most_bytes)

    def on_sent(self, packet: int) -> None:
        """A large packet leaves; while large ones are held back it is the test."""
        if self.black_hole:
            self._test = packet

    def on_acked(self, token: DeliveryToken) -> None:
        """A large packet arrived: there is no black hole."""
        self._lost_in_a_row = 0
        self.black_hole = False
        self._held_until = None
        self._hold_s = FIRST_HOLD_S
        self._test = None

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        """A large packet is believed lost, which takes a later one to arrive."""
        self._lost_in_a_row += 1
        self.black_hole = self._lost_in_a_row >= BLACK_HOLE_LOSSES
        if packet == self._test:
            self._test = None
            self._held_until = None

    def on_probe(self, token: DeliveryToken) -> None:
        """Nothing to repeat."""
