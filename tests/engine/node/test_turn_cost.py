"""A turn costs what is due: no more steps beside a thousand quiet peers than beside ten."""

from collections.abc import Callable

import pytest

from chatnet_engine.node.effects import CommitOps, Effect, Publish
from chatnet_engine.node.node import Node
from chatnet_engine.node.people import known_peers, people
from chatnet_protocol import codec
from chatnet_protocol.ids import uuid7
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.rows import LinkState
from hostile.cost import Steps
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Network
from simworld.quiet_peers import QuietPeers

FEW, MANY = 10, 1000
MORE = 1.05
"""A heap of many is deeper."""
ENGINE = ("10.0.0.1", 5001)


@pytest.fixture(autouse=True)
def quick_safety_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of them take seconds."""
    for module in (known_peers, people):
        monkeypatch.setattr(module, "safety_number", lambda *keys: "0" * 60)


class World:
    """One engine and its peers; all of them linked, or none."""

    def __init__(self, count: int, *, linked: bool) -> None:
        self.clock = Clock(1)
        self.engine = SimEngine(self.clock, Network(self.clock), "a", ENGINE)
        self.engine.checked = False  # a check walks all peers
        self.engine.up()
        quiet = QuietPeers(self.clock, self.engine.network, self.engine, count)
        if not linked:
            for addr in quiet.peers:
                self.engine.network.silence(addr)
        self.at = self.engine.attach()
        done = self.clock.run(self.clock.now_s + 30, lambda: linked and quiet.linked)
        assert done or not linked, "not all are linked"
        self.clock.run(self.clock.now_s + 5)
        assert self.at.view
        state = LinkState.UP if linked else LinkState.DIALLING
        assert {peer.link.state for peer in self.at.view.peers} == {state}
        assert len(self.at.view.peers) == count

    def turn(self, act: Callable[[Node], None]) -> tuple[int, list[Effect]]:
        """Steps of one turn with this in it, and what came of it."""
        node, now = self.engine.node, self.engine.now
        assert node
        with Steps() as steps:
            act(node)
            due = node.next_timeout()
            node.handle_timeout(now)
            effects = list(node.take_effects(now))
            node.next_timeout()
        assert due is not None
        return steps.count, effects

    def costs(self) -> dict[str, int]:
        """Steps of turns, by what happens in them."""
        self.turn(lambda node: None)
        steps, _ = self.turn(lambda node: None)
        found = {"nothing": steps}
        newest = max(peer.peer for peer in self.engine.node.peers)  # the last of every list
        request = envelope.Request(10_000, cmd.SendMessage(uuid7(1, bytes(10)), newest, "hello"))
        frame, now, routing_id = codec.pack(request), self.engine.now, self.at.routing_id
        found["a text"], effects = self.turn(
            lambda node: node.handle_request(routing_id, [frame], now)
        )
        (asked,) = (effect for effect in effects if isinstance(effect, CommitOps))
        answer = self.engine.ledger.apply(asked.commit)
        found["its commit"], effects = self.turn(lambda node: node.handle_io(answer, now))
        assert any(isinstance(effect, Publish) for effect in effects)
        return found


@pytest.mark.parametrize("linked", [True, False], ids=["linked", "unreachable"])
def test_a_turn_costs_the_same_beside_a_thousand_peers(linked: bool) -> None:
    few, many = (World(count, linked=linked).costs() for count in (FEW, MANY))
    assert few["nothing"] < few["its commit"], "something is counted"
    dearer = {name: (few[name], many[name]) for name in few if many[name] > MORE * few[name]}
    assert not dearer
