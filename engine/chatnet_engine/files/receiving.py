"""The receiving side of a transfer: asks, resumes, verifies, and gives files their names.

This side drives: it knows what is missing. It listens first; when the sender cannot reach it, the
sender listens and this side dials. A file gets its final name only after that name and its inode
are durable, so that a restart recognises what happened.
"""

from collections.abc import Callable
from typing import ClassVar

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.deadlines import next_tick
from chatnet_engine.files import connecting, endings
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import Detail, Listing
from chatnet_engine.files.facts import done_for_peer, with_renamed, without_renamed
from chatnet_engine.files.names import shown_path
from chatnet_engine.files.outputs import Outputs, PeerLink
from chatnet_engine.files.pauses import DialPause
from chatnet_engine.files.phases import S, Step, Table
from chatnet_engine.files.placing import Placing
from chatnet_engine.files.transfer import NO_TCP, Transfer
from chatnet_engine.store_ops.commit import StoreTransfer
from chatnet_protocol.errors import CommandError, ErrorCode, RemoteProtocolError
from chatnet_protocol.ipc.reasons import Reason, TransferReason, reason
from chatnet_protocol.ipc.rows import Renamed, TransferRow
from chatnet_protocol.wire import control as ct

FIRST_RETRY_S, MAX_RETRY_S, SLOT_RETRY_S = 0.2, 60.0, 1.0
QUEUED = reason(TransferReason.QUEUED)
FULL_RETRY_S = 30.0
"""How often a full disk is looked at again."""
MAX_MISMATCHES = 3
"""Times a transfer may arrive other than it was read; then something is broken for good."""


