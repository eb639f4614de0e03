"""What a Connection tells its owner; drained by `take_events`, in the order in which it happened
for each channel. Past tense throughout."""

from typing import TypeAlias

from msgspec import Struct

from chatnet_protocol.wire.frames import Receipt


class HelloArrived(Struct, frozen=True):
    """The peer's first words; exactly one in the life of a Connection."""

    body: bytes


class MessagesArrived(Struct, frozen=True):
    """The next messages of a channel, in order and without a gap."""

    channel: int
    first_number: int
    messages: list[bytes]
    at: float
    """When the last of them became complete."""


class ReceiptsArrived(Struct, frozen=True):
    """Commits at the peer; the window has opened accordingly. No message is counted by two."""

    receipts: list[Receipt]


class MessagesSent(Struct, frozen=True):
    """Every byte of the messages up to `upto` has been in a packet at least once."""

    channel: int
    upto: int


class StateArrived(Struct, frozen=True):
    """The newest value of a latest-value state."""

    key: int
    value: bytes


class PathChallenged(Struct, frozen=True):
    """The peer validates a path; the response leaves with the next packet."""

    token: bytes


class PathResponded(Struct, frozen=True):
    """The peer answered a challenge with this token; whose it was is for the owner to say."""

    token: bytes


class Closed(Struct, frozen=True):
    """The peer ended the link; nothing follows."""

    code: int
    reason: str


Event: TypeAlias = (
    HelloArrived
    | MessagesArrived
    | ReceiptsArrived
    | MessagesSent
    | StateArrived
    | PathChallenged
    | PathResponded
    | Closed
)
