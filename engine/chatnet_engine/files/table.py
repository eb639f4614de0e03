"""Owns which transfers are in memory, and lets go of those that are to be read again."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.bulk import BulkStreams
from chatnet_engine.files.outputs import Mark, Outputs, PeerLink
from chatnet_engine.files.quota import Quota
from chatnet_engine.files.schedule import Schedule
from chatnet_engine.files.sending import Sending
from chatnet_engine.files.space import Surveys
from chatnet_engine.files.space_wire import Surveyed
from chatnet_engine.files.transfer import Transfer
from chatnet_engine.files.waiting import Waits
from chatnet_engine.store_ops.commit import ReceivedListed, StoreTransfer
from chatnet_engine.trace import describe
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.events import TransferGauge
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS

MAX_STORING_BYTES = 256 * 1024
"""Of one peer's transfers in one transaction, and one more. Each is stored once with its listing,
up to 60 KiB, and then 100 bytes a change: a transaction must stay short for the others."""


class Storing:
    """How much of each peer's transfers is being stored."""

    def __init__(self) -> None:
        self._sizes: dict[bytes, tuple[int, int]] = {}
        self._bytes: Counter[int] = Counter()

    def has_space(self, peer: int) -> bool:
        """Whether another transfer of this peer may be stored now."""
        return self._bytes[peer] < MAX_STORING_BYTES

    def begin(self, transfer_id: bytes, peer: int, size_bytes: int) -> None:
        """One is asked for."""
        self.over(transfer_id)
        self._sizes[transfer_id] = (peer, size_bytes)
        self._bytes[peer] += size_bytes

    def over(self, transfer_id: bytes) -> None:
        """It is stored, or will not be."""
        peer, size_bytes = self._sizes.pop(transfer_id, (0, 0))
        self._bytes[peer] -= size_bytes


