"""Offers of more files than a message names, over real file processes: the list comes first."""

import contextlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import Detail
from chatnet_engine.files.offering import ReadyOffer
from chatnet_engine.files.phases import Act
from chatnet_engine.io import file_lists, file_walk
from chatnet_engine.io.file_folder import Folder
from chatnet_engine.io.file_listing import KEPT_S, Listings, NewListing
from chatnet_engine.io.file_lists import list_files
from chatnet_engine.io.file_scan import TooMany
from chatnet_engine.io.file_target import Target
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.offer import LeftOutKind, ListedThing, Offer, decode_offer
from chatnet_protocol.ipc.reasons import TransferReason, reason
from chatnet_protocol.limits import MAX_FILES_IN_OFFER, MAX_PATH_COMPONENTS
from file_pair import ID, Pair, RealSide

pytestmark = pytest.mark.e2e
FILES = MAX_FILES_IN_OFFER + 500


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair[RealSide]]:
    pair = Pair(RealSide("a", tmp_path), RealSide("b", tmp_path))
    pair.b.verified = True
    pair.link(True)
    yield pair
    for side in (pair.a, pair.b):
        assert isinstance(side, RealSide)
        side.close()


@pytest.fixture
def many(tmp_path: Path) -> Path:
    top = tmp_path / "out" / "many"
    for number in range(FILES):
        folder = top / f"{number % 7}" / "in"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"f{number}").write_bytes(b"%d" % number * (number % 5))
    (top / "empty").mkdir()
    (top / "link").symlink_to("empty")
    return top


def look(top: Path) -> dict[str, bytes | None]:
    every = sorted(top.rglob("*"))
    return {
        str(path.relative_to(top)): path.read_bytes() if path.is_file() else None
        for path in every
        if not path.is_symlink()
    }


def offer(pair: Pair[RealSide], path: Path) -> None:
    assert isinstance(pair.a, RealSide)
    pair.a.transfers.offer(ID, 1, [str(path)], Now(pair.a.now(), 1))
    pair.run_until(lambda: bool(pair.a.offers))
    ready = pair.a.offers[0]
    assert isinstance(ready, ReadyOffer), ready
    offered = decode_offer(ready.body)
    assert offered.listing is not None
    assert (offered.files, offered.left_out) == ([], 1)
    assert offered.listing.things[0].files == FILES
    assert len(ready.body) < 1000
    pair.deliver_offer()


def test_a_folder_of_many_files_arrives_whole(pair: Pair[RealSide], many: Path) -> None:
    offer(pair, many)
    pair.run_until(lambda: (pair.a.state(), pair.b.state()) == ("done", "done"))
    arrived = Path(pair.b.inbox) / "many"
    assert look(arrived) == look(many)
    assert os.listdir(pair.b.inbox) == ["many"]
    for side in (pair.a, pair.b):
        row = side.row()
        assert (row.files, row.done_bytes, row.name) == (FILES, row.size_bytes, "many")


def is_past(detail: Detail, index: float) -> bool:
    return detail.index > index


def test_killed_again_and_again_it_goes_on_from_what_is_there(
    pair: Pair[RealSide], many: Path
) -> None:
    offer(pair, many)
    sides = [pair.b, pair.a, pair.b]
    for share, side in enumerate(sides, 1):
        assert isinstance(side, RealSide)
        detail = pair.b.transfers._all[ID].detail  # noqa: SLF001
        pair.run_until(partial(is_past, detail, FILES * share / 8))
        side.restart()
        pair.link(True)
    pair.run_until(lambda: (pair.a.state(), pair.b.state()) == ("done", "done"))
    assert look(Path(pair.b.inbox) / "many") == look(many)
    assert os.listdir(pair.b.inbox) == ["many"]


def test_the_sender_forgets_the_list_of_what_it_cancelled(pair: Pair[RealSide], many: Path) -> None:
    pair.b.auto_accept_bytes = 0
    offer(pair, many)
    kept = Path(f"{pair.a.inbox}-listings")
    assert os.listdir(kept) == [ID.hex()]
    pair.a.transfers.act(ID, Act.CANCEL, Now(pair.a.now(), 1))
    pair.run_until(lambda: not os.listdir(kept))


def scan(*roots: Path, listings: Path) -> pw.Scanned:
    names = [str(root) for root in roots]
    return list_files(pw.Scan(ID, names), str(listings), lambda report: None)


