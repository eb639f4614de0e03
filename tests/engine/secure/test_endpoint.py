from dataclasses import replace

import pytest

from chatnet_engine.secure.config import SecureConfig
from chatnet_engine.secure.events import Authenticated, LinkUp, PacketArrived
from chatnet_protocol.errors import LocalProtocolError
from chatnet_protocol.wire import datagrams
from simworld.secure_world import A, B, Line, Node, World, agreed, two

CONFIG = SecureConfig()


def connected(seed: int = 1) -> tuple[World, Node, Node]:
    world, a, b = two(seed)
    assert world.run(5, lambda: agreed(a, b))
    world.run(1)
    return world, a, b


def held(node: Node) -> object:
    status = node.endpoint.peer_status(1)
    assert status is not None
    return status.slots, status.addr, status.validated


def dialler_and_host(seed: int = 1) -> tuple[World, Node, Node]:
    """a, not yet dialling, and b, which accepts whoever comes and dials nobody."""
    world = World(seed)
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    return world, a, b


def test_two_that_dial_each_other_agree_within_two_round_trips() -> None:
    world, a, b = two(seed=1)
    assert world.run(0.5, lambda: agreed(a, b))
    world.run(1)
    assert a.count(LinkUp) == b.count(LinkUp) == 1
    assert a.peers[1].key == b.identity.public
    assert b.peers[1].key == a.identity.public


def test_payload_arrives_once_with_its_number_and_address() -> None:
    world, a, b = connected(2)
    number = a.peers[1].next_number
    assert a.send(1, b"\x09hello")
    world.run(0.2)
    arrived = [e for e in b.events if isinstance(e, PacketArrived) and e.number == number]
    assert [(e.payload, e.addr, e.remote_incarnation) for e in arrived] == [
        (b"\x09hello", A, a.endpoint.incarnation())
    ]


def test_a_datagram_is_of_the_peer_whose_session_it_names() -> None:
    _, a, b = connected(2)
    (sealed, _) = a.endpoint.seal(1, a.peers[1].next_number, b"\x01") or (b"", A)
    assert b.endpoint.peer_of(sealed) == 1
    assert a.endpoint.peer_of(sealed) == 0, "the index is the receiver's"
    handshake = bytes([datagrams.INIT]) + sealed[1:]
    for strange in (b"", sealed[:31], handshake, sealed[:4] + bytes(4) + sealed[8:]):
        assert b.endpoint.peer_of(strange) == 0


def test_the_initiator_sends_data_after_one_round_trip() -> None:
    """Before the responder has confirmed: FIN goes in front, in the same flight."""
    world, a, b = dialler_and_host()
    a.dial(1, B)
    world.run(0.151)
    assert [number for _, number, _ in b.peers[1].arrived][:1] == [0]
    assert a.current() is None


def test_one_side_dialling_is_enough_and_says_its_port() -> None:
    world = World(seed=3, line=Line(0.0, 0.0, 0.1, 0.1))
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 7
    a.dial(1, B)
    assert world.run(1, lambda: a.current() is not None and a.current() == b.current(7))
    claims = [e for e in b.events if isinstance(e, Authenticated)]
    assert [(c.port, c.addr, c.initiator, c.peer_hint) for c in claims] == [(A[1], A, False, None)]


def test_batches_are_sealed_for_one_address() -> None:
    world, a, b = connected(5)
    start = a.peers[1].next_number
    sealed = a.endpoint.seal_many(1, [(start + n, bytes([9, n])) for n in range(5)], world.now)
    assert sealed is not None
    batch, addr = sealed
    assert addr == B
    for data in batch:
        b.endpoint.handle_datagram(data, A, world.now)
    numbers = [e.number for e in b.endpoint.take_events() if isinstance(e, PacketArrived)]
    assert numbers == list(range(start, start + 5))


