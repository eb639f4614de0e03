"""Owns the survey of what receiving takes on the disk, while one is under way."""

from collections.abc import Iterable

from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.space_wire import Earlier, Survey, Surveyed
from chatnet_engine.files.transfer import Transfer
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.results import Space

NOT_NOW = "The file process is starting; try again."
OTHER = "The disk is being looked at; try again later."
BROKEN = "The disk could not be looked at; see the log."


class Surveys:
    """One at a time: a large folder on a slow disk takes a while."""

    def __init__(self, out: Outputs) -> None:
        self._out = out
        self._asked: Survey | None = None
        self._results: list[Space | CommandError] = []

    def ask(self, survey: Survey) -> None:
        """Have it made, unless one is under way that answers the question too; the result comes by
        `take`. Raises CommandError."""
        if not self._out.ready:
            raise CommandError(ErrorCode.BUSY, NOT_NOW)
        if self._asked is not None:
            if survey.clean and not self._asked.clean:
                raise CommandError(ErrorCode.BUSY, OTHER)
            return
        self._out.undo.append(self._forget)
        self._asked = survey
        self._out.ask(survey)

    def handle_surveyed(self, report: Surveyed) -> None:
        """It is made."""
        self._end(report.space or CommandError(ErrorCode.INTERNAL, BROKEN))

    def handle_lost(self) -> None:
        """It is not answered, or the answer could not be handled."""
        self._end(CommandError(ErrorCode.INTERNAL, BROKEN))

    def take(self) -> list[Space | CommandError]:
        """The result for everybody who has asked until now."""
        results, self._results = self._results, []
        return results

    def _end(self, result: Space | CommandError) -> None:
        if self._asked is not None:
            self._asked = None
            self._results.append(result)

    def _forget(self) -> None:
        self._asked = None


def survey_of(
    every: Iterable[Transfer], settled: Iterable[bytes], inbox: str, *, clean: bool
) -> Survey:
    """What to look at. `settled`: those that have ended, as the store knows."""
    received = {one.id: one for one in every if isinstance(one, Receiving)}
    folders = dict.fromkeys([inbox, *(one.detail.folder for one in received.values())])
    folders.pop("", None)
    ended = [received[one] for one in settled if one in received]
    earlier: dict[tuple[str, str, int], Earlier] = {}
    for one in ended:
        for kept in one.detail.kept:
            # A later update of the same folder has recorded it too.
            where = (one.detail.folder, kept.name, kept.inode)
            earlier[where] = Earlier(one.id, one.detail.folder, kept)
    return Survey(list(folders), [one.id for one in ended], list(earlier.values()), clean)
