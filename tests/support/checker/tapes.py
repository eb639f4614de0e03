"""What one front end asked and was told, from the raw frames of its sockets.

Shares no code with the engine: frames are msgpack, and what they hold is taken from
protocol/README.md.
"""

from dataclasses import dataclass, field
from typing import Any

import msgpack

READ_ONLY_MAY = {
    "Attach", "Detach", "KeepAlive", "FetchSnapshot", "FetchEvents", "FetchHistory", "FetchStatus",
}  # fmt: skip
PEER_FIELDS = (
    "info", "link", "messages", "last_no", "last_seq", "last_ack", "sent_seq", "delivered_seq",
    "peer_shown", "peer_read", "my_shown", "my_read", "draft", "draft_revision", "typing",
)  # fmt: skip
ROW_FIELDS = (
    "no", "id", "mine", "kind", "body", "sent_ms", "arrived_ms", "seq", "ack", "source",
    "lamport", "place", "failed", "reply_to",
)  # fmt: skip


@dataclass(slots=True)
class Tape:
    """Frames in the order in which they crossed the sockets.

    `generation` counts how often the history behind the engine was lost (wiped, rolled back).
    """

    name: str
    role: str
    frames: list[tuple[int, str, bytes]] = field(default_factory=list)
    """(generation, `asked` | `reply` | `told`, frame)."""
    generation: int = 0

    def asked(self, frame: bytes) -> None:
        """A request left."""
        self.frames.append((self.generation, "asked", frame))

    def reply(self, frame: bytes) -> None:
        """A reply came."""
        self.frames.append((self.generation, "reply", frame))

    def told(self, frame: bytes) -> None:
        """A publication came."""
        self.frames.append((self.generation, "told", frame))


@dataclass(slots=True)
class Life:
    """What one boot of an engine told one front end, put in order."""

    generation: int
    boot: bytes
    snapshot: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By peer: its fields in the snapshot."""
    snapshot_seq: int = 0
    snapshot_no: int = 0
    events: dict[int, dict[str, Any]] = field(default_factory=dict)
    queued: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    """By message id: (no, seq) as replied."""
    wrote: dict[bytes, tuple[int, str, bytes]] = field(default_factory=dict)
    """By message id: (peer, text, id of the message it answers) as asked."""
    drafts: list[tuple[int, int, str]] = field(default_factory=list)
    """(peer, revision, text) of accepted ones."""
    problems: list[str] = field(default_factory=list)


def row_of(values: list[Any]) -> dict[str, Any]:
    """A message row by field names."""
    return dict(zip(ROW_FIELDS, [*values, ""], strict=False))


def lives_of(tape: Tape) -> list[Life]:
    """One after the other, in the order of the boots."""
    return _Reader(tape).read()


def withdrawn(tape: Tape) -> set[bytes]:
    """Ids of the messages that this front end asked to withdraw."""
    asked = (
        msgpack.unpackb(frame, raw=False)[1] for _, kind, frame in tape.frames if kind == "asked"
    )
    return {command["id"] for command in asked if command["type"] == "WithdrawMessage"}


class _Reader:
    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.lives: list[Life] = []
        self.asked: dict[int, dict[str, Any]] = {}
        self.parts: list[bytes] = []
        self.attached: dict[str, Any] = {}

    def read(self) -> list[Life]:
        for generation, kind, frame in self.tape.frames:
            plain = msgpack.unpackb(frame, raw=False)
            if kind == "asked":
                self.asked[plain[0]] = plain[1]
            elif kind == "told":
                self.publication(generation, plain, frame)
            else:
                self.reply(generation, *plain)
        return self.lives

    def life(self, generation: int, boot: bytes) -> Life:
        for life in self.lives:
            if life.boot == boot:
                return life
        self.lives.append(Life(generation, boot))
        return self.lives[-1]

    def publication(self, generation: int, plain: list[Any], frame: bytes) -> None:
        boot, first, events = plain
        life = self.life(generation, boot)
        for offset, event in enumerate(events):
            known = life.events.setdefault(first + offset, event)
            if known != event:
                life.problems.append(f"event {first + offset} was told in two versions")

    def reply(self, generation: int, number: int, failure: Any, result: Any) -> None:
        command = self.asked.get(number, {})
        kind = command.get("type", "")
        if self.tape.role == "read-only" and kind not in READ_ONLY_MAY and failure is None:
            life = self.lives[-1] if self.lives else Life(generation, b"")
            life.problems.append(f"a read-only front end was let do {kind}")
        if failure is not None:
            return
        name = result["type"]
        if name == "Attached":
            self.attached, self.parts = result, []
            if result["parts"]:  # else events go on after the cursor, without a new snapshot
                self.life(generation, result["boot"]).snapshot_seq = result["seq"]
        elif name == "SnapshotPart":
            self.parts.append(result["data"])
            if len(self.parts) == self.attached["parts"]:
                self.snapshot(generation)
        elif name == "EventsPage" and result["data"]:
            page = result["data"]
            self.publication(generation, msgpack.unpackb(page, raw=False), page)
        elif name == "Queued" and self.lives:
            life = self.lives[-1]
            life.queued[command["id"]] = (result["no"], result["seq"])
            words = (command.get("text", ""), command.get("reply_to", b""))
            life.wrote[command["id"]] = (command["peer"], *words)
        elif name == "DraftSet" and result["accepted"] and self.lives:
            life = self.lives[-1]
            life.drafts.append((command["peer"], result["revision"], result["text"]))
            if result["revision"] != command["base_revision"] + 1:
                life.problems.append("a draft was taken that was based on another revision")

    def snapshot(self, generation: int) -> None:
        view = msgpack.unpackb(b"".join(self.parts), raw=False)
        life = self.life(generation, self.attached["boot"])
        life.snapshot_no = view[4]
        for peer in view[1]:
            fields = dict(zip(PEER_FIELDS, peer, strict=False))
            fields["messages"] = [row_of(values) for values in fields["messages"]]
            life.snapshot[fields["info"][0]] = fields
