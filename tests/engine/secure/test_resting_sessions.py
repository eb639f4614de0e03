"""Sessions without content: they rest, and what ends the rest, a datagram at a time."""

import pytest

from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.events import Authenticated, LinkUp, PacketArrived, SessionExpired
from chatnet_protocol.wire import datagrams, frames
from simworld.secure_world import A, B, World

CONFIG = SecureConfig()
START = 1000.0
TEXT = frames.encode_messages(0, 1, [b"text"])
PING = frames.encode_ping()
RESTING_AT = START + CONFIG.rest_from_s + CONFIG.rest_s / 3
REST_ENDS = START + CONFIG.rest_from_s + CONFIG.rest_s
REKEY_S = CONFIG.rekey_after_s - CONFIG.rest_from_s
"""From the content that ends a rest, the initiator at the latest."""
END_S = CONFIG.reject_after_s - CONFIG.rest_from_s


class Rest:
    """a has dialled b; the line is perfect while `cut` is false."""

    def __init__(self) -> None:
        world = World(1)
        self.ends = world.add("a", A).endpoint, world.add("b", B).endpoint
        self.a, self.b = self.ends
        self.cut = False
        self.number = 0
        self.expired: list[Endpoint] = []
        self.links_up = 0
        self.a.dial(1, [B], START, remote_key=None)
        self.exchange(START)
        assert self.agreed

    @property
    def agreed(self) -> bool:
        one, other = (self.session(end) for end in self.ends)
        return one is not None and one == other

    def session(self, end: Endpoint) -> bytes | None:
        """What names the current session."""
        status = end.peer_status(1)
        return None if status is None else status.slots[1]

    def holds(self, end: Endpoint, session: bytes | None) -> bool:
        status = end.peer_status(1)
        return status is not None and session in status.slots

    def seal(self, end: Endpoint, payload: bytes, now: float) -> bytes | None:
        self.number += 1
        sealed = end.seal_many(1, [(self.number, payload)], now)
        return sealed and sealed[0][0]

    def opens(self, end: Endpoint, data: bytes | None, now: float) -> bool:
        assert data is not None
        end.handle_datagram(data, A if end is self.b else B, now)
        return [type(event) for event in end.take_events()] == [PacketArrived]

    def exchange(self, now: float) -> list[int]:
        """Handshakes and timers until there is nothing to do; the types of what was sent."""
        kinds = []
        for end in self.ends:
            end.handle_timeout(now)
        for _ in range(10):
            for end, other, source in ((self.a, self.b, A), (self.b, self.a, B)):
                for event in end.take_events():
                    if isinstance(event, Authenticated):
                        end.accept(event.attempt, 1, now)
                    self.links_up += isinstance(event, LinkUp) and not event.rekey
                    if isinstance(event, SessionExpired):
                        self.expired.append(end)
                for data, _ in end.take_datagrams():
                    kinds.append(data[0])
                    if not self.cut:
                        other.handle_datagram(data, source, now)
        return kinds

    def run(self, start: float, end: float) -> None:
        """Every second of that time."""
        now = start
        while now <= end:
            self.exchange(now)
            now += 1.0


def test_upkeep_in_both_directions_does_not_end_a_rest() -> None:
    rest = Rest()
    before = rest.session(rest.a)
    for now in range(int(START), int(REST_ENDS), 10):
        assert rest.exchange(now) == []
        assert rest.opens(rest.b, rest.seal(rest.a, PING, now), now)
        assert rest.opens(rest.a, rest.seal(rest.b, frames.encode_ack(0, [(0, 1)]), now), now)
    assert rest.agreed
    rest.run(REST_ENDS, REST_ENDS + REKEY_S)
    assert rest.agreed
    assert rest.session(rest.a) != before
    rest.run(REST_ENDS, REST_ENDS + END_S)
    assert not any(rest.holds(end, before) for end in rest.ends)


@pytest.mark.parametrize("writer", ["a", "b"])
@pytest.mark.parametrize(
    "at", [RESTING_AT, REST_ENDS - 0.001, REST_ENDS, REST_ENDS + CONFIG.rekey_spread_s - 1]
)
def test_content_that_ends_a_rest_leaves_at_once_and_new_keys_follow(
    writer: str, at: float
) -> None:
    rest = Rest()
    writes, reads = rest.ends if writer == "a" else rest.ends[::-1]
    before = rest.session(rest.a)
    rest.exchange(at - 1)
    assert rest.session(rest.a) == before
    assert rest.opens(reads, rest.seal(writes, TEXT, at), at), "no handshake first"
    assert rest.session(rest.a) == before
    rest.run(at, at + REKEY_S)
    assert rest.agreed
    assert rest.session(rest.a) != before
    assert rest.opens(writes, rest.seal(reads, TEXT, at + REKEY_S), at + REKEY_S)
    rest.run(at + REKEY_S, at + END_S)
    assert not any(rest.holds(end, before) for end in rest.ends)
    assert rest.expired == []


