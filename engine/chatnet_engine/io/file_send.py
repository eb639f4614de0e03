"""A job that sends: reads files, hashes, seals and sends them, one thread from start to end."""

import contextlib
import logging
import os
import stat
import time
from collections.abc import Callable

import blake3

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.file_set import FileSet
from chatnet_engine.files.names import shown
from chatnet_engine.files.records import AEAD_TAG_BYTES
from chatnet_engine.io.file_channel import ConnectionCut, FileChannel
from chatnet_engine.io.file_sources import Source, SourceError, sources_of
from chatnet_protocol.errors import DecodeError, RemoteProtocolError
from chatnet_protocol.ipc.reasons import TransferReason
from chatnet_protocol.limits import FILE_RECORD_BYTES
from chatnet_protocol.wire.file_records import (
    LENGTH_BYTES,
    MAX_RECORDS,
    TYPE_BYTES,
    FileHeader,
    Position,
    RecordType,
    decode_position,
    decode_skip,
    encode_body,
)

logger = logging.getLogger(__name__)

BATCH_RECORDS = 8
"""Read, hashed, sealed and sent together: half a MiB stays in the processor's cache."""
SMALL_BYTES = 16 * 1024
"""So much, or less, is sent together with what comes before and after it."""
START_WITHIN_S = 60.0
"""The receiver looks for what it has: of a million files, for some seconds."""
END_WITHIN_S = 600.0
"""The receiver still has to write and verify what it got."""
REPORT_EVERY_S = 0.2
NO_START = "a receiver starts with where to start"
MAX_RESTARTS = 3
"""Of one file that is written to while it is sent."""
HASH_CHUNK_BYTES = 1024 * 1024


class SendJob:
    """`report` may be called from this thread."""

    def __init__(
        self,
        request: pw.Send,
        channel: FileChannel,
        report: Callable[[pw.Report], None],
        listings: str = "",
    ) -> None:
        """`listings`: the folder of the listings of own offers."""
        self._listings = listings
        self._job = request.job
        self._request = request
        self._channel = channel
        self._report = report
        self._plain = [bytearray(TYPE_BYTES + FILE_RECORD_BYTES) for _ in range(BATCH_RECORDS)]
        self._bodies = [memoryview(plain)[TYPE_BYTES:] for plain in self._plain]
        self._sealed = [
            memoryview(bytearray(LENGTH_BYTES + TYPE_BYTES + FILE_RECORD_BYTES + AEAD_TAG_BYTES))
            for _ in range(BATCH_RECORDS)
        ]
        self._verified = Position(0, 0)
        self._skipped = FileSet()
        """Files that the receiver has already."""
        self._before = 0
        """Bytes of all files before the present one."""
        self._summed = (0, 0)
        """So many files, and their bytes: as far as the receiver has verified them."""
        self._report_due_s = 0.0

    def run(self) -> pw.Ended:
        """Send everything from where the receiver wants it."""
        try:
            with contextlib.closing(sources_of(self._request, self._listings)) as sources:
                self._sources = sources
                self._wanted_end = len(sources.sizes)
                start = self._read_start()
                self._before = sum(sources.sizes[: start.index])
                for index in range(start.index, self._wanted_end):
                    if index not in self._skipped:
                        self._send_file(index, start.offset if index == start.index else 0)
                    self._before += sources.sizes[index]
                self._channel.send(RecordType.END)
                self._wait_for_end()
        except SourceError as error:
            with contextlib.suppress(ConnectionCut):
                self._channel.flush()
            return pw.Ended(self._job, pw.Outcome.SOURCE, error.why)
        except (ConnectionCut, DecodeError, RemoteProtocolError) as error:
            logger.debug("file job %d lost its connection: %s", self._job, error)
            return pw.Ended(self._job, pw.Outcome.LOST)
        return pw.Ended(self._job, pw.Outcome.MOVED)

    def _read_start(self) -> Position:
        start = self._read_skips()
        sizes = self._sources.sizes
        beyond = start.index == len(sizes) and start.offset > 0
        if start.index > len(sizes) or beyond:
            raise RemoteProtocolError("a start beyond the last file")
        if start.index < len(sizes) and start.offset > sizes[start.index]:
            raise RemoteProtocolError("a start beyond the end of the file")
        self._verified = start
        return start

    def _read_skips(self) -> Position:
        """Note what the receiver has already, up to where it starts."""
        deadline_s = time.monotonic() + START_WITHIN_S
        end = 0
        while records := self._channel.receive(deadline_s - time.monotonic()):
            for number, (record_type, body) in enumerate(records):
                if record_type == RecordType.START:
                    start = decode_position(bytes(body))
                    # The receiver does not wait for a sender that reads a long listing first.
                    for later_type, later in records[number + 1 :]:
                        self._handle(later_type, later)
                    return start
                if record_type != RecordType.SKIP:
                    raise RemoteProtocolError(NO_START)
                skip = decode_skip(bytes(body))
                if skip.index < end or skip.index + skip.count > len(self._sources.sizes):
                    raise RemoteProtocolError("a receiver skips files in order, of those offered")
                end = skip.index + skip.count
                if end == len(self._sources.sizes):  # nothing after the others moves
                    self._wanted_end = skip.index
                self._skipped.add(skip.index, skip.count)
        raise RemoteProtocolError(NO_START)

    def _send_file(self, index: int, offset: int) -> None:
        file = self._sources.source(index)
        path = file.path
        fd = _open(path)
        try:
            modified_ns = _check(fd, path, file)
            if modified_ns != file.modified_ns:
                offset = 0
                self._changed(path, index, modified_ns)
            for _ in range(MAX_RESTARTS):
                digest = self._stream(fd, path, index, offset)
                now_ns = _check(fd, path, file)
                if now_ns == modified_ns:
                    self._channel.queue(RecordType.FILE_END, digest)
                    return
                modified_ns, offset = now_ns, 0
                self._changed(path, index, modified_ns)
        finally:
            os.close(fd)
        raise SourceError(TransferReason.FILE_CHANGING, shown(path))

    def _changed(self, path: str, index: int, modified_ns: int) -> None:
        if self._request.unchanged:
            raise SourceError(TransferReason.FILE_CHANGED, shown(path))
        self._report(pw.SourceChanged(self._job, index, modified_ns))

    def _stream(self, fd: int, path: str, index: int, offset: int) -> bytes:
        """The file from `offset` on; the digest of all of it."""
        self._channel.queue(RecordType.FILE, encode_body(FileHeader(index, offset)))
        size = self._sources.sizes[index]
        hasher = blake3.blake3()
        _hash_prefix(fd, path, offset, hasher)
        while offset < size:
            got = _read(fd, path, self._bodies, offset, size - offset)
            if got <= SMALL_BYTES:
                self._need_records()
                hasher.update(self._bodies[0][:got])
                self._channel.queue(RecordType.DATA, self._bodies[0][:got])
            else:
                self._channel.send_sealed(self._seal(got, hasher))
            offset += got
            self._look_up(offset)
        digest: bytes = hasher.digest()
        return digest

    def _seal(self, size: int, hasher: "blake3.blake3") -> list[memoryview]:
        self._need_records()
        sealer = self._channel.sealer
        sealed: list[memoryview] = []
        for plain, body, out in zip(self._plain, self._bodies, self._sealed, strict=True):
            length = min(size, FILE_RECORD_BYTES)
            if length == 0:
                break
            hasher.update(body[:length])
            end = sealer.seal_into(memoryview(plain)[: TYPE_BYTES + length], out)
            sealed.append(out[:end])
            size -= length
        return sealed

    def _need_records(self) -> None:
        if self._channel.sealer.sealed + 2 * BATCH_RECORDS > MAX_RECORDS:
            raise ConnectionCut("the keys of this connection are spent")

    def _look_up(self, offset: int) -> None:
        """Now and then: read the receiver's records, report progress to the engine."""
        now_s = time.monotonic()
        if now_s < self._report_due_s:
            return
        self._report_due_s = now_s + REPORT_EVERY_S
        self._channel.flush()
        while records := self._channel.receive(0):
            for record_type, body in records:
                self._handle(record_type, body)
        self._tell(self._before + offset)

    def _wait_for_end(self) -> None:
        self._tell(self._before)
        deadline_s = time.monotonic() + END_WITHIN_S
        while not self._channel.ended:
            records = self._channel.receive(deadline_s - time.monotonic())
            if not records:
                raise ConnectionCut("the receiver does not finish")
            for record_type, body in records:
                if record_type != RecordType.END:
                    self._handle(record_type, body)
        self._verified = Position(len(self._sources.sizes), 0)
        self._tell(self._before)

    def _handle(self, record_type: int, body: memoryview) -> None:
        if record_type != RecordType.VERIFIED:
            raise RemoteProtocolError("a record that only a sender may send")
        self._verified = decode_position(bytes(body))

    def _tell(self, moved_bytes: int) -> None:
        sizes, at = self._sources.sizes, self._verified
        index = min(at.index, len(sizes))
        listing_bytes = sizes[0] if self._request.listing else 0
        files, summed = self._summed if self._summed[0] <= index else (0, 0)
        summed += sum(sizes[files:index])
        self._summed = index, summed
        moved, done = moved_bytes - listing_bytes, summed + at.offset - listing_bytes
        self._report(pw.Progress(self._job, index, at.offset, max(0, moved), max(0, done)))


