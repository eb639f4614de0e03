"""Owns who the peers are, and decides what a key that shows up means.

Peers are known by key. A typed peer without a key is pinned on first contact (trust on first use);
a second key for a pinned peer is refused; other strangers wait until somebody accepts them.
"""

import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from chatnet_engine.addresses import Addr
from chatnet_engine.clock import Now
from chatnet_engine.node.people.known_peers import KnownPeers
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.rows import PeerRow, Trust

MAX_PENDING_PEERS = 16
"""Strangers remembered at a time; more are refused without a trace."""


class Meaning(enum.Enum):
    """What a key in a handshake means here."""

    KNOWN = enum.auto()
    """It belongs to `peer`."""
    PIN = enum.auto()
    """First contact with the typed peer `peer`: pin it."""
    UNPROVEN = enum.auto()
    """It answered a dial with the invite of `peer`: pinned as soon as it proved to know that."""
    UNINVITED = enum.auto()
    """It calls from where `peer` is, without the invite."""
    MERGE = enum.auto()
    """`retires` is the same person as `peer`: one of them has the key, the other was typed."""
    KEY_CHANGED = enum.auto()
    """`peer` is pinned to another key, or known_peers does not vouch for its key: refuse."""
    STRANGER = enum.auto()
    """Nobody we know: pending."""
    PENDING = enum.auto()
    """The stranger `peer`, who still waits."""
    BLOCKED = enum.auto()
    """It belongs to `peer`, which a person has blocked: no answer."""
    OURSELVES = enum.auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A meaning and the peer it is about."""

    meaning: Meaning
    peer: int = 0
    retires: int = 0


TypedAt: TypeAlias = Callable[[Iterable[Addr]], Sequence[int]]
"""Peers whose typed host was looked up to one of these addresses."""


class PeerLinks(Protocol):
    """What becomes of a peer's link when something about the peer changes."""

    def add(self, row: PeerRow, now: Now, *, moved: bool = False) -> None: ...
    def remove(self, peer: int) -> None: ...
    def restart(self, peer: int, now: Now) -> None: ...
    def dial(self, peer: int, now: Now) -> None: ...


