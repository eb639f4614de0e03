"""What the workers of a simulated engine do: each answer comes a moment later."""

import hashlib
import sqlite3

from chatnet_engine.ledger.history import History
from chatnet_engine.node.effects import (
    CollectCounters,
    CopySession,
    CountersCollected,
    HistoryRead,
    HostResolved,
    InviteStretched,
    ReadHistory,
    ResolveHost,
    SessionCopied,
    StretchInvite,
)
from chatnet_protocol.errors import CommandError, ErrorCode
from simworld.disk import SimDisk


class SimWorkers:
    """The part of an engine that reads, copies, counts, resolves and stretches."""

    disk: SimDisk
    commits: int

    @property
    def connection(self) -> sqlite3.Connection:
        """To the database."""
        return self._connection

    @connection.setter
    def connection(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # Once, as in the product: SQLite takes no function while a statement is open.
        self.history = History(connection)

    def answer_later(self, delay_s: float, result: object) -> None:
        """Hand a result to the node after that time."""
        raise NotImplementedError

    def read_history(self, ask: ReadHistory) -> None:
        """A page, a moment later."""
        if self.disk.unreadable():
            failed = CommandError(ErrorCode.STORE, "The history cannot be read: disk I/O error.")
            read = HistoryRead(ask.context, None, failed)
        else:
            try:
                read = HistoryRead(ask.context, self.history.page(ask.query))
            except CommandError as refused:
                read = HistoryRead(ask.context, None, refused)
        self.answer_later(0.001, read)

    def copy_session(self, ask: CopySession) -> None:
        """There are no folders in this world."""
        answer = SessionCopied(0, 0, CommandError(ErrorCode.FILE, f"{ask.folder}: no such disk."))
        self.answer_later(0.001, answer)

    def count(self, ask: CollectCounters) -> None:
        """There is nothing to count here but commits."""
        answer = CountersCollected(ask.reply_to, ask.view, {"sim_commits": self.commits})
        self.answer_later(0.001, answer)

    def resolve(self, ask: ResolveHost) -> None:
        """Names are addresses here."""
        answer = HostResolved(ask.peer, [(ask.host, ask.port)])
        self.answer_later(0.001, answer)

    def stretch(self, ask: StretchInvite) -> None:
        """The psk of a code, a moment later; without scrypt, which would take long."""
        answer = InviteStretched(ask.peer, hashlib.sha256(ask.secret).digest())
        self.answer_later(0.1, answer)
