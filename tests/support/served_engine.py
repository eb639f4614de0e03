"""An engine of a simulated world whose local sockets somebody else carries."""

from collections import deque

from msgspec.structs import replace

from chatnet_engine.addresses import Addr
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.version import PRODUCT_VERSION
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.files import FilesNet
from simworld.network import Network

HERE: Addr = ("192.0.2.1", 12345)


class ServedEngine(SimEngine):
    """An engine whose frames for front ends are kept until somebody carries them."""

    def __init__(self, clock: Clock, network: Network, files: FilesNet, session: str) -> None:
        super().__init__(clock, network, session, HERE, files)
        self.publications: deque[tuple[bytes, bytes]] = deque()
        self.replies: deque[tuple[bytes, bytes]] = deque()
        self.commit_s = self.usual_commit_s = (0.0, 0.0)
        self.checked = False
        self.restarts, self.died_of = 0, ""
        """As a supervisor tells of the life before."""

    def session(self) -> SessionRow:
        """With the words that tests look for."""
        row = super().session()
        return replace(
            row, display_name="alice", host="0.0.0.0", inbox="/tmp/inbox", log="/tmp/engine.log",
            version=PRODUCT_VERSION, restarts=self.restarts, died_of=self.died_of,
        )  # fmt: skip

    def publish(self, topic: bytes, frame: bytes) -> None:
        """For everybody who listens."""
        self.publications.append((topic, frame))

    def reply(self, routing_id: bytes, frame: bytes) -> None:
        """For one front end."""
        self.replies.append((routing_id, frame))
