"""What is in a folder, as a fingerprint: any change in it changes that as well."""

import os
import stat

import blake3

from chatnet_engine.io.file_tree import FOLDER, Path

MAX_DEPTH = 64
"""Folders in folders; a received one has at most 32."""


class State:
    """Everything in an open folder at one moment. Raises OSError where something is not readable.

    `files`: their paths; `folders`: paths of those with nothing in them; `others`: how many links,
    pipes and the like there are.
    """

    def __init__(self, fd: int) -> None:
        self.files: set[Path] = set()
        self.folders: set[Path] = set()
        self.others = 0
        self._hasher = blake3.blake3()
        self._walk(fd, ())
        self.fingerprint: bytes = self._hasher.digest()

    def _walk(self, fd: int, path: Path) -> None:
        if len(path) > MAX_DEPTH:
            raise OSError("a folder is nested too deep")
        names = sorted(os.listdir(fd))
        if not names:
            self.folders.add(path)
        for name in names:
            at = (*path, name)
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            facts: tuple[object, ...] = (stat.S_IFMT(found.st_mode),)
            if stat.S_ISREG(found.st_mode):
                self.files.add(at)
                times = found.st_mtime_ns, found.st_ctime_ns
                facts = (*facts, found.st_ino, found.st_size, *times)
            elif not stat.S_ISDIR(found.st_mode):
                self.others += 1
            self._hasher.update(repr((at, facts)).encode("utf-8", "surrogateescape"))
            if stat.S_ISDIR(found.st_mode):
                below = os.open(name, FOLDER, dir_fd=fd)
                try:
                    self._walk(below, at)
                finally:
                    os.close(below)


def fingerprint(parent_fd: int, name: str) -> bytes:
    """Of a folder below another one; empty if there is none or it is not readable."""
    try:
        fd = os.open(name, FOLDER, dir_fd=parent_fd)
    except OSError:
        return b""
    try:
        return State(fd).fingerprint
    except OSError:
        return b""
    finally:
        os.close(fd)
