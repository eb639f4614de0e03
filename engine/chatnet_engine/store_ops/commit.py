"""What the node of an engine asks its ledger to commit, and the answers.

Operations are batches. One `Commit` is one transaction: operations run in order, all or none, each
with one result. They are handed over as objects, which nobody changes.
"""

from typing import ClassVar

import msgspec
from msgspec import Struct

from chatnet_engine.store_ops.peers import LineStored as LineStored
from chatnet_engine.store_ops.peers import LoadPeer as LoadPeer
from chatnet_engine.store_ops.peers import PeerLoaded as PeerLoaded
from chatnet_engine.store_ops.peers import PeerState as PeerState
from chatnet_engine.store_ops.peers import StoreLine as StoreLine
from chatnet_engine.store_ops.restores import RestoreOp, RestoreResult, RestoreState
from chatnet_engine.store_ops.settings import SessionOp, SessionResult
from chatnet_engine.store_ops.transfers import AutomaticUse as AutomaticUse
from chatnet_engine.store_ops.transfers import FindFolder as FindFolder
from chatnet_engine.store_ops.transfers import FolderFound as FolderFound
from chatnet_engine.store_ops.transfers import ListReceived as ListReceived
from chatnet_engine.store_ops.transfers import LoadTransfers as LoadTransfers
from chatnet_engine.store_ops.transfers import OpBase as OpBase
from chatnet_engine.store_ops.transfers import ReceivedListed as ReceivedListed
from chatnet_engine.store_ops.transfers import StoredTransfer as StoredTransfer
from chatnet_engine.store_ops.transfers import StoreTransfer as StoreTransfer
from chatnet_engine.store_ops.transfers import TransfersLoaded as TransfersLoaded
from chatnet_engine.store_ops.transfers import TransferStored as TransferStored
from chatnet_protocol.ipc.rows import AckRange, MessageRow, PeerRow
from chatnet_protocol.wire.frames import Receipt
from chatnet_protocol.wire.messages import Message as Message


class NewMessage(Struct, array_like=True, gc=False, frozen=True):
    """An own message as a front end made it."""

    id: bytes
    kind: int
    body: bytes
    sent_ms: int
    draft_revision: int = 0
    """Draft revision that sending it clears; 0: none."""
    transfer: StoreTransfer | None = None
    """An offer's transfer, stored with the message: neither is ever there without the other. Its
    row gets the message's number and time."""
    reply_to: bytes = b""
    """Id of the message that it answers; empty: none."""


class OutboxRow(Struct, array_like=True, gc=False, frozen=True):
    """An own message that the peer has not committed yet."""

    seq: int
    message: Message


