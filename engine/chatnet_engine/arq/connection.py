"""One link between one pair of incarnations: a facade over the parts that own the state.

Feed it decrypted payloads with their packet numbers and the time; after any input take the packets
and the events, and call again at `next_timeout`. It knows nothing of chat, keys, addresses, clocks
or sockets; `now` is in seconds of any monotonic clock.
"""

from collections.abc import Callable, Sequence

from chatnet_engine.arq.acks import AT_ONCE, NOTHING, PATIENT, SOON, Acks, Elicits
from chatnet_engine.arq.channel_out import SendChannel
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.events import (
    Closed,
    Event,
    MessagesSent,
    PathChallenged,
    PathResponded,
    ReceiptsArrived,
)
from chatnet_engine.arq.held import HeldTotal
from chatnet_engine.arq.packets import Packet
from chatnet_engine.arq.receipts import ReceiptLog
from chatnet_engine.arq.receiver import Receiver
from chatnet_engine.arq.redundancy import plan_for
from chatnet_engine.arq.sender import Sender
from chatnet_engine.arq.sources import Sources
from chatnet_engine.arq.stats import ArqStats
from chatnet_engine.trace import Kind, LinkTracer
from chatnet_protocol.errors import DecodeError, LocalProtocolError, RemoteProtocolError
from chatnet_protocol.limits import MAX_CHANNELS
from chatnet_protocol.wire import frames

ELICITS: dict[type, Elicits] = {
    frames.Ack: NOTHING,
    frames.Ping: AT_ONCE,
    frames.Hello: AT_ONCE,
    frames.Receipt: PATIENT,
    frames.ChannelReceipt: PATIENT,
}
"""How soon frames want their ACK; others soon."""
UPKEEP = frozenset({frames.Ack, frames.Ping, frames.ChannelReceipt})
"""No event comes of these frames."""
MAX_PATH_EVENTS = 64
"""Path events between two calls of `take_events`; the surplus is dropped, its sender asks again."""


