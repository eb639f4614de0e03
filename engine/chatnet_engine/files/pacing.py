"""How fast a file may be sent so that a line's queue stays short for the text beside it.

The idea of LEDBAT (RFC 6817): keep the own queue near a target of a few milliseconds, and make
room for others. Unlike LEDBAT this steers a pacing rate around the measured delivery rate (as BBR
does, draft-ietf-ccwg-bbr), leaves its start before the queue is long, and slows down now and then
so that the lowest round trip is seen again (draft-irtf-iccrg-ledbat-plus-plus, 4.3). The target
shrinks as the rate grows, as it does in TCP Vegas, so that two such flows approach equal shares.

Rates are payload bytes per second, times seconds.
"""

import enum
import math
from typing import NamedTuple

from chatnet_engine.files.line_meter import LineMeter, Sample

TICK_S = 0.01
"""Between two samples: well below the shortest stretch that is measured."""
FIRST_PACKETS = 10
"""In the first round trip: TCP's own initial window (RFC 6928)."""
FREE_RATE = 250e6
"""A line that takes 2 Gbit/s without a queue is not worth pacing."""
LEAST_RATE = 32e3
"""A flow that makes room for others keeps moving, and keeps measuring."""
LEAST_SHARE = 0.02
"""The same, of the best rate there was."""
LEAST_ROUND_S = 0.02

TARGET_S = 0.0022
"""Queue at REFERENCE_RATE: well above what an idle line wobbles, well below what people notice."""
REFERENCE_RATE = 12.5e6
TARGET_STEP_S = 0.0012
"""Less for each doubling of the rate."""
TARGET_LIMITS_S = (0.0012, 0.0035)
TARGET_JITTERS = 3.5
"""The target is at least so many jitters: below that nothing can be recognised."""
TARGET_PACKETS = 0.7
SMALL = 0.5
"""Of the target: less queue than this is none."""
OVERLOAD = 3.0
"""Targets of queue that end small corrections and begin draining."""

OVERLOADED_TICKS = 8
"""At the start, where one late acknowledgement stands for several ticks."""
GROWTH = 1.3
"""A round trip at the start: above 1.25, or BBR leaves its own start."""
STALLED = 0.9
"""Of what was sent a round trip before: less has arrived, so the line is full."""
STEPS = (0.02, 0.03, 0.06, 0.12, 0.25)
"""Growth for each further round trip without a queue."""
SENT_AS_ASKED = 0.94
"""Of the rate asked for: below it something else limits, and nothing is learnt about the line."""
FED = 0.85
"""Of the capacity: less was sent, so what was delivered is not the line's rate."""
DRIVING = 0.5
"""Of the capacity: less was sent, so no queue is this flow's, unless it lasts."""
HELD_ROUNDS, HEADROOM = 4, 1.5
"""A queue that lasts so long while less is sent: the estimate is out of date, or was never tried;
more than this times what is sent is not asked for then."""
CAPACITY_WEIGHT = 0.2
"""Of a tick in the capacity."""
GAIN = 0.6
"""Of a correction in the time until it is seen; a loop with such a delay is stable below 1."""
MOST_DOWN, MOST_UP = 0.3, 0.03

SLOW_EVERY_S = 4.0
SLOW = 0.75
SLOW_LINE_PACKET_S = 0.002
"""Packets leave in pairs: on a line where one takes so long, a pair alone looks like a queue, and
the lowest round trip is looked for earlier."""
DRAIN, DRAIN_LONG, LONG_QUEUE_S = 0.5, 0.3, 0.02
RESUME = 0.97
PATH_S = 0.012
"""A wait that does not shrink when this flow slows down is not its queue. Up to here it counts as
a property of the path (radio, somebody's light traffic); above it, this flow makes room."""
YIELD = 0.8
FLAT_S, FLAT_FOR_S = 0.003, 1.0
"""A round trip so even for so long, while hardly anything is sent: the path has become longer."""
RESTART_PAUSE_S = 1.0
"""Doubles while restarting does not help."""


class Decision(NamedTuple):
    """`rate` None: as fast as the kernel's congestion control wants.

    `restart`: the kernel's congestion control holds to an old rate or window; let it begin afresh.
    """

    rate: float | None
    restart: bool = False


class Phase(enum.Enum):
    """What the flow is doing."""

    START = enum.auto()
    STEADY = enum.auto()
    DRAIN = enum.auto()
    """The queue is too long, or the lowest round trip is due to be seen again."""
    YIELD = enum.auto()
    """The queue is of others."""
    FREE = enum.auto()


