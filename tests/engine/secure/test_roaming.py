from functools import partial
from random import Random

import pytest

from chatnet_engine.addresses import Addr
from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import (
    Authenticated,
    LinkUp,
    PacketArrived,
    PathChallengeNeeded,
    Roamed,
)
from chatnet_engine.secure.identity import Identity
from chatnet_engine.secure.local import Local
from chatnet_engine.secure.roaming import Path, Roaming
from chatnet_protocol.wire import datagrams
from simworld.secure_world import PING, A, B, Node, Peer, World, agreed, is_data, two

NEW = ("192.0.2.7", 4444)
EVIL = ("203.0.113.9", 666)
CONFIG = SecureConfig()


def connected() -> tuple[World, Node, Node]:
    world, a, b = two(3)
    assert world.run(5, lambda: agreed(a, b))
    world.run(1)
    return world, a, b


def addr_of(node: Node) -> object:
    status = node.endpoint.peer_status(1)
    assert status is not None
    return status.addr, status.validated


def test_a_peer_that_moves_is_followed_within_a_round_trip_of_its_next_packet() -> None:
    world, a, b = connected()
    handshakes = b.count(Authenticated)
    world.move(a, NEW)
    a.send(1, PING)
    assert world.run(0.3, lambda: addr_of(b) == (NEW, True))
    assert b.count(Authenticated) == handshakes
    assert [e for e in b.events if isinstance(e, Roamed)] == [Roamed(1, NEW)]
    before = len(a.peers[1].arrived)
    b.send(1, b"\x09")
    world.run(0.2)
    assert len(a.peers[1].arrived) > before


def is_at(node: Node, addr: Addr) -> bool:
    return addr_of(node) == (addr, True)


def test_r9_rebinding_every_thirty_seconds() -> None:
    """Ten new addresses in a row, the old ones dead: each costs one round trip."""
    world, a, b = connected()
    for turn in range(10):
        world.run(29)
        world.move(a, ("192.0.2.7", 5000 + turn))
        a.send(1, PING)
        assert world.run(0.5, partial(is_at, b, ("192.0.2.7", 5000 + turn)))
    assert agreed(a, b)
    assert b.endpoint.counters.roamed == b.count(Roamed) == 10


def test_r9_an_old_packet_from_elsewhere_moves_nothing() -> None:
    """A copy, and a packet held back by the attacker while newer ones got through."""
    world, a, b = connected()
    world.capture = True
    held: list[bytes] = []

    def hold_one(data: bytes, source: Addr, to: Addr) -> bool:
        if data[0] != 4 or held:
            return True
        held.append(data)
        return False

    world.filter = hold_one
    a.send(1, b"\x09held")
    world.filter = lambda data, source, to: True
    a.send(1, b"\x09newer")
    world.run(0.5)
    arrived = len(b.peers[1].arrived)
    for data, _, to in list(world.captured):
        if to == B:
            world.inject(data, EVIL, B)
    world.run(1)
    assert addr_of(b) == (A, True)
    assert b.count(Roamed) == 0
    assert len(b.peers[1].arrived) == arrived + 1
    assert b.endpoint.counters.dropped_replayed >= 1


def test_a_new_address_gets_three_bytes_per_byte_until_it_answers() -> None:
    world, a, b = connected()
    number = a.peers[1].next_number + 10
    sealed = a.endpoint.seal(1, number, bytes(320))
    assert sealed is not None
    b.endpoint.handle_datagram(sealed[0], EVIL, world.now)
    assert any(isinstance(e, PathChallengeNeeded) for e in b.endpoint.take_events())
    sent = allowed = 0
    for n in range(100):
        out = b.endpoint.seal(1, b.peers[1].next_number + n, bytes(300))
        if out is not None:
            assert out[1] == EVIL
            sent += len(out[0])
            allowed += 1
    assert 0 < sent <= 3 * len(sealed[0])
    assert b.endpoint.counters.dropped_amplification == 100 - allowed > 90


