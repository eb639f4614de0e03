"""Which traces published events leave: links and peers always, messages only when wanted."""

import pytest

from chatnet_engine.node.event_traces import trace_event
from chatnet_engine.trace import Kind, Tracer
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import AckRange, MessageRow, SessionRow
from chatnet_protocol.ipc.view import View

ROW = MessageRow(7, b"i" * 16, True, 1, b"secret", 1, 2, 3, 4, "", 5, 7)
MESSAGES: list[tuple[ev.Event, Kind, dict[str, int]]] = [
    (
        ev.MessagesAdded(1, 7, [ROW]),
        Kind.MESSAGES_ADDED,
        {"mine": True, "count": 1, "no": 7, "seq": 3, "ack": 4},
    ),
    (ev.MessagesRestored(1, 7, [ROW, ROW]), Kind.MESSAGES_RESTORED, {"count": 2}),
    (ev.MessagesDelivered(1, 9, []), Kind.MESSAGES_DELIVERED, {"seq": 9, "ack": 0}),
    (
        ev.MessagesDelivered(1, 9, [AckRange(9, 8, 1)]),
        Kind.MESSAGES_DELIVERED,
        {"seq": 9, "ack": 8},
    ),
    (
        ev.MarksMoved(1, 2, 3, 4, 5, 6),
        Kind.MARKS_MOVED,
        {"sent": 2, "peer_shown": 3, "peer_read": 4, "my_shown": 5, "my_read": 6},
    ),
]


def view() -> View:
    return View(SessionRow("s", "me", "0.0.0.0", 1, b"k" * 32, "fp", "/inbox"))


@pytest.mark.parametrize(("event", "kind", "fields"), MESSAGES)
def test_messages_are_traced_when_that_is_wanted(
    event: ev.Event, kind: Kind, fields: dict[str, int]
) -> None:
    quiet, wanted = Tracer(), Tracer(detail=True)
    for tracer in (quiet, wanted):
        trace_event(tracer, event, view())
    assert quiet.take() == []
    [trace] = wanted.take()
    assert (trace.peer, trace.kind, trace.fields) == (1, kind, fields)


@pytest.mark.parametrize("event", [ev.DraftChanged(1, 1, "secret", 1), ev.TypingChanged(1, True)])
def test_what_a_person_writes_is_never_traced(event: ev.Event) -> None:
    tracer = Tracer(detail=True)
    trace_event(tracer, event, view())
    assert tracer.take() == []


def test_a_message_that_failed_is_traced_by_its_number() -> None:
    tracer = Tracer()
    trace_event(tracer, ev.MessageFailed(1, 7, "withdrawn"), view())
    [trace] = tracer.take()
    assert (trace.peer, trace.kind, trace.fields) == (1, Kind.MESSAGE_FAILED, {"no": 7})
