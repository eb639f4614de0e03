"""What came with a folder of many files, for its next update: its listing and a digest a file.

One file for each such folder, in a folder of the session: digests of 32 bytes in the order of the
listing, then the listing, then the BLAKE3 of the digests. While the folder arrives, digests are
written as its files do; zeros stand for those that are not known. Without space for it the folder
arrives all the same, and its next update is not compared.
"""

import contextlib
import os
from collections.abc import Iterator

import blake3

from chatnet_engine.files.contents import ListedContents
from chatnet_engine.io.private_dir import make_dirs, sync_dir_fd
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import Offer
from chatnet_protocol.wire.file_records import DIGEST_BYTES

SUFFIX = ".manifest"
_NEW_SUFFIX = ".manifest.new"
SUFFIXES = (SUFFIX, _NEW_SUFFIX)
MAX_MANIFESTS = 64
MAX_MANIFEST_BYTES = 1024**3
"""Kept together, those that were made last; more are removed, and what they are of arrives whole
with its next update."""
CHUNK_BYTES = DIGEST_BYTES * 32 * 1024
_UNKNOWN = bytes(DIGEST_BYTES)
_NEW = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Manifest:
    """A complete one. `close` it. Raises OSError and DecodeError when it is not there as it was."""

    def __init__(self, folder: str, transfer_id: bytes, offer: Offer) -> None:
        offered = offer.listing
        if offered is None:
            raise DecodeError("an offer without a listing has no manifest")
        self._fd = os.open(_path(folder, transfer_id), _OLD)
        try:
            start = offer.file_count * DIGEST_BYTES
            end = start + offered.size_bytes
            if os.fstat(self._fd).st_size != end + DIGEST_BYTES:
                raise DecodeError("a manifest has another size than it should")
            same = self._hash(0, start) == os.pread(self._fd, DIGEST_BYTES, end)
            if not same or self._hash(start, end) != offered.digest:
                raise DecodeError("a manifest is damaged")

            def read(offset: int, size: int) -> bytes:
                return os.pread(self._fd, size, start + offset)

            self.contents = ListedContents(offer.things, offered, read)
        except BaseException:
            self.close()
            raise

    def digest(self, index: int) -> bytes:
        """Of one file. Raises OSError."""
        return os.pread(self._fd, DIGEST_BYTES, index * DIGEST_BYTES)

    def close(self) -> None:
        """It stays."""
        os.close(self._fd)

    def _hash(self, start: int, end: int) -> bytes:
        hasher = blake3.blake3()
        while start < end and (data := os.pread(self._fd, min(CHUNK_BYTES, end - start), start)):
            hasher.update(data)
            start += len(data)
        digest: bytes = hasher.digest()
        return digest


class NewManifest:
    """That of a folder that is arriving, of `count` files. `close` it. Methods raise OSError."""

    def __init__(self, folder: str, transfer_id: bytes, count: int) -> None:
        make_dirs(folder)
        self._folder = folder
        self._id = transfer_id
        self._count = count
        with contextlib.suppress(FileNotFoundError):  # of a folder that did not get its name
            os.rename(_path(folder, transfer_id), _new_path(folder, transfer_id))
        self._fd = os.open(_new_path(folder, transfer_id), _NEW, 0o600)

    def note(self, index: int, digest: bytes) -> None:
        """A file has arrived."""
        os.pwrite(self._fd, digest, index * DIGEST_BYTES)

    def unknown(self) -> Iterator[int]:
        """Files whose digests are not known; they may be noted meanwhile."""
        for first in range(0, self._count, CHUNK_BYTES // DIGEST_BYTES):
            data = os.pread(self._fd, CHUNK_BYTES, first * DIGEST_BYTES).ljust(CHUNK_BYTES, b"\0")
            for index in range(first, min(self._count, first + CHUNK_BYTES // DIGEST_BYTES)):
                at = (index - first) * DIGEST_BYTES
                if data[at : at + DIGEST_BYTES] == _UNKNOWN:
                    yield index

    def keep(self, listing_fd: int) -> None:
        """All digests are known: make it durable with the listing."""
        at = self._count * DIGEST_BYTES
        os.ftruncate(self._fd, at)
        hasher = blake3.blake3()
        for start in range(0, at, CHUNK_BYTES):
            hasher.update(os.pread(self._fd, CHUNK_BYTES, start))
        offset = 0
        while data := os.pread(listing_fd, CHUNK_BYTES, offset):
            offset += self._write(data, at + offset)
        self._write(hasher.digest(), at + offset)
        os.fsync(self._fd)
        os.rename(_new_path(self._folder, self._id), _path(self._folder, self._id))
        folder_fd = os.open(self._folder, _FOLDER)
        try:
            sync_dir_fd(folder_fd)
        finally:
            os.close(folder_fd)
        sweep(self._folder)

    def close(self) -> None:
        """What is noted stays for the next time."""
        os.close(self._fd)

    def _write(self, data: bytes, offset: int) -> int:
        written = 0
        while written < len(data):
            written += os.pwrite(self._fd, data[written:], offset + written)
        return written


def forget_new(folder: str, transfer_id: bytes) -> None:
    """The folder does not arrive."""
    with contextlib.suppress(OSError):
        os.unlink(_new_path(folder, transfer_id))


def forget(folder: str, transfer_id: bytes) -> None:
    """Another one is compared with from now on."""
    with contextlib.suppress(OSError):
        os.unlink(_path(folder, transfer_id))


def sweep(folder: str) -> None:
    """Remove the oldest of those that are too many, complete or not."""
    newest_first: list[tuple[float, int, str]] = []
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            if not entry.name.endswith(SUFFIXES):
                continue
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                newest_first.append((-status.st_mtime, status.st_size, entry.path))
    newest_first.sort()
    total = 0
    for number, (_, size, path) in enumerate(newest_first):
        total += size
        if number and (number >= MAX_MANIFESTS or total > MAX_MANIFEST_BYTES):
            with contextlib.suppress(OSError):
                os.unlink(path)


def _path(folder: str, transfer_id: bytes) -> str:
    return os.path.join(folder, transfer_id.hex() + SUFFIX)


def _new_path(folder: str, transfer_id: bytes) -> str:
    return os.path.join(folder, transfer_id.hex() + _NEW_SUFFIX)
