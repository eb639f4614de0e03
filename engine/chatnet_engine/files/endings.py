"""What each ending that the other side may send means to people here: a reason or none."""

from collections.abc import Mapping

from chatnet_protocol.ipc.reasons import Reason, TransferReason, reason
from chatnet_protocol.wire.control import EndCode

SENT_TO_SENDER: Mapping[int, Reason | None] = {
    EndCode.CANCELLED: None,
    EndCode.REJECTED: None,
    EndCode.TOO_MANY: reason(TransferReason.PEER_OFFERS_FULL),
    EndCode.SOURCE: reason(TransferReason.NOT_READ),
    EndCode.TARGET: reason(TransferReason.PEER_NOT_STORED),
    EndCode.UNKNOWN: reason(TransferReason.PEER_UNKNOWN),
    EndCode.LOST: reason(TransferReason.UNKNOWN_HERE),
}
SENT_TO_RECEIVER: Mapping[int, Reason | None] = {
    EndCode.CANCELLED: None,
    EndCode.REJECTED: None,
    EndCode.TOO_MANY: reason(TransferReason.OFFERS_FULL),
    EndCode.SOURCE: reason(TransferReason.PEER_NOT_READ),
    EndCode.TARGET: reason(TransferReason.NOT_STORED),
    EndCode.UNKNOWN: reason(TransferReason.PEER_UNKNOWN),
    EndCode.LOST: reason(TransferReason.UNKNOWN_HERE),
}
OWN_ENDINGS = frozenset({EndCode.REJECTED, EndCode.TOO_MANY})
"""Only a receiver ends it so, even if it has forgotten."""

ONLY_OFFERS = "Only an offer can be rejected; cancel this transfer."
