"""A client attaches, misses events in three ways and is in the present again, frame by frame.

An engine's publisher and the client library's attach machine, with every frame between them; what
protocol/vectors/attach.json is made of. To write it anew after a deliberate change:
`python tests/support/attach_dialogue.py`.
"""

from typing import Any
from unittest import mock

import golden_vectors as golden
from behaviour_vectors import document, small_view, text
from chatnet_client.attach import AttachMachine
from chatnet_client.mirror import Mirror
from chatnet_engine.clock import Now
from chatnet_engine.node import publisher as engine
from chatnet_protocol import codec
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope, view
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.version import IPC_VERSION


class Dialogue:
    """An engine's publisher and a client's attach machine, every frame between them written
    down. What is published with `lost` does not arrive."""

    def __init__(self) -> None:
        self.now = Now(0.0, golden.SENT_MS)
        start = small_view(1)
        start.apply(ev.MessagesAdded(1, 42, [text(42)]))
        self.engine = engine.Publisher(golden.BOOT, start)
        self.engine.seq = 99
        self.client = AttachMachine("window")
        self.mirror = Mirror()
        self.steps: list[dict[str, Any]] = []

    def publish(self, *events: ev.Event, lost: bool = False, about: str) -> None:
        """The engine publishes events, and a head if one is due."""
        for event in events:
            self.engine.publish(event)
        for frame in self.engine.take_effects(self.now):
            if frame.topic == envelope.TOPIC_EVENTS or not events:
                self._note("engine", "events", about, frame.frame, topic=frame.topic, lost=lost)
                if not lost:
                    self._arrives(frame.topic, frame.frame)
        self.talk()

    def head(self, about: str) -> None:
        """A second passes, and the engine publishes its head."""
        self.now = Now(self.now.mono_s + 1.0, self.now.wall_ms + 1000)
        self.publish(about=about)

    def talk(self) -> None:
        """Requests and replies until the client has nothing to ask."""
        while requests := self.client.take_requests(self.now.mono_s):
            for request in requests:
                self._note("client", "commands", "", codec.pack(request))
            for request in requests:
                data = codec.pack(self._answer(request))
                self._note("engine", "commands", "", data)
                self.client.handle_reply(data, self.now.mono_s)
        for event in self.client.take_events():
            self.mirror.handle(event)

    def show(self) -> None:
        """What the client's picture has to be now."""
        assert self.mirror.view is not None
        seq = self.client.cursor.seq if self.client.cursor else 0
        self.steps.append(
            {"then": f"the view after event {seq}", "hex": codec.pack(self.mirror.view).hex()}
        )

    def _answer(self, request: envelope.Request) -> envelope.Reply:
        try:
            return envelope.Reply(request.id, None, self._result(request.command))
        except CommandError as error:
            failure = envelope.Failure(error.code, error.detail)
            return envelope.Reply(request.id, failure, None)

    def _result(self, command: cmd.Command) -> cmd.Result:
        this = self.engine
        match command:
            case cmd.Attach(cursor=cursor):
                assert not this.covers(cursor)
                seq, parts = this.open_snapshot(self.now, cursor.no if cursor else 0)
                last_no = this.view.last_no
                return cmd.Attached(this.boot, 1, seq, parts, this.seq, last_no, IPC_VERSION, [])
            case cmd.FetchSnapshot(boot=boot, seq=seq, part=part):
                return cmd.SnapshotPart(part, this.snapshot_part(boot, seq, part, self.now))
            case cmd.FetchEvents(boot=boot, first_seq=first):
                return cmd.EventsPage(this.events_page(boot, first))
            case _:
                raise AssertionError(command)

    def _arrives(self, topic: bytes, data: bytes) -> None:
        take = {
            envelope.TOPIC_EVENTS: self.client.handle_publication,
            envelope.TOPIC_HEAD: self.client.handle_head,
        }
        take[topic](data, self.now.mono_s)

    def _note(
        self, who: str, on: str, about: str, data: bytes, topic: bytes = b"", lost: bool = False
    ) -> None:
        line: dict[str, Any] = {"from": who, "on": on}
        if topic:
            line["topic"] = topic.decode()
        if about:
            line["about"] = about
        if lost:
            line["lost"] = True
        self.steps.append(line | {"hex": data.hex()})


def dialogue() -> list[dict[str, Any]]:
    """The frames of attach.json. Snapshot parts and ring are small, so that it stays short."""
    with (
        mock.patch.object(view, "SNAPSHOT_PART_BYTES", 120),
        mock.patch.object(engine, "EVENT_RING_EVENTS", 4),
    ):
        this = Dialogue()
        this.engine.take_effects(this.now)
        this.engine.publish(ev.TypingChanged(1, True))
        this.engine.take_effects(this.now)
        this.client.handle_connected(0.0)
        this.talk()
        this.show()
        this.publish(ev.MessagesAdded(1, 43, [text(43)]), about="the next event")
        added = ev.MessagesAdded(1, 44, [text(44)])
        this.publish(added, lost=True, about="dropped on its way: nobody notices yet")
        this.publish(ev.MarksMoved(1, 0, 0, 0, 43, 43), about="a number is missing before it")
        this.show()
        this.publish(ev.TypingChanged(1, False), lost=True, about="dropped, and nothing follows")
        this.head("the head shows what is missing")
        this.show()
        for no in range(45, 50):
            added = ev.MessagesAdded(1, no, [text(no)])
            this.publish(added, lost=True, about="dropped: more than the ring keeps")
        this.head("behind what the ring holds")
        this.show()
    return this.steps


def attach_document() -> str:
    """The text of attach.json."""
    about = "A client attaches, misses events in three ways, and is in the present again"
    return document(about, "steps", dialogue())


if __name__ == "__main__":
    (golden.VECTORS / "attach.json").write_text(attach_document(), encoding="utf-8")
