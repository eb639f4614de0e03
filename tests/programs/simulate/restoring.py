"""People who lost a history ask for it back, and the others mostly consent."""

from random import Random

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.view import PeerView
from simulate.world import World, public_key
from simworld.client import SimClient
from simworld.engine import SimEngine

RESTORE_S = 60.0
"""From the ask to the last message, once nothing is wrong."""
LOOK_S = 0.5


def at_random(world: World, random: Random, end_s: float) -> None:
    """Now and then somebody asks, stops asking, consents or refuses."""
    while random.random() < 0.9:
        moment = random.uniform(0, end_s - world.clock.now_s)
        engine = random.choice(world.engines)
        chosen = random.random()
        world.clock.after(moment, lambda e=engine, c=chosen: _act(e, c))  # type: ignore[misc]


def _act(engine: SimEngine, chosen: float) -> None:
    for client, peer in _conversations(engine):
        if peer.restore.theirs == "asked":
            client.ask(cmd.AnswerRestore(peer.info.peer, chosen < 0.7))
        elif peer.restore.mine == "possible" or chosen < 0.1:
            client.ask(cmd.AskRestore(peer.info.peer))
        elif chosen > 0.9:
            client.ask(cmd.AskRestore(peer.info.peer, False))


class EverybodyAsks:
    """Who ever lost anything asks once more, all at the same time; everybody consents."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._asked: dict[tuple[str, bytes], str] = {}
        self._look()

    def done(self) -> bool:
        """Everything has come back to everybody."""
        losers = [engine for engine in self.world.engines if self.world.lost[engine.name]]
        return all(
            self._asked.get((engine.name, public_key(other))) == "done"
            for engine in losers
            for other in self.world.engines
            if other is not engine
        )

    def _look(self) -> None:
        for engine in self.world.engines:
            for client, peer in _conversations(engine):
                if peer.restore.theirs == "asked":
                    client.ask(cmd.AnswerRestore(peer.info.peer, True))
                if self.world.lost[engine.name]:
                    self._follow(engine, client, peer)
        if not self.done():
            self.world.clock.after(LOOK_S, self._look)

    def _follow(self, engine: SimEngine, client: SimClient, peer: PeerView) -> None:
        key = (engine.name, peer.info.key)
        state = self._asked.get(key, "")
        if state == "":
            # What is under way from before has not seen what was lost later.
            wanted = peer.restore.mine not in ("asking", "running")
            client.ask(cmd.AskRestore(peer.info.peer, wanted))
            self._asked[key] = "asked" if wanted else ""
        elif state == "asked":
            if peer.restore.mine in ("asking", "running"):
                self._asked[key] = "running"
            else:  # the engine died over it
                client.ask(cmd.AskRestore(peer.info.peer))
        elif peer.restore.mine == "done" and state == "running":
            self._asked[key] = "done"
            self.world.counts["restore finished"] += 1


def _conversations(engine: SimEngine) -> list[tuple[SimClient, PeerView]]:
    """Each peer of an engine, with a front end that may ask."""
    client = next(client for client in engine.clients if client.role == "full")
    return [(client, peer) for peer in client.view.peers] if client.view else []
