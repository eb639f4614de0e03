"""Owns the backup under way, if there is one, and who waits for it. Knows no files."""

from chatnet_engine.node.effects import CopySession, ReplyTo
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.commands import MakeBackup

MAX_BACKUP_ASKERS = 64
"""Repetitions of one command by clients that attached again; more are answered `busy`."""


class Backups:
    """One at a time: each reads the whole history."""

    def __init__(self) -> None:
        self._under_way: CopySession | None = None
        self._askers: list[ReplyTo] = []

    def ask(self, command: MakeBackup, asker: ReplyTo) -> CopySession | None:
        """What to do now; None when just that is being done already.

        Raises CommandError for a path that is not absolute, and (busy) during another backup.
        """
        if not command.folder.startswith("/") or "\0" in command.folder:
            raise CommandError(ErrorCode.INVALID, "A folder is named by absolute path.")
        wanted = CopySession(command.folder, command.history_only)
        if self._under_way is None:
            self._under_way, self._askers = wanted, [asker]
            return wanted
        if self._under_way != wanted or len(self._askers) >= MAX_BACKUP_ASKERS:
            raise CommandError(ErrorCode.BUSY, "Another backup is being made; try again later.")
        self._askers.append(asker)
        return None

    def handle_copied(self) -> tuple[str, list[ReplyTo]]:
        """It has ended: its folder, and whom to tell."""
        assert self._under_way, "no backup was asked for"
        folder, askers = self._under_way.folder, self._askers
        self._under_way, self._askers = None, []
        return folder, askers
