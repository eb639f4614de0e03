"""What a sending job reads: the files that an offer lists, or a listing and the files in it."""

import os
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.listing import ListingIndex
from chatnet_engine.io.file_listing import Listings
from chatnet_engine.io.file_scan import source_path
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import OfferedListing
from chatnet_protocol.ipc.reasons import TransferReason, reason


class SourceError(Exception):
    """A file cannot be sent: `why` is a TransferReason."""

    def __init__(self, code: TransferReason, *params: object) -> None:
        self.why = reason(code, *params)
        super().__init__(f"{self.why.code} {self.why.params}")


class Source(NamedTuple):
    """One file, as it was listed."""

    path: str
    size_bytes: int
    modified_ns: int
    precision_ns: int = 1
    """Of `modified_ns`, which is cut and not rounded."""


class Sources(Protocol):
    """Files by number, as they are sent. `close` them."""

    sizes: Sequence[int]

    def source(self, index: int) -> Source:
        """One file; cheap for one after the other. Raises SourceError."""
        ...

    def close(self) -> None:
        """Nothing is read any more."""
        ...


def sources_of(request: pw.Send, folder: str) -> Sources:
    """`folder`: of the listings of own offers. Raises SourceError."""
    if request.listing is None:
        return _Scanned(request)
    return _Listed(request, request.listing, Listings(folder))


class _Scanned:
    def __init__(self, request: pw.Send) -> None:
        self._request = request
        self.sizes: Sequence[int] = [file.size_bytes for file in request.files]

    def source(self, index: int) -> Source:
        file = self._request.files[index]
        path = source_path(self._request.roots[file.root], file.path)
        return Source(path, file.size_bytes, file.modified_ns)

    def close(self) -> None:
        pass


class _Listed:
    """The listing is file 0."""

    def __init__(self, request: pw.Send, offered: OfferedListing, listings: Listings) -> None:
        self._roots = request.roots
        self._folder: tuple[int, list[str], str] = -1, [], ""
        """Root and path of the folder that was used last, and where it is."""
        self._path = listings.path(request.id)
        self._fd = -1
        try:
            self._fd = listings.open(request.id)
            found = os.fstat(self._fd)
            if found.st_size != offered.size_bytes:
                raise SourceError(TransferReason.LIST_GONE)
            self._listing = Source(self._path, found.st_size, found.st_mtime_ns)
            self._index = ListingIndex(offered, self._read)
        except (OSError, DecodeError):
            self.close()
            raise SourceError(TransferReason.LIST_GONE) from None
        self.sizes: Sequence[int] = self._index.sizes
        self._index.sizes.insert(0, found.st_size)

    def source(self, index: int) -> Source:
        if index == 0:
            return self._listing
        root, folder, file = self._index.file(index - 1)
        if self._folder[1] is not folder or self._folder[0] != root:
            self._folder = root, folder, source_path(self._roots[root], [*folder, ""])
        return Source(
            self._folder[2] + file.name, file.size_bytes, file.modified_ms * 1_000_000, 1_000_000
        )

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self, offset: int, size_bytes: int) -> bytes:
        return os.pread(self._fd, size_bytes, offset)
