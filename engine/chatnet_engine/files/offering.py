"""From paths to an offer: the files are listed by the file process, the offer is checked here.

An offer waits here twice: for its list, and for its message to be committed.
"""

import hashlib
from dataclasses import dataclass, field
from functools import partial

from chatnet_engine.clock import Now
from chatnet_engine.deadlines import earliest
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import new_detail
from chatnet_engine.files.facts import facts_of
from chatnet_engine.files.names import shown
from chatnet_engine.files.outputs import Outputs
from chatnet_engine.store_ops.commit import StoreTransfer
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer, is_one_folder
from chatnet_protocol.ipc.rows import TransferRow, TransferState
from chatnet_protocol.limits import (
    MAX_FILES_IN_OFFER,
    MAX_FOLDERS_IN_OFFER,
    MAX_LISTED_FILES,
    MAX_OFFER_BYTES,
    MAX_PATH_COMPONENTS,
)

MAX_WAITING_OFFERS = 64
"""Offers on their way to the history; more are refused."""
MAX_ROOT_BYTES = 256 * 1024
"""All paths of one offer together: they have to fit a frame to the file process."""
GIVEN_BYTES = 16
LIST_WITHIN_S = 60.0
"""From the start, or from the last report that the files are still being listed."""
MAX_SCANS = 3
"""File processes that may die over one list; then it is this list that kills them."""

TOO_MANY = f"That is more than {MAX_LISTED_FILES:,} files; offer an archive of them instead."
ONE_FOLDER = "An update is of one folder; offer other files without it."
TOO_LONG = "The list of these files is too long for one offer; offer an archive of them instead."
OTHER_MESSAGE = "That id is another message already."
NOT_HANDLED = "The engine failed inside while preparing this offer; try again. See its log."
NOT_LISTED = "The files could not be listed in time; try again."


@dataclass(frozen=True, slots=True)
class ReadyOffer:
    """`body` is to be sent as an OFFER message with the transfer's id."""

    transfer_id: bytes
    peer: int
    body: bytes
    store: StoreTransfer | None = field(default=None, compare=False)
    """To be committed together with the message; None when the offer is a repeated one."""


@dataclass(frozen=True, slots=True)
class FailedOffer:
    """There is nothing to offer; one sentence says why."""

    transfer_id: bytes
    code: ErrorCode
    sentence: str


@dataclass(slots=True)
class Listed:
    """What an offer is made from. `body` is empty until it is listed."""

    peer: int
    roots: list[str]
    deadline_s: float
    update: bool = False
    scans: int = 1
    body: bytes = b""
    store: StoreTransfer | None = None


def check_same(known_peer: int, known_paths: list[str], peer: int, paths: list[str]) -> None:
    """Raises CommandError unless the repeated command is the one that was known."""
    if (known_peer, known_paths) != (peer, paths):
        raise CommandError(ErrorCode.INVALID, OTHER_MESSAGE)


def digest_paths(paths: list[str]) -> bytes:
    """What tells one list of paths from another; no path has a zero byte."""
    return hashlib.sha256("\0".join(paths).encode()).digest()[:GIVEN_BYTES]


