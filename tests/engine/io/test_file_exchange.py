"""How folders change places, cut at each step; and what an earlier folder is compared by."""

import contextlib
import ctypes
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.update_wire import EarlierFolder, Exchange, KeptFolder
from chatnet_engine.io import file_exchange, file_update, renaming
from chatnet_engine.io.file_folder import PARTIAL_FOLDER, Folder
from chatnet_engine.io.file_place import discard, place
from chatnet_engine.io.file_state import fingerprint
from chatnet_engine.io.file_update import PrepareJob
from chatnet_protocol.ipc.offer import Offer, OfferedFile, OfferedFolder, encode_offer
from chatnet_protocol.ipc.reasons import UpdateReason
from file_digests import digest_of

ID, EARLIER_ID = b"n" * 16, b"e" * 16
OLD_S = 1_234_567_890
UNTIL = "proj (until 2026-11-30)"
UMASK = 0o022

Tree = dict[str, bytes]
EARLIER: Tree = {"a.txt": b"a" * 3000, "b.txt": b"b", "sub/c.txt": b"c" * 50, "sub/d.txt": b""}


class PowerCut(Exception):
    """Nothing after this happens."""


def write(top: Path, files: Tree) -> None:
    for name, content in files.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (OLD_S, OLD_S))


def look(top: Path) -> Tree:
    found = {path.relative_to(top).as_posix(): path for path in top.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items()}


def offer_of(files: Tree, *empty: str) -> Offer:
    listed = [
        OfferedFile(["proj", *name.split("/")], len(content), OLD_S * 1000)
        for name, content in files.items()
    ]
    return Offer(listed, [OfferedFolder(["proj", *name.split("/")]) for name in empty], update=True)


class Copy:
    """A folder that came earlier, and the new state of it."""

    def __init__(self, inbox: Path, earlier: Tree = EARLIER, *empty: str) -> None:
        self.inbox = inbox
        self.path = inbox / "proj"
        self.path.mkdir(parents=True)
        write(self.path, earlier)
        for name in empty:
            (self.path / name).mkdir(parents=True)
        digests = b"".join(map(digest_of, earlier.values()))
        offer = encode_offer(offer_of(earlier, *empty))
        self.earlier = EarlierFolder("proj", self.path.stat().st_ino, offer, digests)

    def prepare(self, files: Tree) -> pw.Prepared:
        offer = encode_offer(offer_of(files))
        done = PrepareJob(pw.Prepare(7, ID, str(self.inbox), offer, self.earlier), UMASK).run()
        assert isinstance(done, pw.Prepared), done
        return done

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


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "inbox")


# --- what is compared ---


def test_unchanged_files_are_taken_and_the_copy_may_be_replaced(copy: Copy) -> None:
    update = EARLIER | {"b.txt": b"bb", "new.txt": b"n"}
    done = copy.prepare(update)
    names = list(update)
    taken = {"a.txt", "sub/c.txt", "sub/d.txt"}
    assert {names[index] for index, _ in done.have} == taken
    assert dict(done.have) == {i: digest_of(update[names[i]]) for i, _ in done.have}
    assert done.state
    assert not done.problem
    assert look(copy.partial) == {name: EARLIER[name] for name in taken}
    assert (copy.partial / "a.txt").stat().st_mtime == OLD_S
    assert done.until.startswith("proj (until ")


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
    assert len(copy.prepare(EARLIER).have) == len(EARLIER)
    assert look(copy.partial) == EARLIER


