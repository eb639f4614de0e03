"""A ledger and a node that decide nothing, for tests of the loop and of what it drives."""

import math
from collections.abc import Collection

from chatnet_engine.clock import Now
from chatnet_engine.node.effects import Effect, IoResult, StopRunner
from chatnet_engine.store_ops.commit import Commit, Committed, Loaded
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.ipc.view import View

JUNK = b"!"
"""A datagram that begins with it changes nothing at a FakeNode."""
SESSION = SessionRow("s", "", "", 1, b"", "", "")


class EmptyLedger:
    """Commits everything and says nothing about it."""

    def apply(self, commit: Commit) -> Committed:
        return Committed(commit.number, [])

    def load(self) -> Loaded:
        return Loaded([], [], [], 0)

    def load_view(self, session: SessionRow) -> View:
        return View(session)

    def page(self, query: FetchHistory) -> HistoryPage:
        return HistoryPage([], [], False)

    def close(self) -> None: ...


class FakeNode:
    """Writes down what it is fed; gives the effects that a test puts into `effects`."""

    def __init__(self) -> None:
        self.datagrams: list[tuple[bytes, tuple[str, int]]] = []
        self.requests: list[tuple[bytes, list[bytes]]] = []
        self.results: list[IoResult] = []
        self.timeouts: list[float] = []
        self.effects: list[Effect] = []
        self.held: tuple[frozenset[int], float] = frozenset(), -math.inf
        self.due_s: float | None = None
        self.stopped: str | None = None
        self.stops_at_once = True
        self.nows: list[Now] = []

    def peer_of(self, data: bytes) -> int:
        return data[0]

    def handle_datagrams(self, batch: list[tuple[bytes, tuple[str, int]]], now: Now) -> bool:
        self.datagrams += batch
        return not all(data.startswith(JUNK) for data, _ in batch)

    def hold(self, peers: Collection[int], until_s: float) -> None:
        self.held = frozenset(peers), until_s

    def handle_request(self, routing_id: bytes, frames: list[bytes], now: Now) -> None:
        self.requests.append((routing_id, frames))

    def handle_io(self, result: IoResult, now: Now) -> None:
        self.results.append(result)

    def handle_timeout(self, now: Now) -> None:
        self.timeouts.append(now.mono_s)
        self.due_s = None

    def take_effects(self, now: Now) -> list[Effect]:
        self.nows.append(now)
        effects, self.effects = self.effects, []
        return effects

    def next_timeout(self) -> float | None:
        return self.due_s

    def stop(self, reason: str, now: Now) -> None:
        self.stopped = reason
        if self.stops_at_once:
            self.effects.append(StopRunner(reason))
