"""Receiving the new state of a folder that came earlier: unchanged files are taken from there.

The store is asked for the earlier folder, then the file process takes what both have in common
(Prepare), and only then is there a connection, for the rest; if there is a listing, one more comes
before, for that alone. When the new folder is complete it
takes the earlier one's place, if that is allowed and nothing in it has changed; otherwise it
arrives beside it like any folder.
"""

from collections.abc import Callable

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.deadlines import next_tick
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import Detail, Listing, decode_detail
from chatnet_engine.files.facts import with_problem
from chatnet_engine.files.outputs import Outputs, PeerLink
from chatnet_engine.files.phases import S
from chatnet_engine.files.receiving import SLOT_RETRY_S, Receiving
from chatnet_engine.files.update_wire import EarlierFolder, Exchange, KeptFolder
from chatnet_engine.store_ops.commit import FolderFound
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import Offer, decode_offer
from chatnet_protocol.ipc.reasons import TransferReason, UpdateReason, reason
from chatnet_protocol.ipc.rows import Compared, TransferRow

MAX_KEPT = 3
"""Earlier states of a folder that stay beside it ..."""
MAX_KEPT_SHARE = 2
"""... and together take at most so many times its size; the newest one stays in any case."""

PREPARE_AGAIN = frozenset({pw.Outcome.FULL, pw.Outcome.TARGET, pw.Outcome.MISMATCH})
"""Outcomes after which what was prepared may not be there any more."""


