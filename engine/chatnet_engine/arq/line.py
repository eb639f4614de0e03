"""Estimates the packet loss of one direction of a link: the rate, and whether it comes in bursts.

Input: for each ack-eliciting packet, in the order of sending, whether it was acknowledged or
declared lost. Two moving averages: a long one, steady enough to choose the number of copies by, and
a short one that detects that the line got worse. That it got better shows in a run of packets that
all arrived, longer than the long average can explain. Bursts differ from random loss by the chance
that the packet after a lost one is lost too (a Markov chain of two states: Gilbert 1960, Elliott
1963).
"""

from collections.abc import Sequence
from math import log, sqrt

from msgspec import Struct

LONG_GAIN = 1 / 128
SHORT_GAIN = 1 / 8
"""Weights of one packet in the two moving averages; the first few of the long one weigh more."""
SHORT_MARGIN = 0.5
"""The short average counts where it is above the long one by two of its own standard deviations,
which are sqrt(p (1 - p) / 16) each."""
KNOWN_PACKETS = 20
"""Packets whose fate is known before a line counts as known."""
FEW_PACKETS = 64
"""With fewer, one standard deviation is added to the estimate."""
CHANGED = 7.0
"""A run of arrivals, times the rate at which losses begin, beyond which the line is another one:
by chance that happens once in e^7 = 1,100 runs."""
NEAR_S = 0.010
"""Packets sent with a longer gap are no evidence of bursts: most are over by then."""
PAIR_GAIN = 1 / 32
KNOWN_PAIRS = 8
BURSTY_ABOVE = 0.25
"""The packet after a lost one is lost more often than any packet by at least this: bursts. Four
standard deviations of the estimate on a line that loses a third at random."""
PACKED_BYTES = 4
LEAST_STEP = 0.01
STEP_SHARE = 0.25
"""A known loss rate is another one beyond this, or beyond this part of it."""


class KnownLine(Struct, frozen=True, kw_only=True):
    """What the end of a link leaves to the next one to the same peer."""

    loss_rate: float
    persistence: float
    near_gap_s: float
    bursty: bool

    def pack(self) -> bytes:
        """Coarsely, in four bytes: per cents, tenths of a millisecond, 0 or 1."""
        gap = min(round(self.near_gap_s * 1e4), 255)
        return bytes((round(self.loss_rate * 100), round(self.persistence * 100), gap, self.bursty))

    def differs(self, other: "KnownLine | None") -> bool:
        """Whether it is worth replacing that one where writing costs something."""
        if other is None or self.bursty != other.bursty:
            return True
        step = max(LEAST_STEP, STEP_SHARE * other.loss_rate)
        return abs(self.loss_rate - other.loss_rate) > step

    @classmethod
    def unpack(cls, data: bytes) -> "KnownLine | None":
        """What `pack` made; None of anything else, for it is only a hint."""
        if len(data) != PACKED_BYTES or max(data[:2]) > 100 or data[3] > 1:
            return None
        loss, persistence, gap, bursty = data
        return cls(
            loss_rate=loss / 100,
            persistence=persistence / 100,
            near_gap_s=gap / 1e4,
            bursty=bool(bursty),
        )


class LineEstimate:
    """Loss rate and burst length of one direction."""

    def __init__(self) -> None:
        self.loss_rate = 0.0
        """Moving average of the long scale, 0 … 1."""
        self.persistence = 0.0
        """Chance that the packet right after a lost one is lost too."""
        self._near_gap_s = 0.0
        self._pairs = 0
        self._judged = 0
        self._short_rate = 0.0
        self._arrived_in_a_row = 0
        self._last_lost_at: float | None = None

    def resume(self, known: KnownLine) -> None:
        """Begin with what the last link to this peer knew."""
        self.loss_rate = known.loss_rate
        self.persistence = known.persistence
        self._near_gap_s = known.near_gap_s
        self._pairs = KNOWN_PAIRS if known.bursty else 0
        self._judged = FEW_PACKETS

    @property
    def known(self) -> bool:
        """Whether enough was seen to go by."""
        return self._judged >= KNOWN_PACKETS

    @property
    def clean(self) -> bool:
        """Whether enough was seen, and no loss that still counts."""
        lossy = self.loss_rate or self._short_rate or self._pairs
        return self._judged >= KNOWN_PACKETS and not lossy

    @property
    def bursty(self) -> bool:
        """Whether losses come in bursts."""
        excess = self.persistence - self.loss_rate
        return self._pairs >= KNOWN_PAIRS and excess > BURSTY_ABOVE

    @property
    def burst_s(self) -> float:
        """Mean length of a burst in seconds, on a bursty line: exp(-gap / length) is the chance
        that it lasts over the gap to the next packet."""
        return self._near_gap_s / -log(min(max(self.persistence, 0.01), 0.99))

    @property
    def likely_rate(self) -> float:
        """The loss rate to prepare for now."""
        rate = self.loss_rate
        variance = rate * (1 - rate)
        if self._judged < FEW_PACKETS:
            rate += sqrt(variance / max(self._judged, 1))
        return max(rate, self._short_rate - SHORT_MARGIN * sqrt(variance))

    def judge_all(self, fates: Sequence[tuple[float, bool]]) -> None:
        """When each of the next packets left, and its fate; `lost` may have to be taken back."""
        lossless = not self.loss_rate and not self._short_rate and self._last_lost_at is None
        if lossless and not any(lost for _, lost in fates):
            self._judged += len(fates)
            self._arrived_in_a_row += len(fates)
            return
        for sent_at, lost in fates:
            self.judge(sent_at, lost)

    def judge(self, sent_at: float, lost: bool) -> None:
        """The fate of the next packet; `lost` may have to be taken back."""
        self._judge_pair(sent_at, lost)
        self._judged += 1
        self.loss_rate += max(LONG_GAIN, 1 / self._judged) * (lost - self.loss_rate)
        self._short_rate += SHORT_GAIN * (lost - self._short_rate)
        if lost:
            self._arrived_in_a_row = 0
            return
        self._arrived_in_a_row += 1
        begin_rate = self.loss_rate * (1 - self.persistence if self.bursty else 1.0)
        if self._arrived_in_a_row * begin_rate > CHANGED:
            self.loss_rate = 0.0
            self._short_rate = 0.0
            self._judged = self._arrived_in_a_row
            self._pairs = 0

    def on_spurious(self) -> None:
        """A packet that was judged lost has arrived."""
        self.loss_rate = max(0.0, self.loss_rate - LONG_GAIN)
        self._short_rate = max(0.0, self._short_rate - SHORT_GAIN)

    def remember(self) -> KnownLine | None:
        """For the next link; None while nothing is known."""
        if not self.known:
            return None
        return KnownLine(
            loss_rate=self.loss_rate,
            persistence=self.persistence,
            near_gap_s=self._near_gap_s,
            bursty=self.bursty,
        )

    def _judge_pair(self, sent_at: float, lost: bool) -> None:
        before_at = self._last_lost_at
        self._last_lost_at = sent_at if lost else None
        if before_at is None or sent_at - before_at > NEAR_S:
            return
        self._pairs += 1
        gain = max(PAIR_GAIN, 1 / self._pairs)
        self.persistence += gain * (lost - self.persistence)
        self._near_gap_s += gain * (sent_at - before_at - self._near_gap_s)
