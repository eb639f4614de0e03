"""How folders change places, cut at each step."""

import contextlib
import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.update_wire import Exchange, KeptFolder
from chatnet_engine.io import file_exchange, renaming
from chatnet_engine.io.file_folder import PARTIAL_FOLDER, Folder
from chatnet_engine.io.file_place import discard, place
from chatnet_engine.io.file_state import fingerprint
from chatnet_protocol.ipc.reasons import UpdateReason
from file_trees import Tree, look
from update_copy import CHANGES, EARLIER, ID, UNTIL, Copy, change, write


class PowerCut(Exception):
    """Nothing after this happens."""


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "inbox", listed=(False, False))


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
    discard(pw.Discard(ID, str(copy.inbox), request.exchange, request.inode), "")
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
