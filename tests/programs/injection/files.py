"""The same with files: offers both ways, taken automatically, by command and not at all, paused,
cancelled, and cut by the end of a file process and of the other engine.

Afterwards every transfer has ended alike on both sides, and what arrived is what was sent.
"""

from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, TransferState
from chatnet_protocol.wire import control as ct
from chatnet_protocol.wire.messages import CHANNEL_CONTROL
from injection.scenario import A, B, C, World
from simworld.client import SimClient
from simworld.engine import SimEngine
from simworld.files import FilesNet

HANDLERS = (
    "transfers", "receiving", "sending", "transfer", "offering", "lookups", "quota", "schedule",
    "table", "outputs", "progress", "restored",
)  # fmt: skip
SIZE_BYTES = 20_000
END_S = 300.0
AGAIN = (ErrorCode.INTERNAL, ErrorCode.FILE, ErrorCode.BUSY, ErrorCode.UNKNOWN_TRANSFER)
NAMES = ("auto", "asked", "refused", "paused", "cancelled", "sent", "late")
IDS = {name: name.encode().rjust(16, b"\x01") for name in NAMES}


class FilesWorld(World):
    """A, which is linked to B, with whom it exchanges files, and to C."""

    def __init__(self) -> None:
        self._insisted: list[tuple[SimClient, cmd.Command, int]] = []
        self._answered: set[bytes] = set()
        super().__init__()

    def make_engines(self) -> tuple[SimEngine, SimEngine, SimEngine]:
        shared = FilesNet(self.clock)
        made = [
            SimEngine(self.clock, self.network, name, addr, shared)
            for name, addr in (("a", A), ("b", B), ("c", C))
        ]
        for engine in made[:2]:
            assert engine.files
            for number, name in enumerate(NAMES):
                engine.files.sources[name] = bytes([number]) * SIZE_BYTES
        return made[0], made[1], made[2]

    def insist(self, client: SimClient, command: cmd.Command) -> None:
        """Ask, and again while the engine failed inside."""
        self._insisted.append((client, command, client.ask(command)))

    def offer(self, client: SimClient, name: str) -> None:
        self.insist(client, cmd.OfferFiles(IDS[name], 1, [f"/home/{name}"]))

    def talk(self) -> None:
        """What the exception falls into."""
        assert self.a.files
        self.at_a.say("a to c", 2)
        self.at_b.say("b to a")
        self.offer(self.at_b, "auto")
        self.offer(self.at_a, "sent")
        self.run(0.3)
        self.insist(self.at_a, cmd.SetPeer(1, auto_accept_bytes=0))
        self.run(0.1)
        for name in ("asked", "refused", "paused"):
            self.offer(self.at_b, name)
        self.offer(self.at_a, "cancelled")
        self.run(0.03)
        self.insist(self.at_a, cmd.CancelTransfer(IDS["cancelled"]))
        self.run(0.3)
        self.insist(self.at_a, cmd.AcceptTransfer(IDS["asked"]))
        self.insist(self.at_a, cmd.RejectTransfer(IDS["refused"]))
        self.insist(self.at_a, cmd.AcceptTransfer(IDS["paused"]))
        self.run(0.04)
        self.insist(self.at_a, cmd.PauseTransfer(IDS["paused"]))
        self.run(0.03)
        self.a.files.kill()
        self.run(0.3)
        self.insist(self.at_a, cmd.ResumeTransfer(IDS["paused"]))
        self.insist(self.at_a, cmd.OfferFiles(IDS["sent"], 1, ["/home/sent"]))
        self.unknown_controls()
        self.run(0.05)
        self.b.crash()
        self.run(0.3)
        self.b.up()
        self.run(3.0)
        self.offer(self.at_b, "late")
        self.run(0.5)
        self.insist(self.at_a, cmd.AcceptTransfer(IDS["late"]))
        self.insist(self.at_a, cmd.AcceptTransfer(IDS["refused"]))
        self.at_c.say("c to a")
        self.run(1.0)

    def unknown_controls(self) -> None:
        """B speaks of a transfer that A does not know."""
        session = self.b.node.links.sessions.get(1)
        for control in (ct.TransferStatus(b"?" * 16, False), ct.Done(b"!" * 16)):
            if session:
                session.send(CHANNEL_CONTROL, ct.encode_control(control))
        self.b.node.turn.due.touch(1)
        self.b.turn()

    def settled(self) -> bool:
        self._ask_again()
        self._answer_offers()
        return super().settled() and all(
            state in ENDED_TRANSFER_STATES
            for engine in (self.a, self.b)
            for state in self.transfers(engine).values()
        )

    def _ask_again(self) -> None:
        for place, (client, command, request) in enumerate(self._insisted):
            reply = client.replies.get(request)
            if reply and reply.failure and reply.failure.code in AGAIN:
                del self._insisted[place]
                self.insist(client, command)
                return

    def _answer_offers(self) -> None:
        """What came later than it should have is still on the screen."""
        for one in self.at_a.view.transfers if self.at_a.view else ():
            waits = one.state == TransferState.OFFERED and not one.mine
            if waits and one.id not in self._answered:
                self._answered.add(one.id)
                self.insist(self.at_a, cmd.AcceptTransfer(one.id))

    def end_s(self) -> float:
        return END_S

    def transfers(self, engine: SimEngine) -> dict[str, str]:
        """The state of each offer, by name."""
        found = engine.connection.execute("SELECT id, state FROM transfers ORDER BY id")
        return {bytes(one).lstrip(b"\x01").decode(): state for one, state in found}

    def problems(self) -> list[str]:
        found = [*super().problems(), *self.file_problems()]
        for _, command, request in self._insisted:
            if not any(request in client.replies for client in self.clients):
                found.append(f"{command} was never answered")
        return found

    def file_problems(self) -> list[str]:
        """What is wrong with transfers and with what arrived."""
        found = []
        ours, theirs = self.transfers(self.a), self.transfers(self.b)
        if ours != theirs or sorted(ours) != sorted(NAMES):
            found.append(f"transfers at a {ours}, at b {theirs}")
        for engine, names in ((self.a, set(NAMES) - {"sent", "cancelled"}), (self.b, {"sent"})):
            assert engine.files
            for name in names:
                arrived = [
                    data
                    for path, (_, data) in engine.files.process.disk.items()
                    if path.endswith(name)
                ]
                done = self.transfers(engine).get(name) == TransferState.DONE
                wanted = [engine.files.sources[name]] if done else []
                if arrived != wanted:
                    found.append(f"{engine.name}: {name} arrived {len(arrived)} times")
        return found
