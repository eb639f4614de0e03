"""A front end in the simulated world: it keeps what it was told, for checkers to read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chatnet_protocol import codec
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ids import uuid7
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc import envelope
from chatnet_protocol.ipc.events import Event, MessagesAdded
from chatnet_protocol.ipc.view import View
from chatnet_protocol.version import IPC_VERSION

if TYPE_CHECKING:
    from simworld.engine import SimEngine


KEEP_ALIVE_S = 5.0
FINAL = (ErrorCode.UNKNOWN_PEER, ErrorCode.REFUSED)
RETRY_S = 0.5
"""A text that was refused is sent again after this."""


def forget(kind: str, frame: bytes) -> None:
    """Nobody records."""


class SimClient:
    """Attaches with a snapshot after each engine start, then applies every event."""

    def __init__(self, engine: SimEngine, name: str, role: str) -> None:
        self.engine = engine
        self.name = name
        self.role = role
        self.routing_id = name.encode()
        self.view: View | None = None
        self.events: list[Event] = []
        self.replies: dict[int, envelope.Reply] = {}
        self.texts: list[tuple[int, bool, str]] = []
        """(no, mine, text) of every message told of, in order, across engine restarts."""
        self.unanswered: dict[bytes, str] = {}
        """Texts insisted on that are not known to be queued, by id, in order."""
        self.record: Callable[[str, bytes], None] = forget
        """Given every frame: (`asked` | `reply` | `told`, frame)."""
        self.gone = False
        """The front end died; nothing reaches it any more."""
        self.gives_up = False
        """A text to a peer that is not there, or not accepted, is not sent again."""
        self.answers: dict[bytes, bytes] = {}
        """By id of an own text: the id of the message that it answers."""
        self.peer_of: dict[bytes, int] = {}
        """To whom they go."""
        self._asked: dict[int, bytes] = {}
        self._attached = 0
        self._seq = 0
        self._boot = b""
        self._parts: list[bytes] = []
        self._wanted = 0
        self._pending: list[envelope.Publication] = []
        self._request = 0

    def ask(self, command: cmd.Command) -> int:
        """Send a command; its number, under which the reply will be found."""
        self._request += 1
        self._send(envelope.Request(self._request, command))
        return self._request

    def _send(self, request: envelope.Request) -> None:
        frame = codec.pack(request)
        if not self.gone:
            self.record("asked", frame)
            self.engine.request(self.routing_id, frame)

    def say(self, text: str, peer: int = 1, reply_to: bytes = b"") -> bytes:
        """Send a text until it is queued, which may answer a message; its id."""
        message_id = uuid7(self.engine.clock.wall_ms, self.engine.random(10))
        self.insist(text, message_id, peer, reply_to)
        return message_id

    def ask_text(self, text: str, peer: int = 1) -> int:
        """Send a text once; the number of the request."""
        message_id = uuid7(self.engine.clock.wall_ms, self.engine.random(10))
        return self.ask(cmd.SendMessage(message_id, peer, text))

    def insist(self, text: str, message_id: bytes, peer: int = 1, reply_to: bytes = b"") -> None:
        """Send a text, and again after each engine start until it is queued."""
        self.unanswered[message_id] = text
        self.peer_of[message_id] = peer
        if reply_to:
            self.answers[message_id] = reply_to
        if self.view is not None:
            self._request += 1
            self._asked[self._request] = message_id
            answers = self.answers.get(message_id, b"")
            command = cmd.SendMessage(message_id, peer, text, reply_to=answers)
            request = envelope.Request(self._request, command)
            self._send(request)

    def _insist_again(self, message_id: bytes) -> None:
        if message_id in self.unanswered and not self.gone:
            self.insist(self.unanswered[message_id], message_id, self.peer_of[message_id])

    def engine_started(self) -> None:
        """Attach (again)."""
        self.view = None
        self._pending = []
        self._parts = []
        self._attached += 1
        self.ask(cmd.Attach(self.name, self.role, IPC_VERSION))
        self._keep_alive(self._attached)

    def _keep_alive(self, attached: int) -> None:
        if attached == self._attached and not self.gone:
            self.ask(cmd.KeepAlive(self._seq))
            self.engine.clock.after(KEEP_ALIVE_S, lambda: self._keep_alive(attached))

    def publication(self, topic: bytes, frame: bytes) -> None:
        """What came on the SUB socket."""
        if topic != envelope.TOPIC_EVENTS or self.gone:
            return
        self.record("told", frame)
        publication = envelope.decode_publication(frame)
        if self.view is None or publication.first_seq > self._seq + 1:
            self._pending.append(publication)
        elif publication.boot == self._boot:
            self._apply(publication)

    def reply(self, frame: bytes) -> None:
        """What came on the DEALER socket."""
        if self.gone:
            return
        self.record("reply", frame)
        reply = envelope.decode_reply(frame)
        self.replies[reply.id] = reply
        if isinstance(reply.result, cmd.Queued) and reply.id in self._asked:
            self.unanswered.pop(self._asked[reply.id], None)
        elif reply.failure and reply.id in self._asked:
            message_id = self._asked[reply.id]
            if self.gives_up and reply.failure.code in FINAL:
                self.unanswered.pop(message_id, None)
            self.engine.clock.after(RETRY_S, lambda: self._insist_again(message_id))
        match reply.result:
            case cmd.Attached() as attached:
                self._boot, self._seq, self._wanted = attached.boot, attached.seq, attached.parts
                self._parts = []
                self.ask(cmd.FetchSnapshot(attached.boot, attached.seq, 0))
            case cmd.SnapshotPart() as part:
                self._parts.append(part.data)
                if len(self._parts) < self._wanted:
                    next_part = len(self._parts)
                    self.ask(cmd.FetchSnapshot(self._boot, self._seq, next_part))
                    return
                self.view = View.from_parts(self._parts)
                self.ask(cmd.FetchEvents(self._boot, self._seq + 1))
            case cmd.EventsPage() as page:
                if page.data:
                    self._apply(envelope.decode_publication(page.data))
                    if self._pending and self._pending[0].first_seq > self._seq + 1:
                        self.ask(cmd.FetchEvents(self._boot, self._seq + 1))
                        return
                pending, self._pending = self._pending, []
                for publication in pending:
                    self._apply(publication)
                for message_id, text in list(self.unanswered.items()):
                    self.insist(text, message_id, self.peer_of[message_id])
            case _:
                pass

    def _apply(self, publication: envelope.Publication) -> None:
        assert self.view is not None
        if publication.boot != self._boot:
            return
        for offset, event in enumerate(publication.events):
            seq = publication.first_seq + offset
            if seq <= self._seq:
                continue
            assert seq == self._seq + 1, "a gap where nothing is dropped"
            self._seq = seq
            self.view.apply(event)
            self.events.append(event)
            if isinstance(event, MessagesAdded):
                self.texts += [(row.no, row.mine, row.text) for row in event.rows]
