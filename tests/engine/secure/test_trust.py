"""Who is let in: refusals, changed keys, a man in the middle, invites."""

from functools import partial

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import (
    Authenticated,
    LinkUp,
    PacketArrived,
    Refused,
    SessionExpired,
    VersionSeen,
)
from chatnet_engine.secure.invite import invite_psk
from chatnet_engine.secure.safety_number import safety_number
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.version import WIRE_VERSION
from chatnet_protocol.wire import datagrams
from simworld.secure_world import A, B, Line, Node, Peer, World, agreed, two

PSK = bytes([7]) * 32


def alone() -> tuple[World, Node, Node]:
    """a and b; nobody has dialled; b accepts whoever comes as peer 1."""
    world = World(1)
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    return world, a, b


def test_a_refusal_reaches_the_dialler_sealed_and_pauses_it_for_a_minute() -> None:
    world, a, b = alone()
    b.decide = lambda event: None
    world.capture = True
    a.dial(1, B)
    world.run(5)
    refused = [e for e in a.events if isinstance(e, Refused)]
    assert [(e.peer, e.key, e.payload.rstrip(b"\0"), e.addr) for e in refused] == [
        (1, b.identity.public, b"refused", B)
    ]
    assert not any(b"refused" in data for data, _, _ in world.captured)
    assert a.count(PacketArrived) == b.count(PacketArrived) == 0
    status = b.endpoint.peer_status(1)
    assert status is None
    sent = a.endpoint.counters.inits_sent
    world.run(50)
    assert a.endpoint.counters.inits_sent == sent
    world.run(15)
    assert a.endpoint.counters.inits_sent > sent
    assert a.count(Refused) == 2


def test_a_lost_refusal_is_repeated_for_the_repeated_fin() -> None:
    world, a, b = alone()
    b.decide = lambda event: None
    left = [3]

    def lose(data: bytes, source: object, to: object) -> bool:
        if data[0] == datagrams.DATA and source == B and left[0]:
            left[0] -= 1
            return False
        return True

    world.filter = lose
    a.dial(1, B)
    assert world.run(15, lambda: a.count(Refused) == 1)
    assert b.count(Authenticated) == 1


def test_accepted_after_a_refusal_is_a_new_link_on_both_sides() -> None:
    world, a, b = alone()
    b.decide = lambda event: None
    a.dial(1, B)
    world.run(5)
    b.decide = lambda event: 1
    assert world.run(70, lambda: agreed(a, b))
    assert [e.rekey for e in a.events if isinstance(e, LinkUp)][-1] is False
    assert [e.rekey for e in b.events if isinstance(e, LinkUp)] == [False]


def test_another_wish_ends_the_pause() -> None:
    world, a, b = alone()
    b.decide = lambda event: None
    a.dial(1, B)
    world.run(5)
    b.decide = lambda event: 1
    a.dial(1, B, ("10.0.0.3", 3))
    assert world.run(1, lambda: agreed(a, b))


def test_an_initiator_that_finds_another_key_shows_nothing_and_goes_on_for_the_right_one() -> None:
    """The typed address answers with a foreign key first, later with the pinned one."""
    world, a, b = alone()
    a.peers[1] = Peer(key=b.identity.public)
    thief = world.add("thief", ("10.0.0.66", 66))
    thief.decide = lambda event: 1
    world.at[B] = thief
    thief.addr = B
    a.dial(1, B)
    world.run(5)
    assert thief.count(Authenticated) == 0
    assert a.endpoint.counters.handshakes_refused == 1
    world.at[B] = b
    assert world.run(20, lambda: agreed(a, b))


def test_one_answer_among_several_is_enough() -> None:
    """Two engines answer one INIT; refusing the first leaves the attempt open for the second."""
    world, a, b = alone()
    a.peers[1] = Peer(key=b.identity.public)
    other = world.add("other", ("10.0.0.66", 66))
    other.decide = lambda event: 1
    world.line = Line()
    a.dial(1, ("10.0.0.66", 66), B)
    assert world.run(1, lambda: agreed(a, b))
    assert a.endpoint.counters.handshakes_refused == 1
    assert a.endpoint.counters.inits_sent == 2


def test_a_man_in_the_middle_of_a_first_contact_shows_in_the_safety_number() -> None:
    world = World(5)
    a, b = world.add("a", A), world.add("b", B)
    fake_b, fake_a = world.add("m1", ("10.9.0.1", 1)), world.add("m2", ("10.9.0.2", 2))
    for fake in (fake_a, fake_b):
        fake.decide = lambda event: 1
    a.dial(1, fake_b.addr)
    b.dial(1, fake_a.addr)
    assert world.run(5, lambda: agreed(a, fake_b) and agreed(b, fake_a))
    assert a.peers[1].key is not None
    assert b.peers[1].key is not None
    seen_by_a = safety_number(a.identity.public, a.peers[1].key)
    seen_by_b = safety_number(b.identity.public, b.peers[1].key)
    assert seen_by_a != seen_by_b


def test_an_invite_authenticates_the_first_contact() -> None:
    world, a, b = alone()
    b.endpoint.set_invites({1: bytes(32), 2: PSK})
    a.dial(1, B, psk=PSK)
    assert world.run(1, lambda: agreed(a, b))
    assert [e.invite for e in b.events if isinstance(e, Authenticated)] == [2]
    assert [e.psk for e in a.events if isinstance(e, LinkUp)] == [True]
    assert [e.psk for e in b.events if isinstance(e, LinkUp)] == [True]


