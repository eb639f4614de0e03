"""Which packets carried which messages of channel 0, and what became of them: for people who ask.

Costs one small record a packet with such messages and nothing a message; nothing here decides.
"""

from msgspec import Struct

from chatnet_engine.arq.packets import DeliveryToken, SentRecord
from chatnet_engine.arq.ranges import RangeSet

MAX_PACKETS_LOGGED = 512
"""Of each direction of a link, with messages of channel 0: twice as many are kept for a while, some
200 KB. The oldest are forgotten, that many at a time."""


class ArrivedRecord(Struct, frozen=True, gc=False):
    """Messages of the peer in one of its packets, the first time that this packet arrived."""

    number: int
    at: float
    first: int
    count: int


class DeliveryLog:
    """Of one link: the newest packets of both directions, in the order in which they passed."""

    def __init__(self) -> None:
        self.sent: list[SentRecord] = []
        self.arrived: list[ArrivedRecord] = []
        self.sent_forgotten = 0
        """Packets with messages up to this number have been forgotten."""
        self.arrived_forgotten = 0

    def __len__(self) -> int:
        return len(self.sent) + len(self.arrived)

    def on_sent(self, number: int, now: float, contents: list[DeliveryToken]) -> SentRecord:
        """A packet leaves; its fate is to be entered into what this returns."""
        record = SentRecord(number, now, contents)
        self.sent.append(record)
        if len(self.sent) >= 2 * MAX_PACKETS_LOGGED:
            forgotten = self.sent[:MAX_PACKETS_LOGGED]
            del self.sent[:MAX_PACKETS_LOGGED]
            tokens = [token for each in forgotten for token in each.contents]
            last = max([t[0] + t[1] - 1 if len(t) == 2 else t[0] for t in tokens])
            self.sent_forgotten = max(self.sent_forgotten, last)
        return record

    def on_arrived(self, number: int, now: float, first: int, count: int) -> None:
        """A packet brought `count` messages, or a part of one, from `first` on."""
        self.arrived.append(ArrivedRecord(number, now, first, count))
        if len(self.arrived) >= 2 * MAX_PACKETS_LOGGED:
            forgotten = self.arrived[:MAX_PACKETS_LOGGED]
            del self.arrived[:MAX_PACKETS_LOGGED]
            last = max([each.first + each.count - 1 for each in forgotten])
            self.arrived_forgotten = max(self.arrived_forgotten, last)

    def sendings(self, message: int) -> list[SentRecord]:
        """The packets that carried this message of ours, or a part of it."""
        return [
            record
            for record in self.sent
            if any(_whole(token, message) or _part_of(token, message) for token in record.contents)
        ]

    def arrivals(self, message: int) -> list[ArrivedRecord]:
        """The packets that brought this message of the peer, or a part of it."""
        return [each for each in self.arrived if each.first <= message < each.first + each.count]


def times_sent(message: int, records: list[SentRecord]) -> int:
    """How often that byte of a message left that left most often: parts of one are no repetition
    of each other."""
    whole = 0
    edges: list[tuple[int, int]] = []
    for record in records:
        for token in record.contents:
            whole += _whole(token, message)
            if _part_of(token, message):
                edges += [(token[1], 1), (token[2], -1)]
    most = depth = 0
    for _, step in sorted(edges):
        depth += step
        most = max(most, depth)
    return whole + most


def acked_at(message: int, records: list[SentRecord]) -> float | None:
    """When all of a message had been acknowledged; None while it is not."""
    arrived = RangeSet()
    size = max(
        (token[2] for each in records for token in each.contents if _part_of(token, message)),
        default=0,
    )
    acked = [(each.acked_at, each.contents) for each in records if each.acked_at is not None]
    for at, contents in sorted(acked, key=lambda each: each[0]):
        for token in contents:
            if _part_of(token, message):
                arrived.add(token[1], token[2] - 1)
                if not arrived.missing(0, size - 1):
                    return at
            elif _whole(token, message):
                return at
    return None


def _part_of(token: DeliveryToken, message: int) -> bool:
    return len(token) == 3 and token[0] == message


def _whole(token: DeliveryToken, message: int) -> bool:
    return len(token) == 2 and token[0] <= message < token[0] + token[1]
