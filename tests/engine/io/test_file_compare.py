"""What an earlier folder is compared by, and what the next one takes from it."""

import contextlib
import errno
import itertools
import os
import shutil
import tempfile
from pathlib import Path
from random import Random
from types import SimpleNamespace
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.file_set import FileSet
from chatnet_engine.files.update_wire import Exchange
from chatnet_engine.io import file_manifest, file_update
from chatnet_engine.io.file_folder import PARTIAL_FOLDER, Folder
from chatnet_engine.io.file_manifest import Manifest
from chatnet_engine.io.file_place import place
from chatnet_engine.io.file_update import PrepareJob
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.reasons import UpdateReason
from file_digests import digest_of
from file_trees import OLD_S, Tree, look
from update_copy import CHANGES, EARLIER, ID, UMASK, Copy, change

KINDS = [(False, False), (True, True), (False, True), (True, False)]
"""Whether the earlier folder came with a listing, and whether the new one does."""


@pytest.fixture(params=KINDS)
def listed(request: pytest.FixtureRequest) -> tuple[bool, bool]:
    kinds: tuple[bool, bool] = request.param
    return kinds


@pytest.fixture
def copy(tmp_path: Path, listed: tuple[bool, bool]) -> Copy:
    return Copy(tmp_path / "inbox", listed=listed)


def test_unchanged_files_are_taken_and_the_copy_may_be_replaced(copy: Copy) -> None:
    update = EARLIER | {"b.txt": b"bb", "new.txt": b"n"}
    done = copy.prepare(update)
    taken = {"a.txt", "sub/c.txt", "sub/d.txt"}
    assert copy.taken(done, update) == taken
    assert done.state
    assert not done.problem
    assert look(copy.partial) == {name: EARLIER[name] for name in taken}
    assert (copy.partial / "a.txt").stat().st_mtime == OLD_S
    assert done.until.startswith("proj (until ")


def test_it_says_how_far_it_is(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_update, "REPORT_EVERY_S", 0.0)
    monkeypatch.setattr(file_update, "CHUNK_BYTES", 1000)
    copy.prepare(EARLIER | {"b.txt": b"bb", "new.txt": b"n"})
    reports = [one for one in copy.reports if isinstance(one, pw.Comparing)]
    done = [(one.files, one.size_bytes) for one in reports]
    assert done == sorted(done), "it goes forward"
    assert {(0, 1000), (0, 2000), (1, 3000), (4, 3051)} <= set(done)
    assert {(one.of_files, one.of_bytes) for one in reports} == {(4, 3051)}


def test_it_says_so_once_a_second(copy: Copy) -> None:
    copy.prepare(EARLIER)
    assert len(copy.reports) == 1


