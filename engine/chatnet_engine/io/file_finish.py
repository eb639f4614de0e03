"""Makes received files durable while the next ones arrive, as many together as there are.

One file after the other, a disk makes some 4,000 small files durable a second; a few at a time
share its journal, and one look at the folder of their names is enough for all.
"""

import collections
import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chatnet_engine.files.process_wire import Report
from chatnet_engine.io.file_folder import FolderError

MAX_UNFINISHED = 64
"""Files that wait to be durable, each with a descriptor; then the stream waits."""
BATCH_FILES = MAX_UNFINISHED // 2
"""So many wait for each other, or until somebody wants to know: a thread that is woken for each
file costs more than the file does."""
SYNCS_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class CompleteFile:
    """A verified file under its partial name; its descriptor is owned from here."""

    index: int
    fd: int
    durable: int
    """Bytes of it that were durable when it was handed over."""


class Finisher:
    """One job's. `keep_names` makes durable that the files are found; `describe` says what there is
    to report when all files up to one are durable. Both and `report` are called from another
    thread. `add` and `finish` raise the OSError or FolderError of any of them."""

    def __init__(
        self,
        keep_names: Callable[[], None],
        describe: Callable[[CompleteFile], list[Report]],
        report: Callable[[Report], None],
    ) -> None:
        self._keep_names = keep_names
        self._describe = describe
        self._report = report
        self._waiting: collections.deque[CompleteFile] = collections.deque()
        self._ending = False
        self._wanted = False
        """Nobody waits for a full batch."""
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, file: CompleteFile) -> None:
        """Soon durable; waits while too many are. Raises what went wrong with an earlier one."""
        with self._changed:
            self._waiting.append(file)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="finish", daemon=True)
                self._thread.start()
            if len(self._waiting) >= BATCH_FILES:
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._error or len(self._waiting) < MAX_UNFINISHED)
            if self._error is not None:
                raise self._error

    def with_oldest(self, act: Callable[[CompleteFile | None], None]) -> None:
        """Call `act` with the first file that may not be durable yet; none is reported as durable
        meanwhile. Those that wait become durable soon."""
        with self._changed:
            act(self._waiting[0] if self._waiting else None)
            self._want()

    def finish(self) -> None:
        """Everything that was added is durable. Raises what went wrong."""
        with self._changed:
            self._want()
            self._changed.wait_for(lambda: self._error or not self._waiting)
            if self._error is not None:
                raise self._error

    def close(self) -> None:
        """After `finish`, or to leave what waits as it is."""
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        for file in self._waiting:
            os.close(file.fd)
        self._waiting.clear()

    def _run(self) -> None:
        failure: Exception | None = RuntimeError("making files durable broke")
        try:
            self._work()
            failure = None
        except (OSError, FolderError) as error:
            failure = error
        finally:
            with self._changed:
                self._error = failure
                self._changed.notify_all()

    def _want(self) -> None:
        if self._waiting:  # also where it is wanted already: what waits may have come since
            self._wanted = True
            self._changed.notify_all()

    def _work(self) -> None:
        with ThreadPoolExecutor(SYNCS_AT_ONCE, "sync") as pool:
            while batch := self._next():
                if len(batch) == 1:
                    os.fsync(batch[0].fd)
                else:
                    shares = [batch[first::SYNCS_AT_ONCE] for first in range(SYNCS_AT_ONCE)]
                    collections.deque(pool.map(_sync, shares), 0)
                self._keep_names()
                self._finish(batch)

    def _next(self) -> list[CompleteFile]:
        """All that wait, when they are enough or wanted; none at the end."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._ending
                    or len(self._waiting) >= BATCH_FILES
                    or (self._waiting and self._wanted)
                )
            )
            self._wanted = False
            return [] if self._ending else list(self._waiting)

    def _finish(self, batch: list[CompleteFile]) -> None:
        reports = self._describe(batch[-1])
        with self._changed:
            for _ in batch:
                self._waiting.popleft()
            for report in reports:
                self._report(report)
            self._changed.notify_all()
        for file in batch:
            with contextlib.suppress(OSError):
                os.close(file.fd)


def _sync(files: list[CompleteFile]) -> None:
    for file in files:
        os.fsync(file.fd)
