"""A folder that came earlier and its new state, each with a listing or without one; no process."""

import os
from collections.abc import Iterable
from pathlib import Path

import blake3

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.file_set import FileSet
from chatnet_engine.files.listing import ListingWriter
from chatnet_engine.files.update_wire import EarlierFolder, Exchange
from chatnet_engine.io.file_folder import PARTIAL_FOLDER, Folder
from chatnet_engine.io.file_place import place
from chatnet_engine.io.file_state import fingerprint
from chatnet_engine.io.file_target import Target
from chatnet_engine.io.file_update import PrepareJob
from chatnet_protocol.ipc.offer import (
    ListedThing,
    Offer,
    OfferedFile,
    OfferedFolder,
    OfferedListing,
    encode_offer,
)
from chatnet_protocol.wire.listing import ListedFile
from file_digests import digest_of
from file_trees import OLD_S, Tree

ID, EARLIER_ID = b"n" * 16, b"e" * 16
UNTIL = "proj (until 2026-11-30)"
UMASK = 0o022

EARLIER: Tree = {"a.txt": b"a" * 3000, "b.txt": b"b", "sub/c.txt": b"c" * 50, "sub/d.txt": b""}


def write(top: Path, files: Tree) -> None:
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (OLD_S, OLD_S))


def offer_of(files: Tree, empty: Iterable[str] = ()) -> Offer:
    listed = [
        OfferedFile(["proj", *name.split("/")], len(content), OLD_S * 1000)
        for name, content in files.items()
    ]
    return Offer(listed, [OfferedFolder(["proj", *name.split("/")]) for name in empty], update=True)


def listed_offer_of(files: Tree, empty: Iterable[str] = ()) -> tuple[Offer, bytes]:
    """The same with a listing, which has the files in the order of `files`."""
    writer, pages = ListingWriter(), b""
    folders: set[tuple[str, ...]] = {("proj",)}
    for name, content in [*files.items(), *((f"{folder}/", None) for folder in empty)]:
        *path, last = ["proj", *name.split("/")]
        folders |= {tuple(path[:depth]) for depth in range(1, len(path) + 1)}
        listed = [] if content is None else [ListedFile(last, len(content), OLD_S * 1000)]
        pages += b"".join(writer.add(0, path, listed))
    pages += b"".join(writer.finish())
    thing = ListedThing("proj", len(files), sum(map(len, files.values())), len(folders))
    digest: bytes = blake3.blake3(pages).digest()
    return Offer([], listing=OfferedListing(digest, len(pages), [thing]), update=True), pages


class Copy:
    """What came earlier is in its place. `listed`: whether that had a listing, and whether what
    comes has one."""

    def __init__(
        self, inbox: Path, earlier: Tree = EARLIER, *empty: str, listed: tuple[bool, bool]
    ) -> None:
        self.inbox = inbox
        self.listings = inbox.parent / "listings"
        self.path = inbox / "proj"
        self._is_listed = listed[1]
        self.reports: list[pw.Report] = []
        """Of all that was prepared."""
        offer = self._offer(EARLIER_ID, earlier, empty, is_listed=listed[0])
        done = self.arrive(EARLIER_ID, offer, earlier)
        assert isinstance(place(placing(str(inbox), EARLIER_ID, done)), pw.Placed)
        digests = done.digests
        self.earlier = EarlierFolder("proj", done.inode, encode_offer(offer), digests, EARLIER_ID)

    def _offer(self, one: bytes, files: Tree, empty: Iterable[str], *, is_listed: bool) -> Offer:
        """With a listing, that has arrived."""
        if not is_listed:
            return offer_of(files, empty)
        offer, pages = listed_offer_of(files, empty)
        partial = self.inbox / PARTIAL_FOLDER
        partial.mkdir(parents=True, exist_ok=True)
        (partial / f"{one.hex()}-listing").write_bytes(pages)
        return offer

    def arrive(
        self, one: bytes, offer: Offer, files: Tree, have: FileSet | None = None
    ) -> pw.ThingComplete:
        """All files but those of `have`, as a job that receives does it."""
        folder = Folder(str(self.inbox), 0o755)
        target = Target(folder, one, offer, 0, manifests=str(self.listings))
        try:
            assert target.read_listing()
            for index, content in enumerate(files.values(), target.first):
                if have is None or index not in have:
                    fd = target.open(index)
                    os.truncate(fd, 0)
                    os.pwrite(fd, content, 0)
                    os.utime(fd, (OLD_S, OLD_S))
                    os.close(fd)
                    target.note_digest(index, digest_of(content))
            target.keep_names()
            [done] = target.complete(1, target.count)
        finally:
            target.close()
            folder.close()
        assert isinstance(done, pw.ThingComplete)
        return done

    def request(self, files: Tree, *empty: str) -> pw.Prepare:
        offer = self._offer(ID, files, empty, is_listed=self._is_listed)
        return pw.Prepare(7, ID, str(self.inbox), encode_offer(offer), self.earlier)

    def prepare(self, files: Tree, *empty: str) -> pw.Prepared:
        job = PrepareJob(
            self.request(files, *empty),
            UMASK,
            manifests=str(self.listings),
            report=self.reports.append,
        )
        done = job.run()
        assert isinstance(done, pw.Prepared), done
        return done

    def taken(self, done: pw.Prepared, files: Tree) -> set[str]:
        """Names of files that need not be sent."""
        names = list(files)
        return {names[index - self._is_listed] for index in FileSet(done.have)}

    @property
    def partial(self) -> Path:
        return self.inbox / PARTIAL_FOLDER / f"{ID.hex()}-0"

    def complete(self, files: Tree) -> pw.Place:
        """The new one is in the partial folder: how it is to be placed."""
        write(self.partial, files)
        folder = Folder(str(self.inbox))
        state = fingerprint(folder.fd, "proj")
        folder.close()
        exchange = Exchange("proj", self.earlier.inode, state, UNTIL)
        inode = self.partial.stat().st_ino
        return pw.Place(ID, str(self.inbox), 0, "proj (1)", "proj", inode, exchange)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.inbox.iterdir())


def placing(inbox: str, one: bytes, done: pw.ThingComplete) -> pw.Place:
    return pw.Place(one, inbox, 0, done.name, "proj", done.inode)


def change(copy: Path, how: str) -> None:
    match how:
        case "written":
            (copy / "a.txt").write_bytes(b"x" + EARLIER["a.txt"][1:])
            os.utime(copy / "a.txt", (OLD_S, OLD_S))
        case "written, not wanted any more":
            (copy / "sub/c.txt").write_bytes(b"C" * 50)
        case "added":
            (copy / "sub/mine.txt").write_bytes(b"mine")
        case "an empty folder added":
            (copy / "mine").mkdir()
        case "a link added":
            (copy / "link").symlink_to("a.txt")
        case "a pipe added":
            os.mkfifo(copy / "pipe")
        case "removed":
            (copy / "b.txt").unlink()
        case "renamed":
            (copy / "b.txt").rename(copy / "B.txt")
        case "a link instead of a file":
            (copy / "a.txt").unlink()
            (copy / "a.txt").symlink_to("b.txt")
        case _:
            (copy / "a.txt").unlink()
            (copy / "a.txt").mkdir()


CHANGES = (
    "written",
    "written, not wanted any more",
    "added",
    "an empty folder added",
    "a link added",
    "a pipe added",
    "removed",
    "renamed",
    "a link instead of a file",
    "a folder instead of a file",
)
