"""What the engine and its file process say to each other, over a pipe that both own.

Requests go to the process, reports to the engine. Both ends are ours and of one version, so msgspec
packs directly, and what does not parse is a broken invariant.
"""

import enum

import msgspec
from msgspec import Struct

from chatnet_engine.addresses import Addr
from chatnet_engine.files.job_parts import Connect as Connect
from chatnet_engine.files.job_parts import ScannedFile as ScannedFile
from chatnet_engine.files.space_wire import Survey, Surveyed
from chatnet_engine.files.update_wire import Comparing as Comparing
from chatnet_engine.files.update_wire import Exchange
from chatnet_engine.files.update_wire import Prepare as Prepare
from chatnet_engine.files.update_wire import Prepared as Prepared
from chatnet_protocol.ipc.offer import LeftOut, OfferedFolder, OfferedListing
from chatnet_protocol.ipc.reasons import Reason
from chatnet_protocol.ipc.rows import Renamed

STALLED_S = 5.0
"""After so long without progress the transfer's row says why."""
MAX_FRAME_BYTES = 1024 * 1024
"""Of a report: its maker keeps below it, so a longer one means that the two have lost step, and the
process is started anew."""


class WireBase(Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Common shape of requests and reports."""


class Scan(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """List the files behind absolute paths. Answered by Scanning..., Scanned."""

    id: bytes
    roots: list[str]


class Send(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Send files over one connection.

    Answered by Expecting if it listens, Connected, Progress..., Ended.
    """

    job: int
    connect: Connect
    roots: list[str]
    files: list[ScannedFile]
    unchanged: bool = False
    """Send them only as they were when they were listed."""
    id: bytes = b""
    """Of the transfer ..."""
    listing: OfferedListing | None = None
    """... with this listing, kept by the process. It is sent before the files."""


class Receive(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Receive an offer's files over one connection, from file `index` at `offset` on.

    `offer`: its body; its listing, if it has one, is file 0. The first `things` of its things are
    complete. Answered like Send, and by FileComplete for some files and ThingComplete for each
    thing, in order. `have`, `digests`: as Prepared gave them. `listing_only`: nothing else is
    wanted on this connection; it ends as LISTED.
    """

    job: int
    id: bytes
    connect: Connect
    folder: str
    offer: bytes
    index: int
    offset: int
    things: int
    have: bytes = b""
    digests: bytes = b""
    listing_only: bool = False


class Stop(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """End a job. It may have ended already; no report follows."""

    job: int


class Place(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Give a complete file or folder its final name, which is durable in the history by now.

    Harmless to repeat. Answered by Placed or NotPlaced.
    """

    id: bytes
    folder: str
    thing: int
    name: str
    wanted: str
    """Its name while that is free; what is numbered if the name is taken."""
    inode: int
    exchange: Exchange | None = None
    """The place it takes instead, if all there is as it was."""


class Discard(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Remove the partial files of a transfer, and the listing of an own one. No report follows.

    `exchange`: what Place may have begun with the folder of this inode. `manifest`: remove that,
    too, which only the next update needs.
    """

    id: bytes
    folder: str
    exchange: Exchange | None = None
    inode: int = 0
    manifest: bool = False


class BulkIn(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Bytes of the other side for a job with a bulk stream; none: the stream has ended. Answered
    by BulkTaken."""

    job: int
    data: bytes


class BulkGrant(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """The other side takes so many bytes more."""

    job: int
    size_bytes: int


class Probe(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """See whether a TCP connection to one of `addrs` can be opened. Answered by Reachable if so."""

    job: int
    addrs: list[Addr]


class Limit(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Move at most so many bytes a second in each direction, all jobs together; 0: no limit, as at
    the start. No report follows."""

    bytes_s: int


Request = (
    Scan | Send | Prepare | Receive | Stop | Place | Discard | BulkIn | BulkGrant | Probe | Limit
    | Survey
)  # fmt: skip


class Listening(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """First report of a process. `port` 0: there is no listener, and `error` says why."""

    port: int
    error: str = ""
    bbr: bool = False
    """The kernel lends BBR to what this process sends, which random loss does not slow."""


class Scanning(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """The files are still being listed; at most one a second."""

    id: bytes


class Scanned(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """`code` (an ErrorCode value) and `error` (one sentence) when there is no list.

    `folders`: those with nothing in them. `left_out`: how many entries are not sent, of which
    `left_out_named` are the first. `listing`: there are too many to name them here; the process
    keeps their listing.
    """

    id: bytes
    files: list[ScannedFile]
    code: str = ""
    error: str = ""
    folders: list[OfferedFolder] = []
    left_out: int = 0
    left_out_named: list[LeftOut] = []
    listing: OfferedListing | None = None


class Expecting(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """The listener knows the job's token now: `Listen` may be sent to the peer."""

    job: int


class Connected(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Both sides share keys; bytes move."""

    job: int


class Progress(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """File `index` is durable at the receiver up to `offset`; at most five a second.

    `moved_bytes`: of all files, as far as this side has come. `done_bytes`: of all files, durable
    at the receiver; given with a listing, which is file 0 and counts for nothing.
    """

    job: int
    index: int
    offset: int
    moved_bytes: int
    done_bytes: int = 0


class Stalled(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Nothing has moved for STALLED_S. The next Progress with more bytes ends it."""

    job: int
    why: str
    """A TransferReason without parameters: PATH_SILENT, RECEIVER_BUSY or SENDER_SILENT."""


class SourceChanged(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """The file was written to since it was offered; the new version is being sent from its
    start."""

    job: int
    index: int
    modified_ns: int


class FileComplete(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """All files up to `index` are verified and durable."""

    job: int
    index: int


class ThingComplete(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Thing `thing` of the offer is durable under its partial name; `name` is free for it.

    `renamed`: how many names inside it are not as they were offered, of which `named` are the
    first. `digests`: of the files of a folder that is the only thing, in the order of the offer;
    empty where there is a listing, or several things.
    """

    job: int
    thing: int
    name: str
    inode: int
    renamed: int = 0
    named: list[Renamed] = []
    digests: bytes = b""


class Placed(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """The file or folder has its final name.

    `until`: the name of the folder whose place it has taken; empty if it has taken none.
    `problem`: why the exchange that was asked for was not made (an UpdateReason value).
    """

    id: bytes
    thing: int
    name: str
    until: str = ""
    problem: str = ""


class NotPlaced(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """With `name`: the other one was taken, try this one. Without: a TransferReason why not.

    `gone`: the bytes are not there any more.
    """

    id: bytes
    thing: int
    name: str
    why: Reason | None = None
    gone: bool = False


class BulkOut(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Bytes of a job with a bulk stream; none: it sends no more, and takes none. At first within
    BULK_WINDOW_BYTES, then as BulkGrant allows."""

    job: int
    data: bytes


class BulkTaken(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """So many more bytes of BulkIn have reached the job."""

    job: int
    size_bytes: int


class Reachable(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """A TCP connection could be opened; it is closed again."""

    job: int


class Outcome(enum.StrEnum):
    """How a job ended."""

    MOVED = "moved"
    """Every byte is over, and the other side knows."""
    LOST = "lost"
    """The connection broke, or the other side misbehaved on it."""
    UNREACHABLE = "unreachable"
    """No address could be dialled."""
    EXPIRED = "expired"
    """Nobody connected in time."""
    SOURCE = "source"
    """A file cannot be read, or is not what was offered any more."""
    FULL = "full"
    """No room for the files; trying again may help."""
    TARGET = "target"
    """The files cannot be stored."""
    MISMATCH = "mismatch"
    """File `index` arrived, but not as it was read."""
    LISTED = "listed"
    """The listing is here, and nothing else was wanted."""
    UNLISTED = "unlisted"
    """The listing is not here, and is needed."""


class Ended(WireBase, frozen=True, gc=False, tag=True, array_like=True):
    """Last report of a job."""

    job: int
    outcome: str
    why: Reason | None = None
    """A TransferReason where people have to know more: of SOURCE, FULL and TARGET."""


Report = (
    Listening
    | Scanning
    | Scanned
    | Expecting
    | Connected
    | Progress
    | Stalled
    | Comparing
    | Prepared
    | SourceChanged
    | FileComplete
    | ThingComplete
    | Placed
    | NotPlaced
    | BulkOut
    | BulkTaken
    | Reachable
    | Surveyed
    | Ended
)

_ENCODER = msgspec.msgpack.Encoder()
_REQUESTS: msgspec.msgpack.Decoder[Request] = msgspec.msgpack.Decoder(Request)
_REPORTS: msgspec.msgpack.Decoder[Report] = msgspec.msgpack.Decoder(Report)


def encode(value: Request | Report) -> bytes:
    """One frame."""
    return _ENCODER.encode(value)


def decode_request(frame: bytes) -> Request:
    """Raises msgspec.DecodeError, which here is a broken invariant."""
    return _REQUESTS.decode(frame)


def decode_report(frame: bytes) -> Report:
    """Raises msgspec.DecodeError, which here is a broken invariant."""
    return _REPORTS.decode(frame)
