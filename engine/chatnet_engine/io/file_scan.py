"""Lists what is behind the paths somebody wants to send.

Folders are walked; links inside them are not followed. Only regular files can be sent: a pipe or
a device would block or never end.
"""

import os
import stat
from collections.abc import Iterator

from chatnet_engine.files.names import shown
from chatnet_engine.files.offering import TOO_LONG
from chatnet_engine.files.process_wire import Scanned, ScannedFile
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.limits import (
    MAX_FILE_BYTES,
    MAX_FILES_IN_OFFER,
    MAX_OFFER_BYTES,
    MAX_PATH_COMPONENTS,
)
from chatnet_protocol.text import is_text

MAX_ENTRIES = 100_000
"""Directory entries looked at, so that a folder of empty folders ends too."""


class ScanError(Exception):
    """Why there is no list: an ErrorCode and one sentence."""

    def __init__(self, code: ErrorCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def scan(transfer_id: bytes, roots: list[str]) -> Scanned:
    """The report for a Scan request, never longer than an offer of these files could be.

    Stops one file after the limit, for the caller to refuse.
    """
    files: list[ScannedFile] = []
    size = 0
    try:
        for number, root in enumerate(roots):
            for file in _files_of(number, root):
                files.append(file)
                if len(files) > MAX_FILES_IN_OFFER:
                    return Scanned(transfer_id, files)
                size += sum(len(name.encode()) for name in file.path)
                if size > MAX_OFFER_BYTES:
                    raise ScanError(ErrorCode.TOO_LARGE, TOO_LONG)
        if not files:
            raise ScanError(ErrorCode.FILE, "There are no files in there.")
    except ScanError as error:
        return Scanned(transfer_id, [], error.code.value, error.sentence)
    return Scanned(transfer_id, files)


def source_path(root: str, components: list[str]) -> str:
    """Absolute path of a scanned file."""
    return os.path.join(os.path.dirname(root.rstrip("/")), *components)


def _files_of(number: int, root: str) -> Iterator[ScannedFile]:
    root = root.rstrip("/")
    try:
        status = os.stat(root or "/")
    except (OSError, ValueError) as error:
        raise _unreadable(root, error) from None
    if stat.S_ISREG(status.st_mode):
        yield _scanned(number, [os.path.basename(root)], root, status)
    elif stat.S_ISDIR(status.st_mode) and root:
        yield from _walk(number, root)
    else:
        raise ScanError(ErrorCode.FILE, f"{shown(root or '/')} is no file and no folder to send.")


def _walk(number: int, root: str) -> Iterator[ScannedFile]:
    waiting: list[list[str]] = [[os.path.basename(root)]]
    seen = 0
    while waiting:
        components = waiting.pop()
        folder = source_path(root, components)
        if len(components) >= MAX_PATH_COMPONENTS:
            raise ScanError(ErrorCode.TOO_LARGE, f"{shown(folder)} is nested too deep to be sent.")
        try:
            with os.scandir(folder) as entries:
                names = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise _unreadable(folder, error) from None
        for entry in names:
            seen += 1
            if seen > MAX_ENTRIES:
                raise ScanError(ErrorCode.TOO_LARGE, f"{shown(root)} has too many entries.")
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:
                raise _unreadable(entry.path, error) from None
            if stat.S_ISDIR(status.st_mode):
                waiting.append([*components, entry.name])
            elif stat.S_ISREG(status.st_mode):
                yield _scanned(number, [*components, entry.name], entry.path, status)


def _scanned(number: int, path: list[str], full: str, status: os.stat_result) -> ScannedFile:
    if not is_text(full):
        raise ScanError(
            ErrorCode.FILE, f"The name of {shown(full)} is not valid UTF-8; rename it first."
        )
    if not os.access(full, os.R_OK):
        raise ScanError(ErrorCode.FILE, f"{shown(full)} cannot be read: permission denied.")
    if status.st_size > MAX_FILE_BYTES:
        raise ScanError(ErrorCode.TOO_LARGE, f"{shown(full)} is too large to be sent.")
    return ScannedFile(number, path, status.st_size, status.st_mtime_ns)


def _unreadable(path: str, error: Exception) -> ScanError:
    why = error.strerror if isinstance(error, OSError) and error.strerror else "not a valid path"
    return ScanError(ErrorCode.FILE, f"{shown(path)} cannot be read: {why.lower()}.")
