"""The sending side of a transfer: offers, then does what the receiver asks for.

The receiver decides when a connection is tried; this side dials the receiver's listener, and
listens itself when that does not work. The receiver's word also holds where both say how it ended.
"""

from collections.abc import Callable
from typing import ClassVar

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.files import connecting
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.comparing import compared_of
from chatnet_engine.files.detail import Detail, Listing
from chatnet_engine.files.endings import SENT_TO_SENDER
from chatnet_engine.files.facts import with_problem, with_renamed, without_renamed
from chatnet_engine.files.names import shown
from chatnet_engine.files.outputs import Outputs, PeerLink
from chatnet_engine.files.phases import END_STATES, S, Step, Table
from chatnet_engine.files.transfer import NO_TCP, Transfer
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc.reasons import Reason, TransferReason
from chatnet_protocol.ipc.rows import Renamed, TransferRow
from chatnet_protocol.wire import control as ct

MIN_START_INTERVAL_S = 0.2
"""Between two jobs of one transfer, however often the receiver asks."""


class Sending(Transfer):
    """One own offer."""

    table: ClassVar[Table] = {
        S.OFFERED: {Step.ACCEPTED: S.WAITING},
        S.WAITING: {Step.CONNECTED: S.ACTIVE},
        S.ACTIVE: {Step.LOST: S.WAITING, Step.MOVED: S.VERIFYING},
        S.VERIFYING: {Step.LOST: S.WAITING},
    }
    end_reasons = SENT_TO_SENDER
    default_end_code = ct.EndCode.TARGET

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
        self._wanted: ct.Listen | ct.DialBack | ct.LinkStream | None = None
        """The receiver's newest request that no job has been started for."""
        self.peer_wait = ""
        """What the receiver waits for, as it stated last."""
        self.waiting_seq = 0
        """Number of the offering message until the receiver has it, and could know of what this
        side speaks."""

    def handle_delivered(self) -> None:
        """The receiver has committed the offer."""
        self.waiting_seq = 0
        if not self.ended:
            self._say_standing()

    def handle_link_up(self, at: Now, is_other: bool = False) -> None:
        """The receiver answers with what it wants, or with how it ended."""
        if not self.ended:
            self._say_standing()

    @property
    def is_asked(self) -> bool:
        """Whether the receiver has asked for a connection that no job was started for."""
        return self._wanted is not None

    def _say_standing(self) -> None:
        if not self.waiting_seq:
            super()._say_standing()

    def _handle_standing(self, control: ct.TransferStatus, at: Now) -> None:
        self.peer_wait = control.wait
        self._note_compared(compared_of(control), at)
        super()._handle_standing(control, at)

    def handle_due(self, at: Now, may_start: bool) -> None:
        """Start what the receiver asked for."""
        self.retry_at = None
        self._probe_tcp(at)
        wanted = self._wanted
        if self.held or wanted is None or not self._out.ready or self.phase is not S.WAITING:
            return
        full = isinstance(wanted, ct.LinkStream) and self._out.bulk.full(self.peer, receives=False)
        if not may_start or full or at.mono_s < self._not_before_s:
            self.retry_at = max(self._not_before_s, at.mono_s + MIN_START_INTERVAL_S)
            return
        self._wanted = None
        self._not_before_s = at.mono_s + MIN_START_INTERVAL_S
        if not isinstance(wanted, ct.LinkStream) and self._is_tcp_slow():
            self._out.say(self.peer, ct.Unreachable(self.id))
            return
        if isinstance(wanted, ct.LinkStream) or (isinstance(wanted, ct.Listen) and self.link.addrs):
            self._start(connecting.answer(wanted, self.link))
        else:
            self._offer_listener(at)

    def handle_report(self, report: pw.Report, at: Now) -> None:
        """Reports of the present job."""
        match report:
            case pw.Expecting():
                self._announce()
            case pw.Connected():
                self._connected(at)
            case pw.Reachable():
                if not self._is_tcp_slow():
                    self._out.say(self.peer, ct.TcpOpen(self.id))
            case pw.Progress():
                self._progress(report, at)
            case pw.SourceChanged():
                self._source_changed(report, at)
            case pw.Stalled(why=TransferReason.PATH_SILENT) if self.link.up and not self._on_link:
                self._stop_job()
                self._lost(at)
                self._out.say(self.peer, ct.Unreachable(self.id))
            case pw.Stalled():
                self.show_wait(TransferReason(report.why), at)
            case pw.Ended():
                self.job = 0
                self._handle_ended(report, at)
            case _:
                raise AssertionError(f"a sender's job reports {type(report).__name__}")

    def _source_changed(self, report: pw.SourceChanged, at: Now) -> None:
        if self.offer.listing is None:  # a listing stays as it was offered
            file = self.listing.files[report.index]
            self.listing.files[report.index] = msgspec.structs.replace(
                file, modified_ns=report.modified_ns
            )
            self.listing_stored = False
        self._touch(at)

    def _handle_ended(self, report: pw.Ended, at: Now) -> None:
        if report.outcome == pw.Outcome.MOVED:
            self._step(Step.MOVED)
            self._touch(at)
        elif report.outcome == pw.Outcome.SOURCE:
            self._end(ct.EndCode.SOURCE, "me", report.why, at, tell=True)
        elif report.outcome == pw.Outcome.UNREACHABLE:
            self._offer_listener(at)
        elif report.outcome == pw.Outcome.EXPIRED:
            self._touch(at, why=NO_TCP)
        else:
            self._lost(at)

    def _handle_late(self, control: ct.Control, at: Now) -> None:
        is_withdrawn = self.phase is S.CANCELLED and self._row.by == "me"
        if isinstance(control, ct.Accept) and not is_withdrawn:
            self._send_again(at)
        elif self.phase is not S.DONE:  # which it may become once more, if the receiver accepts
            self._say_end()

    def _send_again(self, at: Now) -> None:
        if not self.listing.roots:
            self._refuse(ct.EndCode.SOURCE, TransferReason.RECORD_ONLY, at)
            return
        self._begin_again(at)
        self._wanted = None
        self.detail.again = True
        self._say_standing()

    def _handle_agreement(self, control: ct.Control, at: Now) -> None:
        if not isinstance(control, ct.Accept | ct.Listen | ct.DialBack | ct.LinkStream):
            raise RemoteProtocolError(
                "a control message for receivers was sent to a sender of files"
            )
        self.peer_wait = ""
        if self._step(Step.ACCEPTED):
            self._touch(at)
        if isinstance(control, ct.Accept):
            return
        self._stop_job()
        self._lost(at)
        self._wanted = control
        self.retry_at = at.mono_s
        if self.detail.held:
            self._say_standing()

    def _handle_end(self, control: ct.End | ct.Done, at: Now) -> None:
        """The receiver knows whether the files are there: this side takes over what it says."""
        if isinstance(control, ct.Done):
            self._done(control, at)
        elif control.code == ct.EndCode.ACKNOWLEDGED:
            return  # of a cancel that came before the offer: no ending
        elif control.code == ct.EndCode.UNKNOWN:
            if not self.ended:
                self._end_by_peer(control.code, at)
            return
        else:
            self._end_by_peer(control.code, at)
        self._out.say(self.peer, ct.End(self.id, ct.EndCode.ACKNOWLEDGED))

    def _end(self, code: int, by: str, why: Reason | None, at: Now, *, tell: bool) -> None:
        super()._end(code, by, why, at, tell=tell)
        if self.offer.listing is not None and code == ct.EndCode.CANCELLED and by == "me":
            self._out.ask(pw.Discard(self.id, ""))  # nobody can fetch it any more

    def _done(self, done: ct.Done, at: Now) -> None:
        if self.phase is S.DONE:
            return
        self._stop_job()
        self.retry_at = None
        self.phase = S.DONE
        self.detail.end_code = 0
        size = self.offer.size_bytes
        self.progress.measure(size, at.mono_s)
        named = [Renamed(shown(path), shown(name)) for path, name in done.named]
        differences = without_renamed(self._row.differences)
        differences = with_renamed(differences, max(0, done.renamed), named)
        differences = with_problem(differences, shown(done.not_updated))
        self._row = msgspec.structs.replace(self._row, done_bytes=size, differences=differences)
        self._touch(at, why=None, by="")

    def _end_by_peer(self, code: int, at: Now) -> None:
        ending, why = self._end_of_code(code)
        if self.phase is not END_STATES.get(ending, S.FAILED):
            self._end(ending, "peer", why, at, tell=False)

    def _is_tcp_slow(self) -> bool:
        return not self._out.bbr and self.link.is_tcp_slow()

    def _offer_listener(self, at: Now) -> None:
        if not self._out.port:
            self._out.say(self.peer, ct.Unreachable(self.id))
            self._touch(at, why=NO_TCP)
            return
        self._start(self._listen())

    def _start(self, connect: pw.Connect) -> None:
        listing = self.listing
        job = self._new_job(connect)
        request = pw.Send(
            *(job, connect, listing.roots, listing.files, self.detail.again),
            id=self.id,
            listing=self.offer.listing,
        )
        self._out.ask(request)
