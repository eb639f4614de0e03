"""Early copies of small messages: a thin stream does not wait for loss detection.

Owns what is remembered of each small message on the way: when it was sent last, how often, in which
packet. On a line that loses, a message is sent as many times, a few milliseconds apart, as makes
the loss of all of them rare; it also rides along in packets that leave anyway; and when a round
trip passes without an answer it starts over. On a clean line nothing is copied.
"""

from collections.abc import Iterable

from msgspec import Struct

SMALL_MESSAGE_BYTES = 300
"""Larger messages wait for loss detection: copies of them cost more than they save."""
MAX_TRACKED = 64
"""A stream with more messages on the way than this is not thin."""
MAX_SENDS = 5
"""Packets made for the sake of one message in one round."""
MAX_RIDES = 8
"""Packets that one message is in, in one round, however many leave anyway."""
MAX_ROUNDS = 3
"""After this many the probe timer alone goes on: this is no loss but an outage."""
LOSS_OF_ALL = 0.009
"""Wanted chance of losing every early copy: just below one in a hundred."""
COPY_GAP_S = 0.005
"""Between copies, so that one short burst of losses does not take them all."""
MIN_RTT_S = 0.01
"""On a shorter path a resend after a round trip is as fast as a copy."""


def sends_wanted(loss_rate: float) -> int:
    """How many packets a small message is put in at once on a line that loses this much."""
    sends = 1
    left = loss_rate
    while left > LOSS_OF_ALL and sends < MAX_SENDS:
        left *= loss_rate
        sends += 1
    return sends


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
        self._sends = 1
        self._patience_s = 1.0

    def on_line(self, loss_rate: float, rtt_s: float, patience_s: float) -> None:
        """What is known of the line; an answer later than `patience_s` is late."""
        self._sends = sends_wanted(loss_rate) if rtt_s >= MIN_RTT_S else 1
        self._patience_s = patience_s

    def on_sent(self, numbers: Iterable[int], packet: int, now: float) -> None:
        """Messages, all small, left for the first time, or again after their loss."""
        for number in numbers:
            if len(self._flights) < MAX_TRACKED or number in self._flights:
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
                times.append(flight.last_at + COPY_GAP_S)
            elif flight.rounds < MAX_ROUNDS:
                times.append(self._late_at(flight))
        return min(times, default=None)

    def riders(self, packet: int, now: float, *, every: bool, spare: bool) -> list[int]:
        """Messages that may ride in this packet, those sent least often first, then the oldest.

        With `every`, all of them. `spare` says that nothing else wants the room: without it only
        those ride that are owed a copy.
        """
        if self._sends == 1 and not every:
            return []
        most = MAX_RIDES if spare else self._sends
        chosen = []
        for number, flight in self._flights.items():
            if flight.packet == packet:
                continue
            if flight.rounds < MAX_ROUNDS and now >= self._late_at(flight):
                flight.sends = 0
                flight.rounds += 1
                flight.round_at = now
            rested = flight.sends < most and flight.last_at + COPY_GAP_S <= now
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

    def _late_at(self, flight: _Flight) -> float:
        return flight.round_at + self._patience_s * (1 << flight.rounds)
