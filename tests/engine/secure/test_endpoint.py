from chatnet_engine.secure.events import Authenticated, LinkUp, PacketArrived
from simworld.secure_world import A, B, Line, World, agreed, two


def test_two_that_dial_each_other_agree_within_two_round_trips() -> None:
    world, a, b = two(seed=1)
    assert world.run(0.5, lambda: agreed(a, b))
    world.run(1)
    assert a.count(LinkUp) == b.count(LinkUp) == 1
    assert a.peers[1].key == b.identity.public
    assert b.peers[1].key == a.identity.public


def test_payload_arrives_once_with_its_number_and_address() -> None:
    world, a, b = two(seed=2)
    assert world.run(1, lambda: agreed(a, b))
    number = a.peers[1].next_number
    assert a.send(1, b"\x09hello")
    world.run(0.2)
    arrived = [e for e in b.events if isinstance(e, PacketArrived) and e.number == number]
    assert len(arrived) == 1
    assert arrived[0].payload.rstrip(b"\0") == b"\x09hello"
    assert len(arrived[0].payload) == 16
    assert arrived[0].addr == A
    assert arrived[0].remote_incarnation == a.endpoint.incarnation


def test_one_side_dialling_is_enough() -> None:
    world = World(seed=3, line=Line(0.0, 0.0, 0.1, 0.1))
    a, b = world.add("a", A), world.add("b", B)
    b.decide = lambda event: 7
    a.dial(1, B)
    assert world.run(1, lambda: a.current() is not None and a.current() == b.current(7))
    claims = [e for e in b.events if isinstance(e, Authenticated)]
    assert [(c.port, c.addr, c.initiator) for c in claims] == [(A[1], A, False)]
