"""What front ends were told, against the histories: nothing too early, no gap, no lie."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from checker.histories import History
from checker.tapes import Life, Tape, lives_of, row_of, withdrawn

if TYPE_CHECKING:
    from checker.verdict import Side

WATERMARKS = ("sent_seq", "delivered_seq", "peer_shown", "peer_read", "my_shown", "my_read")
MARKS_EVENT = ("sent_seq", "peer_shown", "peer_read", "my_shown", "my_read")


def check_told(side: Side) -> Iterator[str]:
    """All tapes of one engine's front ends."""
    yield from _failed(side)
    first: dict[tuple[bytes, int], Any] = {}
    revisions: dict[tuple[int, int, int], str] = {}
    for tape in side.tapes:
        lives = lives_of(tape)
        for life in lives:
            for text in _life(life, side):
                yield f"{tape.name}: {text}"
            for seq, event in life.events.items():
                if first.setdefault((life.boot, seq), event) != event:
                    yield f"{tape.name}: event {seq} differs between front ends"
            for peer, revision, draft in life.drafts:
                known = revisions.setdefault((life.generation, peer, revision), draft)
                if known != draft:
                    yield f"draft revision {revision} was given to two texts"


def _failed(side: Side) -> Iterator[str]:
    """A message fails when a person withdraws it, and for no other reason."""
    failed = {m.id: m.seq for history in side.histories for m in history.messages if m.failed}
    if failed and side.tapes:
        for tape in side.tapes:
            for message_id in withdrawn(tape):
                failed.pop(message_id, None)
        for seq in failed.values():
            yield f"message {seq} failed and nobody withdrew it"


def _life(life: Life, side: Side) -> Iterator[str]:
    yield from life.problems
    history = side.histories[life.generation]
    rows = {message.no: message for message in history.messages}
    yield from _no_gap(life)
    yield from _queued(life, history)
    marks = {
        peer: {name: fields[name] for name in WATERMARKS} for peer, fields in life.snapshot.items()
    }
    # A snapshot may be some seconds old. Of an engine that died before the events between were
    # fetched, the front end keeps what was published since and shows none of it.
    shown = bool(life.snapshot) and life.snapshot_seq + 1 in life.events
    next_no = life.snapshot_no + 1
    for seq in sorted(life.events):
        event = life.events[seq]
        kind = event["type"]
        known = marks.setdefault(event.get("peer", 0), dict.fromkeys(WATERMARKS, 0))
        if kind in ("MessagesAdded", "MessagesRestored"):
            for values in event["rows"]:
                told = row_of(values)
                message = rows.get(told["no"])
                if seq > life.snapshot_seq and shown:
                    if kind == "MessagesRestored" and told["no"] < next_no:
                        continue  # it was there, and its counter is another one now
                    if told["no"] != next_no:
                        yield f"message {told['no']} was told of where {next_no} was due"
                    next_no = told["no"] + 1
                if message is None:
                    yield f"message {told['no']} was told of and is not in the history"
                elif (message.id, message.body, message.mine, message.reply_to) != (
                    told["id"], told["body"], told["mine"], told["reply_to"],
                ):  # fmt: skip
                    yield f"message {told['no']} was told differently"
                elif not message.mine and message.ack != told["ack"]:
                    yield f"message {told['no']} was told with ACK {told['ack']}"
        elif kind == "MessagesDelivered":
            known["delivered_seq"] = max(known["delivered_seq"], event["delivered_seq"])
            yield from _delivered(event, history)
        elif kind == "MarksMoved" and (seq > life.snapshot_seq or not life.snapshot):
            # Up to snapshot_seq: told to a subscriber that was not attached yet, then in the
            # snapshot, which is newer.
            for name in MARKS_EVENT:
                if event[name] < known[name]:
                    yield f"{name} went back from {known[name]} to {event[name]}"
                known[name] = event[name]


def _no_gap(life: Life) -> Iterator[str]:
    """From the snapshot on, a front end misses no event."""
    after = sorted(seq for seq in life.events if seq > life.snapshot_seq)
    if life.snapshot and after and after != list(range(after[0], after[0] + len(after))):
        yield "an event is missing"


def _queued(life: Life, history: History) -> Iterator[str]:
    own = {message.id: message for message in history.messages if message.mine}
    for message_id, (no, seq) in life.queued.items():
        message = own.get(message_id)
        _, text, reply_to = life.wrote[message_id]
        if message is None:
            yield f"{text[:20]!r} was said to be queued and is not in the history"
        elif (message.no, message.seq) != (no, seq) and message.peer not in history.merged:
            yield f"{text[:20]!r} was said to be queued as {no} and is {message.no}"
        elif text and (message.body, message.reply_to) != (text.encode(), reply_to):
            yield f"{text[:20]!r} was queued as something else"


def _delivered(event: dict[str, Any], history: History) -> Iterator[str]:
    if event["peer"] in history.merged:
        return  # the running numbers are others now
    own = {message.seq: message for message in history.own_in(event["peer"])}
    for seq, ack, run in event["runs"]:
        for k in range(run):
            message = own.get(seq - k)
            if message is None or message.ack != ack - k:
                yield f"message {seq - k} was told delivered as ACK {ack - k} and is not"


def last_told(tape: Tape) -> dict[int, dict[str, Any]]:
    """By peer: watermarks and draft as this front end last heard of them, in its last life."""
    lives = lives_of(tape)
    if not lives:
        return {}
    life = lives[-1]
    names = (*WATERMARKS, "draft", "draft_revision")
    out = {peer: {name: fields[name] for name in names} for peer, fields in life.snapshot.items()}
    for seq in sorted(life.events):
        event = life.events[seq]
        fields = out.get(event.get("peer", 0))
        if event["type"] == "PeerRemoved" and seq > life.snapshot_seq:
            # What it was merged into has the counters and the draft of both.
            out.pop(event["peer"], None)
            out.pop(event["into"], None)
        if seq <= life.snapshot_seq or fields is None:
            continue
        if event["type"] == "MessagesDelivered":
            fields["delivered_seq"] = max(fields["delivered_seq"], event["delivered_seq"])
            fields["sent_seq"] = max(fields["sent_seq"], event["delivered_seq"])
        elif event["type"] == "MarksMoved":
            fields.update({name: max(fields[name], event[name]) for name in MARKS_EVENT})
        elif event["type"] == "DraftChanged":
            fields.update(draft=event["text"], draft_revision=event["revision"])
    return out


def check_last_told(tape: Tape, history: History) -> Iterator[str]:
    """A front end that is attached at the end shows what the history holds."""
    for peer, fields in last_told(tape).items():
        conversation = history.conversations.get(peer)
        if conversation is None:
            continue
        stored = conversation.marks | {
            "draft": conversation.draft, "draft_revision": conversation.draft_revision,
        }  # fmt: skip
        for name, value in stored.items():
            if fields[name] != value:
                yield f"{tape.name}: {name} was last told as {fields[name]!r}, stored {value!r}"
