"""What hostile bytes cost an engine: steps of Python, kept, stored and answered bytes.

Steps are lines of our code that ran, so they are the same on every machine. `Target` is an engine
in the worst state that a peer can bring it into, as that peer's link sees it.
"""

import sqlite3
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from types import CodeType, FrameType
from typing import Any

import msgspec

from chatnet_engine.addresses import Addr
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import new_detail
from chatnet_engine.files.lookups import MAX_LOOKUPS
from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.effects import FileProcessReport
from chatnet_engine.node.node import Node
from chatnet_engine.store_ops import commit as c
from chatnet_engine.store_ops import restores as cr
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import AckRange, MessageKind, RestoreTheirs, TransferRow
from chatnet_protocol.limits import MAX_OFFER_BYTES, MAX_OPEN_OFFERS
from chatnet_protocol.wire import control as ct
from simworld.clock import Clock
from simworld.engine import SimEngine
from simworld.network import Line, Network
from simworld.scripted import ScriptedPeer

OURS = ("chatnet_engine", "chatnet_protocol")
US, PEER = ("10.0.0.1", 5001), ("10.0.0.2", 5002)
LARGE = 8
"""Offers that are as long as an offer may be."""
PACKET_BYTES = 1100
OWN = 24
"""Offers of ours to this peer."""
WANT = 7
"""The peer's restore, which somebody has consented to."""
HISTORY_INCARNATION = 99
MAX_AUTO_BYTES = 2**28


class Steps:
    """Counts lines of our code that run, in the block; not nested."""

    def __init__(self) -> None:
        count, ours = 0, dict[CodeType, bool]()

        def ran(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal count
            count += event == "line"
            return ran

        def called(frame: FrameType, event: str, arg: Any) -> Any:
            is_ours = ours.get(frame.f_code)
            if is_ours is None:
                is_ours = frame.f_globals.get("__name__", "").startswith(OURS)
                ours[frame.f_code] = is_ours
            return ran if is_ours else None

        self._called = called
        self._count: Callable[[], int] = lambda: count

    @property
    def count(self) -> int:
        """Lines so far."""
        return self._count()

    def __enter__(self) -> "Steps":
        self._before = sys.gettrace()
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)


@dataclass(frozen=True)
class Cost:
    """Of each byte that the peer sent."""

    steps: float
    kept: float
    """Bytes of memory, those of the store left out."""
    stored: float
    """Bytes handed to the store."""
    answered: float
    """Bytes of datagrams."""


def transfer_id(kind: str, number: int) -> bytes:
    """Ids of the transfers below."""
    return f"{kind:8}{number:8}".encode()


def small_offer(size_bytes: int) -> bytes:
    """One file with the longest safe name."""
    return encode_offer(Offer([OfferedFile(["x" * 190 + ".txt"], size_bytes)]))


@cache
def large_offer() -> bytes:
    """As many files as one offer names, in as many bytes as one may have."""
    files = [OfferedFile(["y" * 44, str(n)], 2**20) for n in range(1000)]
    body = encode_offer(Offer(files))
    assert MAX_OFFER_BYTES * 0.9 < len(body) <= MAX_OFFER_BYTES
    return body


def arrivals() -> list[c.Message]:
    """Offers of the peer: long ones, ones that are accepted, ones that wait, ones too many."""
    bodies = [("large", n, large_offer()) for n in range(LARGE)]
    half = MAX_OPEN_OFFERS // 2
    bodies += [("accepted", n, small_offer(1)) for n in range(half)]
    bodies += [("offered", n, small_offer(2 * MAX_AUTO_BYTES)) for n in range(half - LARGE)]
    bodies += [("refused", n, small_offer(1)) for n in range(MAX_OPEN_OFFERS)]
    return [
        c.Message(MessageKind.OFFER, transfer_id(kind, number), 1, 0, body)
        for kind, number, body in bodies
    ]


def own_offers() -> list[c.NewMessage]:
    """Offers to the peer, each as long as may be."""
    rows = []
    for number in range(OWN):
        offer_id, body = transfer_id("own", number), large_offer()
        row = TransferRow(offer_id, 1, 0, True, "offered", "y", 1000, 1000 * 2**20)
        stored = c.StoreTransfer(row, *new_detail(body, ["/y"], []))
        rows.append(c.NewMessage(offer_id, MessageKind.OFFER, body, 0, transfer=stored))
    return rows


