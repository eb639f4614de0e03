"""Where everything in listed folders goes: `files.tree`, for a million files.

What may stay under its own name is known by a hash of 8 bytes alone; only other names are kept.
Hashes are those of this process (keyed, so that nobody can aim at them); two names that share one
are treated as equal, which renames one of them and loses nothing.
"""

import unicodedata
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator

from chatnet_engine.files.listing import ListingIndex, Read
from chatnet_engine.files.names import inner_name, numbered, numbered_folder, shown, shown_path
from chatnet_engine.files.tree import Disk
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import OfferedListing
from chatnet_protocol.ipc.rows import Renamed
from chatnet_protocol.limits import MAX_INNER_NAME_BYTES, MAX_LEFT_OUT_NAMED, MAX_LISTED_FOLDERS
from chatnet_protocol.wire.listing import ListedFolder

MAX_RENAMED = 100_000
"""Names of one listing that cannot stay as they are, with 400 bytes each; more are refused."""


class Receivable(ListingIndex):
    """A listing that is as its offer stated. Call `name` before any name is asked for."""

    def __init__(self, offered: OfferedListing, read: Read) -> None:
        """Raises DecodeError and OSError."""
        self._folders: set[int] = set()
        """Hashes of the folders found so far."""
        self._files = [0] * len(offered.things)
        self._bytes = [0] * len(offered.things)
        self._made = [0] * len(offered.things)
        self._root = 0
        super().__init__(offered, read)
        found = zip(self._files, self._bytes, self._made, strict=True)
        expected = [(one.files, one.size_bytes, one.folders) for one in offered.things]
        if list(found) != expected:
            raise DecodeError("a listing is not what was offered")
        self._folders.clear()
        self._file_names: dict[int, str] = {}
        self._folder_names: dict[int, str] = {}
        self._renamed: defaultdict[int, int] = defaultdict(int)
        self._renamed_named: defaultdict[int, list[Renamed]] = defaultdict(list)

    def note(self, folder: ListedFolder) -> None:
        """Count it. Raises DecodeError when it is not what was offered."""
        things = self.offered.things
        root, path = folder.root, folder.path
        if not self._root <= root < len(things):
            raise DecodeError("a listing is not in the order of its things")
        self._root = root
        thing = things[root]
        name = path[0] if path else folder.files[0].name
        if name != thing.name or bool(path) != (thing.folders > 0):
            raise DecodeError("a listing has another name than its offer")
        self._files[root] += len(folder.files)
        self._bytes[root] += sum(file.size_bytes for file in folder.files)
        self._made[root] += sum(1 for _ in self._new_folders(root, path))
        if len(self._folders) > MAX_LISTED_FOLDERS:
            raise DecodeError("a listing of too many folders")

    def name(self, disk: Disk) -> None:
        """Decide what everything is called on this disk. Raises DecodeError and OSError."""
        keys = array("q")
        odd = False
        for _, folder in self._every():
            for parent, name, _ in self._names_in(folder):
                if _is_plain(name, disk):
                    keys.append(hash((parent, _key(name, disk))))
                else:
                    odd = True
        self._folders.clear()
        keys = array("q", sorted(keys))
        contested = {keys[at] for at in range(1, len(keys)) if keys[at] == keys[at - 1]}
        if odd or contested:
            self._rename(keys, contested, disk)
        self._folders.clear()

    def renamed(self, root: int) -> tuple[int, list[Renamed]]:
        """How many names in this thing are not as they were offered, and the first of them."""
        return self._renamed[root], self._renamed_named[root]

    def path_in_folder(self, index: int) -> list[str]:
        """Where a file goes, below the offered folder."""
        root, path, file = self.file(index)
        return [*self._place(root, path), self._file_names.get(index, file.name)]

    def walk(self, root: int, first: int) -> Iterator[tuple[list[str], list[tuple[str, int]]]]:
        """Each listed folder of an offered one, as it is called here: its path below that, and the
        names and sizes of its files. `first`: the number of the thing's first file."""
        for index, page in self.pages(first):
            for folder in page:
                if folder.root == root:
                    named = [
                        (self._file_names.get(number, file.name), file.size_bytes)
                        for number, file in enumerate(folder.files, index)
                    ]
                    yield self._place(root, folder.path), named
                index += len(folder.files)
            if page[-1].root > root:
                return

    def _place(self, root: int, path: list[str]) -> list[str]:
        if not self._folder_names:
            return path[1:]
        return [
            self._folder_names.get(_folder_id(root, path[: depth + 1]), path[depth])
            for depth in range(1, len(path))
        ]

    def _every(self) -> Iterator[tuple[int, ListedFolder]]:
        for index, page in self.pages():
            for folder in page:
                yield index, folder
                index += len(folder.files)

    def _new_folders(self, root: int, path: list[str]) -> Iterator[int]:
        """The depths at which a folder of this path is seen for the first time."""
        for depth in range(len(path), 0, -1):
            known = _folder_id(root, path[:depth])
            if known in self._folders:
                return
            self._folders.add(known)
            yield depth

    def _names_in(self, folder: ListedFolder) -> Iterator[tuple[int, str, int]]:
        """(hash of the folder it is in, name, depth or 0 for a file) of everything it brings."""
        root, path = folder.root, folder.path
        for depth in self._new_folders(root, path):
            if depth > 1:
                yield _folder_id(root, path[: depth - 1]), path[depth - 1], depth
        if path:
            parent = _folder_id(root, path)
            for file in folder.files:
                yield parent, file.name, 0

    def _rename(self, keys: "array[int]", contested: set[int], disk: Disk) -> None:
        taken: set[int] = set()
        """Of the contested, those that one has; and those of new names."""
        numbers: dict[int, int] = {}
        for index, folder in self._every():
            at = index - 1
            for parent, name, depth in self._names_in(folder):
                at += depth == 0
                wanted = name if _is_plain(name, disk) else inner_name(name, strict=disk.strict)
                key = hash((parent, _key(name, disk)))
                if wanted == name and (key not in contested or key not in taken):
                    if key in contested:
                        taken.add(key)
                    continue
                number_name = numbered_folder if depth else numbered
                number = numbers.get(hash((parent, wanted)), 0)
                while _is_taken(
                    hash((parent, _key(number_name(wanted, number), disk))), keys, taken
                ):
                    number += 1
                numbers[hash((parent, wanted))] = number
                new = number_name(wanted, number)
                taken.add(hash((parent, _key(new, disk))))
                self._keep(folder, depth, at, new, name)

    def _keep(self, folder: ListedFolder, depth: int, index: int, new: str, name: str) -> None:
        root, path = folder.root, folder.path
        if depth:
            self._folder_names[_folder_id(root, path[:depth])] = new
        else:
            self._file_names[index] = new
        if len(self._folder_names) + len(self._file_names) > MAX_RENAMED:
            raise DecodeError("too many names that this disk does not take")
        self._renamed[root] += 1
        if len(self._renamed_named[root]) < MAX_LEFT_OUT_NAMED:
            old = path[:depth] if depth else [*path, name]
            self._renamed_named[root].append(Renamed(shown_path(old), shown(new)))


def _folder_id(root: int, path: list[str]) -> int:
    return hash((root, *path))


def _is_taken(key: int, keys: "array[int]", taken: set[int]) -> bool:
    if key in taken:
        return True
    at = bisect_left(keys, key)
    return at < len(keys) and keys[at] == key


def _is_plain(name: str, disk: Disk) -> bool:
    """Whether it may stay as it is. Most names are seen to at a glance."""
    if not disk.strict and name.isascii() and name.isprintable() and "/" not in name:
        return bool(name.strip(".")) and len(name) <= MAX_INNER_NAME_BYTES
    return inner_name(name, strict=disk.strict) == name


def _key(name: str, disk: Disk) -> str:
    """The same for names that the disk may take for one."""
    if not disk.blind:
        return name
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded)
