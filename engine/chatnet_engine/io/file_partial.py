"""The file that is arriving: its bytes so far, their hash, and how many of them are durable."""

import os
import threading
import time
from collections.abc import Callable

import blake3

from chatnet_engine.io.file_folder import Allocation
from chatnet_engine.io.file_target import Target, set_facts
from chatnet_protocol.ipc.offer import OfferedFile

SYNC_EVERY_S = 0.25
UNSYNCED_BYTES = 4 * 1024 * 1024
"""A smaller file that arrives quickly is made durable when it is complete, without a thread."""
SMALL_BYTES = 64 * 1024
"""No space is taken ahead for so little, and none is given back."""
HASH_CHUNK_BYTES = 1024 * 1024


class Syncer:
    """A thread that makes written bytes durable, and knows how far they are.

    `keep_name` makes durable that the file is found: bytes of a file without a name are none.
    """

    def __init__(self, fd: int, durable: int, keep_name: Callable[[], None]) -> None:
        self.durable = durable
        self._keep_name: Callable[[], None] | None = keep_name
        self._fd = fd
        self._written = durable
        self.error: OSError | None = None
        self._stopping = False
        self._wake = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    def wrote(self, offset: int) -> None:
        """Bytes up to `offset` are in the file. Raises the OSError of an earlier sync."""
        if self.error is not None:
            raise self.error
        with self._wake:
            self._written = offset
            self._wake.notify()

    def abandon(self) -> None:
        """End without more ado; afterwards the descriptor is not used any more."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while self._written == self.durable and not self._stopping:
                    self._wake.wait()
                if self._stopping:
                    return
                written = self._written
            try:
                os.fdatasync(self._fd)
                if self._keep_name and not self._stopping:
                    self._keep_name()
                    self._keep_name = None
            except OSError as error:
                self.error = error
                return
            if self._keep_name:
                return
            self.durable = written
            with self._wake:
                if not self._stopping:
                    self._wake.wait_for(lambda: self._stopping, SYNC_EVERY_S)


class PartialFile:
    """The file under way: its bytes so far, their hash."""

    def __init__(self, target: Target, index: int, offered: OfferedFile) -> None:
        """Raises OSError."""
        self.fd = target.open(index)
        self._target = target
        self._offered = offered
        self.size = offered.size_bytes
        self._is_small = self.size <= SMALL_BYTES
        self.length = 0
        self._durable = 0
        self.hasher = blake3.blake3()
        self._syncer: Syncer | None = None
        self._sync_from_s = 0.0
        self._is_new = os.fstat(self.fd).st_size == 0
        self._allocation: Allocation | None = None

    @property
    def durable(self) -> int:
        """Bytes that survive a power loss."""
        return self._syncer.durable if self._syncer else self._durable

    def has(self, length: int) -> bool:
        """Whether so many bytes are there."""
        return os.fstat(self.fd).st_size >= length

    def resume(self, length: int) -> None:
        """Keep the first `length` bytes and go on after them. Raises OSError."""
        if self._syncer is not None:
            self._syncer.abandon()
        if not self._is_new:
            os.ftruncate(self.fd, length)
        self._is_new = False
        self.length = length
        self._durable = length
        self.hasher = blake3.blake3()
        if length:
            self._hash_prefix()
        self._syncer = None
        self._sync_from_s = time.monotonic() + SYNC_EVERY_S
        self._allocation = Allocation(self.fd, self.size, self.size if self._is_small else length)

    def append(self, bodies: list[memoryview]) -> None:
        """Write and hash the next bytes. Raises OSError."""
        assert self._allocation is not None
        total = sum(map(len, bodies))
        self._allocation.reach(self.length + total)
        for body in bodies:
            self.hasher.update(body)
        while bodies:
            written = os.pwritev(self.fd, bodies, self.length)
            self.length += written
            while bodies and written >= len(bodies[0]):
                written -= len(bodies.pop(0))
            if bodies:
                bodies[0] = bodies[0][written:]
        if not self._is_small:
            self.keep_up()

    def keep_up(self) -> None:
        """Begin to make durable what has arrived, once it is much or takes long. Raises OSError."""
        if self._syncer is None:
            much = self.length - self._durable >= UNSYNCED_BYTES
            slow = self._durable < self.length and time.monotonic() >= self._sync_from_s
            if not much and not slow:
                return
            self._syncer = Syncer(self.fd, self._durable, self._target.keep_names)
        self._syncer.wrote(self.length)

    def sync(self) -> None:
        """Make what is written durable. Raises OSError."""
        if self._allocation is None:
            return
        self._end_syncer()
        os.fdatasync(self.fd)
        self._target.keep_names()
        self._durable = self.length

    def complete(self, umask: int) -> None:
        """Ready for its final name, but for being durable. Raises OSError."""
        self._end_syncer()
        if not self._is_small:
            os.ftruncate(self.fd, self.size)
        offered = self._offered
        set_facts(self.fd, offered.executable, offered.modified_ms, umask, time.time_ns())

    def _end_syncer(self) -> None:
        syncer, self._syncer = self._syncer, None
        if syncer is not None:
            syncer.abandon()
            self._durable = syncer.durable
            if syncer.error is not None:
                raise syncer.error

    def close(self) -> None:
        """What is written stays for the next time."""
        if self._syncer is not None:
            self._syncer.abandon()
            self._syncer = None
        os.close(self.fd)

    def _hash_prefix(self) -> None:
        buffer = memoryview(bytearray(min(HASH_CHUNK_BYTES, self.length)))
        offset = 0
        while offset < self.length:
            got = os.preadv(self.fd, [buffer[: self.length - offset]], offset)
            self.hasher.update(buffer[:got])
            offset += got