class Updating(Receiving):
    """One update that the peer offers."""

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
        self._searching = False
        """The store is asked for the earlier folder."""
        self._found: FolderFound | None = None
        """Its answer."""
        self._earlier: EarlierFolder | None = None
        """What is to be updated, if anything is."""
        self._kept: list[KeptFolder] = []
        """Its present state, and earlier ones that are beside it, newest first."""
        self._prepared: pw.Prepared | None = None
        self._inbox = ""
        """Where it was to arrive before it followed the earlier folder; empty: it did not."""

    # --- commands ---

    def accept(self, folder: str, at: Now) -> None:
        """The files are wanted; where the earlier ones are, if `folder` is the inbox."""
        begins = self.ended or self.phase is S.OFFERED
        if self.ended:
            self.detail.exchange, self.detail.problem, self.detail.kept = None, "", []
        super().accept(folder, at)
        if begins:
            self._forget_earlier()

    def allow_updates(self, allowed: bool, at: Now) -> None:
        """Counts for this one too, until files of it arrive."""
        super().allow_updates(allowed, at)
        if self.phase is S.WAITING and self._found is not None:
            self._stop_job()
            self._forget_earlier()
            self.retry_at = at.mono_s

    # --- the earlier folder ---

    def handle_found(self, found: FolderFound, inbox: str, at: Now) -> None:
        """What the store knows of the earlier folder."""
        if self.ended or not self._searching:
            return
        self._searching = False
        self._found, self._earlier, self.detail.problem = found, None, ""
        if found.found is not None:
            try:
                self._judge(found, inbox)
            except (msgspec.DecodeError, DecodeError):
                self.detail.problem = UpdateReason.NOT_KNOWN.value
        if self._earlier is None:
            self._prepared = pw.Prepared(0, b"", b"", b"", "", self.detail.problem)
        self._touch(at)
        self.retry_at = at.mono_s

    def _judge(self, found: FolderFound, inbox: str) -> None:
        """Whether what was found can be updated, and why not."""
        assert found.found is not None
        row = found.found.row
        detail, listing = decode_detail(found.found.detail, found.found.listing)
        if row.updates_allowed and not self._row.updates_allowed:
            self._row = msgspec.structs.replace(self._row, updates_allowed=True)
        if not self._row.updates_allowed:
            self.detail.problem = UpdateReason.NOT_ALLOWED.value
        elif not detail.name or not (found.digests or is_listed(decode_offer(listing.offer))):
            self.detail.problem = UpdateReason.NOT_KNOWN.value
        elif not self._follow(detail.folder, inbox):
            self.detail.problem = UpdateReason.MOVED.value
        else:
            digests = found.digests
            self._earlier = EarlierFolder(detail.name, detail.inode, listing.offer, digests, row.id)
            self._kept = [KeptFolder("", detail.inode, row.size_bytes, b""), *detail.kept]

    def _follow(self, folder: str, inbox: str) -> bool:
        """Arrive where the earlier folder is, unless another place was chosen."""
        detail = self.detail
        if detail.folder == folder:
            return True
        if detail.folder != inbox or (detail.index, detail.offset, detail.things) != (0, 0, 0):
            return False
        self._inbox, detail.folder = inbox, folder
        return True

    def _forget_earlier(self) -> None:
        self._searching = False
        self._found = self._earlier = self._prepared = None
        self._have, self._listing_only = (b"", b""), False

    # --- preparing, then receiving ---

    @property
    def is_preparing(self) -> bool:
        """What it has in common with the earlier folder is not known yet."""
        return self._prepared is None

    def _try(self, at: Now, may_start: bool) -> None:
        if self._prepared is not None or self._listing_only:
            super()._try(at, may_start)
            return
        self._asked = None
        if self._found is None:
            if not self._searching:
                self._searching = True
                self._out.searches.append(self.id)
        elif not may_start:
            self.retry_at = next_tick(at.mono_s + SLOT_RETRY_S)
        elif not self.job:
            assert self._earlier is not None
            self.job = self._out.next_job()
            folder, offer = self.detail.folder, self.listing.offer
            self._out.ask(pw.Prepare(self.job, self.id, folder, offer, self._earlier))
            self._note_compared(None, at)
            self._touch(at, why=reason(TransferReason.COMPARING))

    def handle_report(self, report: pw.Report, at: Now) -> None:
        """Reports of preparing, and of the rest."""
        if isinstance(report, pw.Comparing):
            done = report.files, report.of_files, report.size_bytes, report.of_bytes
            self._note_compared(Compared(*done), at)
            return
        if isinstance(report, pw.Prepared):
            self.job = 0
            self._prepared, self._have = report, (report.have, report.digests)
            self.detail.problem = report.problem
            if report.problem == UpdateReason.MOVED and self._inbox:
                self._out.ask(pw.Discard(self.id, self.detail.folder))
                self.detail.folder = self._inbox
            self._touch(at, why=None)
            self.retry_at = at.mono_s
            return
        if isinstance(report, pw.Ended) and report.outcome in (
            pw.Outcome.LISTED,
            pw.Outcome.UNLISTED,
        ):
            self.job = 0
            self._listing_only = report.outcome == pw.Outcome.UNLISTED
            self._lost(at)
            self._touch(at, why=None)
            self.retry_at = at.mono_s
            return
        if isinstance(report, pw.Ended) and report.outcome in PREPARE_AGAIN:
            self._forget_earlier()
        super().handle_report(report, at)

    def _thing_complete(self, report: pw.ThingComplete, at: Now) -> None:
        super()._thing_complete(report, at)
        earlier, prepared = self._earlier, self._prepared
        if earlier is None or prepared is None or not prepared.state:
            return
        if not self._row.updates_allowed:
            self.detail.problem = UpdateReason.NOT_ALLOWED.value
            return
        replaced = KeptFolder(
            prepared.until, earlier.inode, self._kept[0].size_bytes, prepared.state
        )
        keep, drop = kept_and_dropped([replaced, *self._kept[1:]], self.offer.size_bytes)
        self.detail.kept = keep
        self.detail.exchange = Exchange(
            earlier.name, earlier.inode, prepared.state, prepared.until, drop
        )

    def _placed(self, report: pw.Placed, at: Now) -> None:
        detail = self.detail
        if report.until:
            newest = msgspec.structs.replace(detail.kept[0], name=report.until)
            detail.kept = [newest, *detail.kept[1:]]
        else:
            detail.kept = []
            detail.problem = report.problem or detail.problem
        differences = with_problem(self._row.differences, detail.problem)
        self._row = msgspec.structs.replace(self._row, differences=differences)
        super()._placed(report, at)
        if self.phase is S.DONE and self._earlier is not None and not self._earlier.digests:
            self._out.ask(pw.Discard(self._earlier.id, "", manifest=True))


def is_listed(offer: Offer) -> bool:
    """Whether there is a listing; then the file process keeps the digests of its files."""
    return offer.listing is not None


def kept_and_dropped(
    states: list[KeptFolder], size_bytes: int
) -> tuple[list[KeptFolder], list[KeptFolder]]:
    """Which of the earlier states of a folder stay beside it. `states`: newest first; at least the
    newest one stays. `size_bytes`: of the new state."""
    most_bytes = MAX_KEPT_SHARE * max(size_bytes, states[0].size_bytes)
    stay, total = 0, 0
    for state in states[:MAX_KEPT]:
        total += state.size_bytes
        if total > most_bytes:
            break
        stay += 1
    return states[:stay], states[stay:]
