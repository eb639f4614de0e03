"""What an offer holds, whether its message lists the files or a listing does."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from chatnet_engine.files.listed_names import Receivable
from chatnet_engine.files.listing import Read
from chatnet_engine.files.tree import MODERN, Disk, Tree, depends_on_disk
from chatnet_protocol.ipc.offer import Offer, OfferedFile, OfferedListing, OfferedThing
from chatnet_protocol.ipc.rows import Renamed

Folder = tuple[list[str], list[tuple[str, int]]]
"""Path below the offered folder, and names and sizes of files directly in it."""


class Contents(Protocol):
    """Files by number, and the things they belong to."""

    things: list[OfferedThing]
    sizes: Sequence[int]

    def offered(self, index: int) -> OfferedFile:
        """One file; its path may be left out."""
        ...

    def offered_path(self, index: int) -> list[str]:
        """Where a file is at its sender, from the offered folder on, whose name comes first."""
        ...

    def thing_of(self, index: int) -> int:
        """The number of the thing a file belongs to."""
        ...

    def prepare(self, number: int, probe: Callable[[], Disk]) -> None:
        """Decide the names in a thing, which is a folder, before they are asked for."""
        ...

    def path(self, number: int, index: int) -> list[str]:
        """Where a file of this thing goes, below it."""
        ...

    def walk(self, number: int) -> Iterator[Folder]:
        """Everything in a thing, the files in the order of their numbers."""
        ...

    def renamed(self, number: int) -> tuple[int, list[Renamed]]:
        """How many names in a thing are not as they were offered, and the first of them."""
        ...


class InlineContents:
    """The offer itself names everything."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer
        self.things = offer.things
        self.sizes: Sequence[int] = [file.size_bytes for file in offer.files]
        self._thing_of = {
            index: number for number, thing in enumerate(self.things) for index in thing.files
        }
        self._trees: dict[int, Tree] = {}

    def offered(self, index: int) -> OfferedFile:
        """See Contents."""
        return self._offer.files[index]

    def offered_path(self, index: int) -> list[str]:
        """See Contents."""
        return self._offer.files[index].path

    def thing_of(self, index: int) -> int:
        """See Contents."""
        return self._thing_of[index]

    def prepare(self, number: int, probe: Callable[[], Disk]) -> None:
        """See Contents."""
        if number not in self._trees:
            thing = self.things[number]
            disk = probe() if depends_on_disk(self._offer, thing) else MODERN
            self._trees[number] = Tree(self._offer, thing, disk)

    def path(self, number: int, index: int) -> list[str]:
        """See Contents."""
        return self._trees[number].files[index]

    def walk(self, number: int) -> Iterator[Folder]:
        """See Contents."""
        tree = self._trees[number]
        for index, path in tree.files.items():
            yield path[:-1], [(path[-1], self.sizes[index])]
        for folder in tree.folders:
            yield folder, []

    def renamed(self, number: int) -> tuple[int, list[Renamed]]:
        """See Contents."""
        tree = self._trees[number]
        return tree.renamed, tree.renamed_named


class ListedContents:
    """A listing names everything."""

    def __init__(self, things: list[OfferedThing], offered: OfferedListing, read: Read) -> None:
        """Raises DecodeError and OSError."""
        self.things = things
        self._listing = Receivable(offered, read)
        self.sizes: Sequence[int] = self._listing.sizes
        self._thing_of = {thing.root: number for number, thing in enumerate(things)}
        self._named = False

    def offered(self, index: int) -> OfferedFile:
        """See Contents."""
        _, _, file = self._listing.file(index)
        return OfferedFile([], file.size_bytes, file.modified_ms, file.executable)

    def offered_path(self, index: int) -> list[str]:
        """See Contents."""
        _, path, file = self._listing.file(index)
        return [*path, file.name]

    def thing_of(self, index: int) -> int:
        """See Contents."""
        return self._thing_of[self._listing.file(index)[0]]

    def prepare(self, number: int, probe: Callable[[], Disk]) -> None:
        """See Contents. All folders are on one disk."""
        if not self._named:
            self._listing.name(probe())
            self._named = True

    def path(self, number: int, index: int) -> list[str]:
        """See Contents."""
        return self._listing.path_in_folder(index)

    def walk(self, number: int) -> Iterator[Folder]:
        """See Contents."""
        thing = self.things[number]
        return self._listing.walk(
            thing.root, thing.files[0] if thing.files else self._before(thing)
        )

    def renamed(self, number: int) -> tuple[int, list[Renamed]]:
        """See Contents."""
        return self._listing.renamed(self.things[number].root)

    def _before(self, thing: OfferedThing) -> int:
        """Files before a thing without any."""
        return sum(len(one.files) for one in self.things if one.root < thing.root)