class Connection:
    """Reliable ordered channels, receipts and states over unreliable packets."""

    def __init__(
        self,
        *,
        now: float,
        random: Callable[[int], bytes],
        config: ArqConfig = ArqConfig(),  # noqa: B008  (frozen)
        trace: LinkTracer | None = None,
        held_total: HeldTotal | None = None,
        leads: bool = True,
    ) -> None:
        """`leads`: keeps the path alive; true of one of the two sides."""
        self.trace = trace or LinkTracer()
        self._config = config
        self._now = now
        self._acks = Acks()
        self._sources = Sources(self._acks)
        self._sender = Sender(config, random, self._sources, now, self.trace, leads=leads)
        self.line = self._sender.loss.line
        """What is known of losses in the direction of the peer, for the next link to begin with."""
        self.log = self._sources.log
        """Which packets carried which messages of channel 0."""
        self._receiver = Receiver(config, self._sources.channel_receipts, held_total or HeldTotal())
        self.held = self._receiver.held
        """What is kept out of order; released when the link is over."""
        self._receipt_log: ReceiptLog | None = None
        self._new_receipts: list[frames.Receipt] = []
        self._reported_sent: dict[int, int] = {}
        self._events: list[Event] = []
        self.has_events = False
        """Whether `take_events` may return any."""
        self._close: bytes | None = None
        self._close_due = False
        self._close_answers = 0
        self.closed = False
        """The peer has ended the link."""
        self._packets_received = 0
        self._duplicate_packets = 0

    # --- inputs ---------------------------------------------------------------------------------

    def handle_packet(self, number: int, payload: bytes, now: float) -> None:
        """A decrypted payload and its packet number.

        Frames that cannot be taken now are left, and the packet is not acknowledged, so that they
        come again; the others of it take effect, which repeating does not change. Each frame is
        checked against what the ones before it have changed.

        Raises RemoteProtocolError when the peer broke the specification: the link has to end.
        """
        self._now = now
        if self.closed:
            return
        traced = self.trace.tracer.detail
        if self._acks.seen(number):
            self._duplicate_packets += 1
            if traced:
                self.trace.add(Kind.PACKET_DUPLICATE, number=number)
            return
        try:
            arrived = frames.decode(payload)
        except DecodeError as error:
            raise RemoteProtocolError(error.reason) from None
        self._sender.first_unanswered = None
        self._packets_received += 1
        if traced:
            self.trace.add(Kind.PACKET_RECEIVED, number=number, size=len(payload))
        if self._close is not None:
            self._handle_while_closing(arrived)
            return
        elicits, whole = NOTHING, True
        for frame in arrived:
            if isinstance(frame, frames.Messages | frames.Message):
                taken = self._take_content(frame, number, now)
            elif taken := self._check(frame):
                self._apply(frame, now)
            if not taken:
                whole = False
                continue
            kind = type(frame)
            elicits = max(elicits, ELICITS.get(kind, SOON))
            if kind not in UPKEEP:
                self.has_events = True
        if whole:
            self._acks.on_packet(number, elicits, now)

    def handle_timeout(self, now: float) -> None:
        """The time of `next_timeout` has come; earlier calls do no harm."""
        self._now = now
        if self._close is None and not self.closed:
            self._sender.on_timeout(now)

    # --- asks -----------------------------------------------------------------------------------

    def assume_rtt(self, rtt_s: float) -> None:
        """What a round trip took before the first packet of this link."""
        self._sender.rtt.assume(rtt_s)

    def set_hello(self, body: bytes) -> None:
        """HELLO goes first in every packet until acknowledged. Once; at most MAX_HELLO_BYTES."""
        self._sources.hello.set(body)

    def start_sending(self, first_number: int, base: int | None = None) -> None:
        """Channel 0 begins at this number; until now it had no credit.

        `base`: the lowest number whose receipt is still news, when the peer turned out to have
        committed messages before `first_number` without our hearing of it.
        """
        if self._receipt_log is not None:
            raise LocalProtocolError("sending has started already")
        if first_number < 1:
            raise LocalProtocolError("message numbers begin at 1")
        self._receipt_log = ReceiptLog(first_number if base is None else min(base, first_number))
        self._open_channel(0, first_number)
        self._sender.update_copies()

    def start_receiving(self, next_number: int) -> None:
        """Channel 0 is delivered from this number, and the other channels too; until now what
        came was kept within the window, or dropped unacknowledged beyond it."""
        self._receiver.start(next_number, self._now)
        self.has_events = True

    def credit(self, channel: int) -> int:
        """Bytes that `queue` takes; each message counts MESSAGE_OVERHEAD_BYTES besides its own."""
        sending = self._sources.channels.get(channel)
        if sending is not None:
            return sending.credit()
        return self._config.window_of(channel) if 0 < channel < MAX_CHANNELS else 0

    def queue(self, channel: int, messages: Sequence[bytes]) -> int:
        """Send messages in order; returns the number of the first, the others follow it.

        Raises LocalProtocolError over the window, for a message that is empty or longer than
        MAX_MESSAGE_BYTES, on channel 0 before `start_sending`, or after `close`.
        """
        if self._close is not None or self.closed:
            raise LocalProtocolError("the link is closed")
        sending = self._sources.channels.get(channel)
        if sending is None:
            if not 0 < channel < MAX_CHANNELS:
                raise LocalProtocolError(f"channel {channel} is not open")
            sending = self._open_channel(channel, 1)
        return sending.queue(messages)

    def receipt(self, number: int, ack: int, count: int) -> None:
        """Channel 0 is committed here up to `number`; the last `count` messages of it have the
        consecutive ACK numbers that end at `ack`. Numbers ascend from call to call."""
        self._receiver.channels[0].on_receipt(number)
        self._sources.receipts.add(number, ack, count)

    def set_state(self, key: int, value: bytes) -> None:
        """Let the peer know the newest value under `key`; older ones may never arrive."""
        self._sources.states.set(key, value)

    def ping(self) -> None:
        """Ask for an ACK in the next packet, as after a new handshake or a change of network."""
        self._sender.ping()

    def challenge(self, token: bytes) -> None:
        """PATH_CHALLENGE in the next packet; never repeated."""
        self._sources.paths.challenge(token)

    def close(self, code: int, reason: str) -> None:
        """The next packet says CLOSE, and so does the answer to ever fewer packets after it."""
        if self._close is None:
            self._close = frames.encode_close(code, reason)
            self._close_due = True

    # --- outputs --------------------------------------------------------------------------------

    def take_packets(self, now: float, max_packets: int) -> list[Packet]:
        """What has to leave now. When `max_packets` cut it short, `next_timeout` is now."""
        self._now = now
        if self.closed or max_packets < 1:
            return []
        if self._close is None:
            packets = self._sender.take(now, max_packets)
            if self._sources.has_pulled:
                self._sources.has_pulled, self.has_events = False, True
            return packets
        if not self._close_due or self._sender.numbers.exhausted:
            return []
        self._close_due = False
        return [Packet(self._sender.numbers.take(), self._close)]

    def take_events(self) -> list[Event]:
        """What happened since the last call."""
        self.has_events = False
        events = self._receiver.take_events()
        if self._new_receipts:
            events.append(ReceiptsArrived(self._new_receipts))
            self._new_receipts = []
        for number, channel in self._sources.channels.items():
            if channel.sent_upto > self._reported_sent[number]:
                self._reported_sent[number] = channel.sent_upto
                events.append(MessagesSent(number, channel.sent_upto))
        events += self._events
        self._events.clear()
        return events

    def next_timeout(self) -> float | None:
        """When to call `handle_timeout` and then `take_packets`; None once closed."""
        if self.closed or self._close is not None:
            return self._now if self._close_due and not self.closed else None
        return self._sender.next_timeout(self._now)

    @property
    def first_unanswered(self) -> float | None:
        """When the oldest ack-eliciting packet left since anything was received."""
        return self._sender.first_unanswered

    @property
    def unacked(self) -> bool:
        """Whether anything waits to be sent or acknowledged."""
        return self._sender.waiting

    @property
    def exhausted(self) -> bool:
        """Packet numbers are used up: a new incarnation has to be drawn."""
        return self._sender.numbers.exhausted

    @property
    def stats(self) -> ArqStats:
        """Numbers about the link."""
        sender = self._sender
        chat = self._sources.channels.get(0)
        return ArqStats(
            smoothed_rtt_s=sender.rtt.smoothed_s,
            latest_rtt_s=sender.rtt.latest_s,
            rtt_variation_s=sender.rtt.variation_s,
            min_rtt_s=sender.rtt.min_s,
            window_bytes=sender.congestion.window_bytes,
            in_flight_bytes=sender.loss.in_flight_bytes,
            packets_sent=sender.packets_sent,
            packets_received=self._packets_received,
            duplicate_packets=self._duplicate_packets,
            packets_lost=sender.loss.counters.packets_lost,
            packets_spurious=sender.loss.counters.packets_spurious,
            loss_rate=self.line.loss_rate,
            bursty=self.line.bursty,
            burst_s=self.line.burst_s if self.line.bursty else 0.0,
            copies=plan_for(self.line).sends - 1,
            pto_count=sender.loss.pto_count,
            unreceipted_messages=chat.unreceipted if chat is not None else 0,
            resent_bytes=sum(each.resent_bytes for each in self._sources.channels.values()),
            mtu_bytes=sender.size.payload_bytes + self._config.datagram_overhead_bytes,
            rate_bytes_per_s=sender.congestion.rate_bytes_per_s,
            queue_s=sender.congestion.queue_s,
            black_hole=sender.size.black_hole,
            duplicate_messages=sum(each.duplicates for each in self._receiver.channels.values()),
        )

    # --- inside ---------------------------------------------------------------------------------

    def _open_channel(self, channel: int, first_number: int) -> SendChannel:
        config = self._config
        window_bytes = config.window_of(channel)
        opened = SendChannel(channel, first_number, window_bytes, config.window_messages)
        self._sources.open_channel(opened)
        self._reported_sent[channel] = first_number - 1
        return opened

    def _check(self, frame: frames.Frame) -> bool:
        if isinstance(frame, frames.Ack):
            self._sender.numbers.check(frame.ranges)
        elif isinstance(frame, frames.Receipt):
            if self._receipt_log is None:
                return False  # the peer was quicker with HELLO; it will say this again
            self._check_receipt(0, frame.number)
        elif isinstance(frame, frames.ChannelReceipt):
            self._check_receipt(frame.channel, frame.number)
        else:
            return self._receiver.check(frame)
        return True

    def _check_receipt(self, channel: int, number: int) -> None:
        sending = self._sources.channels.get(channel)
        if sending is None or number > sending.sent_upto:
            raise RemoteProtocolError("receipt for a message that was never sent")

    def _take_content(
        self, frame: frames.Messages | frames.Message, packet: int, now: float
    ) -> bool:
        """Check messages or a part of one, and take them in if that can be now."""
        may_take = not self._sources.receipts.full
        if isinstance(frame, frames.Messages):
            first, count = frame.first_number, len(frame.messages)
            taken = self._receiver.take_messages(frame, now, may_take=may_take)
        else:
            first, count = frame.number, 1
            taken = self._receiver.take_part(frame, now, may_take=may_take)
        if taken and not frame.channel:
            self.log.on_arrived(packet, now, first, count)
        return taken

    def _apply(self, frame: frames.Frame, now: float) -> None:
        """Take one checked frame in, which has no messages."""
        if isinstance(frame, frames.Ack):
            self._sender.on_ack(frame, now)
        elif isinstance(frame, frames.Receipt) and self._receipt_log is not None:
            self._new_receipts += self._receipt_log.add(frame)
            self._sources.channels[0].on_receipt(frame.number)
        elif isinstance(frame, frames.ChannelReceipt):
            self._sources.channels[frame.channel].on_receipt(frame.number)
        elif isinstance(frame, frames.Hello):
            self._receiver.on_hello(frame)
        elif isinstance(frame, frames.State):
            self._receiver.on_state(frame)
        elif isinstance(frame, frames.PathChallenge):
            self._sources.paths.respond(frame.token)
            self._add_path_event(PathChallenged(frame.token))
        elif isinstance(frame, frames.PathResponse):
            self._add_path_event(PathResponded(frame.token))
        elif isinstance(frame, frames.Close):
            self.closed = True
            self._events.append(Closed(frame.code, frame.reason))

    def _add_path_event(self, event: PathChallenged | PathResponded) -> None:
        if len(self._events) < MAX_PATH_EVENTS:
            self._events.append(event)

    def _handle_while_closing(self, arrived: list[frames.Frame]) -> None:
        """Answer the 1st, 2nd, 4th, 8th … packet with CLOSE again, RFC 9000 section 10.2.1."""
        for frame in arrived:
            if isinstance(frame, frames.Close):
                self.closed = self.has_events = True
                self._events.append(Closed(frame.code, frame.reason))
                return
        self._close_answers += 1
        if self._close_answers & (self._close_answers - 1) == 0:
            self._close_due = True
