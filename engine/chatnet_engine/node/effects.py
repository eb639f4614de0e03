"""What the node asks of the world, and what the world answers: plain values, both ways.

Effects are performed in list order by `io.runner` and by the simulator's runner alike; answers
arrive through `Node.handle_io`.
"""

from dataclasses import dataclass, field

from chatnet_engine.addresses import Addr
from chatnet_engine.store_ops.commit import Commit, CommitFailed, Committed
from chatnet_engine.trace import Trace
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.reasons import Reason


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Where an answer goes: a client's routing id and its request number.

    It travels with whatever the answer waits for (operation, effect) and returns with its result.
    """

    routing_id: bytes
    request: int


@dataclass(frozen=True, slots=True)
class SendDatagrams:
    """Put datagrams on the UDP socket; an error of the socket is the same as loss."""

    datagrams: list[tuple[bytes, Addr]]


@dataclass(frozen=True, slots=True)
class CommitOps:
    """Hand a transaction to the ledger. Answered by Committed or CommitFailed."""

    commit: Commit


@dataclass(frozen=True, slots=True)
class Publish:
    """Send one frame to all clients under a topic; what cannot be taken is dropped."""

    topic: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class SendReply:
    """Answer one client; dropped when the client is gone or full (it will ask again)."""

    routing_id: bytes
    frame: bytes


@dataclass(frozen=True, slots=True)
class ReadHistory:
    """Read a page on the read-only connection. Answered by HistoryRead with the same context."""

    context: object
    query: FetchHistory


@dataclass(frozen=True, slots=True)
class CopySession:
    """Make a backup in a worker, one at a time. Answered by SessionCopied."""

    folder: str
    history_only: bool


@dataclass(frozen=True, slots=True)
class CollectCounters:
    """Read the counters of sockets and processes. Answered by CountersCollected."""

    reply_to: ReplyTo
    view: bool
    """A snapshot is asked for along with them."""


@dataclass(frozen=True, slots=True)
class ResolveHost:
    """Look a host name up in a worker. Answered by HostResolved."""

    peer: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class StretchInvite:
    """Make the psk of an invite, 0.1 s of CPU, in a worker. Answered by InviteStretched."""

    peer: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendToFileProcess:
    """A command for the file process (see chatnet_engine.files.process_wire)."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class LogProblem:
    """Write to the log what should not have happened: a traceback of ours."""

    text: str


@dataclass(frozen=True, slots=True)
class StopRunner:
    """End the engine: flush what is in flight, then leave the loop."""

    reason: str


Effect = (
    SendDatagrams
    | CommitOps
    | Publish
    | SendReply
    | ReadHistory
    | CopySession
    | CollectCounters
    | ResolveHost
    | StretchInvite
    | SendToFileProcess
    | LogProblem
    | Trace
    | StopRunner
)


@dataclass(frozen=True, slots=True)
class HistoryRead:
    """The page, or why not."""

    context: object
    """Of the ReadHistory that it answers."""
    page: HistoryPage | None
    error: CommandError | None = None


@dataclass(frozen=True, slots=True)
class SessionCopied:
    """What the backup holds, or the error for the client."""

    messages: int
    size_bytes: int
    error: CommandError | None = None


@dataclass(frozen=True, slots=True)
class CountersCollected:
    """Counters by name, since the engine's start; the rest is as asked."""

    reply_to: ReplyTo
    view: bool
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class HostResolved:
    """Addresses in the resolver's order; none and why on failure."""

    peer: int
    addrs: list[Addr]
    error: Reason | None = None
    asked: Addr | None = None
    """Host and port of the question; None: those that the peer has now."""


@dataclass(frozen=True, slots=True)
class AddressesChanged:
    """This machine has got or lost an address or a network, at most once a second."""


@dataclass(frozen=True, slots=True)
class ClientGone:
    """A front end's connection has ended, and all that it sent before was handled."""

    routing_id: bytes


@dataclass(frozen=True, slots=True)
class InviteStretched:
    """The psk of the invite for that peer."""

    peer: int
    psk: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileProcessReport:
    """A report of the file process."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class FilesRestarted:
    """The file process died and was started again: everything it did has to be asked again."""


IoResult = (
    Committed
    | InviteStretched
    | CommitFailed
    | HistoryRead
    | SessionCopied
    | CountersCollected
    | HostResolved
    | AddressesChanged
    | ClientGone
    | FileProcessReport
    | FilesRestarted
)