def test_nothing_is_sealed_for_those_who_are_not_there() -> None:
    world, a, _ = dialler_and_host()
    a.dial(1, ("10.0.0.99", 9))
    world.run(1)
    assert a.endpoint.seal(1, 0, b"") is None
    assert a.endpoint.seal(2, 0, b"") is None
    assert a.endpoint.seal_many(2, [], world.now) is None
    assert a.endpoint.peer_status(2) is None
    for ask in (a.endpoint.rehandshake, a.endpoint.end_link):
        ask(2, world.now)
    a.endpoint.path_validated(2, bytes(8), world.now)
    a.endpoint.path_validated(1, bytes(8), world.now)
    a.endpoint.hang_up(2)


def test_hang_up_forgets_and_the_next_link_is_a_new_one_for_both() -> None:
    world, a, b = connected(6)
    old = a.endpoint.incarnation(b.identity.public)
    a.endpoint.hang_up(1)
    assert a.endpoint.peer_status(1) is None
    assert a.endpoint.incarnation(b.identity.public) != old
    assert a.endpoint.seal(1, 10**6, b"") is None
    a.peers[1].link = None
    a.dial(1, B)
    assert world.run(5, lambda: agreed(a, b))
    ups = [e for e in b.events if isinstance(e, LinkUp)]
    assert [e.rekey for e in ups] == [False, False]
    assert ups[-1].remote_incarnation == a.endpoint.incarnation(b.identity.public)


def test_hang_up_of_a_mere_dial_keeps_the_incarnation() -> None:
    world, a, b = dialler_and_host()
    old = a.endpoint.incarnation(b.identity.public)
    a.dial(1, ("10.0.0.99", 9))
    a.endpoint.hang_up(1)
    assert a.endpoint.incarnation(b.identity.public) == old
    sent = a.endpoint.counters.inits_sent
    world.run(20)
    assert a.endpoint.counters.inits_sent == sent
    assert a.endpoint.next_timeout() is None


@pytest.mark.parametrize("by_peer", [False, True])
def test_an_ended_link_is_dialled_anew_after_its_pause(by_peer: bool) -> None:
    world, a, b = connected(7)
    old = a.endpoint.incarnation(b.identity.public)
    sent = a.endpoint.counters.inits_sent
    a.endpoint.end_link(1, world.now, pause_s=20.0, by_peer=by_peer)
    assert (a.endpoint.incarnation(b.identity.public) == old) == by_peer
    b.endpoint.hang_up(1)
    b.peers[1].link = None
    a.peers[1].link = None
    world.run(19)
    assert a.endpoint.counters.inits_sent == sent
    a.endpoint.set_urgent(1, True)
    assert world.run(5, lambda: agreed(a, b))
    assert [e.rekey for e in a.events if isinstance(e, LinkUp)] == [False, False]


def test_answers_of_a_former_incarnation_are_not_continued() -> None:
    """RESP is out with the old incarnation when we draw a new one: that handshake ends nowhere."""
    world, a, b = connected(8)
    mute(world, b)
    a.endpoint.rehandshake(1, world.now)
    a.flush()
    world.run(0.2)
    [claim] = [e for e in b.endpoint.take_events() if isinstance(e, Authenticated)]
    b.endpoint.end_link(1, world.now)
    b.endpoint.accept(claim.attempt, 1, world.now)
    assert b.endpoint.counters.dropped_stale == 1
    assert b.current() is None


def test_attempts_must_be_answered_once_and_in_time() -> None:
    world, a, b = dialler_and_host()
    a.dial(1, B)
    mute(world, b)
    world.run(1)
    claims = [e for e in b.endpoint.take_events() if isinstance(e, Authenticated)]
    assert len(claims) == 1
    when = b.endpoint.next_timeout()
    assert when is not None
    assert when <= world.now + CONFIG.pending_s
    b.endpoint.handle_timeout(world.now + CONFIG.pending_s)
    assert b.endpoint.counters.dropped_unanswered == 1
    with pytest.raises(LocalProtocolError):
        b.endpoint.accept(claims[0].attempt, 1, world.now)
    with pytest.raises(LocalProtocolError):
        b.endpoint.refuse(claims[0].attempt, b"", world.now)


