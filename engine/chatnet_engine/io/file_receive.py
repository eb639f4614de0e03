"""A job that receives: opens records, hashes and writes, one thread; others make the bytes of a
large file and complete files durable meanwhile, so that the disk's slowness does not stop the
stream.
"""

import contextlib
import logging
import time
from collections.abc import Callable

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.file_set import FileSet
from chatnet_engine.files.incoming import IncomingFiles, Step, skips
from chatnet_engine.io.file_channel import ConnectionCut, FileChannel
from chatnet_engine.io.file_finish import CompleteFile, Finisher
from chatnet_engine.io.file_folder import FOLDER_MODE, Folder, FolderError, problem
from chatnet_engine.io.file_partial import PartialFile
from chatnet_engine.io.file_target import Target
from chatnet_protocol.errors import DecodeError, RemoteProtocolError
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.reasons import TransferReason
from chatnet_protocol.wire.file_records import (
    DIGEST_BYTES,
    Position,
    RecordType,
    Skip,
    encode_body,
)

REPORT_EVERY_S = 0.2
SILENT_AFTER_S = 60.0
"""A sender that hashes a long prefix is silent for a while; one that is silent longer is gone."""


class Mismatch(Exception):
    """A file arrived other than it was read."""


class ReceiveJob:
    """`report` may be called from this thread."""

    def __init__(
        self,
        request: pw.Receive,
        channel: FileChannel,
        report: Callable[[pw.Report], None],
        umask: int,
        listings: str = "",
    ) -> None:
        """`listings`: the folder of manifests."""
        self._listings = listings
        self._request = request
        self._channel = channel
        self._report = report
        self._umask = umask
        self._file: PartialFile | None = None
        self._offer = decode_offer(request.offer)
        self._have = FileSet(request.have)
        """Files that need not be sent."""
        self._before = 0
        """Bytes of the files before the one under way."""
        self._summed = (0, 0)
        """So many files, and their bytes: as far as they are durable."""
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
        digests = [
            request.digests[at : at + DIGEST_BYTES]
            for at in range(0, len(request.digests), DIGEST_BYTES)
        ]
        known = dict(zip(self._have, digests, strict=True)) if digests else {}
        self._target = Target(
            *(folder, request.id, self._offer, request.things, known), manifests=self._listings
        )
        self._sizes = self._target.sizes
        self._finisher = Finisher(self._target.keep_names, self._complete, self._report)
        try:
            if not self._receive(folder):
                return pw.Ended(request.job, pw.Outcome.UNLISTED)
        except FolderError as error:
            return self._folder_failed(error)
        except OSError as error:
            return self._folder_failed(problem(error, request.folder))
        except Mismatch:
            return pw.Ended(request.job, pw.Outcome.MISMATCH)
        except (ConnectionCut, DecodeError, RemoteProtocolError) as error:
            self._keep()
            logging.debug("file job %d lost its connection: %s", request.job, error)
            return pw.Ended(request.job, pw.Outcome.LOST)
        finally:
            with contextlib.suppress(OSError, FolderError):
                self._finisher.finish()
            self._finisher.close()
            if self._file is not None:
                self._file.close()
            self._target.close()
            folder.close()
        outcome = pw.Outcome.LISTED if request.listing_only else pw.Outcome.MOVED
        return pw.Ended(request.job, outcome)

    def _receive(self, folder: Folder) -> bool:
        """False if the listing is not here, without which it is not clear what else is."""
        folder.sweep()
        start = self._find_start()
        listing_bytes = self._offer.listing.size_bytes if self._offer.listing else 0
        if self._request.listing_only:
            folder.need(listing_bytes - start.offset)
            self._receive_listing(start)
            return True
        if self._have and not self._target.is_listed:
            return False
        total = self._offer.size_bytes + listing_bytes
        if start.index < self._target.count:
            here = sum(self._sizes[index] for index in self._have if index >= start.index)
            folder.need(total - self._before - here - start.offset)
        self._report_complete(start.index)
        self._incoming = IncomingFiles(self._sizes, start, self._target.count, self._have)
        for skip in skips(self._have, start.index):
            self._channel.queue(RecordType.SKIP, encode_body(skip))
        self._receive_from(start)
        self._finisher.finish()
        # Everything is here, whether the sender hears of it now or on the link.
        with contextlib.suppress(ConnectionCut):
            self._channel.send(RecordType.END)
        return True

    def _receive_listing(self, start: Position) -> None:
        """It alone: what else is wanted shows when it is here."""
        if start.index:
            return
        self._incoming = IncomingFiles(self._sizes, start, 1)
        if self._target.count > 1:
            skip = Skip(1, self._target.count - 1)
            self._channel.queue(RecordType.SKIP, encode_body(skip))
        self._receive_from(start)

    def _receive_from(self, start: Position) -> None:
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

    def _handle_silence(self, silent_s: float) -> None:
        if silent_s > SILENT_AFTER_S:
            raise ConnectionCut("the sender is silent")
        if silent_s > pw.STALLED_S and not self._stalled:
            self._stalled = True
            self._report(pw.Stalled(self._request.job, TransferReason.SENDER_SILENT))

    def _find_start(self) -> Position:
        """Where to go on: what has disappeared since has to come again."""
        request = self._request
        end, offset = request.index, request.offset
        if end < self._target.first and self._target.read_listing():
            end = self._target.first  # it came with a job that did not get to report it
        index = self._target.first_missing(end)
        index = self._have.next_missing(index)
        if index != request.index:
            offset = 0
        self._before = sum(self._sizes[:index])
        self._position = Position(index, offset)
        if index < self._target.count:
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
        self._file = PartialFile(self._target, index, self._target.offered(index))

    def _begin(self, offset: int) -> None:
        if self._file is None:
            self._open(self._incoming.index)
        assert self._file is not None
        if offset == 0 or self._file.length != offset:
            self._file.resume(offset)

    def _finish_file(self, digest: bytes) -> None:
        index = self._incoming.finished
        file = self._file
        assert file is not None
        if file.hasher.digest() != digest:
            raise Mismatch
        if index < self._target.first:
            self._finish_listing(file)
            return
        file.complete(self._umask)
        self._file = None
        self._before += sum(self._sizes[index : self._incoming.index])
        self._target.note_digest(index, digest)
        self._finisher.add(CompleteFile(index, file.fd, file.durable))

    def _finish_listing(self, file: PartialFile) -> None:
        """It is here: what is in it can follow."""
        assert self._offer.listing is not None
        if file.hasher.digest() != self._offer.listing.digest:
            raise Mismatch
        file.sync()
        file.close()
        self._file = None
        self._before += file.size
        if not self._target.read_listing():
            raise FolderError(TransferReason.LIST_LOST, full=True)
        self._report(pw.FileComplete(self._request.job, 0))
        if not self._request.listing_only:
            self._report_complete(1)

    def _report_complete(self, files: int) -> None:
        for report in self._target.complete(self._request.job, files):
            self._report(report)

    def _complete(self, file: CompleteFile) -> list[pw.Report]:
        """It is durable. Called from the finisher's thread."""
        job, files = self._request.job, self._have.next_missing(file.index + 1)
        return [pw.FileComplete(job, files - 1), *self._target.complete(job, files)]

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
        listing_bytes = self._sizes[0] if self._target.first else 0
        moved = max(0, self._before + (self._file.length if self._file else 0) - listing_bytes)
        done = max(0, self._bytes_before(at.index) + at.offset - listing_bytes)
        self._report(pw.Progress(self._request.job, at.index, at.offset, moved, done))

    def _bytes_before(self, index: int) -> int:
        files, summed = self._summed if self._summed[0] <= index else (0, 0)
        summed += sum(self._sizes[files:index])
        self._summed = index, summed
        return summed

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
        return pw.Ended(self._request.job, outcome, error.why)
