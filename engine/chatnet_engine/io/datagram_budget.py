"""Owns how much of a core datagrams may take before those of the busiest peers have to gather.

A datagram that costs much more than its bytes are worth is dearest alone: it makes a turn, an ACK
and a transaction. Once the loop has spent its share, the datagrams of each peer that sends more of
these than a conversation does are handled together, one turn in HOLD_S, as network drivers do with
interrupts (Mogul and Ramakrishnan, "Eliminating receive livelock in an interrupt-driven kernel",
1997). All others are handled as they come. A thin stream does not spend the share, and bulk pays
for itself by its bytes.

Peers are told apart by what they send and not by what it costs: a datagram that is handled alone
costs several times one of a batch, so that a flood that gathers would look cheap, and the
conversation beside it dear.
"""

from collections.abc import Mapping

SHARE, BURST_S = 0.1, 0.02
"""Of a core, and what may be spent at once after a silence: all peers together."""
PEER_DATAGRAMS_S, PEER_BURST = 50.0, 50.0
"""Of each peer, in short datagrams: some 15 messages a second each way, with what answers them."""
WORTH_S_PER_BYTE = 3e-7
"""What a byte may cost: full datagrams of small messages cost as much, bulk a tenth of it."""
FULL_BYTES = 1000
"""So long a datagram is worth what it costs; a shorter one counts by what it lacks."""
COSTLY_S = 1.0
"""So long a peer is costly after it has sent more than its part."""
PROTECTED_S = 1.0
"""So long after a datagram of a peer that is not costly, costly ones may not keep the loop busy."""
HOLD_S, LONG_HOLD_S = 0.01, 0.04
"""So long the datagrams of costly peers gather; beside others the longer time, as each transaction
for them delays one of the others'."""
PRUNE_AT = 64
"""So many peers are remembered before those are forgotten that have sent nothing of late."""


class _Bucket:
    """What may be spent: refilled at `rate` a second up to `burst`."""

    __slots__ = ("_burst", "_rate", "costly_until_s", "filled_s", "level")

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self._rate, self._burst = rate, burst
        self.level, self.filled_s = burst, now_s
        self.costly_until_s = now_s

    def spend(self, spent: float, now_s: float) -> None:
        gained = self._rate * (now_s - self.filled_s)
        # Never so far below that somebody pays for a burst longer than a second.
        level = min(self.level + gained, self._burst) - spent
        self.level, self.filled_s = max(level, -self._rate), now_s
        if level < 0.0:
            self.costly_until_s = now_s + COSTLY_S

    @property
    def full(self) -> bool:
        return self.level >= self._burst


class DatagramBudget:
    """Token buckets: one of seconds for all peers, and one of datagrams for each."""

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
        self, spent_s: float, counts: Mapping[int, int], sizes: Mapping[int, int], now_s: float
    ) -> list[int]:
        """A turn that ended now took `spent_s` and handled datagrams: of each peer so many
        (`counts`), of so many bytes altogether (`sizes`). The peers whose next ones are to
        gather."""
        self._all.spend(max(spent_s - WORTH_S_PER_BYTE * sum(sizes.values()), 0.0), now_s)
        costly = []
        for peer, count in counts.items():
            bucket = self._peers.get(peer)
            if bucket is None:
                bucket = self._peers[peer] = _Bucket(PEER_DATAGRAMS_S, PEER_BURST, now_s)
            bucket.spend(max(count - sizes[peer] / FULL_BYTES, 0.0), now_s)
            if bucket.costly_until_s > now_s:
                costly.append(peer)
        if len(costly) < len(counts):
            self._protected_until_s = now_s + PROTECTED_S
        if len(self._peers) > PRUNE_AT:
            self._prune(now_s)
        return costly if self._all.level < 0.0 else []

    def _prune(self, now_s: float) -> None:
        for peer, bucket in list(self._peers.items()):
            bucket.spend(0.0, now_s)
            if bucket.full and bucket.costly_until_s <= now_s:
                del self._peers[peer]
