"""Owns what addresses the typed host name of each peer stands for, and when to look again."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from chatnet_engine.addresses import Addr
from chatnet_engine.clock import Now
from chatnet_engine.node.effects import HostResolved, ResolveHost
from chatnet_protocol.addresses import parse_address
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.rows import PeerRow

RESOLVE_AGAIN_S = 60.0
"""Between lookups of a name; after failed ones 1, 2, 4 … seconds, up to this."""
MIN_PAUSE_S = 1.0
"""Between lookups of a name, whatever asks for them: a burst of messages is one lookup."""


@dataclass(slots=True)
class _Host:
    host: str
    port: int
    due_s: float
    asked_s: float = -math.inf
    addrs: list[Addr] = field(default_factory=list)
    failures: int = 0
    """Lookups in a row that found nothing."""


class HostNames:
    """All typed host names, by peer."""

    def __init__(self) -> None:
        self._hosts: dict[int, _Host] = {}
        self._at: dict[Addr, set[int]] = {}
        """Peers by the addresses of their names."""
        self._asks: list[ResolveHost] = []

    def want(self, row: PeerRow, now: Now) -> None:
        """Look the name of this peer up, and again every RESOLVE_AGAIN_S while it is due."""
        known = self._hosts.setdefault(row.peer, _Host(row.host, row.port, now.mono_s))
        known.due_s = now.mono_s

    def look_again(self, peer: int, now: Now, *, afresh: bool = False) -> None:
        """The last answer may be outdated; `afresh`: failures of before mean nothing any more."""
        known = self._hosts.get(peer)
        if known:
            known.due_s = min(known.due_s, max(now.mono_s, known.asked_s + MIN_PAUSE_S))
            known.failures = 0 if afresh else known.failures

    def forget(self, peer: int) -> None:
        """The peer is not in the list any more, or is typed with another host."""
        if known := self._hosts.pop(peer, None):
            self._place(peer, known, [])

    def addrs(self, peer: int) -> list[Addr]:
        """What the name stood for last; empty before the first answer."""
        known = self._hosts.get(peer)
        return known.addrs if known else []

    def dial_addrs(self, row: PeerRow) -> list[Addr]:
        """Where the peer may be, its last validated address first."""
        addrs = _validated(row.address)
        return addrs + [addr for addr in self.addrs(row.peer) if addr not in addrs]

    def peers_at(self, addrs: Iterable[Addr]) -> list[int]:
        """Peers whose name stands for one of these."""
        return sorted({peer for addr in addrs for peer in self._at.get(addr, ())})

    def is_outdated(self, result: HostResolved) -> bool:
        """Whether an answer is about an address that was typed for the peer before."""
        known = self._hosts.get(result.peer)
        return bool(known and result.asked and result.asked != (known.host, known.port))

    def handle_resolved(self, peer: int, addrs: list[Addr], now: Now) -> bool:
        """The answer; whether there are addresses, of now or of before."""
        known = self._hosts.get(peer)
        if known is None:
            return False
        pause_s = RESOLVE_AGAIN_S if addrs else min(RESOLVE_AGAIN_S, 2.0 ** min(known.failures, 6))
        known.failures = 0 if addrs else known.failures + 1
        numeric = addrs == [(known.host, known.port)]  # stands for itself for ever
        known.due_s = math.inf if numeric else now.mono_s + pause_s
        if addrs:
            self._place(peer, known, addrs)
        return bool(known.addrs)

    def handle_due(self, peer: int, now: Now) -> None:
        """Ask again if it is time to."""
        known = self._hosts.get(peer)
        if known is None or now.mono_s < known.due_s:
            return
        known.due_s = now.mono_s + RESOLVE_AGAIN_S
        known.asked_s = now.mono_s
        self._asks.append(ResolveHost(peer, known.host, known.port))

    def due_of(self, peer: int) -> float | None:
        """When `handle_due` has something to do for this peer."""
        known = self._hosts.get(peer)
        return known.due_s if known and known.due_s < math.inf else None

    def take_resolves(self) -> list[ResolveHost]:
        """Host names to look up."""
        out, self._asks = self._asks, []
        return out

    def _place(self, peer: int, known: _Host, addrs: list[Addr]) -> None:
        for addr in known.addrs:
            self._at[addr].discard(peer)
            if not self._at[addr]:
                del self._at[addr]
        known.addrs = list(dict.fromkeys(addrs))
        for addr in known.addrs:
            self._at.setdefault(addr, set()).add(peer)


@lru_cache(maxsize=1024)
def _parsed(address: str) -> Addr | None:
    try:
        return parse_address(address)
    except CommandError:
        return None  # empty, or of an older store


def _validated(address: str) -> list[Addr]:
    parsed = _parsed(address)
    return [parsed] if parsed else []
