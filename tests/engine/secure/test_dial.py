import pytest

from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.dial import Dial, FinRepeat, InitSchedule
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
        cadence.sent(now, jitter, urgent=renewing)
        out.append(cadence.next_at - now)
    return out


def test_inits_are_at_most_two_seconds_apart_while_something_waits() -> None:
    assert pauses(6, urgent=True) == [0.5, 1.0, 2.0, 2.0, 2.0, 2.0]
    assert pauses(6, urgent=False, renewing=True) == [0.5, 1.0, 2.0, 2.0, 2.0, 2.0]


def test_an_idle_dial_slows_down_to_a_minute_and_never_ends() -> None:
    out = pauses(40, urgent=False)
    assert out[:7] == [0.5, 1.0, 2.0, 2.0, 4.0, 8.0, 8.0]
    assert set(out[20:]) == {60.0}


@pytest.mark.parametrize(("age_s", "pause_s"), [(89.5, CONFIG.idle_s), (90.0, CONFIG.slow_s)])
def test_a_dial_is_idle_from_an_age_on_whatever_the_clock_says(
    age_s: float, pause_s: float
) -> None:
    cadence = InitSchedule(CONFIG, 1000.0)
    for _ in range(8):
        cadence.sent(1000.0, 0, urgent=False)
    cadence.sent(1000.0 + age_s, 0, urgent=False)
    assert cadence.next_at == 1000.0 + age_s + pause_s


def test_jitter_shortens_pauses_by_at_most_a_quarter() -> None:
    for plain, short in zip(
        pauses(9, urgent=False), pauses(9, urgent=False, jitter=255), strict=True
    ):
        assert 0.75 * plain < short < 0.76 * plain


def test_becoming_urgent_brings_the_next_init_forward() -> None:
    cadence = InitSchedule(CONFIG, 0.0)
    for _ in range(30):
        cadence.sent(cadence.next_at, 0, urgent=False)
    last = cadence.last_sent
    assert cadence.next_at == last + 60.0
    cadence.set_urgent(True)
    assert cadence.next_at == last + 2.0


def test_fin_is_repeated_five_times() -> None:
    fin = FinRepeat(CONFIG)
    assert not fin.running
    assert not fin.in_front(0.0)
    fin.start(B, 0.0)
    times: list[float] = []
    while fin.running:
        now = fin.next_at
        if fin.advance(now):
            times.append(now)
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5]
    assert fin.addr == B


def test_after_the_last_repetition_of_fin_its_pause_is_waited_again() -> None:
    fin = FinRepeat(SecureConfig(fin_repeat_s=(1.0, 3.0)))
    fin.start(B, 0.0)
    due = []
    while fin.running:
        due.append(fin.next_at)
        fin.advance(fin.next_at)
    assert due == [1.0, 4.0, 7.0]


def test_fin_goes_in_front_of_data_but_not_of_each() -> None:
    fin = FinRepeat(CONFIG)
    fin.start(B, 0.0)
    assert [fin.in_front(t) for t in (0.05, 0.1, 0.15, 0.21)] == [False, True, False, True]
    fin.stop()
    assert not fin.in_front(9.0)


def test_without_repetitions_a_new_init_follows() -> None:
    fin = FinRepeat(SecureConfig(fin_repeat_s=()))
    fin.start(B, 0.0)
    assert fin.next_at == CONFIG.urgent_s
    assert not fin.advance(2.0)
    assert not fin.running


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
        config=SecureConfig(init_repeat_s=(14.5, 0.5, 0.5)),
    )
    a.dial(1, [B], 0.0, remote_key=None)
    for now in (14.5, 15.0, 15.5):
        assert a.next_timeout() == now
        a.handle_timeout(now)
    first, again, fresh, fresh_again = (data for data, _ in a.take_datagrams())
    assert first == again != fresh == fresh_again


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