def test_an_address_that_never_answers_is_left_for_the_last_good_one() -> None:
    world, a, b = connected()
    a.talkative = b.talkative = False
    for times in (1, 2):
        number = a.peers[1].next_number
        a.peers[1].next_number += 1
        sealed = a.endpoint.seal(1, number, PING)
        assert sealed is not None
        world.inject(sealed[0], EVIL, B)
        world.run(1)
        assert addr_of(b) == (EVIL, False)
        world.run(10)
        assert addr_of(b) == (A, True)
        assert b.endpoint.counters.roamed_back == times
    roamed = [e for e in b.events if isinstance(e, Roamed)]
    assert roamed == [Roamed(1, EVIL), Roamed(1, A)] * 2
    assert {e.addr for e in b.events if isinstance(e, PathChallengeNeeded)} == {EVIL}


def test_a_wrong_token_validates_nothing() -> None:
    world, a, b = connected()
    b.endpoint.handle_datagram(a.endpoint.seal(1, 900, PING)[0], NEW, world.now)  # type: ignore[index]
    b.endpoint.path_validated(1, bytes(8), world.now)
    assert addr_of(b) == (NEW, False)
    token = next(e.token for e in b.endpoint.take_events() if isinstance(e, PathChallengeNeeded))
    b.endpoint.path_validated(1, token, world.now)
    assert addr_of(b) == (NEW, True)


def test_r25_a_peer_that_moved_while_off_is_found_by_the_one_that_can_reach() -> None:
    """b restarts elsewhere; a knows only the old address, b dials a."""
    world, a, b = connected()
    b.alive = False
    world.nodes.remove(b)
    reborn = world.add("b2", NEW, key=b.identity.private.private_bytes_raw())
    reborn.peers[1] = Peer(key=a.identity.public)
    reborn.dial(1, A)
    assert world.run(30, lambda: agreed(a, reborn))
    assert addr_of(a) == (NEW, True)


def test_packets_are_reported_with_the_address_they_came_from() -> None:
    world, a, b = connected()
    world.move(a, NEW)
    a.send(1, b"\x09")
    world.run(0.2)
    assert [e.addr for e in b.events if isinstance(e, PacketArrived)][-1] == NEW


def moved(path: Path, addr: tuple[str, int], now: float = 0.0) -> None:
    path.move(addr, 100, now, Random(1).randbytes)


def test_path_returns_to_a_validated_address_without_a_challenge() -> None:
    path = Path(A, CONFIG)
    moved(path, NEW)
    assert not path.validated
    moved(path, A)
    assert path.validated
    assert path.next_timeout() == float("inf")


def test_path_repeats_its_challenge() -> None:
    path = Path(A, CONFIG)
    moved(path, NEW, 10.0)
    token = path.take_challenge(10.0)
    assert token is not None
    assert path.take_challenge(10.1) is None
    assert path.next_timeout() == pytest.approx(10.5)
    assert path.take_challenge(10.5) == token


def test_path_hearing_more_allows_more() -> None:
    path = Path(A, CONFIG)
    moved(path, NEW)
    assert path.spend(300)
    assert not path.spend(1)
    path.on_received(100, 0.5)
    path.on_received(100, 1.0)
    assert path.spend(600)
    assert not path.spend(1)
    assert not path.give_up(8.5)
    assert path.give_up(9.0)
    assert path.addr == A


def local_part() -> Local:
    return Local(
        identity=Identity.from_private_bytes(bytes([1]) * 32),
        incarnation=1,
        port=1,
        random=Random(1).randbytes,
        config=CONFIG,
    )


def test_the_first_packet_of_a_link_already_moves_the_address() -> None:
    roaming = Roaming(1, local_part())
    for turn in range(2):
        roaming.settle(A)
        roaming.on_received(0, 100, NEW, float(turn))
        assert roaming.path is not None
        assert roaming.path.addr == NEW
        roaming.settle(NEW)
        assert roaming.path.validated
        roaming.restart_numbers()


