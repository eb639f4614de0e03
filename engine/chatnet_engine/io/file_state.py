"""What is in a folder, as a fingerprint: any change in it changes that as well.

Memory does not grow with what is in it: entries are read one after the other, in the order in which
the disk has them, and the sum of their hashes counts, which does not depend on that order.
"""

import os
import stat

import blake3

from chatnet_engine.io.file_tree import FOLDER

MAX_DEPTH = 64
"""Folders in folders; a received one has at most 32."""
DIGEST_BYTES = 32


class State:
    """Everything in an open folder at one moment. Raises OSError where something is not readable.

    `files`, `folders`, `others`: how many there are of each in it, others being links, pipes and
    the like; `size_bytes`: of the files together.
    """

    def __init__(self, fd: int) -> None:
        self.files = self.folders = self.others = self.size_bytes = 0
        self._sum = 0
        self._walk(fd, ())
        total: int = self._sum % 2 ** (8 * DIGEST_BYTES)
        self.fingerprint = total.to_bytes(DIGEST_BYTES, "big")

    def _walk(self, fd: int, path: tuple[str, ...]) -> None:
        if len(path) > MAX_DEPTH:
            raise OSError("a folder is nested too deep")
        with os.scandir(fd) as found:
            for entry in found:
                self._add(fd, path, entry)

    def _add(self, fd: int, path: tuple[str, ...], entry: os.DirEntry[str]) -> None:
        status = entry.stat(follow_symlinks=False)
        kind = stat.S_IFMT(status.st_mode)
        facts: tuple[object, ...] = (*path, entry.name, kind)
        if kind == stat.S_IFREG:
            self.files += 1
            self.size_bytes += status.st_size
            facts += (status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        elif kind != stat.S_IFDIR:
            self.others += 1
        digest = blake3.blake3(repr(facts).encode("utf-8", "surrogateescape")).digest()
        self._sum += int.from_bytes(digest, "big")
        if kind == stat.S_IFDIR:
            self.folders += 1
            below = os.open(entry.name, FOLDER, dir_fd=fd)
            try:
                self._walk(below, (*path, entry.name))
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
