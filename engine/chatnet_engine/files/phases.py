"""The phases of a transfer, what leads from one to another, and what people may do about it."""

import enum
from collections.abc import Mapping

from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.wire import control as ct

S = TransferState


class Step(enum.Enum):
    """What can happen to a transfer; each side's table says where it leads."""

    ACCEPTED = enum.auto()
    CONNECTED = enum.auto()
    LOST = enum.auto()
    MOVED = enum.auto()
    DONE = enum.auto()


Table = Mapping[S, Mapping[Step, S]]
"""Without the endings by a code: those are possible in every phase."""

END_STATES: Mapping[int, S] = {
    ct.EndCode.CANCELLED: S.CANCELLED,
    ct.EndCode.REJECTED: S.REJECTED,
    ct.EndCode.TOO_MANY: S.REJECTED,
}
"""Every other code is a failure."""


class Act(enum.Enum):
    """What people do to a transfer besides offering and accepting it."""

    REJECT = enum.auto()
    """Refuse an offer."""
    PAUSE = enum.auto()
    """Hold it from this side."""
    RESUME = enum.auto()
    """Let go from this side."""
    CANCEL = enum.auto()
    """End it, from either side."""
