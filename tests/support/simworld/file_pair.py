"""Two engines with pretended file processes, for the simulated tests."""

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import TransferState
from simworld.client import SimClient
from simworld.pair import Pair

OFFER = b"offer".rjust(16)


class FilePair(Pair):
    """Engines `a` and `b`; `a` has something to offer."""

    def __init__(self, seed: int, size_bytes: int = 5000) -> None:
        super().__init__(seed, with_files=True)
        self.run(1)
        assert self.a.files
        self.a.files.sources["data"] = bytes(size_bytes)

    def network_cut(self, cut: bool) -> None:
        """Neither datagrams nor file connections get through."""
        assert self.shared
        self.set_line(cut=cut)
        self.shared.cut(cut)

    def offer(self, *paths: str, transfer_id: bytes = OFFER) -> int:
        """Offer these, else what there is; the number of the request."""
        return self.at_a.ask(cmd.OfferFiles(transfer_id, 1, list(paths or ["/home/data"])))

    def done(self) -> bool:
        """Whether both sides show one transfer, and that it is done."""
        return all(
            client.view and states(client) == [TransferState.DONE]
            for client in (self.at_a, self.at_b)
        )


def states(client: SimClient) -> list[str]:
    """Of the transfers that a client shows."""
    assert client.view
    return [transfer.state for transfer in client.view.transfers]
