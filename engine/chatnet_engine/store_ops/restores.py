"""Operations that restore a conversation."""

from msgspec import Struct

from chatnet_engine.store_ops.transfers import OpBase, StoredTransfer
from chatnet_protocol.ipc.rows import (
    MessageRow,
    RestoreRow,
)


class RestoredMessage(Struct, array_like=True, gc=False, frozen=True):
    """A restored message, as this side sees it."""

    mine: bool
    id: bytes
    kind: int
    lamport: int
    sent_ms: int
    arrived_ms: int
    ack: int
    body: bytes
    transfer: StoredTransfer | None = None
    """An offer's transfer, stored with the message unless there is one. Its row gets the
    message's number."""
    reply_to: bytes = b""


class RestoreState(Struct, array_like=True, gc=False, frozen=True):
    """The durable state of the restore requests of both sides."""

    peer: int
    mine: str = "none"
    """A RestoreMine value."""
    want: int = 0
    """Random id of our request, so that the peer's user is asked once; 0: there was none."""
    after: int = 0
    """The peer's place in its history up to which everything is here."""
    after_id: bytes = b""
    """Id of the message there: the peer sees by it that it is the same history still."""
    restored: int = 0
    theirs: str = "none"
    """A RestoreTheirs value."""
    their_want: int = 0

    def row(self) -> RestoreRow:
        """What front ends are shown of it."""
        return RestoreRow(self.peer, self.mine, self.theirs, self.restored)


class StoreRestoreRequest(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """The state of our request: `asking` begins `want`, unless one is under way; `refused` and
    `none` end it, if it is still this one. Result: RestoreStored."""

    peer: int
    want: int
    mine: str


class StorePeerRestoreRequest(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """The state of the peer's request: `asked` begins `want`, all others are about the one that
    was last asked. Result: RestoreStored."""

    peer: int
    want: int
    theirs: str


class RestoreStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """As it now stands."""

    peer: int
    state: RestoreState


class PutBack(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Insert a page of restored messages for `want`, from place `after` of the peer's history to
    `next`, where the message `next_id` is; `more`: it was cut. Nothing happens when `want` is
    over, or something after `after` is missing. Result: MessagesPutBack."""

    peer: int
    want: int
    after: int
    next: int
    next_id: bytes
    more: bool
    rows: list[RestoredMessage]
    source: str


class MessagesPutBack(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`rows`: the new ones, dense in `no`. `changed`: known ones whose Lamport counter, failure
    or ACK number is another one now. `tail`: the newest afterwards, as many as a view holds."""

    peer: int
    rows: list[MessageRow]
    changed: list[MessageRow]
    tail: list[MessageRow]
    transfers: list[StoredTransfer]
    state: RestoreState
    lamport: int
    received_total: int
    acked_total: int
    my_shown: int
    my_read: int
    """These five as they stand afterwards."""


PUT_BACK_COUNTERS = ("lamport", "received_total", "acked_total", "my_shown", "my_read")


RestoreOp = StoreRestoreRequest | StorePeerRestoreRequest | PutBack
RestoreResult = RestoreStored | MessagesPutBack
