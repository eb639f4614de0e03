"""Owns how much of a core datagrams may take before those of the costliest peers have to gather.

A datagram that costs much more than its bytes are worth is dearest alone: it makes a turn, an ACK
and a transaction. Once the loop has spent its share, and a peer more than its part of that, the
datagrams of this peer are handled together, one turn in HOLD_S, as network drivers do with
interrupts (Mogul and Ramakrishnan, "Eliminating receive livelock in an interrupt-driven kernel",
1997). All others are handled as they come. A thin stream does not spend the share, and bulk pays
for itself by its bytes.
"""

from collections.abc import Mapping

SHARE, BURST_S = 0.1, 0.02
"""Of a core, and what may be spent at once after a silence: all peers together."""
PEER_SHARE, PEER_BURST_S = 0.02, 0.01
"""Of each peer: one that sends and answers some ten datagrams a second keeps to it."""
WORTH_S_PER_BYTE = 3e-7
"""What a byte may cost: full datagrams of small messages cost as much, bulk a tenth of it."""
COSTLY_S = 1.0
"""So long a peer is costly after it has spent more than its share."""
PROTECTED_S = 1.0
"""So long after a datagram of a peer that is not costly, costly ones may not keep the loop busy."""
HOLD_S, LONG_HOLD_S = 0.01, 0.04
"""So long the datagrams of costly peers gather; beside others the longer time, as each transaction
for them delays one of the others'."""
PRUNE_AT = 64
"""So many peers are remembered before those are forgotten that have spent nothing of late."""


class _Bucket:
    """Seconds that may be spent; refilled at `share` up to `burst_s`."""

    __slots__ = ("_burst_s", "_share", "costly_until_s", "filled_s", "level_s")

    def __init__(self, share: float, burst_s: float, now_s: float) -> None:
        self._share, self._burst_s = share, burst_s
        self.level_s, self.filled_s = burst_s, now_s
        self.costly_until_s = now_s

    def spend(self, spent_s: float, now_s: float) -> None:
        gained_s = self._share * (now_s - self.filled_s)
        # Never so far below that somebody pays for a burst longer than a second.
        level_s = min(self.level_s + gained_s, self._burst_s) - spent_s
        self.level_s, self.filled_s = max(level_s, -self._share), now_s
        if level_s < 0.0:
            self.costly_until_s = now_s + COSTLY_S

    @property
    def full(self) -> bool:
        return self.level_s >= self._burst_s


class DatagramBudget:
    """Token buckets of seconds: one of all peers, and one of each."""

    def __init__(self, now_s: float) -> None:
        self._all = _Bucket(SHARE, BURST_S, now_s)
        self._peers: dict[int, _Bucket] = {}
        self._protected_until_s = now_s

    def __len__(self) -> int:
        """How many peers are remembered."""
        return len(self._peers)

    @property
    def hold_s(self) -> float:
        """How long what is held gathers."""
        return LONG_HOLD_S if self.protects else HOLD_S

    @property
    def protects(self) -> bool:
        """Whether others are there beside the costly peers, as of the last turn: then these are
        held with all that waits of them. Alone they are handled until nothing waits."""
        return self._all.filled_s < self._protected_until_s

    def spend(
        self, spent_s: float, size_bytes: int, counts: Mapping[int, int], now_s: float
    ) -> list[int]:
        """A turn that ended now took `spent_s` and handled datagrams: so many of each peer, of
        `size_bytes` altogether. The peers whose next ones are to gather."""
        cost_s = max(spent_s - WORTH_S_PER_BYTE * size_bytes, 0.0)
        self._all.spend(cost_s, now_s)
        each_s = cost_s / max(sum(counts.values()), 1)
        costly = []
        for peer, count in counts.items():
            bucket = self._peers.get(peer)
            if bucket is None:
                bucket = self._peers[peer] = _Bucket(PEER_SHARE, PEER_BURST_S, now_s)
            bucket.spend(each_s * count, now_s)
            if bucket.costly_until_s > now_s:
                costly.append(peer)
        if len(costly) < len(counts):
            self._protected_until_s = now_s + PROTECTED_S
        if len(self._peers) > PRUNE_AT:
            self._prune(now_s)
        return costly if self._all.level_s < 0.0 else []

    def _prune(self, now_s: float) -> None:
        for peer, bucket in list(self._peers.items()):
            bucket.spend(0.0, now_s)
            if bucket.full and bucket.costly_until_s <= now_s:
                del self._peers[peer]
