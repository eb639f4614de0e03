"""Decides when packets leave: keeps to the window and the pace, probes, keeps the path alive.

Owns the packet numbers, loss recovery and the timers. What a packet carries is the business of
`sources`; what arrives is nobody's here.
"""

from collections.abc import Callable, Sequence

from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.congestion import Congestion, Illinois
from chatnet_engine.arq.loss import LossRecovery
from chatnet_engine.arq.numbers import PacketNumbers
from chatnet_engine.arq.pacing import Pacer
from chatnet_engine.arq.packets import Packet, SentPacket
from chatnet_engine.arq.path_model import PathModel
from chatnet_engine.arq.path_mtu import PathMtu
from chatnet_engine.arq.redundancy import UNKNOWN, plan_for
from chatnet_engine.arq.rtt import RttEstimator
from chatnet_engine.arq.sizing import SAFE_PAYLOAD_BYTES
from chatnet_engine.arq.sources import PacketBuilder, Sources
from chatnet_engine.deadlines import TICK_S, next_tick
from chatnet_engine.trace import Kind, LinkTracer
from chatnet_protocol.wire import frames

FULL_PROBES = 4
"""After this many unanswered probes only every power of two carries content again, so that what is
resent grows with the logarithm of the silence."""
SMALL_PROBES_FROM = 2
"""From this probe on, probes are small, so that a path that swallows large packets answers."""
MAX_SMALL_PROBES = 16
"""Probes in flight without messages that are remembered: a silence may last for weeks. What an
older one carried is due again."""
MAX_CONTROL_IN_FLIGHT = 256
"""Packets in flight that left for receipts, states or HELLO alone, outside the window. Beyond it
these wait for an ACK, or for the next probe: who acknowledges nothing gets no more of them."""
COPY_PATIENCE = 1.5
"""Round trips after which a small message is copied anew, if the probe timeout is later: a copy too
many costs little, and while few round trips were measured that timeout is three of them."""
MTU_PROBE_PACKETS = 8
"""In flight when larger packets are probed for: more than a thin stream has."""
CHAT_CREDIT_PACKETS = 4
"""Channel 0 may exceed window and pace by this much, so that bulk never holds text back."""
CONTROLLERS: dict[str, Callable[[ArqConfig], Congestion]] = {
    "path model": PathModel,
    "illinois": Illinois,
}
"""What `ArqConfig.congestion` may be."""


