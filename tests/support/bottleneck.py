"""A line with one queue that flows share, as a fluid in steps of a millisecond: no sockets, no
clock. Paced flows are steered by the product's `Pacer`; others follow CUBIC (RFC 9438). Below the
pacing, BBR may send less than it was allowed."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from chatnet_engine.arq.delivery import HighestRate
from chatnet_engine.files.line_meter import Sample
from chatnet_engine.files.pacing import TICK_S, Pacer
from simworld import bbr

STEP_S = 0.001
MSS = 1448
PACKET = 1500
ACKED_TOGETHER = 2
MBIT = 125e3 * MSS / PACKET
"""Payload bytes a second of a line of 1 Mbit/s."""


class Window:
    """CUBIC: the rate is the window over the round trip."""

    def __init__(self) -> None:
        self.bytes = 10.0 * MSS
        self._most = 0.0
        self._reduced_s: float | None = None

    def grow(self, now: float, rtt_s: float) -> None:
        if self._reduced_s is None:
            self.bytes += self.bytes / rtt_s * STEP_S
            return
        most = self._most / MSS
        plateau_s = math.cbrt(most * 0.3 / 0.4)
        goal = (0.4 * (now - self._reduced_s - plateau_s) ** 3 + most) * MSS
        self.bytes += max(0.0, goal - self.bytes) * min(1.0, STEP_S / rtt_s)

    def lose(self, now: float, rtt_s: float) -> None:
        if self._reduced_s is None or now - self._reduced_s > rtt_s:
            self._most, self._reduced_s = self.bytes, now
            self.bytes *= 0.7


class FluidBbr:
    """What `simworld.bbr` does to single packets, as a rate: the highest that was delivered lately,
    times a gain that varies."""

    def __init__(self, round_s: float) -> None:
        self._round_s = round_s
        self._rates = HighestRate()
        self._rates.add(0, bbr.FIRST_WINDOW * MSS / round_s)
        self._acked = 0.0
        self._round_ends_s = 0.0
        self._rounds = 0
        self.restart()

    def restart(self) -> None:
        self._full_rate, self._full_rounds = 0.0, 0

    def rate(self, in_flight: float) -> float:
        highest = self._rates.best
        full = self._full_rounds >= bbr.FULL_ROUNDS
        gain = bbr.CYCLE[self._rounds % len(bbr.CYCLE)] if full else bbr.HIGH_GAIN
        window = (bbr.WINDOW_GAIN if full else bbr.HIGH_GAIN) * highest * self._round_s
        return max(0.0, min(gain * highest, (window - in_flight) / STEP_S))

    def acknowledge(self, now: float, acked: float) -> None:
        if now < self._round_ends_s:
            return
        elapsed_s = self._round_s + now - self._round_ends_s
        if self._round_ends_s:
            self._rates.add(self._rounds, (acked - self._acked) / elapsed_s)
        self._acked = acked
        self._round_ends_s = now + self._round_s
        self._rounds += 1
        self._rates.expire(self._rounds - bbr.RATE_ROUNDS)
        if self._full_rounds >= bbr.FULL_ROUNDS:
            return
        if self._rates.best >= bbr.FULL_GROWTH * self._full_rate:
            self._full_rate, self._full_rounds = self._rates.best, 0
        else:
            self._full_rounds += 1


@dataclass
class Flow:
    """`begins` s after the start; `paced` by us or not; `held` and `model` limit what the kernel
    sends, and no more than `window_bytes` are in flight."""

    begins: float = 0.0
    paced: bool = True
    held: Callable[[float], float] | None = None
    model: FluidBbr | None = None
    window_bytes: float = math.inf
    sent: float = 0.0
    lost: float = 0.0
    acked: float = 0.0
    acks: int = 0
    kernel_rtt_s: float = 0.0
    rate: float | None = 0.0
    pacer: Pacer | None = None
    window: Window = field(default_factory=Window)
    restarts: int = 0
    history: list[tuple[float, float]] = field(default_factory=list)
    """(when, acked)"""

    def offered(self, rtt_s: float, now: float) -> float:
        free = self.window.bytes / rtt_s
        rate = self.rate if self.paced and self.rate is not None else free
        in_flight = self.sent - self.lost - self.acked
        if self.model is not None:
            rate = min(rate, self.model.rate(in_flight))
        rate = min(rate, max(0.0, self.window_bytes - in_flight) / STEP_S)
        return min(rate, self.held(now)) if self.held else rate

    def acknowledge(self, now: float, size: float, rtt_s: float) -> None:
        self.acked += size
        if self.model is not None:
            self.model.acknowledge(now, self.acked)
        acks = int(self.acked / (MSS * ACKED_TOGETHER)) - self.acks
        self.acks += acks
        self.kernel_rtt_s += (1 - (7 / 8) ** acks) * (rtt_s - self.kernel_rtt_s)

    def tick(self, now: float) -> None:
        self.history.append((now, self.acked))
        sample = Sample(self.kernel_rtt_s, self.acks, int(self.sent), int(self.acked), MSS)
        if self.pacer is None:
            self.pacer = Pacer(now, sample)
            self.rate = self.pacer.rate
            return
        decision = self.pacer.handle_sample(now, sample)
        self.rate = decision.rate
        self.restarts += decision.restart
        if decision.restart and self.model is not None:
            self.model.restart()


class Bottleneck:
    """`mbit(now)`: what it carries. `longer_s(now)`: added to the round trip. `jitter_s`: each way,
    kept in order as radio does it."""

    def __init__(
        self,
        mbit: Callable[[float], float],
        *flows: Flow,
        rtt_s: float = 0.05,
        queue_s: float = 0.05,
        jitter_s: float = 0.0,
        longer_s: Callable[[float], float] = lambda now: 0.0,
    ) -> None:
        self.flows = flows
        self.queues: list[tuple[float, float]] = []
        """(when, s)"""
        self._mbit = mbit
        self._rtt_s = rtt_s
        self._longer_s = longer_s
        self._longest_s = queue_s
        self._jitter_s = jitter_s
        self._random = Random(1)
        self._waiting = [0.0] * len(flows)
        self._flying: deque[tuple[float, list[float], float]] = deque()
        self._late_s = [0.0, 0.0]
        for flow in flows:
            flow.kernel_rtt_s = rtt_s

    def run(self, until_s: float) -> "Bottleneck":
        steps_a_tick = round(TICK_S / STEP_S)
        for step in range(round(until_s / STEP_S)):
            now = step * STEP_S
            self._step(now)
            if step % steps_a_tick == 0:
                for flow in self.flows:
                    if now >= flow.begins:
                        flow.tick(now)
        return self

    def share(self, flow: int, since_s: float, until_s: float) -> float:
        """What the flow got, as a share of what the line carried at the end of that time."""
        there = [one for one in self.flows[flow].history if since_s <= one[0] <= until_s]
        rate = (there[-1][1] - there[0][1]) / (there[-1][0] - there[0][0])
        return rate / (self._mbit(until_s) * MBIT)

    def queue_s(self, since_s: float, until_s: float, quantile: float = 0.99) -> float:
        waits = sorted(wait for when, wait in self.queues if since_s <= when <= until_s)
        return waits[int(quantile * (len(waits) - 1))]

    def _step(self, now: float) -> None:
        carried = self._mbit(now) * MBIT
        waiting = self._waiting
        for number, flow in enumerate(self.flows):
            if now < flow.begins:
                continue
            rtt_s = self._rtt_s + sum(waiting) / carried
            size = flow.offered(rtt_s, now) * STEP_S
            flow.sent += size
            fits = max(0.0, self._longest_s * carried - sum(waiting))
            waiting[number] += min(size, fits)
            if size > fits:
                flow.lost += size - fits
                flow.window.lose(now, rtt_s)
            else:
                flow.window.grow(now, rtt_s)
        total = sum(waiting)
        part = min(1.0, carried * STEP_S / total) if total else 0.0
        served = [size * part for size in waiting]
        self._waiting = [size - done for size, done in zip(waiting, served, strict=True)]
        wait_s = sum(self._waiting) / carried
        self.queues.append((now, wait_s))
        rtt_s = self._rtt_s + self._longer_s(now) + wait_s + self._jitter(sum(served) / MSS)
        arrival = max(now + rtt_s - wait_s, self._flying[-1][0] if self._flying else 0.0)
        self._flying.append((arrival, served, rtt_s))
        while self._flying and self._flying[0][0] <= now:
            _, sizes, rtt_s = self._flying.popleft()
            for flow, size in zip(self.flows, sizes, strict=True):
                flow.acknowledge(now, size, rtt_s)

    def _jitter(self, packets: float) -> float:
        """A packet that is late holds up all behind it, so a fast flow sees the worst of it."""
        if not self._jitter_s:
            return 0.0
        for way, count in enumerate((packets, packets / ACKED_TOGETHER)):
            late_s = self._late_s[way] - STEP_S
            for _ in range(int(count + self._random.random())):
                late_s = max(late_s, self._random.uniform(-self._jitter_s, self._jitter_s))
            self._late_s[way] = max(late_s, -self._jitter_s)
        return sum(self._late_s)
