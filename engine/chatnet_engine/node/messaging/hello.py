"""What the two HELLOs of a link say about both histories: what is impossible, what is missing."""

from chatnet_engine.node.messaging.outbox import Outbox
from chatnet_protocol import commit as c
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import NoticeCode
from chatnet_protocol.limits import MAX_TOTAL_AHEAD
from chatnet_protocol.wire.messages import Hello


def our_hello(
    state: c.PeerState, outbox: Outbox, remote_incarnation: int, name: str, fast_aes: bool
) -> Hello:
    """What we say of our history of a peer."""
    return Hello(
        base=outbox.base,
        mark=state.mark if state.incarnation == remote_incarnation else 0,
        acked_total=max(outbox.acked, state.acked_total),
        received_total=state.received_total,
        lamport=state.lamport,
        name=name,
        fast_aes=fast_aes,
    )


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
    found = (
        ("warning", NoticeCode.HISTORY_GAP, result.gap),
        ("info", NoticeCode.PEER_LOST_HISTORY, result.peer_lost),
        ("warning", NoticeCode.OWN_HISTORY_LOST, result.own_lost),
    )
    return [
        ev.notice(level, code, count, peer=result.peer) for level, code, count in found if count
    ]
