"""Host names to addresses, in threads: a lookup can take half a minute, and the pump never waits.

A lookup that takes too long is answered as failed; its thread ends when the system lets it.
"""

import collections
import logging
import socket
import threading
from collections.abc import Callable
from typing import Any

from chatnet_engine.addresses import Addr
from chatnet_engine.io.addresses import from_sockaddr, is_numeric
from chatnet_engine.node.effects import HostResolved, ResolveHost
from chatnet_protocol.ipc.reasons import LinkReason, Reason, reason
from chatnet_protocol.limits import MAX_PEERS

logger = logging.getLogger(__name__)

MAX_LOOKUPS = 4
"""Threads at a time."""
MAX_WAITING = MAX_PEERS
"""Beyond that a lookup fails at once."""
LOOKUP_TIMEOUT_S = 15.0
MAX_ADDRS = 16

Lookup = Callable[..., list[tuple[Any, ...]]]


class Resolver:
    """`family`: of the UDP socket, so that only addresses it can reach are returned."""

    def __init__(
        self,
        family: int,
        ring: Callable[[], None],
        *,
        lookup: Lookup = socket.getaddrinfo,
    ) -> None:
        self._family = family
        self._ring = ring
        self._lookup = lookup
        self._waiting: dict[ResolveHost, None] = {}
        """In the order in which they were asked for."""
        self._running: dict[ResolveHost, float] = {}
        """With the time of giving up."""
        self._threads = 0
        self._finished: collections.deque[tuple[ResolveHost, HostResolved]] = collections.deque()
        self._ready: list[HostResolved] = []

    def ask(self, ask: ResolveHost, now_s: float) -> None:
        """Answered once; asking again while the lookup runs changes nothing."""
        if is_numeric(ask.host):
            family = socket.AF_INET6 if ":" in ask.host else socket.AF_INET
            if family == socket.AF_INET6 and self._family == socket.AF_INET:
                self._answer(_failed(ask, LinkReason.HOST_NEEDS_IPV6))
            else:
                self._answer(_answer(ask, [(ask.host, ask.port)]))
        elif ask in self._running or ask in self._waiting:
            return
        elif len(self._waiting) >= MAX_WAITING:
            self._answer(_answer(ask, [], reason(LinkReason.LOOKUPS_BUSY)))
        else:
            self._waiting[ask] = None
            self._start_waiting(now_s)

    def take_answers(self, now_s: float) -> list[HostResolved]:
        """What was found, or why not."""
        while self._finished:
            ask, answer = self._finished.popleft()
            self._threads -= 1
            if self._running.pop(ask, None) is not None:
                self._ready.append(answer)
        for ask in [ask for ask, until_s in self._running.items() if until_s <= now_s]:
            del self._running[ask]
            self._ready.append(_failed(ask, LinkReason.LOOKUP_SLOW))
        self._start_waiting(now_s)
        ready, self._ready = self._ready, []
        return ready

    def next_timeout(self) -> float | None:
        """When the first lookup has taken too long."""
        return min(self._running.values(), default=None)

    def _answer(self, answer: HostResolved) -> None:
        self._ready.append(answer)
        self._ring()

    def _start_waiting(self, now_s: float) -> None:
        while self._waiting and self._threads < MAX_LOOKUPS:
            ask = next(iter(self._waiting))
            del self._waiting[ask]
            self._running[ask] = now_s + LOOKUP_TIMEOUT_S
            self._threads += 1
            threading.Thread(
                target=self._look_up, args=(ask,), name="resolver", daemon=True
            ).start()

    def _look_up(self, ask: ResolveHost) -> None:
        try:
            found = self._lookup(ask.host, ask.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            why = error.strerror or "no answer"
            answer = _failed(ask, LinkReason.HOST_NOT_FOUND, why)
        except ValueError:
            # getaddrinfo encodes the name as IDNA, or finds a NUL in it.
            answer = _failed(ask, LinkReason.HOST_INVALID)
        else:
            answer = self._found(ask, found)
        self._finished.append((ask, answer))
        self._ring()

    def _found(self, ask: ResolveHost, found: list[tuple[Any, ...]]) -> HostResolved:
        usable = (socket.AF_INET, self._family)
        addrs: dict[Addr, None] = {
            from_sockaddr(entry[4]): None for entry in found if entry[0] in usable
        }
        if not addrs:
            return _failed(ask, LinkReason.HOST_WITHOUT_ADDRESS)
        return _answer(ask, list(addrs)[:MAX_ADDRS])


def _answer(ask: ResolveHost, addrs: list[Addr], why: Reason | None = None) -> HostResolved:
    return HostResolved(ask.peer, addrs, why, (ask.host, ask.port))


def _failed(ask: ResolveHost, code: LinkReason, *params: str) -> HostResolved:
    return _answer(ask, [], reason(code, ask.host, *params))
