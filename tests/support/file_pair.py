"""Two users' transfers against each other, each with a file process of its own: real or pretended.

The link between them is a list that the test can cut; the stores are dictionaries that keep what
was committed, so that a restart sees what a restart would see.
"""

import os
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Generic, TypeVar

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.offering import ReadyOffer
from chatnet_engine.files.transfers import FailedOffer, Transfers
from chatnet_engine.io.file_link import FileLink
from chatnet_engine.node.effects import FilesRestarted
from chatnet_engine.store_ops.commit import (
    AutomaticUse,
    FindFolder,
    FolderFound,
    ReceivedListed,
    StoredTransfer,
)
from chatnet_protocol.ipc.reasons import PARAMETERS, TransferReason
from chatnet_protocol.ipc.rows import (
    ENDED_TRANSFER_STATES,
    MessageKind,
    MessageRow,
    TransferRow,
)
from chatnet_protocol.limits import MIB

PEER = 1
WITHIN_S = 600.0
"""For machines on which everything is slow, or stands still now and then; a test that passes does
not wait for it."""
ID = bytes(range(16))
KEY = b"k" * 32
"""Of the peer, as both sides know it."""


def message(transfer_id: bytes, no: int, mine: bool, body: bytes) -> MessageRow:
    """The committed OFFER message."""
    kind = MessageKind.OFFER
    return MessageRow(no, transfer_id, mine, kind, body, 1, 1, int(mine), 0, "", 1, no)


def check_reason(row: TransferRow) -> None:
    """What a row gives as its reason is a code with its parameters, not a sentence."""
    if row.reason is not None:
        code = TransferReason(row.reason.code)
        assert len(row.reason.params) == len(PARAMETERS.get(code, ()))


class Side:
    """One user. Subclasses bring the file process and the time."""

    contain = False
    """Whether what raises in one transfer ends that one alone."""

    def __init__(self, name: str, inbox: str, seed: int = 1) -> None:
        self.name = name
        self.inbox = inbox
        self.random = Random(f"{name}{seed}")
        self.store: dict[bytes, StoredTransfer] = {}
        self.listings: dict[bytes, bytes] = {}
        self.digests: dict[bytes, bytes] = {}
        self.automatic: dict[bytes, AutomaticUse] = {}
        self.said: list[bytes] = []
        self.offers: list[ReadyOffer | FailedOffer] = []
        self.history: list[TransferRow] = []
        self.auto_accept_bytes = 256 * MIB
        self.verified = False
        self.host = "127.0.0.1"
        """Where the peer is, as this side believes."""
        self.incarnation = 0
        self.peer_incarnation = 0
        self.transfers = self._boot()

    def now(self) -> float:
        raise NotImplementedError

    def _boot(self) -> Transfers:
        self.incarnation += 1
        return Transfers(
            loaded=list(self.store.values()),
            automatic=list(self.automatic.values()),
            random=self.random.randbytes,
            inbox=self.inbox,
            now=self.now(),
            contain=self.contain,
        )

    def link(self, up: bool) -> None:
        addrs = [(self.host, 1)] if up else []
        self.transfers.handle_link(
            PEER,
            up,
            addrs,
            incarnation=self.peer_incarnation,
            fast_aes=True,
            at=Now(self.now(), 1000),
        )

    def move(self) -> None:
        """One turn of the engine: commits are immediate."""
        now = self.now()
        self.transfers.handle_timeout(Now(now, 1000))
        while ops := self.transfers.take_stores():
            for op in ops:
                if op.digests:
                    self.digests[op.row.id] = op.digests
                if op.listing:
                    self.listings[op.row.id] = op.listing
                listing = self.listings[op.row.id]
                self.store[op.row.id] = StoredTransfer(op.row, op.detail, listing=listing)
                if (use := op.automatic) is not None:
                    former = self.automatic.get(use.key)
                    if former and former.day == use.day:
                        size_bytes = former.size_bytes + use.size_bytes
                        files = former.files + use.files
                        use = AutomaticUse(use.key, use.day, size_bytes, files)
                    self.automatic[use.key] = use
                self.history.append(op.row)
                check_reason(op.row)
                self.transfers.handle_stored(op.row, Now(now, 1000))
        while ids := self.transfers.lookups.take():
            found = [self.store[one] for one in ids if one in self.store]
            self.transfers.handle_loaded(ids, found, Now(now, 1000))
        for search in self.transfers.take_searches():
            self.transfers.handle_found(search.id, self._find(search), Now(now, 1000))
        while self.transfers.surveys.take_search() is not None:
            self.transfers.handle_listed(self.list_received())
        self.said += [body for _, body in self.transfers.take_controls()]
        for offer in self.transfers.offering.take():
            self.offers.append(offer)
            if isinstance(offer, ReadyOffer) and offer.store:
                self.listings[offer.transfer_id] = offer.store.listing

    def list_received(self) -> ReceivedListed:
        """As the ledger does, all in one page."""
        return ReceivedListed(
            [
                (stored.row.id, stored.detail)
                for stored in reversed(self.store.values())
                if not stored.row.mine and stored.row.state in ENDED_TRANSFER_STATES
            ]
        )

    def _find(self, search: FindFolder) -> FolderFound:
        """As the ledger does; the order of the offers is that of their ids."""
        found = [
            stored
            for stored in self.store.values()
            if not stored.row.mine
            and stored.row.id != search.id
            and (stored.row.name, stored.row.state) == (search.name, "done")
            and (stored.row.kind, stored.row.things) == ("folder", 1)
        ]
        if not found:
            return FolderFound(None)
        newest = max(found, key=lambda stored: stored.row.id)
        return FolderFound(newest, self.digests.get(newest.row.id, b""))

    def row(self, transfer_id: bytes = ID) -> TransferRow:
        """As last committed."""
        return self.store[transfer_id].row

    def state(self, transfer_id: bytes = ID) -> str:
        """As last committed; empty if unknown."""
        known = self.store.get(transfer_id)
        return known.row.state if known else ""


