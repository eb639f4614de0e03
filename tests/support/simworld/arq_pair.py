"""Two Connections, a virtual clock and a seeded link between them.

The link loses, repeats, delays and reorders packets, or cuts one direction. Each end behaves as the
engine does: HELLO first, messages paged in by room, receipts after a commit delay.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from random import Random

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.events import (
    Closed,
    Event,
    HelloArrived,
    MessagesArrived,
    MessagesSent,
    ReceiptsArrived,
    StateArrived,
)
from chatnet_engine.arq.packets import Packet
from chatnet_protocol.limits import MESSAGE_OVERHEAD_BYTES
from chatnet_protocol.wire.frames import Receipt


class Link:
    """One direction: every datagram gets its own fate from the seed."""

    def __init__(self, seed: int, delay_s: float) -> None:
        self.random = Random(seed)
        self.delay_s = delay_s
        self.jitter_s = 0.0
        self.loss = 0.0
        self.duplication = 0.0
        self.cut = False
        self.rate_bytes_per_s = 0.0
        self.queue_bytes = 0
        self.free_at = 0.0
        self.drop: Callable[[Packet], bool] | None = None
        self.packets = 0
        self.bytes = 0
        self.delivered = 0

    def arrivals(self, packet: Packet, now: float) -> list[float]:
        """When copies of `packet` come out at the other end."""
        self.packets += 1
        self.bytes += len(packet.payload)
        if self.cut or self.random.random() < self.loss or (self.drop and self.drop(packet)):
            return []
        start = now
        if self.rate_bytes_per_s:
            backlog_s = max(self.free_at - now, 0.0)
            if self.queue_bytes and backlog_s * self.rate_bytes_per_s > self.queue_bytes:
                return []
            self.free_at = now + backlog_s + len(packet.payload) / self.rate_bytes_per_s
            start = self.free_at
        copies = 2 if self.random.random() < self.duplication else 1
        return [start + self.delay_s + self.jitter_s * self.random.random() for _ in range(copies)]


class End:
    """A Connection and an owner that behaves."""

    def __init__(self, name: str, seed: int, config: ArqConfig, commit_s: float) -> None:
        self.name = name
        self.random = Random(seed)
        random, leads = self.random.randbytes, name == "a"
        self.connection = Connection(now=0.0, random=random, config=config, leads=leads)
        self.commit_s = commit_s
        self.backlog: dict[int, list[bytes]] = {}
        self.got: dict[int, list[bytes]] = {}
        self.got_at: list[float] = []
        self.receipts: list[Receipt] = []
        self.sent_upto: dict[int, int] = {}
        self.states: dict[int, bytes] = {}
        self.closed: Closed | None = None
        self.events: list[Event] = []
        self.ack_number = 0
        self.commits: list[tuple[float, int, int, int]] = []
        self.greeted = False

    def send(self, channel: int, messages: list[bytes]) -> None:
        """Queue as far as the window allows; the rest waits here, as in an outbox."""
        self.backlog.setdefault(channel, []).extend(messages)
        self.page_in()

    def page_in(self) -> None:
        for channel, waiting in self.backlog.items():
            room = self.connection.credit(channel)
            number = 0
            for message in waiting:
                room -= len(message) + MESSAGE_OVERHEAD_BYTES
                if room < 0:
                    break
                number += 1
            if number:
                self.connection.queue(channel, waiting[:number])
                del waiting[:number]

    def handle_events(self, now: float) -> None:
        for event in self.connection.take_events():
            self.events.append(event)
            if isinstance(event, HelloArrived):
                assert not self.greeted
                self.greeted = True
                self.connection.start_receiving(1)
                self.connection.start_sending(1)
            elif isinstance(event, MessagesArrived):
                got = self.got.setdefault(event.channel, [])
                assert event.first_number == len(got) + 1
                got += event.messages
                if event.channel == 0:
                    self.got_at += [now] * len(event.messages)
                    self.ack_number += len(event.messages)
                    last = event.first_number + len(event.messages) - 1
                    run = len(event.messages)
                    self.commits.append((now + self.commit_s, last, self.ack_number, run))
            elif isinstance(event, ReceiptsArrived):
                self.receipts += event.receipts
            elif isinstance(event, MessagesSent):
                self.sent_upto[event.channel] = event.upto
            elif isinstance(event, StateArrived):
                self.states[event.key] = event.value
            elif isinstance(event, Closed):
                self.closed = event
        while self.commits and self.commits[0][0] <= now:
            _, number, ack, run = self.commits.pop(0)
            self.connection.receipt(number, ack, run)
        self.page_in()

    def next_timeout(self) -> float | None:
        deadlines = [self.commits[0][0]] if self.commits else []
        timeout = self.connection.next_timeout()
        if timeout is not None:
            deadlines.append(timeout)
        return min(deadlines, default=None)


class Pair:
    """Steps both ends through virtual time."""

    def __init__(
        self,
        seed: int = 1,
        *,
        delay_s: float = 0.025,
        commit_s: float = 0.001,
        config: ArqConfig | None = None,
        greet: bool = True,
    ) -> None:
        chosen = config or ArqConfig()
        self.now = 0.0
        self.a = End("a", 2 * seed, chosen, commit_s)
        self.b = End("b", 2 * seed + 1, chosen, commit_s)
        self.ab = Link(1000 + seed, delay_s)
        self.ba = Link(2000 + seed, delay_s)
        self.steps = 0
        self._order = count()
        self._flying: list[tuple[float, int, End, Packet]] = []
        if greet:
            self.a.connection.set_hello(b"hello from a")
            self.b.connection.set_hello(b"hello from b")

    def impair(self, *, loss: float = 0, duplication: float = 0, jitter_s: float = 0) -> None:
        """The same faults both ways."""
        for link in (self.ab, self.ba):
            link.loss, link.duplication, link.jitter_s = loss, duplication, jitter_s

    def pump(self, end: End) -> None:
        """Events and packets of one end, until it has nothing more to do now."""
        link, other = (self.ab, self.b) if end is self.a else (self.ba, self.a)
        for _ in range(100):
            end.handle_events(self.now)
            packets = end.connection.take_packets(self.now, 64)
            for packet in packets:
                for at in link.arrivals(packet, self.now):
                    heappush(self._flying, (at, next(self._order), other, packet))
            if not packets:
                return
        raise AssertionError("an end does not come to rest")

    def step(self, until: float) -> bool:
        """Go to the next thing that happens; False when nothing does before `until`."""
        self.pump(self.a)
        self.pump(self.b)
        times = [t for t in (self.a.next_timeout(), self.b.next_timeout()) if t is not None]
        if self._flying:
            times.append(self._flying[0][0])
        at = max(min(times, default=until), self.now)
        if at >= until:
            self.now = until
            return False
        self.now = at
        self.steps += 1
        while self._flying and self._flying[0][0] <= self.now:
            _, _, end, packet = heappop(self._flying)
            link = self.ab if end is self.b else self.ba
            link.delivered += 1
            end.connection.handle_packet(packet.number, packet.payload, self.now)
        for end in (self.a, self.b):
            timeout = end.connection.next_timeout()
            if timeout is not None and timeout <= self.now:
                end.connection.handle_timeout(self.now)
        return True

    def run(self, seconds: float, done: Callable[[], bool] | None = None) -> None:
        """Let `seconds` pass, or fewer once `done`. Fails on a busy loop."""
        until = self.now + seconds
        limit = self.steps + 400_000
        while not (done and done()) and self.step(until):
            assert self.steps < limit, "time does not advance"

    def settle(self, seconds: float = 120.0) -> None:
        """Until everything queued is receipted and acknowledged on both sides."""
        self.run(seconds, self._idle)
        assert self._idle(), f"not settled after {seconds} s"

    def _idle(self) -> bool:
        return all(
            end.greeted
            and not any(end.backlog.values())
            and not end.commits
            and not end.connection.unacked
            for end in (self.a, self.b)
        ) and all(
            sum(run.count for run in end.receipts) == len(other.got.get(0, []))
            for end, other in ((self.a, self.b), (self.b, self.a))
        )
