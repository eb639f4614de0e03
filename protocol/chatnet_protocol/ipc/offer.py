"""What an OFFER message holds: the files and folders somebody wants to send."""

import enum
from typing import Any, NamedTuple

from msgspec import Struct

from chatnet_protocol import codec
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.limits import (
    MAX_FILE_BYTES,
    MAX_FILES_IN_OFFER,
    MAX_FOLDERS_IN_OFFER,
    MAX_LEFT_OUT_NAMED,
    MAX_OFFER_BYTES,
    MAX_PATH_COMPONENTS,
    MAX_SHOWN_PATH_BYTES,
)


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


class OfferedThing(NamedTuple):
    """What a person chose to send: one file, or a folder with everything in it."""

    name: str
    is_folder: bool
    files: list[int]
    """Indexes into the offer's files."""
    folders: list[int]
    """Indexes into the offer's folders."""

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

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(file.size_bytes for file in self.files)

    @property
    def entries(self) -> int:
        """How many files and folders it makes on a disk, implied folders included."""
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
        found: dict[tuple[int, str], OfferedThing] = {}
        single: list[OfferedThing] = []
        for index, file in enumerate(self.files):
            if len(file.path) == 1:
                single.append(OfferedThing(file.path[0], False, [index], []))
            else:
                self._folder(found, file.root, file.path).files.append(index)
        for index, folder in enumerate(self.folders):
            self._folder(found, folder.root, folder.path).folders.append(index)
        return sorted([*found.values(), *single], key=lambda thing: thing.end)

    @staticmethod
    def _folder(
        found: dict[tuple[int, str], OfferedThing], root: int, path: list[str]
    ) -> OfferedThing:
        return found.setdefault((root, path[0]), OfferedThing(path[0], True, [], []))


def encode_offer(offer: Offer) -> bytes:
    """The body bytes of an OFFER message."""
    return codec.pack(offer)


def decode_offer(body: bytes) -> Offer:
    """The offer in `body`. Raises DecodeError when malformed or over a limit."""
    offer = codec.unpack(body, Offer, MAX_OFFER_BYTES)
    if not (offer.files or offer.folders) or len(offer.files) > MAX_FILES_IN_OFFER:
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
    return offer
