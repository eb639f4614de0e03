"""Two whole engines on a simulated line: the promises of the conversation, by seed."""

import pytest

from chatnet_protocol.ipc.view import message_state
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Line, Network

A, B = ("10.0.0.1", 5001), ("10.0.0.2", 5002)


def world(seed: int, line: Line | None = None) -> tuple[Clock, Network, SimEngine, SimEngine]:
    """Two engines that dial each other."""
    clock = Clock(seed)
    network = Network(clock, line)
    a, b = SimEngine(clock, network, "a", A), SimEngine(clock, network, "b", B)
    for engine, other in ((a, B), (b, A)):
        engine.up()
        engine.dial(other)
    return clock, network, a, b


def delivered(engine: SimEngine, count: int) -> bool:
    """Whether the peer has committed all `count` own messages."""
    assert engine.node
    view = engine.clients[0].view
    peer = view.peer(1) if view else None
    return peer is not None and peer.last_seq == count and peer.delivered_seq == count


def test_a_text_arrives_with_its_ack_number_and_source() -> None:
    clock, _, a, b = world(1)
    at_a, at_b = a.attach(), b.attach()
    clock.run(clock.now_s + 0.01)
    at_a.say("hello")
    assert clock.run(clock.now_s + 5, lambda: delivered(a, 1))
    assert at_b.view
    assert at_a.view
    peer = at_b.view.peer(1)
    assert peer
    (row,) = peer.messages
    assert (row.text, row.ack, row.source, row.mine) == ("hello", 1, "10.0.0.1:5001", False)
    own = at_a.view.peer(1)
    assert own
    assert own.messages[0].ack == 1
    assert message_state(own.messages[0], own) == "delivered"


@pytest.mark.parametrize("seed", range(6))
def test_every_line_once_and_in_order_on_a_bad_line(seed: int) -> None:
    line = Line(loss=0.2, duplicate=0.05, jitter_s=0.02, reorder=0.1)
    clock, network, a, b = world(seed, line)
    at_a, at_b = a.attach(), b.attach()
    clock.run(clock.now_s + 0.01)
    for number in range(120):
        at_a.say(f"a{number}")
        at_b.say(f"b{number}")
        clock.run(clock.now_s + clock.random.choice([0, 0, 0, 0.01, 0.1]))
    assert clock.run(clock.now_s + 60, lambda: delivered(a, 120) and delivered(b, 120))
    assert [text for _, mine, text in at_b.texts if not mine] == [f"a{n}" for n in range(120)]
    assert [text for _, mine, text in at_a.texts if not mine] == [f"b{n}" for n in range(120)]
    assert network.counts["lost"] > 0
    assert network.counts["duplicated"] > 0
    for engine, client in ((a, at_a), (b, at_b)):
        assert client.view
        assert client.view.durable() == engine.ledger.load_view(engine.session())
