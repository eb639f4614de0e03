"""A job that prepares an update: what the new folder has in common with the earlier one is taken
from there, so that only the rest has to be sent.

A file is taken that had the same size and time of change when the earlier folder was offered; what
is copied has to have the digest that was stored with it. The earlier folder is read as a whole, and
only if everything in it is as it came is it to be replaced. Memory takes 8 bytes a file, for the
hashes of the earlier paths, and as much as a listing does (`files.listing`).
"""

import contextlib
import fcntl
import os
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator

import blake3

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.contents import Contents, InlineContents
from chatnet_engine.files.file_set import FileSet
from chatnet_engine.files.names import until_name
from chatnet_engine.files.update_wire import EarlierFolder
from chatnet_engine.io.file_finish import CompleteFile, Finisher
from chatnet_engine.io.file_folder import FOLDER_MODE, Folder, FolderError, problem
from chatnet_engine.io.file_manifest import Manifest
from chatnet_engine.io.file_state import State
from chatnet_engine.io.file_target import Target, set_facts
from chatnet_engine.io.file_tree import FOLDER, FileTree
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import Offer, OfferedFile, decode_offer
from chatnet_protocol.ipc.reasons import UpdateReason
from chatnet_protocol.limits import MAX_LISTED_FILES
from chatnet_protocol.wire.file_records import DIGEST_BYTES

FICLONE = 0x40049409
"""linux/fs.h: share the blocks of another file, on file systems that can."""
CHUNK_BYTES = 1024 * 1024
REPORT_EVERY_S = 1.0
INDEX_BITS = MAX_LISTED_FILES.bit_length()
HASH_MASK = (1 << 63 - INDEX_BITS) - 1
"""A hash of a path and the number of its file share 8 bytes."""


class Stopped(Exception):
    """Nobody waits for the result any more."""


class Unreadable(Exception):
    """A file that came earlier cannot be read any more."""


