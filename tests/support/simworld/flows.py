"""What shares a line: links that carry bulk and a thin stream, a probe of the queue, and small
models of TCP."""

from collections.abc import Callable
from functools import partial
from math import ceil, inf

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.congestion import Congestion
from chatnet_engine.arq.connection import Connection
from chatnet_engine.arq.events import HelloArrived, MessagesArrived
from chatnet_engine.arq.packets import Packet, SentPacket
from chatnet_protocol.limits import AEAD_TAG_BYTES, DATA_HEADER_BYTES, MESSAGE_OVERHEAD_BYTES
from simworld.shared_line import MBIT, SharedLine

WAKE_S = 0.001
"""How late a timer may be: an event loop that counts in milliseconds."""
PROBE_EVERY_S = 0.02
TCP_PACKET = 1500 - 28
TCP_PAYLOAD = 1448


class LinkEnd:
    """A connection and an owner that behaves, woken by what arrives and by its timer."""

    def __init__(self, name: str, out: SharedLine, config: ArqConfig) -> None:
        self.clock = out.clock
        self.out = out
        self.peer: LinkEnd
        random = self.clock.bytes_for(name)
        self.connection = Connection(now=self.clock.now_s, random=random, config=config)
        self.connection.set_hello(b"hello")
        self.greeted = False
        self.page_in: Callable[[], None] = lambda: None
        self.on_messages: Callable[[MessagesArrived], None] = lambda event: None
        self._wake_at = inf

    def handle_packet(self, packet: Packet) -> None:
        """One arrives."""
        self.connection.handle_packet(packet.number, packet.payload, self.clock.now_s)
        self.turn()

    def turn(self) -> None:
        """Take in what happened, send what is due, set the timer."""
        now, connection = self.clock.now_s, self.connection
        packets: list[Packet] = [Packet(0, b"")]
        while packets:
            for event in connection.take_events():
                self._handle_event(event)
            self.page_in()
            packets = connection.take_packets(now, 64)
            for packet in packets:
                size_bytes = len(packet.payload) + DATA_HEADER_BYTES + AEAD_TAG_BYTES
                self.out.send(size_bytes, partial(self.peer.handle_packet, packet))
        deadline = connection.next_timeout()
        assert deadline is not None
        wait_s = ceil(max(deadline - now, 1e-6) / WAKE_S - 1e-9) * WAKE_S
        if not now < self._wake_at <= now + wait_s:
            self._wake_at = now + wait_s
            self.clock.after(wait_s, partial(self._wake, self._wake_at))

    def _handle_event(self, event: object) -> None:
        if isinstance(event, HelloArrived):
            self.greeted = True
            self.connection.start_receiving(1)
            self.connection.start_sending(1)
        elif isinstance(event, MessagesArrived):
            self.on_messages(event)
            if event.channel == 0:
                last = event.first_number + len(event.messages) - 1
                self.connection.receipt(last, last, len(event.messages))

    def _wake(self, at: float) -> None:
        if self._wake_at == at:
            self._wake_at = inf
            self.connection.handle_timeout(self.clock.now_s)
            self.turn()


