"""The receiver's folder: partial files and folders, room on the disk, final names.

The folder itself is chosen by its user. Everything below it is reached step by step through open
directories that are no links, and nothing is ever overwritten: a file gets its final name by being
linked, a folder by one rename, and both fail where anything exists.

The folder of the partial files exists while one does; the last job to close removes it. So
a job that needs it makes it again: other jobs, and engines of other sessions, close at any time.
"""

import contextlib
import errno
import os
import shutil
import stat
import time

from chatnet_engine.files.names import numbered, numbered_folder, shown
from chatnet_engine.io.file_state import State
from chatnet_engine.io.file_tree import MAX_ATTEMPTS, FileTree, open_subfolder
from chatnet_engine.io.private_dir import make_dirs, sync_dir_fd
from chatnet_engine.io.renaming import rename_folder
from chatnet_protocol.ipc.reasons import TransferReason, reason

PARTIAL_FOLDER = ".chatnet-partial"
LISTING = "listing"
"""Instead of the number of a thing: the list of all files."""
FOLDER_MODE = 0o777
"""Of received folders, but for what the user's umask takes away."""
ASIDE = "aside-"
PARTIAL_KEPT_S = 30 * 24 * 3600
"""A partial file that nobody has written to for so long is removed; its transfer starts over."""
RESERVE_BYTES = 1024**3
RESERVE_SHARE = 0.05
"""Left free on the disk: the smaller of the two."""
ALLOCATE_STEP_BYTES = 64 * 1024 * 1024
MAX_NUMBER = 9999
"""`name (9999)`; a folder with more things of one name is refused."""

