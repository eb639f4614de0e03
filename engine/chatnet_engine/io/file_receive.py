"""A job that receives: opens records, hashes and writes, one thread; others make the bytes of a
large file and complete files durable meanwhile, so that the disk's slowness does not stop the
stream.
"""

import contextlib
import os
import threading
import time
from collections.abc import Callable

import blake3

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.incoming import IncomingFiles, Step
from chatnet_engine.io.file_channel import ConnectionCut, FileChannel
from chatnet_engine.io.file_finish import CompleteFile, Finisher
from chatnet_engine.io.file_folder import Allocation, Folder, FolderError, problem
from chatnet_engine.io.file_target import Target, set_facts
from chatnet_protocol.errors import DecodeError, RemoteProtocolError
from chatnet_protocol.ipc.offer import OfferedFile, decode_offer
from chatnet_protocol.wire.file_records import Position, RecordType, encode_body

REPORT_EVERY_S = 0.2
SYNC_EVERY_S = 0.25
UNSYNCED_BYTES = 4 * 1024 * 1024
"""A smaller file that arrives quickly is made durable when it is complete, without a thread."""
SILENT_AFTER_S = 60.0
"""A sender that hashes a long prefix is silent for a while; one that is silent longer is gone."""
HASH_CHUNK_BYTES = 1024 * 1024
FOLDER_MODE = 0o777
"""Of received folders, but for what the user's umask takes away."""


class Mismatch(Exception):
    """A file arrived other than it was read."""


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
        self.length = 0
        self._durable = 0
        self.hasher = blake3.blake3()
        self._syncer: Syncer | None = None
        self._sync_from_s = 0.0
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
        os.ftruncate(self.fd, length)
        self.length = length
        self._durable = length
        self.hasher = blake3.blake3()
        self._hash_prefix()
        self._syncer = None
        self._sync_from_s = time.monotonic() + SYNC_EVERY_S
        self._allocation = Allocation(self.fd, self.size, length)

    def append(self, bodies: list[memoryview]) -> None:
        """Write and hash the next bytes. Raises OSError."""
        assert self._allocation is not None
        total = sum(len(body) for body in bodies)
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


