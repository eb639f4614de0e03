"""Where everything in a received folder goes: a name for each path, no two of them the same.

Names stay as they are, but for what may not be created here and what would meet another one on this
disk; those are numbered. The same offer on the same disk always gives the same names.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chatnet_engine.files.names import inner_name, numbered, numbered_folder, shown, shown_path
from chatnet_protocol.ipc.offer import Offer, OfferedThing
from chatnet_protocol.ipc.rows import Renamed
from chatnet_protocol.limits import MAX_LEFT_OUT_NAMED


class Disk(NamedTuple):
    """What the names on a disk are like."""

    blind: bool = False
    """It takes names that differ in case alone for one."""
    strict: bool = False
    """It takes no name that Windows would not take."""


MODERN = Disk()
LIMITED = Disk(blind=True, strict=True)


@dataclass(slots=True)
class _Node:
    """A folder or file under its offered name."""

    raw: str
    is_folder: bool
    name: str = ""
    children: list["_Node"] = field(default_factory=list)
    folders: dict[str, "_Node"] = field(default_factory=dict)

    def folder(self, raw: str) -> "_Node":
        if raw not in self.folders:
            self.folders[raw] = _Node(raw, True)
            self.children.append(self.folders[raw])
        return self.folders[raw]


class Tree:
    """The names of one received folder, relative to it."""

    def __init__(self, offer: Offer, thing: OfferedThing, disk: Disk = MODERN) -> None:
        self.renamed = 0
        self.renamed_named: list[Renamed] = []
        top = _Node(thing.name, True)
        found = [_place(top, offer.files[index].path, False) for index in thing.files]
        empty = [_place(top, offer.folders[index].path, True) for index in thing.folders]
        self._name_all(top, disk)
        self.files: dict[int, list[str]] = {
            index: [node.name for node in nodes]
            for index, nodes in zip(thing.files, found, strict=True)
        }
        """By index into the offer's files."""
        self.folders: list[list[str]] = [[node.name for node in nodes] for nodes in empty]
        """Those with nothing in them; one without components is the received folder itself."""

    def _name_all(self, top: _Node, disk: Disk) -> None:
        waiting: list[tuple[_Node, list[str]]] = [(top, [top.raw])]
        while waiting:
            node, path = waiting.pop()
            _name(node.children, disk)
            for child in node.children:
                if child.name != child.raw:
                    self._note([*path, child.raw], child.name)
                if child.is_folder:
                    waiting.append((child, [*path, child.raw]))

    def _note(self, path: list[str], name: str) -> None:
        self.renamed += 1
        if len(self.renamed_named) < MAX_LEFT_OUT_NAMED:
            self.renamed_named.append(Renamed(shown_path(path), shown(name)))


def depends_on_disk(offer: Offer, thing: OfferedThing) -> bool:
    """Whether any name in this folder depends on what the disk takes."""
    modern, limited = Tree(offer, thing, MODERN), Tree(offer, thing, LIMITED)
    return (modern.files, modern.folders) != (limited.files, limited.folders)


def _place(top: _Node, path: Sequence[str], is_folder: bool) -> list[_Node]:
    """The nodes from below the top to this one."""
    nodes: list[_Node] = []
    node = top
    for raw in path[1 : len(path) if is_folder else -1]:
        node = node.folder(raw)
        nodes.append(node)
    if not is_folder:
        nodes.append(_Node(path[-1], False))
        node.children.append(nodes[-1])
    return nodes


def _name(siblings: list[_Node], disk: Disk) -> None:
    """Name these; those whose own name is fine come first."""
    taken: set[str] = set()
    rest: list[_Node] = []
    for node in siblings:
        node.name = inner_name(node.raw, strict=disk.strict)
        key = _key(node.name, disk)
        if node.name == node.raw and key not in taken:
            taken.add(key)
        else:
            rest.append(node)
    last: dict[str, int] = {}
    for node in rest:
        wanted = node.name
        number = last.get(wanted, 0)
        number_name = numbered_folder if node.is_folder else numbered
        while _key(number_name(wanted, number), disk) in taken:
            number += 1
        last[wanted] = number
        node.name = number_name(wanted, number)
        taken.add(_key(node.name, disk))


def _key(name: str, disk: Disk) -> str:
    """The same for names that the disk may take for one."""
    if not disk.blind:
        return name
    folded = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", folded)
