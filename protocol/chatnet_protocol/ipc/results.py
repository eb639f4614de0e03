"""What the engine answers to commands: msgpack maps whose `type` is the class name."""

from msgspec import Struct

from chatnet_protocol.ipc.rows import MessageRow, PacketRow


class ResultBase(Struct, frozen=True, gc=False, tag=True, tag_field="type"):
    """Common shape of all results."""


class Done(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The wanted end holds."""


class Attached(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The client is known; how it gets to the present.

    `parts` > 0: fetch that many snapshot parts of (boot, seq), then events from seq + 1.
    `parts` = 0: the cursor is within the ring, fetch events from its seq + 1.
    `head_seq` is the last event so far; `last_no` the last durable message.
    """

    boot: bytes
    client: int
    seq: int
    parts: int
    head_seq: int
    last_no: int
    ipc_version: int
    capabilities: list[str]


class SnapshotPart(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """A slice of the packed View; the parts in order make one msgpack document."""

    part: int
    data: bytes


class EventsPage(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """`data` is a publication, exactly as it went out on the PUB socket; empty at the head."""

    data: bytes


class HistoryPage(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Rows in the order asked for, `peers[i]` the peer of `rows[i]`; `more`: the page was cut."""

    rows: list[MessageRow]
    peers: list[int]
    more: bool


class Queued(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The message is durable here and will be delivered."""

    no: int
    seq: int


class DraftSet(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The draft as it now stands."""

    accepted: bool
    revision: int
    text: str


class PeerAdded(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The number of the peer."""

    peer: int


class Invited(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """An invite code for the person who is to become `peer`; to be passed on over another
    channel."""

    peer: int
    code: str
    until_ms: int


class BackedUp(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """The copy is complete, checked and on disk."""

    folder: str
    messages: int
    size_bytes: int


class Space(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """What receiving takes on the disk besides what was received: how many files and folders, and
    their bytes there."""

    left_over: int = 0
    """Partial ones of transfers that have ended, and old ones of no transfer of this session."""
    left_over_bytes: int = 0
    under_way: int = 0
    """Partial ones of other transfers."""
    under_way_bytes: int = 0
    earlier: int = 0
    """Earlier states of updated folders, as they were replaced."""
    earlier_bytes: int = 0
    changed: int = 0
    """Earlier states in which something is not as it was: they are a person's now."""
    changed_bytes: int = 0
    removed: int = 0
    """What CleanUp has removed just now."""
    removed_bytes: int = 0


class Status(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """Counters and facts by name: for people and programs to read, not to mirror."""

    facts: dict[str, int | float | str | bool]
    links: list[dict[str, int | float | str | bool]]
    clients: list[dict[str, int | float | str | bool]]
    boot: bytes = b""
    """The snapshot to fetch: `parts` of it, 0 when none was asked for."""
    seq: int = 0
    parts: int = 0


class Delivery(ResultBase, frozen=True, gc=False, tag=True, tag_field="type"):
    """How one message travelled, as far as it is remembered. Times: 0 for unknown or never."""

    since_ms: int = 0
    """From when on packets are remembered; 0: nothing is."""
    complete: bool = True
    """False: there may have been earlier packets with this message."""
    attempts: int = 0
    """How often it left, or of the peer's how many packets brought it."""
    packets: list[PacketRow] = []
    """The first and the last ones, oldest first."""
    packet_count: int = 0
    lost_count: int = 0
    acked_ms: int = 0
    stored_ms: int = 0
    shown_ms: int = 0
    read_ms: int = 0
    address: str = ""
    """`ip:port` of the peer then."""


Result = (
    Done
    | Attached
    | SnapshotPart
    | EventsPage
    | HistoryPage
    | Queued
    | DraftSet
    | PeerAdded
    | Invited
    | BackedUp
    | Space
    | Status
    | Delivery
)