class Peers:
    """All peers of a session."""

    def __init__(
        self, rows: Sequence[PeerRow], own_key: bytes, known: KnownPeers | None = None
    ) -> None:
        self._rows: dict[int, PeerRow] = {}
        self._owners: dict[bytes, int] = {}
        """The first peer with each key; while two are merged they share one."""
        self._known = known or KnownPeers()
        self._own_key = own_key
        self.leaving: dict[int, PeerRow] = {}
        """Peers whose removal is asked of the store: gone for everybody but the one that waits
        for the answer."""
        self.strangers: set[bytes] = set()
        """Keys of strangers that are about to be stored as pending."""
        for row in rows:
            self.put(row)

    def __iter__(self) -> Iterator[PeerRow]:
        return iter(self._rows.values())

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, row: PeerRow) -> None:
        """Know a peer, or something new about it."""
        before = self._rows.get(row.peer)
        self._rows[row.peer] = row
        if before and before.key != row.key:
            self._choose_owner(before.key)
        if row.key:
            self._owners[row.key] = min(row.peer, self._owners.get(row.key, row.peer))

    def retire(self, peer: int) -> None:
        """Its removal is asked of the store."""
        if row := self._pop(peer):
            self.leaving[peer] = row

    def take_back(self, peer: int) -> PeerRow | None:
        """The removal failed; the row, if there was one."""
        row = self.leaving.pop(peer, None)
        if row:
            self.put(row)
        return row

    def remove(self, peer: int) -> None:
        """Forget a peer."""
        self._pop(peer)
        self.leaving.pop(peer, None)

    def get(self, peer: int) -> PeerRow | None:
        """The row of a peer, if it is known."""
        return self._rows.get(peer)

    def need(self, peer: int) -> PeerRow:
        """The row of a peer. Raises CommandError(unknown-peer)."""
        if row := self._rows.get(peer):
            return row
        raise CommandError(ErrorCode.UNKNOWN_PEER, f"There is no peer {peer} in this session.")

    def need_accepted(self, peer: int) -> PeerRow:
        """The row of a peer that is neither a pending request nor blocked. Raises CommandError."""
        row = self.need(peer)
        if row.trust == Trust.PENDING:
            raise CommandError(ErrorCode.REFUSED, f"{row.name} has to be accepted first.")
        if row.blocked:
            raise CommandError(ErrorCode.REFUSED, f"{row.name} is blocked; unblock first.")
        return row

    def name(self, peer: int) -> str:
        """What people call it."""
        row = self._rows.get(peer)
        return row.name if row else "The peer"

    def by_key(self, key: bytes) -> PeerRow | None:
        """The peer with that key."""
        owner = self._owners.get(key)
        return self._rows[owner] if owner is not None else None

    def typed_at(self, host: str, port: int) -> PeerRow | None:
        """The peer typed with exactly that address."""
        return next((row for row in self if (row.host, row.port) == (host, port)), None)

    def _pop(self, peer: int) -> PeerRow | None:
        row = self._rows.pop(peer, None)
        if row:
            self._choose_owner(row.key)
        return row

    def _choose_owner(self, key: bytes) -> None:
        if self._owners.pop(key, None) and (left := [row.peer for row in self if row.key == key]):
            self._owners[key] = min(left)

    def waits_for_stranger(self, peer: int) -> bool:
        """Whether what is known of it is stored only when the stranger with its key is."""
        row = self._rows.get(peer)
        return row is not None and row.key in self.strangers

    @property
    def pending(self) -> int:
        """How many strangers wait, or are about to."""
        waiting = sum(row.trust == Trust.PENDING and not row.blocked for row in self)
        return len(self.strangers) + waiting

    def judge_blocked(self, key: bytes) -> Verdict | None:
        """Whether a person has blocked this key, wherever it comes from."""
        owner = self.by_key(key)
        return Verdict(Meaning.BLOCKED, owner.peer) if owner and owner.blocked else None

    def judge_dialled(self, dialled: int, key: bytes) -> Verdict:
        """`key` answered when we dialled the peer `dialled`."""
        if key == self._own_key:
            return Verdict(Meaning.OURSELVES, dialled)
        row = self._rows[dialled]
        if row.key == key and dialled not in self._known.unlisted:
            return Verdict(Meaning.KNOWN, dialled)
        if row.key:
            return Verdict(Meaning.KEY_CHANGED, dialled)
        owner = self.by_key(key)
        if row.trust == Trust.INVITED and (owner is None or owner.trust == Trust.PENDING):
            return Verdict(Meaning.UNPROVEN, dialled)
        if owner is None:
            return Verdict(Meaning.PIN, dialled)
        if owner.peer in self._known.unlisted:
            return Verdict(Meaning.KEY_CHANGED, owner.peer)
        if owner.trust == Trust.PENDING:
            return Verdict(Meaning.MERGE, dialled, owner.peer)
        return Verdict(Meaning.MERGE, owner.peer, dialled)

    def judge_caller(self, key: bytes, addr: Addr, claimed_port: int, typed_at: TypedAt) -> Verdict:
        """`key` called from `addr` and says it listens on `claimed_port`."""
        if key == self._own_key:
            return Verdict(Meaning.OURSELVES)
        at = [self._rows[peer] for peer in typed_at({addr, (addr[0], claimed_port)})]
        free = [row for row in at if not row.key and row.trust != Trust.INVITED]
        owner = self.by_key(key)
        if owner and owner.peer in self._known.unlisted:
            return Verdict(Meaning.KEY_CHANGED, owner.peer)
        if owner and owner.trust != Trust.PENDING:
            if len(free) == 1:
                return Verdict(Meaning.MERGE, owner.peer, free[0].peer)
            return Verdict(Meaning.KNOWN, owner.peer)
        if len(free) == 1:
            if owner:
                return Verdict(Meaning.MERGE, free[0].peer, owner.peer)
            return Verdict(Meaning.PIN, free[0].peer)
        if owner:
            return Verdict(Meaning.PENDING, owner.peer)
        if len(at) == 1 and not at[0].key:
            return Verdict(Meaning.UNINVITED, at[0].peer)
        if len(at) == 1:
            return Verdict(Meaning.KEY_CHANGED, at[0].peer)
        return Verdict(Meaning.STRANGER)

    def judge_invited(self, peer: int, key: bytes) -> Verdict:
        """`key` proved to know the invite of `peer`, which has no key yet."""
        owner = self.by_key(key)
        if key == self._own_key:
            return Verdict(Meaning.OURSELVES, peer)
        if owner is None:
            return Verdict(Meaning.PIN, peer)
        if owner.peer in self._known.unlisted:
            return Verdict(Meaning.KEY_CHANGED, owner.peer)
        if owner.trust == Trust.PENDING:
            return Verdict(Meaning.MERGE, peer, owner.peer)
        return Verdict(Meaning.MERGE, owner.peer, peer)
