"""What the two HELLOs of a link say about both histories: what is impossible, what is missing."""

from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.reasons import NoticeCode
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
    """The notices when the two histories do not agree."""
    found = (
        ("warning", NoticeCode.HISTORY_GAP, result.gap),
        ("info", NoticeCode.PEER_LOST_HISTORY, result.peer_lost),
        ("warning", NoticeCode.OWN_HISTORY_LOST, result.own_lost),
    )
    return [
        ev.notice(level, code, count, peer=result.peer) for level, code, count in found if count
    ]
