import pytest

from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.dial import Dial, FinRepeat, InitSchedule, first_repeat_s
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.events import VersionSeen
from chatnet_engine.secure.identity import Identity
from chatnet_protocol.wire import datagrams as d
from simworld.secure_world import A, B, World

CONFIG = SecureConfig()


def pauses(count: int, *, urgent: bool, renewing: bool = False, jitter: int = 0) -> list[float]:
    cadence = InitSchedule(CONFIG, 0.0)
    cadence.set_urgent(urgent)
    out = []
    for _ in range(count):
        now = cadence.next_at
        cadence.sent(now, jitter, urgent=renewing, first_s=CONFIG.first_repeat_s)
        out.append(cadence.next_at - now)
    return out


def test_inits_are_at_most_two_seconds_apart_while_something_waits() -> None:
    first = [0.125, 0.125, 0.25, 0.5, 1.0, 2.0]
    assert pauses(8, urgent=True) == [*first, 2.0, 2.0]
    assert pauses(8, urgent=False, renewing=True) == [*first, 2.0, 2.0]


def test_an_idle_dial_slows_down_to_a_minute_and_never_ends() -> None:
    out = pauses(40, urgent=False)
    assert out[:9] == [0.125, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 8.0]
    assert set(out[20:]) == {60.0}


@pytest.mark.parametrize(
    ("rtt_s", "first_s"), [(0.0, 0.125), (0.001, 0.1), (0.08, 0.12), (0.2, 0.3), (2.0, 0.5)]
)
def test_the_first_repetition_waits_for_a_round_trip_and_a_half(
    rtt_s: float, first_s: float
) -> None:
    assert first_repeat_s(CONFIG, rtt_s) == pytest.approx(first_s)
    cadence = InitSchedule(CONFIG, 5.0)
    cadence.sent(5.0, 0, urgent=True, first_s=first_s)
    assert cadence.next_at == 5.0 + first_s
    for now in (6.0, 7.0):
        cadence.sent(now, 0, urgent=True, first_s=first_s)
    assert cadence.next_at == 7.0 + 2 * first_s


@pytest.mark.parametrize(("age_s", "pause_s"), [(89.5, CONFIG.idle_s), (90.0, CONFIG.slow_s)])
def test_a_dial_is_idle_from_an_age_on_whatever_the_clock_says(
    age_s: float, pause_s: float
) -> None:
    cadence = InitSchedule(CONFIG, 1000.0)
    for _ in range(8):
        cadence.sent(1000.0, 0, urgent=False, first_s=0.125)
    cadence.sent(1000.0 + age_s, 0, urgent=False, first_s=0.125)
    assert cadence.next_at == 1000.0 + age_s + pause_s


def test_jitter_shortens_pauses_by_at_most_a_quarter() -> None:
    for plain, short in zip(
        pauses(9, urgent=False), pauses(9, urgent=False, jitter=255), strict=True
    ):
        assert 0.75 * plain < short < 0.76 * plain


def test_becoming_urgent_brings_the_next_init_forward() -> None:
    cadence = InitSchedule(CONFIG, 0.0)
    for _ in range(30):
        cadence.sent(cadence.next_at, 0, urgent=False, first_s=0.125)
    last = cadence.last_sent
    assert cadence.next_at == last + 60.0
    cadence.set_urgent(True)
    assert cadence.next_at == last + 2.0


def fin_times(first_s: float) -> tuple[list[float], float]:
    """When FIN is repeated, and when a new INIT starts."""
    fin = FinRepeat(CONFIG)
    fin.start(B, 0.0, first_s)
    times: list[float] = []
    while True:
        now = fin.next_at
        if not fin.advance(now):
            return times, now
        times.append(now)


def test_fin_is_repeated_after_doubling_pauses_for_a_quarter_of_a_minute() -> None:
    fin = FinRepeat(CONFIG)
    assert not fin.running
    assert not fin.in_front(0.0)
    assert fin_times(0.125) == ([0.125, 0.375, 0.875, 1.875, 3.875, 7.875, 11.875], 15.875)
    assert fin_times(0.5) == ([0.5, 1.5, 3.5, 7.5, 11.5], 15.5)
    for first_s in (CONFIG.least_first_repeat_s, CONFIG.most_first_repeat_s):
        assert fin_times(first_s)[1] < CONFIG.half_open_s, "it is remembered for longer there"
    fin.start(B, 0.0, 0.125)
    assert (fin.addr, fin.running) == (B, True)
    assert not fin.advance(15.0)
    assert (fin.addr, fin.running) == (B, False)


