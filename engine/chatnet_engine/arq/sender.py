"""Fills packets: asks every source of content in turn, and keeps to the window and the pace.

Owns the sources, the packet numbers, loss recovery and the timers. It does not know what messages
mean, nor what arrives.
"""

from collections.abc import Callable

from chatnet_engine.arq.acks import Acks
from chatnet_engine.arq.channel_out import SendChannel
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.congestion import NewReno
from chatnet_engine.arq.control import ChannelReceipts, HelloSlot, PathTokens, StateBoard
from chatnet_engine.arq.loss import LossRecovery
from chatnet_engine.arq.numbers import PacketNumbers
from chatnet_engine.arq.pacing import Pacer
from chatnet_engine.arq.packets import Packet, Pulled, SentPacket, Source, Token
from chatnet_engine.arq.receipts import ReceiptQueue
from chatnet_engine.arq.rtt import RttEstimator
from chatnet_protocol.wire import frames

FULL_PROBES = 4
"""After this many unanswered probes only every power of two carries content again, so that what is
resent grows with the logarithm of the silence."""
MIN_USEFUL_ROOM = 16


class _Draft:
    """A packet being filled."""

    __slots__ = ("chunks", "contents", "eliciting", "room")

    def __init__(self, room: int) -> None:
        self.room = room
        self.chunks: list[bytes] = []
        self.contents: list[tuple[Source, Token]] = []
        self.eliciting = False

    def add(self, source: Source, pulled: Pulled, eliciting: bool = True) -> None:
        self.chunks.append(pulled[0])
        self.room -= len(pulled[0])
        self.contents.append((source, pulled[1]))
        self.eliciting = self.eliciting or eliciting

    def add_bare(self, frame: bytes) -> None:
        self.chunks.append(frame)
        self.room -= len(frame)
        self.eliciting = True


