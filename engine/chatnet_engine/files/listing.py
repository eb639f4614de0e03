"""Listings of many files: written by a sender, read page by page by both sides.

What is kept of each file is its size: the listing itself stays on the disk, and a page at a time is
in memory. See `wire.listing` for the format.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator

from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import OfferedListing
from chatnet_protocol.limits import LISTING_PAGE_BYTES, MAX_LISTED_FILES
from chatnet_protocol.wire.listing import (
    LENGTH,
    ListedFile,
    ListedFolder,
    decode_checked_page,
    decode_page,
    encode_page,
)

FILE_OVERHEAD_BYTES = 26
"""Most that an entry takes beside its name."""
NAME_OVERHEAD_BYTES = 5
FOLDER_OVERHEAD_BYTES = 20
PAGE_OVERHEAD_BYTES = 5

PAGES_KEPT = 8
"""In memory, with some 300 kB each: a folder that is listed anew has its files in almost the same
order."""

Read = Callable[[int, int], bytes]
"""So many bytes of a listing from an offset on; fewer at its end. Raises OSError."""


class ListingWriter:
    """Collects folders and their files into pages."""

    def __init__(self) -> None:
        self._folders: list[ListedFolder] = []
        self._size = PAGE_OVERHEAD_BYTES

    def add(self, root: int, path: list[str], files: list[ListedFile]) -> list[bytes]:
        """Some files of one folder; the pages that are full with them."""
        pages: list[bytes] = []
        names = sum(len(name.encode()) + NAME_OVERHEAD_BYTES for name in path)
        folder_size = FOLDER_OVERHEAD_BYTES + names
        self._open(folder_size, pages)
        kept: list[ListedFile] = []
        for file in files:
            size = FILE_OVERHEAD_BYTES + len(file.name.encode())
            if self._size + size > LISTING_PAGE_BYTES:
                self._folders.append(ListedFolder(path, kept, root))
                pages += self.finish()
                self._open(folder_size, pages)
                kept = []
            kept.append(file)
            self._size += size
        self._folders.append(ListedFolder(path, kept, root))
        return pages

    def finish(self) -> list[bytes]:
        """The page that is not full yet."""
        folders, self._folders = self._folders, []
        self._size = PAGE_OVERHEAD_BYTES
        return [encode_page(folders)] if folders else []

    def _open(self, folder_size: int, pages: list[bytes]) -> None:
        if self._folders and self._size + folder_size > LISTING_PAGE_BYTES:
            pages += self.finish()
        self._size += folder_size


class ListingIndex:
    """Where the entry of each file is: 8 bytes a file and 16 a page. Not for several threads."""

    def __init__(self, offered: OfferedListing, read: Read) -> None:
        """Reads and checks the whole listing. Raises DecodeError and OSError."""
        self.offered = offered
        self._read = read
        self.sizes = array("q")
        self._offsets = array("q")
        self._first = array("q")
        """The first file of each page."""
        self._ends = array("q")
        self._start = 0
        """The first file of the page that was used last."""
        self._page: list[tuple[int, list[str], ListedFile]] = []
        self._pages: dict[int, list[tuple[int, list[str], ListedFile]]] = {}
        """Some that were used, by their numbers."""
        offset = 0
        while offset < offered.size_bytes:
            head = read(offset, LENGTH.size)
            if len(head) < LENGTH.size:
                raise DecodeError("a listing ends within a page")
            (length,) = LENGTH.unpack(head)
            if length > min(LISTING_PAGE_BYTES, offered.size_bytes - offset - LENGTH.size):
                raise DecodeError("a page of impossible length")
            offset += LENGTH.size
            page = decode_page(read(offset, length))
            self._offsets.append(offset)
            offset += length
            self._ends.append(offset)
            self._first.append(len(self.sizes))
            for folder in page:
                self.note(folder)
                self.sizes.extend([file.size_bytes for file in folder.files])
            if len(self.sizes) > MAX_LISTED_FILES:
                raise DecodeError("a listing of too many files")

    def note(self, folder: ListedFolder) -> None:
        """For subclasses: each folder once, while the index is made."""

    def pages(self, first: int = 0) -> Iterator[tuple[int, list[ListedFolder]]]:
        """Each page with its number of files before. Begins where file `first` is, or one page
        before: its folder may be there."""
        start = max(0, bisect_left(self._first, first) - 1)
        for number in range(start, len(self._offsets)):
            yield self._first[number], self._load(number)

    def file(self, index: int) -> tuple[int, list[str], ListedFile]:
        """(root, path of its folder, the entry) of one file; cheap for files near each other."""
        if not self._start <= index < self._start + len(self._page):
            number = bisect_right(self._first, index) - 1
            self._page, self._start = self._entries(number), self._first[number]
        return self._page[index - self._start]

    def _entries(self, number: int) -> list[tuple[int, list[str], ListedFile]]:
        if number not in self._pages:
            if len(self._pages) >= PAGES_KEPT:
                del self._pages[next(iter(self._pages))]
            self._pages[number] = [
                (folder.root, folder.path, file)
                for folder in self._load(number)
                for file in folder.files
            ]
        return self._pages[number]

    def _load(self, number: int) -> list[ListedFolder]:
        offset = self._offsets[number]
        return decode_checked_page(self._read(offset, self._ends[number] - offset))
