"""What each event does to a view, as (view, event, view): protocol/vectors/view.json is made of it.

Random events, and cases that a reducer gets wrong easily. To write the file anew after a deliberate
change: `python tests/support/behaviour_vectors.py`.
"""

import json
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack
import msgspec

import golden_vectors as golden
from chatnet_protocol import codec
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc import rows, view
from chatnet_protocol.version import IPC_VERSION

BEYOND_A_DOUBLE = 2**53
"""A double holds this and not the next integer."""
SMALL_SESSION = rows.SessionRow("1", "A", "0.0.0.0", 1, b"k" * 32, "f", "/in")
SMALL_PEER = rows.PeerRow(1, "Bob", "h", 2)
SMALL_LINK = rows.LinkRow(1, "up", golden.SENT_MS)


class Author:
    """Makes random events that an engine could publish."""

    def __init__(self, seed: int, sizes: tuple[int, ...] = (1, 20, 3_000, 40_000)) -> None:
        self.random = random.Random(seed)
        self.sizes = sizes
        self.no = 42
        self.lamport = 41

    def number(self, most: int) -> int:
        return self.random.randint(0, most)

    def row(self) -> rows.MessageRow:
        self.no += 1
        self.lamport += self.number(2)
        mine = self.random.random() < 0.5
        return msgspec.structs.replace(
            golden.OWN_ROW,
            no=self.no,
            id=self.random.randbytes(16),
            mine=mine,
            body=b"x" * self.random.choice(self.sizes),
            seq=self.no - 20 if mine else 0,
            ack=0 if mine else self.no - 20,
            lamport=self.lamport,
            place=self.no if self.random.random() < 0.8 else self.no - self.number(30),
        )

    def event(self) -> ev.Event:
        peer = self.random.choice([1, 1, 1, 2, 3])
        added = [self.row() for _ in range(self.number(4))]
        first = added[0].no if added else 0
        newest = sorted(added, key=view.screen_order)
        runs = [rows.AckRange(self.no - 20 - self.number(5), self.no, 1 + self.number(8))]
        marks = [self.number(self.no) for _ in range(5)]
        state = self.random.choice(list(rows.TransferState))
        transfer = msgspec.structs.replace(
            golden.TRANSFER, id=bytes([self.number(3)]) * 16, state=state, peer=peer
        )
        client = msgspec.structs.replace(golden.CLIENT, client=self.number(4))
        choices: list[ev.Event] = [
            *[ev.MessagesAdded(peer, first, added)] * 6,
            ev.MessagesRestored(peer, first, added),
            ev.MessagesRestored(peer, first, added, newest),
            ev.RestoreChanged(rows.RestoreRow(peer, "running", "none", self.no)),
            *[ev.MessagesDelivered(peer, self.number(self.no), runs)] * 3,
            ev.MessageFailed(peer, self.no - self.number(9), "no"),
            ev.CountersRaised(peer, self.no - 20 - self.number(9), 1 + self.number(9)),
            *[ev.MarksMoved(peer, *marks)] * 3,
            ev.DraftChanged(peer, self.no, self.random.choice(["", "so far"]), 3),
            ev.TypingChanged(peer, self.random.random() < 0.5),
            ev.PeerChanged(msgspec.structs.replace(golden.PEER, peer=peer, name=f"n{self.no}")),
            ev.PeerRemoved(2 + self.number(1), self.number(1), newest),
            ev.LinkChanged(msgspec.structs.replace(golden.LINK, peer=peer, links=self.no)),
            ev.TransferChanged(transfer),
            ev.ClientAttached(client),
            ev.ClientDetached(self.number(4)),
            ev.Notice("info", "x", ["y"], peer),
            ev.SessionChanged(msgspec.structs.replace(SMALL_SESSION, display_name=f"n{self.no}")),
            ev.EngineStopping("bye"),
        ]
        return self.random.choice(choices)


# --- (view, event, view) ---------------------------------------------------------------------


class Unknown(msgspec.Struct, tag_field="type", tag="PollOpened"):
    """An event that no version has; stands for those of later versions."""

    peer: int = 1


class Case(NamedTuple):
    """One event on one view."""

    name: str
    before: view.View
    event: msgspec.Struct


def copy(of: view.View) -> view.View:
    return codec.unpack(codec.pack(of), view.View, 1 << 20)


def small_view(*peers: int, no: int = 0) -> view.View:
    made = view.View(SMALL_SESSION, last_no=no)
    for peer in peers:
        made.apply(ev.PeerChanged(msgspec.structs.replace(SMALL_PEER, peer=peer)))
    return made


def text(no: int, **fields: object) -> rows.MessageRow:
    """A text of the peer's with number, ACK number, place and Lamport counter `no`."""
    made = msgspec.structs.replace(
        golden.PEERS_ROW, no=no, id=no.to_bytes(16, "big"), kind=1, body=b"t", ack=no,
        lamport=no, place=no, source="",
    )  # fmt: skip
    return msgspec.structs.replace(made, **fields)


def own(no: int, **fields: object) -> rows.MessageRow:
    """An own text with number and `seq` `no`."""
    return msgspec.structs.replace(text(no), **{"mine": True, "ack": 0, "seq": no, **fields})