def mute(world: World, node: Node) -> None:
    """The endpoint works on, but its owner never speaks."""
    node.alive = False
    world.at[node.addr] = _Mute(node)  # type: ignore[assignment]


class _Mute:
    def __init__(self, node: Node) -> None:
        self.node = node

    def receive(self, data: bytes, source: tuple[str, int]) -> None:
        self.node.endpoint.handle_datagram(data, source, self.node.world.now)
        for out, to in self.node.endpoint.take_datagrams():
            self.node.world.transmit(self.node, out, to)


def test_waiting_attempts_are_bounded() -> None:
    world, _, b = dialler_and_host()
    mute(world, b)
    for n in range(CONFIG.max_pending + 2):
        node = world.add(f"n{n}", (f"10.2.0.{n}", 1))
        node.dial(1, B)
        world.run(0.35)
    assert b.endpoint.counters.dropped_pending_full == 2
    assert b.count(Authenticated) == 0


def test_dials_links_and_addresses_are_bounded() -> None:
    world = World(1)
    small = SecureConfig(max_links=3, max_dial_addrs=2)
    a = world.add("a", A, config=small)
    with pytest.raises(LocalProtocolError, match="addresses"):
        a.endpoint.dial(1, [B, B, B], world.now, remote_key=None)
    for peer in range(3):
        a.endpoint.dial(peer, [B], world.now, remote_key=None)
    with pytest.raises(LocalProtocolError, match=r"^too many links$"):
        a.endpoint.dial(9, [B], world.now, remote_key=None)


def test_the_outbox_is_bounded() -> None:
    world = World(1)
    b = world.add("b", B)
    data = datagrams.encode_init(datagrams.init_covered(1, 0, b"\1" * 32), bytes(16))
    for _ in range(3000):  # the RESP to it is repeated
        b.endpoint.handle_datagram(data, A, world.now)
    assert len(b.endpoint.take_datagrams()) == 2048
    assert b.endpoint.take_datagrams() == []


def test_a_clock_that_jumped_eight_hours_opens_nothing_old_and_dials_at_once() -> None:
    """R15: suspend. The packets of before are dropped even before the timer has run."""
    world, a, b = connected(9)
    sealed = b.endpoint.seal(1, 900, b"\x01")
    assert sealed is not None
    world.now += 8 * 3600
    arrived = len(a.peers[1].arrived)
    a.receive(sealed[0], B)
    assert len(a.peers[1].arrived) == arrived
    assert a.endpoint.counters.dropped_expired == 1
    assert world.run(2, lambda: agreed(a, b))


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        (b"", "dropped_malformed"),
        (bytes(7), "dropped_malformed"),
        (bytes(200), "dropped_malformed"),
        (b"\x07\x01" + bytes(200), "dropped_malformed"),
        (b"\x04" + bytes(30), "dropped_malformed"),
        (b"\x04" + bytes(31), "dropped_unknown_index"),
        (b"\x01\x01" + bytes(20), "dropped_malformed"),
        (b"\x02\x01\x05" + bytes(100), "dropped_malformed"),
        (b"\x02\x01\x00" + bytes(100), "dropped_unknown_index"),
        (b"\x03\x01\x05" + bytes(100), "dropped_malformed"),
        (b"\x03\x01\x00" + bytes(100), "dropped_unknown_index"),
        (b"\x05\x01\x00" + bytes(20), "dropped_malformed"),
        (b"\x05\x01\x00" + bytes(21), "dropped_unknown_index"),
        (b"\x06\x09\x00" + bytes(5), "dropped_unknown_index"),
        (b"\x02\x09\x00" + bytes(100), "dropped_version"),
        (b"\x01\x09\x00" + bytes(100), "dropped_version"),
        (b"\x01\x01\x01" + bytes(200), "dropped_no_invite"),
    ],
)
def test_useless_datagrams_are_counted_and_nothing_else(data: bytes, counter: str) -> None:
    world, a, _ = connected(10)
    before, before_counters = held(a), replace(a.endpoint.counters)
    for _ in range(3):
        a.endpoint.handle_datagram(data, ("10.6.6.6", 6), world.now)
    inits = 3 * (data[:2] == b"\x01\x01")
    assert a.endpoint.counters == replace(
        before_counters,
        inits_received=before_counters.inits_received + inits,
        **{counter: getattr(before_counters, counter) + 3},
    )
    assert a.endpoint.take_events() == []
    assert a.endpoint.take_datagrams() == []
    assert held(a) == before


