"""Owns who waits for what receiving takes on the disk."""

from chatnet_engine.clock import Now
from chatnet_engine.files.transfers import Transfers
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.subject import CommandHandler
from chatnet_engine.node.turn import Turn
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc import commands as cmd

MAX_SPACE_ASKERS = 64
"""On a disk that does not answer; more are answered `busy`."""


class SpaceAsking:
    """Answers FetchSpace and CleanUp."""

    def __init__(self, transfers: Transfers, turn: Turn) -> None:
        self._transfers = transfers
        self._replies = turn.replies
        self._commits = turn.commits
        self._askers: list[ReplyTo] = []
        self.commands: dict[type, CommandHandler] = {
            cmd.FetchSpace: self._ask,
            cmd.CleanUp: self._ask,
        }

    def _ask(self, command: cmd.FetchSpace | cmd.CleanUp, reply_to: ReplyTo, now: Now) -> None:
        if len(self._askers) >= MAX_SPACE_ASKERS:
            raise CommandError(ErrorCode.BUSY, "Too many questions at once; ask again.")
        self._transfers.survey(clean=isinstance(command, cmd.CleanUp))
        self.look_up()
        self._askers.append(reply_to)

    def look_up(self) -> None:
        """Ask the store what has ended, as far as that is still to be asked."""
        if (search := self._transfers.surveys.take_search()) is not None:
            self._commits.add(search)

    def answer(self) -> None:
        """Everybody gets the result, if there is one."""
        for result in self._transfers.surveys.take():
            askers, self._askers = self._askers, []
            for reply_to in askers:
                if isinstance(result, CommandError):
                    self._replies.fail(reply_to, result)
                else:
                    self._replies.reply(reply_to, result)
