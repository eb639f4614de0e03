import os
import stat

import pytest

from chatnet_engine.io.private_dir import make_private_dir, socket_dirs, write_atomically
from chatnet_protocol.errors import CommandError


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_a_folder_is_made_with_its_parents_for_us_only(own_home):
    path = str(own_home / "a" / "b")
    make_private_dir(path)
    make_private_dir(path)
    assert mode(path) == 0o700


def test_an_own_open_folder_is_closed(own_home):
    path = own_home / "open"
    path.mkdir()
    path.chmod(0o777)
    make_private_dir(str(path))
    assert mode(path) == 0o700


def test_a_symlink_and_a_file_are_refused(own_home):
    (own_home / "real").mkdir()
    (own_home / "link").symlink_to(own_home / "real")
    (own_home / "file").touch()
    for name in ("link", "file"):
        with pytest.raises(CommandError, match="not a folder of yours"):
            make_private_dir(str(own_home / name))


def test_a_folder_of_somebody_else_is_refused(own_home, monkeypatch):
    path = own_home / "theirs"
    path.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.lstat(path).st_uid + 1)
    with pytest.raises(CommandError, match="not a folder of yours"):
        make_private_dir(str(path))


def test_a_folder_that_cannot_be_made_is_one_sentence(own_home):
    (own_home / "file").touch()
    with pytest.raises(CommandError, match="below/deeper cannot be made: "):
        make_private_dir(str(own_home / "file" / "below" / "deeper"))


def test_writing_replaces_and_leaves_nothing_beside(own_home):
    path = own_home / "x" / "file"
    path.parent.mkdir()
    path.write_text("old")
    path.chmod(0o666)
    write_atomically(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert mode(path) == 0o600
    assert os.listdir(path.parent) == ["file"]


def test_socket_dirs_prefer_the_login_folder():
    assert socket_dirs({"XDG_RUNTIME_DIR": "/run/user/5"}, "/tmp", 5) == [
        "/run/user/5/chatnet",
        "/tmp/chatnet-5",
    ]
    assert socket_dirs({"XDG_RUNTIME_DIR": "relative"}, "/tmp", 5) == ["/tmp/chatnet-5"]
    assert socket_dirs({}, "/var/tmp", 5) == ["/var/tmp/chatnet-5"]
