"""Regression cases by the names of the research: what broke in other projects."""

from functools import partial
from random import Random

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.events import Authenticated, LinkUp, PacketArrived, SessionExpired
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.limits import MAX_PACKET_NUMBER
from chatnet_protocol.wire import datagrams
from simworld.secure_world import PING, A, B, Line, Node, Peer, World, agreed, two


def connected(seed: int = 1, line: Line | None = None) -> tuple[World, Node, Node]:
    world, a, b = two(seed, line)
    assert world.run(60, lambda: agreed(a, b))
    world.run(1)
    return world, a, b


def slots_of(node: Node) -> object:
    status = node.endpoint.peer_status(1)
    assert status is not None
    return status.slots, status.addr, status.validated


def captured_connection(seed: int) -> tuple[World, Node]:
    """All datagrams of a connection that a dialled, and b."""
    world = World(seed)
    world.capture = True
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    a.dial(1, B)
    assert world.run(5, lambda: agreed(a, b))
    world.run(3)
    return world, b


@pytest.mark.parametrize("start", [2**32 - 3, 2**61, MAX_PACKET_NUMBER - 6])
def test_r1_numbers_near_a_wrap(start: int) -> None:
    """Numbers go on over 2^32; at the limit the owner must make a new link, then all goes on."""
    world, a, b = connected()
    a.talkative = b.talkative = False
    a.peers[1].next_number = start
    for _ in range(5):
        a.send(1, b"\x09")
    world.run(1)
    numbers = [number for _, number, _ in b.peers[1].arrived]
    assert numbers[-5:] == list(range(start, start + 5))
    if start + 6 == MAX_PACKET_NUMBER:
        with pytest.raises(LocalProtocolError):
            a.endpoint.seal(1, MAX_PACKET_NUMBER, b"")
        a.endpoint.end_link(1, world.now)
        a.flush()
        assert world.run(30, lambda: a.count(LinkUp) == 2 and agreed(a, b))
        assert not [e for e in b.events if isinstance(e, LinkUp)][-1].rekey


def test_a_packet_number_is_never_sealed_twice() -> None:
    _, a, _ = connected()
    a.endpoint.seal(1, 500, b"one")
    for number in (500, 499, -1):
        with pytest.raises(LocalProtocolError):
            a.endpoint.seal(1, number, b"two")