def test_both_ending_the_rest_at_one_instant_make_one_handshake() -> None:
    rest = Rest()
    before = rest.a.counters.handshakes_initiated, rest.b.counters.handshakes_initiated
    of_a, of_b = rest.seal(rest.a, TEXT, RESTING_AT), rest.seal(rest.b, TEXT, RESTING_AT)
    assert rest.opens(rest.b, of_a, RESTING_AT)
    assert rest.opens(rest.a, of_b, RESTING_AT)
    rest.run(RESTING_AT, RESTING_AT + END_S)
    assert rest.agreed
    after = rest.a.counters.handshakes_initiated, rest.b.counters.handshakes_initiated
    assert after == (before[0] + 1, before[1])


@pytest.mark.parametrize("writer", ["a", "b"])
def test_content_that_is_lost_still_brings_new_keys_to_both(writer: str) -> None:
    """The other side does not know of it, and rests on."""
    rest = Rest()
    before = rest.session(rest.a)
    writes, other = rest.ends if writer == "a" else rest.ends[::-1]
    assert rest.seal(writes, TEXT, RESTING_AT)
    rest.run(RESTING_AT, RESTING_AT + END_S)
    assert rest.agreed
    assert not rest.holds(writes, before)
    rest.run(RESTING_AT + END_S, RESTING_AT + 2 * END_S)
    assert not rest.holds(other, before)
    assert rest.expired == []


@pytest.mark.parametrize("writer", ["a", "b"])
def test_keys_go_in_time_when_the_new_ones_cannot_be_agreed_and_the_link_heals(writer: str) -> None:
    rest = Rest()
    writes, reads = rest.ends if writer == "a" else rest.ends[::-1]
    before = rest.session(rest.a)
    assert rest.opens(reads, rest.seal(writes, TEXT, RESTING_AT), RESTING_AT)
    rest.cut = True
    last = RESTING_AT + END_S - 1
    rest.run(RESTING_AT, last)
    assert rest.opens(reads, rest.seal(writes, TEXT, last), last), "the old keys serve meanwhile"
    rest.run(last, RESTING_AT + END_S)
    assert len(rest.expired) == 2
    assert not any(rest.holds(end, before) for end in rest.ends)
    rest.cut = False
    rest.run(RESTING_AT + END_S, RESTING_AT + END_S + 61)  # the longest pause between INITs
    assert rest.agreed
    assert rest.links_up == 2, "under new keys the same link goes on"


def test_nothing_is_sealed_or_opened_after_the_end_though_no_timer_has_run() -> None:
    """A machine that was suspended: its first act may be to send what its user has typed."""
    rest = Rest()
    end = REST_ENDS + END_S
    early = rest.seal(rest.b, TEXT, START)
    assert rest.seal(rest.a, PING, end - 0.001)
    assert rest.seal(rest.a, TEXT, end) is None
    assert rest.seal(rest.a, TEXT, end + 3600) is None
    assert not rest.opens(rest.a, early, end)
    rest.a.handle_timeout(end + 3600)
    assert [type(event) for event in rest.a.take_events()] == [SessionExpired]
    assert [data[0] for data, _ in rest.a.take_datagrams()] == [datagrams.INIT]


def test_a_side_that_slept_through_the_end_of_the_keys_of_the_other_gets_new_ones() -> None:
    rest = Rest()
    before = rest.session(rest.a)
    assert rest.seal(rest.b, TEXT, RESTING_AT)  # while a sleeps
    woken = RESTING_AT + END_S + 10
    rest.b.handle_timeout(RESTING_AT + END_S)
    rest.b.take_datagrams()
    assert not rest.holds(rest.b, before)
    lost = rest.seal(rest.a, TEXT, woken)
    assert lost is not None
    assert not rest.opens(rest.b, lost, woken), "b has erased what a still rests on"
    rest.run(woken, woken + REKEY_S)
    assert rest.agreed
    assert rest.opens(rest.b, rest.seal(rest.a, TEXT, woken + REKEY_S), woken + REKEY_S)
    assert rest.links_up == 2


def test_the_clock_standing_still_or_jumping_ahead_only_shortens_a_rest() -> None:
    rest = Rest()
    assert rest.opens(rest.b, rest.seal(rest.a, TEXT, START), START)  # at the same reading
    rest.run(START, START + CONFIG.rekey_responder_after_s)
    assert rest.agreed
    jumped = START + 10 * (CONFIG.rest_s + CONFIG.reject_after_s)
    rest.run(jumped, jumped + 5)
    assert len(rest.expired) == 2
    assert rest.agreed
