"""The receiver's folder: partial files, room on the disk, final names.

The folder itself is chosen by its user. Everything below it is reached step by step through open
directories that are no links, and nothing is ever overwritten: a final name is made by linking
the complete partial file, which fails where anything exists.

The folder of the partial files exists while one does; the last job to close removes it. So
a job that needs it makes it again: other jobs, and engines of other sessions, close at any time.
"""

import contextlib
import errno
import os
import stat
import time
from collections.abc import Iterator

from chatnet_engine.files.names import numbered, shown
from chatnet_engine.io.private_dir import make_dirs, sync_dir_fd

PARTIAL_FOLDER = ".chatnet-partial"
PARTIAL_KEPT_S = 30 * 24 * 3600
"""A partial file that nobody has written to for so long is removed; its transfer starts over."""
RESERVE_BYTES = 1024**3
RESERVE_SHARE = 0.05
"""Left free on the disk: the smaller of the two."""
ALLOCATE_STEP_BYTES = 64 * 1024 * 1024
MAX_ATTEMPTS = 100
"""To enter a folder that others take away whenever it is empty."""
MAX_NUMBER = 9999
"""`name (9999)`; a folder with more files of one name is refused."""

FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
"""What a file system without hard links answers."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PRIVATE_FOLDER = _FOLDER | os.O_NOFOLLOW
_PARTIAL = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderError(Exception):
    """One sentence for people; `full`: space may be freed later."""

    def __init__(self, sentence: str, *, full: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.full = full


class PartialGone(Exception):
    """The complete bytes of a file are not there any more."""


def problem(error: OSError, path: str) -> FolderError:
    """What an error of the system means, in one sentence."""
    if error.errno in FULL_ERRORS:
        return FolderError(f"The disk is full: {shown(path)} has no room for the rest.", full=True)
    why = (error.strerror or "unknown error").lower()
    return FolderError(f"{shown(path)} cannot be written: {why}.", full=error.errno == errno.EIO)


class Folder:
    """An open destination. `close` it."""

    def __init__(self, path: str, below_mode: int = 0o700) -> None:
        """Makes the folder if needed. Raises FolderError. `below_mode`: of received folders."""
        self.path = path
        self._below_mode = below_mode
        try:
            make_dirs(path)
            self._fd = os.open(path, _FOLDER)
        except (OSError, ValueError) as error:
            raise problem(error if isinstance(error, OSError) else OSError(), path) from None
        try:
            self._partial_fd = _subfolder(self._fd, PARTIAL_FOLDER)
        except OSError as error:
            os.close(self._fd)
            raise problem(error, path) from None

    def close(self) -> None:
        """Give the directories back; the one for partial files goes if it is empty."""
        os.close(self._partial_fd)
        with contextlib.suppress(OSError):
            os.rmdir(PARTIAL_FOLDER, dir_fd=self._fd)
        os.close(self._fd)

    def need(self, size_bytes: int) -> None:
        """Raises FolderError when so much more would leave less than the reserve."""
        found = os.fstatvfs(self._fd)
        total = found.f_blocks * found.f_frsize
        reserve = min(RESERVE_BYTES, int(total * RESERVE_SHARE))
        if found.f_bavail * found.f_frsize - reserve < size_bytes:
            needed = -(-size_bytes // 1_000_000)
            raise FolderError(
                f"Not enough room in {shown(self.path)}: {needed:,} MB more are needed.", full=True
            )

    def open_partial(self, transfer_id: bytes, index: int) -> int:
        """Descriptor of a file's partial, which may hold bytes already. Raises OSError."""
        fd = self._open(_partial_name(transfer_id, index))
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "the partial is no regular file")
        return fd

    def keep_partials(self) -> None:
        """Make durable that the partial files are found again. Raises OSError."""
        sync_dir_fd(self._partial_fd)
        sync_dir_fd(self._fd)

    def discard(self, transfer_id: bytes) -> None:
        """Remove what a transfer left behind."""
        self._remove(transfer_id.hex() + "-", older_than_s=float("inf"))

    def sweep(self) -> None:
        """Remove partial files of long ago."""
        self._remove("", older_than_s=time.time() - PARTIAL_KEPT_S)

    def free_path(self, path: list[str]) -> list[str]:
        """`path`, or the first numbered name that nothing has yet. Raises OSError, FolderError."""
        with self._parent(path) as parent_fd:
            for number in range(MAX_NUMBER + 1):
                name = numbered(path[-1], number)
                if not _exists(parent_fd, name):
                    return [*path[:-1], name]
        raise FolderError(f"{shown(self.path)} has too many files of one name.")

    def place(self, transfer_id: bytes, index: int, path: list[str], inode: int) -> bool:
        """Give the complete partial its final name; False when that is taken by another file.

        Recognises what an earlier call did; the name is durable, and so are those of the folders
        that lead to it. Raises PartialGone, OSError, FolderError.
        """
        partial = _partial_name(transfer_id, index)
        with self._parent(path, sync=True) as parent_fd:
            if _inode(parent_fd, path[-1]) != inode:
                if _inode(self._partial_fd, partial) != inode:
                    raise PartialGone
                if not _link(self._partial_fd, partial, parent_fd, path[-1]):
                    return False
            # Also when an earlier call had linked it: that one may have died before this.
            sync_dir_fd(parent_fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial, dir_fd=self._partial_fd)
        return True

    def _open(self, partial: str) -> int:
        for _ in range(MAX_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):
                return os.open(partial, _PARTIAL, 0o600, dir_fd=self._partial_fd)
            # Ours was empty, and somebody took it away: nothing can be made in it any more.
            again = _subfolder(self._fd, PARTIAL_FOLDER)
            os.close(self._partial_fd)
            self._partial_fd = again
        raise OSError(errno.ENOENT, "the folder of the partial files does not stay")

    @contextlib.contextmanager
    def _parent(self, path: list[str], *, sync: bool = False) -> Iterator[int]:
        fd = os.dup(self._fd)
        try:
            for name in path[:-1]:
                below = _subfolder(fd, name, self._below_mode)
                if sync:  # perhaps made by a process that died right after
                    sync_dir_fd(fd)
                os.close(fd)
                fd = below
            yield fd
        finally:
            os.close(fd)

    def _remove(self, prefix: str, older_than_s: float) -> None:
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError):  # it was empty and was taken away
            names = os.listdir(self._partial_fd)
        for name in names:
            if not name.startswith(prefix):
                continue
            with contextlib.suppress(OSError):
                found = os.stat(name, dir_fd=self._partial_fd, follow_symlinks=False)
                if found.st_mtime < older_than_s:
                    os.unlink(name, dir_fd=self._partial_fd)


