"""A job that prepares an update: what the new folder has in common with the earlier one is taken
from there, so that only the rest has to be sent.

A file is taken that had the same size and time of change when the earlier folder was offered; what
is copied has to have the digest that was stored with it. The earlier folder is read as a whole, and
only if everything in it is as it came is it to be replaced.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Callable

import blake3

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.names import until_name
from chatnet_engine.files.tree import MODERN, Tree, depends_on_disk
from chatnet_engine.files.update_wire import EarlierFolder
from chatnet_engine.io.file_finish import CompleteFile, Finisher
from chatnet_engine.io.file_folder import FOLDER_MODE, Folder, FolderError, problem
from chatnet_engine.io.file_state import State
from chatnet_engine.io.file_target import set_facts
from chatnet_engine.io.file_tree import FOLDER, FileTree, Path
from chatnet_protocol.ipc.offer import OfferedFile, decode_offer
from chatnet_protocol.ipc.reasons import UpdateReason
from chatnet_protocol.wire.file_records import DIGEST_BYTES

FICLONE = 0x40049409
"""linux/fs.h: share the blocks of another file, on file systems that can."""
CHUNK_BYTES = 1024 * 1024


class Stopped(Exception):
    """Nobody waits for the result any more."""


class Unreadable(Exception):
    """A file that came earlier cannot be read any more."""


class PrepareJob:
    """`is_stopped` is asked between two pieces of work."""

    def __init__(
        self, request: pw.Prepare, umask: int, is_stopped: Callable[[], bool] = lambda: False
    ) -> None:
        self._request = request
        self._umask = umask
        self._is_stopped = is_stopped
        self._buffer = memoryview(bytearray(CHUNK_BYTES))
        self._have: list[tuple[int, bytes]] = []
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

    def _run(self, folder: Folder, earlier_fd: int) -> pw.Prepared:
        offer = decode_offer(self._request.offer)
        [thing] = offer.things
        before = _state_of(earlier_fd)
        with contextlib.closing(folder.open_tree(self._request.id, 0)) as tree:
            names = Tree(offer, thing, tree.probe() if depends_on_disk(offer, thing) else MODERN)
            source = EarlierFiles(earlier_fd, self._request.earlier, tree)
            folder.need(sum(file.size_bytes for file in offer.files) - _size_of(tree, names))
            finisher = Finisher(tree.keep_names, lambda file: [], lambda report: None)
            try:
                for index in thing.files:
                    self._take(
                        tree, index, offer.files[index], names.files[index], source, finisher
                    )
                finisher.finish()
            finally:
                finisher.close()
            self._check_rest(source)
        folder.keep_partials()
        after = _state_of(earlier_fd)
        if self._is_changed or before is None or after is None or not source.is_all(after):
            return self._prepared(b"", UpdateReason.CHANGED)
        if before.fingerprint != after.fingerprint:
            return self._prepared(b"", UpdateReason.CHANGED)
        return self._prepared(after.fingerprint, None)

    def _take(
        self,
        tree: FileTree,
        index: int,
        file: OfferedFile,
        name: list[str],
        source: "EarlierFiles",
        finisher: Finisher,
    ) -> None:
        """Have this file from the earlier folder, if it is the same."""
        found = source.pop(file)
        if found is None:
            return
        path, digest = found
        with contextlib.ExitStack() as opened:
            try:
                source_fd = source.open(path)
            except OSError:
                self._is_changed = True
                return
            opened.callback(os.close, source_fd)
            is_there = tree.size_of(name) == file.size_bytes
            fd = tree.open_file(name)
            opened.callback(os.close, fd)
            if not self._is_same(source_fd, fd, digest, is_there=is_there):
                self._is_changed = True
                tree.remove_file(name)
                return
            set_facts(fd, file.executable, file.modified_ms, self._umask, time.time_ns())
            finisher.add(CompleteFile(index, os.dup(fd), file.size_bytes))
        self._have.append((index, digest))

    def _is_same(self, source_fd: int, fd: int, digest: bytes, *, is_there: bool) -> bool:
        """Whether the partial file is what came earlier, now."""
        try:
            if is_there and self._digest(fd) == digest:
                self._is_changed = self._is_changed or self._digest(source_fd) != digest
                return True
            return self._copy(source_fd, fd) == digest
        except Unreadable:
            return False

    def _check_rest(self, source: "EarlierFiles") -> None:
        """What is not taken has to be as it came as well, if it is to be replaced."""
        for path, digest in source.rest():
            if self._is_changed:
                return
            try:
                fd = source.open(path)
            except OSError:
                self._is_changed = True
                return
            try:
                self._is_changed = self._digest(fd) != digest
            except Unreadable:
                self._is_changed = True
            finally:
                os.close(fd)

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
        digest: bytes = hasher.digest()
        return digest

    def _read(self, fd: int, offset: int) -> int:
        try:
            return os.preadv(fd, [self._buffer], offset)
        except OSError:
            raise Unreadable from None

    def _prepared(self, state: bytes, why: UpdateReason | None) -> pw.Prepared:
        until = until_name(self._request.earlier.name, time.strftime("%Y-%m-%d"))
        reason = why.value if why else ""
        return pw.Prepared(self._request.job, self._have, state, until, reason)

    def _failed(self, error: FolderError) -> pw.Ended:
        outcome = pw.Outcome.FULL if error.full else pw.Outcome.TARGET
        return pw.Ended(self._request.job, outcome, error.why)


class EarlierFiles:
    """What came with the earlier folder, by where it was at the sender."""

    def __init__(self, fd: int, earlier: EarlierFolder, tree: FileTree) -> None:
        """`tree`: a folder on the same disk, which tells what names are like there."""
        self._fd = fd
        offer = decode_offer(earlier.offer)
        [thing] = offer.things
        names = Tree(offer, thing, tree.probe() if depends_on_disk(offer, thing) else MODERN)
        self._folders = {tuple(path) for path in names.folders}
        self._by_path: dict[tuple[str, ...], tuple[OfferedFile, Path, bytes]] = {}
        for number, index in enumerate(thing.files):
            file = offer.files[index]
            digest = earlier.digests[number * DIGEST_BYTES : (number + 1) * DIGEST_BYTES]
            self._by_path[tuple(file.path)] = file, tuple(names.files[index]), digest
        self._names = {path for _, path, _ in self._by_path.values()}

    def pop(self, file: OfferedFile) -> tuple[Path, bytes] | None:
        """Name and digest of the same file, if it has neither another size nor another time."""
        known = self._by_path.get(tuple(file.path))
        if known is None or not file.modified_ms:
            return None
        earlier, path, digest = known
        if (earlier.size_bytes, earlier.modified_ms) != (file.size_bytes, file.modified_ms):
            return None
        del self._by_path[tuple(file.path)]
        return path, digest

    def rest(self) -> list[tuple[Path, bytes]]:
        """Those that were not popped."""
        return [(path, digest) for _, path, digest in self._by_path.values()]

    def open(self, path: Path) -> int:
        """Descriptor of one, reached step by step. Raises OSError."""
        fd = os.dup(self._fd)
        try:
            for name in path[:-1]:
                below = os.open(name, FOLDER, dir_fd=fd)
                os.close(fd)
                fd = below
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            return os.open(path[-1], flags, dir_fd=fd)
        finally:
            os.close(fd)

    def is_all(self, state: State) -> bool:
        """Whether there is what came, and nothing else."""
        same = (state.files, state.folders) == (self._names, self._folders)
        return same and not state.others


def _state_of(fd: int) -> State | None:
    try:
        return State(fd)
    except OSError:
        return None


def _size_of(tree: FileTree, names: Tree) -> int:
    return sum(tree.size_of(path) or 0 for path in names.files.values())