class PrepareJob:
    """`is_stopped` is asked between two pieces of work, `report` called from this thread."""

    def __init__(
        self,
        request: pw.Prepare,
        umask: int,
        is_stopped: Callable[[], bool] = lambda: False,
        manifests: str = "",
        report: Callable[[pw.Report], None] = lambda report: None,
    ) -> None:
        """`manifests`: their folder."""
        self._report = report
        self._report_due_s = 0.0
        self._compared_files = self._compared_bytes = 0
        """Of the earlier folder."""
        self._of = 0, 0
        """All its files, and their bytes."""
        self._request = request
        self._offer = decode_offer(request.offer)
        self._umask = umask
        self._is_stopped = is_stopped
        self._manifests = manifests
        self._buffer = memoryview(bytearray(CHUNK_BYTES))
        self._have = FileSet()
        self._digests = bytearray()
        """Of those, unless a manifest has them."""
        self._is_changed = False

    def run(self) -> pw.Prepared | pw.Ended:
        """Copy, and look at everything in the earlier folder."""
        request = self._request
        try:
            earlier_fd = self._open_earlier()
        except OSError:
            return self._prepared(b"", UpdateReason.MOVED)
        try:
            folder = Folder(request.folder, FOLDER_MODE & ~self._umask)
            with contextlib.closing(folder):
                return self._run(folder, earlier_fd)
        except Stopped:
            return pw.Ended(request.job, pw.Outcome.LOST)
        except FolderError as error:
            return self._failed(error)
        except OSError as error:
            return self._failed(problem(error, request.folder))
        finally:
            os.close(earlier_fd)

    def _open_earlier(self) -> int:
        """Raises OSError when it is not where it was."""
        earlier = self._request.earlier
        parent_fd = os.open(self._request.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fd = os.open(earlier.name, FOLDER, dir_fd=parent_fd)
        finally:
            os.close(parent_fd)
        if os.fstat(fd).st_ino != earlier.inode:
            os.close(fd)
            raise FileNotFoundError
        return fd

    def _run(self, folder: Folder, earlier_fd: int) -> pw.Prepared | pw.Ended:
        request = self._request
        target = Target(folder, request.id, self._offer, 0, manifests=self._manifests)
        with contextlib.closing(target):
            if not target.read_listing():
                return pw.Ended(request.job, pw.Outcome.UNLISTED)
            try:
                opened = EarlierFiles(earlier_fd, request.earlier, target, self._manifests)
            except (OSError, DecodeError):
                return self._prepared(b"", UpdateReason.NOT_KNOWN)
            with contextlib.closing(opened) as earlier:
                return self._compare(folder, target, earlier, earlier_fd)

    def _compare(
        self, folder: Folder, target: Target, earlier: "EarlierFiles", earlier_fd: int
    ) -> pw.Prepared:
        self._of = earlier.count, earlier.size_bytes
        before = _state_of(earlier_fd)
        folder.need(self._offer.size_bytes - folder.size_of_tree(self._request.id, 0))
        finisher = Finisher(target.keep_names, lambda file: [], lambda report: None)
        try:
            for index in range(target.first, target.count):
                self._take(target, index, earlier, finisher)
            finisher.finish()
        finally:
            finisher.close()
        self._check_rest(earlier)
        folder.keep_partials()
        after = _state_of(earlier_fd)
        if self._is_changed or before is None or after is None or not earlier.is_all(after):
            return self._prepared(b"", UpdateReason.CHANGED)
        if before.fingerprint != after.fingerprint:
            return self._prepared(b"", UpdateReason.CHANGED)
        return self._prepared(after.fingerprint, None)

    def _take(
        self, target: Target, index: int, earlier: "EarlierFiles", finisher: Finisher
    ) -> None:
        """Have this file from the earlier folder, if it is the same."""
        if self._is_stopped():
            raise Stopped
        file = target.offered(index)
        found = earlier.take(target.offered_path(index), file)
        if found is None:
            return
        with contextlib.ExitStack() as opened:
            try:
                source_fd = earlier.open(found)
            except OSError:
                self._is_changed = True
                return
            opened.callback(os.close, source_fd)
            digest = earlier.digest(found)
            is_there = target.size_of(index) == file.size_bytes
            fd = target.open(index)
            opened.callback(os.close, fd)
            is_same = self._is_same(source_fd, fd, digest, is_there=is_there)
            self._compared(file.size_bytes)
            if not is_same:
                self._is_changed = True
                target.remove(index)
                return
            set_facts(fd, file.executable, file.modified_ms, self._umask, time.time_ns())
            finisher.add(CompleteFile(index, os.dup(fd), file.size_bytes))
        self._have.add(index)
        target.note_digest(index, digest)
        if self._offer.listing is None:
            self._digests += digest

    def _is_same(self, source_fd: int, fd: int, digest: bytes, *, is_there: bool) -> bool:
        """Whether the partial file is what came earlier, now."""
        try:
            if is_there and self._digest(fd) == digest:
                self._is_changed = self._is_changed or self._digest(source_fd) != digest
                return True
            return self._copy(source_fd, fd) == digest
        except Unreadable:
            return False

    def _check_rest(self, earlier: "EarlierFiles") -> None:
        """What is not taken has to be as it came as well, if it is to be replaced."""
        try:
            for index in earlier.rest():
                if self._is_changed:
                    return
                fd = earlier.open(index)
                try:
                    self._is_changed = self._digest(fd) != earlier.digest(index)
                    self._compared(os.fstat(fd).st_size)
                finally:
                    os.close(fd)
            earlier.need_folders()
        except (OSError, Unreadable):
            self._is_changed = True

    def _copy(self, source_fd: int, fd: int) -> bytes:
        """All of the file; its digest."""
        os.ftruncate(fd, 0)
        try:
            fcntl.ioctl(fd, FICLONE, source_fd)
        except OSError:
            return self._digest(source_fd, fd)
        return self._digest(fd)

    def _digest(self, fd: int, copy_fd: int = -1) -> bytes:
        hasher = blake3.blake3()
        offset = 0
        while got := self._read(fd, offset):
            if self._is_stopped():
                raise Stopped
            chunk = self._buffer[:got]
            hasher.update(chunk)
            while copy_fd >= 0 and chunk:
                written = os.pwrite(copy_fd, chunk, offset + got - len(chunk))
                chunk = chunk[written:]
            offset += got
            if got == CHUNK_BYTES:
                self._tell(offset)
        digest: bytes = hasher.digest()
        return digest

    def _compared(self, size_bytes: int) -> None:
        """One more file of the earlier folder."""
        self._compared_files += 1
        self._compared_bytes += size_bytes
        self._tell(0)

    def _tell(self, further_bytes: int) -> None:
        now_s = time.monotonic()
        if now_s >= self._report_due_s:
            self._report_due_s = now_s + REPORT_EVERY_S
            size_bytes = min(self._of[1], self._compared_bytes + further_bytes)
            done = self._compared_files, self._of[0], size_bytes, self._of[1]
            self._report(pw.Comparing(self._request.job, *done))

    def _read(self, fd: int, offset: int) -> int:
        try:
            return os.preadv(fd, [self._buffer], offset)
        except OSError:
            raise Unreadable from None

    def _prepared(self, state: bytes, why: UpdateReason | None) -> pw.Prepared:
        until = until_name(self._request.earlier.name, time.strftime("%Y-%m-%d"))
        reason = why.value if why else ""
        have, digests = self._have.to_bytes(), bytes(self._digests)
        return pw.Prepared(self._request.job, have, digests, state, until, reason)

    def _failed(self, error: FolderError) -> pw.Ended:
        outcome = pw.Outcome.FULL if error.full else pw.Outcome.TARGET
        return pw.Ended(self._request.job, outcome, error.why)


class EarlierFiles:
    """What came with the earlier folder. `close` it. Files are numbered as in its offer."""

    def __init__(self, fd: int, earlier: EarlierFolder, target: Target, manifests: str) -> None:
        """`target`: a folder on the same disk, which tells what names are like there. Raises
        OSError and DecodeError where there is no manifest."""
        offer = decode_offer(earlier.offer)
        self.count = offer.file_count
        self.size_bytes = offer.size_bytes
        self._digests = earlier.digests
        self._taken = FileSet()
        self._manifest: Manifest | None = None
        self._contents: Contents
        self._tree = FileTree(os.dup(fd), 0)
        try:
            if offer.listing is None:
                self._contents = InlineContents(offer)
            else:
                self._manifest = Manifest(manifests, earlier.id, offer)
                self._contents = self._manifest.contents
            self._contents.prepare(0, lambda: target.probe(0))
            self._by_path = array("q", sorted(self._keys()))
        except BaseException:
            self.close()
            raise
        self._folders = self._count_folders(offer)

    def close(self) -> None:
        """Nothing is read any more."""
        self._tree.close()
        if self._manifest is not None:
            self._manifest.close()

    def take(self, path: list[str], file: OfferedFile) -> int | None:
        """The same file, if it has neither another size nor another time; once."""
        if not file.modified_ms:
            return None
        key = _hash_of(path) << INDEX_BITS
        for at in range(bisect_left(self._by_path, key), len(self._by_path)):
            index = self._by_path[at] - key
            if index >> INDEX_BITS:
                break
            if index not in self._taken and self._contents.offered_path(index) == path:
                known = self._contents.offered(index)
                if (known.size_bytes, known.modified_ms) != (file.size_bytes, file.modified_ms):
                    return None
                self._taken.add(index)
                return index
        return None

    def digest(self, index: int) -> bytes:
        """As it came. Raises OSError."""
        if self._manifest is not None:
            return self._manifest.digest(index)
        return self._digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]

    def rest(self) -> Iterator[int]:
        """Those that were not taken."""
        return (index for index in range(self.count) if index not in self._taken)

    def open(self, index: int) -> int:
        """Descriptor of one. Raises OSError."""
        return self._tree.open_to_read(self._contents.path(0, index))

    def need_folders(self) -> None:
        """Raises OSError if one without files is not there."""
        for path, files in self._contents.walk(0):
            if not files:
                self._tree.need_folder(path)

    def is_all(self, state: State) -> bool:
        """Whether there is nothing besides what came, all of which was opened."""
        return (state.files, state.folders, state.others) == (self.count, self._folders, 0)

    def _count_folders(self, offer: Offer) -> int:
        """Those in the folder, as they came."""
        if offer.listing is not None:
            return offer.listing.things[0].folders - 1
        paths = {tuple(path) for path, _ in self._contents.walk(0)}
        return len({path[:depth] for path in paths for depth in range(1, len(path) + 1)})

    def _keys(self) -> Iterator[int]:
        for index in range(self.count):
            yield _hash_of(self._contents.offered_path(index)) << INDEX_BITS | index


def _hash_of(path: list[str]) -> int:
    """Within 63 bits together with an index; of this process alone."""
    return hash(tuple(path)) & HASH_MASK


def _state_of(fd: int) -> State | None:
    try:
        return State(fd)
    except OSError:
        return None
