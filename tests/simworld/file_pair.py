"""Two engines with pretended file processes, for the simulated tests."""

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import TransferState
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.files import FilesNet
from simworld.network import Network
from simworld.pair import A, B, Pair

OFFER = b"offer".rjust(16)


class FilePair(Pair):
    """Engines `a` and `b`; `a` has something to offer."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.clock, self.network = Clock(seed), Network(Clock(seed))
        self.network.clock = self.clock
        shared = FilesNet(self.clock)
        self.a = SimEngine(self.clock, self.network, "a", A, shared)
        self.b = SimEngine(self.clock, self.network, "b", B, shared)
        for engine, other in ((self.a, B), (self.b, A)):
            engine.up()
            engine.dial(other)
        self.at_a, self.at_b = self.a.attach(), self.b.attach()
        self.run(1)
        assert self.a.files
        self.a.files.sources["data"] = bytes(5000)

    def offer(self, transfer_id: bytes = OFFER) -> None:
        """Offer it."""
        self.at_a.ask(cmd.OfferFiles(transfer_id, 1, ["/home/data"]))

    def done(self) -> bool:
        """Whether both sides show one transfer, and that it is done."""
        views = [client.view for client in (self.at_a, self.at_b)]
        return all(
            view is not None and [t.state for t in view.transfers] == [TransferState.DONE]
            for view in views
        )