class Pacer:
    """One connection's rate; it stays in the background of flows that keep the line full."""

    def __init__(self, now: float, first: Sample) -> None:
        self.phase = Phase.START
        self.line = LineMeter(now, first)
        self._packet_bytes = first.mss
        self._capacity = FIRST_PACKETS * first.mss / max(first.rtt_s, 1e-5)
        self._full_capacity = 0.0
        """The newest one that was measured with a full pipe."""
        self._best = 0.0
        self.rate: float | None = None
        self._apply(self._capacity)
        self._began = now
        self._queue_since: float | None = None
        self._step = 0
        self._step_at = 0.0
        self._slow_at = 0.0
        self._drain_share = 0.0
        self._drained_at = 0.0
        self._longest_queue_s = 0.0
        self._held_since: float | None = None
        self._driven_at = now
        self._restart_at = 0.0
        self._restart_pause_s = RESTART_PAUSE_S

    def handle_sample(self, now: float, sample: Sample) -> Decision:
        """Once a TICK_S. The rate to apply from now on."""
        self.line.handle_sample(now, sample)
        if self.line.standing_s(2) <= SMALL * self.target_s:
            self._queue_since = None
        elif self._queue_since is None:
            self._queue_since = now
        restart = False
        match self.phase:
            case Phase.START:
                self._start(now)
            case Phase.STEADY:
                self._steady(now)
                restart = self._must_restart(now)
            case Phase.DRAIN:
                self._drain(now)
            case Phase.YIELD:
                self._yield(now)
            case Phase.FREE:
                # The end hosts' own queues do not count here.
                rate = self.line.delivery_rate(0.1)
                if self.line.standing_s(4) > PATH_S and rate < FREE_RATE / 2:
                    self._begin_drain(now, rate)
        return Decision(self.rate, restart)

    @property
    def target_s(self) -> float:
        """The queue that this flow keeps."""
        doublings = math.log2(max(self._capacity, LEAST_RATE) / REFERENCE_RATE)
        lowest_s, highest_s = TARGET_LIMITS_S
        target_s = min(highest_s, max(lowest_s, TARGET_S - TARGET_STEP_S * doublings))
        return max(target_s, TARGET_JITTERS * self.line.jitter_s, TARGET_PACKETS * self._packet_s)

    @property
    def _packet_s(self) -> float:
        return self._packet_bytes / max(self._capacity, LEAST_RATE)

    @property
    def _span_s(self) -> float:
        """The shortest time over which a rate can be measured."""
        return max(4 * TICK_S, 12 * self._packet_s)

    @property
    def _round_s(self) -> float:
        """From a change of the rate until its effect is seen."""
        return self.line.base_s + 2 * TICK_S + 4 * self._packet_s

    def _begin(self, phase: Phase, now: float) -> None:
        self.phase = phase
        self._began = self._driven_at = now
        self._held_since = None

    def _apply(self, rate: float) -> None:
        self.rate = max(rate, LEAST_RATE)

    def _be_free(self, now: float) -> None:
        self.rate = None
        self._begin(Phase.FREE, now)

    # --- phases ---

    def _start(self, now: float) -> None:
        assert self.rate is not None
        line = self.line
        round_s = line.base_s + TICK_S
        delivered = line.delivery_rate(round_s)
        allowance = 2 * line.jitter_s / round_s
        expected = (STALLED - allowance) * line.sending_rate(round_s, line.rtt_s)
        stalled = delivered + 2 * self._packet_bytes / round_s < expected
        overloaded = line.standing_s(OVERLOADED_TICKS) > OVERLOAD * self.target_s
        full = stalled and line.standing_s(3) > self.target_s
        if overloaded or (full and self._is_driving()):
            self._begin_drain(now, max(delivered, line.delivery_rate(self._span_s)))
        elif self.rate > FREE_RATE:
            self._be_free(now)
        elif line.sending_rate(round_s) > 0.5 * self.rate:
            growth: float = GROWTH ** (line.elapsed_s / max(round_s, LEAST_ROUND_S))
            self._apply(self.rate * growth)
            self._capacity = self.rate
            self._began = now
        elif now - self._began > 4 * self._round_s:
            # Something else limits: the disk, the receiver, or TCP's own congestion control.
            self._begin_steady(now)

    def _begin_steady(self, now: float) -> None:
        self._begin(Phase.STEADY, now)
        self._step = 0
        self._step_at = now + self._round_s
        often = self._packet_s > SLOW_LINE_PACKET_S
        self._slow_at = now + (SLOW_EVERY_S / 4 if often else SLOW_EVERY_S)

    def _steady(self, now: float) -> None:
        self._forget_what_was_not_tried(now)
        self._best = max(self._best, self._capacity)
        if self.line.standing_s(3) > OVERLOAD * self.target_s and self._is_driving():
            self._begin_drain(now, self.line.delivery_rate(self._span_s))
            return
        if self._queue_since is not None:
            self._step = 0
            self._step_at = now + self._round_s
            self._measure_full_pipe(now, self._queue_since)
        elif now >= self._step_at:
            self._grow(now)
        if now >= self._slow_at and self._is_driving():
            self._begin_drain(now, self._capacity, SLOW)
        elif self._capacity > FREE_RATE:
            self._be_free(now)
        else:
            correction = GAIN * (self.target_s - self.line.queue_s) / self._round_s
            self._apply(self._capacity * (1 + min(MOST_UP, max(-MOST_DOWN, correction))))

    def _forget_what_was_not_tried(self, now: float) -> None:
        if self._queue_since is None or self._is_driving():
            self._driven_at = now
        elif now - self._driven_at > HELD_ROUNDS * self._round_s:
            sent = self.line.sending_rate(now - self._driven_at)
            self._capacity = max(LEAST_RATE, min(self._capacity, HEADROOM * sent))

    def _is_driving(self) -> bool:
        """Whether this flow sent enough lately for a queue to be its doing. If not, the kernel's
        congestion control holds it back, and at a few packets each round trip a delayed
        acknowledgement looks like a queue."""
        sent = self.line.sending_rate(self._round_s, self.line.rtt_s)
        return sent >= DRIVING * self._capacity

    def _measure_full_pipe(self, now: float, since: float) -> None:
        """While a queue stands, what is delivered is the line's rate, or our share of it."""
        span_s = self._span_s
        fed = self.line.sending_rate(span_s, self.line.rtt_s) >= FED * self._capacity
        if fed and now - since >= span_s:
            rate = self.line.delivery_rate(max(span_s, min(now - since, 0.1)))
            self._capacity += CAPACITY_WEIGHT * (rate - self._capacity)
            self._full_capacity = self._capacity

    def _grow(self, now: float) -> None:
        assert self.rate is not None
        self._step_at = now + self._round_s
        span_s = max(self._round_s, self._span_s)
        burst = 2 * self._packet_bytes / span_s
        if self.line.sending_rate(span_s) + burst < SENT_AS_ASKED * self.rate:
            if self._held_since is None:
                self._held_since = now
            return
        self._held_since = None
        self._restart_pause_s = RESTART_PAUSE_S
        grown = self._capacity * (1 + STEPS[self._step])
        self._step = min(self._step + 1, len(STEPS) - 1)
        if self._capacity < self._full_capacity < grown:
            # Most likely the line is what it was: from there on step by step again.
            grown, self._step = self._full_capacity, 0
        self._capacity = grown

    def _must_restart(self, now: float) -> bool:
        if self._held_since is None or now - self._held_since < 3 * self._round_s:
            return False
        if now < self._restart_at:
            return False
        self._restart_at = now + self._restart_pause_s
        self._restart_pause_s *= 2
        self._held_since = None
        return True

    def _begin_drain(self, now: float, capacity: float, share: float | None = None) -> None:
        self._capacity = max(capacity, LEAST_RATE)
        queue_s = max(self.line.queue_s, 0.0)
        if share is None:
            share = DRAIN if queue_s < LONG_QUEUE_S else DRAIN_LONG
        self._begin(Phase.DRAIN, now)
        self._longest_queue_s = queue_s
        self._drain_share = share
        self._drained_at = now + (queue_s + self.target_s) / (1 - share) + TICK_S
        self._apply(share * self._capacity)

    def _drain(self, now: float) -> None:
        line = self.line
        queue_s = line.queue_s
        self._longest_queue_s = max(self._longest_queue_s, queue_s)
        standing = self._queue_since is not None and now - self._queue_since >= self._span_s
        if standing and queue_s > self.target_s and now < self._began + line.rtt_s:
            # What arrives now was sent before the drain began.
            self._capacity = max(line.delivery_rate(self._span_s), LEAST_RATE)
        over = self._drain_share == SLOW and now >= self._drained_at
        self._apply((RESUME if over else self._drain_share) * self._capacity)
        until = self._drained_at + self._round_s + 2 * self._longest_queue_s
        if queue_s < SMALL * self.target_s:
            self._apply(RESUME * self._capacity)
            self._begin_steady(now)
        elif now > until:
            lowest_s = min(line.round_trips(0.06))
            if lowest_s - line.base_s <= PATH_S:
                line.base_s = lowest_s
                self._begin_steady(now)
            elif now > until + 10 * TICK_S:
                self._begin(Phase.YIELD, now)

    def _yield(self, now: float) -> None:
        assert self.rate is not None
        line = self.line
        shrunk: float = YIELD ** (line.elapsed_s / max(line.base_s, LEAST_ROUND_S))
        self._apply(max(LEAST_SHARE * self._best, self.rate * shrunk))
        if line.queue_s < self.target_s:
            self._capacity = self.rate
            self._begin_steady(now)
            return
        recent = line.round_trips(FLAT_FOR_S)
        flat_s = max(FLAT_S, self.target_s)
        if now - self._began > FLAT_FOR_S + line.base_s and max(recent) - min(recent) < flat_s:
            line.base_s = min(recent)
            self._capacity = max(self.rate, self._best / 2)
            self._begin_steady(now)
