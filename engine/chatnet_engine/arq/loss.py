"""Loss recovery: RFC 9002 sections 5 and 6, adapting to reordering in the manner of RFC 8985.

Owns the ack-eliciting packets in flight, the ones declared lost lately, and the probe timer. It
does not know what is in a packet: it tells each content's source its fate. An ACK costs what it
takes out and two bisections a range.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from msgspec import Struct

from chatnet_engine.arq.acks import RECEIPT_ACK_DELAY_S
from chatnet_engine.arq.config import ArqConfig
from chatnet_engine.arq.congestion import Congestion
from chatnet_engine.arq.line import LineEstimate
from chatnet_engine.arq.packets import PacketLog, SentPacket
from chatnet_engine.arq.path_mtu import PathMtu
from chatnet_engine.arq.redundancy import sends_wanted
from chatnet_engine.arq.rtt import RttEstimator
from chatnet_engine.trace import Kind, LinkTracer

MAX_LOST_KEPT = 4096
"""Lost packets remembered, to tell a late ACK from an ACK of a packet that was never sent."""
CALM_ROUNDS = 16
"""Loss events without a spurious one before reordering tolerance shrinks, RFC 8985 section 7.1."""
PERSISTENT_PTOS = 3
"""RFC 9002 section 7.6.1."""


class LossCounters(Struct):
    """Running totals since the link began."""

    packets_lost: int = 0
    packets_spurious: int = 0


class LossRecovery:
    """Decides which packets arrived, which are lost, and when to probe."""

    def __init__(
        self,
        config: ArqConfig,
        rtt: RttEstimator,
        congestion: Congestion,
        size: PathMtu,
        trace: LinkTracer | None = None,
    ) -> None:
        self._config = config
        self.line = LineEstimate()
        self._verdicts: list[tuple[int, float, bool]] = []
        """Fates of packets (number, when it left, whether it is lost) that left after one whose
        fate is not known."""
        self._trace = trace or LinkTracer()
        self._rtt = rtt
        self._congestion = congestion
        self._size = size
        self._sent = PacketLog()
        self._lost_packets = PacketLog()
        self._largest_acked = -1
        self._first_acked_sent_at: float | None = None
        """What left before this may have met nobody, which says nothing about the line."""
        self._last_acked_sent_at = float("-inf")
        self._loss_at: float | None = None
        self._last_eliciting_at = 0.0
        self._last_prompt_at = 0.0
        self._prompt = 0
        """Packets in flight that wait for an ACK that does not wait."""
        self._packet_threshold = config.packet_threshold
        self._time_threshold = config.time_threshold
        self._recovery_epoch: set[int] = set()
        self._episode_at = float("-inf")
        self._reo_wnd_persist = 0
        self.in_flight_bytes = 0
        self.control_packets = 0
        """Packets in flight that left outside the window."""
        self.pto_count = 0
        self.counters = LossCounters()

    @property
    def waiting(self) -> bool:
        """Whether an answer to some packet is outstanding."""
        return bool(self._sent.numbers)

    def on_sent(self, packets: Sequence[SentPacket]) -> None:
        """Ack-eliciting packets leave, all at the same moment."""
        now = packets[0].sent_at
        snapshot = self._congestion.on_sent(self.in_flight_bytes, now)
        for packet in packets:
            packet.snapshot = snapshot
            self.in_flight_bytes += packet.size_bytes
            if packet.is_control:
                self.control_packets += 1
            if not packet.is_patient:
                self._prompt += 1
                self._last_prompt_at = now
        self._sent.add(packets)
        self._last_eliciting_at = now

    def on_ack(
        self, ranges: Sequence[tuple[int, int]], delay_s: float, now: float, used: bool
    ) -> None:
        """The peer has processed `ranges` (highest first; already known to have been sent)."""
        largest = ranges[0][1]
        acked = [packet for low, high in reversed(ranges) for packet in self._sent.take(low, high)]
        if self._lost_packets.numbers:
            self._find_spurious(ranges, now)
        if acked:
            if self._first_acked_sent_at is None:
                self._first_acked_sent_at = acked[0].sent_at
            sample_s = None
            if acked[-1].number == largest:
                self._rtt.add(now - acked[-1].sent_at, delay_s)
                sample_s = self._rtt.latest_s
            self._left(acked)
            self._congestion.on_ack(acked, sample_s, self.in_flight_bytes, now, used)
            largest_bytes = max(packet.size_bytes for packet in acked)
            self._size.on_acked(largest_bytes - self._config.datagram_overhead_bytes)
            self._verdicts += [(packet.number, packet.sent_at, False) for packet in acked]
            for packet in acked:
                if packet.record is not None:
                    packet.record.acked_at = now
                for source, token in packet.contents:
                    source.on_acked(token)
            self.pto_count = 0
        self._largest_acked = max(self._largest_acked, largest)
        self._detect(now, acked)
        if acked:
            self._last_acked_sent_at = max(self._last_acked_sent_at, acked[-1].sent_at)

    def forget(self, number: int) -> SentPacket | None:
        """Whatever becomes of this packet is of no interest any more; it, if it was in flight."""
        taken = self._sent.take(number, number)
        if not taken:
            return None
        self._left(taken)
        return taken[0]

    def on_timeout(self, now: float) -> bool:
        """The loss timer fired: declare lost what is due. True when a probe has to be sent
        instead."""
        if self._loss_at is not None:
            if now >= self._loss_at:
                self._detect(now, [])
            return False
        probe_at = self._probe_at()
        if probe_at is None or now < probe_at:
            return False
        self.pto_count += 1
        self._last_eliciting_at = self._last_prompt_at = now
        return True

    def next_timeout(self) -> float | None:
        """When `on_timeout` has something to do."""
        return self._loss_at if self._loss_at is not None else self._probe_at()

    def oldest(self) -> Iterable[SentPacket]:
        """Packets in flight, oldest first."""
        return self._sent

    def _probe_at(self) -> float | None:
        if not self._sent.numbers:
            return None
        backed_off_s = self._rtt.probe_timeout_s() * 2.0 ** self._backoff()
        if self._prompt:
            return self._last_prompt_at + min(backed_off_s, self._config.max_pto_s)
        backed_off_s += RECEIPT_ACK_DELAY_S
        return self._last_eliciting_at + min(backed_off_s, self._config.max_pto_s)

    def _backoff(self) -> int:
        if not self.pto_count:
            return 0
        expected = sends_wanted(self.line.loss_rate) - 1
        return min(max(self.pto_count - expected, 0), 16)

    def _left(self, packets: Sequence[SentPacket]) -> None:
        """Not in flight any more."""
        for packet in packets:
            self.in_flight_bytes -= packet.size_bytes
            if packet.is_control:
                self.control_packets -= 1
            if not packet.is_patient:
                self._prompt -= 1

    def _find_spurious(self, ranges: Sequence[tuple[int, int]], now: float) -> None:
        given_up = self._lost_packets
        for low, high in reversed(ranges):
            for packet in given_up.take(low, high):
                if now < packet.forget_at:
                    self._on_spurious(packet)
                    if packet.record is not None:
                        packet.record.acked_at = now
        expired = 0
        for packet in given_up:
            if now < packet.forget_at:
                break
            expired += 1
        given_up.take_oldest(expired)

    def _on_spurious(self, packet: SentPacket) -> None:
        self.counters.packets_spurious += 1
        self._congestion.on_late(packet.size_bytes)
        if self._trace.tracer.detail:
            self._trace.add(Kind.SPURIOUS_LOSS, number=packet.number)
        self.line.on_spurious()
        self._size.on_acked(packet.size_bytes - self._config.datagram_overhead_bytes)
        for source, token in packet.contents:
            source.on_acked(token)
        distance = self._largest_acked - packet.number + 1
        self._packet_threshold = min(
            max(self._packet_threshold, distance), self._config.max_packet_threshold
        )
        self._time_threshold = min(self._time_threshold + 0.25, self._config.max_time_threshold)
        self._reo_wnd_persist = 0
        self.pto_count = 0
        if packet.number in self._recovery_epoch:
            self._recovery_epoch.discard(packet.number)
            if not self._recovery_epoch:
                self._congestion.on_spurious()

    def _detect(self, now: float, just_acked: list[SentPacket]) -> None:
        self._loss_at = None
        largest = self._largest_acked
        patience_s = max(
            self._time_threshold * max(self._rtt.smoothed_s, self._rtt.latest_s),
            self._config.granularity_s,
        )
        lost = []
        for packet in self._sent:
            if packet.number >= largest:
                break
            late_at = packet.sent_at + patience_s
            if now < late_at and largest - packet.number < self._packet_threshold:
                self._loss_at = late_at
                break
            lost.append(packet)
        if lost:
            self._sent.take_oldest(len(lost))
            self._give_up(lost, now)
            self._check_persistent(lost, just_acked)
        self._judge()

    def _judge(self) -> None:
        """Report to the estimate of the line, in the order in which the packets left."""
        verdicts = self._verdicts
        if not verdicts:
            return
        verdicts.sort()
        oldest = next(iter(self._sent), None)
        known = bisect_left(verdicts, (oldest.number,)) if oldest else len(verdicts)
        self.line.judge_all([(sent_at, lost) for _, sent_at, lost in verdicts[:known]])
        del verdicts[:known]

    def _give_up(self, lost: list[SentPacket], now: float) -> None:
        forget_at = now + 3 * self._rtt.probe_timeout_s()
        newest = lost[-1]
        if newest.sent_at > self._episode_at:
            self._episode_at = now
            self._recovery_epoch.clear()
            self._reo_wnd_persist += 1
            if self._reo_wnd_persist >= CALM_ROUNDS:
                self._calm_down()
        self._left(lost)
        self._lost_packets.add(lost)
        for packet in lost:
            if self._trace.tracer.detail:
                age_ms = (now - packet.sent_at) * 1000
                self._trace.add(Kind.PACKET_LOST, number=packet.number, age_ms=age_ms)
            packet.forget_at = forget_at
            if packet.record is not None:
                packet.record.lost_at = now
            self._recovery_epoch.add(packet.number)
            first = self._first_acked_sent_at
            if not packet.is_mtu_probe and (first is None or packet.sent_at >= first):
                self._verdicts.append((packet.number, packet.sent_at, True))
            payload_bytes = packet.size_bytes - self._config.datagram_overhead_bytes
            self._size.on_lost(payload_bytes, packet.number)
            for source, token in packet.contents:
                source.on_lost(token, packet.number)
        self._lost_packets.take_oldest(max(0, len(self._lost_packets) - MAX_LOST_KEPT))
        counted = [packet for packet in lost if not packet.is_mtu_probe]
        if counted:
            self.counters.packets_lost += len(counted)
            lost_bytes = sum(packet.size_bytes for packet in counted)
            self._congestion.on_lost(lost_bytes, counted[-1].sent_at, now)

    def _calm_down(self) -> None:
        least = self._config.packet_threshold
        self._packet_threshold = max(least, self._packet_threshold // 2)
        self._time_threshold = max(self._config.time_threshold, self._time_threshold - 0.25)
        self._reo_wnd_persist = 0

    def _check_persistent(self, lost: list[SentPacket], just_acked: list[SentPacket]) -> None:
        barrier = just_acked[0].number if just_acked else self._largest_acked
        span = [
            packet.sent_at
            for packet in lost
            if packet.sent_at > self._last_acked_sent_at and packet.number < barrier
        ]
        if self._rtt.samples < 2 or len(span) < 2:
            return
        if span[-1] - span[0] > PERSISTENT_PTOS * self._rtt.probe_timeout_s():
            self._congestion.on_persistent()