class ReceiveJob:
    """`report` may be called from this thread."""

    def __init__(
        self,
        request: pw.Receive,
        channel: FileChannel,
        report: Callable[[pw.Report], None],
        umask: int,
    ) -> None:
        self._request = request
        self._channel = channel
        self._report = report
        self._umask = umask
        self._file: PartialFile | None = None
        self._offer = decode_offer(request.offer)
        self._sizes = [file.size_bytes for file in self._offer.files]
        self._before = sum(self._sizes[: request.index])
        self._report_due_s = 0.0
        self._stalled = False
        self._position = Position(request.index, request.offset)
        self._reported: Position | None = None
        """Newest position reported to the sender."""

    def run(self) -> pw.Ended:
        """Receive everything that is missing."""
        request = self._request
        try:
            folder = Folder(request.folder, FOLDER_MODE & ~self._umask)
        except FolderError as error:
            return self._folder_failed(error)
        self._target = Target(folder, request.id, self._offer, request.things)
        self._finisher = Finisher(self._target.keep_names, self._complete, self._report)
        try:
            self._receive(folder)
        except FolderError as error:
            return self._folder_failed(error)
        except OSError as error:
            return self._folder_failed(problem(error, request.folder))
        except Mismatch:
            return pw.Ended(request.job, pw.Outcome.MISMATCH)
        except (ConnectionCut, DecodeError, RemoteProtocolError) as error:
            self._keep()
            return pw.Ended(request.job, pw.Outcome.LOST, str(error))
        finally:
            with contextlib.suppress(OSError, FolderError):
                self._finisher.finish()
            self._finisher.close()
            if self._file is not None:
                self._file.close()
            self._target.close()
            folder.close()
        return pw.Ended(request.job, pw.Outcome.MOVED)

    def _receive(self, folder: Folder) -> None:
        folder.sweep()
        start = self._find_start()
        if start.index < len(self._sizes):
            folder.need(sum(self._sizes[start.index :]) - start.offset)
        for report in self._target.complete(self._request.job, start.index):
            self._report(report)
        self._incoming = IncomingFiles(self._sizes, start)
        self._channel.send(RecordType.START, encode_body(start))
        if self._file is not None and start.offset:
            self._file.resume(start.offset)
        last_received_s = time.monotonic()
        while not self._channel.ended:
            records = self._channel.receive(REPORT_EVERY_S)
            if records:
                last_received_s = time.monotonic()
                self._stalled = False
                self._handle_batch(records)
            else:
                self._handle_silence(time.monotonic() - last_received_s)
            self._now_and_then()
        self._finisher.finish()
        # Everything is here, whether the sender hears of it now or on the link.
        with contextlib.suppress(ConnectionCut):
            self._channel.send(RecordType.END)

    def _handle_silence(self, silent_s: float) -> None:
        if silent_s > SILENT_AFTER_S:
            raise ConnectionCut("the sender is silent")
        if silent_s > pw.STALLED_S and not self._stalled:
            self._stalled = True
            self._report(pw.Stalled(self._request.job, pw.Wait.SENDER))

    def _find_start(self) -> Position:
        """Where to go on: what has disappeared since has to come again."""
        request = self._request
        index, offset = self._target.first_missing(request.index), request.offset
        if index != request.index:
            offset = 0
            self._before = sum(self._sizes[:index])
        self._position = Position(index, offset)
        if index < len(self._sizes):
            self._open(index)
            assert self._file is not None
            if not self._file.has(offset):
                self._position = Position(index, 0)
        return self._position

    def _handle_batch(self, records: list[tuple[int, memoryview]]) -> None:
        bodies: list[memoryview] = []
        for record_type, body in records:
            step = self._incoming.handle(record_type, body)
            if step is Step.WRITE:
                bodies.append(body)
                continue
            self._flush(bodies)
            match step:
                case Step.BEGIN:
                    self._begin(self._incoming.offset)
                case Step.OVER:
                    self._begin(0)
                case Step.CHECK:
                    self._finish_file(bytes(body))
                case Step.FINISH:
                    pass  # `END` is handled by the caller
        self._flush(bodies)

    def _flush(self, bodies: list[memoryview]) -> None:
        if bodies:
            assert self._file is not None
            self._file.append(bodies)

    def _open(self, index: int) -> None:
        self._file = PartialFile(self._target, index, self._offer.files[index])

    def _begin(self, offset: int) -> None:
        if self._file is None:
            self._open(self._incoming.index)
        assert self._file is not None
        if offset == 0 or self._file.length != offset:
            self._file.resume(offset)

    def _finish_file(self, digest: bytes) -> None:
        index = self._incoming.index - 1
        file = self._file
        assert file is not None
        if file.hasher.digest() != digest:
            raise Mismatch
        file.complete(self._umask)
        self._file = None
        self._before += file.size
        self._finisher.add(CompleteFile(index, file.fd, file.durable))

    def _complete(self, file: CompleteFile) -> list[pw.Report]:
        """It is durable. Called from the finisher's thread."""
        job = self._request.job
        complete = self._target.complete(job, file.index + 1)
        return [pw.FileComplete(job, file.index), *complete]

    def _now_and_then(self) -> None:
        now_s = time.monotonic()
        if now_s >= self._report_due_s and not self._channel.ended:
            self._report_due_s = now_s + REPORT_EVERY_S
            self._tell()
            if self._file is not None:
                self._file.keep_up()
            self._finisher.with_oldest(self._note_position)
            position = self._position
            if position == self._reported:
                return
            self._reported = position
            # Who cannot hear any more may still have sent something.
            with contextlib.suppress(ConnectionCut):
                self._channel.send(RecordType.VERIFIED, encode_body(position))

    def _note_position(self, oldest: CompleteFile | None) -> None:
        """Everything before it is durable."""
        durable = self._file.durable if self._file else 0
        here = Position(self._incoming.index, durable)
        self._position = here if oldest is None else Position(oldest.index, oldest.durable)

    def _tell(self) -> None:
        self._finisher.with_oldest(self._tell_with)

    def _tell_with(self, oldest: CompleteFile | None) -> None:
        if self._file is None and oldest is None:
            return
        self._note_position(oldest)
        at = self._position
        moved = self._before + (self._file.length if self._file else 0)
        self._report(pw.Progress(self._request.job, at.index, at.offset, moved))

    def _keep(self) -> None:
        """The connection is gone: what has arrived shall not have to come again."""
        with contextlib.suppress(OSError, FolderError):
            self._finisher.finish()
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            self._file.sync()
        self._tell()

    def _folder_failed(self, error: FolderError) -> pw.Ended:
        outcome = pw.Outcome.FULL if error.full else pw.Outcome.TARGET
        return pw.Ended(self._request.job, outcome, error.sentence)