class RealSide(Side):
    """With the real file process, on the loopback."""

    def __init__(self, name: str, folder: Path, bind: str = "127.0.0.1") -> None:
        self.bind = bind
        self.umask = 0o027
        self.port = 0
        self.kills = 0
        super().__init__(name, str(folder / f"{name}-inbox"))
        self._link = self._start()

    def now(self) -> float:
        return time.monotonic()

    def _start(self) -> FileLink:
        module = "chatnet_engine.io.file_process"
        where = ["--port", "0", "--bind", self.bind, "--umask", str(self.umask)]
        where += ["--listings", f"{self.inbox}-listings"]
        command = [sys.executable, "-P", "-m", module, *where]
        link = FileLink(command)
        link.start(self.now())
        return link

    def restart(self) -> None:
        """kill -9 of the whole engine, then a new one from what was committed."""
        self.kill_process()
        self._link.close()
        self.said.clear()
        self.transfers = self._boot()
        self._link = self._start()

    def kill_process(self) -> None:
        process = self._link._process
        assert process is not None
        process.kill()
        process.wait()

    def pid(self) -> int:
        process = self._link._process
        assert process is not None
        return process.pid

    def move(self) -> None:
        super().move()
        now = self.now()
        for frame in self.transfers.take_process_frames():
            self._link.tell(frame, now)
        if self._link.fileno() >= 0 and select.select([self._link.fileno()], [], [], 0)[0]:
            for said in self._link.handle_readable(now):
                assert not isinstance(said, FilesRestarted)
                report = pw.decode_report(said.frame)
                if isinstance(report, pw.Listening):
                    self.port = report.port
                self.transfers.handle_process(said.frame, Now(now, 1000))
        if self._link.handle_timeout(now):
            self.kills += 1
            self.transfers.handle_process_restarted(Now(now, 1000))
        self._link.handle_writable(now)
        super().move()

    def tell(self, request: pw.Request) -> None:
        """Behind the back of the machines."""
        self._link.tell(pw.encode(request), self.now())

    def wait_fd(self) -> int:
        return self._link.fileno()

    def close(self) -> None:
        self._link.close()


S = TypeVar("S", bound=Side)


class Pair(Generic[S]):
    """A sends to B over a link that the test switches."""

    def __init__(self, a: S, b: S) -> None:
        self.a = a
        self.b = b
        self.up = False
        self.bulk_bytes = 0
        """Sent on bulk streams, both ways."""

    def link(self, up: bool) -> None:
        self.up = up
        for side, other in ((self.a, self.b), (self.b, self.a)):
            side.said.clear()
            side.peer_incarnation = other.incarnation
            side.link(up)

    def move(self) -> None:
        for side, other in ((self.a, self.b), (self.b, self.a)):
            side.move()
            said, side.said = side.said, []
            for body in said if self.up else []:
                other.transfers.handle_control(PEER, body, Now(other.now(), 1000))
            for body in side.transfers.bulk.take(PEER, MIB) if self.up else []:
                self.bulk_bytes += len(body)
                other.transfers.bulk.handle_message(PEER, body)

    def deliver_offer(self, transfer_id: bytes = ID) -> None:
        """Commit A's ready offer on both sides."""
        offer = self.a.offers.pop(0)
        assert isinstance(offer, ReadyOffer), offer
        assert offer.transfer_id == transfer_id
        now = self.a.now()
        self.a.transfers.handle_own_offer(
            message(transfer_id, 1, True, offer.body), PEER, Now(now, 1)
        )
        self.receive_offer(offer.body, transfer_id)
        self.a.transfers.handle_delivered(PEER, 1, Now(now, 1))

    def receive_offer(self, body: bytes, transfer_id: bytes = ID) -> None:
        """Commit A's offer at B."""
        self.b.transfers.handle_peer_offer(
            message(transfer_id, 1, False, body),
            PEER,
            key=KEY,
            auto_accept_bytes=self.b.auto_accept_bytes,
            verified=self.b.verified,
            at=Now(self.b.now(), 1),
        )

    def run_until(self, done: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        """Move until `done()`; real sides sleep on their sockets."""
        deadline = time.monotonic() + within_s
        while not done():
            assert time.monotonic() < deadline, (self.a.history[-3:], self.b.history[-3:])
            self.move()
            fds = [
                side.wait_fd()
                for side in (self.a, self.b)
                if isinstance(side, RealSide) and side.wait_fd() >= 0
            ]
            if not (self.a.said or self.b.said):
                select.select(fds, [], [], 0.02)

    def offer(self, *paths: Path, transfer_id: bytes = ID, update: bool = False) -> None:
        """Offer and have the offer committed by both."""
        names = [os.fspath(path) for path in paths]
        self.a.transfers.offer(transfer_id, PEER, names, Now(self.a.now(), 1), update)
        self.run_until(lambda: bool(self.a.offers))
        self.deliver_offer(transfer_id)

    def both(self, state: str, transfer_id: bytes = ID) -> bool:
        return self.a.state(transfer_id) == state == self.b.state(transfer_id)