class Receiving(Transfer):
    """One offer of the peer."""

    table: ClassVar[Table] = {
        S.OFFERED: {Step.ACCEPTED: S.WAITING},
        S.WAITING: {Step.CONNECTED: S.ACTIVE, Step.MOVED: S.VERIFYING},
        S.ACTIVE: {Step.LOST: S.WAITING, Step.MOVED: S.VERIFYING},
        S.VERIFYING: {Step.DONE: S.DONE},
    }
    end_reasons = endings.SENT_TO_RECEIVER
    default_end_code = ct.EndCode.SOURCE

    def __init__(
        self,
        row: TransferRow,
        detail: Detail,
        listing: Listing,
        link: PeerLink,
        out: Outputs,
        random: Callable[[int], bytes],
    ) -> None:
        super().__init__(row, detail, listing, link, out, random)
        self._things = self.offer.things
        self._retry_s = FIRST_RETRY_S
        self._placing = Placing(row.id, detail, self._things, out)
        self._place_again_at: float | None = None
        self._asked: ct.Listen | None = None
        """The newest request to dial for which no job was started."""
        self._listing_only = False  # whether nothing else is wanted yet
        self._reached = False  # whether the sender's listener was, so that it is to listen
        self._dials = DialPause()
        self.acknowledged = True
        """The sender knows how it ended."""
        self._have = b"", b""
        """Files that need not be sent, and their digests: see Prepared."""

    def accept(self, folder: str, at: Now) -> None:
        """The files are wanted, below `folder`; once more, if it has ended."""
        if self.ended:
            if self.phase is S.CANCELLED and self._row.by == "peer":
                raise CommandError(ErrorCode.NOT_ALLOWED, "The other side has cancelled this.")
            self._begin_again(at)
            self.detail.index = self.detail.offset = self.detail.mismatches = 0
            self.detail.things = 0
            differences = without_renamed(self._row.differences)
            self._row = msgspec.structs.replace(self._row, differences=differences)
        elif not self._step(Step.ACCEPTED):
            return
        self.detail.folder = folder
        self.detail.held = False
        self._out.say(self.peer, ct.Accept(self.id))
        self.retry_at = at.mono_s
        self._touch(at, why=None)

    def ask(self, why: Reason, at: Now) -> None:
        """Somebody here has to decide, because of `why`."""
        self._touch(at, why=why)
        self.handle_link_up(at)

    def allow_updates(self, allowed: bool, at: Now) -> None:
        """Whether later offers of this folder may take its place."""
        if allowed != self._row.updates_allowed:
            self._row = msgspec.structs.replace(self._row, updates_allowed=allowed)
            self._touch(at)

    def refuse_one_more(self, at: Now) -> None:
        """The peer has as many open offers as it may have."""
        self._refuse(ct.EndCode.TOO_MANY, TransferReason.OFFERS_FULL, at)

    def reject(self, at: Now) -> None:
        """The files are not wanted; only before they were accepted."""
        if self.phase is S.REJECTED:
            return
        if self.phase is not S.OFFERED:
            raise CommandError(ErrorCode.NOT_ALLOWED, endings.ONLY_OFFERS)
        self._end(ct.EndCode.REJECTED, "me", None, at, tell=True)

    # --- time and link ---

    def handle_link_up(self, at: Now, is_other: bool = False) -> None:
        """Say what stands, and go on."""
        if self.ended:
            # Another engine is sent the ending again, unless nobody knows it.
            known = self.acknowledged and not is_other
            self.acknowledged = known or self.detail.end_code == ct.EndCode.UNKNOWN
            if not self.acknowledged:
                self._say_end()
            return
        if self.phase is not S.OFFERED:
            self._out.say(self.peer, ct.Accept(self.id))
        self._say_standing()
        self._retry_s = FIRST_RETRY_S
        if self.phase is S.WAITING:
            self._stop_job()  # the peer may never have received `Listen`
        self.retry_at = at.mono_s

    def handle_due(self, at: Now, may_start: bool) -> None:
        """Try to get what is missing, or to place what is complete."""
        self.retry_at = None
        if not self._out.ready or self.ended:
            return
        if self._place_again_at is not None and at.mono_s >= self._place_again_at:
            self._place_again_at = None
            self._placing.ask_again()
        if self.phase is S.WAITING and self.detail.things == len(self._things):
            self._step(Step.MOVED)
            self._touch(at)
        if self.phase is not S.WAITING or self.held or not self.link.up:
            self._asked = None
            self.retry_at = self._place_again_at
            self._probe_tcp(at)
            return
        if self.job and self._asked is None:
            self.retry_at = self._place_again_at
        elif at.mono_s < self._not_before_s:
            self.retry_at = self._not_before_s
        else:
            self._try(at, may_start)

    def _try(self, at: Now, may_start: bool) -> None:
        """Do what should bring a connection about."""
        on_link = self._asked is None and at.mono_s < self.link.tcp_again_s
        if not may_start or (on_link and self._out.bulk.full(self.peer, receives=True)):
            self.retry_at = next_tick(at.mono_s + SLOT_RETRY_S)  # all that wait look together
            if self._row.reason != QUEUED:
                self._touch(at, why=QUEUED)
            return
        if self._asked is not None:
            self._dial_asked(self._asked, at)
        elif on_link:
            connect, self._announced = connecting.listen_on_link(self.id, self.link, self._random)
            self._start(connect)
        elif self._out.port and not self._reached:
            self._start(self._listen())
        else:
            self._reached = False
            self._out.say(self.peer, ct.DialBack(self.id))
            self.retry_at = at.mono_s + ct.TOKEN_VALID_S

    def handle_ready(self, at: Now) -> None:
        """Everything that was asked of the last process is asked again."""
        super().handle_ready(at)
        self._place_again_at = None
        self._placing.ask_again()

    # --- what the peer says ---

    def _handle_agreement(self, control: ct.Control, at: Now) -> None:
        if isinstance(control, ct.Unreachable):
            self._use_link(at)
        elif isinstance(control, ct.TcpOpen):
            self._change_to_tcp(at)
        elif not isinstance(control, ct.Listen):
            raise RemoteProtocolError(
                "a control message for senders was sent to a receiver of files"
            )
        elif self.phase is S.WAITING and not self.held and self._out.ready:
            self._asked = control
            self.retry_at = at.mono_s

    def _use_link(self, at: Now) -> None:
        """TCP leads nowhere, in either direction."""
        if self.phase in (S.WAITING, S.ACTIVE) and not self._on_link:
            self._asked = None
            self._stop_job()
            self._lost(at)
            self.link.tcp_failed(at.mono_s)
            self._change_path(at)

    def _change_to_tcp(self, at: Now) -> None:
        """A connection could be opened while the link is in use."""
        if self._on_link:
            self.link.try_tcp()
            self._stop_job()
            self._lost(at)
            self._change_path(at)

    def _change_path(self, at: Now) -> None:
        """At once, but not as often as a sender may ask for it."""
        self.retry_at = self._dials.take(at.mono_s)
        self._dials.lengthen()

    def _dial_asked(self, listen: ct.Listen, at: Now) -> None:
        if at.mono_s < self._dials.next_s:
            self.retry_at = self._dials.next_s
            return
        self._asked = None
        self._dials.take(at.mono_s)
        self._stop_job()
        self._start(connecting.answer(listen, self.link))

    def _handle_late(self, control: ct.Control, at: Now) -> None:
        self._say_end()

    def _handle_end(self, control: ct.End | ct.Done, at: Now) -> None:
        if isinstance(control, ct.Done):
            raise RemoteProtocolError("only a receiver of files can say that they are done")
        if control.code == ct.EndCode.ACKNOWLEDGED:
            self.acknowledged = True
        elif not self.ended:
            ending, why = self._end_of_code(control.code)
            by = "me" if ending in endings.OWN_ENDINGS else "peer"
            self._end(ending, by, why, at, tell=False)

    def _say_end(self) -> None:
        """`Done` is sent only after its commit."""
        if self.phase is not S.DONE:
            super()._say_end()
        elif self.settled:
            self._out.say(self.peer, done_for_peer(self.id, self._row.differences))

    # --- what the file process says ---

    def handle_report(self, report: pw.Report, at: Now) -> None:
        """Reports of the present job, and of placing."""
        match report:
            case pw.Expecting():
                self._announce()
            case pw.Connected():
                self._connected(at)
            case pw.Reachable():
                self._reached = True
                self._change_to_tcp(at)
            case pw.Progress():
                self.detail.index, self.detail.offset = report.index, report.offset
                if report.offset:
                    self._retry_s = FIRST_RETRY_S
                    self._dials.reset()
                self._progress(report, at)
            case pw.FileComplete():
                self.detail.index, self.detail.offset = report.index + 1, 0
                self._retry_s = FIRST_RETRY_S
                self._dials.reset()
                self._note_done(at)
            case pw.ThingComplete():
                self._thing_complete(report, at)
            case pw.Placed():
                self._placed(report, at)
            case pw.NotPlaced():
                self._not_placed(report, at)
            case pw.Stalled():
                self.show_wait(TransferReason(report.why), at)
            case pw.Ended():
                self.job = 0
                self._handle_ended(report, at)
            case _:
                raise AssertionError(f"a receiver's job reports {type(report).__name__}")

    def _handle_ended(self, report: pw.Ended, at: Now) -> None:
        if report.outcome == pw.Outcome.MOVED:  # names are given as they become durable
            if self._step(Step.MOVED):
                self._touch(at)
            return
        self._lost(at)
        match report.outcome:
            case pw.Outcome.TARGET:
                self._end(ct.EndCode.TARGET, "me", report.why, at, tell=True)
            case pw.Outcome.FULL:
                self.retry_at = at.mono_s + FULL_RETRY_S
                self._touch(at, why=report.why)
            case pw.Outcome.MISMATCH:
                self._mismatch(at)
            case pw.Outcome.UNREACHABLE:
                self._use_link(at)
            case pw.Outcome.EXPIRED:
                self._try_later(at)
            case _:
                self.retry_at = at.mono_s + self._retry_s
                self._retry_s = min(MAX_RETRY_S, self._retry_s * 2)

    def _mismatch(self, at: Now) -> None:
        self.detail.mismatches += 1
        self.detail.offset = 0
        if self.detail.mismatches >= MAX_MISMATCHES:
            self._refuse(ct.EndCode.TARGET, TransferReason.NOT_AS_SENT, at)
            return
        self.retry_at = at.mono_s + FIRST_RETRY_S
        self._touch(at)

    def _try_later(self, at: Now) -> None:
        self._dials.lengthen()
        self._retry_s = min(MAX_RETRY_S, max(self._retry_s, 5.0) * 2)
        self.retry_at = at.mono_s + (0.0 if self._asked else self._retry_s)
        if self.link.up and self._row.reason != NO_TCP:
            self._touch(at, why=NO_TCP)

    # --- placing ---

    def take_store(self) -> StoreTransfer | None:
        """Remembers which names become durable with it."""
        store = super().take_store()
        if store is not None:
            self._placing.begin_store()
        return store

    def handle_stored(self, at: Now) -> None:
        """Names are durable now: files may get them, and `Done` may be sent."""
        super().handle_stored(at)
        self._placing.handle_stored()
        if self.phase is S.DONE:
            self._say_end()

    def _thing_complete(self, report: pw.ThingComplete, at: Now) -> None:
        self.detail.things = report.thing + 1
        self._placing.add(report.thing, report.name, report.inode)
        self.detail.inode, self._digests = report.inode, report.digests
        self._renamed(report.renamed, report.named)
        self._touch(at)

    def _renamed(self, count: int, named: list[Renamed]) -> None:
        differences = with_renamed(self._row.differences, count, named)
        self._row = msgspec.structs.replace(self._row, differences=differences)

    def _placed(self, report: pw.Placed, at: Now) -> None:
        if not self._placing.remove(report.thing):
            return
        folder, self.detail.name = self.detail.folder.rstrip("/"), report.name
        path = folder if len(self._things) > 1 else f"{folder}/{report.name}"
        self._row = msgspec.structs.replace(self._row, path=path)
        offered = self._things[report.thing].name
        if report.name != offered:
            self._renamed(1, [Renamed(shown_path([offered]), report.name)])
        if self.detail.things == len(self._things) and not self._placing:
            self._step(Step.MOVED)
            self._step(Step.DONE)
            self.acknowledged = False
            self._stop_job()
            self.progress.measure(self.offer.size_bytes, at.mono_s)
            self._row = msgspec.structs.replace(self._row, done_bytes=self.offer.size_bytes)
            if self.offer.listing is not None:  # it lies beside the partial files
                self._out.ask(pw.Discard(self.id, self.detail.folder))
            self._touch(at, why=None, by="")
        elif self.ended:
            self._dirty = True

    def _not_placed(self, report: pw.NotPlaced, at: Now) -> None:
        if report.name:
            if self._placing.rename(report.thing, report.name):
                self._touch(at)
        elif self.ended:
            self._placing.remove(report.thing)
        elif report.gone:
            self._end(ct.EndCode.TARGET, "me", report.why, at, tell=True)
        else:
            self._place_again_at = at.mono_s + FULL_RETRY_S
            self.retry_at = min(self.retry_at or self._place_again_at, self._place_again_at)
            self._touch(at, why=report.why)

    def _start(self, connect: pw.Connect) -> None:
        job, detail = self._new_job(connect), self.detail
        begin = detail.index, detail.offset, detail.things
        where = detail.folder, self.listing.offer
        request = pw.Receive(job, self.id, connect, *where, *begin, *self._have, self._listing_only)
        self._out.ask(request)

    def _end(self, code: int, by: str, why: Reason | None, at: Now, *, tell: bool) -> None:
        super()._end(code, by, why, at, tell=tell)
        self.acknowledged = not tell
        self._placing.clear()
        if self.detail.folder:
            begun = self.detail.exchange, self.detail.inode
            self._out.ask(pw.Discard(self.id, self.detail.folder, *begun, manifest=True))
