"""Two users' transfers whose file processes are threads of the test, so that any of their calls to
the system can be made to fail, or can find that somebody has changed the disk meanwhile.
"""

import errno
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import pauses, receiving, sending
from chatnet_engine.io import file_scan, renaming
from chatnet_engine.io.file_folder import PARTIAL_FOLDER
from chatnet_engine.io.file_link import FileLink
from chatnet_engine.io.file_process import FileProcess
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES, TransferRow
from file_pair import PEER, Pair, RealSide
from file_trees import OLD_S, Tree, look, write

LISTED_FROM = 4
"""More files than this need a listing, here."""

SPACE_CALLS = (
    "mkdir", "pwritev", "pwrite", "posix_fallocate", "fsync", "fdatasync", "link", "rename",
)  # fmt: skip
"""Those that may find the disk full, besides `open` and `renameat2`."""
READ_CALLS = ("preadv", "pread", "fstat", "scandir", "stat")


Act = Callable[[str, tuple[object, ...]], None]


def _nothing(name: str, args: tuple[object, ...]) -> None:
    pass


class Calls:
    """The calls to the system of all threads but the test's own.

    From the call number `at` on, counted from `begin`, `act` is called before each, with its name
    and arguments; it may raise.
    """

    def __init__(self, patch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
        self._test = threading.current_thread()
        self._lock = threading.RLock()
        self.count = 0
        self._at = 0
        self._act: Act = _nothing
        for name in (*names, "open"):
            patch.setattr(os, name, self._wrapped(name, getattr(os, name)))
        patch.setattr(renaming, "_renameat2", self._renamed(renaming._renameat2))  # noqa: SLF001

    def begin(self, at: int, act: Act) -> None:
        """Count from 1."""
        with self._lock:
            self.count, self._at, self._act = 0, at, act

    def end(self) -> None:
        """Everything works again."""
        self.begin(0, _nothing)

    def _look(self, name: str, args: tuple[object, ...]) -> None:
        if threading.current_thread() is self._test:
            return
        with self._lock:
            self.count += 1
            if 0 < self._at <= self.count:
                self._act(name, args)

    def _wrapped(self, name: str, really: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            self._look(name, args)
            return really(*args, **kwargs)

        return call

    def _renamed(self, really: Callable[..., int]) -> Callable[..., int]:
        def call(*args: object) -> int:
            try:
                self._look("renameat2", args)
            except OSError as error:
                return error.errno or errno.EIO
            return really(*args)

        return call


class ThreadLink(FileLink):
    """The file process is a thread."""

    def __init__(self, where: tuple[str, int, str]) -> None:
        super().__init__([])
        self._where = where

    def _start(self, now_s: float) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._sock, self._started_s = ours, now_s
        bind, umask, listings = self._where
        process = FileProcess(theirs, bind, 0, umask, listings)
        threading.Thread(target=process.run, daemon=True).start()


class ThreadSide(RealSide):
    """With a file process in this one."""

    def _start(self) -> FileLink:
        link = ThreadLink((self.bind, self.umask, f"{self.inbox}-listings"))
        link.start(self.now())
        return link


class Faulty:
    """A sends "proj" to B, where it may arrive as an update of what came before."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(receiving, "FULL_RETRY_S", 0.01)
        patch.setattr(receiving, "FIRST_RETRY_S", 0.01)
        patch.setattr(sending, "MIN_START_INTERVAL_S", 0.01)
        patch.setattr(pauses, "MIN_DIAL_INTERVAL_S", 0.01)
        patch.setattr(file_scan, "MAX_FILES_IN_OFFER", LISTED_FROM)
        self.pair = Pair(ThreadSide("a", folder), ThreadSide("b", folder))
        self.pair.b.verified = True
        self.pair.run_until(lambda: bool(self.pair.a.port and self.pair.b.port))
        self.pair.link(True)
        self.source = folder / "out" / "proj"
        self.inbox = Path(self.pair.b.inbox)
        self.moved = self.inbox.with_name("moved")
        """Where somebody may have moved the inbox."""
        self.sent = 0

    def close(self) -> None:
        self.pair.a.close()
        self.pair.b.close()

    @property
    def id(self) -> bytes:
        """Of the newest offer."""
        return self.sent.to_bytes(16, "big")

    def fresh(self) -> None:
        """Nothing has come yet."""
        for path in (self.inbox, self.moved, self.source):
            while path.is_dir():  # the last transfer may still be cleaned up
                shutil.rmtree(path, ignore_errors=True)
            path.unlink(missing_ok=True)

    def begin(self, files: Tree | bytes, *, update: bool = False) -> None:
        """Offer these as "proj"."""
        if isinstance(files, bytes):
            self.source.parent.mkdir(parents=True, exist_ok=True)
            self.source.write_bytes(files)
            os.utime(self.source, (OLD_S, OLD_S))
        else:
            write(self.source, files)
        self.sent += 1
        a = self.pair.a
        a.transfers.offer(self.id, PEER, [str(self.source)], Now(a.now(), 1), update)
        self.pair.run_until(lambda: bool(a.offers))

    def deliver(self) -> None:
        """The offer arrives, and with it everything begins."""
        self.pair.deliver_offer(self.id)
        self.pair.move()

    def send(self, files: Tree) -> None:
        """Without faults; the next one may update it."""
        self.begin(files, update=True)
        self.deliver()
        self.run_until(lambda: self.pair.both("done", self.id))
        b = self.pair.b
        b.transfers.allow_updates(self.id, True, Now(b.now(), 1))
        self.pair.move()

    def run_until(self, done: Callable[[], bool]) -> None:
        self.pair.run_until(done)

    def rows(self) -> tuple[TransferRow, TransferRow]:
        """Of the newest one, at A and B."""
        return self.pair.a.row(self.id), self.pair.b.row(self.id)

    def has_ended(self) -> bool:
        """On both sides."""
        return all(row.state in ENDED_TRANSFER_STATES for row in self.rows())

    def arrived(self) -> dict[str, Tree]:
        """What has a final name."""
        return {
            path.name: look(path)
            for inbox in (self.moved, self.inbox)
            if inbox.is_dir()
            for path in inbox.iterdir()
            if path.name != PARTIAL_FOLDER
        }

    def everywhere(self) -> Iterator[Tree]:
        """What there is, also in the folder of the partial ones."""
        yield from self.arrived().values()
        partial = self.inbox / PARTIAL_FOLDER
        if partial.is_dir():
            yield from (look(path) for path in partial.iterdir())
