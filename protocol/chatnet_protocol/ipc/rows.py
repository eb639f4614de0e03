"""The row types that store, events, history pages and view share.

Rows are msgpack arrays: readers ignore elements they do not know at the end, and new elements are
only ever added there. Ids are bytes, times are Unix milliseconds for display only, numbers start
at 1 and 0 means "none yet".
"""

import enum

from msgspec import Struct

from chatnet_protocol.ipc.offer import LeftOut
from chatnet_protocol.ipc.reasons import Reason
from chatnet_protocol.limits import AUTO_ACCEPT_BYTES


class MessageKind(enum.IntEnum):
    """What `MessageRow.body` holds."""

    TEXT = 1
    """UTF-8 text."""
    OFFER = 2
    """A msgpack `chatnet_protocol.ipc.offer.Offer`: files somebody wants to send."""


class MessageRow(Struct, array_like=True, gc=False, frozen=True):
    """One message of a conversation, own or the peer's."""

    no: int
    """Place in this session's durable sequence: dense over all peers, never reused."""
    id: bytes
    mine: bool
    kind: int
    body: bytes
    """As it was written, stored and sent; see MessageKind."""
    sent_ms: int
    """When its author wrote it, by the author's clock."""
    arrived_ms: int
    """When it was committed here, by our clock."""
    seq: int
    """Own messages: running number towards this peer, what `sent` and `delivered` count. Else 0."""
    ack: int
    """Its ACK number: the receiver's running number of the author's messages. 0: not known yet."""
    source: str
    """`ip:port` it came from; empty for own messages."""
    lamport: int
    place: int
    """Where it stands on screen: normally `no`; a restored row copies its predecessor's."""
    failed: str = ""
    """Why this own message will never be sent, a MessageFailure; empty for all others."""
    reply_to: bytes = b""
    """Id of the message that it answers, as its author named it; empty: none."""

    @property
    def restored(self) -> bool:
        """Whether it is of a restored conversation: it is news to nobody."""
        return self.place != self.no

    @property
    def text(self) -> str:
        """The body of a TEXT message; other kinds and invalid UTF-8 give replacement marks."""
        return self.body.decode("utf-8", "replace")


class AckRange(Struct, array_like=True, gc=False, frozen=True):
    """The last `run` own messages up to `seq` have consecutive ACK numbers ending at `ack`."""

    seq: int
    ack: int
    count: int


class PacketRow(Struct, array_like=True, gc=False, frozen=True):
    """A packet that carried a message, or a part of one."""

    number: int
    at_ms: int
    """When it left; of a peer's message: when it arrived."""
    acked_ms: int = 0
    lost_ms: int = 0
    """When it was declared lost; `acked_ms` may be later."""
    link: int = 0
    """Packet numbers start anew with each link: the first that is remembered is 1 or more."""


class Trust(enum.StrEnum):
    """How a peer's key came to be known."""

    NONE = "none"
    """No key yet: the next contact from the typed address is pinned."""
    PINNED = "pinned"
    """Trusted on first use; encrypted, not verified."""
    VERIFIED = "verified"
    """Safety numbers were compared, or an invite code was used."""
    INVITED = "invited"
    """No key yet, and an invite: only a peer that proves to know it is pinned."""
    PENDING = "pending"
    """A stranger that called; nothing is exchanged until the user accepts."""


class PeerRow(Struct, array_like=True, gc=False, frozen=True):
    """Who a peer is; `peer` is its number in this session."""

    peer: int
    name: str
    """What this session calls it: typed, or `host:port`."""
    host: str
    port: int
    """The address as typed; empty and 0 for a peer that came to us."""
    key: bytes = b""
    """X25519 public key, 32 bytes; empty until pinned."""
    trust: str = "none"
    """A Trust value."""
    display_name: str = ""
    """What the peer calls itself: peer-supplied text."""
    address: str = ""
    """Last validated `ip:port`."""
    safety_number: str = ""
    """60 digits in groups of five, to compare by voice; empty until pinned."""
    offered_key: bytes = b""
    """A different key that claimed to be this peer and was refused, and that nobody has decided
    about; empty if none."""
    auto_accept_bytes: int = AUTO_ACCEPT_BYTES
    """Files up to this size arrive without a question."""
    refused_keys: list[bytes] = []
    """Keys that a person decided to keep refusing, oldest first, at most MAX_REFUSED_KEYS."""
    auto_accept_set: bool = False
    """A person chose `auto_accept_bytes`. If not, it is AUTO_ACCEPT_BYTES for a peer whose address
    was typed here or who is verified, and 0 for everybody else."""
    blocked: bool = False
    """No link with this key: its handshakes are not answered, nothing is sent to it."""


class LinkState(enum.StrEnum):
    """What the link to a peer is doing."""

    IDLE = "idle"
    """No address to dial; waiting to be found."""
    RESOLVING = "resolving"
    DIALLING = "dialling"
    """Nothing received from the peer yet."""
    UP = "up"
    SILENT = "silent"
    """Was up; something sent has not been answered for a while, trying again."""
    PENDING = "pending"
    """The peer's user has to accept us first."""
    REFUSED = "refused"
    KEY_CHANGED = "key-changed"
    """Somebody with another key answers in the peer's name; messages wait for the pinned key."""


class LinkRow(Struct, array_like=True, gc=False, frozen=True):
    """The state of one link, as far as a person wants to know it."""

    peer: int
    state: str
    """A LinkState value."""
    since_ms: int
    address: str = ""
    """`ip:port` the link uses or dials."""
    reason: Reason | None = None
    """Why it is so: a LinkReason, if there is more to say than the state does."""
    incarnation: str = ""
    """Hex of our and the peer's incarnation, `ours-theirs`; changes only when a link is new."""
    links: int = 0
    """How many new links (pairs of incarnations) this engine has seen with the peer."""