def test_a_peer_that_was_never_reached_has_no_address() -> None:
    local = local_part()
    roaming = Roaming(1, local)
    roaming.move(NEW, 100, 0.0)
    roaming.on_received(5, 100, NEW, 0.0)
    roaming.echo(bytes(8))
    roaming.handle_timeout(0.0)
    assert roaming.highest == 5
    assert roaming.path is None
    assert roaming.addrs() == []
    assert roaming.allow([b"x"]) == [b"x"]
    assert roaming.next_timeout() == float("inf")
    assert local.events == []
    roaming.settle(A)
    assert roaming.allow([b"x"]) == [b"x"]
    assert roaming.addrs() == [A, A]


def from_evil(world: World, which: int, data: bytes, source: Addr, to: Addr) -> bool:
    """A filter: datagrams of one kind come from elsewhere."""
    return data[0] != which or world.instead(data, EVIL, to, 0.05)


def from_new(world: World, who: tuple[int, ...], data: bytes, source: Addr, to: Addr) -> bool:
    """A filter: no data, and B's datagrams of these kinds come from elsewhere."""
    if is_data(data):
        return False
    return source != B or data[0] not in who or world.instead(data, NEW, to, 0.05)


def test_an_answer_from_an_address_we_did_not_write_to_must_prove_it() -> None:
    """RESP and FIN whose source was rewritten: the data that follows is limited."""
    for which, dialler_moves in ((2, False), (3, True)):
        world = World(4)
        a, b = world.add("a", A), world.add("b", B)
        b.decide = lambda event: 1
        b.talkative = a.talkative = False
        world.filter = partial(from_evil, world, which)
        a.dial(1, B)
        world.run(0.3)
        mover = b if dialler_moves else a
        kinds = [type(e) for e in mover.events if isinstance(e, LinkUp | Roamed)]
        assert kinds[:2] == [LinkUp, Roamed]
        assert next(e.addr for e in mover.events if isinstance(e, Roamed)) == EVIL
        assert mover.count(PathChallengeNeeded) >= 1
        if not dialler_moves:
            assert addr_of(mover) == (EVIL, False)


def dialler_and_host() -> tuple[World, Node, Node]:
    world = World(4)
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    b.talkative = a.talkative = False
    return world, a, b


def test_the_address_that_answered_is_known_to_work_among_several_dialled() -> None:
    world, a, _ = dialler_and_host()
    a.dial(1, ("10.0.0.99", 9), B)
    world.filter = lambda data, source, to: not is_data(data)
    world.run(1)
    assert addr_of(a) == (B, True)
    assert a.count(Roamed) == a.count(PathChallengeNeeded) == 0
    assert [e.addr for e in a.events if isinstance(e, LinkUp)] == [B]


def test_each_address_that_the_answer_went_to_is_known_to_work() -> None:
    """An initiator with two ways out: INIT came by both, FIN by the second."""
    world, a, b = dialler_and_host()
    world.at[NEW] = a

    def by_two_ways(data: bytes, source: object, to: tuple[str, int]) -> bool:
        if data[0] in (datagrams.INIT, datagrams.FIN) and to == B:
            world.inject(data, NEW, to, 0.06)
        return data[0] != datagrams.FIN and not is_data(data)

    world.filter = by_two_ways
    a.dial(1, B)
    world.run(1)
    assert addr_of(b) == (NEW, True)
    assert b.count(Roamed) == b.count(PathChallengeNeeded) == 0


def test_a_confirmation_validates_the_address_it_comes_from_if_fin_went_there() -> None:
    """A responder whose answers come from elsewhere than where it was dialled."""
    for who, where in (((datagrams.RESP, datagrams.DATA), NEW), ((datagrams.DATA,), B)):
        world, a, b = dialler_and_host()
        world.at[NEW] = b
        world.filter = partial(from_new, world, who)
        a.dial(1, B)
        world.run(1)
        assert a.current() is not None
        assert addr_of(a) == (where, True)