class TransferTable:
    """The tables; `Transfers` fills them."""

    def __init__(self, quota: Quota, inbox: str, *, contain: bool) -> None:
        self._contain = contain
        self.inbox = inbox
        self._quota = quota
        self._out = Outputs()
        self._links: dict[int, PeerLink] = {}
        self._failed: dict[bytes, tuple[int, str]] = {}
        self._schedule = Schedule()
        self._waits = Waits(self._out)
        self._all: dict[bytes, Transfer] = {}
        self._open: dict[bytes, Transfer] = {}
        """Those of `_all` that have not ended, or not been stored since."""
        self._undelivered: dict[bytes, Sending] = {}
        """Own offers that their receiver has not committed."""
        self._settled: dict[bytes, None] = {}
        """The others, in the order in which they became so."""
        self._offered: dict[int, set[bytes]] = {}
        """Offers of each peer that have not ended."""
        self._changed: dict[bytes, Transfer] = {}
        """May have something to store."""
        self._storing = Storing()
        self.surveys = Surveys(self._out)
        """Its `take` gives what is asked for by `survey`."""

    def survey(self, *, clean: bool) -> None:
        """See what receiving takes on the disk, and with `clean` remove what nobody needs. Raises
        CommandError."""
        self.surveys.ask(clean=clean)

    def handle_listed(self, listed: ReceivedListed) -> None:
        """The store's answer to what `surveys.take_search` gave."""
        self.surveys.handle_listed(listed, self._all.values(), self._settled, self.inbox)

    def set_line(self, peer: int, line: Callable[[], tuple[float, float]]) -> None:
        """Where the link to a peer tells its smallest round trip (s) and share of lost packets."""
        self._link(peer).line = line

    def set_limit(self, bytes_s: int) -> None:
        """Move at most so much in a second in each direction, from now on; 0: no limit."""
        if bytes_s != self._out.limit_bytes_s:
            self._out.limit_bytes_s = bytes_s
            self._out.ask(pw.Limit(bytes_s))

    @property
    def bulk(self) -> BulkStreams:
        """The streams of those that have no TCP connection."""
        return self._out.bulk

    def begin(self) -> Mark:
        """A unit of work begins: what `roll_back` goes back to."""
        return self._out.begin()

    def roll_back(self, mark: Mark) -> None:
        """Take back what was to leave; what it was about is to be thrown away and read again."""
        self._out.roll_back(mark)

    def take_failed(self) -> dict[bytes, tuple[int, str]]:
        """Transfers that could not be handled and were thrown away: their peers, and why."""
        failed, self._failed = self._failed, {}
        return failed

    def peer_of(self, transfer_id: bytes) -> int:
        """Whose transfer it is; 0 if it is not in memory."""
        known = self._all.get(transfer_id)
        return known.peer if known else 0

    def throw_away(self, ids: Sequence[bytes]) -> None:
        """Forget these, to be loaded again from the store by `handle_loaded`."""
        for transfer_id in ids:
            self._quota.forget(transfer_id)
            self._waits.forget(transfer_id)
            job = self._schedule.job_of(transfer_id)
            transfer = self._all.pop(transfer_id, None)
            for table in (self._open, self._undelivered, self._changed, self._settled):
                table.pop(transfer_id, None)
            if transfer is not None:
                self._offered.get(transfer.peer, set()).discard(transfer_id)
                self._storing.over(transfer_id)
                for each in {job, transfer.job} - {0}:
                    self._out.ask(pw.Stop(each))
                    self._out.bulk.close(each)
                self._schedule.forget(transfer_id)

    def take_process_frames(self) -> list[bytes]:
        """Requests to the file process."""
        frames, self._out.frames = self._out.frames, []
        self._out.undo.clear()
        return frames

    def take_stores(self) -> list[StoreTransfer]:
        """What has to be durable next; `handle_stored` answers each."""
        changed, self._changed = self._changed, {}
        ops: list[StoreTransfer] = []
        for one in changed.values():
            if not self._storing.has_space(one.peer):
                self._changed[one.id] = one
            else:
                self._guarded(one.id, one.peer, partial(self._take_store, one, ops))
        return ops

    def take_gauges(self, now: float) -> list[TransferGauge]:
        """Progress of what moves, at most five a second each."""
        gauges: list[TransferGauge] = []
        for one in self._schedule.working():
            self._guarded(one.id, one.peer, partial(self._take_gauge, one, gauges, now))
        return gauges

    def give_back(self, op: StoreTransfer) -> None:
        """This was not stored, and will not be."""
        if op.automatic is not None:
            self._quota.give_back(op.automatic)

    def _known(self, transfer_id: bytes) -> Transfer:
        """Raises CommandError when it is not in memory."""
        transfer = self._all.get(transfer_id)
        if transfer is None:
            raise CommandError(ErrorCode.UNKNOWN_TRANSFER, "There is no such transfer.")
        return transfer

    def _subject(self, report: pw.Report) -> Transfer | None:
        """The transfer that a report is about."""
        if isinstance(report, pw.Placed | pw.NotPlaced):
            return self._all.get(report.id)
        if isinstance(report, pw.Listening | pw.Scanning | pw.Scanned | Surveyed):
            return None
        job = report.job
        transfer = self._schedule.by_job(job)
        return transfer if transfer is not None and transfer.job == job else None

    def _link(self, peer: int) -> PeerLink:
        return self._links.setdefault(peer, PeerLink())

    def _do(self, transfer: Transfer, act: Callable[[], None], at: Now) -> None:
        """An input of this one alone."""

        def acted() -> None:
            act()
            self._after(transfer, at)

        self._guarded(transfer.id, transfer.peer, acted)

    def _after(self, transfer: Transfer, at: Now) -> None:
        """An input was handled: start what is due, keep the books."""
        if transfer.retry_at is not None and transfer.retry_at <= at.mono_s:
            transfer.handle_due(at, self._schedule.may_start(transfer))
        look_s = self._waits.note(transfer, at)
        self._changed[transfer.id] = transfer
        self._file(transfer)
        self._schedule.note(transfer, look_s)

    def _guarded(self, transfer_id: bytes, peer: int, act: Callable[[], None]) -> None:
        """Handle one of several: what it raises concerns it alone."""
        if not self._contain:
            act()
            return
        mark = self._out.mark()
        try:
            act()
        except Exception as error:  # noqa: BLE001  (the caller reads it by take_failed)
            self._out.roll_back(mark)
            self._failed[transfer_id] = (peer, describe(error))
            self.throw_away([transfer_id])

    def _take_store(self, transfer: Transfer, ops: list[StoreTransfer]) -> None:
        if (op := transfer.take_store()) is not None:
            use = self._quota.pop_use(transfer.id)
            self._storing.begin(transfer.id, transfer.peer, len(op.detail) + len(op.listing))
            ops.append(msgspec.structs.replace(op, automatic=use) if use else op)

    def _take_gauge(self, transfer: Transfer, gauges: list[TransferGauge], now: float) -> None:
        on_link = transfer.job != 0 and transfer.job == transfer.bulk_job
        gauge = transfer.progress.take_gauge(transfer.id, transfer.peer, now, on_link)
        if gauge is not None:
            gauges.append(gauge)

    def _file(self, transfer: Transfer) -> None:
        """Put it where it belongs now, and forget the oldest of too many settled ones."""
        transfer_id = transfer.id
        if not transfer.row.mine:
            offered = self._offered.setdefault(transfer.peer, set())
            (offered.discard if transfer.ended else offered.add)(transfer_id)
        if not transfer.settled:
            self._settled.pop(transfer_id, None)
            self._open[transfer_id] = transfer
            return
        self._open.pop(transfer_id, None)
        self._settled.setdefault(transfer_id)
        while len(self._settled) > MAX_VIEW_TRANSFERS:
            oldest = next(iter(self._settled))
            del self._settled[oldest], self._all[oldest]

    def ids_of(self, peer: int = 0) -> list[bytes]:
        """Transfers of this peer in memory; 0: of all peers, those that have not ended."""
        every = self._all if peer else self._open
        return [one.id for one in every.values() if peer in (0, one.peer)]
