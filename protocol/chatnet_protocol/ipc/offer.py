"""What an OFFER message holds: the files and folders somebody wants to send."""

import enum
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import (
    MAX_FILE_BYTES,
    MAX_FILES_IN_OFFER,
    MAX_FOLDERS_IN_OFFER,
    MAX_LEFT_OUT_NAMED,
    MAX_LISTED_FILES,
    MAX_LISTED_FOLDERS,
    MAX_LISTING_BYTES,
    MAX_OFFER_BYTES,
    MAX_PATH_COMPONENTS,
    MAX_SHOWN_PATH_BYTES,
    MAX_THINGS_IN_OFFER,
)

LISTING_DIGEST_BYTES = 32
"""BLAKE3 of the whole listing."""


class OfferedFile(Struct, array_like=True, gc=False, frozen=True):
    """One file: path components below the receiver's folder (hostile until made safe), size."""

    path: list[str]
    size_bytes: int
    modified_ms: int = 0
    """0: not known."""
    executable: bool = False
    root: int = 0
    """Number of the offered thing it belongs to: two folders may have one name."""


class OfferedFolder(Struct, array_like=True, gc=False, frozen=True):
    """A folder with nothing in it; its parents are implied."""

    path: list[str]
    root: int = 0


class LeftOutKind(enum.StrEnum):
    """Why something in an offered folder is not sent."""

    LINK = "link"
    SPECIAL = "special"
    """A pipe, socket or device."""
    UNREADABLE = "unreadable"
    NAME = "name"
    """Its name is not valid UTF-8."""
    DEEP = "deep"
    LARGE = "large"


class LeftOut(Struct, array_like=True, gc=False, frozen=True):
    """One file or folder that is not sent. `path` is made harmless for one line by its sender."""

    path: str
    kind: str
    """A LeftOutKind value; readers take an unknown one as it is."""


class ListedThing(Struct, array_like=True, gc=False, frozen=True):
    """One file or folder that a person chose, in an offer whose listing follows."""

    name: str
    files: int
    size_bytes: int
    """All its files together."""
    folders: int = 0
    """How many folders it makes on a disk, itself included; 0: it is a file."""


class OfferedListing(Struct, array_like=True, gc=False, frozen=True):
    """The list of files is not in the offer: it is sent before them (`wire.listing`)."""

    digest: bytes
    size_bytes: int
    """Of the listing itself."""
    things: list[ListedThing]
    """In the order of the listing; its `root` numbers count them."""


class OfferedThing(NamedTuple):
    """What a person chose to send: one file, or a folder with everything in it."""

    name: str
    is_folder: bool
    files: Sequence[int]
    """Indexes into the offer's files, or into those of its listing."""
    folders: list[int]
    """Indexes into the offer's folders; none with a listing."""
    root: int = 0
    """With a listing: its number there."""

    @property
    def end(self) -> int:
        """When so many files of the offer have arrived, all of this one's have."""
        return self.files[-1] + 1 if self.files else 0


class Offer(Struct, array_like=True, gc=False, frozen=True):
    """Body of an OFFER message."""

    files: list[OfferedFile]
    folders: list[OfferedFolder] = []
    left_out: int = 0
    """How many files, links and folders inside the offered folders are not sent."""
    left_out_named: list[LeftOut] = []
    """The first of them."""
    listing: OfferedListing | None = None
    """Instead of `files` and `folders`, where they do not fit."""
    update: bool = False
    """It is the new state of a folder that was offered earlier under the same name."""

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(
            file.size_bytes for file in (self.listing.things if self.listing else self.files)
        )

    @property
    def file_count(self) -> int:
        """How many files, those in folders included."""
        if self.listing is None:
            return len(self.files)
        return sum(thing.files for thing in self.listing.things)

    @property
    def entries(self) -> int:
        """How many files and folders it makes on a disk, implied folders included."""
        if self.listing is not None:
            return self.file_count + sum(thing.folders for thing in self.listing.things)
        top: dict[object, Any] = {}
        folders = 0
        parents = [(file.root, file.path[:-1]) for file in self.files]
        for root, path in [*parents, *((folder.root, folder.path) for folder in self.folders)]:
            node = top.setdefault(root, {})
            for name in path:
                if name not in node:
                    node[name] = {}
                    folders += 1
                node = node[name]
        return len(self.files) + folders

    @property
    def things(self) -> list[OfferedThing]:
        """The offered files and folders, in the order in which they are complete."""
        if self.listing is not None:
            return _listed_things(self.listing.things)
        found: dict[tuple[int, str], tuple[list[int], list[int]]] = {}
        single: list[OfferedThing] = []
        for index, file in enumerate(self.files):
            if len(file.path) == 1:
                single.append(OfferedThing(file.path[0], False, [index], []))
            else:
                self._folder(found, file.root, file.path)[0].append(index)
        for index, folder in enumerate(self.folders):
            self._folder(found, folder.root, folder.path)[1].append(index)
        several = [
            OfferedThing(name, True, files, folders)
            for (_, name), (files, folders) in found.items()
        ]
        return sorted([*several, *single], key=lambda thing: thing.end)

    @staticmethod
    def _folder(
        found: dict[tuple[int, str], tuple[list[int], list[int]]], root: int, path: list[str]
    ) -> tuple[list[int], list[int]]:
        return found.setdefault((root, path[0]), ([], []))


