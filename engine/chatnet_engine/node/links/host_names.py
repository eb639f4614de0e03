"""Owns what addresses the typed host name of each peer stands for, and when to look again."""

import math
from dataclasses import dataclass, field
from functools import lru_cache

from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import Addr, HostResolved, ResolveHost
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
        self._asks: list[ResolveHost] = []

    def want(self, row: PeerRow, now: Now) -> None:
        """Look the name of this peer up, and again every RESOLVE_AGAIN_S while it is not linked."""
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
        self._hosts.pop(peer, None)

    def addrs(self, peer: int) -> list[Addr]:
        """What the name stood for last; empty before the first answer."""
        known = self._hosts.get(peer)
        return known.addrs if known else []

    def dial_addrs(self, row: PeerRow) -> list[Addr]:
        """Where the peer may be, its last validated address first."""
        addrs = _validated(row.address)
        return addrs + [addr for addr in self.addrs(row.peer) if addr not in addrs]

    def all_addrs(self) -> dict[int, list[Addr]]:
        """Of every peer whose name is known."""
        return {peer: known.addrs for peer, known in self._hosts.items()}

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
        known.due_s = now.mono_s + pause_s
        known.addrs = addrs or known.addrs
        return bool(known.addrs)

    def handle_due(self, peer: int, now: Now, *, linked: bool) -> None:
        """Ask again if it is time to; a peer with a live link needs no lookup."""
        known = self._hosts.get(peer)
        if known is None or now.mono_s < known.due_s:
            return
        known.due_s = now.mono_s + RESOLVE_AGAIN_S
        if not linked:
            known.asked_s = now.mono_s
            self._asks.append(ResolveHost(peer, known.host, known.port))

    def due_of(self, peer: int) -> float | None:
        """When `handle_due` has something to do for this peer."""
        known = self._hosts.get(peer)
        return known.due_s if known else None

    def take_resolves(self) -> list[ResolveHost]:
        """Host names to look up."""
        out, self._asks = self._asks, []
        return out


@lru_cache(maxsize=1024)
def _parsed(address: str) -> Addr | None:
    try:
        return parse_address(address)
    except CommandError:
        return None  # empty, or of an older store


def _validated(address: str) -> list[Addr]:
    parsed = _parsed(address)
    return [parsed] if parsed else []