@pytest.mark.parametrize("theirs", [{}, {1: bytes(32)}])
def test_without_the_secret_of_the_invite_no_link_comes_up(theirs: dict[int, bytes]) -> None:
    """Whoever answers without it is never announced, however the owner decides."""
    world, a, b = alone()
    b.endpoint.set_invites(theirs)
    a.decide = lambda event: 1
    a.dial(1, B, psk=PSK)
    world.run(60)
    assert a.count(LinkUp) == b.count(LinkUp) == b.count(Authenticated) == 0
    assert not agreed(a, b)


def test_a_link_that_was_never_announced_is_not_said_to_have_expired() -> None:
    """Under an invite nothing is announced before the other side proved to know the secret."""
    world, a, b = alone()
    b.endpoint.set_invites({1: PSK})
    answered: list[bytes] = []

    def only_one_answer(data: bytes, source: object, to: object) -> bool:
        if source == B and data[0] == datagrams.RESP:
            answered.append(data)
            return len(answered) == 1
        return source == A

    world.filter = only_one_answer
    a.dial(1, B, psk=PSK)
    assert world.run(1, lambda: b.count(Authenticated) == 1)
    world.run(200)
    assert a.endpoint.counters.expired_sessions == 1
    assert a.count(LinkUp) == a.count(SessionExpired) == 0


def test_both_holding_an_invite_and_dialling_at_once_agree() -> None:
    world = World(8)
    a, b = world.add("a", A), world.add("b", B)
    a.endpoint.set_invites({1: PSK})
    b.endpoint.set_invites({1: PSK})
    a.dial(1, B, psk=PSK)
    b.dial(1, A, psk=PSK)
    assert world.run(5, lambda: agreed(a, b))


def test_one_with_and_one_without_the_invite_still_meet() -> None:
    """The modes differ, so neither INIT silences the other."""
    for seed in range(6):
        world = World(seed)
        a, b = world.add("a", A), world.add("b", B)
        b.endpoint.set_invites({1: PSK})
        a.dial(1, B, psk=PSK)
        b.dial(1, A)
        assert world.run(10, partial(agreed, a, b))


def test_a_stretched_code_is_a_psk() -> None:
    world, a, b = alone()
    psk = invite_psk(bytes(10))
    b.endpoint.set_invites({1: psk})
    a.dial(1, B, psk=psk)
    assert world.run(1, lambda: agreed(a, b))


def test_too_many_invites_are_refused() -> None:
    _, a, _ = alone()
    with pytest.raises(LocalProtocolError):
        a.endpoint.set_invites(dict.fromkeys(range(SecureConfig().max_invites + 1), PSK))


def test_another_version_is_told_and_shown() -> None:
    world, a, b = alone()

    def raised(data: bytes, source: Addr, to: Addr) -> bool:
        if source != A or data[0] != datagrams.INIT:
            return True
        return world.instead(data[:1] + bytes([WIRE_VERSION + 1]) + data[2:], source, to, 0.01)

    world.filter = raised
    a.dial(1, B)
    world.run(1)
    seen = [e for e in a.events if isinstance(e, VersionSeen)]
    assert seen
    assert set(seen) == {VersionSeen(B, WIRE_VERSION)}
    assert b.endpoint.counters.dropped_version > 0
    assert b.endpoint.counters.inits_received == 0
    assert b.endpoint._responder.half_open == 0


def test_dialling_oneself_makes_no_link() -> None:
    world, a, _ = alone()
    a.dial(1, A)
    world.run(5)
    assert a.count(Authenticated) == 0
    assert a.endpoint.counters.dropped_reflected > 0


def test_a_copy_of_our_own_key_is_shown_to_the_owner() -> None:
    """Two engines from one data folder: the owner is asked, and refuses."""
    world, a, _ = alone()
    twin = world.add("twin", ("10.0.0.9", 9), key=a.identity.private.private_bytes_raw())
    a.decide = lambda event: None if event.key == a.identity.public else 1
    twin.dial(1, A)
    world.run(2)
    assert [e.key for e in a.events if isinstance(e, Authenticated)] == [a.identity.public]
    assert twin.count(Refused) == 1


def test_the_peer_a_key_is_accepted_as_may_differ_from_the_dialled_one() -> None:
    """A key met at two addresses is one peer: peer 2's dial finds peer 1's key."""
    world, a, b = two(9)
    assert world.run(5, lambda: agreed(a, b))
    c = ("10.0.0.3", 3)
    world.at[c] = b
    a.endpoint.dial(2, [c], world.now, remote_key=None)
    world.run(0.1)
    a.decide = lambda event: 1
    world.run(0.3)
    assert a.endpoint.peer_status(2) is not None
    a.endpoint.hang_up(2)
    assert a.endpoint.peer_status(2) is None
    world.run(5)
    assert agreed(a, b)
    assert a.current() is not None


def test_a_refusal_that_comes_after_the_peer_has_accepted_us_is_none() -> None:
    """It was late, and the peer has dialled us meanwhile."""
    world, a, b = alone()
    b.decide = lambda event: None
    late: list[bytes] = []

    def hold_back(data: bytes, source: Addr, to: Addr) -> bool:
        if source == B and data[0] == datagrams.DATA and not late:
            late.append(data)
            return False
        return not (source == A and data[0] == datagrams.FIN and late)

    world.filter = hold_back
    a.dial(1, B)
    assert world.run(1, lambda: bool(late))
    b.decide = lambda event: 1
    b.dial(1, A)
    assert world.run(1, lambda: agreed(a, b))
    a.receive(late[0], B)
    world.run(1)
    assert a.count(Refused) == 0
    assert agreed(a, b)
    assert [event.rekey for event in a.events if isinstance(event, LinkUp)][-1] is True
