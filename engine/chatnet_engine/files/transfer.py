"""What sending and receiving have in common: phases, pauses, the durable row, progress.

A phase is a TransferState; PAUSED is what a row shows while either side holds a transfer that would
otherwise move. Which side has paused is a fact of its own: a resume goes on from where it was.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar

import msgspec
from msgspec import UNSET, UnsetType

from chatnet_engine.clock import Now
from chatnet_engine.files import connecting
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.comparing import PeerWait, is_compared
from chatnet_engine.files.detail import Detail, Listing, encode_detail, encode_listing
from chatnet_engine.files.outputs import Outputs, PeerLink
from chatnet_engine.files.pauses import DeathPause
from chatnet_engine.files.phases import END_STATES, S, Step, Table
from chatnet_engine.files.progress import Progress
from chatnet_engine.store_ops.commit import StoreTransfer
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.offer import Offer, decode_offer
from chatnet_protocol.ipc.reasons import Reason, TransferReason, reason
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, Compared, TransferRow
from chatnet_protocol.wire import control as ct

PROGRESS_STORED_EVERY_S = 1.0
NO_TCP = reason(TransferReason.NO_TCP)


class Transfer(ABC):
    """One offer of files, seen from one side. Subclasses own what differs."""

    table: ClassVar[Table]
    end_reasons: ClassVar[Mapping[int, Reason | None]]
    """What each ending that the other side may send means to people here."""
    default_end_code: ClassVar[ct.EndCode]
    """What a code that this version does not know is taken for."""

    def __init__(
        self,
        row: TransferRow,
        detail: Detail,
        listing: Listing,
        link: PeerLink,
        out: Outputs,
        random: Callable[[int], bytes],
    ) -> None:
        self.id = row.id
        """The id of the offering message."""
        ended = detail.phase in ENDED_TRANSFER_STATES
        self._row = row if ended else msgspec.structs.replace(row, by="")
        self.detail = detail
        self.listing = listing
        self.listing_stored = False
        self.link = link
        self._out = out
        self._random = random
        self.offer: Offer = decode_offer(listing.offer)
        self.phase = S.WAITING if detail.phase == S.ACTIVE else S(detail.phase)
        self.job = 0
        """The job of the file process that works on it; 0: none."""
        self.retry_at: float | None = None
        self.bulk_job = 0
        """The newest job that has a bulk stream of the link instead of a TCP connection."""
        self._deaths = DeathPause()
        self._not_before_s = 0.0
        """No job is started before."""
        self._announced: ct.Listen | ct.LinkStream | None = None
        """To be sent once the file process knows the token."""
        self._dirty = False
        self._digests = b""
        """Of the files that have arrived, to be stored once."""
        self._storing = False
        self._progressed = False
        self._progress_due = 0.0
        self.progress = Progress(row.done_bytes)
        self._stalled_at_bytes: int | None = None
        """So many bytes had moved when nothing moved any more."""
        self.wait = PeerWait()
        """Of a receiver."""

    # --- what it is ---

    @property
    def peer(self) -> int:
        """Number of the peer."""
        return self._row.peer

    @property
    def ended(self) -> bool:
        """Nothing will happen to it any more."""
        return self.phase in ENDED_TRANSFER_STATES

    @property
    def settled(self) -> bool:
        """Ended, and everything about it is in the store."""
        return self.ended and not self._dirty and not self._storing

    @property
    def held(self) -> bool:
        """Paused by either side."""
        return self.detail.held or self.detail.peer_held

    @property
    def _on_link(self) -> bool:
        return self.job != 0 and self.job == self.bulk_job

    @property
    def row(self) -> TransferRow:
        """As front ends see it."""
        state, by = self.phase, self._row.by
        if self.held and self.phase in (S.WAITING, S.ACTIVE):
            state, by = S.PAUSED, "me" if self.detail.held else "peer"
        return msgspec.structs.replace(self._row, state=state.value, by=by)

    # --- commands ---

    def handle_new(self, at: Now) -> None:
        """It has just come to be, and is to be stored."""
        self._touch(at)

    def pause(self, at: Now) -> None:
        """Hold from this side."""
        self._refuse_ended("paused")
        if not self.detail.held:
            self.detail.held = True
            self._stop_job()
            self._say_standing()
            self._lost(at)
            self._touch(at)

    def resume(self, at: Now) -> None:
        """Let go from this side; also tries a waiting transfer now."""
        self._refuse_ended("resumed")
        if self.detail.held:
            self.detail.held = False
            self._say_standing()
            self._touch(at)
        self.retry_at = at.mono_s

    def cancel(self, at: Now) -> None:
        """End it from this side; harmless when it has ended."""
        if not self.ended:
            self._end(ct.EndCode.CANCELLED, "me", None, at, tell=True)

    def _refuse(self, code: ct.EndCode, why: TransferReason, at: Now) -> None:
        """End it from this side because of a rule."""
        self._end(code, "me", reason(why), at, tell=True)

    def end_removed(self, at: Now) -> None:
        """End it from this side because the peer was removed."""
        self._refuse(ct.EndCode.CANCELLED, TransferReason.PEER_REMOVED, at)

    # --- what the peer says ---

    def handle_control(self, control: ct.Control, at: Now) -> None:
        """Raises RemoteProtocolError for a message that only the other role receives."""
        if isinstance(control, ct.End | ct.Done):
            self._handle_end(control, at)
        elif self.ended:
            self._handle_late(control, at)
        elif isinstance(control, ct.TransferStatus):
            self._handle_standing(control, at)
        else:
            self._handle_agreement(control, at)

    def _handle_standing(self, control: ct.TransferStatus, at: Now) -> None:
        if control.paused == self.detail.peer_held:
            return
        self.detail.peer_held = control.paused
        if control.paused:
            self._stop_job()
            self._lost(at)
        self.retry_at = at.mono_s
        self._touch(at)

    @abstractmethod
    def _handle_end(self, control: ct.End | ct.Done, at: Now) -> None: ...

    @abstractmethod
    def _handle_late(self, control: ct.Control, at: Now) -> None:
        """It has ended here, and not on the other side."""

    @abstractmethod
    def _handle_agreement(self, control: ct.Control, at: Now) -> None: ...

    def _say_standing(self) -> None:
        self._out.say(self.peer, self.wait.status(self.id, self.detail.held))

    def _say_end(self) -> None:
        code = self.detail.end_code or ct.EndCode.CANCELLED
        if code == ct.EndCode.UNKNOWN:
            code = ct.EndCode.LOST
        self._out.say(self.peer, ct.End(self.id, code))

    # --- what the file process says ---

    @abstractmethod
    def handle_report(self, report: pw.Report, at: Now) -> None:
        """A report of this transfer's present job."""

    def handle_job_lost(self, at: Now) -> None:
        """The file process died, and the job with it."""
        self.job = 0
        if pause_s := self._deaths.died():
            self._not_before_s = at.mono_s + pause_s
        self._announced = None
        self._lost(at)

    def handle_ready(self, at: Now) -> None:
        """There is a (new) file process: what the last one was asked has to be asked again."""
        if self.job:
            self._out.ask(pw.Stop(self.job))  # in case it is the same process, asked before
            self.handle_job_lost(at)
        self.retry_at = at.mono_s

    # --- time and link ---

    def move_to(self, peer: int, link: PeerLink, at: Now) -> None:
        """The peer turned out to be another one that was known already."""
        self._row = msgspec.structs.replace(self._row, peer=peer)
        self.link = link
        self._touch(at)
        if link.up and not self.ended:
            self.handle_link_up(at)

    @abstractmethod
    def handle_link_up(self, at: Now, is_other: bool = False) -> None:
        """A new link: messages of the old one may be lost. `is_other`: the peer's engine is another
        one than before, perhaps with an older history."""

    @abstractmethod
    def handle_due(self, at: Now, may_start: bool) -> None:
        """`retry_at` has come; `may_start`: there is room for one more job."""

    # --- outputs ---

    def take_store(self) -> StoreTransfer | None:
        """The next state to store, one at a time."""
        if not self._dirty or self._storing:
            return None
        self._dirty = False
        self._storing = True
        self.detail.phase = self.phase.value
        listing = b"" if self.listing_stored else encode_listing(self.listing)
        self.listing_stored = True
        digests, self._digests = self._digests, b""
        return StoreTransfer(self.row, encode_detail(self.detail), listing, digests=digests)

    def handle_stored(self, at: Now) -> None:
        """What `take_store` gave last is durable."""
        self._storing = False

    # --- for subclasses ---

    def _step(self, step: Step) -> bool:
        """Move along the table; False when the phase does not know the step."""
        target = self.table.get(self.phase, {}).get(step)
        if target is None:
            return False
        self.phase = target
        return True

    def _touch(
        self, at: Now, *, why: Reason | UnsetType | None = UNSET, by: str | None = None
    ) -> None:
        """Something people see has changed: it is stored, then published. `why` and `by` stay as
        they are where they are not named."""
        self._dirty = True
        self._row = msgspec.structs.replace(
            self._row,
            changed_ms=at.wall_ms,
            reason=self._row.reason if why is UNSET else why,
            by=self._row.by if by is None else by,
        )
        if self._row.compared and not is_compared(self._row):
            self._row = msgspec.structs.replace(self._row, compared=None)

    def _note_compared(self, compared: Compared | None, at: Now) -> None:
        """So much of the earlier folder is compared."""
        if compared != self._row.compared:
            self._row = msgspec.structs.replace(self._row, compared=compared)
            if is_compared(self._row):
                self._touch(at)

    def _end(self, code: int, by: str, why: Reason | None, at: Now, *, tell: bool) -> None:
        self.phase = END_STATES.get(code, S.FAILED)
        self.detail.end_code = code
        self._stop_job()
        self.retry_at = None
        if tell:
            self._say_end()
        self._touch(at, why=why, by=by)

    def _end_of_code(self, code: int) -> tuple[ct.EndCode, Reason | None]:
        """The other side's end code as this side stores it, and its meaning."""
        known = ct.EndCode(code) if code in self.end_reasons else self.default_end_code
        return ct.EndCode.LOST if known == ct.EndCode.UNKNOWN else known, self.end_reasons[known]

    def _begin_again(self, at: Now) -> None:
        """It had ended, and the receiver wants the files after all, or once more."""
        self.phase = S.WAITING
        self.detail.end_code = 0
        self.detail.held = self.detail.peer_held = False
        self.progress = Progress(0)
        self._row = msgspec.structs.replace(self._row, done_bytes=0)
        self._touch(at, why=None, by="")

    def _lost(self, at: Now) -> None:
        """The connection is gone, for whatever reason."""
        if self.phase in (S.ACTIVE, S.VERIFYING) and self._step(Step.LOST):
            self.progress.halt()
            self._stalled_at_bytes = None
            self._touch(at, why=None if self.held else reason(TransferReason.CONNECTION_CUT))

    def _stop_job(self) -> None:
        self._announced = None
        if self.job:
            self._out.ask(pw.Stop(self.job))
            self._out.bulk.close(self.job)
            self.job = 0

    def _refuse_ended(self, what: str) -> None:
        if self.ended:
            raise CommandError(
                ErrorCode.NOT_ALLOWED, f"This transfer has ended and cannot be {what}."
            )

    def show_wait(self, why: TransferReason | None, at: Now) -> None:
        """Nothing moves: say why, until something does."""
        if self.phase is S.ACTIVE:
            self._stalled_at_bytes = self.progress.moved_bytes
            self.progress.halt()
        self._touch(at, why=None if why is None else reason(why))

    def _progress(self, report: pw.Progress, at: Now) -> None:
        """Note how far things are; stored now and then."""
        self._deaths.achieved()
        if self._stalled_at_bytes is not None and report.moved_bytes > self._stalled_at_bytes:
            self._stalled_at_bytes = None
            self._touch(at, why=None)
        self.progress.measure(report.moved_bytes, at.mono_s)
        done = report.done_bytes
        if self.offer.listing is None:
            done = sum(file.size_bytes for file in self.offer.files[: report.index]) + report.offset
        if done != self._row.done_bytes:
            self._row = msgspec.structs.replace(self._row, done_bytes=done)
            self._note_done(at)

    def _note_done(self, at: Now) -> None:
        """More is done; stored now and then."""
        self._progressed = True
        if at.mono_s >= self._progress_due:
            self._progressed = False
            self._progress_due = at.mono_s + PROGRESS_STORED_EVERY_S
            self._touch(at)

    def _listen(self) -> pw.Connect:
        """How to wait for the peer at our listener."""
        connect, self._announced = connecting.listen(
            self.id, self.link, self._out.port, self._random
        )
        return connect

    def _new_job(self, connect: pw.Connect) -> int:
        """Its number; it is about to be asked for."""
        self.job = self._out.next_job()
        if connect.bulk:
            self.bulk_job = self.job
            stream = (self.peer, connect.handle, self.job, self.link.rtt_s)
            self._out.bulk.open(*stream, receives=not self._row.mine)
        return self.job

    def _connected(self, at: Now) -> None:
        """The job has its connection, or its stream."""
        if not self._step(Step.CONNECTED):
            return
        if self._on_link:
            self.retry_at = self.link.tcp_again_s
        else:
            self.link.tcp_works()
        self._touch(at, why=None)

    def _probe_tcp(self, at: Now) -> None:
        """The link is in use: now and then, see whether TCP could be."""
        if self.phase is S.ACTIVE and self._on_link:
            if at.mono_s >= self.link.tcp_again_s:
                self.link.tcp_failed(at.mono_s)
                self._out.ask(pw.Probe(self.job, self.link.tcp_addrs()))
            self.retry_at = self.link.tcp_again_s

    def _announce(self) -> None:
        """The listener is ready for the present job."""
        if self._announced is not None:
            self._out.say(self.peer, self._announced)
            self._announced = None
