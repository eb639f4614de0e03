"""A terminal chat without a terminal and without sockets, for tests of what it prints and asks."""

from typing import TypeVar

from chatnet_cli.chat_model import ChatModel
from chatnet_cli.slash import handle_line
from chatnet_client.attach import AttachMachine
from chatnet_client.client_events import EngineLost, Gauged
from chatnet_client.kept import Keeper, KeptTexts
from chatnet_protocol import codec
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc import events as ev
from local_world import LocalWorld

C = TypeVar("C", bound=cmd.CommandBase)
DAY = "-- Tuesday, 14 November 2023"
"""All messages of these tests are of one day, but for those of the test about days."""


STEPS = 6
"""Of a turn: as often do requests, answers and publications cross, and follow from each other."""
STEP_S = 0.01


class Chat:
    """A model, its attach machine and an engine with its peers, wired without sockets."""

    def __init__(
        self,
        world: LocalWorld | None = None,
        peer: str | None = None,
        watched: bool = True,
        keeper: Keeper | None = None,
    ) -> None:
        self.world = world or LocalWorld()
        self.ids = 0
        self.kept = (
            KeptTexts(keeper, new_id=self.new_id, wall_ms=lambda: self.world.clock.wall_ms)
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
        for _ in range(STEPS):
            self.now += STEP_S
            self.model.handle_timeout(self.now)
            for command in self.model.take_commands():
                self.machine.ask(command, self.now)
            self.machine.handle_timeout(self.now)
            if self.world.engine.is_up:
                self._exchange()
            for event in self.machine.take_events():
                self.model.handle_event(event)
        return [str(line) for line in self.model.take_lines() if str(line) != DAY]

    def _exchange(self) -> None:
        for request in self.machine.take_requests(self.now):
            reply = self.world.ask(b"chat", codec.pack(request))
            if reply is not None:
                self.machine.handle_reply(reply, self.now)
        self.world.run(STEP_S)
        for topic, frame in self.world.take_publications():
            if topic == envelope.TOPIC_EVENTS:
                self.machine.handle_publication(frame, self.now)

    def write(self, line: str) -> list[str]:
        handle_line(self.model, line, self.new_id)
        return self.turn()

    def gauge(self, gauge: ev.Gauge) -> None:
        """Statistics arrive; the engine's own are left out, so that these stay the newest."""
        self.model.handle_event(Gauged(gauge))

    def engine_dies(self, lost: EngineLost) -> list[str]:
        """kill -9, and the chat knows it; the lines that were printed."""
        self.world.crash()
        self.model.handle_event(lost)
        return self.turn()

    def engine_returns(self) -> list[str]:
        """The engine is started again and attached to; the lines that were printed."""
        self.world.boot()
        self.machine.handle_connected(self.now)
        return self.turn()

    def seen(self, kind: type[C]) -> list[C]:
        return [command for command in self.world.seen if isinstance(command, kind)]