class QueueMessages(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Insert own messages and their outbox entries; known ids change nothing. `release`: they go
    out right after the commit, so they keep their Lamport counter. Result: MessagesQueued."""

    peer: int
    rows: list[NewMessage]
    now_ms: int
    release: bool


class MessagesQueued(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`rows`: the new ones, dense in `no`. `known`: (id, no, seq) of ids that were there already.
    `refused`: places in the operation whose id is that of another message.

    `cleared_draft`: new revision of the draft if it was cleared, else 0.
    """

    peer: int
    rows: list[MessageRow]
    known: list[tuple[bytes, int, int]]
    cleared_draft: int
    refused: tuple[int, ...] = ()


class AcceptMessages(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Commit the peer's next messages, numbers `first_number` onwards of its incarnation.

    Numbers at or below the mark are skipped, a gap above it is refused with AssertionError (the
    node never asks for one). Known ids get a receipt and no row. Result: MessagesAccepted.
    """

    peer: int
    incarnation: int
    first_number: int
    rows: list[Message]
    source: str
    now_ms: int


class MessagesAccepted(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`rows`: the new ones, dense in `no`. `receipts`: to be sent. `mark`: the new mark."""

    peer: int
    rows: list[MessageRow]
    receipts: list[Receipt]
    mark: int


class StoreReceipts(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """The peer committed own messages: they leave the outbox. Result: ReceiptsStored."""

    peer: int
    runs: list[AckRange]


class ReceiptsStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`runs`: those with something new."""

    peer: int
    delivered_seq: int
    acked_total: int
    runs: list[AckRange]


class LoadOutbox(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Own undelivered messages after `after_seq`, oldest first, about `max_bytes` of bodies.

    They count as possibly sent from this commit on. Result: OutboxPage.
    """

    peer: int
    after_seq: int
    max_bytes: int
    max_rows: int


class OutboxPage(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`more`: the page was cut."""

    peer: int
    rows: list[OutboxRow]
    more: bool


class ApplyHello(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Take in the peer's HELLO on a new link; see the specification. Result: HelloApplied."""

    peer: int
    incarnation: int
    base: int
    acked_total: int
    received_total: int
    lamport: int
    display_name: str


class HelloApplied(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`mark`: deliver from mark + 1. `receipts`: to be repeated, from `base` to the
    mark.

    `gap`: the peer believes we have messages that are not in our history. `peer_lost`: the peer
    has given fewer ACK numbers than we know of, so its history was wiped or rolled back.
    """

    peer: int
    mark: int
    receipts: list[Receipt]
    gap: int
    peer_lost: int
    state: PeerState
    raised_after_seq: int = 0
    """Own messages after this one, never sent, had their Lamport counters raised by `raised_by`."""
    raised_by: int = 0
    own_lost: int = 0
    """Messages of ours that the peer has and our history does not account for. Reported once."""
    restore: RestoreState | None = None
    """The state of our restore request, if a loss has changed it."""


class StoreMarks(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Raise watermarks (each to the maximum of old and new). Result: MarksStored."""

    peer: int
    sent_seq: int = 0
    peer_shown: int = 0
    peer_read: int = 0
    my_shown: int = 0
    my_read: int = 0


class MarksStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """All five as they now stand; `changed`: whether any grew."""

    peer: int
    changed: bool
    sent_seq: int
    peer_shown: int
    peer_read: int
    my_shown: int
    my_read: int


class StoreDraft(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Replace the draft if its revision is `base_revision`. Result: DraftStored."""

    peer: int
    text: str
    base_revision: int


class DraftStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """The draft as it now stands."""

    peer: int
    accepted: bool
    revision: int
    text: str


class FailMessage(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Take one own message out of the outbox for good: by `seq`, or by `id` if no link was ever
    given it. With the reason `deleted`: erase the words of one that has failed. Result:
    MessageFailedStored."""

    peer: int
    seq: int
    reason: str
    id: bytes = b""


class MessageFailedStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`no` is 0 when there was nothing to fail any more; `known`: it had failed before."""

    peer: int
    no: int
    reason: str
    delivered_seq: int = 0
    """As it now stands: it moves when nothing before the failed message waits."""
    known: bool = False


class StorePeer(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Insert (peer 0: a new number is given) or update who a peer is. Result: PeerStored.

    `display_name` is the peer's own and stays so. Nothing is stored of a peer that is not listed
    any more, nor a key that another listed peer has.
    """

    row: PeerRow


class PeerStored(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """The row as it now stands, with its number, and the counters (all zero for a new peer)."""

    row: PeerRow
    state: PeerState
    refused: int = 0
    """Nothing was stored: the number of the listed peer that has the key, or the row's own when
    it is not listed any more."""


class ForgetPeer(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """Remove a peer from the list; rows stay, or move `into` another. Nothing happens when it is
    not listed any more, and nothing moves `into` one that is not. Result: PeerForgotten."""

    peer: int
    into: int = 0


class PeerForgotten(OpBase, frozen=True, gc=False, tag=True, array_like=True):
    """`state`: counters of `into` afterwards, if something moved."""

    peer: int
    into: int
    state: PeerState | None
    rows: list[MessageRow] = msgspec.field(default_factory=list)
    """The newest messages of `into` afterwards, as many as a view holds."""
    seq_offset: int = 0
    """What the numbers of own messages to `peer` rose by when they moved."""


MessageOp = QueueMessages | AcceptMessages | StoreReceipts | LoadOutbox | FailMessage
StateOp = ApplyHello | StoreMarks | StoreLine | StoreDraft | StorePeer | ForgetPeer | LoadPeer
TransferOp = StoreTransfer | LoadTransfers | FindFolder | ListReceived
Op = MessageOp | StateOp | TransferOp | RestoreOp | SessionOp

MessageResult = (
    MessagesQueued | MessagesAccepted | ReceiptsStored | OutboxPage | MessageFailedStored
)
StateResult = (
    HelloApplied | MarksStored | LineStored | DraftStored | PeerStored | PeerForgotten | PeerLoaded
)
TransferResult = TransferStored | TransfersLoaded | FolderFound | ReceivedListed
OpResult = MessageResult | StateResult | TransferResult | RestoreResult | SessionResult


class Commit(Struct, array_like=True, gc=False, frozen=True):
    """One transaction; numbers rise by one and only one is in flight."""

    number: int
    ops: list[Op]
    known_peers: bytes | None = None
    """New content of the file known_peers, to be on disk before the transaction is."""


class Committed(Struct, array_like=True, gc=False, frozen=True, tag=True):
    """`results[i]` answers `ops[i]`."""

    number: int
    results: list[OpResult]


class CommitFailed(Struct, array_like=True, gc=False, frozen=True, tag=True):
    """Nothing of it is in the store. `reason`: one sentence; `fatal`: asking again cannot help."""

    number: int
    reason: str
    fatal: bool
    culprit: int = -1
    """Index of the operation that raised what is no error of the disk; -1: none did."""
    traceback: str = ""
    """For the log, if there is a culprit."""
    code: str = ""
    """SQLite's name of the error, if it was one."""


class LeftOut(Struct, array_like=True, gc=False, frozen=True):
    """A stored row that cannot be read: the engine starts without it."""

    PEER: ClassVar[str] = "peer"
    TRANSFER: ClassVar[str] = "transfer"
    MESSAGE: ClassVar[str] = "message"
    RESTORE: ClassVar[str] = "restore"

    what: str
    """One of the four above."""
    peer: int
    name: str
    """Of the peer; of a transfer, its file. As far as it can be read."""
    id: bytes = b""
    """Of a transfer."""
    error: str = ""
    """For the log."""


class Loaded(Struct, array_like=True, gc=False, frozen=True):
    """What an engine starts from: one read of the whole durable state that stays in memory."""

    peers: list[PeerRow]
    states: list[PeerState]
    transfers: list[StoredTransfer]
    """Those not ended, and the newest ended ones up to MAX_VIEW_TRANSFERS."""
    last_no: int
    offers: list[tuple[int, MessageRow]] = []
    """Offers of peers, by peer, whose transfers were not stored before the engine died."""
    automatic: list[AutomaticUse] = []
    """Newest use of the quota for files that nobody was asked about."""
    restores: list[RestoreState] = []
    """Restore requests, of listed peers that have any."""
    left_out: list[LeftOut] = []
    """Nothing of these is in the others."""
    asking_now: list[int] = []
    """Peers whose files are asked about since a new version, and no front end was notified."""
