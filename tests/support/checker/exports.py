"""Whether what `chatnet export` wrote equals the database, and what the other side exported.

Shares no code with the front end: the lines are JSON, the database is read through its view
`conversation`, as anybody from outside would.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

KINDS = {1: "text", 2: "offer"}
SAME_ON_BOTH_SIDES = ("id", "kind", "text", "ack", "sent_ms", "lamport", "author", "reply_to")


@dataclass(slots=True)
class Export:
    """The lines of one export, by what they are."""

    head: dict[str, Any] = field(default_factory=dict)
    peers: dict[int, dict[str, Any]] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)

    def with_person(self, key: str) -> list[dict[str, Any]]:
        """The conversation with whoever has that key (hex), in the order of the export."""
        numbers = {number for number, peer in self.peers.items() if peer["key"] == key}
        return [message for message in self.messages if message["peer"] in numbers]


def parse_export(text: str) -> Export:
    """From the text of the file; raises ValueError or KeyError for what is none."""
    export = Export()
    for number, line in enumerate(text.removesuffix("\n").split("\n")):
        value = json.loads(line)
        if number == 0:
            assert value["type"] == "export", "the first line says what it is"
            export.head = value
        elif value["type"] == "peer":
            export.peers[value["peer"]] = value
        else:
            export.messages.append(value)
    return export


def check_export(export: Export, database: sqlite3.Connection) -> Iterator[str]:
    """What an export says that its database does not, or the other way round."""
    own_key = export.head["key"]
    if export.head["messages"] != len(export.messages):
        yield f"{export.head['messages']} messages are announced, {len(export.messages)} follow"
    keys = dict(database.execute("SELECT peer, hex(key) FROM peers WHERE listed"))
    told = {message["no"]: message for message in export.messages}
    if len(told) != len(export.messages):
        yield "a message is exported twice"
    rows = database.execute(
        "SELECT no, peer, id, mine, kind, body, sent_ms, arrived_ms, ack, source, lamport, failed,"
        " iif(reply_to = x'', NULL, lower(hex(reply_to)))"
        " FROM conversation"
    ).fetchall()
    for no, peer, m_id, mine, kind, body, *rest in rows:
        author = own_key if mine else keys.get(peer, "").lower()
        stored = {
            "no": no, "peer": peer, "id": bytes(m_id).hex(), "mine": bool(mine),
            "kind": KINDS.get(kind, "text"),
            "text": bytes(body).decode(errors="replace") if kind == 1 else None,
            "author": author,
        }  # fmt: skip
        names = ("sent_ms", "arrived_ms", "ack", "from", "lamport", "failed", "reply_to")
        stored |= dict(zip(names, rest, strict=True))
        message = told.pop(no, None)
        if message is None:
            yield f"message {no} is not exported"
            continue
        for name, value in stored.items():
            if (message.get(name) or None) != (value or None):
                yield f"{name} of message {no} is exported as {message.get(name)!r}, not {value!r}"
    for no in told:
        yield f"message {no} is exported and not in the history"
    yield from _order(export)


def _order(export: Export) -> Iterator[str]:
    """One conversation after the other, each by (Lamport counter, key of the author, id)."""
    seen: list[int] = []
    before: tuple[Any, ...] = ()
    for message in export.messages:
        if message["peer"] not in seen[-1:]:
            if message["peer"] in seen:
                yield f"the conversation with peer {message['peer']} is torn conflicted"
            seen.append(message["peer"])
            before = ()
        place = (message["lamport"], message["author"], message["id"])
        if place <= before:
            yield f"message {message['no']} is not where its Lamport counter says"
        before = place


def check_same(ours: Export, theirs: Export, *, complete: bool) -> Iterator[str]:
    """Delivered messages are the same in both exports, in the same order.

    `complete`: everything has arrived and no history was lost; else only what both have counts,
    and what an author who lost it wrote again has another time, counter and ACK number until the
    conversation has come back (`restored` checks that).
    """
    mine = _delivered(ours, theirs.head["key"])
    others = _delivered(theirs, ours.head["key"])
    if complete:
        for lacking in sorted(mine.keys() ^ others.keys()):
            yield f"{lacking} is in one export and not in the other"
    both = [key for key in mine if key in others]
    if complete and both != [key for key in others if key in mine]:
        yield "the two exports have different orders"
    for key in both:
        for name in SAME_ON_BOTH_SIDES:
            here, there = mine[key][name], others[key][name]
            if here != there and (complete or name not in ("ack", "lamport", "sent_ms")):
                yield f"{name} of {key} is {here!r} in one export and {there!r} in the other"


def _delivered(export: Export, key: str) -> dict[tuple[str, str], dict[str, Any]]:
    """By (author, id): the peer's messages, and own ones that the peer has committed."""
    return {
        (message["author"], message["id"]): message
        for message in export.with_person(key)
        if not message["mine"] or message["ack"]
    }
