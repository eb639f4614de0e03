import fcntl
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatnet_engine.io.file_link import child_environ
from chatnet_engine.io.log import open_log
from chatnet_engine.io.session import SessionFolder, choose_inbox, default_home
from chatnet_engine.io.session_state import COSTS
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.session_files import ConnectionFile, decode_connection_file

CONNECTION = ConnectionFile("s", "00", 1, 1, "0", "ipc://e", "ipc://c", 5)
HOLDER = """
import sys
from chatnet_engine.io.log import open_log
from chatnet_engine.io.session import SessionFolder
folder = SessionFolder(sys.argv[1], "s")
print("locked", flush=True)
sys.stdin.read()
"""


def mode(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.fixture
def path(own_home: Path) -> str:
    return str(own_home / "chatnet" / "sessions" / "s")


@pytest.fixture
def folder(path: str) -> Iterator[SessionFolder]:
    folder = SessionFolder(path, "s")
    yield folder
    folder.close()


def test_the_folder_is_private_and_says_who_holds_it(folder: SessionFolder) -> None:
    assert mode(folder.path) == 0o700
    assert mode(os.path.join(folder.path, "lock")) == 0o600
    with open(os.path.join(folder.path, "lock"), encoding="ascii") as lock:
        assert int(lock.read()) == os.getpid()


def test_a_second_engine_is_refused_with_the_pid(folder: SessionFolder, path: str) -> None:
    with pytest.raises(CommandError) as caught:
        SessionFolder(path, "s")
    assert caught.value.code == ErrorCode.BUSY
    assert caught.value.detail == f"Session s is running already (process {os.getpid()})."


def test_the_lock_ends_with_its_process_however_that_ends(path: str) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environ(),
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(CommandError, match=f"process {holder.pid}"):
            SessionFolder(path, "s")
        holder.kill()
    SessionFolder(path, "s").close()


def test_a_stale_lock_file_and_connection_file_are_harmless(path: str) -> None:
    os.makedirs(path)
    for name in ("lock", "connection.json"):
        with open(os.path.join(path, name), "w", encoding="ascii") as file:
            file.write("99999999")
    folder = SessionFolder(path, "s")
    assert not os.path.exists(os.path.join(path, "connection.json"))
    folder.close()


def test_a_lock_that_is_a_symlink_is_refused(path: str, own_home: Path) -> None:
    os.makedirs(path)
    (own_home / "victim").write_text("precious")
    os.symlink(own_home / "victim", os.path.join(path, "lock"))
    with pytest.raises(CommandError, match="cannot be opened"):
        SessionFolder(path, "s")
    assert (own_home / "victim").read_text() == "precious"


def test_a_key_that_others_could_read_is_closed_to_them(folder: SessionFolder) -> None:
    folder.open_state(lambda size: b"k" * size)
    key = os.path.join(folder.path, "identity.key")
    os.chmod(key, 0o644)
    assert folder.open_state(os.urandom)[0] == b"k" * 32
    assert mode(key) == 0o600


@pytest.mark.parametrize("name", ["identity.key", "known_peers", "history.db", "history.db-wal"])
@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "link", "hard link"])
def test_what_is_no_file_of_its_own_is_refused_at_once(
    folder: SessionFolder, own_home: Path, name: str, kind: str
) -> None:
    folder.open_state(os.urandom)
    path = os.path.join(folder.path, name)
    if os.path.exists(path):
        os.rename(path, own_home / "elsewhere")
    else:
        (own_home / "elsewhere").touch()
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "folder":
            os.mkdir(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as bound:
                bound.bind(path)
        case "link":
            os.symlink(own_home / "elsewhere", path)
        case _:
            os.link(own_home / "elsewhere", path)
    with pytest.raises(CommandError, match=rf"{name} cannot be used: .*\.$"):
        folder.open_state(os.urandom, COSTS)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("lock", lambda folder: SessionFolder(folder, "s")),
        ("engine.log", lambda folder: open_log(f"{folder}/engine.log", "info")),
    ],
)
def test_a_fifo_never_makes_a_start_wait(
    path: str, name: str, start: Callable[[str], object]
) -> None:
    os.makedirs(path)
    os.mkfifo(os.path.join(path, name))
    with pytest.raises((CommandError, OSError), match=r"(not a|no) regular file"):
        start(path)


def test_a_folder_in_the_place_of_the_connection_file_is_one_sentence(path: str) -> None:
    os.makedirs(os.path.join(path, "connection.json"))
    with pytest.raises(CommandError, match=r"connection\.json cannot be removed: .*\.$"):
        SessionFolder(path, "s")


def test_a_fifo_in_the_place_of_a_draft_is_replaced(folder: SessionFolder) -> None:
    os.mkfifo(os.path.join(folder.path, "connection.json.new"))
    folder.write_connection_file(CONNECTION)
    assert stat.S_ISREG(os.lstat(os.path.join(folder.path, "connection.json")).st_mode)


def test_the_connection_file_comes_and_goes(folder: SessionFolder) -> None:
    folder.write_connection_file(CONNECTION)
    path = os.path.join(folder.path, "connection.json")
    assert mode(path) == 0o600
    with open(path, "rb") as file:
        assert decode_connection_file(file.read()) == CONNECTION
    folder.remove_connection_file()
    folder.remove_connection_file()
    assert not os.path.exists(path)


def test_files_land_in_downloads_where_there_are_downloads(
    folder: SessionFolder, own_home: Path
) -> None:
    assert choose_inbox(folder, str(own_home)) == folder.inbox_path
    assert mode(folder.inbox_path) == 0o700
    (own_home / "Downloads").mkdir()
    assert choose_inbox(folder, str(own_home)) == str(own_home / "Downloads" / "ChatNet")
    assert (own_home / "Downloads" / "ChatNet").is_dir()


def test_downloads_that_cannot_be_used_give_the_sessions_inbox(
    folder: SessionFolder, own_home: Path
) -> None:
    (own_home / "Downloads").mkdir()
    (own_home / "Downloads" / "ChatNet").touch()
    assert choose_inbox(folder, str(own_home)) == folder.inbox_path


def test_chatnet_home_moves_all_state(own_home: Path) -> None:
    assert default_home({"CHATNET_HOME": str(own_home)}) == str(own_home)
    assert default_home({}).startswith(str(own_home / "data"))


def test_who_opened_the_lock_of_a_folder_that_is_removed_makes_a_new_one(
    folder: SessionFolder, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder may go between opening the lock file and locking it: two would hold a lock."""
    real = fcntl.flock
    removed: list[bool] = []

    def flock(fd: int, operation: int) -> None:
        if not removed:
            removed.append(folder.remove_if_unused())
            folder.close()
        real(fd, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    second = SessionFolder(path, "s")
    try:
        assert removed == [True]
        with pytest.raises(CommandError):
            SessionFolder(path, "s")
    finally:
        second.close()
        folder._lock_fd = os.open(os.devnull, os.O_RDONLY)


@pytest.mark.parametrize("name", ["identity.key", "history.db", "kept-1", "engine.log"])
def test_a_folder_in_which_anything_was_made_stays(folder: SessionFolder, name: str) -> None:
    with open(os.path.join(folder.path, name), "wb"):
        pass
    assert not folder.remove_if_unused()
    assert os.path.exists(os.path.join(folder.path, "lock"))
