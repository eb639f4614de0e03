"""What a front end may ask. Every command is a msgpack map whose `type` is the class name.

Commands other than messages and offers state the wanted end, so that repeating one is harmless.
Messages and offers carry a permanent id made by the client: a retried command is the same message.
"""

from msgspec import Struct

from chatnet_protocol.ipc.results import (
    Attached,
    BackedUp,
    Delivery,
    Done,
    DraftSet,
    EventsPage,
    HistoryPage,
    Invited,
    PeerAdded,
    Queued,
    Result,
    ResultBase,
    SnapshotPart,
    Space,
    Status,
)

__all__ = [
    "Attached",
    "BackedUp",
    "Delivery",
    "Done",
    "DraftSet",
    "EventsPage",
    "HistoryPage",
    "Invited",
    "PeerAdded",
    "Queued",
    "Result",
    "ResultBase",
    "SnapshotPart",
    "Space",
    "Status",
]
"""Results are to be had here too; commands are named where they are used."""


class CommandBase(Struct, frozen=True, gc=False, tag=True, tag_field="type"):
    """Common shape of all commands."""


class Cursor(Struct, array_like=True, gc=False, frozen=True):
    """How far a client has come: events of one boot up to `seq`, durable messages up to `no`."""

    boot: bytes
    seq: int
    no: int


