"""The listings of own offers that are too long for their message: one file each, by transfer.

They lie in a folder of the session, with the manifests of received folders. One that no job has
used for long is removed, and its offer cannot be fetched any more.
"""

import contextlib
import os
import time

import blake3

from chatnet_engine.io import file_manifest
from chatnet_engine.io.private_dir import make_dirs, sync_dir_fd
from chatnet_protocol.limits import MAX_LISTING_BYTES

KEPT_S = 30 * 24 * 3600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_NAME = ".new"


class Listings:
    """One folder of them. Methods raise OSError."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def path(self, transfer_id: bytes) -> str:
        """Where the listing of a transfer is."""
        return os.path.join(self._folder, transfer_id.hex())

    def open(self, transfer_id: bytes) -> int:
        """Descriptor of a listing; it is kept for longer."""
        fd = os.open(self.path(transfer_id), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with contextlib.suppress(OSError):
            os.utime(fd)
        return fd

    def remove(self, transfer_id: bytes) -> None:
        """It is not needed any more, if there ever was one."""
        with contextlib.suppress(OSError):
            os.unlink(self.path(transfer_id))

    def sweep(self) -> None:
        """Remove those that nobody has used for long."""
        oldest_s = time.time() - KEPT_S
        with contextlib.suppress(OSError), os.scandir(self._folder) as found:
            for entry in found:
                if entry.name.endswith(file_manifest.SUFFIXES):
                    continue
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < oldest_s:
                        os.unlink(entry.path)


class TooLong(Exception):
    """More than a listing may have."""


class NewListing:
    """One that is being written. `keep` or `drop` it."""

    def __init__(self, listings: Listings, folder: str, transfer_id: bytes) -> None:
        make_dirs(folder)
        listings.sweep()
        self._folder = folder
        self._final = listings.path(transfer_id)
        self._path = self._final + _NEW_NAME
        self._file = open(os.open(self._path, _NEW, 0o600), "wb")  # noqa: SIM115
        self._hasher = blake3.blake3()
        self.size_bytes = 0

    def write(self, page: bytes) -> None:
        """The next page. Raises OSError and TooLong."""
        self.size_bytes += len(page)
        if self.size_bytes > MAX_LISTING_BYTES:
            raise TooLong
        self._hasher.update(page)
        self._file.write(page)

    def keep(self) -> bytes:
        """Make it durable under its name: its digest. Raises OSError."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.rename(self._path, self._final)
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            sync_dir_fd(fd)
        finally:
            os.close(fd)
        digest: bytes = self._hasher.digest()
        return digest

    def drop(self) -> None:
        """It was not kept."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)
