"""What each ending that the other side may tell means to people here: one sentence or none."""

from collections.abc import Mapping

from chatnet_protocol.wire.control import EndCode

TOLD_SENDER: Mapping[int, str] = {
    EndCode.CANCELLED: "",
    EndCode.REJECTED: "",
    EndCode.TOO_MANY: "The other side has too many unanswered offers.",
    EndCode.SOURCE: "The files could not be read any more.",
    EndCode.TARGET: "The other side could not store the files.",
    EndCode.UNKNOWN: "The other side no longer knows this offer.",
    EndCode.LOST: "This side did not know the offer any more when it was asked for the files.",
}
TOLD_RECEIVER: Mapping[int, str] = {
    EndCode.CANCELLED: "",
    EndCode.REJECTED: "",
    EndCode.TOO_MANY: "Too many offers waited for an answer.",
    EndCode.SOURCE: "The other side no longer has these files as they were.",
    EndCode.TARGET: "The files could not be stored here.",
    EndCode.UNKNOWN: "The other side no longer knows this offer.",
    EndCode.LOST: "This side did not know the offer any more when the other side spoke of it.",
}
OWN_ENDINGS = frozenset({EndCode.REJECTED, EndCode.TOO_MANY})
"""Only a receiver ends it so, even if it has forgotten."""

TOO_MANY = "Too many offers of this peer wait for an answer."
DIFFERENT = "What arrived is not what was sent, repeatedly; one of the two machines is faulty."
ONLY_OFFERS = "Only an offer can be rejected; cancel this transfer."
QUEUED = "Waiting for other files to finish."
