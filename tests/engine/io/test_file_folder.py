"""The receiver's folder: nothing is overwritten, followed or left half done."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from chatnet_engine.io import file_folder
from chatnet_engine.io.file_folder import (
    ALLOCATE_STEP_BYTES,
    PARTIAL_FOLDER,
    PARTIAL_KEPT_S,
    Allocation,
    Folder,
    FolderError,
    PartialGone,
    problem,
)

ID = bytes(range(16))
OTHER = bytes(16)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(str(tmp_path / "in" / "box"))
    yield folder
    folder.close()


def complete(folder: Folder, content: bytes = b"new", index: int = 0) -> int:
    fd = folder.open_partial(ID, index)
    os.write(fd, content)
    inode = os.fstat(fd).st_ino
    os.close(fd)
    return inode


def partials(folder: Folder) -> list[str]:
    return os.listdir(Path(folder.path) / PARTIAL_FOLDER)


def test_partials_are_private(folder: Folder) -> None:
    complete(folder)
    below = Path(folder.path) / PARTIAL_FOLDER
    assert below.stat().st_mode & 0o777 == 0o700
    assert (below / f"{ID.hex()}-0").stat().st_mode & 0o777 == 0o600


def test_a_complete_file_gets_its_name_and_only_that(folder: Folder) -> None:
    inode = complete(folder)
    assert folder.place(ID, 0, "name", inode)
    landed = Path(folder.path) / "name"
    assert landed.read_bytes() == b"new"
    assert (landed.stat().st_ino, landed.stat().st_nlink) == (inode, 1)
    assert partials(folder) == []


def test_placing_again_recognises_what_happened(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    inode = complete(folder)

    def die(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", die)
        with pytest.raises(KeyboardInterrupt):
            folder.place(ID, 0, "name", inode)
    assert partials(folder) != []
    for _ in range(2):
        assert folder.place(ID, 0, "name", inode)
    assert partials(folder) == []
    assert sorted(os.listdir(folder.path)) == [PARTIAL_FOLDER, "name"]


@pytest.mark.parametrize("what", ["file", "folder", "link", "dangling link"])
def test_whatever_has_the_name_keeps_it(folder: Folder, tmp_path: Path, what: str) -> None:
    taken = Path(folder.path) / "name.txt"
    outside = tmp_path / "outside"
    if what == "file":
        taken.write_text("mine")
    elif what == "folder":
        taken.mkdir()
    else:
        if what == "link":
            outside.write_text("mine")
        taken.symlink_to(outside)
    inode = complete(folder)
    assert folder.place(ID, 0, "name.txt", inode) is False
    assert folder.free_name("name.txt", is_folder=False) == "name (1).txt"
    assert folder.place(ID, 0, "name (1).txt", inode)
    if what != "dangling link":
        assert taken.exists()
    assert not outside.exists() or outside.read_text() == "mine"


def test_a_link_in_place_of_a_partial_is_not_followed(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("mine")
    below = Path(folder.path) / PARTIAL_FOLDER
    (below / f"{ID.hex()}-0").symlink_to(tmp_path / "outside")
    with pytest.raises(OSError, match="symbolic links"):
        folder.open_partial(ID, 0)
    (below / f"{ID.hex()}-1").mkdir()
    with pytest.raises(OSError, match="directory"):
        folder.open_partial(ID, 1)
    os.mkfifo(below / f"{ID.hex()}-2")
    with pytest.raises(OSError, match=r"(not a|no) regular file"):
        folder.open_partial(ID, 2)


def test_bytes_that_are_gone_are_noticed(folder: Folder) -> None:
    inode = complete(folder)
    with pytest.raises(PartialGone):
        folder.place(ID, 1, "name", inode)
    with pytest.raises(PartialGone):
        folder.place(ID, 0, "name", inode + 1)


def test_without_hard_links_it_is_moved_over_a_reserved_name(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    (Path(folder.path) / "taken").write_text("mine")
    inode = complete(folder)
    assert folder.place(ID, 0, "taken", inode) is False
    assert folder.place(ID, 0, "name", inode)
    assert (Path(folder.path) / "name").read_bytes() == b"new"
    assert (Path(folder.path) / "taken").read_text() == "mine"
    assert partials(folder) == []


def test_names_run_out(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_folder, "MAX_NUMBER", 1)
    for name in ("x", "x (1)"):
        (Path(folder.path) / name).touch()
    with pytest.raises(FolderError, match="names-taken"):
        folder.free_name("x", is_folder=False)


def test_the_folder_of_the_partials_goes_with_the_last(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    inode = complete(folder)
    folder.close()
    assert os.listdir(tmp_path) == [PARTIAL_FOLDER], "what has arrived stays for the next time"
    folder = Folder(str(tmp_path))
    assert folder.place(ID, 0, "name", inode)
    folder.close()
    assert os.listdir(tmp_path) == ["name"]


def test_a_folder_that_somebody_else_took_away_is_made_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others_close() -> None:
        Folder(folder.path).close()
        assert os.listdir(folder.path) == []

    others_close()
    folder.sweep()
    folder.discard(ID)
    assert folder.place(ID, 0, "name", complete(folder))
    (Path(folder.path) / "name").unlink()
    others_close()
    monkeypatch.setattr(file_folder, "MAX_ATTEMPTS", 3)
    really_open = os.open

    def open_after_it_went(name: str, *args: int, dir_fd: int) -> int:
        with contextlib.suppress(OSError):
            os.rmdir(PARTIAL_FOLDER, dir_fd=folder._fd)
        return really_open(name, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", open_after_it_went)
    with pytest.raises(OSError, match="does not stay"):
        folder.open_partial(ID, 0)


def test_two_that_come_and_go_do_not_disturb_each_other(tmp_path: Path) -> None:
    def receive(transfer_id: bytes) -> None:
        for number in range(100):
            with contextlib.closing(Folder(str(tmp_path))) as folder:
                folder.sweep()
                fd = folder.open_partial(transfer_id, 0)
                inode = os.fstat(fd).st_ino
                os.close(fd)
                assert folder.place(transfer_id, 0, f"{transfer_id[0]}-{number}", inode)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(receive, [bytes([n]) * 16 for n in range(3)]))
    assert len(os.listdir(tmp_path)) == 300


def complete_tree(folder: Folder, thing: int = 0) -> int:
    with contextlib.closing(folder.open_tree(ID, thing)) as tree:
        os.close(tree.open_file(["sub", "file"]))
        return tree.finish()


def test_a_folder_appears_whole_and_never_over_anything(folder: Folder) -> None:
    inode = complete_tree(folder)
    for name in ("taken", "empty"):
        (Path(folder.path) / name).mkdir()
        assert folder.place(ID, 0, name, inode) is False
    assert os.listdir(Path(folder.path) / "empty") == []
    assert folder.free_name("taken", is_folder=True) == "taken (1)"
    for _ in range(2):
        assert folder.place(ID, 0, "taken (1)", inode), "and an earlier call is recognised"
    assert (Path(folder.path) / "taken (1)" / "sub" / "file").exists()
    assert partials(folder) == []


def test_a_folder_that_is_gone_is_noticed(folder: Folder) -> None:
    inode = complete_tree(folder)
    folder.discard(ID)
    assert partials(folder) == []
    with pytest.raises(PartialGone):
        folder.place(ID, 0, "name", inode)


def test_discard_and_sweep_leave_the_others(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for transfer_id, index in ((ID, 0), (ID, 1), (OTHER, 0), (OTHER, 1)):
        os.close(folder.open_partial(transfer_id, index))
    complete_tree(folder, 2)
    folder.discard(ID)
    assert sorted(partials(folder)) == [f"{OTHER.hex()}-0", f"{OTHER.hex()}-1"]
    below = Path(folder.path) / PARTIAL_FOLDER
    os.utime(below / f"{OTHER.hex()}-0", (1, 1))
    folder.sweep()
    assert len(partials(folder)) == 2, "a sender chooses the time of a file's content"
    complete_tree(folder)
    later = time.time() + PARTIAL_KEPT_S + 60
    monkeypatch.setattr(time, "time", lambda: later)
    folder.sweep()
    assert partials(folder) == []


def test_the_reserve_stays_free(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(f_blocks=1000, f_bavail=100, f_frsize=1_000_000)
    monkeypatch.setattr(os, "fstatvfs", lambda fd: disk)
    folder.need(50_000_000)
    with pytest.raises(FolderError, match="no-space") as info:
        folder.need(50_000_001)
    assert info.value.full
    assert info.value.why.params[1] == "50000001"
    disk.f_blocks = 1_000_000
    with pytest.raises(FolderError):
        folder.need(0)


@pytest.mark.parametrize(
    ("code", "full"),
    [
        (errno.ENOSPC, True),
        (errno.EDQUOT, True),
        (errno.EIO, True),
        (errno.EACCES, False),
        (errno.EROFS, False),
    ],
)
def test_errors_become_reasons(code: int, full: bool) -> None:
    error = problem(OSError(code, os.strerror(code)), "/in\nbox")
    assert error.full is full
    assert error.why.code in ("disk-full", "unwritable")
    assert error.why.params[0] == "/in_box"


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FolderError):
            Folder(str(path))
    with pytest.raises(FolderError):
        Folder("/nul\0")


def test_space_is_taken_ahead_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "posix_fallocate", lambda fd, at, size: asked.append((at, size)))
    size = ALLOCATE_STEP_BYTES + 5
    allocation = Allocation(7, size, 0)
    for offset in (1, 1000, ALLOCATE_STEP_BYTES, size):
        allocation.reach(offset)
    assert asked == [(0, ALLOCATE_STEP_BYTES), (ALLOCATE_STEP_BYTES, 5)]


def test_a_full_disk_shows_ahead_and_other_refusals_do_not_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(fd: int, at: int, size: int) -> None:
        raise OSError(code, "refused")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    code = errno.ENOSPC
    with pytest.raises(OSError, match="refused"):
        Allocation(7, 10, 0).reach(1)
    code = errno.EOPNOTSUPP
    Allocation(7, 10, 0).reach(1)
