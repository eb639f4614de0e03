"""Faults of every kind at once, then a healed line: both sides must agree and talk.

An attacker records everything and sends it again, changed or not, from anywhere, at any time.
CHATNET_SECURE_CHAOS=N runs N seeds.
"""

import os
from functools import partial
from random import Random

import pytest

from chatnet_engine.secure.events import LinkUp
from simworld.secure_world import PING, A, B, Line, Node, Peer, World, agreed

SEEDS = int(os.environ.get("CHATNET_SECURE_CHAOS", "12"))


class Chaos:
    """One seeded run."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.world = World(seed, Line(0.25, 0.2, 0.005, 0.6))
        self.world.capture = True
        self.homes = {"a": A, "b": B}
        self.nodes = {name: self.born(name, None) for name in self.homes}
        self.moves = 0

    def born(self, name: str, last: Node | None) -> Node:
        """A new engine with the old key, which knows its peer's key if the old one did."""
        key = None if last is None else last.identity.private.private_bytes_raw()
        node = self.world.add(name, self.homes[name], key=key)
        node.peers[1] = Peer(key=None if last is None else last.peers[1].key)
        node.dial(1, B if name == "a" else A)
        return node

    def restart(self, name: str) -> None:
        last = self.nodes[name]
        last.alive = False
        self.world.nodes.remove(last)
        self.world.at.pop(last.addr, None)
        self.nodes[name] = self.born(name, last)

    def move(self, name: str) -> None:
        self.moves += 1
        self.world.move(self.nodes[name], (f"192.0.2.{ord(name)}", 3000 + self.moves))

    def strike(self) -> None:
        rng, world = self.rng, self.world
        name = rng.choice("ab")
        node = self.nodes[name]
        kind = rng.randrange(9)
        if kind == 0:
            self.restart(name)
        elif kind == 1:
            self.move(name)
        elif kind == 2:
            node.endpoint.rehandshake(1, world.now)
        elif kind == 3:
            node.endpoint.end_link(1, world.now, pause_s=rng.uniform(0, 5))
            node.peers[1].link = None
        elif kind == 4:
            world.line = Line(rng.choice([0.0, 0.3, 0.6, 1.0]), 0.2, 0.005, 0.6)
        else:
            for _ in range(10):
                self.attack()
        node.flush()

    def attack(self) -> None:
        rng, world = self.rng, self.world
        if not world.captured:
            return
        data, source, to = rng.choice(world.captured[-400:])
        if rng.random() < 0.4:
            at = rng.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        if rng.random() < 0.5:
            source = ("203.0.113.5", rng.randrange(1, 9))
        if rng.random() < 0.3:
            to = rng.choice([node.addr for node in self.nodes.values()])
        world.inject(data, source, to, rng.uniform(0, 3))


def more_arrived(node: Node, before: int) -> bool:
    return len(node.peers[1].arrived) > before


@pytest.mark.parametrize("seed", range(SEEDS))
def test_everything_at_once_then_healed(seed: int) -> None:
    chaos = Chaos(seed)
    for _ in range(40):
        chaos.world.run(chaos.rng.uniform(0, 8))
        chaos.strike()
    world = chaos.world
    for name, node in chaos.nodes.items():
        if node.addr != chaos.homes[name]:
            world.move(node, chaos.homes[name])
    world.line = Line()
    a, b = chaos.nodes["a"], chaos.nodes["b"]
    assert world.run(60, lambda: a.current() is not None and b.current() is not None)
    world.run(20)
    for sender, receiver in ((a, b), (b, a)):
        before = len(receiver.peers[1].arrived)
        sender.send(1, PING)
        assert world.run(40, partial(more_arrived, receiver, before))
    assert world.run(130, lambda: agreed(a, b))
    for node in (a, b):
        check(node)


def check(node: Node) -> None:
    """No packet came twice, and a link that was announced as new had never been there before."""
    arrived = [(incarnation, number) for incarnation, number, _ in node.peers[1].arrived]
    links: list[tuple[int, int]] = []
    for event in node.events:
        if isinstance(event, LinkUp) and not event.rekey:
            links.append((event.local_incarnation, event.remote_incarnation))
    assert len(set(links)) == len(links)
    if len({mine for mine, _ in links}) == 1:
        assert len(set(arrived)) == len(arrived)
