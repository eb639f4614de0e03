"""What an offer holds, asked by number: one whose message names everything."""

import pytest

from chatnet_engine.files.contents import InlineContents
from chatnet_engine.files.tree import MODERN, Disk
from chatnet_protocol.ipc.offer import Offer, OfferedFile, OfferedFolder
from chatnet_protocol.ipc.rows import Renamed

OFFER = Offer(
    [
        OfferedFile(["photo.jpg"], 7),
        OfferedFile(["notes", "plan.txt"], 3),
        OfferedFile(["notes", "Plan.txt"], 4),
        OfferedFile(["notes", "old", "a.txt"], 5),
    ],
    [OfferedFolder(["notes", "empty"])],
)
PHOTO, NOTES = 0, 1


@pytest.fixture
def contents() -> InlineContents:
    return InlineContents(OFFER)


def test_files_are_known_by_number(contents: InlineContents) -> None:
    assert [thing.name for thing in contents.things] == ["photo.jpg", "notes"]
    assert contents.sizes == [7, 3, 4, 5]
    assert contents.offered(2) == OFFER.files[2]
    assert [contents.thing_of(index) for index in range(4)] == [PHOTO, NOTES, NOTES, NOTES]


def test_a_folder_is_walked_with_its_empty_folders(contents: InlineContents) -> None:
    contents.prepare(NOTES, lambda: MODERN)
    assert list(contents.walk(NOTES)) == [
        ([], [("plan.txt", 3)]),
        ([], [("Plan.txt", 4)]),
        (["old"], [("a.txt", 5)]),
        (["empty"], []),
    ]
    assert contents.path(NOTES, 3) == ["old", "a.txt"]
    assert contents.renamed(NOTES) == (0, [])


def test_names_are_decided_once_for_the_disk_they_go_to(contents: InlineContents) -> None:
    contents.prepare(NOTES, lambda: Disk(blind=True))
    contents.prepare(NOTES, lambda: MODERN)
    assert contents.path(NOTES, 2) == ["Plan (1).txt"]
    assert contents.renamed(NOTES) == (1, [Renamed("notes/Plan.txt", "Plan (1).txt")])


def test_a_disk_is_only_looked_at_where_names_depend_on_it() -> None:
    plain = InlineContents(Offer([OfferedFile(["notes", "a.txt"], 1)]))

    def probe() -> Disk:
        raise AssertionError("a plain name needs no probe")

    plain.prepare(0, probe)
    assert plain.path(0, 0) == ["a.txt"]