class Link:
    """Bulk on channel 1 while `bulk` is set, and a thin stream of text on channel 0."""

    def __init__(
        self,
        forward: SharedLine,
        back: SharedLine,
        config: ArqConfig | None = None,
        message_bytes: int = 16_000,
    ) -> None:
        chosen = config or ArqConfig()
        self.clock = forward.clock
        self.a, self.b = LinkEnd("a", forward, chosen), LinkEnd("b", back, chosen)
        self.a.peer, self.b.peer = self.b, self.a
        self.a.page_in, self.b.on_messages = self._page_in, self._on_messages
        self.bulk = False
        self.got_bytes = 0
        self.text_s: list[tuple[float, float]] = []
        """(when it was written, how long it took)"""
        self._body = bytes(message_bytes)
        self._written: dict[int, float] = {}
        for end in (self.a, self.b):
            self.clock.after(0.0, end.turn)

    def start(self) -> None:
        """Bulk from now on."""
        self.bulk = True
        self.a.turn()

    def stop(self) -> None:
        """What is queued still leaves."""
        self.bulk = False

    def write(self, every_s: float = 0.05) -> None:
        """100 bytes of text, now and so often."""
        if self.a.greeted:
            number = self.a.connection.queue(0, [bytes(100)])
            self._written[number] = self.clock.now_s
            self.a.turn()
        self.clock.after(every_s, partial(self.write, every_s))

    def _page_in(self) -> None:
        if self.bulk and self.a.greeted:
            cost = len(self._body) + MESSAGE_OVERHEAD_BYTES
            count = self.a.connection.credit(1) // cost
            if count:
                self.a.connection.queue(1, [self._body] * count)

    def _on_messages(self, event: MessagesArrived) -> None:
        if event.channel:
            self.got_bytes += sum(map(len, event.messages))
            return
        for number in range(event.first_number, event.first_number + len(event.messages)):
            at = self._written.pop(number)
            self.text_s.append((at, self.clock.now_s - at))


class QueueProbe:
    """A bare datagram every 20 ms: what the line adds to its delay."""

    def __init__(self, line: SharedLine) -> None:
        self.line = line
        self.waits_s: list[tuple[float, float]] = []
        """(when it was sent, how much later than on an empty line it came)"""
        self._send()

    def _send(self) -> None:
        self.line.send(100, partial(self._arrived, self.line.clock.now_s))
        self.line.clock.after(PROBE_EVERY_S, self._send)

    def _arrived(self, sent_at: float) -> None:
        took_s = self.line.clock.now_s - sent_at
        self.waits_s.append((sent_at, took_s - self.line.delay_s))


class Tcp:
    """Packets with an ACK each; one is lost when three later ones have arrived."""

    def __init__(self, forward: SharedLine, back: SharedLine) -> None:
        self.clock, self.forward, self.back = forward.clock, forward, back
        self.got_bytes = 0
        self.sent: dict[int, SentPacket] = {}
        self.rtt_s = 0.0
        self._next = 0
        self._heard_at = 0.0

    def start(self) -> None:
        """From now on, for ever."""
        self._heard_at = self.clock.now_s
        self._watch()

    def fill(self) -> None:
        """Send what may be sent."""
        raise NotImplementedError

    def acked(self, packet: SentPacket, rtt_s: float) -> None:
        """One has arrived."""
        raise NotImplementedError

    def lost(self, packets: list[SentPacket]) -> None:
        """At least one is lost."""
        raise NotImplementedError

    def timed_out(self) -> None:
        """Nothing was heard for a second."""
        raise NotImplementedError

    def send(self, packet: SentPacket) -> None:
        """It leaves."""
        packet.number, self._next = self._next, self._next + 1
        self.sent[packet.number] = packet
        self.forward.send(TCP_PACKET, partial(self._arrived, packet.number))

    def _arrived(self, number: int) -> None:
        self.got_bytes += TCP_PAYLOAD
        self.back.send(24, partial(self._handle_ack, number))

    def _handle_ack(self, number: int) -> None:
        now = self._heard_at = self.clock.now_s
        packet = self.sent.pop(number, None)
        if packet is None:
            return
        rtt_s = now - packet.sent_at
        self.rtt_s = rtt_s if not self.rtt_s else self.rtt_s + (rtt_s - self.rtt_s) / 8
        self.acked(packet, rtt_s)
        lost = []
        for earlier in self.sent.values():
            if earlier.number > number - 3:
                break
            lost.append(earlier)
        if lost:
            for earlier in lost:
                del self.sent[earlier.number]
            self.lost(lost)
        self.fill()

    def _watch(self) -> None:
        if self.sent and self.clock.now_s - self._heard_at > max(1.0, 3 * self.rtt_s):
            self._heard_at = self.clock.now_s
            self.sent.clear()
            self.timed_out()
        self.fill()
        self.clock.after(0.2, self._watch)


