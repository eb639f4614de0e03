"""Where the files of one offer go while they arrive, and what of it is complete."""

import contextlib
import logging
import os
import threading
from array import array
from collections.abc import Iterator, Mapping

import blake3

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.contents import Contents, InlineContents, ListedContents
from chatnet_engine.files.names import safe_name, shown
from chatnet_engine.files.tree import Disk
from chatnet_engine.io.file_folder import LISTING, Folder, FolderError
from chatnet_engine.io.file_manifest import NewManifest, forget_new
from chatnet_engine.io.file_tree import FileTree
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import Offer, OfferedFile
from chatnet_protocol.ipc.reasons import TransferReason

logger = logging.getLogger(__name__)

HASH_BYTES = 1024 * 1024


class Target:
    """The partial files and folders of one transfer. `close` it.

    `things`: so many of the offer's are complete. Files are numbered as on a connection: a listing
    is the first. Its methods raise OSError and FolderError.
    """

    def __init__(
        self,
        folder: Folder,
        transfer_id: bytes,
        offer: Offer,
        things: int,
        digests: Mapping[int, bytes] | None = None,
        manifests: str = "",
    ) -> None:
        """`digests`: of files that are here already, unless their manifest has them. `manifests`:
        folder for that of a single folder with a listing; without one there is none."""
        self._folder = folder
        self._id = transfer_id
        self._offer = offer
        self._things = offer.things
        self._complete = things
        self._digests = dict(digests or {})
        is_single = len(self._things) == 1 and self._things[0].is_folder
        self._remembers = is_single and offer.listing is None
        """Whether the digests are reported: of a single folder without a listing."""
        self._manifests = manifests if is_single and offer.listing is not None else ""
        self._manifest: NewManifest | None = None
        """Where the digests of one with a listing are."""
        self._listing_fd = -1
        self.first = 0 if offer.listing is None else 1
        """Number of the first file that is not a listing."""
        self.count = self.first + offer.file_count
        self.sizes = array("q")
        """Of all files; of a listing alone, until it is here."""
        self._contents: Contents | None = None
        if offer.listing is None:
            self._adopt(InlineContents(offer))
        else:
            self.sizes.append(offer.listing.size_bytes)
        self._lock = threading.Lock()
        self._open: tuple[int, FileTree] | None = None
        """The folder that files arrive in."""

    def close(self) -> None:
        """What has arrived stays."""
        with self._lock:
            if self._open is not None:
                self._open[1].close()
                self._open = None
            if self._listing_fd >= 0:
                os.close(self._listing_fd)
                self._listing_fd = -1
            self._close_manifest()

    def offered(self, index: int) -> OfferedFile:
        """A file, as it was offered."""
        if index < self.first:
            return OfferedFile([], self.sizes[0])
        return self._known.offered(index - self.first)

    def offered_path(self, index: int) -> list[str]:
        """Where a file is at its sender, from the offered folder on, whose name comes first."""
        return self._known.offered_path(index - self.first)

    @property
    def is_listed(self) -> bool:
        """Which files there are is known."""
        return self._contents is not None

    def note_digest(self, index: int, digest: bytes) -> None:
        """A file has arrived."""
        if self._remembers:
            self._digests[index] = digest
        elif self._manifest is not None and index >= self.first:
            with self._forgetting():
                self._manifest.note(index - self.first, digest)

    def open(self, index: int) -> int:
        """Descriptor of a file, which may hold bytes already."""
        if index < self.first:
            return self._folder.open_partial(self._id, LISTING)
        number = self._known.thing_of(index - self.first)
        if not self._things[number].is_folder:
            return self._folder.open_partial(self._id, number)
        with self._lock:
            tree = self._enter(number)
            return tree.open_file(self._known.path(number, index - self.first))

    def size_of(self, index: int) -> int | None:
        """Of a file in a folder; None while there is none."""
        number = self._known.thing_of(index - self.first)
        with self._lock:
            tree = self._enter(number)
            return tree.size_of(self._known.path(number, index - self.first))

    def remove(self, index: int) -> None:
        """A file in a folder is not what it should be."""
        number = self._known.thing_of(index - self.first)
        with self._lock:
            self._enter(number).remove_file(self._known.path(number, index - self.first))

    def probe(self, number: int) -> Disk:
        """What names are like where this folder arrives."""
        with self._lock:
            return self._enter(number).probe()

    def read_listing(self) -> bool:
        """It should be here, as it was offered: whether it is. Raises FolderError for one that no
        offer may have."""
        offered = self._offer.listing
        if offered is None or self._contents is not None:
            return True
        fd = self._folder.open_partial(self._id, LISTING)
        hasher, offset = blake3.blake3(), 0
        while data := os.pread(fd, HASH_BYTES, offset):
            hasher.update(data)
            offset += len(data)
        if offset != offered.size_bytes or hasher.digest() != offered.digest:
            os.close(fd)
            return False
        self._listing_fd = fd
        try:
            read = lambda offset, size: os.pread(fd, size, offset)  # noqa: E731
            self._adopt(ListedContents(self._things, offered, read))
        except DecodeError:
            raise FolderError(TransferReason.LIST_WRONG) from None
        if self._manifests:
            with self._forgetting():
                self._manifest = NewManifest(self._manifests, self._id, self._offer.file_count)
        return True

    def keep_names(self) -> None:
        """Make durable that everything that has arrived is found."""
        with self._lock:
            tree = self._open[1] if self._open else None
        if tree is not None:
            tree.keep_names()
        self._folder.keep_partials()

    def first_missing(self, end: int) -> int:
        """The first of `end` files that is not here with all its bytes; `end`: none."""
        if end < self.first or not self.read_listing():
            return 0
        return self.first + self._first_missing(end - self.first)

    def _first_missing(self, end: int) -> int:
        for number in range(self._complete, len(self._things)):
            thing = self._things[number]
            if not thing.files or thing.files[0] >= end:
                continue
            if not thing.is_folder:
                found = self._folder.partial(self._id, number)
                if found is None or found.st_size != self._known.sizes[thing.files[0]]:
                    end = thing.files[0]
                continue
            with contextlib.closing(self._folder.open_tree(self._id, number)) as tree:
                self._prepare(number, tree)
                end = self._first_missing_in(tree, number, end)
        return end

    def _first_missing_in(self, tree: FileTree, number: int, end: int) -> int:
        at = 0
        files = self._things[number].files
        for folder, named in self._known.walk(number):
            for name, size_bytes in named:
                if files[at] >= end:
                    return end
                if tree.size_of([*folder, name]) != size_bytes:
                    return files[at]
                at += 1
        return end

    def complete(self, job: int, files: int) -> list[pw.Report]:
        """So many files are durable: what else is complete with them."""
        reports: list[pw.Report] = []
        if self._contents is None:
            return reports
        while (
            self._complete < len(self._things)
            and self._things[self._complete].end <= files - self.first
        ):
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
            self._prepare(number, tree)
            inodes = array("Q")
            for folder, named in self._known.walk(number):
                tree.make_folders([folder])
                for file_name, size_bytes in named:
                    found = tree.status_of([*folder, file_name])
                    if found is None or found.st_size != size_bytes:
                        raise _gone(thing.name)
                    inodes.append(found.st_ino)
            by_inode = sorted(inodes)
            if any(by_inode[at] == by_inode[at - 1] for at in range(1, len(by_inode))):
                raise FolderError(TransferReason.SAME_NAME, shown(thing.name))
            digests = self._digests_of(number, tree) if self._remembers else b""
            self._keep_manifest(tree)
            inode = tree.finish()
        self._folder.keep_partials()
        renamed, named_ones = self._known.renamed(number)
        return pw.ThingComplete(job, number, name, inode, renamed, named_ones, digests)

    def _digests_of(self, number: int, tree: FileTree) -> bytes:
        """Of the files of a folder, in their order; what came with an earlier job is read."""
        return b"".join(
            self._digests.get(index) or tree.digest_of(self._known.path(number, index))
            for index in self._things[number].files
        )

    def _keep_manifest(self, tree: FileTree) -> None:
        """Everything of a single folder is here; what came with an earlier job may have to be
        read."""
        if self._manifest is None:
            return
        unknown = array("q")
        with self._forgetting():
            unknown.extend(self._manifest.unknown())
        for index in unknown:
            self.note_digest(self.first + index, tree.digest_of(self._known.path(0, index)))
        if self._manifest is not None:
            with self._forgetting():
                self._manifest.keep(self._listing_fd)
                self._close_manifest()

    @contextlib.contextmanager
    def _forgetting(self) -> Iterator[None]:
        """Where the manifest cannot be written, the folder arrives without one."""
        try:
            yield
        except OSError as error:
            logger.warning("no digests are kept of a received folder: %s", error.strerror)
            self._close_manifest()
            forget_new(self._manifests, self._id)
            self._manifests = ""

    def _close_manifest(self) -> None:
        manifest, self._manifest = self._manifest, None
        if manifest is not None:
            manifest.close()

    @property
    def _known(self) -> Contents:
        assert self._contents is not None
        return self._contents

    def _adopt(self, contents: Contents) -> None:
        self._contents = contents
        self.sizes.extend(contents.sizes)

    def _enter(self, number: int) -> FileTree:
        if self._open is None or self._open[0] != number:
            if self._open is not None:
                self._open[1].keep_names()
                self._open[1].close()
                self._open = None
            self._open = number, self._folder.open_tree(self._id, number)
            self._prepare(number, self._open[1])
        return self._open[1]

    def _prepare(self, number: int, tree: FileTree) -> None:
        try:
            self._known.prepare(number, tree.probe)
        except DecodeError:
            raise FolderError(TransferReason.LIST_WRONG) from None


def _gone(name: str) -> FolderError:
    """They are fetched again."""
    return FolderError(TransferReason.PARTS_GONE, shown(name), full=True)


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
        try:
            os.utime(fd, ns=(now_ns, time_ns))
        except OSError:
            return  # a file system that cannot hold this time
