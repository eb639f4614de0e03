"""Early copies of small messages: a thin stream does not wait for loss detection.

Owns what is remembered of each small message in flight: when it was sent last, how often, in which
packet. On a line that loses, a message is sent as many times, a few milliseconds between, as makes
the loss of all of them rare; where losses come in bursts it also rides along in packets that leave
anyway; and when a round trip passes without an answer it starts over, after doubling pauses where
losses do not come in bursts. On a clean line nothing is copied, on one that is not known yet two
copies are.
"""

from collections.abc import Iterable
from math import ceil, log

from msgspec import Struct

from chatnet_engine.arq.line import LineEstimate

SMALL_MESSAGE_BYTES = 300
"""Larger messages wait for loss detection: copies of them cost more than they save."""
MAX_TRACKED = 64
"""A stream with more messages in flight than this is not thin."""
MAX_SENDS = 5
"""Packets made for the sake of one message in one round."""
MAX_BURST_SENDS = 8
"""The same on a line whose losses come in bursts."""
UNKNOWN_SENDS = 3
"""The same on a line of which little is known yet."""
MAX_RIDES = 8
"""Packets that one message is in, in one round, however many leave anyway."""
MAX_ROUNDS = 3
"""After this many the probe timer alone goes on: this is no loss but an outage."""
LOSS_OF_ALL = 0.004
"""Wanted chance of losing every early copy: far enough below one in a hundred that a run of bad
luck stays below it too."""
COPY_GAP_S = 0.0045
"""Between copies on a line that loses at random: what queues for a moment is past by then."""
MAX_GAP_S = 0.007
"""Between copies on a line with bursts: an ACK that is missing is noticed about a round trip after
the first, so spreading them further would gain nothing."""
BURSTS_COVERED = 3.0
"""Mean lengths of a burst that the copies are spread over: one in e^3 = 20 is longer."""
MIN_RTT_S = 0.01
"""On a shorter path a resend after a round trip is as fast as a copy."""


class CopyPlan(Struct, frozen=True):
    """How small messages are copied on a line."""

    sends: int
    """Packets that a message is put in at once."""
    gap_s: float
    """Time between two of them."""
    rides: bool = False
    """Whether messages ride along in packets that leave anyway, beyond the copies they are owed."""


UNKNOWN = CopyPlan(UNKNOWN_SENDS, COPY_GAP_S)
CLEAN = CopyPlan(1, COPY_GAP_S)


def sends_wanted(loss_rate: float) -> int:
    """How many packets a small message is put in at once on a line that loses this much at
    random."""
    sends = 1
    left = loss_rate
    while left > LOSS_OF_ALL and sends < MAX_SENDS:
        left *= loss_rate
        sends += 1
    return sends


def plan_for(line: LineEstimate) -> CopyPlan:
    """The copies that this line asks for."""
    if line.clean:
        return CLEAN
    if line.bursty:
        return _plan_for_bursts(line)
    sends = sends_wanted(line.likely_rate)
    return CopyPlan(sends if line.known else max(sends, UNKNOWN_SENDS), COPY_GAP_S)


def _plan_for_bursts(line: LineEstimate) -> CopyPlan:
    """The first copy is lost as any packet is, each further one with the line's persistence."""
    wanted = log(min(LOSS_OF_ALL / max(line.loss_rate, LOSS_OF_ALL), 1.0))
    sends = 1 + ceil(wanted / log(min(line.persistence, 0.99)))
    sends = min(max(sends, 2), MAX_BURST_SENDS)
    gap_s = BURSTS_COVERED * line.burst_s / (sends - 1)
    return CopyPlan(sends, min(max(gap_s, COPY_GAP_S), MAX_GAP_S), rides=True)


class _Flight(Struct):
    round_at: float
    last_at: float
    packet: int
    sends: int = 1
    rounds: int = 0


class EarlyCopies:
    """Says which messages of one channel deserve another copy, and when."""

    def __init__(self) -> None:
        self._flights: dict[int, _Flight] = {}
        self._plan = UNKNOWN
        self._sends = UNKNOWN.sends
        self._patience_s = 1.0

    def on_line(self, plan: CopyPlan, rtt_s: float, patience_s: float) -> None:
        """What is known of the line; an answer later than `patience_s` is late."""
        self._plan = plan
        self._sends = plan.sends if rtt_s >= MIN_RTT_S else 1
        self._patience_s = patience_s

    def on_sent(self, numbers: Iterable[int], packet: int, now: float) -> None:
        """Messages, all small, left for the first time, or again after their loss."""
        for number in numbers:
            before = self._flights.get(number)
            if before is not None:
                self._again(before, packet, now)
            elif len(self._flights) < MAX_TRACKED:
                self._flights[number] = _Flight(now, now, packet)

    def forget(self, numbers: Iterable[int]) -> None:
        """They have arrived."""
        if self._flights:
            for number in numbers:
                self._flights.pop(number, None)

    def on_the_way(self, number: int, packet: int) -> bool:
        """Whether a copy left in a later packet than this."""
        flight = self._flights.get(number)
        return flight is not None and flight.packet > packet

    def due_at(self) -> float | None:
        """When a packet should be made for the sake of copies."""
        if self._sends == 1 or not self._flights:
            return None
        times = []
        for flight in self._flights.values():
            if flight.sends < self._sends:
                times.append(flight.last_at + self._plan.gap_s)
            elif flight.rounds < MAX_ROUNDS:
                times.append(self._late_at(flight))
        return min(times, default=None)

    def riders(self, packet: int, now: float, *, every: bool, spare: bool) -> list[int]:
        """Messages that may ride in this packet, those sent least often first, then the oldest;
        on random loss a copy that is owed need not wait for its time.

        With `every`, all of them. `spare` says that nothing else wants the space: without it, and
        where losses do not come in bursts, only those ride that are owed a copy.
        """
        if self._sends == 1 and not every:
            return []
        most = MAX_RIDES if spare and self._plan.rides else self._sends
        gap_s = self._plan.gap_s if self._plan.rides else self._plan.gap_s / 2
        chosen = []
        for number, flight in self._flights.items():
            if flight.packet == packet:
                continue
            if flight.rounds < MAX_ROUNDS and now >= self._late_at(flight):
                flight.sends = 0
                flight.rounds += 1
                flight.round_at = now
            rested = flight.sends < most and flight.last_at + gap_s <= now
            if every or rested:
                chosen.append((flight.sends, number))
        chosen.sort()
        return [number for _, number in chosen]

    def on_ride(self, number: int, packet: int, now: float) -> None:
        """A copy left in this packet."""
        flight = self._flights[number]
        flight.sends += 1
        flight.last_at = now
        flight.packet = packet

    def _again(self, flight: _Flight, packet: int, now: float) -> None:
        """A loss or a probe begins a round; when there were enough of them, without copies."""
        flight.rounds = min(flight.rounds + 1, MAX_ROUNDS)
        flight.round_at = flight.last_at = now
        flight.packet = packet
        flight.sends = 1 if flight.rounds < MAX_ROUNDS else MAX_BURST_SENDS

    def _late_at(self, flight: _Flight) -> float:
        # A burst that outlasts a round's copies will soon be over.
        backed_off = 1 if self._plan.rides else 1 << flight.rounds
        return flight.round_at + self._patience_s * backed_off