def _open(path: str) -> int:
    """Never waits for a pipe, never takes over a terminal."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _check(fd: int, path: str, file: Source) -> int:
    """When the file was last written to. Raises SourceError when it is another one."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise SourceError(TransferReason.FILE_IRREGULAR, shown(path))
    if found.st_size != file.size_bytes:
        raise SourceError(TransferReason.FILE_CHANGED, shown(path))
    return found.st_mtime_ns - found.st_mtime_ns % file.precision_ns


def _read(fd: int, path: str, bodies: list[memoryview], offset: int, left: int) -> int:
    """Fill the bodies from `offset`; full but for the end of the file."""
    wanted = min(left, BATCH_RECORDS * FILE_RECORD_BYTES)
    if wanted <= SMALL_BYTES:
        bodies = bodies[:1]
    try:
        got = os.preadv(fd, bodies, offset)
        while 0 < got < wanted:
            first, within = divmod(got, FILE_RECORD_BYTES)
            rest = [bodies[first][within:], *bodies[first + 1 :]]
            more = os.preadv(fd, rest, offset + got)
            if more == 0:
                break
            got += more
    except OSError as error:
        raise _unreadable(path, error) from None
    if got < wanted:
        raise SourceError(TransferReason.FILE_CHANGED, shown(path))
    return wanted


def _hash_prefix(fd: int, path: str, size: int, hasher: "blake3.blake3") -> None:
    buffer = memoryview(bytearray(min(HASH_CHUNK_BYTES, size)))
    offset = 0
    while offset < size:
        try:
            got = os.preadv(fd, [buffer[: size - offset]], offset)
        except OSError as error:
            raise _unreadable(path, error) from None
        if got == 0:
            raise SourceError(TransferReason.FILE_CHANGED, shown(path))
        hasher.update(buffer[:got])
        offset += got


def _unreadable(path: str, error: Exception) -> SourceError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "not a valid path"
    return SourceError(TransferReason.FILE_UNREADABLE, shown(path), why.lower())
