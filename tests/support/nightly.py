"""One folder that is offered again and again, each time as the new state of the last one."""

from chatnet_engine.clock import Now
from chatnet_engine.files.detail import decode_detail
from chatnet_engine.files.update_wire import KeptFolder
from chatnet_protocol.limits import MIB
from fake_files import World
from file_pair import PEER

FIRST, SECOND, THIRD = (bytes((number,)) * 16 for number in (1, 2, 3))
UNTIL = "proj (until today)"


class Nightly(World):
    """A offers one folder again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.a.process.folders["proj"] = ["a.txt", "b.txt"]
        self.pair.link(True)

    def begin(self, transfer_id: bytes, auto: int = 256 * MIB, name: str = "proj") -> None:
        self.b.auto_accept_bytes = auto
        self.a.transfers.offer(transfer_id, PEER, [f"/home/a/{name}"], Now(self.a.clock, 1), True)
        self.settle()
        self.pair.deliver_offer(transfer_id)
        self.settle()

    def send(self, transfer_id: bytes) -> None:
        self.begin(transfer_id)
        self.run(lambda: self.pair.both("done", transfer_id))

    def allow(self, transfer_id: bytes, allowed: bool = True) -> None:
        self.b.transfers.allow_updates(transfer_id, allowed, Now(self.b.clock, 1))
        self.settle()

    def reasons(self, transfer_id: bytes) -> tuple[str, str]:
        rows = [side.row(transfer_id) for side in (self.a, self.b)]
        a, b = (row.differences.not_updated if row.differences else "" for row in rows)
        return a, b

    def kept(self, transfer_id: bytes) -> list[KeptFolder]:
        stored = self.b.store[transfer_id]
        return decode_detail(stored.detail, stored.listing)[0].kept
