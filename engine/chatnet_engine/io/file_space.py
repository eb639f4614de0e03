"""What receiving takes on the disk besides what was received, counted and cleaned up.

Memory does not grow with what is in a folder. One is removed from within the folder of the partial
ones, where it gets first, by one rename: what a kill leaves of it there is a left-over, too.
"""

import contextlib
import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from chatnet_engine.files.space_wire import Earlier, Survey, Surveyed
from chatnet_engine.io.file_folder import (
    PARTIAL_FOLDER,
    Folder,
    FolderError,
    gone_name,
    status_of,
)
from chatnet_engine.io.file_state import MAX_DEPTH, fingerprint
from chatnet_engine.io.file_tree import FOLDER
from chatnet_engine.io.renaming import rename_folder
from chatnet_protocol.ipc.results import Space

NAMES_AT_ONCE = 4096
"""Of one folder, in memory."""
BLOCK_BYTES = 512
"""Unit of `st_blocks` (POSIX leaves it open, Linux does not)."""
ID_DIGITS = 32
OTHERS_KEPT_S = 7 * 24 * 3600
"""Partial files of no transfer of this session may be those of another session, which would have to
fetch them again, or of one that was forgotten. Nobody has used them for so long."""
_DESTINATION = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class DiskSurvey:
    """One survey. `run` it in a thread of its own; `spare` from any thread."""

    def __init__(self, survey: Survey) -> None:
        self._survey = survey
        self._ended = set(survey.ended)
        self._under_way = set(survey.under_way)
        self._found: Counter[str] = Counter()

    def spare(self, transfer_id: bytes) -> None:
        """This transfer goes on: its partial files stay."""
        self._under_way.add(transfer_id)
        self._ended.discard(transfer_id)

    def run(self) -> Surveyed:
        """What cannot be looked at is not counted."""
        for path in self._survey.folders:
            with contextlib.suppress(OSError, ValueError):
                self._look_at_partials(path)
        for earlier in self._survey.earlier:
            with contextlib.suppress(OSError, ValueError, FolderError):
                self._look_at_earlier(earlier)
        return Surveyed(Space(**self._found))

    def _look_at_partials(self, path: str) -> None:
        fd = os.open(os.path.join(path, PARTIAL_FOLDER), FOLDER)
        try:
            for name in os.listdir(fd):
                with contextlib.suppress(OSError):
                    self._look_at_partial(fd, name)
        finally:
            os.close(fd)
        if self._survey.clean:
            with contextlib.suppress(OSError):
                os.rmdir(os.path.join(path, PARTIAL_FOLDER))

    def _look_at_partial(self, fd: int, name: str) -> None:
        transfer_id = _id_of(name)
        size = size_of(fd, name)
        if not self._is_left_over(fd, name, transfer_id):
            self._count("under_way", size)
        elif self._survey.clean and self._remove_partial(fd, name, transfer_id):
            self._count("removed", size)
        else:
            self._count("left_over", size)

    def _is_left_over(self, fd: int, name: str, transfer_id: bytes) -> bool:
        """Raises OSError."""
        if transfer_id in self._ended:
            return True
        if not transfer_id or transfer_id in self._under_way:
            return False
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        return found.st_ctime < time.time() - OTHERS_KEPT_S

    def _remove_partial(self, fd: int, name: str, transfer_id: bytes) -> bool:
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not self._is_left_over(fd, name, transfer_id):  # it was begun again meanwhile
                return False
            if not stat.S_ISDIR(found.st_mode):
                os.unlink(name, dir_fd=fd)
                return True
            gone = gone_name(transfer_id, found.st_ino)
            if name != gone and not rename_folder(name, fd, gone, fd):
                return False
            remove_folder(fd, gone)
        except OSError:
            return False
        return True

    def _look_at_earlier(self, earlier: Earlier) -> None:
        fd = os.open(earlier.folder, _DESTINATION)
        try:
            kept = earlier.kept
            found = status_of(fd, kept.name)
            if found is None or found.st_ino != kept.inode or not stat.S_ISDIR(found.st_mode):
                return
            size = size_of(fd, kept.name)
            if fingerprint(fd, kept.name) != kept.state:
                self._count("changed", size)
            elif self._survey.clean and _remove_earlier(earlier):
                self._count("removed", size)
            else:
                self._count("earlier", size)
        finally:
            os.close(fd)

    def _count(self, what: str, size_bytes: int) -> None:
        self._found[what] += 1
        self._found[f"{what}_bytes"] += size_bytes


def size_of(parent_fd: int, name: str) -> int:
    """Bytes on the disk of a file or folder. Raises OSError."""
    found = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
    size = found.st_blocks * BLOCK_BYTES
    if stat.S_ISDIR(found.st_mode):
        with _open(parent_fd, name) as fd:
            size += _size_in(fd, 0)
    return size


def remove_folder(parent_fd: int, name: str) -> None:
    """With everything in it, following no link. Raises OSError."""
    with _open(parent_fd, name) as fd:
        _empty(fd, 0)
    os.rmdir(name, dir_fd=parent_fd)


def _remove_earlier(earlier: Earlier) -> bool:
    """Whether it is gone; the fingerprint has just been compared."""
    kept = earlier.kept
    with contextlib.closing(Folder(earlier.folder)) as folder:
        gone = gone_name(earlier.id, kept.inode)
        if not rename_folder(kept.name, folder.fd, gone, folder.partial_fd):
            return False
        with contextlib.suppress(OSError):  # what is left is a left-over from now on
            remove_folder(folder.partial_fd, gone)
    return True


def _id_of(name: str) -> bytes:
    """The transfer of a partial file; empty for anything else."""
    if name[ID_DIGITS : ID_DIGITS + 1] != "-":
        return b""
    try:
        return bytes.fromhex(name[:ID_DIGITS])
    except ValueError:
        return b""


@contextlib.contextmanager
def _open(parent_fd: int, name: str) -> Iterator[int]:
    fd = os.open(name, FOLDER, dir_fd=parent_fd)
    try:
        yield fd
    finally:
        os.close(fd)


def _size_in(fd: int, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise OSError("a folder is nested too deep")
    size = 0
    with os.scandir(fd) as found:
        for entry in found:
            status = entry.stat(follow_symlinks=False)
            size += status.st_blocks * BLOCK_BYTES
            if stat.S_ISDIR(status.st_mode):
                with _open(fd, entry.name) as below:
                    size += _size_in(below, depth + 1)
    return size


def _empty(fd: int, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise OSError("a folder is nested too deep")
    while True:
        # Not one listing to its end: it is being changed.
        with os.scandir(fd) as found:
            entries = list(islice(found, NAMES_AT_ONCE))
        if not entries:
            return
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                with _open(fd, entry.name) as below:
                    _empty(below, depth + 1)
                os.rmdir(entry.name, dir_fd=fd)
            else:
                os.unlink(entry.name, dir_fd=fd)