class Sender:
    """Turns what is due into packets."""

    def __init__(
        self,
        config: ArqConfig,
        random: Callable[[int], bytes],
        sources: Sources,
        now: float,
        trace: LinkTracer | None = None,
        *,
        leads: bool = True,
    ) -> None:
        """`leads`: see Connection."""
        self._config = config
        self._trace = trace or LinkTracer()
        self._sources = sources
        self._full_bytes = config.max_payload_bytes + config.datagram_overhead_bytes
        self.numbers = PacketNumbers(config.first_packet_number, random)
        self.rtt = RttEstimator(config)
        self.congestion: Congestion = CONTROLLERS[config.congestion](config)
        overhead_bytes = config.datagram_overhead_bytes
        self.size = PathMtu(config.max_payload_bytes, config.most_payload_bytes, overhead_bytes)
        self.loss = LossRecovery(config, self.rtt, self.congestion, self.size, self._trace)
        self._pacer = Pacer(config, now)
        self._traced = (False, self.size.payload_bytes, self.congestion.state)
        """Black hole, payload size and congestion state, as they were traced last."""
        self._keepalive_s = config.keepalive_s if leads else config.keepalive_other_s
        self._keepalive_tick_s = config.keepalive_tick_s if leads else TICK_S
        self._ping = False
        self._no_hurry = False
        """The PING is for the path alone: a peer that is slow to answer gets no probe for it."""
        self._probe = False
        self._full_probe = False
        self._limited = False
        self._small_probes: list[int] = []
        self._last_sent_at = now
        self.packets_sent = 0
        self.first_unanswered: float | None = None

    @property
    def waiting(self) -> bool:
        """Whether an answer, or a chance to send, is outstanding."""
        sources = self._sources
        content = sources.has_chat or sources.has_bulk
        due = sources.has_control or sources.answers_at < float("inf") or self._ping
        return self.loss.waiting or content or due

    def ping(self) -> None:
        """Ask for an ACK soon; after a silence, with the oldest content along."""
        self._ping, self._no_hurry = True, False
        if self.loss.pto_count:
            self._resend_oldest()

    def on_ack(self, ack: frames.Ack, now: float) -> None:
        """A checked ACK."""
        self.loss.on_ack(ack.ranges, ack.delay_us / 1e6, now, self._limited)
        rtt, congestion = self.rtt, self.congestion
        largest_bytes = self.size.payload_bytes + self._config.datagram_overhead_bytes
        self._pacer.set_rate(congestion.pace(rtt.smoothed_s), largest_bytes, now)
        self.update_copies()
        self._trace_state()
        if self._trace.tracer.detail:
            self._trace.add(
                Kind.METRICS,
                rtt_ms=rtt.latest_s * 1000,
                smoothed_rtt_ms=rtt.smoothed_s * 1000,
                window=congestion.window_bytes,
                in_flight=self.loss.in_flight_bytes,
                loss=self.loss.line.loss_rate,
                rate=congestion.rate_bytes_per_s,
                queue_ms=congestion.queue_s * 1000,
            )

    def update_copies(self) -> None:
        """Tell the sources what is known of the line."""
        rtt = self.rtt
        patience_s = COPY_PATIENCE * rtt.smoothed_s + self._config.max_ack_delay_s
        patience_s = min(rtt.probe_timeout_s(), patience_s)
        plan = plan_for(self.loss.line)
        self._sources.acks.insistent = plan.sends > 1
        if self.loss.pto_count and plan.sends < UNKNOWN.sends:
            plan = UNKNOWN  # what was known of the line does not hold
        self._sources.on_line(plan, rtt.smoothed_s, patience_s)

    def on_timeout(self, now: float) -> None:
        """Declare packets lost, send a probe, or keep the path alive."""
        if self.loss.on_timeout(now):
            self._probe = True
            self.update_copies()
            count = self.loss.pto_count
            self._full_probe = count <= FULL_PROBES or count & (count - 1) == 0
            if self._trace.tracer.detail:
                self._trace.add(Kind.PROBE_TIMEOUT, count=count)
            if self._full_probe:
                self._resend_oldest()
        if now >= self._keepalive_at and not self._ping:
            self._ping = self._no_hurry = True
        self._trace_state()

    def next_timeout(self, now: float) -> float:
        """When `on_timeout` or another round of `take` has something to do."""
        if self._ping or self._probe or self._control_due(now):
            return now
        sources = self._sources
        deadline = min(self._keepalive_at, sources.acks.due_at)
        loss_at = self.loss.next_timeout() if self.loss.waiting else None
        if loss_at is not None:
            deadline = min(deadline, loss_at)
        chat_at = sources.chat_at(now)
        if chat_at is not None and self._window_open(CHAT_CREDIT_PACKETS):
            ready_at = self._pacer.ready_at(now, CHAT_CREDIT_PACKETS)
            deadline = min(deadline, max(chat_at, ready_at))
        if sources.has_bulk and self._window_open(0):
            deadline = min(deadline, self._pacer.ready_at(now, 0))
        return max(deadline, now)

    def take(self, now: float, max_packets: int) -> list[Packet]:
        """Packets to send now."""
        sources = self._sources
        packets: list[Packet] = []
        probes = self._mtu_probe(now)
        while not self.numbers.exhausted:
            chat_at = sources.chat_at(now)
            chat_waits = chat_at is not None and chat_at <= now
            bulk_waits = sources.has_bulk
            chat = chat_waits and self._may_send(now, CHAT_CREDIT_PACKETS)
            bulk = bulk_waits and self._may_send(now, 0)
            if not (chat or bulk or self._ping or self._probe or self._control_due(now)):
                self._end_take(chat_waits or bulk_waits)
                break
            if len(packets) + len(probes) == max_packets:
                break
            resends = self._full_probe
            packet = self._build(now, chat, bulk, with_ack=not packets)
            if packet is None:
                break
            packets.append(packet)
            if not (chat_waits or bulk_waits or resends or self._control_due(now)):
                self._end_take(False)
                break
            most = max_packets - len(probes) - len(packets)
            if (chat or bulk) and not (self._control_due(now) or self.size.black_hole):
                packets += self._train(now, chat, bulk, most)
        return probes + packets

    def _end_take(self, limited: bool) -> None:
        """Nothing more leaves now: for want of window or pace (`limited`), or of content."""
        self._limited = limited
        if not limited and self._window_open(0):
            self.congestion.on_app_limited(self.loss.in_flight_bytes)

    def _train(self, now: float, chat: bool, bulk: bool, most: int) -> list[Packet]:
        """More of a backlog, in at most `most` packets: nothing else is due until it ends, so what
        they have in common is done once."""
        sources, numbers = self._sources, self.numbers
        credit_packets = CHAT_CREDIT_PACKETS if chat else 0
        left_bytes = self._left_bytes(now, credit_packets)
        limit_bytes = self.size.limit_bytes(now)
        overhead_bytes = self._config.datagram_overhead_bytes
        traced = self._trace.tracer.detail
        packets: list[Packet] = []
        sent: list[SentPacket] = []
        while len(packets) < most and left_bytes >= 0 and not numbers.exhausted:
            builder = PacketBuilder(limit_bytes)
            sources.add_backlog(builder, numbers.next, now, chat=chat, bulk=bulk)
            if not builder.chunks:
                break
            number, payload = numbers.take(), b"".join(builder.chunks)
            packet = SentPacket(number, now, len(payload) + overhead_bytes, builder.contents)
            if builder.has_chat:
                packet.record = sources.record(builder, number, now)
            left_bytes -= packet.size_bytes
            packets.append(Packet(number, payload))
            sent.append(packet)
            if traced:
                self._trace_sent(number, len(payload), asks=True, probe=False)
        self.packets_sent += len(sent)
        self._pacer.on_sent(sum(packet.size_bytes for packet in sent))
        self._keep(sent)
        return packets

    def _build(self, now: float, chat: bool, bulk: bool, with_ack: bool) -> Packet | None:
        limit_bytes = self.size.limit_bytes(now)
        if self._probe and self.loss.pto_count >= SMALL_PROBES_FROM:
            limit_bytes = min(limit_bytes, SAFE_PAYLOAD_BYTES)
        builder = PacketBuilder(limit_bytes)
        number = self.numbers.next
        ack_due = self._sources.acks.due_at <= now
        repeated = self._probe or self._control_open
        self._sources.add_control(builder, now, with_ack=with_ack, repeated=repeated)
        if chat or self._full_probe:
            self._sources.add_chat(builder, number, now)
        if chat or builder.ack_eliciting:
            self._sources.add_copies(builder, number, now, self._full_probe)
        if bulk or self._full_probe:
            self._sources.add_bulk(builder, number, now)
        asking = self._ping or self._probe
        if asking:  # whatever else it carries, this ACK must not wait
            builder.add_bare(frames.encode_ping())
        no_hurry, probe = self._no_hurry and not self._probe, self._probe
        self._ping = self._no_hurry = self._probe = self._full_probe = False
        if not (builder.ack_eliciting or ack_due):
            return None  # what seemed to wait has arrived meanwhile
        payload = b"".join(builder.chunks)
        self.numbers.take()
        self.packets_sent += 1
        self._last_sent_at = now
        if self._trace.tracer.detail:
            self._trace_sent(number, len(payload), asks=builder.ack_eliciting, probe=probe)
        if builder.ack_eliciting:
            size_bytes = len(payload) + self._config.datagram_overhead_bytes
            self.size.on_sent(number, len(payload))
            self._pacer.on_sent(size_bytes)
            if asking or self._sources.is_worth_keeping(builder):
                is_control = not (chat or bulk or probe)
                is_patient = self._sources.is_patient(builder) and (no_hurry or not asking)
                packet = SentPacket(
                    number, now, size_bytes, builder.contents, is_control, is_patient
                )
                if builder.has_chat:
                    packet.record = self._sources.record(builder, number, now)
                self._keep([packet])
                if probe and not self._sources.has_messages(builder):
                    self._remember_small_probe(number)
        return Packet(number, payload)

    def _mtu_probe(self, now: float) -> list[Packet]:
        """A probe of the path's MTU, if one is due: only while bulk is under way, as a thin stream
        gains nothing from larger packets."""
        if self.loss.in_flight_bytes < MTU_PROBE_PACKETS * self._full_bytes:
            return []
        sources = self._sources
        if not ((sources.has_bulk or sources.has_chat) and self.rtt.samples):
            return []
        payload_bytes = self.size.probe_bytes(now, self.congestion.rate_bytes_per_s)
        if not payload_bytes or self.numbers.exhausted:
            return []
        number = self.numbers.take()
        size_bytes = payload_bytes + self._config.datagram_overhead_bytes
        self.size.on_probe_sent(number, payload_bytes)
        packet = SentPacket(number, now, size_bytes, [], is_mtu_probe=True)
        self.packets_sent += 1
        self._last_sent_at = now
        self._pacer.on_sent(size_bytes)
        self._keep([packet])
        if self._trace.tracer.detail:
            self._trace.add(Kind.MTU_PROBE, number=number, size=payload_bytes)
        return [Packet(number, frames.encode_mtu_probe(payload_bytes))]

    def _keep(self, sent: Sequence[SentPacket]) -> None:
        """Answers to these packets, which leave now, are awaited."""
        if not sent:
            return
        self.loss.on_sent(sent)
        self._last_sent_at = sent[-1].sent_at
        if self.first_unanswered is None:
            self.first_unanswered = sent[0].sent_at

    def _remember_small_probe(self, number: int) -> None:
        self._small_probes.append(number)
        if len(self._small_probes) > MAX_SMALL_PROBES:
            forgotten = self.loss.forget(self._small_probes.pop(0))
            if forgotten is not None:
                self._sources.forgotten(forgotten)

    def _trace_sent(self, number: int, size: int, *, asks: bool, probe: bool) -> None:
        self._trace.add(Kind.PACKET_SENT, number=number, size=size, ack_eliciting=asks, probe=probe)

    def _trace_state(self) -> None:
        was_hole, was_bytes, was_state = self._traced
        black_hole, payload_bytes = self.size.black_hole, self.size.payload_bytes
        state = self.congestion.state
        self._traced = black_hole, payload_bytes, state
        if (black_hole, payload_bytes) != (was_hole, was_bytes):
            mtu = payload_bytes + self._config.datagram_overhead_bytes
            self._trace.add(Kind.BLACK_HOLE, black_hole=black_hole, mtu=mtu)
        if state != was_state and self._trace.tracer.detail:
            window = self.congestion.window_bytes
            self._trace.add(Kind.CONGESTION_STATE, old=was_state, new=state, window=window)

    @property
    def _keepalive_at(self) -> float:
        """Those of many links leave together; nothing else here is put off to a tick."""
        return next_tick(self._last_sent_at + self._keepalive_s, self._keepalive_tick_s)

    @property
    def _control_open(self) -> bool:
        return self.loss.control_packets < MAX_CONTROL_IN_FLIGHT

    def _control_due(self, now: float) -> bool:
        sources = self._sources
        if sources.acks.due_at <= now or sources.paths.due:
            return True
        return sources.has_control and self._control_open

    def _may_send(self, now: float, credit_packets: int) -> bool:
        return self._window_open(credit_packets) and (
            self._pacer.ready_at(now, credit_packets) <= now
        )

    def _left_bytes(self, now: float, credit_packets: int) -> float:
        """What may leave, by window and pace, and one more full packet; none where negative."""
        paced_bytes = self._pacer.left_bytes(now, credit_packets)
        return min(self._window_left(credit_packets), paced_bytes)

    def _window_open(self, credit_packets: int) -> bool:
        return self._window_left(credit_packets) >= 0

    def _window_left(self, credit_packets: int) -> int:
        """Bytes that the window takes besides one full packet."""
        if credit_packets:
            needed_bytes = (1 - credit_packets) * self._full_bytes
        else:
            needed_bytes = self.size.payload_bytes + self._config.datagram_overhead_bytes
        least_bytes = 2 * needed_bytes  # however small the window is, an ACK clocks two packets
        window_bytes = max(self.congestion.window_bytes, least_bytes)
        return window_bytes - self.loss.in_flight_bytes - needed_bytes

    def _resend_oldest(self) -> None:
        for packet in self.loss.oldest():
            if self._sources.resend(packet):
                return
