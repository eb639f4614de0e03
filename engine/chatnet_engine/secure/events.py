"""What an Endpoint tells its owner, and what it counts."""

from dataclasses import dataclass

import msgspec

from chatnet_engine.addresses import Addr


class ArrivedFrom(tuple[str, int]):
    """The Addr that a datagram came from; `local` is the address of ours that it came to.

    Equal to the bare Addr: `local` says how to answer, not who it is. What is sent to it leaves
    from `local` while that works.
    """

    local: str

    def __new__(cls, addr: Addr, local: str) -> "ArrivedFrom":
        """A copy of `addr` that remembers `local`."""
        made = super().__new__(cls, addr)
        made.local = local
        return made


def local_of(addr: Addr) -> str:
    """The address of ours that belongs to `addr`; "" when any will do."""
    return addr.local if isinstance(addr, ArrivedFrom) else ""


class Authenticated(msgspec.Struct, frozen=True, gc=False):
    """Somebody proved a key; the owner must accept or refuse `attempt` in the same turn.

    Until then nothing changes for any session. `key` may be our own, from a copy of our data
    folder: refuse it. `port` is the UDP port the other side says it is
    bound to. `peer_hint`: the dialled peer (initiator only). `invite`: number of the invite whose
    secret the other side proved to know (responder only). A dial with a psk has not proved it yet:
    pin its key at LinkUp.
    """

    attempt: int
    key: bytes
    incarnation: int
    port: int
    addr: Addr
    initiator: bool
    peer_hint: int | None
    invite: int | None


class LinkUp(msgspec.Struct, frozen=True, gc=False):
    """A session of this pair of incarnations can seal.

    `rekey`: the pair is the one announced last for this peer, so the link continues with its
    packet numbers (also after SessionExpired); else packet and ACK state start anew. `psk`: both
    sides proved to know the secret of the same invite. `rtt_s`: a round trip of the handshake, or
    less where messages of it were repeated.
    """

    peer: int
    key: bytes
    local_incarnation: int
    remote_incarnation: int
    addr: Addr
    rekey: bool
    psk: bool
    rtt_s: float


class PacketArrived(msgspec.Struct, frozen=True, gc=False):
    """An authentic, never seen DATA of the announced link; `payload` may end with padding."""

    peer: int
    remote_incarnation: int
    number: int
    payload: bytes
    addr: Addr


class Roamed(msgspec.Struct, frozen=True, gc=False):
    """The peer is now sent to at another address."""

    peer: int
    addr: Addr


class PathChallengeNeeded(msgspec.Struct, frozen=True, gc=False):
    """Send `token` (8 bytes) to the peer in a PATH_CHALLENGE; hand its echo to path_validated."""

    peer: int
    addr: Addr
    token: bytes


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The peer refused us; `payload` is its CLOSE frame. The dial goes on after a pause."""

    peer: int
    key: bytes
    payload: bytes
    addr: Addr


class SessionExpired(msgspec.Struct, frozen=True, gc=False):
    """No session of this peer can seal any more; a dialled peer is being dialled again."""

    peer: int


class Reflected(msgspec.Struct, frozen=True, gc=False):
    """Our own INIT arrived here: the dialled address is our own. For display only."""

    peer: int
    addr: Addr


class VersionSeen(msgspec.Struct, frozen=True, gc=False):
    """A dialled address speaks another version. Not authenticated: for display only."""

    addr: Addr
    version: int


Event = (
    Authenticated
    | LinkUp
    | PacketArrived
    | Roamed
    | PathChallengeNeeded
    | Refused
    | SessionExpired
    | Reflected
    | VersionSeen
)


@dataclass(slots=True)
class Counters:
    """What happened since the endpoint was made; nothing decides by them."""

    packets_opened: int = 0
    packets_sealed: int = 0
    inits_sent: int = 0
    inits_received: int = 0
    handshakes_initiated: int = 0
    """Completed as initiator and accepted."""
    handshakes_responded: int = 0
    handshakes_refused: int = 0
    cookies_sent: int = 0
    cookies_received: int = 0
    fins_repeated: int = 0
    confirms_sent: int = 0
    roamed: int = 0
    roamed_back: int = 0
    expired_sessions: int = 0
    dropped_malformed: int = 0
    dropped_unknown_index: int = 0
    dropped_forged: int = 0
    dropped_replayed: int = 0
    dropped_expired: int = 0
    """DATA on a session past its age."""
    dropped_refused_key: int = 0
    dropped_stale: int = 0
    """Handshakes older than the session they would have replaced."""
    dropped_rate: int = 0
    dropped_burst: int = 0
    dropped_half_open_full: int = 0
    dropped_duplicate_init: int = 0
    dropped_simultaneous: int = 0
    dropped_reflected: int = 0
    dropped_no_invite: int = 0
    dropped_version: int = 0
    dropped_pending_full: int = 0
    dropped_unanswered: int = 0
    """Authenticated handshakes the owner neither accepted nor refused in time."""
    dropped_amplification: int = 0
    stranger_inits: int = 0
    """INITs whose mac1 was not made with our key."""


class PeerStatus(msgspec.Struct, frozen=True):
    """A peer as the endpoint sees it, for people and tests."""

    dialling: bool
    initiating: bool
    usable: bool
    confirmed: bool
    addr: Addr | None
    validated: bool
    slots: tuple[bytes | None, bytes | None, bytes | None]
    """Handshake hashes of next, current, previous: alike on both sides."""
    current_age_s: float | None
    last_received_s: float | None
    remote_incarnation: int | None
