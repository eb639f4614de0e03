"""Operations on one peer's state, and the one that reads it again."""

from msgspec import Struct

from chatnet_engine.store_ops.restores import RestoreState
from chatnet_engine.store_ops.transfers import OpBase, StoredTransfer
from chatnet_protocol.ipc.rows import AckRange, MessageRow, PeerRow


class PeerState(Struct, array_like=True, gc=False, frozen=True):
    """What the node keeps in memory of a peer's durable counters; those of a new one are 0."""

    peer: int
    incarnation: int = 0
    """The peer's incarnation that `mark` counts in; 0: none yet."""
    mark: int = 0
    received_total: int = 0
    """Highest ACK number given to the peer's messages."""
    acked_total: int = 0
    """Highest ACK number the peer gave to ours."""
    lamport: int = 0
    last_seq: int = 0
    """Own messages to this peer so far."""
    delivered_seq: int = 0
    """All own messages up to here have left the outbox."""
    sent_seq: int = 0
    peer_shown: int = 0
    peer_read: int = 0
    my_shown: int = 0
    my_read: int = 0
    draft: str = ""
    draft_revision: int = 0
    line: bytes = b""
    """What the last link knew of the losses of the line, as the engine packs it; empty: nothing."""


class StoreLine(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Replace what is known of the line to the peer. Result: LineStored."""

    peer: int
    line: bytes


class LineStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """It stands."""

    peer: int
    line: bytes


class LoadPeer(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Read everything of one peer again, as an engine's start does. `after_no`, `after_seq`: up to
    which message and which delivered own one front ends know it. Result: PeerLoaded."""

    peer: int
    after_no: int
    after_seq: int


class PeerLoaded(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`row` is None when the peer is not listed any more. `rows`: messages after `after_no`, in
    the order of their numbers. `runs`: receipts of own messages after `after_seq`. `tail`: the
    newest messages, as many as a view holds. `offers`: of the peer, without a transfer."""

    peer: int
    row: PeerRow | None
    state: PeerState
    rows: list[MessageRow]
    runs: list[AckRange]
    tail: list[MessageRow]
    restore: RestoreState
    transfers: list[StoredTransfer]
    offers: list[MessageRow]
