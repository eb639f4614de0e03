"""Receipts, both ways.

`ReceiptQueue` repeats ours until the peer has them, one frame for each run of consecutive ACK
numbers. `ReceiptLog` makes sure that each message of ours is reported receipted once.
"""

from heapq import heappop, heappush

from msgspec import Struct

from chatnet_engine.arq.packets import DeliveryToken, SentFrame
from chatnet_engine.arq.ranges import RangeSet
from chatnet_protocol.errors import LocalProtocolError, RemoteProtocolError
from chatnet_protocol.wire.frames import Receipt, encode_receipt

MAX_PENDING_RUNS = 1024
"""Runs not acknowledged yet. At this many, messages are dropped unacknowledged until the peer
acknowledges receipts: it can hear us, or it would not be sending."""
MAX_OPEN_RUNS = 1024
"""Holes between runs that have arrived. A peer must not leave more: runs are repeated until
acknowledged."""


class _Run(Struct):
    number: int
    ack: int
    count: int
    due: bool = True
    sent_number: int = 0
    """`number` when the frame was last sent."""


class ReceiptQueue:
    """Channel 0 receipts on their way to the peer. Tokens are (run id, number)."""

    def __init__(self) -> None:
        self._runs: dict[int, _Run] = {}
        self.due: set[int] = set()
        """Runs of which a frame has to go out."""
        self._oldest: list[int] = []
        """A heap of what is due, and of what was."""
        self._last_id = 0

    @property
    def full(self) -> bool:
        """Whether the peer owes us acknowledgements for too many runs."""
        return len(self._runs) >= MAX_PENDING_RUNS

    def add(self, number: int, ack: int, count: int) -> None:
        """Report a run; it grows the newest one when both have the same slope."""
        if count < 0 or count > number or count > ack:
            raise LocalProtocolError("a receipt for more messages than there are")
        last = self._runs.get(self._last_id)
        if last is not None:
            gap = number - last.number
            if gap <= 0:
                raise LocalProtocolError("receipts have to ascend")
            if count == gap and last.count and ack - last.ack == gap:
                last.number, last.ack, last.count = number, ack, last.count + count
                self._make_due(self._last_id)
                return
            if last.count == 0:
                self._remove(self._last_id)
        self._last_id += 1
        self._runs[self._last_id] = _Run(number, ack, count)
        self._make_due(self._last_id)

    def pull(self, space: int) -> SentFrame | None:
        """The oldest frame that is due, if it fits."""
        if not self.due:
            return None
        while self._oldest[0] not in self.due:
            heappop(self._oldest)
        key = self._oldest[0]
        run = self._runs[key]
        frame = encode_receipt(run.number, run.ack, run.count)
        if len(frame) > space:
            return None
        self.due.discard(key)
        run.sent_number = run.number
        return frame, (key, run.number)

    def on_acked(self, token: DeliveryToken) -> None:
        """The peer has this run up to this number."""
        key, number = token
        run = self._runs.get(key)
        if run is None:
            return
        if number >= run.number:
            self._remove(key)
        else:
            run.count = min(run.count, run.number - number)

    def on_lost(self, token: DeliveryToken, packet: int) -> None:
        """Send again, unless a longer frame of the same run is in flight."""
        key, number = token
        run = self._runs.get(key)
        if run is not None and run.sent_number <= number:
            self._make_due(key)

    def on_probe(self, token: DeliveryToken) -> None:
        """Repeat."""
        if token[0] in self._runs:
            self._make_due(token[0])

    def _make_due(self, key: int) -> None:
        if key not in self.due:
            self.due.add(key)
            heappush(self._oldest, key)

    def _remove(self, key: int) -> None:
        del self._runs[key]
        self.due.discard(key)


class ReceiptLog:
    """Which of our channel 0 messages have been reported receipted, and with ACK numbers."""

    def __init__(self, first_number: int) -> None:
        self.upto = first_number - 1
        self._first = first_number
        self._seen = RangeSet()

    def add(self, receipt: Receipt) -> list[Receipt]:
        """The part of a valid receipt that is news. Raises RemoteProtocolError at MAX_OPEN_RUNS."""
        number, ack, count = receipt.number, receipt.ack, receipt.count
        low = max(number - count + 1, self._first)
        news = [
            Receipt(last, ack - (number - last), last - first + 1)
            for first, last in self._seen.missing(low, number)
        ]
        if news:
            self._seen.add(low, number)
            if len(self._seen) > MAX_OPEN_RUNS:
                raise RemoteProtocolError("too many holes between receipts")
        elif count == 0 and number > self.upto:
            news.append(Receipt(number, ack, 0))
        self.upto = max(self.upto, number)
        return news