class CountedEngine(SimEngine):
    """Counts what it does while its peer attacks."""

    def __init__(self, clock: Clock, network: Network) -> None:
        super().__init__(clock, network, "us", US)
        self.steps: AbstractContextManager[object] = nullcontext()
        self.stored = self.largest = 0
        """Bytes of all transactions, and of one."""

    def up(self) -> None:
        super().up()
        apply = self.ledger.apply

        def counted(commit: c.Commit) -> Any:
            size = sum(len(msgspec.msgpack.encode(op)) for op in commit.ops)
            self.stored += size
            self.largest = max(self.largest, size)
            with self.steps:
                return apply(commit)

        self.ledger.apply = counted  # type: ignore[method-assign]

    def _receive(self, data: bytes, source: Addr) -> None:
        with self.steps:
            super()._receive(data, source)

    def _answer(self, life: int, result: object) -> None:
        with self.steps:
            super()._answer(life, result)

    def _wake(self, life: int, due: float) -> None:
        with self.steps:
            super()._wake(life, due)


@cache
def history() -> tuple[bytes, bytes]:
    """The store and the known peers after the peer did what it may, made once."""
    clock = Clock(1)
    engine = SimEngine(clock, Network(clock), "us", US)
    engine.up()
    engine.dial(PEER)
    clock.run(clock.now_s + 0.1)
    _commit(engine, c.ApplyHello(1, HISTORY_INCARNATION, 1, 0, 0, 0, ""))
    rows = arrivals()
    _commit(engine, c.AcceptMessages(1, HISTORY_INCARNATION, 1, rows, "", 0))
    _commit(engine, c.QueueMessages(1, own_offers(), 0, False))
    _commit(engine, c.StoreReceipts(1, [AckRange(OWN, OWN, OWN)]))
    _commit(engine, cr.StorePeerRestoreRequest(1, WANT, RestoreTheirs.ASKED))
    _commit(engine, cr.StorePeerRestoreRequest(1, WANT, RestoreTheirs.GIVING))
    return engine.connection.serialize(), engine.known_peers


def _commit(engine: SimEngine, op: c.Op) -> None:
    engine.node.turn.commits.add(op)
    engine.turn()
    engine.clock.run(engine.clock.now_s + 0.5)


class Target:
    """An engine with that history, and a link to the peer that made it so."""

    def __init__(self) -> None:
        self.clock = Clock(1)
        self.network = Network(self.clock, Line(delay_s=0.001))
        self.engine = CountedEngine(self.clock, self.network)
        store, self.engine.known_peers = history()
        self.engine.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.engine.connection.deserialize(store)
        self.engine.up()
        self.answered = self.sent = 0
        self.network.tap = self._tap
        self.peer = ScriptedPeer(self.clock, self.network, PEER, US)
        self.run(0.5)
        self.node.handle_io(FileProcessReport(pw.encode(pw.Listening(7))), self.engine.now)
        self.engine.turn()
        self.run(0.5)
        assert self.node.messaging.conversations[1].streaming
        self._next: dict[int, int] = {}

    @property
    def node(self) -> Node:
        """Of the engine."""
        return self.engine.node

    @property
    def transfers(self) -> Transfers:
        """Of the engine."""
        return self.node.transfers.transfers

    def run(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.run(self.clock.now_s + seconds)

    def fill_lookups(self) -> None:
        """As many unknown transfers wait for the store as may."""
        for number in range(MAX_LOOKUPS):
            self.transfers.lookups.wait(1, ct.Accept(transfer_id("filler", number)))

    def say(self, channel: int, body: Callable[[int], bytes]) -> None:
        """The channel's next messages, about a packet full: `body(number)` is each."""
        size, bodies = 0, []
        while size < PACKET_BYTES:
            number = self._next[channel] = self._next.get(channel, 0) + 1
            bodies.append(body(number))
            size += len(bodies[-1]) + 2
        assert self.peer.connection
        self.peer.connection.queue(channel, bodies)

    def attack(self, act: Callable[["Target", int], None], times: int) -> Cost:
        """Act so often, a round of the store conflicted."""
        steps = self.engine.steps = Steps()
        self.engine.stored = self.engine.largest = self.answered = self.sent = 0
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(times):
            act(self, number)
            self.run(0.02)
        self.run(0.2)
        kept = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        sent = self.sent
        return Cost(
            steps.count / sent,
            kept / sent,
            self.engine.stored / sent,
            self.answered / sent,
        )

    def _tap(self, data: bytes, source: Addr, target: Addr) -> None:
        if source == US:
            self.answered += len(data)
        else:
            self.sent += len(data)