FULL_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS})
"""What a file system without hard links answers."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PARTIAL = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderError(Exception):
    """`why`: a TransferReason; `full`: space may be freed later."""

    def __init__(self, code: TransferReason, *params: object, full: bool = False) -> None:
        self.why = reason(code, *params)
        super().__init__(f"{self.why.code} {self.why.params}")
        self.full = full


class PartialGone(Exception):
    """The complete bytes of a file are not there any more."""


def problem(error: OSError, path: str) -> FolderError:
    """What an error of the system means."""
    if error.errno in FULL_ERRORS:
        return FolderError(TransferReason.DISK_FULL, shown(path), full=True)
    why = (error.strerror or "unknown error").lower()
    full = error.errno == errno.EIO
    return FolderError(TransferReason.UNWRITABLE, shown(path), why, full=full)


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
            self._partial_fd, _ = open_subfolder(self._fd, PARTIAL_FOLDER)
        except OSError as error:
            os.close(self._fd)
            raise problem(error, path) from None

    def close(self) -> None:
        """Give the directories back; the one for partial files goes if it is empty."""
        os.close(self._partial_fd)
        with contextlib.suppress(OSError):
            os.rmdir(PARTIAL_FOLDER, dir_fd=self._fd)
        os.close(self._fd)

    @property
    def fd(self) -> int:
        """Descriptor of the destination."""
        return self._fd

    @property
    def partial_fd(self) -> int:
        """Descriptor of the folder of the partial files."""
        return self._partial_fd

    def has(self, name: str, inode: int) -> bool:
        """Whether this name is that of this file or folder. Raises OSError."""
        found = status_of(self._fd, name)
        return found is not None and found.st_ino == inode

    @staticmethod
    def aside_name(transfer_id: bytes) -> str:
        """What a complete folder is called there while it and an earlier one change places; nothing
        removes it."""
        return f"{ASIDE}{transfer_id.hex()}"

    def need(self, size_bytes: int) -> None:
        """Raises FolderError when so much more would leave less than the reserve."""
        found = os.fstatvfs(self._fd)
        total = found.f_blocks * found.f_frsize
        reserve = min(RESERVE_BYTES, int(total * RESERVE_SHARE))
        if found.f_bavail * found.f_frsize - reserve < size_bytes:
            raise FolderError(TransferReason.NO_SPACE, shown(self.path), size_bytes, full=True)

    def open_partial(self, transfer_id: bytes, thing: int | str) -> int:
        """Descriptor of a file's partial, which may hold bytes already. Raises OSError."""
        fd = self._open(partial_name(transfer_id, thing))
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "the partial is not a regular file")
        return fd

    def open_tree(self, transfer_id: bytes, thing: int) -> FileTree:
        """A folder's partial, which may hold files already. Raises OSError."""
        name = partial_name(transfer_id, thing)
        for _ in range(MAX_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):
                fd, _ = open_subfolder(self._partial_fd, name)
                os.utime(fd)  # `sweep` goes by when it was used last
                return FileTree(fd, self._below_mode)
            self._open_partials_again()
        raise OSError(errno.ENOENT, "the folder of the partial files does not stay")

    def partial(self, transfer_id: bytes, thing: int) -> os.stat_result | None:
        """What there is of a file or folder. Raises OSError."""
        return status_of(self._partial_fd, partial_name(transfer_id, thing))

    def size_of_tree(self, transfer_id: bytes, thing: int) -> int:
        """Bytes of the files in a folder's partial. Raises OSError."""
        name = partial_name(transfer_id, thing)
        try:
            fd = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self._partial_fd)
        except FileNotFoundError:
            return 0
        try:
            return State(fd).size_bytes
        finally:
            os.close(fd)

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

    def free_name(self, name: str, *, is_folder: bool) -> str:
        """`name`, or the first numbered one that nothing has yet. Raises OSError, FolderError."""
        number_name = numbered_folder if is_folder else numbered
        for number in range(MAX_NUMBER + 1):
            free = number_name(name, number)
            if status_of(self._fd, free) is None:
                return free
        raise FolderError(TransferReason.NAMES_TAKEN, shown(self.path))

    def place(self, transfer_id: bytes, thing: int, name: str, inode: int) -> bool:
        """Give the complete partial its final name; False when that is taken by another thing.

        Recognises what an earlier call did; the name is durable. Raises PartialGone, OSError.
        """
        partial = partial_name(transfer_id, thing)
        there = status_of(self._fd, name)
        if there is None or there.st_ino != inode:
            complete = status_of(self._partial_fd, partial)
            if complete is None or complete.st_ino != inode:
                raise PartialGone
            if stat.S_ISDIR(complete.st_mode):
                placed = rename_folder(partial, self._partial_fd, name, self._fd)
            else:
                placed = _link(self._partial_fd, partial, self._fd, name)
            if not placed:
                return False
        # Also when an earlier call had placed it: that one may have died before this.
        sync_dir_fd(self._fd)
        if (left := status_of(self._partial_fd, partial)) and not stat.S_ISDIR(left.st_mode):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial, dir_fd=self._partial_fd)
        return True

    def _open(self, partial: str) -> int:
        for _ in range(MAX_ATTEMPTS):
            with contextlib.suppress(FileNotFoundError):
                return os.open(partial, _PARTIAL, 0o600, dir_fd=self._partial_fd)
            self._open_partials_again()
        raise OSError(errno.ENOENT, "the folder of the partial files does not stay")

    def _open_partials_again(self) -> None:
        """Ours was empty, and somebody took it away: nothing can be made in it any more."""
        again, _ = open_subfolder(self._fd, PARTIAL_FOLDER)
        os.close(self._partial_fd)
        self._partial_fd = again

    def _remove(self, prefix: str, older_than_s: float) -> None:
        names: list[str] = []
        with contextlib.suppress(FileNotFoundError):  # it was empty and was taken away
            names = os.listdir(self._partial_fd)
        for name in names:
            if not name.startswith(prefix) or name.startswith(ASIDE):
                continue
            with contextlib.suppress(OSError):
                found = os.stat(name, dir_fd=self._partial_fd, follow_symlinks=False)
                # Not the time of its content, which its sender chose.
                if found.st_ctime >= older_than_s:
                    continue
                if stat.S_ISDIR(found.st_mode):
                    shutil.rmtree(name, dir_fd=self._partial_fd)
                else:
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


def partial_name(transfer_id: bytes, thing: int | str) -> str:
    """What a file or folder is called while it is not complete."""
    return f"{transfer_id.hex()}-{thing}"


def gone_name(transfer_id: bytes, inode: int) -> str:
    """What a folder is called there while it is being removed; it is one of that transfer's."""
    return f"{partial_name(transfer_id, 0)}-{inode}"


def status_of(parent_fd: int, name: str) -> os.stat_result | None:
    """Of what has this name; None: nothing. Raises OSError."""
    try:
        return os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
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