def holding(*added: rows.MessageRow, peers: tuple[int, ...] = (1,)) -> view.View:
    made = small_view(*peers)
    for row in added:
        made.apply(ev.MessagesAdded(peers[0], row.no, [row]))
    return made


def rules() -> Iterator[Case]:
    """Cases that a reducer gets wrong easily."""
    yield Case("an event of a later version changes nothing", holding(text(1)), Unknown())
    large = [
        text(no, lamport=BEYOND_A_DOUBLE + 3 - no, place=1, id=bytes([no]) * 16) for no in (1, 2)
    ]
    yield Case(
        "counters beyond 2^53 are compared as integers",
        small_view(1),
        ev.MessagesAdded(1, 1, large),
    )
    full = holding(*[text(no) for no in range(1, 51)])
    yield Case("the 51st message moves the oldest out", full, ev.MessagesAdded(1, 51, [text(51)]))
    yield Case(
        "an empty list of messages changes nothing", holding(text(1)), ev.MessagesAdded(1, 0, [])
    )
    yield Case(
        "of an unknown peer only the last number", small_view(1), ev.MessagesAdded(9, 7, [text(7)])
    )
    yield Case(
        "a run gives ACK numbers to rows that have none",
        holding(own(1), own(2, ack=9), own(3), own(4)),
        ev.MessagesDelivered(1, 3, [rows.AckRange(3, 12, 3)]),
    )
    yield Case(
        "a message that comes back stands where it was",
        holding(text(1), text(5)),
        ev.MessagesRestored(1, 6, [text(6, place=1, lamport=2)]),
    )
    yield Case(
        "a known number is replaced",
        holding(own(1, failed="withdrawn"), text(2)),
        ev.MessagesRestored(1, 1, [own(1, ack=4)]),
    )
    yield Case(
        "the tail replaces the messages",
        holding(text(1), text(5)),
        ev.MessagesRestored(1, 6, [text(6, place=1, lamport=2)], [text(6, place=1), text(5)]),
    )
    yield Case(
        "raised counters change the order",
        holding(own(1, place=3), text(3), own(2, place=3)),
        ev.CountersRaised(1, 1, 7),
    )
    merged = holding(own(1), own(2), peers=(1, 2))
    merged.apply(ev.MessagesDelivered(1, 2, []))
    merged.apply(ev.MessagesAdded(2, 3, [own(3, seq=1)]))
    merged.apply(ev.DraftChanged(2, 4, "so far", 1))
    merged.apply(ev.TransferChanged(msgspec.structs.replace(golden.TRANSFER, peer=2)))
    kept = [own(1), own(2), own(3)]
    yield Case("two peers are one person", merged, ev.PeerRemoved(2, 1, kept))
    yield Case("a removed peer's transfers stay", merged, ev.PeerRemoved(2))
    alone = small_view(1)
    alone.apply(ev.TransferChanged(msgspec.structs.replace(golden.TRANSFER, peer=2)))
    yield Case("transfers move without conversations", alone, ev.PeerRemoved(2, 1))
    named = msgspec.structs.replace(SMALL_SESSION, display_name="Ann", inbox="/elsewhere")
    yield Case("the session has another name", holding(text(1)), ev.SessionChanged(named))
    yield Case("marks never fall", marked(), ev.MarksMoved(1, 4, 9, 3, 9, 4))


def marked() -> view.View:
    made = small_view(1)
    made.apply(ev.MarksMoved(1, 5, 5, 5, 5, 5))
    return made


def cases() -> list[Case]:
    """The rules above, and of random events the first two of each type that change the view and
    the first that does not."""
    found = list(rules())
    count: dict[tuple[str, bool], int] = {}
    for seed in range(200):
        author = Author(seed, sizes=(1, 9))
        now = small_view(1, 2)
        now.apply(ev.MessagesAdded(1, 43, [author.row(), author.row()]))
        for _ in range(3):
            event, before = author.event(), copy(now)
            now.apply(event)
            kind = (type(event).__name__, now != before)
            count[kind] = count.get(kind, 0) + 1
            if count[kind] <= 1 + kind[1]:
                found.append(Case(f"random events, seed {seed}: {kind[0]}", before, event))
    return found


def view_document() -> str:
    """The text of view.json."""
    lines = []
    for case in cases():
        after = copy(case.before)
        if not isinstance(case.event, Unknown):
            after.apply(case.event)  # type: ignore[arg-type]
        lines.append(
            {
                "name": case.name,
                "type": msgpack.unpackb(codec.pack(case.event))["type"],
                "value": golden.readable(msgspec.to_builtins(case.event, builtin_types=(bytes,))),
                "view": codec.pack(case.before).hex(),
                "event": codec.pack(case.event).hex(),
                "after": codec.pack(after).hex(),
            }
        )
    return document("What each event does to a view: View, event, View", "vectors", lines)


def document(about: str, name: str, lines: list[dict[str, Any]]) -> str:
    """The text of one file, a line a vector."""
    body = ",\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    head = f'{{"about": {json.dumps(about)},\n"version": {IPC_VERSION},\n"{name}": [\n'
    return head + body + "\n]}\n"


if __name__ == "__main__":
    (golden.VECTORS / "view.json").write_text(view_document(), encoding="utf-8")
