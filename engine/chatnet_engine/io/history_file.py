"""The ledger of a session's history file, for the store's threads, and known_peers beside it."""

import os
import sqlite3

from chatnet_engine.io.private_dir import open_regular, write_atomically
from chatnet_engine.ledger.history import History
from chatnet_engine.ledger.ledger import Ledger
from chatnet_engine.ledger.ownership import adopt
from chatnet_engine.ledger.schema import close_file, open_file, open_read_only, reading
from chatnet_engine.store_ops.commit import Commit, CommitFailed, Committed, Loaded
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.ipc.view import View


class LedgerFile:
    """The one writing connection. Raises StoreDamaged or sqlite3.Error when it cannot be had."""

    def __init__(
        self, path: str, known_peers_path: str, own_key: bytes, *, checked: bool = False
    ) -> None:
        """From here on it is the history of `own_key`. `checked`: see `open_file`."""
        self._known_peers_path = known_peers_path
        # SQLite gives its side files the mode of the database.
        os.close(open_regular(path, os.O_RDWR | os.O_CREAT))
        os.chmod(path, 0o600)
        self._connection: sqlite3.Connection = open_file(path, checked=checked)
        try:
            with reading():
                self._ledger = Ledger(self._connection)
                adopt(self._connection, own_key)
        except BaseException:
            self._connection.close()
            raise

    def apply(self, commit: Commit) -> Committed | CommitFailed:
        """One transaction, after the keys that it trusts are in known_peers."""
        if commit.known_peers is not None:
            try:
                write_atomically(self._known_peers_path, commit.known_peers)
            except OSError as error:
                reason = f"{self._known_peers_path} cannot be written: {error.strerror}."
                return CommitFailed(commit.number, reason, False)
        return self._ledger.apply(commit)

    def load(self) -> Loaded:
        """What the engine starts from."""
        return self._ledger.load()

    def load_view(self, session: SessionRow) -> View:
        """What front ends are shown of it."""
        return self._ledger.load_view(session)

    def close(self) -> None:
        """After a clean stop."""
        close_file(self._connection)


class HistoryFile:
    """A read-only connection for pages."""

    def __init__(self, path: str) -> None:
        self._connection = open_read_only(path)
        self._history = History(self._connection)

    def page(self, query: FetchHistory) -> HistoryPage:
        """See `chatnet_engine.ledger.history`."""
        return self._history.page(query)

    def close(self) -> None:
        """The pages that were read stay valid."""
        self._connection.close()
