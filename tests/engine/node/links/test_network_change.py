"""A new address of this machine: who is not reached is tried at once, who is learns of it."""

from functools import partial

from chatnet_engine.node.effects import AddressesChanged, HostResolved, ResolveHost
from chatnet_protocol.ipc.reasons import LinkReason, reason
from chatnet_protocol.ipc.rows import LinkState
from simworld.engine import SimEngine
from simworld.pair import B, Pair

MOVED = ("10.9.9.9", 40000)

SLOW = reason(LinkReason.LOOKUP_SLOW, "b.example")


def change(engine: SimEngine) -> None:
    engine.node.handle_io(AddressesChanged(), engine.now)
    engine.turn()


def test_a_peer_that_was_not_reached_is_dialled_at_once() -> None:
    pair = Pair(1, both_dial=False)
    pair.b.crash()
    pair.run(300)
    assert pair.peer(pair.at_a).link.state == LinkState.DIALLING
    pair.b.up()
    change(pair.a)
    pair.run(0.5)
    assert pair.peer(pair.at_a).link.state == LinkState.PENDING, "it was reached, and asks its user"


def more_than(asked: list[float], before: int) -> bool:
    return len(asked) > before


def test_a_name_that_was_not_found_is_looked_up_at_once_and_when_something_waits() -> None:
    pair = Pair(2, both_dial=False)
    pair.a.crash()
    asked: list[float] = []

    def fail(ask: ResolveHost) -> None:
        asked.append(pair.clock.now_s)
        pair.a.node.handle_io(HostResolved(ask.peer, [], SLOW), pair.a.now)

    pair.a.resolve = fail  # type: ignore[method-assign]
    pair.a.up()
    at_a = pair.a.attach()
    for cause in (lambda: change(pair.a), lambda: at_a.say("hello")):
        pair.run(300)
        before = len(asked)
        pair.clock.run(pair.clock.now_s + 60, partial(more_than, asked, before))
        pair.run(5)  # a pause of 60 s has begun
        asked.clear()
        cause()
        pair.run(0.2)
        assert len(asked) == 1
    assert pair.peer(at_a).link.reason == SLOW


def test_a_linked_peer_learns_at_once_where_we_are_now() -> None:
    pair = Pair(3)
    pair.run(5)
    pair.network.rebind(B, MOVED)
    change(pair.b)
    pair.run(2)
    assert pair.peer(pair.at_a).link.address == "10.9.9.9:40000"


def test_a_peer_that_is_not_to_be_called_is_left_alone() -> None:
    pair = Pair(4)
    pair.run(1)
    node = pair.a.node
    node.links.violated(1, "too fast", pair.a.now)
    sent: list[bytes] = []
    pair.a.send_datagrams = lambda found: sent.extend(d for d, _ in found)  # type: ignore
    pair.a.turn()
    sent.clear()
    change(pair.a)
    assert sent == []
    link = node.links.get(1)
    assert link
    assert link.row.state == LinkState.REFUSED