def test_an_invite_handshake_of_small_order_is_dropped() -> None:
    world, a, _ = connected(11)
    a.endpoint.set_invites({1: bytes(32)})
    covered = datagrams.init_covered(5, 1, bytes(48))
    a.endpoint.handle_datagram(datagrams.encode_init(covered, bytes(16)), B, world.now)
    assert a.endpoint.counters.dropped_forged == 1
    assert a.endpoint._responder.half_open == 0


def test_a_forged_control_packet_is_dropped() -> None:
    world, a, b = connected(12)
    sealed = a.endpoint.seal(1, 900, b"")
    assert sealed is not None
    for number in (datagrams.REFUSE_NUMBER, datagrams.CONFIRM_NUMBER, 2**64 - 1):
        forged = sealed[0][:8] + number.to_bytes(8, "little") + sealed[0][16:]
        b.endpoint.handle_datagram(forged, A, world.now)
    assert b.endpoint.counters.dropped_forged == 3
    assert b.endpoint.take_events() == []


def test_init_again_from_elsewhere_is_answered_and_a_stolen_key_is_not() -> None:
    world, a, b = dialler_and_host()
    world.capture = True
    a.dial(1, B)
    init = world.captured[0][0]
    b.endpoint.handle_datagram(init, A, world.now)
    b.endpoint.handle_datagram(init, ("10.0.0.7", 7), world.now)
    answers = b.endpoint.take_datagrams()
    assert [to for _, to in answers] == [A, ("10.0.0.7", 7)]
    assert answers[0][0] == answers[1][0]
    other_index = init[:4] + bytes(4) + init[8:]
    b.endpoint.handle_datagram(other_index, A, world.now)
    assert b.endpoint.counters.dropped_duplicate_init == 1
    assert b.endpoint._responder.half_open == 1


def test_a_late_duplicate_of_an_answered_init_opens_nothing() -> None:
    world, a, b = dialler_and_host()
    world.capture = True
    a.dial(1, B)
    assert world.run(1, lambda: agreed(a, b))
    init = next(data for data, _, _ in world.captured if data[0] == datagrams.INIT)
    b.endpoint.handle_datagram(init, A, world.now)
    assert b.endpoint._responder.half_open == 0
    assert b.endpoint.counters.dropped_duplicate_init == 1


def test_refusals_and_spent_keys_are_bounded() -> None:
    world, _, b = dialler_and_host()
    b.decide = lambda event: None
    for n in range(CONFIG.max_spent_inits + 5):
        node = world.add(f"n{n}", (f"10.2.0.{n}", 1))
        node.dial(1, B)
        world.run(0.4)
        node.alive = False
    assert b.endpoint.counters.handshakes_refused == CONFIG.max_spent_inits + 5
    world.run(30)
    assert b.endpoint.next_timeout() is None


