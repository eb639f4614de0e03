"""A disk that loses power: what a process does to files is recorded, and what would be left of it
is rebuilt for a cut after every step.

Steps are the calls of `os` that make, move, remove and sync files and folders. A file's bytes count
from its own sync on, a name from the sync of its folder. What was not synced may be there or not:

    synced   only what was synced
    no names   names that were not synced are lost, bytes are there
    no data    names are there, bytes that were not synced are lost: files of length zero
    all        everything is there, as after a kill of the process
    some       names are there, and of the bytes each file's by chance

A rename is one step: it happened or it did not, as on every file system with a journal, unless
just one of its two folders was synced. SQLite writes from C, and syncs its own files before a
commit returns: databases that it opened for writing, and what it keeps beside them, have the bytes
that they have at the cut, and side files their names; the name of a database is its maker's
business.
"""

import contextlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any
from unittest.mock import patch

from chatnet_engine.io import renaming

VARIANTS = ("synced", "no names", "no data", "all", "some")
SIDE_FILES = ("-wal", "-shm", "-journal")
LOST = "-shm"
"""Never on a disk: SQLite makes it anew."""
MAX_WRITTEN = 50_000
"""Bytes of one call: this disk takes a part of larger ones."""

Names = dict[int, dict[str, int]]
Contents = dict[int, bytes]


@dataclass(slots=True)
class Point:
    """The disk after one step; `said` counts what the process had promised before."""

    step: str
    said: int
    names: Names
    contents: Contents
    synced_names: Names
    synced_contents: Contents


@dataclass(slots=True)
class Recorder:
    """Records below `root` while `recording()`; `said` is what must hold from then on."""

    root: Path
    said: list[object] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    _names: Names = field(default_factory=dict)
    _synced_names: Names = field(default_factory=dict)
    _synced_contents: Contents = field(default_factory=dict)
    _contents: Contents = field(default_factory=dict)
    _root_inode: int = 0
    _held: dict[int, int] = field(default_factory=dict)
    """A descriptor of everything ever seen: no inode number is used again."""
    _databases: set[str] = field(default_factory=set)
    _managed: set[int] = field(default_factory=set)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def say(self, promise: object) -> None:
        """Something that a user or a peer relies on from now on."""
        with self._lock:
            self.said.append(promise)
            self._point(f"said {promise}"[:60])

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Everything below the root so far counts as synced."""
        self._look()
        self._root_inode = os.lstat(self.root).st_ino
        self._synced_names = {folder: dict(names) for folder, names in self._names.items()}
        self._synced_contents = dict(self._contents)
        with contextlib.ExitStack() as undo:
            for name in ("mkdir", "rename", "replace", "link", "unlink", "rmdir", "ftruncate"):
                undo.enter_context(patch.object(os, name, self._step(name)))
            rename = self._step("_renameat2", module=renaming)
            undo.enter_context(patch.object(renaming, "_renameat2", rename))
            undo.enter_context(patch.object(os, "open", self._step("open", _makes)))
            undo.enter_context(patch.object(os, "pwritev", self._write(os.pwritev)))
            for name in ("fsync", "fdatasync"):
                undo.enter_context(patch.object(os, name, self._sync(name)))
            undo.enter_context(patch.object(sqlite3, "connect", self._connect(sqlite3.connect)))
            self._point("start")
            try:
                yield
            finally:
                self._point("end")
        for fd in self._held.values():
            os.close(fd)

    def _step(
        self,
        name: str,
        counts: Callable[..., bool] = lambda *args, **named: True,
        module: ModuleType = os,
    ) -> Callable[..., Any]:
        real = getattr(module, name)

        def call(*args: Any, **named: Any) -> Any:
            with self._lock:
                result = real(*args, **named)
                if counts(*args, **named):
                    self._point(f"{name} {args[0]}")
                return result

        return call

    def _write(self, real: Callable[..., int]) -> Callable[..., int]:
        def call(fd: int, bodies: list[Any], offset: int) -> int:
            room, part = MAX_WRITTEN, []
            for body in bodies:
                part.append(body[:room])
                room -= len(part[-1])
            with self._lock:
                written = real(fd, part, offset)
                self._point("write")
                return written

        return call

    def _sync(self, name: str) -> Callable[[int], None]:
        def call(fd: int) -> None:
            with self._lock:
                self._point(f"before {name}")
                inode = os.fstat(fd).st_ino
                if inode in self._names:
                    self._synced_names[inode] = dict(self._names[inode])
                elif inode in self._contents:
                    self._synced_contents[inode] = self._contents[inode]
                self._point(name)

        return call

    def _connect(self, real: Callable[..., sqlite3.Connection]) -> Callable[..., Any]:
        def call(name: str, *args: Any, **named: Any) -> Any:
            if "mode=ro" not in name and os.path.isabs(name):
                self._databases.add(name)
            return real(name, *args, **named)

        return call

    def _point(self, step: str) -> None:
        self._look()
        self.points.append(
            Point(
                step,
                len(self.said),
                self._names,
                dict(self._contents),
                dict(self._synced_names),
                self._synced_contents | {i: self._contents[i] for i in self._managed},
            )
        )

    def _look(self) -> None:
        self._names = {}
        self._look_into(str(self.root))

    def _look_into(self, folder: str) -> int:
        inode = self._hold(folder)
        names = self._names[inode] = {}
        for name in _REAL_LISTDIR(folder):
            path = f"{folder}/{name}"
            if name.endswith(LOST):
                continue
            if stat.S_ISDIR(os.lstat(path).st_mode):
                names[name] = self._look_into(path)
                continue
            names[name] = file = self._hold(path)
            self._contents[file] = os.pread(self._held[file], 1 << 24, 0)
            if path in self._databases:
                self._managed.add(file)
            elif any(path == base + end for base in self._databases for end in SIDE_FILES):
                self._managed.add(file)
                synced = self._synced_names.get(inode, {})
                self._synced_names[inode] = {**synced, name: file}
        return inode

    def _hold(self, path: str) -> int:
        inode = os.lstat(path).st_ino
        if inode not in self._held:
            self._held[inode] = _REAL_OPEN(path, os.O_RDONLY | os.O_CLOEXEC)
        return inode

    def rebuild(self, point: Point, variant: str, target: Path, seed: int = 0) -> None:
        """What is left at `point`, made in the empty folder `target`."""
        random = Random(seed)
        names = point.synced_names if variant in ("synced", "no names") else point.names
        made: dict[int, Path] = {}

        def content(file: int) -> bytes:
            synced = point.synced_contents.get(file, b"")
            if variant in ("synced", "no data") or (variant == "some" and random.random() < 0.5):
                return synced
            return point.contents.get(file, synced)

        def make(folder: int, path: Path) -> None:
            for name, inode in sorted(names.get(folder, {}).items()):
                below = path / name
                if inode in point.contents:
                    if inode in made:
                        os.link(made[inode], below)
                        continue
                    made[inode] = below
                    below.write_bytes(content(inode))
                    below.chmod(0o600)
                else:
                    below.mkdir(0o700)
                    make(inode, below)

        make(self._root_inode, target)


_REAL_OPEN = os.open
_REAL_LISTDIR = os.listdir


def _makes(path: object, flags: int, *args: Any, **named: Any) -> bool:
    return bool(flags & (os.O_CREAT | os.O_TRUNC))
