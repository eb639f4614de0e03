"""Losses that come in bursts: the two Gilbert-Elliott models, one by packets and one by time.

A line is good or bad, and a bad one loses everything. Both are drawn from a seeded generator, so
that a run can be repeated. Gilbert, Capacity of a Burst-Noise Channel (1960).
"""

import random
from typing import Protocol


class LossModel(Protocol):
    """Asked once for every datagram, in the order in which they enter the line."""

    def loses(self, now_s: float) -> bool:
        """Whether the datagram that enters at `now_s` is lost."""


class PacketBursts:
    """The state changes with packets: spacing them does not help, sending more of them does."""

    def __init__(self, share: float, mean_packets: float, generator: random.Random) -> None:
        """`share` of all packets is lost, below 1, in runs of `mean_packets` ≥ 1 on average."""
        self._leave = 1 / mean_packets
        self._enter = share * self._leave / (1 - share)
        self._random = generator
        self._bad = False

    def loses(self, now_s: float) -> bool:
        """See `LossModel`; the time does not matter."""
        draw = self._random.random()
        self._bad = draw >= self._leave if self._bad else draw < self._enter
        return self._bad


class TimeBursts:
    """The state changes with time: whatever falls into a bad time is lost, however much it is."""

    def __init__(self, share: float, mean_s: float, generator: random.Random) -> None:
        """`share` of the time is bad, below 1, for `mean_s` on average (exponential)."""
        self._bad_s = mean_s
        self._good_s = mean_s * (1 - share) / share if share else 0.0
        self._random = generator
        self._bad = True
        self._until_s: float | None = None

    def loses(self, now_s: float) -> bool:
        """See `LossModel`; times must not decrease. The first call begins a good time."""
        if not self._good_s:
            return False
        if self._until_s is None:
            self._until_s = now_s
        while now_s >= self._until_s:
            self._bad = not self._bad
            mean_s = self._bad_s if self._bad else self._good_s
            self._until_s += self._random.expovariate(1 / mean_s)
        return self._bad
