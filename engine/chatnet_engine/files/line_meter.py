"""What a sender can know of a line from the kernel's counters of one TCP connection.

The round trip above its lowest value is queueing (RFC 6817, 2.4.2). The kernel gives it smoothed
(RFC 6298), which lags by 100 ms at 2 Mbit/s, so that smoothing is taken back here and replaced by
one that depends on the jitter alone.
"""

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

HISTORY_S = 1.5
KERNEL_KEEPS = 7 / 8
"""Of its smoothed round trip at each acknowledgement."""
JITTER_WEIGHT = 0.03
"""Of one tick in the jitter."""
MAX_JITTER_S = 0.006
"""More is no jitter of a line but a line that changes."""
SMOOTH_FOR = 12
"""Times the jitter: how long a round trip is smoothed."""
MAX_SMOOTH_S = 0.06
BASE_SMOOTH_S = 0.05
"""The lowest round trip is one that lasted: a single early packet proves nothing."""
FIRST_FULL_PACKETS = 4
PAIR = 2
"""Full packets leave in twos, and pass the line one after the other."""
FIRST_DEVIATIONS = 5
"""Weight of "no jitter" before the first measurements."""


class Sample(NamedTuple):
    """One reading of TCP_INFO (struct tcp_info, linux/tcp.h)."""

    rtt_s: float
    """Smoothed by the kernel."""
    segments_in: int
    """From a receiver of files these are acknowledgements."""
    sent_bytes: int
    """With retransmissions."""
    delivered_bytes: int
    mss: int
    retransmissions: int = 0
    """Packets, since the beginning."""


@dataclass(slots=True)
class _Point:
    now: float
    sent: int
    delivered: int
    rtt_s: float


class LineMeter:
    """Rates in payload bytes per second, times in seconds; the newest 1.5 s are kept."""

    def __init__(self, now: float, first: Sample) -> None:
        self.rtt_s = first.rtt_s
        self.base_s = first.rtt_s
        """The lowest round trip: what the path takes without a queue. The handshake's counts only
        until there is one of full packets, which take their time."""
        self.jitter_s = 0.0
        """Mean deviation of one tick's round trips from their neighbours."""
        self._slow_rtt_s = first.rtt_s
        self._raw_s = (first.rtt_s,) * 3
        self._deviations = FIRST_DEVIATIONS
        self._newest = first
        self._full_packets_from = first.delivered_bytes + FIRST_FULL_PACKETS * first.mss
        self._points = deque([_Point(now, first.sent_bytes, first.delivered_bytes, first.rtt_s)])

    def handle_sample(self, now: float, sample: Sample) -> None:
        """Readings in order of time."""
        self._smooth(now - self._points[-1].now, sample)
        self._newest = sample
        self._points.append(_Point(now, sample.sent_bytes, sample.delivered_bytes, self.rtt_s))
        while self._points[0].now < now - HISTORY_S:
            self._points.popleft()
        if self._full_packets_from and sample.delivered_bytes >= self._full_packets_from:
            self._full_packets_from = 0
            full_s = self._raw_s[-1]
            if rate := self.delivery_rate(HISTORY_S):
                # Not more than that: on a slow line the first packets are a queue already.
                full_s = min(full_s, self.base_s + PAIR * sample.mss / rate)
            self.base_s = self._slow_rtt_s = full_s
        self.base_s = min(self.base_s, self._slow_rtt_s)

    @property
    def queue_s(self) -> float:
        """The present wait; a little below 0 while the lowest round trip is found."""
        return self.rtt_s - self.base_s

    @property
    def elapsed_s(self) -> float:
        """Since the reading before the newest."""
        return self._points[-1].now - self._points[-2].now if len(self._points) > 1 else 0.0

    def standing_s(self, ticks: int) -> float:
        """The part of the wait that all of the newest readings had."""
        points = self._points
        lowest_s = min(points[-n].rtt_s for n in range(1, min(ticks, len(points)) + 1))
        return lowest_s - self.base_s

    def round_trips(self, span_s: float) -> list[float]:
        """Those of the newest `span_s`."""
        since = self._points[-1].now - span_s
        return [point.rtt_s for point in self._points if point.now > since]

    def delivery_rate(self, span_s: float) -> float:
        """What was acknowledged in the newest `span_s`."""
        first, last = self._back(span_s), self._points[-1]
        if last.now <= first.now:
            return 0.0
        return (last.delivered - first.delivered) / (last.now - first.now)

    def sending_rate(self, span_s: float, before_s: float = 0.0) -> float:
        """What was sent in the `span_s` that ended `before_s` ago."""
        first, last = self._back(span_s + before_s), self._back(before_s)
        return (last.sent - first.sent) / (last.now - first.now) if last.now > first.now else 0.0

    def _smooth(self, elapsed_s: float, sample: Sample) -> None:
        former = self._newest
        acks = sample.segments_in - former.segments_in
        raw_s = self._raw_s[-1]
        if acks > 0:
            kept = KERNEL_KEEPS**acks
            raw_s = max(0.0, former.rtt_s + (sample.rtt_s - former.rtt_s) / (1 - kept))
        self._raw_s = (*self._raw_s[1:], raw_s)
        if acks > 0:
            # The middle of three, against the line through the others: a queue that grows or
            # shrinks evenly is no jitter.
            first_s, middle_s, last_s = self._raw_s
            self._deviations += 1
            weight = max(JITTER_WEIGHT, 1 / self._deviations)
            deviation_s = abs(middle_s - (first_s + last_s) / 2)
            self.jitter_s += weight * (min(deviation_s, MAX_JITTER_S) - self.jitter_s)
        smooth_s = min(MAX_SMOOTH_S, SMOOTH_FOR * self.jitter_s)
        self.rtt_s += (
            elapsed_s / (elapsed_s + smooth_s) * (raw_s - self.rtt_s) if elapsed_s else 0.0
        )
        weight = elapsed_s / (elapsed_s + BASE_SMOOTH_S)
        self._slow_rtt_s += weight * (raw_s - self._slow_rtt_s)

    def _back(self, span_s: float) -> _Point:
        then = self._points[-1].now - span_s
        for point in reversed(self._points):
            if point.now <= then:
                return point
        return self._points[0]