def test_preparing_again_copies_nothing_again(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    first = copy.prepare(EARLIER)

    def refuse(*args: object) -> bytes:
        raise AssertionError("copied again")

    monkeypatch.setattr(PrepareJob, "_copy", refuse)
    assert copy.prepare(EARLIER) == first


def test_what_is_torn_in_the_partial_folder_is_copied_again(copy: Copy) -> None:
    copy.prepare(EARLIER)
    (copy.partial / "a.txt").write_bytes(bytes(3000))
    (copy.partial / "sub/c.txt").write_bytes(b"c")
    assert copy.taken(copy.prepare(EARLIER), EARLIER) == set(EARLIER)
    assert look(copy.partial) == EARLIER


def test_a_reflink_is_checked_like_a_copy(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    def clone(fd: int, request: int, source: int) -> int:
        assert request == file_update.FICLONE
        os.pwrite(fd, os.pread(source, 10_000, 0), 0)
        return 0

    monkeypatch.setattr("fcntl.ioctl", clone)
    assert copy.taken(copy.prepare(EARLIER), EARLIER) == set(EARLIER)
    assert look(copy.partial) == EARLIER


@pytest.mark.parametrize("how", CHANGES)
def test_a_copy_in_which_anything_was_changed_is_not_replaced(copy: Copy, how: str) -> None:
    change(copy.path, how)
    done = copy.prepare({name: EARLIER[name] for name in ("a.txt", "b.txt", "sub/d.txt")})
    assert (done.state, done.problem) == (b"", UpdateReason.CHANGED)
    kept = look(copy.partial)
    assert kept == {name: EARLIER[name] for name in kept}, "what is taken is what it was"


def test_an_empty_folder_that_came_is_no_change(tmp_path: Path, listed: tuple[bool, bool]) -> None:
    copy = Copy(tmp_path / "inbox", EARLIER, "empty/inner", listed=listed)
    assert copy.prepare(EARLIER).state


def test_an_empty_folder_that_is_gone_is_a_change(
    tmp_path: Path, listed: tuple[bool, bool]
) -> None:
    copy = Copy(tmp_path / "inbox", EARLIER, "empty", listed=listed)
    (copy.path / "empty").rename(copy.path / "other")
    assert copy.prepare(EARLIER).problem == UpdateReason.CHANGED


@pytest.mark.parametrize("how", ["removed", "moved", "another", "a link", "no inbox"])
def test_a_copy_that_is_not_where_it_was_is_not_replaced(copy: Copy, how: str) -> None:
    aside = copy.inbox.parent / "aside"
    request = copy.request(EARLIER)
    if how == "no inbox":
        copy.inbox.rename(aside)
    else:
        copy.path.rename(aside)
    if how == "another":
        shutil.copytree(aside, copy.path)
    elif how == "a link":
        copy.path.symlink_to(aside)
    done = PrepareJob(request, UMASK, manifests=str(copy.listings)).run()
    assert isinstance(done, pw.Prepared)
    assert (done.have, done.state, done.problem) == (b"", b"", UpdateReason.MOVED)
    assert copy.inbox.exists() == (how != "no inbox")


def test_a_full_disk_waits(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[int] = []
    monkeypatch.setattr(Folder, "need", lambda self, size_bytes: wanted.append(size_bytes))
    copy.prepare(EARLIER)
    assert wanted == [sum(map(len, EARLIER.values()))], "copies take space like what is sent"


def test_preparing_ends_when_nobody_waits_for_it(copy: Copy) -> None:
    done = PrepareJob(copy.request(EARLIER), UMASK, lambda: True, str(copy.listings)).run()
    assert done == pw.Ended(7, pw.Outcome.LOST)


def test_without_its_listing_nothing_is_compared_yet(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "inbox", listed=(True, True))
    request = copy.request(EARLIER)
    (copy.inbox / PARTIAL_FOLDER / f"{ID.hex()}-listing").unlink()
    done = PrepareJob(request, UMASK, manifests=str(copy.listings)).run()
    assert done == pw.Ended(7, pw.Outcome.UNLISTED)


@pytest.mark.parametrize("how", ["gone", "short", "digests", "listing"])
def test_without_the_manifest_as_it_was_the_new_one_comes_whole(tmp_path: Path, how: str) -> None:
    copy = Copy(tmp_path / "inbox", listed=(True, True))
    [manifest] = copy.listings.iterdir()
    content = bytearray(manifest.read_bytes())
    if how == "short":
        del content[-1]
    elif how == "digests":
        content[0] ^= 1
    else:
        content[32 * len(EARLIER)] ^= 1
    manifest.write_bytes(content)
    if how == "gone":
        manifest.unlink()
    done = copy.prepare(EARLIER)
    assert (done.have, done.state, done.problem) == (b"", b"", UpdateReason.NOT_KNOWN)


def test_where_no_manifest_can_be_kept_the_folder_arrives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whichever write the session's disk is full."""
    writes = 0

    def full(fd: int, data: bytes, offset: int) -> int:
        nonlocal writes
        writes += 1
        if writes > passed:
            raise OSError(errno.ENOSPC, "full")
        return pwrite(fd, data, offset)

    pwrite = os.pwrite
    module = SimpleNamespace(**{**vars(os), "pwrite": full})
    monkeypatch.setattr(file_manifest, "os", module)
    for passed in range(len(EARLIER) + 2):
        writes = 0
        copy = Copy(tmp_path / f"{passed}" / "inbox", listed=(True, True))
        assert look(copy.path) == EARLIER
        assert list(copy.listings.iterdir()) == []
        assert copy.prepare(EARLIER).problem == UpdateReason.NOT_KNOWN


def test_digests_that_were_lost_are_read_from_the_files(
    tmp_path: Path, listed: tuple[bool, bool]
) -> None:
    copy = Copy(tmp_path / "inbox", listed=listed)
    update = EARLIER | {"b.txt": b"other", "new.txt": b"n"}
    done = copy.prepare(update)
    offer = decode_offer(copy.request(update).offer)
    with contextlib.suppress(FileNotFoundError):
        (copy.listings / f"{ID.hex()}.manifest.new").unlink()
    complete = copy.arrive(ID, offer, update, FileSet(done.have))
    if listed[1]:
        with contextlib.closing(Manifest(str(copy.listings), ID, offer)) as manifest:
            digests = b"".join(map(manifest.digest, range(len(update))))
    else:
        digests = complete.digests
    assert digests == b"".join(map(digest_of, update.values()))


def test_only_the_newest_manifests_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_manifest, "MAX_MANIFESTS", 2)
    for number, name in enumerate(["one.manifest", "two.manifest.new", "three.manifest", "list"]):
        (tmp_path / name).write_bytes(bytes(10))
        os.utime(tmp_path / name, (number, number))
    file_manifest.sweep(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["list", "three.manifest", "two.manifest.new"]
    monkeypatch.setattr(file_manifest, "MAX_MANIFEST_BYTES", 15)
    file_manifest.sweep(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["list", "three.manifest"]


names = st.text("aB.é /\\\0", min_size=1, max_size=3).filter(lambda name: "/" not in name)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)


def tree_of(paths: list[str], contents: list[bytes]) -> Tree:
    """Where one path would be both a file and a folder, the file is left out."""
    folders = {path[:at] for path in paths for at, sign in enumerate(path) if sign == "/"}
    files = [path for path in dict.fromkeys(paths) if path not in folders]
    return dict(zip(files, itertools.cycle(contents), strict=False))


contents = st.lists(st.binary(max_size=3), min_size=1, max_size=4)
trees = st.builds(tree_of, st.lists(paths, min_size=1, max_size=8), contents)


@settings(max_examples=60, deadline=None)
@given(trees, trees, st.tuples(st.booleans(), st.booleans()), st.randoms(use_true_random=False))
def test_any_tree_becomes_any_other_and_what_is_taken_is_right(
    earlier: Tree, more: Tree, kinds: tuple[bool, bool], random: Random
) -> None:
    with tempfile.TemporaryDirectory() as top, mock.patch("os.fsync"):
        copy = Copy(Path(top) / "inbox", earlier, listed=kinds)
        kept = [name for name in earlier if random.random() < 0.7]
        update = tree_of([*kept, *more], [b""])
        update = {name: earlier[name] if name in kept else more[name] for name in update}
        random.shuffle(order := list(update))
        update = {name: update[name] for name in order}
        before = look(copy.path)
        done = copy.prepare(update)
        assert done.state, "nobody has changed anything"
        same = {n for n, data in update.items() if n in earlier and len(data) == len(earlier[n])}
        taken = copy.taken(done, update)
        assert taken <= same
        assert {n for n in same if update[n] == earlier[n]} <= taken
        offer = decode_offer(copy.request(update).offer)
        complete = copy.arrive(ID, offer, update, FileSet(done.have))
        exchange = Exchange("proj", copy.earlier.inode, done.state, done.until)
        request = pw.Place(ID, str(copy.inbox), 0, "proj (1)", "proj", complete.inode, exchange)
        answer = place(request)
        assert isinstance(answer, pw.Placed)
        assert answer.until == done.until
        assert look(copy.inbox / done.until) == before, "no byte of the earlier one is lost"
        expected = {name: earlier[name] if name in taken else update[name] for name in update}
        assert sorted(look(copy.path).values()) == sorted(expected.values())