class Cubic(Tcp):
    """RFC 9438, with a HyStart that leaves slow start by delay; the window clocks it."""

    def __init__(self, forward: SharedLine, back: SharedLine) -> None:
        super().__init__(forward, back)
        self.window = 10.0
        self._threshold = inf
        self._least_rtt_s = inf
        self._most = self._like_reno = self._plateau_s = 0.0
        self._reduced_at: float | None = None
        self._recovery_until = -1

    def fill(self) -> None:
        """As far as the window goes."""
        while len(self.sent) < int(self.window):
            self.send(SentPacket(0, self.clock.now_s, TCP_PACKET, []))

    def acked(self, packet: SentPacket, rtt_s: float) -> None:
        """Grow, unless a loss is being repaired."""
        self._least_rtt_s = min(self._least_rtt_s, rtt_s)
        if packet.number <= self._recovery_until:
            return
        if self.window < self._threshold:
            self.window += 1
            if self.window > 16 and rtt_s > self._least_rtt_s * 1.125 + 0.004:
                self._threshold = self.window
            return
        now = self.clock.now_s
        if self._reduced_at is None:
            self._reduced_at = now
            self._most = max(self._most, self.window)
            self._plateau_s = ((self._most - self.window) / 0.4) ** (1 / 3)
            self._like_reno = self.window
        self._like_reno += 3 * 0.3 / 1.7 / self.window
        goal = 0.4 * (now - self._reduced_at + self.rtt_s - self._plateau_s) ** 3 + self._most
        goal = min(max(goal, self.window), 1.5 * self.window)
        self.window = max(self.window + (goal - self.window) / self.window, self._like_reno)

    def lost(self, packets: list[SentPacket]) -> None:
        """Once a round trip."""
        if packets[-1].number > self._recovery_until:
            self._recovery_until = self._next
            self._most = self.window if self.window >= self._most else self.window * 0.85
            self._threshold = self.window = max(self.window * 0.7, 2.0)
            self._reduced_at = None

    def timed_out(self) -> None:
        """Begin again."""
        self._threshold, self.window = max(self.window / 2, 2.0), 2.0
        self._reduced_at = None


class Paced(Tcp):
    """A bare flow under a controller of ours."""

    def __init__(self, forward: SharedLine, back: SharedLine, controller: Congestion) -> None:
        super().__init__(forward, back)
        self.controller = controller
        self._free_at = 0.0
        self._waking = False

    @property
    def in_flight_bytes(self) -> int:
        """What is neither acknowledged nor lost."""
        return len(self.sent) * TCP_PACKET

    def fill(self) -> None:
        """At the controller's pace, within its window."""
        now = self.clock.now_s
        while self.in_flight_bytes + TCP_PACKET <= self.controller.window_bytes:
            if self._free_at > now + WAKE_S / 2:
                break
            packet = SentPacket(0, now, TCP_PACKET, [])
            packet.snapshot = self.controller.on_sent(self.in_flight_bytes, now)
            self.send(packet)
            pace = self.controller.pace(self.rtt_s or 0.1)
            self._free_at = max(self._free_at, now) + TCP_PACKET / pace
        if not self._waking:
            self._waking = True
            self.clock.after(min(max(self._free_at - now, WAKE_S / 2), 0.2), self._wake)

    def acked(self, packet: SentPacket, rtt_s: float) -> None:
        """See `Tcp`."""
        self.controller.on_ack([packet], rtt_s, self.in_flight_bytes, self.clock.now_s, used=True)

    def lost(self, packets: list[SentPacket]) -> None:
        """See `Tcp`."""
        size_bytes = len(packets) * TCP_PACKET
        self.controller.on_lost(size_bytes, packets[-1].sent_at, self.clock.now_s)

    def timed_out(self) -> None:
        """See `Tcp`."""
        self.controller.on_persistent()

    def _wake(self) -> None:
        self._waking = False
        self.fill()


def mbit_of(size_bytes: float, seconds: float) -> float:
    """A rate in Mbit/s."""
    return size_bytes / seconds / MBIT


def percentile(values: list[float], part: float) -> float:
    """The value that this part of them stays below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