def test_a_reflink_is_checked_like_a_copy(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    def clone(fd: int, request: int, source: int) -> int:
        assert request == file_update.FICLONE
        os.pwrite(fd, os.pread(source, 10_000, 0), 0)
        return 0

    monkeypatch.setattr("fcntl.ioctl", clone)
    assert len(copy.prepare(EARLIER).have) == len(EARLIER)
    assert look(copy.partial) == EARLIER


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


@pytest.mark.parametrize("how", CHANGES)
def test_a_copy_in_which_anything_was_changed_is_not_replaced(copy: Copy, how: str) -> None:
    change(copy.path, how)
    done = copy.prepare({name: EARLIER[name] for name in ("a.txt", "b.txt", "sub/d.txt")})
    assert (done.state, done.problem) == (b"", UpdateReason.CHANGED)
    assert all(len(digest) == 32 for _, digest in done.have)
    kept = look(copy.partial)
    assert kept == {name: EARLIER[name] for name in kept}, "what is taken is what it was"


def test_an_empty_folder_that_came_is_no_change(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "inbox", EARLIER, "empty/inner")
    assert copy.prepare(EARLIER).state


@pytest.mark.parametrize("how", ["removed", "moved", "another", "a link", "no inbox"])
def test_a_copy_that_is_not_where_it_was_is_not_replaced(copy: Copy, how: str) -> None:
    aside = copy.inbox.parent / "aside"
    if how == "no inbox":
        copy.inbox.rename(aside)
    else:
        copy.path.rename(aside)
    if how == "another":
        shutil.copytree(aside, copy.path)
    elif how == "a link":
        copy.path.symlink_to(aside)
    done = copy.prepare(EARLIER)
    assert (done.have, done.state, done.problem) == ([], b"", UpdateReason.MOVED)
    assert copy.inbox.exists() == (how != "no inbox")


def test_a_full_disk_waits(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[int] = []
    monkeypatch.setattr(Folder, "need", lambda self, size_bytes: wanted.append(size_bytes))
    copy.prepare(EARLIER)
    assert wanted == [sum(map(len, EARLIER.values()))], "copies take space like what is sent"


def test_preparing_ends_when_nobody_waits_for_it(copy: Copy) -> None:
    request = pw.Prepare(7, ID, str(copy.inbox), encode_offer(offer_of(EARLIER)), copy.earlier)
    done = PrepareJob(request, UMASK, lambda: True).run()
    assert isinstance(done, pw.Ended)


# --- changing places ---

UPDATE: Tree = {"a.txt": b"new", "sub/e.txt": b"e"}


def check_replaced(copy: Copy, answer: object) -> None:
    assert answer == pw.Placed(ID, 0, "proj", UNTIL)
    assert look(copy.path) == UPDATE
    assert look(copy.inbox / UNTIL) == EARLIER
    assert copy.names == ["proj", UNTIL]


def test_both_change_places_and_the_earlier_one_stays_beside(copy: Copy) -> None:
    request = copy.complete(UPDATE)
    check_replaced(copy, place(request))
    check_replaced(copy, place(request))


def test_a_taken_name_of_the_earlier_one_is_numbered(copy: Copy) -> None:
    (copy.inbox / UNTIL).mkdir()
    answer = place(copy.complete(UPDATE))
    assert answer == pw.Placed(ID, 0, "proj", f"{UNTIL} (1)")
    assert look(copy.inbox / f"{UNTIL} (1)") == EARLIER


STEPS = ("rename_folder", "exchange_folders", "sync_dir_fd")


def cut(monkeypatch: pytest.MonkeyPatch, at: int, *, before: bool) -> Callable[[], None]:
    """The power fails before or after the step of this number."""
    count = 0
    undo = contextlib.ExitStack()
    inner = undo.enter_context(monkeypatch.context())

    def wrap(name: str) -> None:
        real = getattr(file_exchange, name)

        def step(*args: object) -> object:
            nonlocal count
            count += 1
            if count == at and before:
                raise PowerCut
            result = real(*args)
            if count == at:
                raise PowerCut
            return result

        inner.setattr(file_exchange, name, step)

    for name in STEPS:
        wrap(name)
    return undo.close


MAX_STEPS = 7


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", range(1, MAX_STEPS + 1))
def test_a_cut_anywhere_is_recognised(
    copy: Copy, monkeypatch: pytest.MonkeyPatch, at: int, before: bool
) -> None:
    request = copy.complete(UPDATE)
    restore = cut(monkeypatch, at, before=before)
    with pytest.raises(PowerCut):
        place(request)
    restore()
    here = look(copy.path)
    assert here in (EARLIER, UPDATE), "there is always a whole folder under the name"
    check_replaced(copy, place(request))


def test_there_are_no_more_steps(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    restore = cut(monkeypatch, MAX_STEPS + 1, before=True)
    check_replaced(copy, place(copy.complete(UPDATE)))
    restore()


@pytest.mark.parametrize("at", range(1, MAX_STEPS + 1))
def test_a_transfer_that_ends_after_a_cut_loses_no_earlier_folder(
    copy: Copy, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    request = copy.complete(UPDATE)
    restore = cut(monkeypatch, at, before=False)
    with pytest.raises(PowerCut):
        place(request)
    restore()
    discard(pw.Discard(ID, str(copy.inbox), request.exchange, request.inode))
    trees = [look(copy.inbox / name) for name in copy.names]
    assert EARLIER in trees
    assert all(tree in (EARLIER, UPDATE) for tree in trees)
    assert PARTIAL_FOLDER not in copy.names


@pytest.mark.parametrize("how", CHANGES)
def test_a_copy_changed_at_the_last_moment_stays(copy: Copy, how: str) -> None:
    request = copy.complete(UPDATE)
    change(copy.path, how)
    before = look(copy.path)
    answer = place(request)
    assert answer == pw.Placed(ID, 0, "proj (1)", problem=UpdateReason.CHANGED)
    assert place(request) == answer
    assert look(copy.path) == before
    assert look(copy.inbox / "proj (1)") == UPDATE
    assert PARTIAL_FOLDER not in copy.names


def test_a_copy_moved_at_the_last_moment_is_left_alone(copy: Copy) -> None:
    request = copy.complete(UPDATE)
    copy.path.rename(copy.inbox / "mine")
    assert place(request) == pw.Placed(ID, 0, "proj (1)", problem=UpdateReason.MOVED)
    assert look(copy.inbox / "mine") == EARLIER


@pytest.mark.parametrize("code", sorted(renaming.NOT_SUPPORTED))
def test_a_disk_that_cannot_exchange_has_both(
    copy: Copy, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*args: object) -> int:
        ctypes.set_errno(code)
        return -1

    request = copy.complete(UPDATE)
    # A plain rename does for the others.
    monkeypatch.setattr(renaming, "_LIBC", SimpleNamespace(renameat2=refuse))
    answer = place(request)
    assert answer == pw.Placed(ID, 0, "proj (1)", problem=UpdateReason.DISK)
    assert (look(copy.path), look(copy.inbox / "proj (1)")) == (EARLIER, UPDATE)


def test_what_is_gone_is_no_exchange(copy: Copy) -> None:
    request = copy.complete(UPDATE)
    shutil.rmtree(copy.partial)
    answer = place(request)
    assert isinstance(answer, pw.NotPlaced)
    assert answer.gone
    assert look(copy.path) == EARLIER


def test_earlier_states_that_are_too_many_go_unless_somebody_works_in_them(copy: Copy) -> None:
    request = copy.complete(UPDATE)
    assert request.exchange is not None
    drop: list[KeptFolder] = []
    for name in ("one", "two", "three"):
        write(copy.inbox / name, EARLIER)
        folder = Folder(str(copy.inbox))
        state = fingerprint(folder.fd, name)
        folder.close()
        drop.append(KeptFolder(name, (copy.inbox / name).stat().st_ino, 1, state))
    (copy.inbox / "two/mine").write_bytes(b"mine")
    (copy.inbox / "three").rename(copy.inbox / "renamed")
    write(copy.inbox / "three", EARLIER)
    exchange = Exchange("proj", copy.earlier.inode, request.exchange.state, UNTIL, drop)
    request = pw.Place(ID, str(copy.inbox), 0, "proj (1)", "proj", request.inode, exchange)
    assert isinstance(place(request), pw.Placed)
    assert copy.names == ["proj", UNTIL, "renamed", "three", "two"]


def test_an_earlier_state_that_was_half_removed_goes_with_the_next_call(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill in the middle of removing thousands of files is likely enough."""
    request = copy.complete(UPDATE)
    assert request.exchange is not None
    write(copy.inbox / "one", EARLIER)
    folder = Folder(str(copy.inbox))
    state = fingerprint(folder.fd, "one")
    folder.close()
    drop = [KeptFolder("one", (copy.inbox / "one").stat().st_ino, 1, state)]
    exchange = Exchange("proj", copy.earlier.inode, request.exchange.state, UNTIL, drop)
    request = pw.Place(ID, str(copy.inbox), 0, "proj (1)", "proj", request.inode, exchange)

    def cut(*_: object, **__: object) -> None:
        raise OSError("cut")

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", cut)
        assert isinstance(place(request), pw.Placed)
    assert len(list((copy.inbox / ".chatnet-partial").iterdir())) == 1
    assert isinstance(place(request), pw.Placed)
    assert not (copy.inbox / ".chatnet-partial").exists()
    assert copy.names == ["proj", UNTIL]


def test_other_transfers_and_sweeps_leave_what_is_aside(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = copy.complete(UPDATE)
    restore = cut(monkeypatch, 2, before=False)  # both have changed places
    with pytest.raises(PowerCut):
        place(request)
    restore()
    folder = Folder(str(copy.inbox))
    folder.discard(ID)
    monkeypatch.setattr("time.time", lambda: 1e12)
    folder.sweep()
    folder.close()
    check_replaced(copy, place(request))
