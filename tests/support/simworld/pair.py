"""Two engines that know each other, for the simulated tests."""

from chatnet_protocol.ipc.view import PeerView
from simworld.client import SimClient
from simworld.clock import Clock
from simworld.engine import COMMIT_S, SimEngine
from simworld.files import FilesNet
from simworld.network import Line, Network

A, B = ("10.0.0.1", 5001), ("10.0.0.2", 5002)
HEAL_S = 60.0


class Pair:
    """Engines `a` and `b`, a front end at each, and the line between."""

    def __init__(
        self,
        seed: int,
        line: Line | None = None,
        *,
        both_dial: bool = True,
        commit_s: tuple[float, float] = COMMIT_S,
        with_files: bool = False,
    ) -> None:
        self.clock = Clock(seed)
        self.network = Network(self.clock, line)
        self.shared = FilesNet(self.clock) if with_files else None
        self.a = SimEngine(self.clock, self.network, "a", A, self.shared)
        self.b = SimEngine(self.clock, self.network, "b", B, self.shared)
        for engine, other in ((self.a, B), (self.b, A)):
            engine.commit_s = commit_s
            engine.up()
            if both_dial or engine is self.a:
                engine.dial(other)
        self.at_a, self.at_b = self.a.attach(), self.b.attach()
        self.run(0.05)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run(self.clock.now_s + seconds)

    def peer(self, client: SimClient) -> PeerView:
        """What a client shows of the only peer."""
        assert client.view
        peer = client.view.peer(1)
        assert peer
        return peer

    def all_queued(self) -> bool:
        """Whether every text insisted on is durable."""
        return not self.at_a.unanswered and not self.at_b.unanswered

    def settled(self) -> bool:
        """Both sides know that everything of theirs has arrived."""
        for client in (self.at_a, self.at_b):
            if client.unanswered:
                return False
            if client.view is None or not client.view.peers:
                return False
            if client.view.peers[0].waiting:
                return False
        return True

    def settle(self, within_s: float = HEAL_S) -> None:
        """Demand that both outboxes empty within that time."""
        done = self.clock.run(self.clock.now_s + within_s, self.settled)
        assert done, "not everything was delivered in time"

    def set_line(self, **fields: float) -> None:
        """Change both directions of the line."""
        for source, target in (("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")):
            line = self.network.line(source, target)
            for name, value in fields.items():
                setattr(line, name, value)

    def texts(self, engine: SimEngine, *, mine: bool) -> list[str]:
        """Texts in the database of one side, in history order."""
        rows = engine.connection.execute(
            "SELECT body FROM messages WHERE (seq > 0) = ? ORDER BY no", (mine,)
        )
        return [bytes(body).decode() for (body,) in rows]

    def check(self, said_a: list[str], said_b: list[str]) -> None:
        """Everything once and in order in both histories, and views equal to the stores."""
        assert self.texts(self.b, mine=False) == said_a
        assert self.texts(self.a, mine=False) == said_b
        assert self.texts(self.a, mine=True) == said_a
        assert self.texts(self.b, mine=True) == said_b
        for engine, client in ((self.a, self.at_a), (self.b, self.at_b)):
            assert client.view
            assert client.view.durable() == engine.ledger.load_view(engine.session())