class Allocation:
    """Takes disk space ahead of the bytes, in steps, so that a full disk shows early."""

    def __init__(self, fd: int, size_bytes: int, allocated: int) -> None:
        self._fd = fd
        self._size = size_bytes
        self._allocated = allocated
        self._works = True

    def reach(self, offset: int) -> None:
        """Bytes up to `offset` are about to be written. Raises OSError when the disk is full."""
        while self._works and self._allocated < offset:
            step = min(ALLOCATE_STEP_BYTES, self._size - self._allocated)
            try:
                os.posix_fallocate(self._fd, self._allocated, step)
            except OSError as error:
                if error.errno in FULL_ERRORS:
                    raise
                self._works = False
            self._allocated += step


def _partial_name(transfer_id: bytes, index: int) -> str:
    return f"{transfer_id.hex()}-{index}"


def _subfolder(parent_fd: int, name: str, mode: int = 0o700) -> int:
    is_new = False
    for _ in range(MAX_ATTEMPTS):
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent_fd)
            is_new = True
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(name, _PRIVATE_FOLDER, dir_fd=parent_fd)
            if is_new and mode != 0o700:
                with contextlib.suppress(OSError):  # a file system without modes
                    os.fchmod(fd, mode)
            return fd
    raise OSError(errno.ENOENT, "a folder does not stay")


def _exists(parent_fd: int, name: str) -> bool:
    return _inode(parent_fd, name) is not None


def _inode(parent_fd: int, name: str) -> int | None:
    try:
        return os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_ino
    except FileNotFoundError:
        return None


def _link(partial_fd: int, partial: str, parent_fd: int, name: str) -> bool:
    """False when the name is taken."""
    try:
        os.link(partial, name, src_dir_fd=partial_fd, dst_dir_fd=parent_fd, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        # No hard links here: reserve the name with an empty file, then move over it.
        try:
            reserve = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=parent_fd)
        except FileExistsError:
            return False
        os.close(reserve)
        os.rename(partial, name, src_dir_fd=partial_fd, dst_dir_fd=parent_fd)
    return True
