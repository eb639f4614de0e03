"""A received folder while it is not complete: everything in it has its place already, but nobody
sees it before it is moved out of the partial folder as a whole.
"""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Callable, Iterable

import blake3

from chatnet_engine.files.tree import Disk
from chatnet_engine.io.private_dir import sync_dir_fd

PROBE = ".chatnet-Probe"
STRICT_PROBE = '.chatnet-probe<>:"|?*'
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
"""How a folder that is no link is opened."""
_FILE = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
MAX_ATTEMPTS = 100
HASH_CHUNK_BYTES = 1024 * 1024

Path = tuple[str, ...]


class FileTree:
    """An open folder and what is made in it, step by step and following no links. `close` it.

    `mode`: of the folders in it. Methods may be called from several threads.
    """

    def __init__(self, fd: int, mode: int) -> None:
        self._fd = fd
        self._mode = mode | stat.S_IRWXU
        self._lock = threading.RLock()
        self._last: tuple[Path, int] | None = None
        """The folder that was used last, open: files of one folder come one after the other."""
        self._syncing = threading.Lock()
        """A caller that finds nothing to sync may rely on what another one is syncing."""
        self._unsynced: set[Path] = set()
        """Folders in which a name is new."""

    def close(self) -> None:
        """Give the folder back; `keep_names` first, if it counts."""
        with self._syncing, self._lock:
            self._unsynced.clear()
            self._forget_last()
            os.close(self._fd)

    def probe(self) -> Disk:
        """What names are like here. Raises OSError."""
        self._make_probe(PROBE)
        try:
            blind = _exists(PROBE.lower(), self._fd)
        finally:
            os.unlink(PROBE, dir_fd=self._fd)
        try:
            self._make_probe(STRICT_PROBE)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOENT, errno.EILSEQ):
                raise
            return Disk(blind, strict=True)
        os.unlink(STRICT_PROBE, dir_fd=self._fd)
        return Disk(blind, strict=False)

    def open_file(self, path: list[str]) -> int:
        """Descriptor of a file, which may hold bytes already. Raises OSError."""
        *parents, name = path
        parent = tuple(parents)
        with self._lock:
            folder = self._open_folder(parent)
            self._unsynced.add(parent)
            try:
                return os.open(name, _FILE | os.O_EXCL, 0o600, dir_fd=folder)
            except FileExistsError:
                fd = os.open(name, _FILE, 0o600, dir_fd=folder)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "the partial is no regular file")
        return fd

    def open_to_read(self, path: list[str]) -> int:
        """Descriptor of a file that is there. Raises OSError."""
        *parents, name = path
        with self._lock:
            folder = self._open_folder(tuple(parents), make=False)
            return os.open(name, _READ, dir_fd=folder)

    def need_folder(self, path: list[str]) -> None:
        """Raises OSError if there is none."""
        with self._lock:
            self._open_folder(tuple(path), make=False)

    def make_folders(self, folders: Iterable[list[str]]) -> None:
        """Those with nothing in them. Raises OSError."""
        with self._lock:
            for path in folders:
                self._open_folder(tuple(path))

    def status_of(self, path: list[str]) -> os.stat_result | None:
        """Of a file; None without one."""
        *parents, name = path
        try:
            with self._lock:
                folder = self._open_folder(tuple(parents), make=False)
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def remove_file(self, path: list[str]) -> None:
        """Raises OSError."""
        with self._lock:
            os.unlink(path[-1], dir_fd=self._open_folder(tuple(path[:-1]), make=False))

    def size_of(self, path: list[str]) -> int | None:
        """Size of a file; None without one."""
        found = self.status_of(path)
        return None if found is None else found.st_size

    def digest_of(self, path: list[str]) -> bytes:
        """BLAKE3 digest of a file. Raises OSError."""
        with self._lock:
            folder = self._open_folder(tuple(path[:-1]), make=False)
            fd = os.open(path[-1], _FILE & ~os.O_CREAT, dir_fd=folder)
        hasher = blake3.blake3()
        with os.fdopen(fd, "rb") as file:
            while chunk := file.read(HASH_CHUNK_BYTES):
                hasher.update(chunk)
        digest: bytes = hasher.digest()
        return digest

    def keep_names(self) -> None:
        """Make durable that everything in it is found. Raises OSError."""
        with self._syncing:
            while True:
                with self._lock:
                    path = next(iter(self._unsynced), None)
                    if path is None:
                        return
                    fd = os.dup(self._open_folder(path))
                    self._unsynced.discard(path)
                try:
                    sync_dir_fd(fd)
                except OSError:
                    self._unsynced.add(path)
                    raise
                finally:
                    os.close(fd)

    def finish(self) -> int:
        """Everything is in it: its inode. Raises OSError."""
        self.keep_names()
        with contextlib.suppress(OSError):  # a file system without modes
            os.fchmod(self._fd, self._mode)
        sync_dir_fd(self._fd)
        return os.fstat(self._fd).st_ino

    def _make_probe(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)
        os.close(os.open(name, _NEW, 0o600, dir_fd=self._fd))

    def _open_folder(self, path: Path, *, make: bool = True) -> int:
        """Descriptor of a folder in it, good until the next call."""
        if not path:
            return self._fd
        if self._last is not None and self._last[0] == path:
            return self._last[1]
        fd = os.dup(self._fd)
        try:
            for depth, name in enumerate(path):
                if make:
                    below, is_new = open_subfolder(fd, name, self._mode)
                    if is_new:
                        self._unsynced.add(path[:depth])
                else:
                    below = os.open(name, FOLDER, dir_fd=fd)
                os.close(fd)
                fd = below
        except BaseException:
            os.close(fd)
            raise
        self._forget_last()
        self._last = path, fd
        return fd

    def _forget_last(self) -> None:
        if self._last is not None:
            os.close(self._last[1])
            self._last = None


def open_subfolder(parent_fd: int, name: str, mode: int = 0o700) -> tuple[int, bool]:
    """(descriptor, whether it is new) of a folder in another one, made where it is missing. Raises
    OSError, also for a link."""
    is_new = False
    for _ in range(MAX_ATTEMPTS):
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent_fd)
            is_new = True
        with contextlib.suppress(FileNotFoundError):
            fd = os.open(name, FOLDER, dir_fd=parent_fd)
            if is_new and mode != 0o700:
                with contextlib.suppress(OSError):  # a file system without modes
                    os.fchmod(fd, mode)
            return fd, is_new
    raise OSError(errno.ENOENT, "a folder does not stay")


def is_gone(act: Callable[[], object]) -> bool:
    """Whether what `act` looks for is not there."""
    try:
        act()
    except FileNotFoundError:
        return True
    return False


def _exists(name: str, folder_fd: int) -> bool:
    return not is_gone(lambda: os.stat(name, dir_fd=folder_fd, follow_symlinks=False))
