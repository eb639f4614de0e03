"""What the engine announces. Every event is a msgpack map whose `type` is the class name.

Numbered events (`Event`) reach every client exactly once, in order, and are all that changes the
view. Gauges (`Gauge`) carry a revision instead of a number: a lost one is replaced by the next.
"""

from msgspec import Struct

from chatnet_protocol.ipc.reasons import NoticeCode, Reason, reason
from chatnet_protocol.ipc.rows import (
    AckRange,
    ClientRow,
    LinkRow,
    MessageRow,
    PeerRow,
    RestoreRow,
    SessionRow,
    TransferRow,
)


class EventBase(Struct, frozen=True, gc=False, tag=True, tag_field="type"):
    """Common shape of all events."""


class MessagesAdded(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Messages were committed to the history, own or the peer's; `rows` have dense `no`."""

    peer: int
    first_no: int
    rows: list[MessageRow]


class MessagesRestored(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Older messages were restored from the peer; their `place` is before their `no`.

    A row whose `no` is known replaces that one: its Lamport counter is now what the peer has, or
    it turned out to be delivered. `tail`, if any: the newest messages as they stand afterwards,
    where they do not follow from `rows` and what a view held.
    """

    peer: int
    first_no: int
    rows: list[MessageRow]
    tail: list[MessageRow] | None = None


class MessagesDelivered(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The peer committed own messages up to `delivered_seq` and gave them ACK numbers."""

    peer: int
    delivered_seq: int
    runs: list[AckRange]


class MessageFailed(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """One own message will never be sent."""

    peer: int
    no: int
    reason: str


class CountersRaised(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Own messages after `after_seq`, none of them sent yet, now stand `by` higher in Lamport
    order, because the peer's history turned out to be ahead."""

    peer: int
    after_seq: int
    by: int


class MarksMoved(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Watermarks of one conversation; each only ever grows.

    `sent_seq` counts own messages; the others are ACK numbers: what the peer's front ends have
    shown and read of ours, and what ours have shown and read of the peer's.
    """

    peer: int
    sent_seq: int
    peer_shown: int
    peer_read: int
    my_shown: int
    my_read: int


class DraftChanged(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The text being written to a peer, shared by all front ends of the session."""

    peer: int
    revision: int
    text: str
    client: int
    """Who wrote it; 0 when a sent message cleared it."""


class TypingChanged(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Whether the peer is typing."""

    peer: int
    typing: bool


class PeerChanged(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A peer is new or something about it changed."""

    row: PeerRow


class PeerRemoved(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A peer was removed; `into` is the peer its messages moved to, or 0.

    Own messages count on after those of `into`; `rows` are the newest messages there afterwards.
    """

    peer: int
    into: int = 0
    rows: list[MessageRow] = []


class LinkChanged(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The state of a link changed."""

    row: LinkRow


class TransferChanged(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A transfer is new or its state changed; progress alone comes as a gauge."""

    row: TransferRow


class RestoreChanged(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Somebody asks for a conversation back, or this goes on."""

    row: RestoreRow


class SessionChanged(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The own display name or the inbox is another one."""

    row: SessionRow


class ClientAttached(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A front end attached."""

    row: ClientRow


class ClientDetached(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A front end detached, its connection ended, or it was silent for CLIENT_TIMEOUT_S."""

    client: int


class Notice(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Something a person should know; not part of the view."""

    level: str
    """`info`, `warning` or `error`."""
    code: str
    """A NoticeCode value."""
    params: list[str] = []
    peer: int = 0
    """Whom it is about; 0: the session."""

    @property
    def reason(self) -> Reason:
        """Code and parameters."""
        return Reason(self.code, self.params)


def notice(level: str, code: NoticeCode, *params: object, peer: int = 0) -> Notice:
    """A notice with the parameters that its code has."""
    return Notice(level, str(code), reason(code, *params).params, peer)


class EngineStopping(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The last event of a boot: the engine ends on purpose."""

    reason: str


class SkippedEvent(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Stands for an event of a type that this version does not know: its number counts, it
    changes nothing. Never on the wire."""


Event = (
    MessagesAdded
    | MessagesRestored
    | MessagesDelivered
    | MessageFailed
    | CountersRaised
    | MarksMoved
    | DraftChanged
    | TypingChanged
    | PeerChanged
    | PeerRemoved
    | LinkChanged
    | TransferChanged
    | RestoreChanged
    | SessionChanged
    | ClientAttached
    | ClientDetached
    | Notice
    | EngineStopping
    | SkippedEvent
)


class LinkGauge(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Statistics of one link, at most five a second."""

    peer: int
    revision: int
    rtt_ms: float
    rtt_var_ms: float
    loss: float
    """Fraction of our packets lost lately."""
    window_bytes: int
    in_flight_bytes: int
    packets_sent: int
    packets_received: int
    packets_lost: int
    resent_bytes: int
    """Bytes of messages that were put in a packet again, early copies included."""
    duplicates: int
    waiting: int
    """Own messages not delivered yet."""
    bursty: bool = False
    """Our packets are lost in bursts, not at random."""
    copies: int = 0
    """Early copies that a small message gets."""
    path_rate_bytes_s: float = 0.0
    """What the path to the peer is believed to carry; 0 while nothing was long enough to tell."""
    queue_ms: float = 0.0
    """What packets wait in the queues of the path."""
    mtu_bytes: int = 0
    """Largest datagram that is known to reach the peer."""
    loss_in: float = 0.0
    """Fraction of the peer's packets lost lately, as the peer reports it."""
    burst_ms: float = 0.0
    """Mean length of a burst of losses of our packets; 0 where they are not `bursty`."""


class TransferGauge(EventBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Progress of one transfer, at most five a second."""

    id: bytes
    peer: int
    revision: int
    done_bytes: int
    rate_bytes_s: float
    on_link: bool = False
    """The bytes travel on the link, since no TCP connection could be had."""


Gauge = LinkGauge | TransferGauge
