"""Everything that is known of one message, as lines and for programs. Pure."""

from typing import Any

import msgspec

from chatnet_cli import render
from chatnet_client.words import deliveries
from chatnet_client.words.messages import failure_words
from chatnet_client.words.states import state_sentence
from chatnet_protocol.ipc.commands import Delivery
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.ipc.view import PeerView, message_state


def detail_lines(row: MessageRow, delivery: Delivery, peer: PeerView) -> list[str]:
    """The message, its steps with their times, and the numbers."""
    name = render.peer_name(peer.info)
    state = message_state(row, peer) if row.mine else ""
    lines = [render.message_line(row, peer, day=True)]
    if row.mine:
        lines.append(failure_words(row.failed) if row.failed else state_sentence(state, name))
    steps = deliveries.steps_of(row, delivery, name)
    for step in steps:
        first = steps[0] if step is not steps[0] else None
        lines.append(f"{step.name}: {deliveries.after_words(step, first)}")
    facts = deliveries.facts_of(row, delivery)
    facts += [("Sequence number", str(row.seq))] if row.mine else []
    facts += [("Position in history", str(row.no)), ("Id", row.id.hex())]
    lines += [f"{name}: {render.escape_line(value)}" for name, value in facts]
    missing = deliveries.missing_words(row, delivery, state)
    return [*lines, missing] if missing else lines


def details_object(message: dict[str, Any], delivery: Delivery) -> dict[str, Any]:
    """The message as in every `--json`, and under `delivery` what the engine remembers; a time that
    is not known is 0."""
    facts = msgspec.structs.asdict(delivery)
    facts["packets"] = [msgspec.structs.asdict(packet) for packet in delivery.packets]
    return {**message, "delivery": facts}
