"""Listings: written in pages, indexed by file, refused when they are not what was offered."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnet_engine.files.contents import ListedContents
from chatnet_engine.files.listed_names import Receivable
from chatnet_engine.files.listing import ListingIndex, ListingWriter
from chatnet_engine.files.tree import LIMITED, MODERN, Disk
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import ListedThing, Offer, OfferedFile, OfferedListing
from chatnet_protocol.limits import LISTING_PAGE_BYTES
from chatnet_protocol.wire.listing import LENGTH, ListedFile, ListedFolder, encode_page

Given = Sequence[tuple[int, list[str], list[str]]]
"""root, path of a folder, names of files of 1 byte in it."""


def written(folders: Given) -> bytes:
    writer = ListingWriter()
    pages = []
    for root, path, names in folders:
        pages += writer.add(root, path, [ListedFile(name, 1) for name in names])
    pages += writer.finish()
    assert all(len(page) <= LISTING_PAGE_BYTES + LENGTH.size for page in pages)
    return b"".join(pages)


def offered(data: bytes, *things: ListedThing) -> OfferedListing:
    return OfferedListing(bytes(32), len(data), list(things))


def receivable(folders: Given, *things: ListedThing, disk: Disk = MODERN) -> Receivable:
    data = written(folders)
    made = Receivable(offered(data, *things), lambda offset, size: data[offset : offset + size])
    made.name(disk)
    return made


def names_of(listing: Receivable, root: int = 0) -> list[list[str]]:
    return [[*path, name] for path, named in listing.walk(root, 0) for name, _ in named]


def test_every_file_of_many_pages_is_found_in_any_order() -> None:
    names = [f"{number:05}" + "x" * 90 for number in range(3_000)]
    data = written([(0, ["a"], names[:1_500]), (0, ["a", "b"], names[1_500:]), (1, [], ["one"])])
    index = ListingIndex(offered(data), lambda offset, size: data[offset : offset + size])
    assert len(index.sizes) == 3_001
    for number in (0, 2_999, 1_499, 1_500, 700):
        root, path, file = index.file(number)
        assert (root, path, file.name) == (0, ["a", "b"][: 1 + (number > 1_499)], names[number])
    assert index.file(3_000)[0] == 1
    for first in (0, 1, 1_234, 3_000):
        pages = list(index.pages(first))
        assert pages[0][0] <= first
        counted = sum(len(folder.files) for _, page in pages for folder in page)
        assert pages[0][0] + counted == 3_001


def test_a_folder_larger_than_a_page_is_continued() -> None:
    names = ["n" * 250 + f"{number}" for number in range(1_000)]
    data = written([(0, ["d"] * 31, names)])
    index = ListingIndex(offered(data), lambda offset, size: data[offset : offset + size])
    assert [index.file(at)[2].name for at in range(1_000)] == names


PAGE = encode_page([ListedFolder(["a"], [ListedFile("f", 1)])])


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (PAGE[:3], "ends within a page"),
        (PAGE[:-1], "impossible length"),
        (PAGE + b"\0", "ends within a page"),
        (LENGTH.pack(LISTING_PAGE_BYTES + 1) + bytes(LISTING_PAGE_BYTES + 1), "impossible length"),
        (LENGTH.pack(1) + b"\x90", "empty page"),
    ],
)
def test_what_is_no_row_of_pages_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        ListingIndex(offered(data), lambda offset, size: data[offset : offset + size])


def test_more_files_than_a_listing_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnet_engine.files.listing.MAX_LISTED_FILES", 2)
    data = written([(0, ["a"], ["1", "2", "3"])])
    with pytest.raises(DecodeError, match="too many files"):
        ListingIndex(offered(data), lambda offset, size: data[offset : offset + size])


def test_more_folders_than_a_listing_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnet_engine.files.listed_names.MAX_LISTED_FOLDERS", 2)
    with pytest.raises(DecodeError, match="too many folders"):
        receivable([(0, ["a", "b", "c"], ["1"])], ListedThing("a", 1, 1, 3))


@pytest.mark.parametrize(
    ("folders", "things"),
    [
        ([(0, ["a"], ["f"])], [ListedThing("a", 2, 1, 1)]),
        ([(0, ["a"], ["f"])], [ListedThing("a", 1, 2, 1)]),
        ([(0, ["a", "b"], ["f"])], [ListedThing("a", 1, 1, 1)]),
        ([(0, ["b"], ["f"])], [ListedThing("a", 1, 1, 1)]),
        ([(0, [], ["f"])], [ListedThing("f", 1, 1, 1)]),
        ([(0, ["f"], ["f"])], [ListedThing("f", 1, 1)]),
        ([(0, [], ["f", "g"])], [ListedThing("f", 1, 1)]),
        ([(0, ["a"], ["f"])], [ListedThing("a", 1, 1, 1), ListedThing("b", 1, 1)]),
        ([(1, [], ["b"]), (0, ["a"], ["f"])], [ListedThing("a", 1, 1, 1), ListedThing("b", 1, 1)]),
        ([(2, [], ["b"])], [ListedThing("b", 1, 1)]),
    ],
)
def test_a_listing_that_is_not_what_was_offered_is_refused(
    folders: Given, things: list[ListedThing]
) -> None:
    with pytest.raises(DecodeError, match="listing"):
        receivable(folders, *things)


def test_names_stay_but_for_what_may_not_be_made_here() -> None:
    listing = receivable(
        [
            (0, ["a"], ["x\u202e", "x_", "..", ".hidden", "x_ (1)"]),
            (0, ["a", "b/"], ["f"]),
            (0, ["a", "b_"], ["f"]),
            (0, ["a", "b/", "c"], []),
        ],
        ListedThing("a", 7, 7, 4),
    )
    assert names_of(listing) == [
        ["x_ (2)"],
        ["x_"],
        ["__"],
        [".hidden"],
        ["x_ (1)"],
        ["b_ (1)", "f"],
        ["b_", "f"],
    ]
    assert [listing.path_in_folder(at) for at in range(7)] == names_of(listing)
    count, named = listing.renamed(0)
    assert count == 3
    assert {one.path: one.name for one in named} == {
        "a/x_": "x_ (2)",
        "a/..": "__",
        "a/b/": "b_ (1)",
    }


def test_a_path_listed_twice_makes_two_files() -> None:
    things = ListedThing("a", 4, 4, 2)
    listing = receivable([(0, ["a"], ["f", "f", "d"]), (0, ["a", "d"], ["f"])], things)
    assert names_of(listing) == [["f"], ["f (1)"], ["d"], ["d (1)", "f"]]


def test_a_disk_that_is_blind_to_case_gets_numbers() -> None:
    names = ["Make", "make", "MAKE (1)", "con"]
    listing = receivable([(0, ["a"], names)], ListedThing("a", 4, 4, 1), disk=LIMITED)
    assert names_of(listing) == [["Make"], ["make (2)"], ["MAKE (1)"], ["_con"]]


def test_more_new_names_than_are_kept_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chatnet_engine.files.listed_names.MAX_RENAMED", 1)
    kept = receivable([(0, ["a"], [".", "b"])], ListedThing("a", 2, 2, 1))
    assert kept.renamed(0)[0] == 1
    with pytest.raises(DecodeError, match="too many names"):
        receivable([(0, ["a"], ["..", "."])], ListedThing("a", 2, 2, 1))


def test_things_without_files_are_found_between_others() -> None:
    things = [ListedThing("a", 1, 1, 1), ListedThing("e", 0, 0, 2), ListedThing("z", 1, 1)]
    data = written([(0, ["a"], ["f"]), (1, ["e"], []), (1, ["e", "x"], []), (2, [], ["z"])])
    listing = offered(data, *things)
    things_of = Offer([], listing=listing).things
    contents = ListedContents(things_of, listing, lambda at, size: data[at : at + size])
    assert [thing.name for thing in contents.things] == ["e", "a", "z"]
    for number in range(3):
        contents.prepare(number, lambda: MODERN)
    assert list(contents.walk(0)) == [([], []), (["x"], [])]
    assert list(contents.walk(1)) == [([], [("f", 1)])]
    assert [contents.thing_of(at) for at in (0, 1)] == [1, 2]
    assert contents.path(1, 0) == ["f"]
    assert contents.offered(1).size_bytes == 1
    assert contents.renamed(1) == (0, [])


def test_a_listed_file_keeps_its_time_and_whether_it_is_a_program() -> None:
    writer = ListingWriter()
    pages = writer.add(0, ["a"], [ListedFile("run", 3, 1_700_000_000_123, executable=True)])
    data = b"".join([*pages, *writer.finish()])
    listing = offered(data, ListedThing("a", 1, 3, 1))
    things = Offer([], listing=listing).things
    contents = ListedContents(things, listing, lambda at, size: data[at : at + size])
    assert contents.offered(0) == OfferedFile([], 3, 1_700_000_000_123, executable=True)
    assert contents.offered_path(0) == ["a", "run"]


NAMES = st.sampled_from(["a", "A", "a_", "a\u202e", "b", ".", "con", "ä", "a\u0308", "a (1)"])


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.lists(NAMES, max_size=2), st.lists(NAMES, max_size=3)), max_size=6),
    st.sampled_from([MODERN, LIMITED]),
)
def test_two_never_become_one(given_folders: list[tuple[list[str], list[str]]], disk: Disk) -> None:
    folders = [(0, ["top", *path], names) for path, names in given_folders] or [(0, ["top"], [])]
    made = {tuple(path[:depth]) for _, path, _ in folders for depth in range(1, len(path) + 1)}
    count = sum(len(names) for _, _, names in folders)
    listing = receivable(folders, ListedThing("top", count, count, len(made)), disk=disk)
    places = [tuple(listing.path_in_folder(at)) for at in range(count)]
    inner = {tuple(path) for path, _ in listing.walk(0, 0)}
    inner |= {path[:depth] for path in inner for depth in range(len(path))} | {()}
    fold = (lambda path: tuple(part.casefold() for part in path)) if disk.blind else tuple
    everything = [fold(path) for path in [*places, *inner]]
    assert len(set(everything)) == len(everything) == count + len(made)
