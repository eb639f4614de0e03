"""A terminal chat without a terminal and without sockets, for tests of what it prints and asks."""

from chatnet_cli.chat_model import ChatModel
from chatnet_cli.slash import handle_line
from chatnet_client.attach import AttachMachine
from chatnet_client.kept import Keeper, KeptTexts
from chatnet_protocol import codec
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from fake_engine import FakeCore

DAY = "-- Tuesday, 14 November 2023"
"""All messages of these tests are of one day, but for those of the test about days."""


class Chat:
    """A model, its attach machine and a core, wired without sockets."""

    def __init__(
        self,
        core: FakeCore | None = None,
        peer: str | None = None,
        watched: bool = True,
        keeper: Keeper | None = None,
    ) -> None:
        self.core = core or FakeCore()
        self.ids = 0
        self.kept = (
            KeptTexts(keeper, new_id=self.new_id, wall_ms=lambda: 1_700_000_000_000)
            if keeper is not None
            else None
        )
        self.model = ChatModel(peer, watched=watched, new_id=self.new_id, kept=self.kept)
        self.machine = AttachMachine("test", keep_up=True)
        self.now = 0.0
        self.first_lines = self.turn()

    def new_id(self) -> bytes:
        self.ids += 1
        return (1000 + self.ids).to_bytes(16, "big")

    def turn(self) -> list[str]:
        """Everything that is under way arrives; the lines that were printed."""
        for _ in range(6):
            self.now += 0.01
            self.model.handle_timeout(self.now)
            for command in self.model.take_commands():
                self.machine.ask(command, self.now)
            self.machine.handle_timeout(self.now)
            for request in self.machine.take_requests(self.now):
                self.machine.handle_reply(
                    self.core.handle_request(b"r", codec.pack(request)), self.now
                )
            for topic, frame in self.core.publications:
                if topic == envelope.TOPIC_EVENTS:
                    self.machine.handle_publication(frame, self.now)
                else:
                    self.machine.handle_gauges(frame, self.now)
            self.core.publications.clear()
            for event in self.machine.take_events():
                self.model.handle_event(event)
        return [str(line) for line in self.model.take_lines() if str(line) != DAY]

    def write(self, line: str) -> list[str]:
        handle_line(self.model, line, self.new_id)
        return self.turn()

    def seen(self, kind: type) -> list[cmd.Command]:
        return [command for command in self.core.seen if isinstance(command, kind)]
