"""The threads that own the database: one writes, one reads pages of history.

The writer takes one transaction at a time, because the node gathers what arrives meanwhile into the
next. Operations and results cross as the objects that they are: neither side changes one after it
was handed over. The reader has a read-only connection of its own. Neither knows what the rows mean.
"""

import logging
import queue
import sqlite3
from collections.abc import Callable
from typing import Protocol

from chatnet_engine.io.worker import Worker
from chatnet_engine.node.effects import HistoryRead, ReadHistory
from chatnet_engine.store_ops.commit import Commit, CommitFailed, Committed, Loaded
from chatnet_protocol.errors import CommandError, ErrorCode, LocalProtocolError
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import SessionRow
from chatnet_protocol.ipc.view import View

logger = logging.getLogger(__name__)

MAX_HISTORY_READS = 64
"""Pages waiting for the reader; further requests are answered `busy`."""
LOAD_TIMEOUT_S = 60.0
"""For opening the database: recovery after a power loss, a check after a crash."""
STOP_TIMEOUT_S = 2.0
"""For the last transaction at the end; if a disk hangs longer, nothing of it was reported as
durable."""
HISTORY_STOP_TIMEOUT_S = 0.5


class LedgerLike(Protocol):
    """What the writer needs of the ledger, with its connection."""

    def apply(self, commit: Commit) -> Committed | CommitFailed: ...
    def load(self) -> Loaded: ...
    def load_view(self, session: SessionRow) -> View: ...
    def close(self) -> None: ...


class HistoryLike(Protocol):
    """What the reader needs of the ledger, with its connection."""

    def page(self, query: FetchHistory) -> HistoryPage: ...
    def close(self) -> None: ...


class Store:
    """The writer. `open_ledger` runs in its thread."""

    def __init__(
        self, open_ledger: Callable[[], LedgerLike], session: SessionRow, ring: Callable[[], None]
    ) -> None:
        self._loaded: queue.SimpleQueue[tuple[Loaded, View] | BaseException] = queue.SimpleQueue()

        def open_handler() -> _LedgerHandler:
            try:
                ledger = open_ledger()
                self._loaded.put((ledger.load(), ledger.load_view(session)))
            except BaseException as error:
                self._loaded.put(error)
                raise
            return _LedgerHandler(ledger)

        self._worker: Worker[Commit, Committed | CommitFailed] = Worker("store", open_handler, ring)

    @property
    def idle(self) -> bool:
        """Whether no transaction is in flight."""
        return self._worker.pending == 0

    def wait_loaded(self) -> tuple[Loaded, View]:
        """What the engine starts from; the one call that waits. Raises what opening raised."""
        try:
            loaded = self._loaded.get(timeout=LOAD_TIMEOUT_S)
        except queue.Empty:
            raise TimeoutError("the history did not open in time") from None
        if isinstance(loaded, BaseException):
            raise loaded
        return loaded

    def commit(self, commit: Commit) -> None:
        """Raises LocalProtocolError while another transaction is in flight."""
        if self._worker.pending:
            raise LocalProtocolError("a transaction is in flight already")
        self._worker.ask(commit)

    def take_answers(self) -> list[Committed | CommitFailed]:
        """At most one. Raises what broke the ledger's invariants."""
        return self._worker.take_answers()

    def stop(self) -> bool:
        """Finish the transaction in flight and close the database; whether that was in time."""
        return self._worker.stop(STOP_TIMEOUT_S)


class HistoryReader:
    """The reader. `open_history` runs in its thread, at the first page asked for."""

    def __init__(self, open_history: Callable[[], HistoryLike], ring: Callable[[], None]) -> None:
        self._open = lambda: _HistoryHandler(open_history)
        self._ring = ring
        self._worker: Worker[ReadHistory, HistoryRead] | None = None
        self._refused: list[HistoryRead] = []

    def ask(self, ask: ReadHistory) -> None:
        """Beyond MAX_HISTORY_READS the answer is a refusal."""
        if self._worker is None:
            self._worker = Worker("history", self._open, self._ring)
        if self._worker.pending >= MAX_HISTORY_READS:
            self._refused.append(
                HistoryRead(
                    ask.context,
                    None,
                    CommandError(ErrorCode.BUSY, "Too many history pages are asked for at once."),
                )
            )
            self._ring()
            return
        self._worker.ask(ask)

    def take_answers(self) -> list[HistoryRead]:
        """Pages and refusals."""
        refused, self._refused = self._refused, []
        return refused + (self._worker.take_answers() if self._worker else [])

    def stop(self) -> None:
        """Close the connection after the pages that were asked for."""
        if self._worker:
            self._worker.stop(HISTORY_STOP_TIMEOUT_S)


class _LedgerHandler:
    def __init__(self, ledger: LedgerLike) -> None:
        self._ledger = ledger

    def answer(self, request: Commit) -> Committed | CommitFailed:
        # A sick disk is an answer of the ledger; what it raises is a broken invariant.
        return self._ledger.apply(request)

    def close(self) -> None:
        try:
            self._ledger.close()
        except sqlite3.Error as error:
            # Everything committed is safe; the next start checks the file.
            logger.warning("the history could not be closed properly: %s", error)


class _HistoryHandler:
    def __init__(self, open_history: Callable[[], HistoryLike]) -> None:
        self._open_history = open_history
        self._history: HistoryLike | None = None

    def answer(self, request: ReadHistory) -> HistoryRead:
        try:
            if self._history is None:
                self._history = self._open_history()
            return HistoryRead(request.context, self._history.page(request.query))
        except CommandError as refused:
            return HistoryRead(request.context, None, refused)
        except sqlite3.Error as error:
            logger.warning("a history page could not be read: %s", error)
            failed = CommandError(ErrorCode.STORE, f"The history cannot be read: {error}.")
            return HistoryRead(request.context, None, failed)

    def close(self) -> None:
        if self._history is not None:
            self._history.close()
