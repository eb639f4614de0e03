"""Lists folders of any number of files into a listing; memory does not grow with them.

Folders are walked as in `file_scan`, but a few thousand names at a time.
"""

import os
import stat
import time
from collections.abc import Callable
from itertools import islice

from chatnet_engine.files.listing import ListingWriter
from chatnet_engine.files.names import shown
from chatnet_engine.files.offering import TOO_MANY
from chatnet_engine.io.file_listing import NewListing
from chatnet_engine.io.file_scan import (
    LeftOuts,
    ScanError,
    kind_of_entry,
    root_status,
    source_path,
    unreadable,
)
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.offer import LeftOutKind, ListedThing, OfferedListing
from chatnet_protocol.limits import (
    MAX_FILE_BYTES,
    MAX_LISTED_FILES,
    MAX_LISTED_FOLDERS,
    MAX_THINGS_IN_OFFER,
)
from chatnet_protocol.wire.listing import ListedFile

NAMES_AT_ONCE = 4096
"""Of one folder, in memory and in order."""
MAX_ENTRIES = 2 * (MAX_LISTED_FILES + MAX_LISTED_FOLDERS)
"""Directory entries looked at, so that a folder of links ends too."""
REPORT_EVERY_S = 1.0
ALL_TOO_LARGE = "These files together are too large to be sent."


class Walk:
    """Writes a listing. `working` is called about once a second."""

    def __init__(self, listing: NewListing, working: Callable[[], None]) -> None:
        self._listing = listing
        self._working = working
        self._working_at = time.monotonic() + REPORT_EVERY_S
        self._writer = ListingWriter()
        self._things: list[ListedThing] = []
        self.left_out = LeftOuts()
        self._files = self._folders = self._entries = 0
        self._thing_files = self._thing_bytes = 0

    def add(self, root: str) -> None:
        """A path that a person named. Raises ScanError, OSError and TooLong."""
        number = len(self._things)
        if number >= MAX_THINGS_IN_OFFER:
            raise ScanError(ErrorCode.TOO_LARGE, TOO_MANY)
        root, name, status = root_status(root)
        self._thing_files = self._thing_bytes = 0
        folders_before = self._folders
        if stat.S_ISREG(status.st_mode):
            self._write(number, [], [self._file(name, status)])
        else:
            self._walk(number, root, name)
        if self._thing_bytes > MAX_FILE_BYTES:
            raise ScanError(ErrorCode.TOO_LARGE, ALL_TOO_LARGE)
        folders = self._folders - folders_before
        self._things.append(ListedThing(name, self._thing_files, self._thing_bytes, folders))

    def finish(self) -> OfferedListing:
        """Everything is listed. Raises OSError and TooLong."""
        for page in self._writer.finish():
            self._listing.write(page)
        digest = self._listing.keep()
        return OfferedListing(digest, self._listing.size_bytes, self._things)

    def _walk(self, number: int, root: str, name: str) -> None:
        waiting = [name]
        while waiting:
            path = waiting.pop().split("/")
            try:
                with os.scandir(source_path(root, path)) as found:
                    self._folders += 1
                    files_before = self._files
                    try:
                        while entries := list(islice(found, NAMES_AT_ONCE)):
                            entries.sort(key=lambda entry: entry.name)
                            self._add_entries(number, path, entries, waiting)
                    finally:
                        if self._files == files_before:
                            self._write(number, path, [])
            except OSError as error:
                if len(path) == 1:
                    raise unreadable(root, error) from None
                self.left_out.add(path, LeftOutKind.UNREADABLE)
            if self._folders + len(waiting) > MAX_LISTED_FOLDERS:
                sentence = f"{shown(root)} has more than {MAX_LISTED_FOLDERS:,} folders."
                raise ScanError(ErrorCode.TOO_LARGE, sentence)

    def _add_entries(
        self, number: int, path: list[str], entries: list[os.DirEntry[str]], waiting: list[str]
    ) -> None:
        files: list[ListedFile] = []
        for entry in entries:
            status, kind = kind_of_entry(entry, len(path) + 1)
            if kind is not None:
                self.left_out.add([*path, entry.name], kind)
            elif status is not None and stat.S_ISDIR(status.st_mode):
                waiting.append("/".join([*path, entry.name]))
            elif status is not None:
                files.append(self._file(entry.name, status))
        self._entries += len(entries)
        if self._entries > MAX_ENTRIES or self._files > MAX_LISTED_FILES:
            raise ScanError(ErrorCode.TOO_LARGE, TOO_MANY)
        if files:
            self._write(number, path, files)
        if time.monotonic() >= self._working_at:
            self._working_at = time.monotonic() + REPORT_EVERY_S
            self._working()

    def _file(self, name: str, status: os.stat_result) -> ListedFile:
        self._files += 1
        self._thing_files += 1
        self._thing_bytes += status.st_size
        executable = bool(status.st_mode & stat.S_IXUSR)
        modified_ms = max(0, status.st_mtime_ns // 1_000_000)
        return ListedFile(name, status.st_size, modified_ms, executable)

    def _write(self, number: int, path: list[str], files: list[ListedFile]) -> None:
        for page in self._writer.add(number, path, files):
            self._listing.write(page)