def test_what_is_listed_is_counted_and_what_is_not_is_named(tmp_path: Path, many: Path) -> None:
    deep = many / Path(*["x"] * MAX_PATH_COMPONENTS)
    deep.mkdir(parents=True)
    (tmp_path / "one").write_bytes(b"12345")
    report = scan(many, tmp_path / "one", listings=tmp_path / "l")
    assert report.listing is not None
    size = sum(len(data) for data in look(many).values() if data)
    folders = 1 + 7 * 2 + 1 + MAX_PATH_COMPONENTS - 1
    things = [ListedThing("many", FILES, size, folders), ListedThing("one", 1, 5)]
    assert report.listing.things == things
    assert {one.kind for one in report.left_out_named} == {LeftOutKind.LINK, LeftOutKind.DEEP}
    assert (tmp_path / "l" / ID.hex()).stat().st_size == report.listing.size_bytes


def test_a_list_that_is_here_does_not_come_again(tmp_path: Path, many: Path) -> None:
    report = scan(many, listings=tmp_path / "l")
    offered = Offer([], listing=report.listing)
    with contextlib.closing(Folder(str(tmp_path / "in"))) as folder:
        target = Target(folder, ID, offered, 0)
        with contextlib.closing(target):
            assert [target.first_missing(end) for end in (0, 1, 9)] == [0, 0, 0]
            fd = target.open(0)
            os.write(fd, (tmp_path / "l" / ID.hex()).read_bytes())
            os.close(fd)
            assert [target.first_missing(end) for end in (0, 1, 9)] == [0, 1, 1]
            assert len(target.sizes) == target.count == FILES + 1


@pytest.mark.parametrize(
    ("limit", "sentence"),
    [
        ("MAX_LISTED_FILES", "more than 2,000,000 files"),
        ("MAX_LISTED_FOLDERS", "folders"),
        ("MAX_ENTRIES", "more than 2,000,000 files"),
        ("MAX_FILE_BYTES", "too large"),
        ("MAX_THINGS_IN_OFFER", "more than 2,000,000 files"),
    ],
)
def test_what_is_beyond_a_limit_is_refused_and_leaves_nothing(
    tmp_path: Path, many: Path, monkeypatch: pytest.MonkeyPatch, limit: str, sentence: str
) -> None:
    monkeypatch.setattr(file_walk, limit, 0)
    report = scan(many, listings=tmp_path / "l")
    assert report.code == ErrorCode.TOO_LARGE
    assert sentence in report.error
    assert os.listdir(tmp_path / "l") == []


def test_a_folder_that_closes_or_a_list_that_cannot_be_kept_is_a_sentence(
    tmp_path: Path, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    assert "cannot be kept" in scan(many, listings=tmp_path / "file").error
    report = list_files(pw.Scan(ID, [str(many)]), "", lambda report: None)
    assert report.code == ErrorCode.TOO_LARGE
    monkeypatch.setattr("chatnet_engine.io.file_listing.MAX_LISTING_BYTES", 10)
    assert scan(many, listings=tmp_path / "l").code == ErrorCode.TOO_LARGE

    def refuse(path: str) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.undo()
    monkeypatch.setattr(file_lists, "scan", _too_many)
    monkeypatch.setattr(os, "scandir", refuse)
    report = scan(many, listings=tmp_path / "l")
    assert (report.code, "permission denied" in report.error) == (ErrorCode.FILE, True)


def _too_many(transfer_id: bytes, roots: list[str]) -> pw.Scanned:
    raise TooMany


def test_a_long_walk_says_that_it_works(
    tmp_path: Path, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_walk, "REPORT_EVERY_S", 0.0)
    reports: list[pw.Report] = []
    list_files(pw.Scan(ID, [str(many)]), str(tmp_path / "l"), reports.append)
    assert reports
    assert set(map(type, reports)) == {pw.Scanning}


def test_lists_that_nobody_used_for_long_are_removed(tmp_path: Path) -> None:
    folder = tmp_path / "l"
    folder.mkdir()
    listings = Listings(str(folder))
    (folder / "old").touch()
    os.utime(folder / "old", (os.stat(folder).st_mtime - KEPT_S - 60,) * 2)
    (folder / ID.hex()).touch()
    new = NewListing(listings, str(folder), bytes(16))
    new.drop()
    assert os.listdir(folder) == [ID.hex()]
    listings.remove(ID)
    listings.remove(ID)
    assert os.listdir(folder) == []


def test_an_offer_whose_list_is_gone_fails_with_a_reason(pair: Pair[RealSide], many: Path) -> None:
    pair.b.auto_accept_bytes = 0
    offer(pair, many)
    (Path(f"{pair.a.inbox}-listings") / ID.hex()).unlink()
    pair.b.transfers.accept(ID, "", Now(pair.b.now(), 1))
    pair.run_until(lambda: (pair.a.state(), pair.b.state()) == ("failed", "failed"))
    assert pair.a.row().reason == reason(TransferReason.LIST_GONE)
