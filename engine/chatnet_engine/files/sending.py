"""The sending side of a transfer: offers, then does what the receiver asks for.

The receiver decides when a connection is tried; this side dials the receiver's listener, and
listens itself when that does not work.
"""

from collections.abc import Callable
from typing import ClassVar

import msgspec

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import Detail
from chatnet_engine.files.outputs import Moment, Outputs, PeerLink
from chatnet_engine.files.transfer import ENDINGS, NO_WAY, S, Step, Table, Transfer
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc.rows import TransferRow
from chatnet_protocol.wire import control as ct

MIN_START_INTERVAL_S = 0.2
"""Between two jobs of one transfer, however often the receiver asks."""

END_SENTENCES = {
    ct.EndCode.CANCELLED: "",
    ct.EndCode.REJECTED: "",
    ct.EndCode.TOO_MANY: "The other side has too many unanswered offers.",
    ct.EndCode.TARGET: "The other side could not store the files.",
}


class Sending(Transfer):
    """One own offer."""

    table: ClassVar[Table] = {
        S.OFFERED: {
            **ENDINGS,
            Step.ACCEPTED: S.WAITING,
            Step.REJECTED: S.REJECTED,
            Step.DONE: S.DONE,
        },
        S.WAITING: {
            **ENDINGS,
            Step.REJECTED: S.REJECTED,
            Step.CONNECTED: S.ACTIVE,
            Step.DONE: S.DONE,
        },
        S.ACTIVE: {
            **ENDINGS,
            Step.LOST: S.WAITING,
            Step.MOVED: S.VERIFYING,
            Step.DONE: S.DONE,
        },
        S.VERIFYING: {
            **ENDINGS,
            Step.LOST: S.WAITING,
            Step.DONE: S.DONE,
        },
    }

    def __init__(
        self,
        row: TransferRow,
        detail: Detail,
        link: PeerLink,
        out: Outputs,
        random: Callable[[int], bytes],
    ) -> None:
        super().__init__(row, detail, link, out, random)
        self._wanted: ct.Listen | ct.DialBack | None = None
        """The receiver's newest wish that no job has been started for."""
        self._next_start_s = 0.0

    def handle_link_up(self, at: Moment) -> None:
        """The receiver answers with what it wants, or with how it ended."""
        self._out.say(self.peer, ct.Standing(self.id, self.detail.held))

    def _ending(self) -> ct.Control:
        """A receiver that asks for what it had already has lost its history since."""
        if self.phase is S.DONE:
            return ct.End(self.id, ct.EndCode.UNKNOWN)
        return super()._ending()

    def handle_due(self, at: Moment, may_start: bool) -> None:
        """Start what the receiver asked for."""
        self.retry_at = None
        wanted = self._wanted
        if self.held or wanted is None or not self._out.ready or self.phase is not S.WAITING:
            return
        if not may_start or at.s < self._next_start_s:
            self.retry_at = max(self._next_start_s, at.s + MIN_START_INTERVAL_S)
            return
        self._wanted = None
        self._next_start_s = at.s + MIN_START_INTERVAL_S
        if isinstance(wanted, ct.Listen) and self.link.addrs:
            self._start(self._dial(wanted))
        else:
            self._offer_listener(at)

    def handle_report(self, report: pw.Report, at: Moment) -> None:
        """Reports of the present job."""
        match report:
            case pw.Expecting():
                self._announce()
            case pw.Connected():
                if self._step(Step.CONNECTED):
                    self._touch(at, reason="")
            case pw.Progress():
                self._progress(report, at)
            case pw.SourceChanged():
                file = self.detail.files[report.index]
                self.detail.files[report.index] = msgspec.structs.replace(
                    file, modified_ns=report.modified_ns
                )
                self._touch(at)
            case pw.Ended():
                self.job = 0
                self._handle_ended(report, at)
            case _:
                raise AssertionError(f"a sender's job reports {type(report).__name__}")

    def _handle_ended(self, report: pw.Ended, at: Moment) -> None:
        if report.outcome == pw.Outcome.MOVED:
            self._step(Step.MOVED)
            self._touch(at)
        elif report.outcome == pw.Outcome.SOURCE:
            self._end(ct.EndCode.SOURCE, "me", report.error, at, tell=True)
        elif report.outcome == pw.Outcome.UNREACHABLE:
            self._offer_listener(at)
        elif report.outcome == pw.Outcome.EXPIRED:
            self._touch(at, reason=NO_WAY)
        else:
            self._lost(at)

    def _handle_agreement(self, control: ct.Control, at: Moment) -> None:
        if not isinstance(control, ct.Accept | ct.Listen | ct.DialBack):
            raise RemoteProtocolError("a sender of files was told what only a receiver is told")
        if self._step(Step.ACCEPTED):
            self._touch(at)
        if isinstance(control, ct.Accept):
            return
        self._stop_job()
        self._lost(at)
        self._wanted = control
        self.retry_at = at.s
        if self.detail.held:
            self._out.say(self.peer, ct.Standing(self.id, True))

    def _handle_end(self, control: ct.End | ct.Done, at: Moment) -> None:
        if isinstance(control, ct.Done):
            self._stop_job()
            self._step(Step.DONE)
            size = self.offer.size_bytes
            self.progress.measure(size, at.s)
            self._row = msgspec.structs.replace(self._row, done_bytes=size)
            self._touch(at, reason="", by="")
            return
        known = control.code in END_SENTENCES
        code = ct.EndCode(control.code) if known else ct.EndCode.TARGET
        self._end(code, "peer", END_SENTENCES[code], at, tell=False)

    def _offer_listener(self, at: Moment) -> None:
        if not self._out.port:
            self._out.say(self.peer, ct.Unreachable(self.id))
            self._touch(at, reason=NO_WAY)
            return
        self._start(self._listen())

    def _start(self, connect: pw.Connect) -> None:
        self.job = self._out.next_job()
        self._out.ask(pw.Send(self.job, connect, self.detail.roots, self.detail.files))
