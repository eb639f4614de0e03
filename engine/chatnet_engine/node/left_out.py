"""Owns the rows that a start left out as damaged: notices for people, refusals of commands."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from chatnet_engine.node.effects import LogProblem
from chatnet_engine.node.publisher import Publisher
from chatnet_engine.store_ops.commit import LeftOut as Row
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import Command, FetchHistory
from chatnet_protocol.ipc.events import Notice, notice
from chatnet_protocol.ipc.reasons import NoticeCode
from chatnet_protocol.ipc.rows import PeerRow
from chatnet_protocol.ipc.view import View

MAX_NOTICES = 8
"""The log names them all."""
REMEDY = (
    "Everything else works. Nothing of it was deleted; a backup from before the damage has it, "
    "see `chatnet restore-backup`."
)
SENTENCES = {
    Row.PEER: "{peer} is left out: its row in the history is damaged.",
    Row.TRANSFER: "The transfer of {name} ({peer}) is left out: its row in the history is damaged.",
    Row.MESSAGE: "A message of the conversation with {peer} is left out: its row is damaged.",
    Row.RESTORE: "What was restored of the conversation with {peer} is damaged; you can ask again.",
}


class LeftOut:
    """The damaged rows, by peer and transfer."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = list(rows)
        self._published = False

    def add(self, row: Row) -> None:
        """Something more that cannot be loaded."""
        self._rows.append(row)

    @contextmanager
    def failing(self, row: PeerRow, view: View, contain: bool) -> Iterator[None]:
        """What cannot be made of this peer's rows leaves it out. Raises it without `contain`."""
        try:
            yield
        except Exception as error:
            if not contain:
                raise
            self.add(Row(Row.PEER, row.peer, row.name, error=f"{type(error).__name__}: {error}"))
            view.peers[:] = [shown for shown in view.peers if shown.info.peer != row.peer]

    def log(self) -> list[LogProblem]:
        """A line for each, without names or what is in the row."""
        return [
            LogProblem(f"left out: {row.what} of peer {row.peer}: {row.error.partition(':')[0]}")
            for row in self._rows
        ]

    def say(self, publisher: Publisher) -> None:
        """Once, when somebody is there to see it."""
        if self._published:
            return
        self._published = True
        for row in self._rows[:MAX_NOTICES]:
            publisher.publish(_notice(row))
        if (more := len(self._rows) - MAX_NOTICES) > 0:
            publisher.publish(notice("error", NoticeCode.LEFT_OUT_MORE, more))

    def check(self, command: Command) -> None:
        """Raises CommandError when the command is about something that was left out.

        The messages of such a peer can still be read.
        """
        if isinstance(command, FetchHistory):
            return
        peer, transfer_id = getattr(command, "peer", 0), getattr(command, "id", b"")
        for row in self._rows:
            if row.what == Row.PEER and row.peer == peer:
                raise CommandError(ErrorCode.UNKNOWN_PEER, f"{_sentence(row)} {REMEDY}")
            if row.what == Row.TRANSFER and row.id == transfer_id:
                raise CommandError(ErrorCode.UNKNOWN_TRANSFER, f"{_sentence(row)} {REMEDY}")


def _notice(row: Row) -> Notice:
    match row.what:
        case Row.PEER:
            return notice("error", NoticeCode.LEFT_OUT_PEER, row.peer, row.name)
        case Row.TRANSFER:
            return notice("error", NoticeCode.LEFT_OUT_TRANSFER, row.name, peer=row.peer)
        case Row.MESSAGE:
            return notice("error", NoticeCode.LEFT_OUT_MESSAGE, peer=row.peer)
        case Row.RESTORE:
            return notice("error", NoticeCode.LEFT_OUT_RESTORE, peer=row.peer)
        case _:
            raise AssertionError(f"no notice for {row.what}")


def _sentence(row: Row) -> str:
    peer = f"peer {row.peer}"
    if row.what == Row.PEER:
        peer = f"{row.name} ({peer})" if row.name else peer.capitalize()
    return SENTENCES[row.what].format(peer=peer, name=row.name or "a file")
