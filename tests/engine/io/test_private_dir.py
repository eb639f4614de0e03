import contextlib
import errno
import os
import stat
from pathlib import Path

import pytest

from chatnet_engine.io.private_dir import (
    make_dirs,
    make_private_dir,
    read_private,
    socket_dirs,
    sync_dir,
    write_atomically,
)
from chatnet_protocol.errors import CommandError


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_folders_are_made_with_their_parents_for_us_only(own_home: Path) -> None:
    path = str(own_home / "a" / "b")
    for _ in range(2):
        make_dirs(path)
        make_private_dir(f"{path}/c")
    assert {mode(path), mode(own_home / "a"), mode(f"{path}/c")} == {0o700}
    (own_home / "file").touch()
    with pytest.raises(NotADirectoryError):
        make_dirs(str(own_home / "file"))
    with pytest.raises(FileNotFoundError):
        make_dirs("/proc/nothing/deep")


def test_a_file_is_read_only_if_it_is_one(own_home: Path) -> None:
    path = own_home / "file"
    path.write_bytes(b"12345")
    assert read_private(str(path), 3) == b"123"
    os.mkfifo(own_home / "fifo")
    with pytest.raises(OSError, match=r"(not a|no) regular file"):
        read_private(str(own_home / "fifo"), 3)


def test_an_own_open_folder_is_closed(own_home: Path) -> None:
    path = own_home / "open"
    path.mkdir()
    path.chmod(0o777)
    make_private_dir(str(path))
    assert mode(path) == 0o700


def test_a_symlink_and_a_file_are_refused(own_home: Path) -> None:
    (own_home / "real").mkdir()
    (own_home / "link").symlink_to(own_home / "real")
    (own_home / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(CommandError, match="not a folder of yours"):
            make_private_dir(str(own_home / name))


def test_a_folder_of_somebody_else_is_refused(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = own_home / "theirs"
    path.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.lstat(path).st_uid + 1)
    with pytest.raises(CommandError, match="not a folder of yours"):
        make_private_dir(str(path))


def test_a_folder_that_cannot_be_made_is_one_sentence(own_home: Path) -> None:
    (own_home / "file").touch()
    with pytest.raises(CommandError, match="below/deeper cannot be made: "):
        make_private_dir(str(own_home / "file" / "below" / "deeper"))


def test_writing_replaces_and_leaves_nothing_beside(own_home: Path) -> None:
    path = own_home / "x" / "file"
    path.parent.mkdir()
    path.write_text("old")
    path.chmod(0o666)
    write_atomically(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert os.listdir(path.parent) == ["file"]


def test_socket_dirs_prefer_the_login_folder() -> None:
    assert socket_dirs({"XDG_RUNTIME_DIR": "/run/user/5"}, "/tmp", 5) == [
        "/run/user/5/chatnet",
        "/tmp/chatnet-5",
    ]
    assert socket_dirs({"XDG_RUNTIME_DIR": "relative"}, "/tmp", 5) == ["/tmp/chatnet-5"]
    assert socket_dirs({}, "/var/tmp", 5) == ["/var/tmp/chatnet-5"]


@pytest.mark.parametrize(
    ("code", "raised"), [(errno.EINVAL, False), (errno.EROFS, False), (errno.EIO, True)]
)
def test_a_folder_that_has_no_sync_is_no_error_and_a_sick_disk_is(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, code: int, raised: bool
) -> None:
    def refuse(fd: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match=os.strerror(code)) if raised else contextlib.nullcontext():
        sync_dir(str(own_home))


def test_a_file_that_others_could_read_is_read_where_modes_cannot_change(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, mode: int) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    path = own_home / "key"
    path.write_bytes(b"k")
    path.chmod(0o644)
    monkeypatch.setattr(os, "fchmod", refuse)
    assert read_private(str(path), 5) == b"k"