class Offering:
    """Offers that are not transfers yet."""

    def __init__(self, out: Outputs) -> None:
        self._out = out
        self._waiting: dict[bytes, Listed] = {}
        self._results: list[ReadyOffer | FailedOffer] = []

    def offer(
        self, transfer_id: bytes, peer: int, paths: list[str], at: Now, update: bool = False
    ) -> None:
        """Have the files listed; the result comes by `take`. Harmless to repeat.

        Raises CommandError when that id is another offer.
        """
        known = self._waiting.get(transfer_id)
        if known is not None:
            check_same(known.peer, known.roots, peer, paths)
            if known.body:
                self._results.append(ReadyOffer(transfer_id, known.peer, known.body, known.store))
            return
        if len(self._waiting) >= MAX_WAITING_OFFERS:
            sentence = "Too many offers are being prepared; try again."
            self._results.append(FailedOffer(transfer_id, ErrorCode.BUSY, sentence))
            return
        if sum(len(path.encode()) for path in paths) > MAX_ROOT_BYTES:
            self._results.append(FailedOffer(transfer_id, ErrorCode.TOO_LARGE, TOO_LONG))
            return
        self._out.undo.append(partial(self._waiting.pop, transfer_id, None))
        self._waiting[transfer_id] = Listed(peer, paths, at.mono_s + LIST_WITHIN_S, update)
        self._out.ask(pw.Scan(transfer_id, paths))

    def repeat(self, transfer_id: bytes, peer: int, body: bytes) -> None:
        """A repeated command for what is a transfer already."""
        self._results.append(ReadyOffer(transfer_id, peer, body))

    def handle_ready(self) -> None:
        """A new file process: ask again for what is not listed."""
        for transfer_id, listed in list(self._waiting.items()):
            if listed.body:
                continue
            if listed.scans >= MAX_SCANS:
                self._fail(transfer_id, ErrorCode.FILE, NOT_LISTED)
                continue
            listed.scans += 1
            self._out.ask(pw.Scan(transfer_id, listed.roots))

    def handle_scanning(self, report: pw.Scanning, at: Now) -> None:
        """The list takes long, and is being made."""
        listed = self._waiting.get(report.id)
        if listed is not None:
            listed.deadline_s = at.mono_s + LIST_WITHIN_S

    def handle_scanned(self, report: pw.Scanned) -> None:
        """The list, or why there is none."""
        listed = self._waiting.get(report.id)
        if listed is None or listed.body:
            return
        if report.error:
            self._fail(report.id, ErrorCode(report.code), report.error)
            return
        if len(report.files) > MAX_FILES_IN_OFFER or len(report.folders) > MAX_FOLDERS_IN_OFFER:
            self._fail(report.id, ErrorCode.TOO_LARGE, TOO_MANY)
            return
        files = [
            OfferedFile(
                file.path,
                file.size_bytes,
                file.modified_ns // 1_000_000,
                file.executable,
                file.root,
            )
            for file in report.files
        ]
        named = report.left_out_named
        offer = Offer(files, report.folders, report.left_out, named, report.listing, listed.update)
        if listed.update and not is_one_folder(offer):
            self._fail(report.id, ErrorCode.INVALID, ONE_FOLDER)
            return
        body = encode_offer(offer)
        deep = any(len(file.path) > MAX_PATH_COMPONENTS for file in files)
        if len(body) > MAX_OFFER_BYTES or deep:
            self._fail(report.id, ErrorCode.TOO_LARGE, TOO_LONG)
            return
        detail, listing = new_detail(body, listed.roots, report.files)
        store = StoreTransfer(
            TransferRow(
                id=report.id,
                peer=listed.peer,
                no=0,
                mine=True,
                state=TransferState.OFFERED,
                path=shown(listed.roots[0]),
                **facts_of(offer, shown),
            ),
            detail,
            listing,
            given=digest_paths(listed.roots),
        )
        listed.body, listed.store = body, store
        self._results.append(ReadyOffer(report.id, listed.peer, body, store))

    def handle_lost(self, transfer_id: bytes) -> None:
        """The list has come, and could not be handled: what came of it is not offered either."""
        if transfer_id in self._waiting:
            self._results = [one for one in self._results if one.transfer_id != transfer_id]
            self._fail(transfer_id, ErrorCode.INTERNAL, NOT_HANDLED)

    def pop_listed(self, transfer_id: bytes) -> Listed | None:
        """The offer was committed: what it was made from."""
        return self._waiting.pop(transfer_id, None)

    def handle_timeout(self, at: Now) -> None:
        """Expire offers that were not listed or not committed in time."""
        for transfer_id in [id for id, one in self._waiting.items() if one.deadline_s <= at.mono_s]:
            if self._waiting[transfer_id].body:
                del self._waiting[transfer_id]
            else:
                self._fail(transfer_id, ErrorCode.FILE, NOT_LISTED)

    def next_timeout(self) -> float | None:
        """When `handle_timeout` has something to do."""
        return earliest([one.deadline_s for one in self._waiting.values()])

    @property
    def waits(self) -> bool:
        """Whether `take` gives any."""
        return bool(self._results)

    def take(self) -> list[ReadyOffer | FailedOffer]:
        """Results since the last call."""
        results, self._results = self._results, []
        return results

    def _fail(self, transfer_id: bytes, code: ErrorCode, sentence: str) -> None:
        del self._waiting[transfer_id]
        self._results.append(FailedOffer(transfer_id, code, sentence))
