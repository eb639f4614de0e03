"""Pacing: spreads packets over time, RFC 9002 section 7.7.

Owns a bucket of bytes that fills at the pace of the congestion controller. Bursts of a few packets
pass at once, so that the event loop wakes seldom, and what it missed while it was late leaves as
soon as it is back.
"""

from math import inf

from chatnet_engine.arq.config import ArqConfig

BURST_S = 0.002
"""What leaves at once is what leaves in this time: an event loop that wakes every millisecond, when
half of it has gathered, keeps the pace ..."""
LEAST_BURST_PACKETS = 4
"""... but no fewer: 20 ms of a line of 2 Mbit/s."""
LATE_S = 0.004
"""An event loop that was late makes up for this much: at 4,000 packets a second it often is, and a
pace that is not kept is measured as the path's. More of it makes a queue."""


class Pacer:
    """Says when the next packet may leave."""

    def __init__(self, config: ArqConfig, now: float) -> None:
        self._packet_bytes = config.max_payload_bytes + config.datagram_overhead_bytes
        self._largest_bytes = self._packet_bytes
        self._burst_bytes = float(LEAST_BURST_PACKETS * self._packet_bytes)
        self._most_bytes = self._level_bytes = self._burst_bytes
        self._rate_bytes_per_s = 0.0
        self._filled_at = now

    def set_rate(self, bytes_per_s: float, largest_bytes: int, now: float) -> None:
        """Follow the controller; the largest packets have so many bytes now."""
        self._fill(now)
        self._largest_bytes = largest_bytes
        self._rate_bytes_per_s = bytes_per_s
        least_bytes = LEAST_BURST_PACKETS * self._packet_bytes
        self._burst_bytes = max(BURST_S * bytes_per_s, least_bytes, largest_bytes)
        self._most_bytes = max(LATE_S * bytes_per_s, self._burst_bytes)

    def on_sent(self, size_bytes: int) -> None:
        """`size_bytes` have left; the bucket may go into debt for what does not wait."""
        if not self._rate_bytes_per_s:
            return  # nothing is paced until a round trip is known
        self._level_bytes = max(self._level_bytes - size_bytes, -self._burst_bytes)

    def ready_at(self, now: float, credit_packets: int) -> float:
        """When a full packet may leave: `now`, or when some more have gathered.

        `credit_packets` may leave before their time.
        """
        if self.left_bytes(now, credit_packets) >= 0:
            return now
        credit_bytes = credit_packets * self._packet_bytes
        needed_bytes = self._largest_bytes if not credit_packets else self._packet_bytes
        wanted_bytes = max(self._burst_bytes / 2, needed_bytes) - credit_bytes - self._level_bytes
        return now + wanted_bytes / self._rate_bytes_per_s

    def left_bytes(self, now: float, credit_packets: int) -> float:
        """What may leave now besides one full packet: negative where not even that may."""
        if not self._rate_bytes_per_s:
            return inf
        self._fill(now)
        if not credit_packets:
            return self._level_bytes - self._largest_bytes
        return self._level_bytes + (credit_packets - 1) * self._packet_bytes

    def _fill(self, now: float) -> None:
        if now > self._filled_at:
            gained_bytes = (now - self._filled_at) * self._rate_bytes_per_s
            self._level_bytes = min(self._level_bytes + gained_bytes, self._most_bytes)
            self._filled_at = now
