"""What the two HELLOs of a link say about both histories: what is impossible, what is missing."""

from chatnet_protocol import commit as c
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.limits import MAX_TOTAL_AHEAD
from chatnet_protocol.wire.messages import Hello


def check_hello(hello: Hello, state: c.PeerState) -> None:
    """Raises RemoteProtocolError for counters that no honest peer can have reached."""
    ahead = (
        hello.acked_total - state.received_total,
        hello.received_total - state.acked_total,
        hello.lamport - state.lamport,
    )
    if max(ahead) > MAX_TOTAL_AHEAD:
        raise RemoteProtocolError("a HELLO counter is too far ahead")


def loss_notices(result: c.HelloApplied) -> list[ev.Notice]:
    """What people are told when the two histories do not fit."""
    out: list[ev.Notice] = []
    if result.gap:
        text = (
            f"{result.gap} messages that the peer delivered earlier are missing from this "
            "history, because it was restored or replaced."
        )
        out.append(ev.Notice("warning", "history-gap", text, result.peer))
    if result.peer_lost:
        text = (
            f"The peer's history lost {result.peer_lost} messages it had before; "
            "yours still has them."
        )
        out.append(ev.Notice("info", "peer-lost-history", text, result.peer))
    if result.own_lost:
        text = (
            f"The peer has {result.own_lost} messages of yours that are missing from this "
            "history, because it was restored or replaced."
        )
        out.append(ev.Notice("warning", "own-history-lost", text, result.peer))
    return out
