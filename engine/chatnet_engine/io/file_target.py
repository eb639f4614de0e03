"""Where the files of one offer go while they arrive, and what of it is complete."""

import contextlib
import os
import threading

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.names import safe_name, shown
from chatnet_engine.files.tree import MODERN, Tree, depends_on_disk
from chatnet_engine.io.file_folder import Folder, FolderError
from chatnet_engine.io.file_tree import FileTree
from chatnet_protocol.ipc.offer import Offer


class Target:
    """The partial files and folders of one transfer. `close` it.

    `things`: so many of the offer's are complete. Its methods raise OSError and FolderError.
    """

    def __init__(self, folder: Folder, transfer_id: bytes, offer: Offer, things: int) -> None:
        self._folder = folder
        self._id = transfer_id
        self._offer = offer
        self._things = offer.things
        self._complete = things
        self._thing_of = {
            index: number for number, thing in enumerate(self._things) for index in thing.files
        }
        self._trees: dict[int, Tree] = {}
        self._lock = threading.Lock()
        self._open: tuple[int, FileTree] | None = None
        """The folder that files arrive in."""

    def close(self) -> None:
        """What has arrived stays."""
        with self._lock:
            if self._open is not None:
                self._open[1].close()
                self._open = None

    def open(self, index: int) -> int:
        """Descriptor of a file, which may hold bytes already."""
        number = self._thing_of[index]
        if not self._things[number].is_folder:
            return self._folder.open_partial(self._id, number)
        with self._lock:
            tree = self._enter(number)
            return tree.open_file(self._tree(number, tree).files[index])

    def keep_names(self) -> None:
        """Make durable that everything that has arrived is found."""
        with self._lock:
            tree = self._open[1] if self._open else None
        if tree is not None:
            tree.keep_names()
        self._folder.keep_partials()

    def first_missing(self, end: int) -> int:
        """The first of `end` files that is not here with all its bytes; `end`: none."""
        for number in range(self._complete, len(self._things)):
            files = [index for index in self._things[number].files if index < end]
            if not files:
                continue
            if not self._things[number].is_folder:
                found = self._folder.partial(self._id, number)
                if found is None or found.st_size != self._offer.files[files[0]].size_bytes:
                    end = min(end, files[0])
                continue
            with contextlib.closing(self._folder.open_tree(self._id, number)) as tree:
                names = self._tree(number, tree).files
                for index in files:
                    if tree.size_of(names[index]) != self._offer.files[index].size_bytes:
                        end = min(end, index)
                        break
        return end

    def complete(self, job: int, files: int) -> list[pw.Report]:
        """So many files are durable: what else is complete with them."""
        reports: list[pw.Report] = []
        while self._complete < len(self._things) and self._things[self._complete].end <= files:
            reports.append(self._complete_thing(job, self._complete))
            self._complete += 1
        return reports

    def _complete_thing(self, job: int, number: int) -> pw.ThingComplete:
        thing = self._things[number]
        name = self._folder.free_name(safe_name(thing.name), is_folder=thing.is_folder)
        if not thing.is_folder:
            found = self._folder.partial(self._id, number)
            if found is None:
                raise _gone(thing.name)
            return pw.ThingComplete(job, number, name, found.st_ino)
        with contextlib.closing(self._folder.open_tree(self._id, number)) as tree:
            names = self._tree(number, tree)
            tree.make_folders(names.folders)
            inodes: set[int] = set()
            for index, path in names.files.items():
                if tree.size_of(path) != self._offer.files[index].size_bytes:
                    raise _gone(thing.name)
                inodes.add(tree.inode_of(path))
            if len(inodes) != len(names.files):
                raise FolderError(f"Two files of {shown(thing.name)} have one name on this disk.")
            inode = tree.finish()
        self._folder.keep_partials()
        return pw.ThingComplete(job, number, name, inode, names.renamed, names.renamed_named)

    def _enter(self, number: int) -> FileTree:
        if self._open is None or self._open[0] != number:
            if self._open is not None:
                self._open[1].keep_names()
                self._open[1].close()
                self._open = None
            self._open = number, self._folder.open_tree(self._id, number)
        return self._open[1]

    def _tree(self, number: int, tree: FileTree) -> Tree:
        if number not in self._trees:
            thing = self._things[number]
            disk = tree.probe() if depends_on_disk(self._offer, thing) else MODERN
            self._trees[number] = Tree(self._offer, thing, disk)
        return self._trees[number]


def _gone(name: str) -> FolderError:
    sentence = f"Parts of {shown(name)} have disappeared while it arrived; they are fetched again."
    return FolderError(sentence, full=True)


def mode_of(executable: bool, umask: int) -> int:
    """Of a received file: never set-uid, set-gid or sticky."""
    return (0o777 if executable else 0o666) & ~umask


def modified_ns(modified_ms: int, now_ms: int) -> int | None:
    """When a received file was last changed; None: the time of its arrival says more."""
    return modified_ms * 1_000_000 if 0 < modified_ms <= now_ms else None


def set_facts(fd: int, executable: bool, modified_ms: int, umask: int, now_ns: int) -> None:
    """Mode and time of a complete file. Raises OSError."""
    os.fchmod(fd, mode_of(executable, umask))
    time_ns = modified_ns(modified_ms, now_ns // 1_000_000)
    if time_ns is not None:
        with contextlib.suppress(OSError):  # a file system that cannot hold this time
            os.utime(fd, ns=(now_ns, time_ns))
