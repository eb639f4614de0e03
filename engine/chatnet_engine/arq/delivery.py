"""How fast a path delivers, as each ACK shows it: draft-cheng-iccrg-delivery-rate-estimation.

Owns the counters of what was delivered. Each packet carries a snapshot of them from the moment it
left; when it is acknowledged, the difference is a rate that neither a late ACK nor a burst of
packets can raise above what the path carried.
"""

from collections.abc import Sequence
from math import inf

from chatnet_engine.arq.packets import SentPacket, Snapshot


class DeliveryRate:
    """The rate sample of the last ACK."""

    __slots__ = (
        "_delivered_at",
        "_first_sent_at",
        "_limited_until",
        "app_limited",
        "delivered_bytes",
        "prior_bytes",
        "rate",
    )

    def __init__(self) -> None:
        self.delivered_bytes = 0
        self.prior_bytes = 0
        """What was delivered when the newest acknowledged packet left."""
        self.rate = 0.0
        """Bytes per second; 0 where the last ACK gave none."""
        self.app_limited = False
        """Whether that rate was the application's and not the path's."""
        self._delivered_at = 0.0
        self._first_sent_at = 0.0
        self._limited_until = 0

    def on_sent(self, in_flight_bytes: int, now: float) -> Snapshot:
        """A packet leaves while so much is in flight; keep what is returned with it."""
        if not in_flight_bytes:
            self._first_sent_at = self._delivered_at = now
        limited = self._limited_until > 0
        return Snapshot(self.delivered_bytes, self._delivered_at, self._first_sent_at, limited)

    def on_ack(self, acked: Sequence[SentPacket], now: float) -> None:
        """These have arrived, oldest first."""
        self.delivered_bytes += sum(packet.size_bytes for packet in acked)
        newest = acked[-1]
        before = newest.snapshot
        self._delivered_at = now
        self._first_sent_at = newest.sent_at
        if self.delivered_bytes > self._limited_until:
            self._limited_until = 0
        self.prior_bytes, self.app_limited = before.delivered_bytes, before.app_limited
        took_s = max(newest.sent_at - before.first_sent_at, now - before.delivered_at)
        self.rate = (self.delivered_bytes - self.prior_bytes) / took_s if took_s > 0 else 0.0

    def on_late(self, size_bytes: int) -> None:
        """A packet that was declared lost has been delivered."""
        self.delivered_bytes += size_bytes

    def on_app_limited(self, in_flight_bytes: int) -> None:
        """Nothing more to send: until what is in flight has arrived, samples are limited."""
        self._limited_until = max(self.delivered_bytes + in_flight_bytes, 1)


class HighestRate:
    """The highest rate of a number of rounds (Kathleen Nichols' windowed filter, kept exactly)."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, float]] = []
        self.best = 0.0

    def add(self, at_round: int, rate: float) -> None:
        """A sample; a lower one is kept for when the higher ones have aged."""
        kept = self._kept
        while kept and kept[-1][1] <= rate:
            kept.pop()
        if not kept or kept[-1][0] != at_round:
            kept.append((at_round, rate))
        self.best = kept[0][1]

    def expire(self, before_round: int) -> None:
        """Older samples do not count any more; the newest always does."""
        kept = self._kept
        while len(kept) > 1 and kept[0][0] < before_round:
            del kept[0]
        if kept:
            self.best = kept[0][1]

    def cap(self, rate: float) -> None:
        """The path is no faster than this."""
        self._kept = [(at_round, min(each, rate)) for at_round, each in self._kept]
        self.best = min(self.best, rate)


class Aggregation:
    """How much more than the rate explains is acknowledged at once, by a peer that takes packets in
    turn by turn or a link layer that collects them: BBRUpdateACKAggregation of
    draft-ietf-ccwg-bbr."""

    def __init__(self) -> None:
        self._excess = HighestRate()
        self._since = 0.0
        self._acked_bytes = 0

    @property
    def extra_bytes(self) -> float:
        """The most of the last rounds."""
        return self._excess.best

    def on_ack(self, acked_bytes: int, rate: float, at_round: int, now: float) -> None:
        """So much was acknowledged, on a path that delivers at `rate`."""
        expected_bytes = rate * (now - self._since)
        if self._acked_bytes <= expected_bytes:
            self._since, self._acked_bytes, expected_bytes = now, 0, 0.0
        self._acked_bytes += acked_bytes
        self._excess.add(at_round, self._acked_bytes - expected_bytes)

    def expire(self, before_round: int) -> None:
        """Older rounds do not count any more."""
        self._excess.expire(before_round)


class Round:
    """What one round trip has shown so far."""

    __slots__ = ("best_rate", "ends_bytes", "least_rtt_s", "lost_bytes", "start_bytes", "used")

    def __init__(self, delivered_bytes: int) -> None:
        self.start_bytes = self.ends_bytes = delivered_bytes
        self.lost_bytes = 0
        self.least_rtt_s = inf
        self.best_rate = 0.0
        self.used = False
        """Whether a sample was the path's and not the application's."""

    def loss(self, delivered_bytes: int) -> float:
        """Share of what was lost."""
        carried_bytes = delivered_bytes - self.start_bytes + self.lost_bytes
        return self.lost_bytes / carried_bytes if carried_bytes else 0.0