def test_fin_goes_in_front_of_data_but_not_of_each() -> None:
    fin = FinRepeat(CONFIG)
    fin.start(B, 0.0, 0.5)
    assert [fin.in_front(t) for t in (0.05, 0.1, 0.15, 0.21)] == [False, True, False, True]
    fin.stop()
    assert not fin.in_front(9.0)


def test_equal_wishes_are_equal() -> None:
    dial = Dial([A, B], None, None)
    assert dial.equals(Dial((A, B), None, None))
    for other in (
        Dial([A], None, None),
        Dial([A, B], bytes(32), None),
        Dial([A, B], None, bytes(32)),
    ):
        assert not dial.equals(other)


def test_dialling_is_idempotent_and_a_change_starts_at_once() -> None:
    world = World(1)
    a = world.add("a", A)
    for _ in range(5):
        a.endpoint.dial(1, [B], world.now, remote_key=None)
    assert len(a.endpoint.take_datagrams()) == 1
    a.endpoint.dial(1, [B, ("10.0.0.3", 3)], world.now, remote_key=None)
    assert [to for _, to in a.endpoint.take_datagrams()] == [B, ("10.0.0.3", 3)]


def test_a_dial_at_once_does_not_wait_for_the_rest_of_a_pause() -> None:
    world = World(1)
    a = world.add("a", A)
    a.dial(1, B)
    world.run(100)
    for at_once, sent in ((False, 0), (True, 1), (False, 0)):
        a.endpoint.dial(1, [B], world.now, remote_key=None, at_once=at_once)
        a.endpoint.handle_timeout(world.now)
        assert len(a.endpoint.take_datagrams()) == sent


def test_an_unanswered_dial_draws_a_new_ephemeral_every_quarter_minute() -> None:
    world = World(2)
    world.capture = True
    a = world.add("a", A)
    a.dial(1, B)
    world.run(100)
    ephemerals = {data[8:40] for data, _, _ in world.captured}
    assert 5 <= len(ephemerals) <= 8
    assert len(world.captured) >= 50


@pytest.mark.parametrize("urgent", [True, False])
def test_set_urgent_of_an_unknown_peer_is_nothing(urgent: bool) -> None:
    world = World(3)
    world.add("a", A).endpoint.set_urgent(9, urgent)


def test_an_ephemeral_key_is_used_for_inits_of_fifteen_seconds() -> None:
    drawn = iter(range(1, 100))

    def random(size: int) -> bytes:
        return b"\0" if size == 1 else bytes([next(drawn)]) * size

    a = Endpoint(
        identity=Identity.from_private_bytes(bytes([1]) * 32),
        incarnation=1,
        local_port=1,
        random=random,
        now=0.0,
        config=SecureConfig(first_repeat_s=7.25, urgent_s=7.75, idle_s=7.75),
    )
    a.dial(1, [B], 0.0, remote_key=None)
    for now in (7.25, 14.5, 22.25):
        assert a.next_timeout() == now
        a.handle_timeout(now)
    first, again, still, fresh = (data for data, _ in a.take_datagrams())
    assert first == again == still != fresh
    a.handle_timeout(30.0)
    assert a.take_datagrams() == [(fresh, B)]


def test_what_comes_from_an_address_belongs_to_the_dial_that_is_left_there() -> None:
    """Two dials go to one address; hanging up one, in any order, leaves the other's."""
    world = World(1)
    a = world.add("a", A)
    for gone in (1, 2):
        for peer in (1, 2):
            a.endpoint.dial(peer, [B], world.now, remote_key=None)
        a.endpoint.take_datagrams()
        a.endpoint.hang_up(gone)
        world.now += 30
        a.endpoint.handle_timeout(world.now)
        ((init, _),) = a.endpoint.take_datagrams()
        told = bytes([d.VERSION, 9]) + init[2:8]
        a.endpoint.handle_datagram(told, B, world.now)
        assert a.endpoint.take_events() == [VersionSeen(B, 9)]
        a.endpoint.hang_up(3 - gone)
        a.endpoint.handle_datagram(told, B, world.now)
        assert a.endpoint.take_events() == []
