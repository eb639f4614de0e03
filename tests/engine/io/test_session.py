import os
import stat
import subprocess
import sys

import pytest

from chatnet_engine.io import private_dir
from chatnet_engine.io.file_link import child_environ
from chatnet_engine.io.session import SessionFolder, choose_inbox, default_home
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.session_files import ConnectionFile, decode_connection_file

CONNECTION = ConnectionFile("s", "00", 1, 1, "0", "ipc://e", "ipc://c", 5)
HOLDER = """
import sys
from chatnet_engine.io.session import SessionFolder
folder = SessionFolder(sys.argv[1], "s")
print("locked", flush=True)
sys.stdin.read()
"""


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.fixture
def path(own_home):
    return str(own_home / "chatnet" / "sessions" / "s")


@pytest.fixture
def folder(path):
    folder = SessionFolder(path, "s")
    yield folder
    folder.close()


def test_the_folder_is_private_and_says_who_holds_it(folder):
    assert mode(folder.path) == 0o700
    assert mode(os.path.join(folder.path, "lock")) == 0o600
    with open(os.path.join(folder.path, "lock"), encoding="ascii") as lock:
        assert int(lock.read()) == os.getpid()


def test_a_second_engine_is_refused_with_the_pid(folder, path):
    with pytest.raises(CommandError) as caught:
        SessionFolder(path, "s")
    assert caught.value.code == ErrorCode.BUSY
    assert caught.value.detail == f"Session s is running already (process {os.getpid()})."


def test_the_lock_ends_with_its_process_however_that_ends(path):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environ(),
    )
    with holder:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(CommandError, match=f"process {holder.pid}"):
            SessionFolder(path, "s")
        holder.kill()
    SessionFolder(path, "s").close()


def test_a_stale_lock_file_and_connection_file_are_harmless(path):
    os.makedirs(path)
    for name in ("lock", "connection.json"):
        with open(os.path.join(path, name), "w", encoding="ascii") as file:
            file.write("99999999")
    folder = SessionFolder(path, "s")
    assert not os.path.exists(os.path.join(path, "connection.json"))
    folder.close()


def test_a_lock_that_is_a_symlink_is_refused(path, own_home):
    os.makedirs(path)
    (own_home / "victim").write_text("precious")
    os.symlink(own_home / "victim", os.path.join(path, "lock"))
    with pytest.raises(CommandError, match="cannot be opened"):
        SessionFolder(path, "s")
    assert (own_home / "victim").read_text() == "precious"


def test_the_identity_is_made_once(folder):
    first = folder.load_identity(lambda size: b"k" * size)
    again = folder.load_identity(lambda size: b"x" * size)
    assert first == again == b"k" * 32
    assert mode(os.path.join(folder.path, "identity.key")) == 0o600


def test_an_identity_that_others_could_read_is_closed_to_them(folder):
    folder.load_identity(lambda size: b"k" * size)
    key = os.path.join(folder.path, "identity.key")
    os.chmod(key, 0o644)
    assert folder.load_identity(os.urandom) == b"k" * 32
    assert mode(key) == 0o600


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_identity_is_never_replaced(folder, content):
    key = os.path.join(folder.path, "identity.key")
    with open(key, "wb") as file:
        file.write(content)
    with pytest.raises(CommandError, match="is damaged"):
        folder.load_identity(os.urandom)
    with open(key, "rb") as file:
        assert file.read() == content


def test_a_start_that_dies_while_making_the_key_makes_it_next_time(folder, monkeypatch):
    def die(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(private_dir.os, "replace", die)
        with pytest.raises(KeyboardInterrupt):
            folder.load_identity(lambda size: b"k" * size)
    assert folder.load_identity(lambda size: b"n" * size) == b"n" * 32


def test_the_connection_file_comes_and_goes(folder):
    folder.write_connection_file(CONNECTION)
    path = os.path.join(folder.path, "connection.json")
    assert mode(path) == 0o600
    with open(path, "rb") as file:
        assert decode_connection_file(file.read()) == CONNECTION
    folder.remove_connection_file()
    folder.remove_connection_file()
    assert not os.path.exists(path)


def test_files_land_in_downloads_where_there_are_downloads(folder, own_home):
    assert choose_inbox(folder, str(own_home)) == folder.inbox_path
    assert mode(folder.inbox_path) == 0o700
    (own_home / "Downloads").mkdir()
    assert choose_inbox(folder, str(own_home)) == str(own_home / "Downloads" / "ChatNet")
    assert (own_home / "Downloads" / "ChatNet").is_dir()


def test_downloads_that_cannot_be_used_give_the_sessions_inbox(folder, own_home):
    (own_home / "Downloads").mkdir()
    (own_home / "Downloads" / "ChatNet").touch()
    assert choose_inbox(folder, str(own_home)) == folder.inbox_path


def test_chatnet_home_moves_all_state(own_home):
    assert default_home({"CHATNET_HOME": str(own_home)}) == str(own_home)
    assert default_home({}).startswith(str(own_home / "data"))


def test_a_missing_known_peers_is_empty_and_a_damaged_one_is_named_by_line(folder):
    assert folder.load_known_peers().encode() == b""
    with open(folder.known_peers_path, "wb") as file:
        file.write(b"# keys\nbob not-a-key 7 no\n")
    os.chmod(folder.known_peers_path, 0o644)
    with pytest.raises(CommandError, match="known_peers is damaged: line 2: a public key has 52"):
        folder.load_known_peers()
    assert mode(folder.known_peers_path) == 0o600
    with open(folder.known_peers_path, "wb") as file:
        file.write(b"# keys\n")
    assert folder.load_known_peers().encode() == b"# keys\n"


def test_a_known_peers_that_cannot_be_read_is_no_empty_one(folder):
    os.mkdir(folder.known_peers_path)
    with pytest.raises(CommandError, match="known_peers cannot be read"):
        folder.load_known_peers()