class Attach(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """First command of a client, and again after a gap or a new boot. Result: Attached."""

    name: str
    role: str
    ipc_version: int
    capabilities: list[str] = []
    cursor: Cursor | None = None


class Detach(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The client leaves. Result: Done."""


class KeepAlive(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Sent every few seconds so that the engine knows who is attached. Result: Done."""

    seq: int
    """Last event applied: tells how far behind this client is."""


class FetchSnapshot(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """One part of the snapshot named by Attached. Result: SnapshotPart, or error `gone`."""

    boot: bytes
    seq: int
    part: int


class FetchEvents(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Events from `first_seq` on. Result: EventsPage, or error `gone`."""

    boot: bytes
    first_seq: int


class FetchHistory(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A page of stored messages. Result: HistoryPage.

    `after_no` alone pages forwards in `no` order (what a client missed), with `after_place`
    forwards on screen from the row with that (place, no); `before` pages backwards on screen,
    (0, 0) meaning from the newest. `search` keeps rows whose text contains it. Peer 0: all peers.
    With `ids`, at most MAX_HISTORY_IDS, the messages of `peer` that have one of these, whatever the
    other fields are.
    """

    peer: int = 0
    after_no: int | None = None
    before_place: int = 0
    before_no: int = 0
    limit: int = 100
    search: str = ""
    after_place: int | None = None
    ids: list[bytes] = []


class SendMessage(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Queue a text. Result: Queued, after it is durable. Clears the draft of that revision."""

    id: bytes
    peer: int
    text: str
    draft_revision: int = 0
    sent_ms: int = 0
    """When it was written; 0, or later than now: now."""
    reply_to: bytes = b""
    """Id of the message that it answers; empty: none. It need not be known here."""


class WithdrawMessage(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Never send an own text. Result: Done; `not-allowed` when it may have been sent."""

    id: bytes
    peer: int


class DeleteMessage(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Delete an own text that was withdrawn: its words are gone for good, and it is not shown any
    more. Result: Done; `not-allowed` for any other message."""

    id: bytes
    peer: int


class OfferFiles(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Offer files or folders by absolute path. Result: Queued."""

    id: bytes
    peer: int
    paths: list[str]
    update: bool = False
    """The one folder is the new state of one that was offered earlier."""


class AcceptTransfer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Take the offered files, into `folder` or the session's inbox. Result: Done."""

    id: bytes
    folder: str = ""


class AllowUpdates(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Let later offers of a received folder's peer take its place, or no longer. Result: Done."""

    id: bytes
    allowed: bool = True


class RejectTransfer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Refuse the offered files. Result: Done."""

    id: bytes


class PauseTransfer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Stop moving bytes until resumed by this side. Result: Done."""

    id: bytes


class ResumeTransfer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Go on after a pause by this side. Result: Done."""

    id: bytes


class CancelTransfer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """End a transfer, from either side. Result: Done."""

    id: bytes


class SetDraft(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Replace the draft if its revision still is `base_revision`.

    Result: DraftSet; with `accepted` false when somebody else wrote first: keep your own text.
    """

    peer: int
    text: str
    base_revision: int


class MarkShown(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A person could see the peer's messages up to this ACK number. Result: Done."""

    peer: int
    ack: int


class MarkRead(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A person has read the peer's messages up to this ACK number. Result: Done."""

    peer: int
    ack: int


class SetTyping(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Whether somebody is typing to the peer; the engine forgets it after a few s. Result: Done."""

    peer: int
    typing: bool


class AddPeer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Know a peer at an address, or change the name of the one there. Result: PeerAdded.

    `invite`: the code that the peer made; only a peer that proves to know it is pinned. It is never
    stored.
    """

    host: str
    port: int
    name: str = ""
    invite: str = ""


class MakeInvite(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Draw a code for the first contact with a peer that has no key yet, or (0) with somebody
    new. Good once, for a day, while this engine runs. Result: Invited."""

    peer: int = 0


class RemovePeer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Forget a peer's address and key; the history stays. Result: Done."""

    peer: int


class SetPeer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Change how a peer is called, what it may send unasked, where it is dialled (`host` and `port`
    together), or whether its key is blocked. A negative `auto_accept_bytes` leaves that to the
    default again. Result: Done; `not-allowed` to block without a key."""

    peer: int
    name: str | None = None
    auto_accept_bytes: int | None = None
    host: str | None = None
    port: int | None = None
    blocked: bool | None = None


class SetSession(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Change the name that peers see (empty: none), or the folder where received files land (an
    absolute path; empty: the default one), or how many bytes of files may move in a second in each
    direction (0: no limit), also of those under way. None: as it is. Result: Done."""

    display_name: str | None = None
    inbox: str | None = None
    limit_bytes_s: int | None = None


class TrustPeer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Decide about a key. Result: Done.

    `verified`: safety numbers were compared; `unverified`: that counts no longer. `accept`: talk
    to this pending stranger, or pin the first contact of an invited peer after all, without the
    invite. `keep`: go on refusing the offered key without asking again. `replace`: take a refused
    key instead of the pinned one. For these two `key` must name it, so that what is decided about
    is what the person saw.
    """

    peer: int
    decision: str
    key: bytes = b""


class RetryPeer(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Dial now rather than at the next turn. Result: Done."""

    peer: int


class AskRestore(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Ask the peer, whose user decides, for what is missing here, or stop asking. Result: Done."""

    peer: int
    wanted: bool = True


class AnswerRestore(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Answer a peer that asks for the conversation back. Result: Done."""

    peer: int
    consent: bool


class FetchStatus(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Everything `chatnet status` shows, needs no attachment. Result: Status.

    `view`: with a snapshot of the view, to be fetched by FetchSnapshot.
    """

    view: bool = False


class FetchDelivery(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """How a message of a conversation travelled: an own one by its `seq` (and `ack`, if it has
    one), the peer's by its `ack` alone. Result: Delivery."""

    peer: int
    seq: int = 0
    ack: int = 0


class FetchSpace(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """What partial files and earlier states of folders take on the disk. Result: Space."""


class CleanUp(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Remove partial files that no transfer needs, and earlier states of updated folders in which
    nothing has changed. Result: Space, with what is there afterwards."""


class MakeBackup(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Copy the history, and unless `history_only` identity and trusted keys, into `folder`: an
    absolute path, not there yet or empty. Result: BackedUp."""

    folder: str
    history_only: bool = False


class StopEngine(CommandBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """End the engine. Result: Done, then EngineStopping."""

    reason: str = "asked to stop"


Command = (
    Attach
    | Detach
    | KeepAlive
    | FetchSnapshot
    | FetchEvents
    | FetchHistory
    | SendMessage
    | WithdrawMessage
    | DeleteMessage
    | OfferFiles
    | AcceptTransfer
    | AllowUpdates
    | RejectTransfer
    | PauseTransfer
    | ResumeTransfer
    | CancelTransfer
    | SetDraft
    | MarkShown
    | MarkRead
    | SetTyping
    | AddPeer
    | MakeInvite
    | RemovePeer
    | SetPeer
    | SetSession
    | TrustPeer
    | RetryPeer
    | AskRestore
    | AnswerRestore
    | FetchStatus
    | FetchDelivery
    | FetchSpace
    | CleanUp
    | MakeBackup
    | StopEngine
)

READ_ONLY_COMMANDS = (
    Attach,
    Detach,
    KeepAlive,
    FetchSnapshot,
    FetchEvents,
    FetchHistory,
    FetchStatus,
    FetchDelivery,
    FetchSpace,
)
"""What a client of role read-only may ask."""
