"""Somebody whom an engine trusts, and who sends what the grammar of hostile peers draws."""

from random import Random

from chatnet_engine.addresses import Addr
from hostile.grammar import Grammar, Known
from hostile.peer import HostilePeer
from simulate.world import World
from simworld.engine import SimEngine
from simworld.footprint import footprint_bytes

ADDR: Addr = ("10.0.0.66", 6666)
KEY = b"mallory!" * 4
ACTS = (300, 800, 1_500)
BURSTS = (1, 1, 3, 10, 40)
PAUSES_S = (0.002, 0.01, 0.05, 0.3)
MEASURED_EVERY_S = 5.0
MAX_FOOTPRINT_BYTES = 12 << 20
"""An engine of these worlds takes 2 MiB; a link's window is 1 MiB, two for what has not come."""


class Mallory:
    """At one engine, from the beginning until everything is healed."""

    def __init__(self, world: World, random: Random, victim: SimEngine) -> None:
        self.world = world
        self.random = random
        self.victim = victim
        self.over = False
        self.most_bytes = 0
        """The largest the victim has been."""
        self._left = random.choice(ACTS)
        violations = random.choice((0.0, 0.0, 0.002, 0.02))
        relinks = random.choice((0.0, 0.005, 0.05))

        def grammar(random: Random, known: Known) -> Grammar:
            return Grammar(random, known, violations=violations, relinks=relinks)

        self.peer = HostilePeer(
            random,
            private_key=KEY,
            port=ADDR[1],
            target=victim.addr,
            now=world.clock.now_s,
            grammar=grammar,
            hasty=random.choice((0.0, 0.3)),
        )
        world.typed[victim.name].append(ADDR)
        if victim.is_up:
            victim.dial(ADDR)
        world.network.listen(ADDR, self._receive)
        world.note("m", f"attacks {victim.name}: {violations=} {relinks=} acts={self._left}")
        self._step()
        self._measure()

    def end(self) -> None:
        """It says nothing more."""
        self.over = True
        self.world.network.silence(ADDR)
        for name in ("Payload", "Relink", "Raw", "links", "hasty"):
            self.world.counts[f"hostile {name.lower()}"] += self.peer.counts[name]
        closes = sum(n for name, n in self.peer.counts.items() if name.startswith("close"))
        self.world.counts["hostile closed"] += closes
        self.world.note("m", f"is done: {dict(self.peer.counts)}")

    def problems(self) -> list[str]:
        """What of the victim should not be."""
        if self.most_bytes > MAX_FOOTPRINT_BYTES:
            return [f"{self.victim.name} took {self.most_bytes} bytes under attack"]
        return []

    def _receive(self, data: bytes, source: Addr) -> None:
        self.peer.receive(data, source, self.world.clock.now_s)

    def _step(self) -> None:
        if self.over:
            return
        acts = min(self._left, self.random.choice(BURSTS)) if self.peer.linked else 0
        self._left -= acts
        for data, target in self.peer.send(self.world.clock.now_s, acts):
            self.world.network.send(ADDR, target, data)
        self.world.clock.after(self.random.choice(PAUSES_S), self._step)

    def _measure(self) -> None:
        if self.over:
            return
        if self.victim.is_up:
            self.most_bytes = max(self.most_bytes, footprint_bytes(self.victim.node))
        self.world.clock.after(MEASURED_EVERY_S, self._measure)