class TransferState(enum.StrEnum):
    """Where one offer of files stands."""

    OFFERED = "offered"
    """Offer queued or delivered; nobody has answered."""
    WAITING = "waiting"
    """Accepted; waiting for the link or for a connection."""
    ACTIVE = "active"
    PAUSED = "paused"
    VERIFYING = "verifying"
    DONE = "done"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    FAILED = "failed"


ENDED_TRANSFER_STATES = frozenset(
    {
        TransferState.DONE,
        TransferState.REJECTED,
        TransferState.CANCELLED,
        TransferState.FAILED,
    }
)


BY_RESTORED = "restored"
"""`TransferRow.by` of a mere record: it was restored with the conversation, nobody here ended
it."""


class TransferKind(enum.StrEnum):
    """What was chosen to be sent."""

    FILE = "file"
    FOLDER = "folder"


class Renamed(Struct, array_like=True, gc=False, frozen=True):
    """Something that arrived under another name; both are made harmless for one line."""

    path: str
    name: str
    """Its new name; the last component alone."""


class Differences(Struct, array_like=True, gc=False, frozen=True):
    """What of an offer does not arrive as it is with the sender. The first of each are named."""

    left_out: int
    left_out_named: list[LeftOut] = []
    renamed: int = 0
    renamed_named: list[Renamed] = []
    not_updated: str = ""
    """Of an update: why the receiver's earlier folder stays as it is, an UpdateReason value."""


class Compared(Struct, array_like=True, gc=False, frozen=True):
    """How far a receiver has compared an update with the earlier folder."""

    files: int
    of_files: int
    size_bytes: int
    of_bytes: int


class TransferRow(Struct, array_like=True, gc=False, frozen=True):
    """One offer of files; `id` is the id of the message that offered them."""

    id: bytes
    peer: int
    no: int
    """Number of the offering message."""
    mine: bool
    """Whether we send."""
    state: str
    """A TransferState value."""
    name: str
    """The offered file's or folder's own name; peer-supplied text on the receiving side."""
    files: int
    """How many files, those in folders included."""
    size_bytes: int
    done_bytes: int = 0
    """Verified and durable at the receiver, at the time of this row."""
    by: str = ""
    """Who paused, rejected or cancelled: `me` or `peer`; or BY_RESTORED."""
    reason: Reason | None = None
    """Why it waits, does not move or has failed: a TransferReason; None: its state says it all."""
    path: str = ""
    """Sender: what is sent. Receiver: where it landed, once it is done."""
    changed_ms: int = 0
    kind: str = TransferKind.FILE
    """A TransferKind value: what `name` is."""
    things: int = 1
    """How many files and folders were chosen to be sent; `name` is the first of them."""
    differences: Differences | None = None
    """What does not arrive as it is with the sender; None: nothing so far."""
    update: bool = False
    """It is the new state of a folder that was offered earlier."""
    updates_allowed: bool = False
    """Receiver: later offers of this folder may take its place here."""
    compared: Compared | None = None
    """While `reason` is that it is being compared: how far, about once a second."""


class RestoreMine(enum.StrEnum):
    """The state of our request to restore a conversation from the peer."""

    NONE = "none"
    POSSIBLE = "possible"
    """Messages are missing here that the peer may still have; nobody has asked for them."""
    ASKING = "asking"
    """Asked for; the peer's user has not answered, or is not connected."""
    RUNNING = "running"
    DONE = "done"
    """Everything the peer has is here."""
    REFUSED = "refused"


RESTORE_UNDER_WAY = frozenset({RestoreMine.ASKING, RestoreMine.RUNNING})
"""Open: the request is sent to the peer on every link."""


class RestoreTheirs(enum.StrEnum):
    """The state of the peer's request to restore the conversation from us."""

    NONE = "none"
    ASKED = "asked"
    """Somebody here has to consent or refuse."""
    GIVING = "giving"
    GIVEN = "given"
    REFUSED = "refused"


class RestoreRow(Struct, array_like=True, gc=False, frozen=True):
    """The restore of the conversation with one peer after a loss, in either direction."""

    peer: int
    mine: str = "none"
    """A RestoreMine value."""
    theirs: str = "none"
    """A RestoreTheirs value."""
    restored: int = 0
    """Messages restored here so far."""


class ClientRole(enum.StrEnum):
    """What an attached front end may do."""

    FULL = "full"
    READ_ONLY = "read-only"
    """Sees everything; cannot change anything, and does not count as having shown or read."""


class ClientRow(Struct, array_like=True, gc=False, frozen=True):
    """An attached front end."""

    client: int
    name: str
    role: str
    """A ClientRole value."""
    since_ms: int


class SessionRow(Struct, array_like=True, gc=False, frozen=True):
    """The session an engine runs."""

    name: str
    display_name: str
    """What peers are shown as our name."""
    host: str
    """Address the UDP socket is bound to."""
    port: int
    key: bytes
    fingerprint: str
    inbox: str
    """Folder where received files land."""
    impair: str = ""
    """The artificial bad network in front of the socket, if one is on."""
    log: str = ""
    """Path of the engine's log file."""
    version: str = ""
    restarts: int = 0
    """How often this engine was started again after it died, since a person started it."""
    died_of: str = ""
    """What the engine before this one died of, such as `SIGKILL`; empty: it did not die."""
    limit_bytes_s: int = 0
    """Files are sent, and received, at most so fast altogether; 0: no limit."""
