"""Owns how much of a core datagrams may take before those of the busiest peers have to gather.

A datagram that costs much more than its bytes are worth is dearest alone: it makes a turn, an ACK
and a transaction. Once the loop has spent its share, the datagrams of the busiest peers are handled
together, one turn in HOLD_S, as network drivers do with interrupts (Mogul and Ramakrishnan,
"Eliminating receive livelock in an interrupt-driven kernel", 1997). All others are handled as they
come. A thin stream does not spend the share, and bulk pays for itself by its bytes.

Who is busy is judged by what it sends and not by what that costs: a datagram that is handled alone
costs several times one of a batch, so that a flood that gathers would look cheap, and the
conversation beside it dear.
"""

import math
from collections.abc import Mapping

SHARE, BURST_S = 0.08, 0.01
"""Of a core, and what may be spent at once after a silence: all peers together. One conversation
that answers each message at once stays below."""
WORTH_S_PER_BYTE = 1e-7
"""What a byte may cost: full datagrams of small messages cost as much, bulk a tenth of it."""
SPENT_S = 1.0
"""So long the transactions of busy peers gather after the share was spent."""
FULL_BYTES = 1400
"""So long a datagram is worth what it costs; a shorter one counts by what it lacks."""
RATE_S = 1.0
"""Rates are averages over about so long."""
MIN_BUSY_RATE, MAX_BUSY_RATE = 40.0, 100.0
"""Busy is who sends more than half of what the busiest sends, in short datagrams a second, within
these bounds: a conversation beside a flood is not, and no flood of equals is only conversations."""
PROTECTED_RATE = 1.5
"""Busy peers are beside others where one that is not busy sends more than keep-alives."""
STRANGERS = 0
"""The number of those who have no session."""
HOLD_S, LONG_HOLD_S = 0.01, 0.1
"""So long the datagrams of busy peers gather; beside others the longer time, as each transaction
for them delays one of the others'."""
PRUNE_AT = 64
"""So many peers are remembered before those are forgotten that have sent nothing of late."""


class _Sender:
    """Short datagrams a second, as an average that decays."""

    __slots__ = ("_rate", "_seen_s")

    def __init__(self, now_s: float) -> None:
        self._rate, self._seen_s = 0.0, now_s

    def rate(self, now_s: float) -> float:
        return self._rate * math.exp((self._seen_s - now_s) / RATE_S)

    def add(self, count: float, now_s: float) -> None:
        self._rate = self.rate(now_s) + count / RATE_S
        self._seen_s = now_s


class DatagramBudget:
    """A token bucket of seconds for all peers, and the rate of each."""

    def __init__(self, now_s: float) -> None:
        self._level_s, self._filled_s = BURST_S, now_s
        self._gathers_until_s = now_s
        self._senders: dict[int, _Sender] = {}
        self.protects = False
        """Whether others are there beside the busy peers, as of the last turn: then these are
        held with all that waits of them, and their transactions gather. Alone they are handled
        until nothing waits."""
        self._prune_s = now_s
        """Not before then."""

    def __len__(self) -> int:
        """How many peers are remembered."""
        return len(self._senders)

    @property
    def hold_s(self) -> float:
        """How long what is held gathers."""
        return LONG_HOLD_S if self.protects else HOLD_S

    @property
    def is_spent(self) -> bool:
        """Whether datagrams of busy peers have to gather, as of the last turn."""
        return self._level_s < 0.0

    def spend(self, spent_s: float, size_bytes: int, now_s: float) -> None:
        """A turn that ended now took `spent_s` to handle datagrams of so many bytes."""
        gained_s = SHARE * (now_s - self._filled_s)
        cost_s = max(spent_s - WORTH_S_PER_BYTE * size_bytes, 0.0)
        # Never so far below that somebody pays for a burst longer than a second.
        level_s = min(self._level_s + gained_s, BURST_S) - cost_s
        self._level_s, self._filled_s = max(level_s, -SHARE), now_s
        if level_s < 0.0:
            self._gathers_until_s = now_s + SPENT_S

    def busy(self, counts: Mapping[int, int], sizes: Mapping[int, int], now_s: float) -> list[int]:
        """Since the last call so many datagrams of each peer had arrived (`counts`), of so many
        bytes altogether (`sizes`). The busy peers; none while the share was not spent of late."""
        senders = self._senders
        for peer, count in counts.items():
            sender = senders.get(peer)
            if sender is None:
                sender = senders[peer] = _Sender(now_s)
            sender.add(max(count - sizes[peer] / FULL_BYTES, 0.0), now_s)
        if len(senders) > PRUNE_AT and now_s >= self._prune_s:
            self._prune(now_s)
        if now_s >= self._gathers_until_s:
            self.protects = False
            return []
        rates = {peer: sender.rate(now_s) for peer, sender in senders.items()}
        part = min(max(max(rates.values(), default=0.0) / 2, MIN_BUSY_RATE), MAX_BUSY_RATE)
        busy = [peer for peer, rate in rates.items() if rate > part]
        self.protects = any(
            peer != STRANGERS and PROTECTED_RATE < rate <= part for peer, rate in rates.items()
        )
        return busy

    def _prune(self, now_s: float) -> None:
        self._prune_s = now_s + RATE_S
        for peer, sender in list(self._senders.items()):
            if sender.rate(now_s) < 1.0:
                del self._senders[peer]