class Sender:
    """Turns what is due into packets."""

    def __init__(
        self, config: ArqConfig, random: Callable[[int], bytes], acks: Acks, now: float
    ) -> None:
        self._config = config
        self._acks = acks
        self.numbers = PacketNumbers(config.first_packet_number, random)
        self.rtt = RttEstimator(config)
        self.congestion = NewReno(config)
        self.loss = LossRecovery(config, self.rtt, self.congestion)
        self._pacer = Pacer(config, now)
        self.hello = HelloSlot()
        self.receipts = ReceiptQueue()
        self.channel_receipts = ChannelReceipts()
        self.states = StateBoard()
        self.paths = PathTokens()
        self.channels: dict[int, SendChannel] = {}
        self._turn = 0
        self._ping = False
        self._probe = False
        self._full_probe = False
        self._limited = False
        self._more = False
        self._last_sent_at = now
        self.packets_sent = 0
        self.first_unanswered: float | None = None

    @property
    def waiting(self) -> bool:
        """Whether an answer, or a chance to send, is outstanding."""
        return self.loss.waiting or self._has_control() or self._has_content()

    def ping(self) -> None:
        """Ask for an ACK soon; after a silence, with the oldest content along."""
        self._ping = True
        if self.loss.pto_count:
            self._resend_oldest()

    def on_ack(self, ack: frames.Ack, now: float) -> None:
        """A checked ACK."""
        self.loss.on_ack(ack.ranges, ack.delay_us / 1e6, now, self._limited)
        self._pacer.set_rate(
            self.congestion.window_bytes, self.rtt.smoothed_s, self.congestion.in_slow_start, now
        )
        chat = self.channels.get(0)
        if chat is not None:
            loss_rate = self.loss.counters.loss_rate
            chat.copies.on_line(loss_rate, self.rtt.smoothed_s, self.rtt.probe_timeout_s())

    def on_timeout(self, now: float) -> None:
        """Give up what is late, probe, or keep the path alive."""
        if self.loss.on_timeout(now):
            self._probe = True
            count = self.loss.pto_count
            self._full_probe = count <= FULL_PROBES or count & (count - 1) == 0
            if self._full_probe:
                self._resend_oldest()
        if now >= self._last_sent_at + self._config.keepalive_s:
            self._ping = True

    def next_timeout(self, now: float) -> float:
        """When `on_timeout` or another round of `take` has something to do."""
        if self._more or self._has_control():
            return now
        deadline = self._last_sent_at + self._config.keepalive_s
        loss_at = self.loss.next_timeout()
        if loss_at is not None:
            deadline = min(deadline, loss_at)
        if self._window_open():
            if self._has_content():
                deadline = min(deadline, self._pacer.ready_at(now))
            copies_at = self._copies_at()
            if copies_at is not None:
                deadline = min(deadline, copies_at)
        return max(deadline, now)

    def take(self, now: float, max_packets: int) -> list[Packet]:
        """Packets to send now."""
        packets: list[Packet] = []
        self._more = False
        with_ack = True
        while not self.numbers.exhausted:
            control = self._has_control()
            content = self._has_content()
            copies_at = None if content else self._copies_at()
            wanted = content or (copies_at is not None and copies_at <= now)
            allowed = wanted and self._window_open() and self._pacer.ready_at(now) <= now
            if not (control or allowed):
                self._limited = content
                break
            if len(packets) == max_packets:
                self._more = True
                break
            packet = self._build(now, allowed or self._probe, with_ack)
            if packet is None:
                break
            packets.append(packet)
            with_ack = False
        return packets

    def _build(self, now: float, content: bool, with_ack: bool) -> Packet | None:
        draft = _Draft(self._config.max_payload_bytes)
        number = self.numbers.next
        self._add_control(draft, now, with_ack)
        if content:
            self._add_content(draft, number, now)
        if content or draft.eliciting:
            self._add_copies(draft, number, now)
        if (self._ping or self._probe) and not draft.eliciting:
            draft.add_bare(frames.encode_ping())
        self._ping = self._probe = self._full_probe = False
        if not draft.chunks:
            return None
        payload = b"".join(draft.chunks)
        self.numbers.take()
        self.packets_sent += 1
        self._last_sent_at = now
        if draft.eliciting:
            size_bytes = len(payload) + self._config.datagram_overhead_bytes
            self._pacer.on_sent(size_bytes)
            self.loss.on_sent(SentPacket(number, now, size_bytes, draft.contents))
            if self.first_unanswered is None:
                self.first_unanswered = now
        return Packet(number, payload)

    def _add_control(self, draft: _Draft, now: float, with_ack: bool) -> None:
        hello = self.hello.pull()
        if hello is not None:
            draft.add(self.hello, hello)
        if with_ack:
            ack = self._acks.pull(now)
            if ack is not None:
                draft.add(self._acks, ack, eliciting=False)
        while (token := self.paths.pull(draft.room)) is not None:
            draft.add_bare(token)
        while (pulled := self.receipts.pull(draft.room)) is not None:
            draft.add(self.receipts, pulled)
        while (pulled := self.channel_receipts.pull(draft.room)) is not None:
            draft.add(self.channel_receipts, pulled)
        while (pulled := self.states.pull(draft.room)) is not None:
            draft.add(self.states, pulled)

    def _add_content(self, draft: _Draft, number: int, now: float) -> None:
        for channel in self._in_turn():
            while channel.has_again and draft.room >= MIN_USEFUL_ROOM:
                pulled = channel.pull_again(draft.room, number, now)
                if pulled is None:
                    break
                draft.add(channel, pulled)
        for channel in self._in_turn():
            while channel.has_new and draft.room >= MIN_USEFUL_ROOM:
                pulled = channel.pull_new(draft.room, number, now)
                if pulled is None:
                    break
                draft.add(channel, pulled)
                if channel.channel:
                    self._turn = channel.channel

    def _add_copies(self, draft: _Draft, number: int, now: float) -> None:
        chat = self.channels.get(0)
        if chat is not None and not chat.has_new:
            for pulled in chat.pull_copies(draft.room, number, now, self._full_probe):
                draft.add(chat, pulled)

    def _copies_at(self) -> float | None:
        chat = self.channels.get(0)
        return chat.copies.due_at() if chat is not None and not chat.has_new else None

    def _in_turn(self) -> list[SendChannel]:
        """Channel 0, then the others, beginning after the one that was served last."""
        order = sorted(self.channels, key=lambda n: (n != 0, n <= self._turn, n))
        return [self.channels[number] for number in order]

    def _has_control(self) -> bool:
        return (
            self._acks.due
            or self._ping
            or self._probe
            or self.hello.due
            or self.receipts.due
            or self.channel_receipts.due
            or self.states.due
            or self.paths.due
        )

    def _has_content(self) -> bool:
        return any(channel.has_new or channel.has_again for channel in self.channels.values())

    def _window_open(self) -> bool:
        full_bytes = self._config.max_payload_bytes + self._config.datagram_overhead_bytes
        return self.loss.in_flight_bytes + full_bytes <= self.congestion.window_bytes

    def _resend_oldest(self) -> None:
        for packet in self.loss.oldest():
            for source, token in packet.contents:
                source.on_probe(token)
            if self.hello.due or self.receipts.due or self.states.due or self._has_content():
                return