def _listed_things(listed: list[ListedThing]) -> list[OfferedThing]:
    things: list[OfferedThing] = []
    first = 0
    for root, one in enumerate(listed):
        files = range(first, first := first + one.files)
        things.append(OfferedThing(one.name, one.folders > 0, files, [], root))
    return sorted(things, key=lambda thing: thing.end)


def is_one_folder(offer: Offer) -> bool:
    """Whether it offers one folder and nothing else."""
    things = offer.things
    return len(things) == 1 and things[0].is_folder


def encode_offer(offer: Offer) -> bytes:
    """The body bytes of an OFFER message."""
    return codec.pack(offer)


def decode_offer(body: bytes) -> Offer:
    """The offer in `body`. Raises DecodeError when malformed or over a limit."""
    offer = codec.unpack(body, Offer, MAX_OFFER_BYTES)
    if offer.listing is not None:
        _check_listing(offer, offer.listing)
    elif not (offer.files or offer.folders) or len(offer.files) > MAX_FILES_IN_OFFER:
        raise DecodeError("an offer holds between 1 and 1,000 files")
    if len(offer.folders) > MAX_FOLDERS_IN_OFFER:
        raise DecodeError("an offer lists at most 1,000 empty folders")
    paths = [file.path for file in offer.files] + [folder.path for folder in offer.folders]
    if any(not 1 <= len(path) <= MAX_PATH_COMPONENTS for path in paths):
        raise DecodeError("a path has between 1 and 32 components")
    for file in offer.files:
        if not 0 <= file.size_bytes <= MAX_FILE_BYTES:
            raise DecodeError("a file size is out of range")
    named = offer.left_out_named
    if not len(named) <= min(offer.left_out, MAX_LEFT_OUT_NAMED):
        raise DecodeError("more is named than is left out")
    if any(len(one.path.encode()) > MAX_SHOWN_PATH_BYTES for one in named):
        raise DecodeError("the path of what is left out is too long")
    if offer.update and not is_one_folder(offer):
        raise DecodeError("an update is of one folder")
    return offer


def _check_listing(offer: Offer, listing: OfferedListing) -> None:
    if offer.files or offer.folders:
        raise DecodeError("an offer has either files or a listing")
    if len(listing.digest) != LISTING_DIGEST_BYTES:
        raise DecodeError("the digest of a listing has 32 bytes")
    if not 0 < listing.size_bytes <= MAX_LISTING_BYTES:
        raise DecodeError("the size of a listing is out of range")
    if not 1 <= len(listing.things) <= MAX_THINGS_IN_OFFER:
        raise DecodeError("an offer with a listing has between 1 and 1,000 things")
    for thing in listing.things:
        if not 0 <= thing.size_bytes <= MAX_FILE_BYTES:
            raise DecodeError("the size of a listed thing is out of range")
        if not (thing.files == 1 if thing.folders == 0 else min(thing.files, thing.folders) >= 0):
            raise DecodeError("a listed thing is one file, or a folder")
    if offer.file_count > MAX_LISTED_FILES:
        raise DecodeError("a listing holds at most 2,000,000 files")
    if offer.entries - offer.file_count > MAX_LISTED_FOLDERS:
        raise DecodeError("a listing makes at most 500,000 folders")
