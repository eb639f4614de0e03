"""Owns the survey of what receiving takes on the disk, while one is under way."""

import contextlib
from collections.abc import Container, Iterable

import msgspec

from chatnet_engine.files.detail import Detail, decode_progress
from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.space_wire import Earlier, Survey, Surveyed
from chatnet_engine.files.transfer import Transfer
from chatnet_engine.store_ops.commit import ListReceived, ReceivedListed
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.results import Space

NOT_NOW = "The file process is starting; try again."
OTHER = "The disk is being looked at; try again later."
BROKEN = "The disk could not be looked at; see the log."
MAX_LISTED = 100_000
"""Of the newest transfers that have ended; 16 bytes of memory each, and one message."""


class Known:
    """What is known of received transfers."""

    def __init__(self) -> None:
        self._folders: dict[str, None] = {}
        self._ended: dict[bytes, None] = {}
        self._under_way: list[bytes] = []
        self._earlier: dict[tuple[str, str, int], Earlier] = {}

    def add(self, transfer_id: bytes, detail: Detail, *, has_ended: bool) -> None:
        """One of them, or what is known of it by now."""
        if detail.folder:
            self._folders.setdefault(detail.folder)
        if not has_ended:
            self._ended.pop(transfer_id, None)
            self._under_way.append(transfer_id)
            return
        self._ended.setdefault(transfer_id)
        for kept in detail.kept:
            # A later update of the same folder has recorded it too.
            where = (detail.folder, kept.name, kept.inode)
            self._earlier.setdefault(where, Earlier(transfer_id, detail.folder, kept))

    @property
    def is_full(self) -> bool:
        """No more are looked at."""
        return len(self._ended) >= MAX_LISTED

    def survey(self, inbox: str, *, clean: bool) -> Survey:
        """What to look at."""
        folders = dict.fromkeys([inbox, *self._folders])
        folders.pop("", None)
        under_way = set(self._under_way)
        earlier = [one for one in self._earlier.values() if one.id not in under_way]
        return Survey(list(folders), list(self._ended), earlier, clean, self._under_way)


class Surveys:
    """One at a time: a large folder on a slow disk takes a while. First the store lists what has
    ended, then the file process looks."""

    def __init__(self, out: Outputs) -> None:
        self._out = out
        self._clean: bool | None = None
        """What is asked for; None: nothing."""
        self._search: ListReceived | None = None
        self._known: Known | None = None
        """While the store lists."""
        self._results: list[Space | CommandError] = []

    def ask(self, *, clean: bool) -> None:
        """Have it made, unless one is under way that answers the question too; the result comes by
        `take`. Raises CommandError."""
        if not self._out.ready:
            raise CommandError(ErrorCode.BUSY, NOT_NOW)
        if self._clean is not None:
            if clean and not self._clean:
                raise CommandError(ErrorCode.BUSY, OTHER)
            return
        self._out.undo.append(self._forget)
        self._clean, self._search, self._known = clean, ListReceived(), Known()

    def take_search(self) -> ListReceived | None:
        """What the store is to be asked; `handle_listed` answers."""
        search, self._search = self._search, None
        return search

    def handle_listed(
        self,
        listed: ReceivedListed,
        every: Iterable[Transfer],
        settled: Container[bytes],
        inbox: str,
    ) -> None:
        """A page. `every`: what is in memory; `settled`: those of it that have ended, as the store
        knows. What cannot be read is left out."""
        if self._clean is None or self._known is None:
            return  # nobody asks any more
        for transfer_id, packed in listed.found:
            with contextlib.suppress(msgspec.MsgspecError):
                self._known.add(transfer_id, decode_progress(packed), has_ended=True)
        if listed.before and not self._known.is_full:
            self._search = ListReceived(listed.before)
            return
        for one in every:
            if isinstance(one, Receiving):
                self._known.add(one.id, one.detail, has_ended=one.id in settled)
        self._out.ask(self._known.survey(inbox, clean=self._clean))
        self._known = None

    def handle_surveyed(self, report: Surveyed) -> None:
        """It is made."""
        self._end(report.space or CommandError(ErrorCode.INTERNAL, BROKEN))

    def handle_lost(self) -> None:
        """It is not answered, or the answer could not be handled."""
        self._end(CommandError(ErrorCode.INTERNAL, BROKEN))

    @property
    def waits(self) -> bool:
        """Whether `take` gives any."""
        return bool(self._results)

    def take(self) -> list[Space | CommandError]:
        """The result for everybody who has asked until now."""
        results, self._results = self._results, []
        return results

    def _end(self, result: Space | CommandError) -> None:
        if self._clean is not None:
            self._forget()
            self._results.append(result)

    def _forget(self) -> None:
        self._clean = self._search = self._known = None