@pytest.mark.parametrize("duplicate", [0.0, 1.0])
@pytest.mark.parametrize("lag_a", [0.0, 0.5, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("lag_b", [0.0, 1.0, 3.0])
def test_r3_simultaneous_open(lag_a: float, lag_b: float, duplicate: float) -> None:
    """Each side starts at any time within three round trips: one session, within three more."""
    rtt = 0.2
    world = World(int(lag_a * 10 + lag_b), Line(0.0, duplicate, rtt / 2, rtt / 2))
    a, b = world.add("a", A), world.add("b", B)
    a.peers[1], b.peers[1] = Peer(), Peer()
    starts = sorted([(lag_a * rtt, 0), (lag_b * rtt, 1)])
    origin = world.now
    for at, who in starts:
        world.run(origin + at - world.now)
        (a, b)[who].dial(1, (B, A)[who])
    assert world.run(3 * rtt, lambda: agreed(a, b))
    world.run(5)
    assert agreed(a, b)
    assert a.count(LinkUp) - sum(e.rekey for e in a.events if isinstance(e, LinkUp)) == 1
    assert b.count(LinkUp) - sum(e.rekey for e in b.events if isinstance(e, LinkUp)) == 1


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("blocked", [A, B])
def test_both_dial_and_one_lets_in_answers_only(blocked: object, seed: int) -> None:
    """The side whose INITs are lost may have the larger key: it answers those of the other."""
    world = World(seed, Line(0.0, 0.0, 0.01, 0.01))
    a, b = world.add("a", A), world.add("b", B)
    a.peers[1], b.peers[1] = Peer(), Peer()
    world.filter = lambda data, source, to: data[0] != datagrams.INIT or source != blocked
    a.dial(1, B)
    b.dial(1, A)
    assert world.run(5, lambda: agreed(a, b))


@pytest.mark.parametrize("lost", range(1, 11))
def test_r4_fin_lost_many_times(lost: int) -> None:
    world = World(lost)
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    left = [lost]

    def lose_fins(data: bytes, source: object, to: object) -> bool:
        if data[0] == datagrams.FIN and left[0]:
            left[0] -= 1
            return False
        return True

    world.filter = lose_fins
    a.dial(1, B)
    assert world.run(60, lambda: agreed(a, b))
    assert left == [0]


@pytest.mark.parametrize("lost", [1, 3, 20])
def test_confirmations_lost_many_times(lost: int) -> None:
    """Everything from the responder after RESP is lost for a while."""
    world = World(lost)
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    left = [lost]

    def lose(data: bytes, source: object, to: object) -> bool:
        if data[0] == datagrams.DATA and source == B and left[0]:
            left[0] -= 1
            return False
        return True

    world.filter = lose
    a.dial(1, B)
    assert world.run(60, lambda: agreed(a, b))


@pytest.mark.parametrize("busy", [False, True])
def test_r5_half_open(busy: bool) -> None:
    """One engine dies and comes back with a new incarnation; the other hears of it by itself."""
    world, a, b = connected()
    old = b.endpoint.incarnation()
    b.alive = False
    world.nodes.remove(b)
    if busy:
        world.run(40)
        assert a.endpoint.counters.inits_sent > 5
    reborn = world.add("b2", B, key=b.identity.private.private_bytes_raw())
    reborn.peers[1] = Peer(key=a.identity.public)
    if busy:
        reborn.dial(1, A)
    else:
        reborn.decide = lambda event: 1
    died = world.now
    assert world.run(40, lambda: agreed(a, reborn))
    assert world.now - died <= (3 if busy else 27)
    ups = [e for e in a.events if isinstance(e, LinkUp)]
    assert ups[-1].remote_incarnation == reborn.endpoint.incarnation() != old
    assert not ups[-1].rekey


def test_r7_packets_and_handshakes_of_former_incarnations_are_dead() -> None:
    """All that was ever on the wire is replayed after two restarts: nothing happens."""
    world, a, b = connected()
    world.capture = True
    generations = [b]
    for name in ("b2", "b3"):
        last = generations[-1]
        last.alive = False
        world.nodes.remove(last)
        reborn = world.add(name, B, key=b.identity.private.private_bytes_raw())
        reborn.peers[1] = Peer(key=a.identity.public)
        reborn.dial(1, A)
        assert world.run(30, partial(agreed, a, reborn))
        world.run(2)
        generations.append(reborn)
    world.capture = False
    live = generations[-1]
    a.talkative = live.talkative = False
    world.run(2)
    captured = list(world.captured)
    assert {data[0] for data, _, _ in captured} >= {1, 2, 3, 4}
    before = (len(a.peers[1].arrived), len(live.peers[1].arrived), a.current(), a.count(LinkUp))
    for data, source, to in captured:
        world.inject(data, source, to)
    world.run(1)
    after = (len(a.peers[1].arrived), len(live.peers[1].arrived), a.current(), a.count(LinkUp))
    assert before == after
    assert agreed(a, live)


def test_a_delayed_handshake_of_a_dead_incarnation_does_not_win() -> None:
    """FIN of incarnation 1 arrives after incarnation 2 has connected."""
    world = World(5)
    a, b = world.add("a", A), world.add("b", B)
    a.decide = lambda event: 1
    held: list[bytes] = []

    def hold_fin(data: bytes, source: object, to: object) -> bool:
        if data[0] == datagrams.FIN and source == B:
            held.append(data)
            return False
        return True

    world.filter = hold_fin
    b.dial(1, A)
    world.run(1)
    assert held
    b.alive = False
    world.nodes.remove(b)
    world.filter = lambda data, source, to: True
    reborn = world.add("b2", B, key=b.identity.private.private_bytes_raw())
    reborn.dial(1, A)
    assert world.run(5, lambda: agreed(a, reborn))
    world.inject(held[0], B, A)
    world.run(3)
    assert agreed(a, reborn)
    assert a.endpoint.counters.dropped_stale == 1
    before = a.count(LinkUp)
    reborn.endpoint.rehandshake(1, world.now)
    reborn.flush()
    assert world.run(1, lambda: a.count(LinkUp) > before)
    assert a.endpoint.counters.dropped_stale == 1, "what is taken does not count"


def test_r17_a_forged_copy_before_each_handshake_datagram() -> None:
    """Every datagram is preceded by copies with one changed byte: the handshake completes."""
    world = World(6)
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    rng = Random(6)

    def forge(data: bytes, source: tuple[str, int], to: tuple[str, int]) -> bool:
        if data[0] != datagrams.DATA:
            for _ in range(5):
                at = rng.randrange(1, len(data))
                world.inject(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :], source, to, 0.01)
        return True

    world.filter = forge
    a.dial(1, B)
    assert world.run(0.5, lambda: agreed(a, b))
    assert a.endpoint.counters.dropped_forged > 0
    assert b.endpoint.counters.dropped_forged > 0


@pytest.mark.parametrize("seed", range(4))
def test_r18_garbage_truncation_and_bit_flips_raise_nothing(seed: int) -> None:
    world, b = captured_connection(seed)
    rng = Random(seed)
    genuine = [data for data, _, to in world.captured if to == B]
    slots, counters = slots_of(b), b.endpoint.counters
    opened = counters.packets_opened
    for _ in range(1500):
        data = bytearray(rng.choice(genuine))
        kind = rng.randrange(4)
        if kind == 0:
            del data[rng.randrange(len(data)) :]
        elif kind == 1:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        elif kind == 2:
            data = bytearray([rng.randrange(8), 1, 0, 0]) + rng.randbytes(rng.randrange(200))
        else:
            data += rng.randbytes(rng.randrange(1, 9))
        b.endpoint.handle_datagram(bytes(data), (f"10.9.9.{rng.randrange(250)}", 5), world.now)
        assert not any(
            isinstance(e, PacketArrived | Authenticated) for e in b.endpoint.take_events()
        )
        b.endpoint.take_datagrams()
    assert (slots_of(b), counters.packets_opened) == (slots, opened)


def test_r21_another_key_at_the_same_address_touches_nothing() -> None:
    """A second key dials from the peer's address in mid-session: told apart, refused, no effect."""
    world, a, b = connected()
    before = a.current()
    thief = world.add("thief", ("10.0.0.66", 66))
    world.at[B] = thief  # the address of b now leads to the thief
    thief.addr = B
    thief.dial(1, A)
    world.run(5)
    claim = [e for e in a.events if isinstance(e, Authenticated)][-1]
    assert claim.key == thief.identity.public
    assert a.endpoint.counters.handshakes_refused >= 1
    assert a.current() == before
    world.at[B] = b
    world.run(12)
    assert agreed(a, b)
    assert a.count(LinkUp) == 1


def test_a_rekey_every_two_minutes_without_a_hiccup() -> None:
    """Ten minutes of a packet every 50 ms: none is lost or doubled, the numbers go on."""
    world, a, b = connected()
    a.talkative = b.talkative = False
    start = a.peers[1].next_number
    del b.peers[1].arrived[:]
    for _ in range(12000):
        a.send(1, b"\x09")
        world.run(0.05)
    world.run(1)
    numbers = [number for _, number, payload in b.peers[1].arrived]
    assert sorted(numbers) == sorted(set(numbers))
    assert {n for n in numbers if n >= start} == set(range(start, a.peers[1].next_number))
    ups = [e for e in a.events if isinstance(e, LinkUp)]
    assert len(ups) >= 5
    assert [e.rekey for e in ups] == [False] + [True] * (len(ups) - 1)
    assert len({e.remote_incarnation for e in ups}) == 1


def test_a_session_ends_after_three_minutes_of_silence_and_is_dialled_anew() -> None:
    world, a, b = connected()
    world.filter = lambda data, source, to: False
    world.run(181)
    assert a.count(SessionExpired) == 1
    assert a.endpoint.seal(1, 10**6, PING) is None
    assert a.endpoint.counters.expired_sessions == 1
    world.filter = lambda data, source, to: True
    assert world.run(3, lambda: agreed(a, b))
    assert [e.rekey for e in a.events if isinstance(e, LinkUp)] == [False, True]
    world.filter = lambda data, source, to: False
    world.run(181)
    assert (a.count(SessionExpired), a.endpoint.counters.expired_sessions) == (2, 2)


def test_a_captured_session_replayed_is_worth_nothing() -> None:
    world = World(9)
    world.capture = True
    a, b = world.add("a", A), world.add("b", B)
    a.dial(1, B)
    b.decide = lambda event: 1
    world.run(30)
    world.capture = False
    mallory = world.add("b2", ("10.0.0.9", 9), key=b.identity.private.private_bytes_raw())
    mallory.talkative = False
    for data, _, to in world.captured:
        if to == B:
            mallory.receive(data, A)
            assert mallory.count(Authenticated) == mallory.count(PacketArrived) == 0
    counters = mallory.endpoint.counters
    assert counters.packets_opened == 0


def test_reflected_datagrams_change_nothing() -> None:
    """Everything a sends comes back to it, from the peer's address."""
    world, a, b = two(10)

    def reflected(data: bytes, source: Addr, to: Addr) -> bool:
        if source == A:
            world.inject(data, to, source, 0.02)
        return True

    world.filter = reflected
    assert world.run(5, lambda: agreed(a, b))
    world.run(5)
    assert agreed(a, b)
    assert a.endpoint.counters.dropped_reflected + a.endpoint.counters.dropped_unknown_index > 0
    assert all(key == b.identity.public for key in [a.peers[1].key])


def test_no_answer_to_an_unauthenticated_datagram_is_larger_than_it() -> None:
    world, _ = captured_connection(11)
    sizes = {data[0]: len(data) for data, _, _ in world.captured}
    assert sizes[datagrams.RESP] < sizes[datagrams.INIT] == 160
    assert datagrams.COOKIE_DATAGRAM_BYTES < 160