def test_two_answers_to_one_init_ask_the_owner_once() -> None:
    world, a, _ = dialler_and_host()
    world.capture = True
    a.dial(1, B)
    mute(world, a)
    world.run(0.3)
    resp = next(data for data, _, _ in world.captured if data[0] == datagrams.RESP)
    a.endpoint.handle_datagram(resp, B, world.now)
    assert [type(e) for e in a.endpoint.take_events()] == [Authenticated]


def test_an_answer_overtaken_by_a_newer_incarnation_is_stale() -> None:
    """RESP of the first incarnation and FIN of the second wait together; the second is taken."""
    world, a, b = dialler_and_host(13)
    a.dial(1, B)
    mute(world, a)
    world.run(0.12)
    b.alive = False
    world.nodes.remove(b)
    reborn = world.add("b2", B, key=b.identity.private.private_bytes_raw())
    world.now += 3
    reborn.dial(1, A)
    world.run(1)
    claims = [e for e in a.endpoint.take_events() if isinstance(e, Authenticated)]
    first, second = claims[0], claims[-1]
    assert (first.initiator, second.initiator) == (True, False)
    assert first.incarnation != second.incarnation
    a.endpoint.accept(second.attempt, 1, world.now)
    assert a.endpoint.counters.dropped_stale == 0
    a.endpoint.accept(first.attempt, 1, world.now)
    assert a.endpoint.counters.dropped_stale == 1
    ups = [e for e in a.endpoint.take_events() if isinstance(e, LinkUp)]
    assert [e.remote_incarnation for e in ups] == [reborn.endpoint.incarnation()]


def test_a_refusal_on_a_session_in_use_is_ignored() -> None:
    """Only the responder's first word may refuse: later, CLOSE is a frame like others."""
    world, a, b = dialler_and_host(14)
    world.capture = True
    a.dial(1, B)
    assert world.run(1, lambda: agreed(a, b))
    session = next(iter(b.endpoint._local.sessions.values()))
    refusal = session.seal_control(datagrams.REFUSE_NUMBER, b"no")
    a.receive(refusal, B)
    assert agreed(a, b)
    confirm = session.seal_control(datagrams.CONFIRM_NUMBER, b"")
    a.receive(confirm, B)
    assert agreed(a, b)


def test_indices_are_drawn_again_when_taken() -> None:
    _, a, _ = connected(15)
    local = a.endpoint._local
    taken = next(iter(local.sessions))
    draws = [taken.to_bytes(4, "little"), (taken ^ 1).to_bytes(4, "little")]
    local.random = lambda count: draws.pop(0)
    assert local.draw_index() == taken ^ 1


def test_no_canary_of_payloads_or_keys_is_on_the_wire() -> None:
    world = World(16)
    world.capture = True
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 1
    a.dial(1, B)
    assert world.run(1, lambda: agreed(a, b))
    canary = a.rng.randbytes(24)
    a.send(1, b"\x09" + canary)
    world.run(1)
    assert any(canary in payload for _, _, payload in b.peers[1].arrived)
    wire = b"".join(data for data, _, _ in world.captured)
    secrets = [canary, a.identity.public, a.identity.private.private_bytes_raw()]
    assert not any(secret[at : at + 8] in wire for secret in secrets for at in range(0, 16, 8))


def test_nothing_is_sealed_for_a_new_link_before_its_owner_knows_of_it() -> None:
    """The owner's numbers still belong to the old link: they must not be used up on the new one."""
    world, a, b = connected(17)
    b.alive = False
    world.nodes.remove(b)
    reborn = world.add("b2", B, key=b.identity.private.private_bytes_raw())
    mute(world, a)
    reborn.dial(1, A)
    world.run(0.16)
    claim = next(e for e in a.endpoint.take_events() if isinstance(e, Authenticated))
    a.endpoint.accept(claim.attempt, 1, world.now)
    assert a.endpoint.seal(1, 5000, b"of the old link") is None
    assert [type(e) for e in a.endpoint.take_events()] == [LinkUp]
    assert a.endpoint.seal(1, 0, b"of the new link") is not None
