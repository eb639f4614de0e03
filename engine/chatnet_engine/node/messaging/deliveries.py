"""What is remembered of how the newest messages of one conversation travelled, both ways.

It lives as long as the engine and is never stored. Owns the logs of the latest links, which wire
number is which message, and when receipts and marks arrived.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chatnet_engine.addresses import Addr
from chatnet_engine.arq.delivery_log import DeliveryLog, acked_at, times_sent
from chatnet_engine.arq.packets import SentRecord
from chatnet_engine.clock import Now
from chatnet_engine.node.link_session import LinkSession
from chatnet_engine.node.messaging.number_runs import OWN, NumberRuns, Watermark
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ipc.results import Delivery
from chatnet_protocol.ipc.rows import AckRange, PacketRow
from chatnet_protocol.limits import MAX_DELIVERY_PACKETS
from chatnet_protocol.wire.frames import Receipt

MAX_LINKS_LOGGED = 8
"""Of one peer, the newest."""
MAX_ENTRIES_LOGGED = 2048
"""Packets in the logs of one peer's links when a new one begins: 0.4 MB. The oldest link goes
first."""
MAX_RECEIPTS = 512
"""Receipts whose time is remembered, each of any number of messages."""


@dataclass(frozen=True, slots=True)
class _Link:
    """A link as far as it matters here; `number` is the first link's 1, the next one's 2 ..."""

    number: int
    log: DeliveryLog
    paths: Sequence[tuple[float, Addr]]
    incarnation: int

    def address_at(self, at: float) -> str:
        """Where the peer was then."""
        known = [addr for since, addr in self.paths if since <= at] or [self.paths[0][1]]
        return show_address(*known[-1])


class Deliveries:
    """The facts of one conversation that `FetchDelivery` asks for."""

    def __init__(self, state: c.PeerState, sent: NumberRuns) -> None:
        """`sent`: wire numbers (of the space OWN) and sequence numbers of own messages."""
        self._sent = sent
        self._arrived = NumberRuns()
        self._links: list[_Link] = []
        self._links_seen = 0
        self._receipts: list[tuple[float, list[AckRange]]] = []
        self._shown, self._read = Watermark(state.peer_shown), Watermark(state.peer_read)
        self._my_shown, self._my_read = Watermark(state.my_shown), Watermark(state.my_read)
        self._sent_forgotten = 0
        """Own wire numbers up to this were in packets of links that have been forgotten."""
        self._arrived_forgotten = (0, 0)
        """The peer's likewise: an incarnation, and the highest number of it."""

    # --- what happens ---

    def link_began(self, session: LinkSession, now: Now) -> None:
        """The messages travel on this one from now on."""
        session.moved(session.addr, now.mono_s)
        links = self._links
        while links and (
            len(links) >= MAX_LINKS_LOGGED
            or sum(len(link.log) for link in links) > MAX_ENTRIES_LOGGED
        ):
            self._forget(links.pop(0))
        self._links_seen += 1
        log = session.connection.log
        links.append(_Link(self._links_seen, log, session.paths, session.remote_incarnation))

    def receipts_arrived(self, ranges: list[AckRange], now: Now) -> None:
        """The peer has stored these own messages."""
        self._receipts.append((now.mono_s, ranges))
        del self._receipts[:-MAX_RECEIPTS]

    def accepted(self, incarnation: int, receipts: Sequence[Receipt]) -> None:
        """Messages of the peer are stored."""
        for run in receipts:
            if run.count:
                first, ack = run.number - run.count + 1, run.ack - run.count + 1
                self._arrived.add(incarnation, first, ack, run.count)

    def peer_marked(self, shown: int, read: int, now: Now) -> None:
        """The marks in the newest state of the peer."""
        self._shown.move(max(shown, read), now.mono_s)
        self._read.move(read, now.mono_s)

    def marked(self, shown: int, read: int, now: Now) -> None:
        """A front end here showed messages, or somebody read them."""
        self._my_shown.move(max(shown, read), now.mono_s)
        self._my_read.move(read, now.mono_s)

    def _forget(self, link: _Link) -> None:
        log = link.log
        sent = max((each.last for each in log.sent), default=0)
        self._sent_forgotten = max(self._sent_forgotten, log.sent_forgotten, sent)
        arrived = max((each.first + each.count - 1 for each in log.arrived), default=0)
        incarnation, before = self._arrived_forgotten
        if incarnation != link.incarnation:
            before = 0
        highest = max(before, log.arrived_forgotten, arrived)
        self._arrived_forgotten = (link.incarnation, highest)

    # --- what is asked ---

    def of_own(self, seq: int, ack: int, now: Now) -> Delivery:
        """How the own message with this sequence number travelled. `ack`: its ACK number, 0 where
        it has none."""
        _, number = self._sent.find(seq) or (OWN, 0)
        sent = [(link, each) for link in self._links for each in link.log.sendings(number)]
        records = [record for _, record in sent]
        rows = [_sent_row(link.number, record, now) for link, record in sent]
        forgotten = [self._sent_forgotten, *(link.log.sent_forgotten for link in self._links)]
        return Delivery(
            since_ms=self._since_ms(now),
            complete=number > max(forgotten),
            attempts=times_sent(number, records),
            packets=_some_of(rows),
            packet_count=len(rows),
            lost_count=sum(row.lost_ms > 0 for row in rows),
            acked_ms=_ms(acked_at(number, records), now),
            stored_ms=_ms(self._stored_at(seq), now),
            shown_ms=_ms(self._shown.reached(ack), now),
            read_ms=_ms(self._read.reached(ack), now),
            address=sent[-1][0].address_at(records[-1].sent_at) if sent else "",
        )

    def of_peers(self, ack: int, now: Now) -> Delivery:
        """How the peer's message with this ACK number arrived."""
        incarnation, number = self._arrived.find(ack) or (0, 0)
        links = [link for link in self._links if link.incarnation == incarnation]
        came = [(link, each) for link in links for each in link.log.arrivals(number)]
        rows = [PacketRow(each.number, _ms(each.at, now), link=link.number) for link, each in came]
        gone, upto = self._arrived_forgotten
        forgotten = [link.log.arrived_forgotten for link in links]
        forgotten.append(upto if gone == incarnation else 0)
        return Delivery(
            since_ms=self._since_ms(now),
            complete=number > max(forgotten),
            attempts=len(rows),
            packets=_some_of(rows),
            packet_count=len(rows),
            shown_ms=_ms(self._my_shown.reached(ack), now),
            read_ms=_ms(self._my_read.reached(ack), now),
            address=came[0][0].address_at(came[0][1].at) if came else "",
        )

    def _since_ms(self, now: Now) -> int:
        return _ms(self._links[0].paths[0][0], now) if self._links else 0

    def _stored_at(self, seq: int) -> float | None:
        for at, ranges in self._receipts:
            if any(each.seq - each.count < seq <= each.seq for each in ranges):
                return at
        return None


def _sent_row(link: int, record: SentRecord, now: Now) -> PacketRow:
    acked_ms, lost_ms = _ms(record.acked_at, now), _ms(record.lost_at, now)
    return PacketRow(record.number, _ms(record.sent_at, now), acked_ms, lost_ms, link)


def _some_of(rows: list[PacketRow]) -> list[PacketRow]:
    """The first and the last ones."""
    half = MAX_DELIVERY_PACKETS // 2
    return rows if len(rows) <= 2 * half else rows[:half] + rows[-half:]


def _ms(at: float | None, now: Now) -> int:
    """That moment by the wall clock as it is now; 0 for none."""
    return now.wall_ms - round((now.mono_s - at) * 1000) if at is not None else 0
