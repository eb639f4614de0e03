"""Path MTU discovery: how large packets may be, found by probes of the sender (RFC 8899, DPLPMTUD).

Owns the size in force and the search for a larger one. A probe is a packet of PING and PADDING that
carries nothing else; its ACK proves that the path takes its size. Sizes are tried in ascending
order, and the search rests for a while when one was lost three times. Large packets that vanish
later on (section 4.3, black hole detection) bring the base size back; when that vanishes too, the
safe size of `sizing`.
"""

from chatnet_engine.arq.sizing import BLACK_HOLE_LOSSES, SAFE_PAYLOAD_BYTES, PayloadSize

CANDIDATES = (1280, 1392, 1452, 1472, 4312, 8952, 16_384, 32_768, 65_472)
"""Datagrams: what IPv6 has to carry with space to spare, WireGuard's tunnels, Ethernet with IPv6
and with IPv4, FDDI and IP over InfiniBand, jumbo frames, and fractions of the loopback device's
MTU."""
ETHERNET_BYTES = 1472
MAX_PROBES = 3
"""Losses of one size after which the search rests, RFC 8899 section 5.1.2."""
RAISE_S = 600.0
"""PMTU_RAISE_TIMER, the same section: until a search begins again."""
FIRST_PAUSE_S = 1.0
"""After a black hole, doubled with each: what vanished was perhaps the line for a moment."""
PACKET_S = 0.005
"""Packets larger than Ethernet's are for paths that carry one in this time: text waits for it."""


class PathMtu:
    """Learns the fate of every ack-eliciting packet by its size."""

    def __init__(self, base_bytes: int, most_bytes: int, overhead_bytes: int) -> None:
        """Payloads of the base size and the largest, and what a datagram adds to them."""
        self._base = PayloadSize(base_bytes)
        self._base_bytes = base_bytes
        self._candidates = [
            size - overhead_bytes
            for size in CANDIDATES
            if base_bytes < size - overhead_bytes <= most_bytes
        ]
        self._overhead_bytes = overhead_bytes
        self.payload_bytes = base_bytes
        """The largest that is known to arrive."""
        self._probe: int | None = None
        self._probing_bytes = 0
        self._losses = 0
        self._rests_until: float | None = float("-inf")
        self._rest_s = RAISE_S
        self._pause_s = FIRST_PAUSE_S
        self._large_lost = 0

    @property
    def black_hole(self) -> bool:
        """Whether packets of the base size are believed to vanish."""
        return self._base.black_hole

    def limit_bytes(self, now: float) -> int:
        """Largest payload to send now."""
        return self._base.limit_bytes(now) if self._base.black_hole else self.payload_bytes

    def probe_bytes(self, now: float, rate_bytes_per_s: float) -> int:
        """The payload that a probe should have now; 0: none is due."""
        if self._probe is not None or self._base.black_hole:
            return 0
        if self._rests_until is None:
            self._rests_until = now + self._rest_s
        if now < self._rests_until:
            return 0
        larger = (size for size in self._candidates if size > self.payload_bytes)
        size = next(larger, 0)
        fast = size <= max(ETHERNET_BYTES - self._overhead_bytes, PACKET_S * rate_bytes_per_s)
        return size if fast else 0

    def on_probe_sent(self, packet: int, payload_bytes: int) -> None:
        """The probe leaves."""
        self._probe = packet
        self._probing_bytes = payload_bytes

    def on_sent(self, packet: int, payload_bytes: int) -> None:
        """A packet with content leaves."""
        if SAFE_PAYLOAD_BYTES < payload_bytes <= self._base_bytes:
            self._base.on_sent(packet)

    def on_acked(self, payload_bytes: int) -> None:
        """Packets of up to this size arrived."""
        if payload_bytes <= SAFE_PAYLOAD_BYTES:
            return
        self._base.on_acked(())
        if payload_bytes > self._base_bytes:
            self._large_lost = 0
        if self._probe is not None and payload_bytes >= self._probing_bytes:
            self.payload_bytes = self._probing_bytes
            self._end_probe()
            self._losses = 0
            self._rests_until = float("-inf")

    def on_lost(self, payload_bytes: int, packet: int) -> None:
        """A packet of this size is believed lost."""
        if payload_bytes <= SAFE_PAYLOAD_BYTES:
            return
        if packet == self._probe:
            self._end_probe()
            self._losses += 1
            if self._losses >= MAX_PROBES:
                self._rest(RAISE_S)
        elif payload_bytes <= self._base_bytes:
            self._base.on_lost((), packet)
        elif self.payload_bytes > self._base_bytes:
            self._large_lost += 1
            if self._large_lost >= BLACK_HOLE_LOSSES:
                self.payload_bytes = self._base_bytes
                self._rest(self._pause_s)
                self._pause_s = min(2 * self._pause_s, RAISE_S)

    def _end_probe(self) -> None:
        self._probe = None
        self._probing_bytes = 0

    def _rest(self, rest_s: float) -> None:
        self._losses = self._large_lost = 0
        self._rests_until, self._rest_s = None, rest_s
