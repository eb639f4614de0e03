"""Which traces published events leave: links and peers always, messages only when wanted."""

import pytest

from chatnet_engine.node.event_traces import trace_event
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.trace import Kind, Tracer
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.rows import (
    AckRange,
    ClientRow,
    LinkRow,
    LinkState,
    MessageRow,
    PeerRow,
    SessionRow,
)
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


ALWAYS: list[tuple[ev.Event, int, Kind, dict[str, object]]] = [
    (ev.MessageFailed(1, 7, "withdrawn"), 1, Kind.MESSAGE_FAILED, {"no": 7}),
    (ev.PeerRemoved(1, 2), 1, Kind.PEER_REMOVED, {"into": 2}),
    (ev.CountersRaised(1, 5, 6), 1, Kind.COUNTERS_RAISED, {"by": 6}),
    (
        ev.ClientAttached(ClientRow(3, "secret", "full", 4)), 0, Kind.CLIENT_ATTACHED,
        {"client": 3, "role": "full"},
    ),
    (ev.ClientDetached(3), 0, Kind.CLIENT_DETACHED, {"client": 3}),
    (
        ev.Notice("error", "store-failed", ["secret"], 1), 1, Kind.ENGINE_NOTICE,
        {"code": "store-failed", "level": "error"},
    ),
    (ev.EngineStopping("secret"), 0, Kind.ENGINE_STOPPING, {}),
    (
        ev.LinkChanged(LinkRow(1, LinkState.UP, 5, "10.0.0.2:5002")), 1, Kind.LINK_STATE,
        {"old": "idle", "new": "up", "address": ("10.0.0.2", 5002)},
    ),
    (
        ev.PeerChanged(PeerRow(1, "secret", "secret", 5, trust="verified", offered_key=b"k")), 1,
        Kind.PEER_TRUST, {"old": "pinned", "new": "verified", "key_offered": True},
    ),
    (
        ev.PeerChanged(PeerRow(2, "secret", "", 0, trust="pending")), 2, Kind.PEER_ADDED,
        {"trust": "pending", "typed": False},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("event", "peer", "kind", "fields"), ALWAYS)
def test_what_becomes_of_links_and_peers_is_always_traced(
    event: ev.Event, peer: int, kind: Kind, fields: dict[str, object]
) -> None:
    before = view()
    before.apply(ev.PeerChanged(PeerRow(1, "secret", "secret", 5, trust="pinned")))
    tracer = Tracer()
    trace_event(tracer, event, before)
    [trace] = tracer.take()
    assert (trace.peer, trace.kind, trace.fields) == (peer, kind, fields)


def test_every_event_that_is_published_is_traced() -> None:
    tracer = Tracer()
    publisher = Publisher(b"boot1234", view(), tracer)
    publisher.publish(ev.ClientDetached(3))
    assert [trace.kind for trace in tracer.take()] == [Kind.CLIENT_DETACHED]
