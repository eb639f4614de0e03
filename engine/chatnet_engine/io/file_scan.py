"""Lists what is behind the paths somebody wants to send.

Folders are walked; links inside them are not followed. Only regular files can be sent: a pipe or
a device would block or never end. What was named by a person can be sent or is refused; what is
inside a named folder and cannot be sent is left out, counted, and the first of it named.
"""

import os
import stat

from chatnet_engine.files.names import shown, shown_path
from chatnet_engine.files.process_wire import Scanned, ScannedFile
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.offer import LeftOut, LeftOutKind, OfferedFolder
from chatnet_protocol.limits import (
    MAX_FILE_BYTES,
    MAX_FILES_IN_OFFER,
    MAX_FOLDERS_IN_OFFER,
    MAX_LEFT_OUT_NAMED,
    MAX_OFFER_BYTES,
    MAX_PATH_COMPONENTS,
)
from chatnet_protocol.text import is_text

MAX_ENTRIES = 100_000
"""Directory entries looked at before the files are listed as if they were many."""


class ScanError(Exception):
    """Why there is no list: an ErrorCode and one sentence."""

    def __init__(self, code: ErrorCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class TooMany(Exception):
    """More than an offer itself can list."""


def scan(transfer_id: bytes, roots: list[str]) -> Scanned:
    """The report for a Scan request. Raises TooMany for what needs a listing."""
    found = _Scan()
    try:
        for number, root in enumerate(roots):
            found.add(number, root)
    except ScanError as error:
        return failed(transfer_id, error)
    return Scanned(
        transfer_id,
        found.files,
        folders=found.folders,
        left_out=found.left_out.count,
        left_out_named=found.left_out.named,
    )


def failed(transfer_id: bytes, error: ScanError) -> Scanned:
    """There is no list."""
    return Scanned(transfer_id, [], error.code.value, error.sentence)


def source_path(root: str, components: list[str]) -> str:
    """Absolute path of a scanned file."""
    return os.path.join(os.path.dirname(root.rstrip("/")), *components)


class LeftOuts:
    """What is not sent, and the first of it by name."""

    def __init__(self) -> None:
        self.count = 0
        self.named: list[LeftOut] = []

    def add(self, path: list[str], kind: LeftOutKind) -> None:
        """One more."""
        self.count += 1
        if len(self.named) < MAX_LEFT_OUT_NAMED:
            self.named.append(LeftOut(shown_path(path), kind.value))


def root_status(root: str) -> tuple[str, str, os.stat_result]:
    """The path that a person named, its last component, and what it is: a file or a folder that
    can be sent. Raises ScanError."""
    root = root.rstrip("/")
    name = os.path.basename(root)
    try:
        status = os.stat(root or "/")
    except (OSError, ValueError) as error:
        raise unreadable(root, error) from None
    if stat.S_ISREG(status.st_mode):
        if (kind := _refusal(name, root, status)) is not None:
            raise refused(root, kind)
    elif stat.S_ISDIR(status.st_mode) and root:
        if not is_text(name):
            raise refused(root, LeftOutKind.NAME)
    else:
        sentence = f"{shown(root or '/')} is no file and no folder to send."
        raise ScanError(ErrorCode.FILE, sentence)
    return root, name, status


def kind_of_entry(
    entry: os.DirEntry[str], depth: int
) -> tuple[os.stat_result | None, LeftOutKind | None]:
    """What an entry of a folder is, and why it is left out; None: it is not. `depth`: how many
    components its path has."""
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return None, LeftOutKind.UNREADABLE
    if depth > MAX_PATH_COMPONENTS:
        return status, LeftOutKind.DEEP
    if stat.S_ISLNK(status.st_mode):
        return status, LeftOutKind.LINK
    if stat.S_ISDIR(status.st_mode):
        return status, None if is_text(entry.name) else LeftOutKind.NAME
    if not stat.S_ISREG(status.st_mode):
        return status, LeftOutKind.SPECIAL
    return status, _refusal(entry.name, entry.path, status)


class _Scan:
    """What has been found so far."""

    def __init__(self) -> None:
        self.files: list[ScannedFile] = []
        self.folders: list[OfferedFolder] = []
        self.left_out = LeftOuts()
        self._size_bytes = 0

    def add(self, number: int, root: str) -> None:
        """A path that a person named. Raises ScanError."""
        root, name, status = root_status(root)
        if stat.S_ISREG(status.st_mode):
            self._add_file(number, [name], status)
        else:
            self._walk(number, root, name)

    def _walk(self, number: int, root: str, name: str) -> None:
        waiting: list[list[str]] = [[name]]
        entered: list[list[str]] = []
        first, seen = len(self.files), 0
        while waiting:
            components = waiting.pop()
            try:
                with os.scandir(source_path(root, components)) as found:
                    entries = sorted(found, key=lambda entry: entry.name)
            except OSError as error:
                if len(components) == 1:
                    raise unreadable(root, error) from None
                self.left_out.add(components, LeftOutKind.UNREADABLE)
                continue
            entered.append(components)
            seen += len(entries)
            if seen > MAX_ENTRIES:
                raise TooMany
            for entry in entries:
                self._add_entry(number, [*components, entry.name], entry, waiting)
        self._add_empty(number, entered, [file.path[:-1] for file in self.files[first:]])

    def _add_empty(self, number: int, entered: list[list[str]], used: list[list[str]]) -> None:
        """Those of the folders in which nothing is sent; `used`: where something is."""
        full: set[tuple[str, ...]] = set()
        for path in used:
            full.update(tuple(path[:depth]) for depth in range(1, len(path) + 1))
        for path in sorted(entered, key=len, reverse=True):
            if tuple(path) in full:
                continue
            self._count(path)
            self.folders.append(OfferedFolder(path, number))
            full.update(tuple(path[:depth]) for depth in range(1, len(path)))
            if len(self.folders) > MAX_FOLDERS_IN_OFFER:
                raise TooMany

    def _add_entry(
        self, number: int, path: list[str], entry: os.DirEntry[str], waiting: list[list[str]]
    ) -> None:
        status, kind = kind_of_entry(entry, len(path))
        if status is None or kind is not None:
            self.left_out.add(path, kind or LeftOutKind.UNREADABLE)
        elif stat.S_ISDIR(status.st_mode):
            waiting.append(path)
        else:
            self._add_file(number, path, status)

    def _add_file(self, number: int, path: list[str], status: os.stat_result) -> None:
        self._count(path)
        executable = bool(status.st_mode & stat.S_IXUSR)
        size_bytes, modified_ns = status.st_size, status.st_mtime_ns
        self.files.append(ScannedFile(number, path, size_bytes, modified_ns, executable))
        if len(self.files) > MAX_FILES_IN_OFFER:
            raise TooMany

    def _count(self, path: list[str]) -> None:
        self._size_bytes += sum(len(name.encode()) for name in path)
        if self._size_bytes > MAX_OFFER_BYTES:
            raise TooMany


def _refusal(name: str, full: str, status: os.stat_result) -> LeftOutKind | None:
    """Why a regular file cannot be sent."""
    if not is_text(name):
        return LeftOutKind.NAME
    if not os.access(full, os.R_OK):
        return LeftOutKind.UNREADABLE
    if status.st_size > MAX_FILE_BYTES:
        return LeftOutKind.LARGE
    return None


def refused(path: str, kind: LeftOutKind) -> ScanError:
    """What a person named cannot be sent."""
    match kind:
        case LeftOutKind.NAME:
            sentence = f"The name of {shown(path)} is not valid UTF-8; rename it first."
        case LeftOutKind.LARGE:
            return ScanError(ErrorCode.TOO_LARGE, f"{shown(path)} is too large to be sent.")
        case _:
            sentence = f"{shown(path)} cannot be read: permission denied."
    return ScanError(ErrorCode.FILE, sentence)


def unreadable(path: str, error: Exception) -> ScanError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "not a valid path"
    return ScanError(ErrorCode.FILE, f"{shown(path)} cannot be read: {why.lower()}.")
