"""People who change whom they know: add, invite, trust, replace, rename, remove, add again.

Several front ends at once, often two at the same moment. In the end everybody wants to know
everybody again.
"""

from collections.abc import Callable
from random import Random

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import LinkState, Trust
from chatnet_protocol.ipc.view import PeerView
from simulate.world import World, public_key
from simworld.client import SimClient
from simworld.engine import SimEngine

NOBODY = ("10.0.0.99", 9999)
MAKE_UP_S = 3.0
MAKE_UP_TIMES = 8
"""At least, so that what was under way when everything healed is made up for too."""
REFUSED_WITHIN_S = 60.0
"""So long a refusal may take; later nobody looks for one."""
ACTS = (5, 20, 60)
TOGETHER = 0.5
"""So often a second front end does something to the same peer at the same moment."""


class Acquaintances:
    """By seed, until `end_s`; `make_up` from then on."""

    def __init__(self, world: World, random: Random, end_s: float) -> None:
        self.world = world
        self.random = random
        self.end_s = end_s
        self._made_up = 0
        acts = random.choice(ACTS)
        self._kinds: tuple[tuple[Callable[[SimClient, PeerView], None], int], ...] = (
            (self._add, 4), (self._remove, 4), (self._rename, 3), (self._accept, 3),
            (self._verify, 1), (self._replace, 4), (self._invite, 2), (self._retry, 1),
            (self._write, 2),
        )  # fmt: skip
        for _ in range(acts):
            world.clock.after(random.uniform(0.0, end_s - world.clock.now_s), self._act)

    def make_up(self) -> None:
        """Who does not know whom adds or accepts them, again and again: what was asked for right
        before everything healed may part linked peers seconds later, on a slow disk."""
        for engine in self.world.engines:
            for other in self.world.engines:
                if other is not engine and engine.is_up:
                    self._get_to_know(_full(engine)[0], other)
        self._made_up += 1
        if not self.acquainted() or self._made_up < MAKE_UP_TIMES:
            self.world.clock.after(MAKE_UP_S, self.make_up)

    def swap_addresses(self, world: World, random: Random) -> None:
        """Two machines get each other's address for a while; one that is started then looks for
        people where others are."""
        if len(world.engines) < 3:
            return
        one, other, third = random.sample(world.engines, 3)
        world.counts["addresses swapped"] += 1
        world.swap(one, other)
        if random.random() < 0.7:
            world.crash(third)
            world.clock.after(0.3, lambda: world.up(third))
            for wait_s in (1.0, 2.0, 5.0):
                world.clock.after(wait_s, self.replace_offered)
        world.clock.after(random.uniform(3.0, 20.0), world.everybody_home)

    def acquainted(self) -> bool:
        """Everybody has a link to everybody."""
        return all(
            (peer := self.world.peer(_full(engine)[0], other)) is not None
            and peer.link.state == LinkState.UP
            for engine in self.world.engines
            for other in self.world.engines
            if other is not engine
        )

    def _act(self) -> None:
        engine = self.random.choice(self.world.engines)
        clients = _full(engine)
        client = self.random.choice(clients)
        if client.view is None or not client.view.peers:
            return
        peer = self.random.choice(client.view.peers)
        for _ in range(2 if self.random.random() < TOGETHER else 1):
            kinds, weights = zip(*self._kinds, strict=True)
            self.random.choices(kinds, weights)[0](client, peer)
            client = self.random.choice(clients)
            if client.view is None:
                return

    def _ask(self, client: SimClient, command: cmd.Command, what: str) -> int:
        self.world.counts[what] += 1
        self.world.note(client.name, f"{what}: {command}"[:150])
        return client.ask(command)

    def _later(
        self, client: SimClient, number: int, then: Callable[[object], None], wait_s: float = 6.0
    ) -> None:
        """With the result, None for a refusal; unless neither came in time."""

        def look(left_s: float = wait_s) -> None:
            reply = client.replies.get(number)
            if reply is not None:
                then(reply.result)
            elif left_s > 0:
                self.world.clock.after(0.2, lambda: look(left_s - 0.2))

        look()

    def _add(self, client: SimClient, peer: PeerView) -> None:
        others = [e for e in self.world.engines if e is not client.engine]
        host, port = self.random.choice([*(self.world.address_of(e) for e in others), NOBODY])
        name = self.random.choice(("", "", "somebody"))
        self._ask(client, cmd.AddPeer(host, port, name), "peer added")

    def _remove(self, client: SimClient, peer: PeerView) -> None:
        self._ask(client, cmd.RemovePeer(peer.info.peer), "peer removed")
        if self.random.random() < 0.5 and peer.info.host:
            again = cmd.AddPeer(peer.info.host, peer.info.port)
            who = self.random.choice(_full(client.engine))
            wait_s = self.random.choice((0.0, 0.0, 0.01, 0.5))
            self.world.clock.after(wait_s, lambda: self._again(who, again))

    def _again(self, client: SimClient, command: cmd.AddPeer) -> None:
        self._ask(client, command, "peer added again")

    def _rename(self, client: SimClient, peer: PeerView) -> None:
        name = self.random.choice(("Bob", "Alice", "é", "10.0.0.1:5001"))
        self._ask(client, cmd.SetPeer(peer.info.peer, name), "peer renamed")

    def _accept(self, client: SimClient, peer: PeerView) -> None:
        self._ask(client, cmd.TrustPeer(peer.info.peer, "accept"), "peer accepted")

    def _verify(self, client: SimClient, peer: PeerView) -> None:
        self._ask(client, cmd.TrustPeer(peer.info.peer, "verified"), "peer verified")

    def replace_offered(self) -> None:
        """Everybody who is shown another key for somebody takes it."""
        for engine in self.world.engines:
            for client in _full(engine)[:1]:
                for peer in client.view.peers if client.view else []:
                    if peer.info.offered_key:
                        self._replace(client, peer)

    def _replace(self, client: SimClient, peer: PeerView) -> None:
        info = peer.info
        number = self._ask(
            client, cmd.TrustPeer(info.peer, "replace", info.offered_key), "key replaced"
        )
        if not info.offered_key:
            return  # refused
        self.world.counts["key offered"] += 1
        # An engine that dies before it answers may have stored it.
        replaced, keys = self.world.replaced[client.engine.name], (info.key, info.offered_key)
        replaced.update(keys)

        def take_back(result: object) -> None:
            if result is None:
                replaced.subtract(keys)

        self._later(client, number, take_back, REFUSED_WITHIN_S)

    def _invite(self, client: SimClient, peer: PeerView) -> None:
        number = peer.info.peer if self.random.random() < 0.5 else 0
        asked = self._ask(client, cmd.MakeInvite(number), "invite made")
        others = [e for e in self.world.engines if e is not client.engine]
        guest = self.random.choice(others)

        def enter(result: object) -> None:
            if not isinstance(result, cmd.Invited):
                return
            host, port = self.world.address_of(client.engine)
            who = self.random.choice(_full(guest))
            self._ask(who, cmd.AddPeer(host, port, invite=result.code), "invite entered")

        self._later(client, asked, enter)

    def _retry(self, client: SimClient, peer: PeerView) -> None:
        self._ask(client, cmd.RetryPeer(peer.info.peer), "peer retried")

    def _write(self, client: SimClient, peer: PeerView) -> None:
        client.say("while you are changed", peer.info.peer)
        client.ask(cmd.SetDraft(peer.info.peer, "half", peer.draft_revision))

    def _get_to_know(self, client: SimClient, other: SimEngine) -> None:
        if client.view is None:
            return
        host, port = self.world.address_of(other)
        there = [p for p in client.view.peers if (p.info.host, p.info.port) == (host, port)]
        known = self.world.peer(client, other)
        if known is not None:
            if known.info.trust == Trust.PENDING:
                client.ask(cmd.TrustPeer(known.info.peer, "accept"))
            elif known.info.offered_key == known.info.key:
                # A history that was rolled back knows a key that known_peers does not name.
                client.ask(cmd.TrustPeer(known.info.peer, "replace", known.info.key))
            elif known.link.state != LinkState.UP:
                client.ask(cmd.RetryPeer(known.info.peer))
        elif not there:
            client.ask(cmd.AddPeer(host, port))
        elif there[0].info.key and there[0].info.key != public_key(other):
            client.ask(cmd.RemovePeer(there[0].info.peer))
        elif there[0].info.trust == Trust.INVITED:
            client.ask(cmd.TrustPeer(there[0].info.peer, "accept"))
        else:
            client.ask(cmd.RetryPeer(there[0].info.peer))


def _full(engine: SimEngine) -> list[SimClient]:
    return [client for client in engine.clients if client.role == "full"]
