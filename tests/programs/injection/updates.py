"""The same with a folder that is offered again and again, for the earlier one to be updated: not
allowed, allowed, refused by the disk, and cut by the end of a file process and of the other engine.

Afterwards every transfer is done alike on both sides, and the newest state of the folder is whole
at one of the places where the receiver says that it put it.
"""

from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import TransferState
from injection.files import FilesWorld
from simworld.engine import SimEngine

HANDLERS = ("updating", "update_table")
NIGHTS = ("first", "second", "third", "fourth", "fifth")
IDS = {night: night.encode().rjust(16, b"\x02") for night in NIGHTS}
FOLDER = "nightly"
NAMES = ("a", "b")


class UpdatesWorld(FilesWorld):
    """B offers A its folder five times."""

    def make_engines(self) -> tuple[SimEngine, SimEngine, SimEngine]:
        made = super().make_engines()
        files = made[1].files
        assert files
        files.process.folders[FOLDER] = list(NAMES)
        return made

    def night(self, night: str, run_s: float) -> None:
        """Every file has other contents."""
        files = self.b.files
        assert files
        for number, name in enumerate(NAMES):
            files.sources[name] = f"{night} {number} ".encode() * 1000
        self.insist(self.at_b, cmd.OfferFiles(IDS[night], 1, [f"/home/{FOLDER}"], update=True))
        self.run(run_s)

    def talk(self) -> None:
        """What the exception falls into."""
        assert self.a.files
        self.at_a.say("a to c", 2)
        self.night("first", 1.0)
        self.night("second", 1.0)
        self.insist(self.at_a, cmd.AllowUpdates(IDS["second"]))
        self.run(0.2)
        self.night("third", 0.02)
        self.a.files.kill()
        self.run(2.0)
        self.night("fourth", 0.02)
        self.b.crash()
        self.run(0.5)
        self.b.up()
        self.run(3.0)
        self.a.files.process.refusal = "update-disk"
        self.night("fifth", 2.0)
        self.a.files.process.refusal = ""
        self.insist(self.at_a, cmd.AllowUpdates(IDS["fifth"], allowed=False))
        self.at_c.say("c to a")
        self.run(1.0)

    def transfers(self, engine: SimEngine) -> dict[str, str]:
        """The state of each offer, by its night."""
        found = engine.connection.execute("SELECT id, state FROM transfers ORDER BY id")
        return {bytes(one).lstrip(b"\x02").decode(): state for one, state in found}

    def file_problems(self) -> list[str]:
        found = []
        for engine in (self.a, self.b):
            states = self.transfers(engine)
            if states != dict.fromkeys(NIGHTS, TransferState.DONE):
                found.append(f"transfers at {engine.name}: {states}")
        assert self.a.files
        newest = b"".join(f"fifth {number} ".encode() * 1000 for number in range(len(NAMES)))
        if newest not in [data for _, data in self.a.files.process.disk.values()]:
            found.append("the newest state of the folder is nowhere")
        return found
