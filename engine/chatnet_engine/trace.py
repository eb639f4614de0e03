"""What the engine's core did, as plain values: collected here, written by `io` and the simulator.

Names follow qlog (draft-ietf-quic-qlog-main-schema): a category, a colon, an event. A trace holds
nothing private: numbers, words of closed vocabularies (enums, `Code`), the last bytes of random ids
(`Tag`), and addresses, which the writer hides or shows. The types exclude the rest: text, names,
paths and keys are `str` and `bytes`.
"""

import enum
import traceback
from collections.abc import Mapping
from dataclasses import dataclass

from chatnet_engine.addresses import Addr

MAX_TRACES_PER_TURN = 4096
"""A turn handles at most 256 datagrams; more than this comes of a hostile peer. The rest is
counted."""


MAX_CALLS = 16
"""Of a described exception: the innermost."""


class Kind(enum.StrEnum):
    """Every kind of trace."""

    CLIENT_ATTACHED = "client:attached"
    CLIENT_DETACHED = "client:detached"
    CONNECTION_CLOSED = "connectivity:connection_closed"
    """A link ended: by whom (`by`), with which CLOSE `code`, and what it had carried."""
    CONNECTION_STARTED = "connectivity:connection_started"
    """The handshake is done, under a new pair of incarnations; HELLO comes next."""
    HANDSHAKE_REFUSED = "security:handshake_refused"
    """Somebody proved a key that is not let in; `meaning`: why."""
    KEY_ACCEPTED = "security:key_accepted"
    KEY_UPDATED = "security:key_updated"
    """The link goes on under a new session."""
    LINK_STATE = "connectivity:connection_state_updated"
    """What people see of a link: `old`, `new`."""
    OWN_ADDRESS = "connectivity:own_address_dialled"
    PATH_ASSIGNED = "connectivity:path_assigned"
    """Where a peer's datagrams go from now on."""
    PATH_CHALLENGED = "connectivity:path_challenged"
    PATH_VALIDATED = "connectivity:path_validated"
    REFUSED_BY_PEER = "connectivity:refused_by_peer"
    REHANDSHAKE = "connectivity:rehandshake_started"
    """What was sent has not been answered for 15 s."""
    SESSION_EXPIRED = "security:session_expired"
    VERSION_SEEN = "connectivity:version_mismatch"
    """A dialled address answers in another version of the wire."""
    PROTOCOL_VIOLATION = "connectivity:protocol_violation"
    NETWORK_CHANGED = "connectivity:network_changed"
    """This machine has got or lost an address."""
    HOST_UNRESOLVED = "connectivity:host_unresolved"
    """The name of a typed host has no address at the moment."""
    ENGINE_STOPPING = "engine:stopping"
    ENGINE_CONTAINED = "engine:contained"
    """An exception of ours ended one peer's link, one command or one transfer."""
    ENGINE_NOTICE = "engine:notice"
    """People were shown a sentence; `code` is its name for programs."""
    COUNTERS_RAISED = "history:counters_raised"
    HISTORY_RESTORE = "history:restore_updated"
    MESSAGE_FAILED = "messages:failed"
    MESSAGES_ADDED = "messages:added"
    MESSAGES_DELIVERED = "messages:delivered"
    MESSAGES_RESTORED = "messages:restored"
    MARKS_MOVED = "messages:marks_updated"
    PEER_ADDED = "peer:added"
    PEER_REMOVED = "peer:removed"
    PEER_TRUST = "peer:trust_updated"
    BLACK_HOLE = "recovery:mtu_updated"
    """`mtu`: the largest datagram that arrives; `black_hole`: those of the base size do not."""
    MTU_PROBE = "recovery:mtu_probe_sent"
    CONGESTION_STATE = "recovery:congestion_state_updated"
    METRICS = "recovery:metrics_updated"
    PACKET_LOST = "recovery:packet_lost"
    PROBE_TIMEOUT = "recovery:probe_timeout"
    SPURIOUS_LOSS = "recovery:spurious_loss"
    """A packet declared lost arrived after all."""
    STORE_COMMITTED = "store:committed"
    STORE_FAILED = "store:commit_failed"
    STORE_WORKS = "store:commit_works_again"
    TRACES_DROPPED = "trace:dropped"
    TRANSFER_STATE = "transfer:state_updated"
    PACKET_RECEIVED = "transport:packet_received"
    PACKET_SENT = "transport:packet_sent"
    PACKET_DUPLICATE = "transport:packet_duplicate"


