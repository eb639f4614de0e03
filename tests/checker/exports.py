"""What `chatnet export` printed, against the histories: the same messages, the same order at both.

Shares no code with the front ends: the fields are those that the README names.
"""

import json
from collections.abc import Iterator
from typing import Any

from checker.histories import TEXT, History


def messages_of(export: str) -> list[dict[str, Any]]:
    """The message objects of an export in JSON lines, in its order."""
    objects = [json.loads(line) for line in export.splitlines()]
    return [each for each in objects if each["type"] == "message"]


def check_export(export: str, history: History, key: bytes) -> Iterator[str]:
    """Every message of the history whose owner has `key`, once, as it is stored, in order."""
    shown = messages_of(export)
    stored = {message.no: message for message in history.messages}
    if sorted(each["no"] for each in shown) != sorted(stored):
        yield f"the export holds {len(shown)} messages, the history {len(stored)}"
        return
    for each in shown:
        message = stored[each["no"]]
        author = key if message.mine else message.with_key
        text = message.body.decode() if message.kind == TEXT else None
        told = (each["id"], each["mine"], each["text"], each["lamport"], each["author"])
        if told != (message.id.hex(), message.mine, text, message.lamport, author.hex()):
            yield f"message {message.no} is exported as something else"
        if not message.mine and each["ack"] != message.ack:
            yield f"message {message.no} is exported with ACK {each['ack']}"
    order = [(each["lamport"], each["author"], each["id"]) for each in shown]
    if order != sorted(order):
        yield "the export is not in the order (counter, author, id)"


def check_same(export: str, other: str) -> Iterator[str]:
    """At rest, two people who talk to nobody else have the same conversation."""
    fields = ("id", "text", "lamport", "author", "sent_ms")
    mine, theirs = (
        [tuple(each[name] for name in fields) for each in messages_of(text)]
        for text in (export, other)
    )
    if mine != theirs:
        yield "the exports of the two sides differ"