DETAIL = frozenset(
    {
        Kind.KEY_UPDATED,
        Kind.PATH_CHALLENGED,
        Kind.PATH_VALIDATED,
        Kind.MESSAGES_ADDED,
        Kind.MESSAGES_DELIVERED,
        Kind.MESSAGES_RESTORED,
        Kind.MARKS_MOVED,
        Kind.CONGESTION_STATE,
        Kind.METRICS,
        Kind.MTU_PROBE,
        Kind.PACKET_LOST,
        Kind.PROBE_TIMEOUT,
        Kind.SPURIOUS_LOSS,
        Kind.STORE_COMMITTED,
        Kind.PACKET_RECEIVED,
        Kind.PACKET_SENT,
        Kind.PACKET_DUPLICATE,
    }
)
"""Kinds that happen at the rate of packets or of a conversation. They are made only while somebody
wants them: who adds one looks at `Tracer.detail` before."""


class Code(str):
    """A word that programs know and no person wrote."""

    __slots__ = ()


class Tag(int):
    """The last four bytes of a random id, enough to tell one from another."""

    __slots__ = ()

    @classmethod
    def of(cls, random_id: bytes) -> "Tag":
        """Of a message, a transfer, an incarnation."""
        return cls(int.from_bytes(random_id[-4:], "big"))


Field = int | float | enum.StrEnum | Code | Tag | Addr


@dataclass(frozen=True, slots=True)
class Trace:
    """One thing that happened. `peer` 0: to no peer in particular."""

    peer: int
    kind: Kind
    fields: Mapping[str, Field]


class Tracer:
    """Takes traces in until the turn ends."""

    def __init__(self, *, detail: bool = False) -> None:
        self.detail = detail
        """Whether the kinds of DETAIL are wanted; set by their readers."""
        self._made: list[Trace] = []
        self._dropped = 0

    def add(self, peer: int, kind: Kind, **fields: Field) -> None:
        """One more; beyond MAX_TRACES_PER_TURN only counted."""
        if len(self._made) < MAX_TRACES_PER_TURN:
            self._made.append(Trace(peer, kind, fields))
        else:
            self._dropped += 1

    def take(self) -> list[Trace]:
        """What was added since the last call."""
        made, self._made = self._made, []
        if self._dropped:
            made.append(Trace(0, Kind.TRACES_DROPPED, {"count": self._dropped}))
            self._dropped = 0
        return made


class LinkTracer:
    """A tracer for one peer, for what does not know peers."""

    __slots__ = ("_is_read", "_peer", "tracer")

    def __init__(self, tracer: Tracer | None = None, peer: int = 0) -> None:
        """Without a tracer everything is dropped."""
        self.tracer = tracer or Tracer()
        """Knows whether the kinds of DETAIL are wanted."""
        self._is_read = tracer is not None
        self._peer = peer

    def add(self, kind: Kind, **fields: Field) -> None:
        """One more."""
        if self._is_read:
            self.tracer.add(self._peer, kind, **fields)


def describe(error: BaseException) -> str:
    """Where an exception was raised: its type, and file, line and function of each call, innermost
    first. Without its message, which may hold what a person wrote, and without paths of this
    machine; an assertion's message is ours."""
    calls = [
        f"{_in_product(frame.f_code.co_filename)}:{line} {frame.f_code.co_name}"
        for frame, line in reversed(list(traceback.walk_tb(error.__traceback__)))
    ][:MAX_CALLS]
    kind = type(error).__name__
    text = f": {error}" if isinstance(error, AssertionError) and str(error) else ""
    caused = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    behind = f" because of {describe(caused)}" if caused is not None else ""
    return f"{kind}{text} at {' < '.join(calls) or 'an unknown place'}{behind}"


def _in_product(path: str) -> str:
    """`node/links.py` of a file of ours, else the bare name of the file."""
    for package in ("chatnet_engine/", "chatnet_protocol/"):
        _, found, rest = path.rpartition(package)
        if found:
            return rest
    return path.rpartition("/")[2]
