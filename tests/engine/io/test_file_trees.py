"""Whole folders from one disk to another: what arrives is what was sent, but for what is told."""

import contextlib
import os
import shutil
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.names import shown, shown_path
from chatnet_engine.files.offering import Offering, ReadyOffer
from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.tree import Disk
from chatnet_engine.io import file_lists, file_target, file_tree, renaming
from chatnet_engine.io.file_channel import FileChannel
from chatnet_engine.io.file_folder import LISTING, PARTIAL_FOLDER, Folder
from chatnet_engine.io.file_lists import list_files
from chatnet_engine.io.file_place import discard, place
from chatnet_engine.io.file_receive import ReceiveJob
from chatnet_engine.io.file_scan import TooMany
from chatnet_engine.io.file_send import SendJob
from chatnet_engine.io.file_tree import FileTree
from chatnet_protocol.ipc.offer import Offer, decode_offer, encode_offer
from chatnet_protocol.ipc.reasons import Reason
from chatnet_protocol.wire.control import Suite

ID = bytes(range(16))
CONNECT = pw.Connect(bytes(8), bytes(32), Suite.CHACHA, [], 60.0)
KEYS = bytes(32), bytes(range(32))
OLD_S = 1_234_567_890
UMASK = 0o022

Entry = tuple[str, bytes, bool, int]
"""kind (file or folder), content, whether it may be run, time of last change (s)."""


@dataclass
class Arrival:
    """What a receiver reported, and where everything is."""

    scanned: pw.Scanned
    offer: Offer
    inbox: Path
    roots: list[str]
    listings: str
    reports: list[pw.Report] = field(default_factory=list)
    ended: str = ""
    why: Reason | None = None

    @property
    def first(self) -> int:
        """The number of the first file: a listing comes before."""
        return 0 if self.offer.listing is None else 1

    @property
    def things(self) -> list[pw.ThingComplete]:
        return [said for said in self.reports if isinstance(said, pw.ThingComplete)]

    @property
    def renamed(self) -> dict[str, str]:
        return {one.path: one.name for said in self.things for one in said.named}


@pytest.fixture(params=["inline", "listed"], autouse=True)
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the offer itself names the files, or a listing as for very many."""

    def too_many(transfer_id: bytes, roots: list[str]) -> pw.Scanned:
        raise TooMany

    if request.param == "listed":
        monkeypatch.setattr(file_lists, "scan", too_many)
    return str(request.param)


def offered(roots: list[str], listings: str) -> tuple[pw.Scanned, Offer]:
    out = Outputs()
    out.ready = True
    offering = Offering(out)
    offering.offer(ID, 1, roots, Now(1.0, 1))
    scanned = list_files(pw.Scan(ID, roots), listings, lambda report: None)
    offering.handle_scanned(scanned)
    [ready] = offering.take()
    assert isinstance(ready, ReadyOffer), ready
    return scanned, decode_offer(ready.body)


def transfer(roots: list[Path], inbox: Path, index: int = 0, things: int = 0) -> Arrival:
    """Both jobs over one connection, and names for what is complete."""
    names = [str(root) for root in roots]
    listings = str(inbox.parent / "listings")
    scanned, offer = offered(names, listings)
    arrival = Arrival(scanned, offer, inbox, names, listings)
    run(arrival, index + arrival.first if index else 0, things)
    for said in arrival.things:
        name = said.name
        while isinstance(
            answer := place(pw.Place(ID, str(inbox), said.thing, name, said.name, said.inode)),
            pw.NotPlaced,
        ):
            assert answer.name, answer.why
            name = answer.name
    if offer.listing is not None and len(arrival.things) == len(offer.things):
        discard(pw.Discard(ID, str(inbox)), "")
    return arrival


def run(arrival: Arrival, index: int = 0, things: int = 0) -> None:
    near, far = socket.socketpair()
    sender = FileChannel(near, Suite.CHACHA, KEYS)
    receiver = FileChannel(far, Suite.CHACHA, (KEYS[1], KEYS[0]))
    files, listing = arrival.scanned.files, arrival.offer.listing
    send = pw.Send(1, CONNECT, arrival.roots, files, id=ID, listing=listing)
    job = SendJob(send, sender, lambda report: None, arrival.listings)
    sending = threading.Thread(target=job.run)
    sending.start()
    body = encode_offer(arrival.offer)
    request = pw.Receive(2, ID, CONNECT, str(arrival.inbox), body, index, 0, things)
    try:
        ended = ReceiveJob(request, receiver, arrival.reports.append, UMASK).run()
        arrival.ended, arrival.why = ended.outcome, ended.why
    finally:
        receiver.interrupt()
        sending.join(30)
        sender.close()
        receiver.close()


def look(top: Path) -> dict[tuple[str, ...], Entry]:
    """Everything below `top`, by path."""
    found: dict[tuple[str, ...], Entry] = {}
    for at, folders, files in os.walk(top):
        below = Path(at).relative_to(top).parts
        for name in folders:
            found[*below, name] = ("folder", b"", False, 0)
        for name in files:
            status = os.stat(Path(at) / name)
            content = (Path(at) / name).read_bytes()
            run = bool(status.st_mode & stat.S_IXUSR)
            found[*below, name] = ("file", content, run, int(status.st_mtime))
    return found


def told(sent: dict[tuple[str, ...], Entry], top: str, renamed: dict[str, str]) -> object:
    """What was sent, under the names that the receiver told."""
    return {
        tuple(
            shown(renamed.get(shown_path([top, *path[: depth + 1]]), path[depth]))
            for depth in range(len(path))
        ): entry
        for path, entry in sent.items()
    }


@pytest.fixture
def disk() -> Iterator[Path]:
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="trees-", dir=base) as root:
        yield Path(root)


def put(path: Path, content: bytes = b"x", mode: int = 0o644, time_s: int = OLD_S) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    os.utime(path, (time_s, time_s))


NAMES = st.one_of(
    st.sampled_from(
        [".env", ".git", "git", "a", "A", "-rf", "~", "con", "a:b", "a\\b", "e\u0301", "\u00e9",
         "\u0645\u06cc\u200c\u062e", "👨‍👩‍👧", "a\nb", "a\tb", "a_b",
         "x\u202egpj", " ", "a.", "n" * 255]
    ),
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1,
            max_size=5),
).filter(lambda name: name.strip(".") and len(name.encode()) <= 255)  # fmt: skip
FILES = st.tuples(st.binary(max_size=20), st.booleans(), st.integers(1, OLD_S))
TREES = st.lists(
    st.tuples(st.lists(NAMES, min_size=1, max_size=3), st.one_of(st.none(), FILES)), max_size=6
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(TREES)
def test_what_arrives_is_what_was_sent(
    disk: Path, tree: list[tuple[list[str], tuple[bytes, bool, int] | None]]
) -> None:
    for old in disk.iterdir():
        shutil.rmtree(old)
    top = disk / "out" / "top"
    top.mkdir(parents=True)
    for path, what in tree:
        with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            if what is None:
                top.joinpath(*path).mkdir(parents=True)
            else:
                put(top.joinpath(*path), what[0], 0o755 if what[1] else 0o644, what[2])
    arrival = transfer([top], disk / "in")
    assert arrival.ended == pw.Outcome.MOVED
    assert sum(said.renamed for said in arrival.things) == len(
        [one for said in arrival.things for one in said.named]
    )
    sent, got = look(top), look(disk / "in" / "top")
    assert len(got) == len(sent), "two became one"
    ambiguous = len(arrival.renamed) < sum(said.renamed for said in arrival.things)
    ambiguous |= len({shown_path(["top", *path]) for path in sent}) < len(sent)
    if not ambiguous:
        seen = {tuple(map(shown, path)): entry for path, entry in got.items()}
        assert seen == told(sent, "top", arrival.renamed)
    assert sorted(got.values()) == sorted(sent.values())
    assert os.listdir(disk / "in") == ["top"]


def test_a_folder_sent_again_stands_beside_the_first(disk: Path) -> None:
    top = disk / "out" / "proj"
    put(top / "main.py", b"v1")
    put(top / "gone.py")
    transfer([top], disk / "in")
    put(top / "main.py", b"v2")
    (top / "gone.py").unlink()
    transfer([top], disk / "in")
    assert sorted(os.listdir(disk / "in")) == ["proj", "proj (1)"]
    assert (disk / "in" / "proj" / "main.py").read_bytes() == b"v1"
    assert os.listdir(disk / "in" / "proj (1)") == ["main.py"]


def test_two_folders_of_one_name_in_one_offer_stay_two(disk: Path) -> None:
    put(disk / "out" / "a" / "src" / "one")
    put(disk / "out" / "b" / "src" / "two")
    (disk / "out" / "c" / "src").mkdir(parents=True)
    arrival = transfer([disk / "out" / name / "src" for name in "abc"], disk / "in")
    inside = {tuple(os.listdir(disk / "in" / name)) for name in os.listdir(disk / "in")}
    assert inside == {(), ("one",), ("two",)}
    assert [thing.name for thing in arrival.offer.things] == ["src"] * 3


def test_time_and_who_may_run_it_come_along_and_nothing_else(disk: Path) -> None:
    top = disk / "out" / "top"
    put(top / "old", time_s=OLD_S)
    put(top / "run", mode=0o6777)
    put(top / "future", time_s=int(time.time()) + 10**6)
    put(disk / "out" / "single", mode=0o755)
    transfer([top, disk / "out" / "single"], disk / "in")
    got = disk / "in" / "top"
    assert got.stat().st_mode & 0o7777 == 0o755
    assert (got / "old").stat().st_mtime == OLD_S
    assert (got / "future").stat().st_mtime <= time.time() + 60
    modes = {path.name: path.stat().st_mode & 0o7777 for path in got.iterdir()}
    assert modes == {"old": 0o644, "run": 0o755, "future": 0o644}
    assert (disk / "in" / "single").stat().st_mode & 0o7777 == 0o755
    assert (disk / "in" / "single").stat().st_mtime == OLD_S


def test_a_disk_blind_to_case_keeps_two_apart(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FileTree, "probe", lambda self: Disk(blind=True, strict=True))
    top = disk / "out" / "top"
    for name in ("Makefile", "makefile", "a:b", "SUB/x", "sub/x"):
        put(top / name, name.encode())
    arrival = transfer([top], disk / "in")
    got = look(disk / "in" / "top")
    assert len({tuple(part.casefold() for part in path) for path in got}) == len(got) == 7
    assert arrival.things[0].renamed == 3


def test_a_disk_that_makes_one_of_two_is_refused(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = disk / "out" / "top"
    put(top / "a")
    put(top / "b")
    put(top / "a")
    status = os.stat(top / "a")
    monkeypatch.setattr(FileTree, "status_of", lambda self, path: status)
    arrival = transfer([top], disk / "in")
    assert (arrival.ended, arrival.things) == (pw.Outcome.TARGET, [])
    assert os.listdir(disk / "in") == [PARTIAL_FOLDER]


def test_what_disappears_while_it_arrives_comes_again(disk: Path, how: str) -> None:
    top = disk / "out" / "top"
    for name in "abc":
        put(top / name, name.encode())
    inbox = disk / "in"
    arrival = transfer([top], inbox, index=2)
    assert arrival.ended == pw.Outcome.MOVED, "nothing of it was there: all of it came"
    assert len(look(inbox / "top")) == 3
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(contextlib.closing(Folder(str(inbox))))
        tree = opened.enter_context(contextlib.closing(folder.open_tree(ID, 0)))
        for name in "ac":
            fd = tree.open_file([name])
            os.write(fd, name.encode())
            os.close(fd)
    if how == "listed":
        listing = inbox / PARTIAL_FOLDER / f"{ID.hex()}-{LISTING}"
        shutil.copy(disk / "listings" / ID.hex(), listing)
    again = transfer([top], inbox, index=3)
    complete = [said.index for said in again.reports if isinstance(said, pw.FileComplete)]
    assert complete[-1] == 2 + again.first
    assert min(complete) > again.first, "the first of them was here"
    got = look(inbox / "top (1)")
    assert {path: entry[1] for path, entry in got.items()} == {(n,): n.encode() for n in "abc"}
    put(disk / "out" / "file", b"1234")
    single = transfer([disk / "out" / "file", top], inbox, index=1)
    assert single.ended == pw.Outcome.MOVED
    assert (inbox / "file").read_bytes() == b"1234"


def test_files_that_vanish_before_the_end_are_noticed(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = disk / "out" / "top"
    put(top / "a")
    put(disk / "out" / "single")
    real = file_target.Target.complete

    def remove_first(self: file_target.Target, job: int, files: int) -> list[pw.Report]:
        shutil.rmtree(inbox / PARTIAL_FOLDER)
        (inbox / PARTIAL_FOLDER).mkdir()
        return real(self, job, files)

    monkeypatch.setattr(file_target.Target, "complete", remove_first)
    for number, root in enumerate((top, disk / "out" / "single")):
        inbox = disk / str(number)
        arrival = transfer([root], inbox)
        assert (arrival.ended, arrival.things) == (pw.Outcome.FULL, []), arrival


def test_what_was_complete_is_not_reported_again(disk: Path) -> None:
    put(disk / "out" / "one")
    put(disk / "out" / "top" / "two")
    roots = [disk / "out" / "one", disk / "out" / "top"]
    first = transfer(roots, disk / "in")
    assert [said.thing for said in first.things] == [0, 1]
    second = transfer(roots, disk / "in", index=1, things=1)
    assert [said.thing for said in second.things] == [1]


def test_hostile_offers_whose_folders_interleave_arrive_too(disk: Path, how: str) -> None:
    if how == "listed":
        pytest.skip("a listing in another order is refused")
    put(disk / "out" / "a" / "src" / "one")
    put(disk / "out" / "b" / "src" / "two")
    put(disk / "out" / "a" / "src" / "three")
    roots = [str(disk / "out" / name / "src") for name in "ab"]
    scanned, offer = offered(roots, "")
    order = [0, 2, 1]
    mixed = [scanned.files[at] for at in order]
    scanned = pw.Scanned(ID, mixed)
    offer = Offer([offer.files[at] for at in order])
    arrival = Arrival(scanned, offer, disk / "in", roots, "")
    run(arrival)
    assert arrival.ended == pw.Outcome.MOVED
    assert [said.thing for said in arrival.things] == [0, 1]


def test_a_disk_says_what_its_names_are_like(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = FileTree(os.open(disk, os.O_RDONLY), 0o755)
    (disk / file_tree.PROBE).touch()
    with contextlib.closing(tree):
        assert tree.probe() == Disk()
        assert os.listdir(disk) == []
        real = os.open

        def refuse(name: str, *args: int, **named: int) -> int:
            if isinstance(name, str) and ":" in name:
                raise OSError(error, os.strerror(error))
            return real(name, *args, **named)

        monkeypatch.setattr(os, "open", refuse)
        error = 22
        assert tree.probe() == Disk(strict=True)
        error = 28
        with pytest.raises(OSError, match="No space"):
            tree.probe()


def test_a_tree_follows_no_links_and_opens_no_pipes(disk: Path) -> None:
    (disk / "outside").mkdir()
    (disk / "tree").mkdir()
    (disk / "tree" / "link").symlink_to(disk / "outside")
    os.mkfifo(disk / "tree" / "pipe")
    with contextlib.closing(FileTree(os.open(disk / "tree", os.O_RDONLY), 0o755)) as tree:
        with pytest.raises(OSError, match="Not a directory"):
            tree.open_file(["link", "x"])
        with pytest.raises(OSError, match="symbolic links"):
            tree.open_file(["link"])
        with pytest.raises(OSError, match=r"(not a|no) regular file"):
            tree.open_file(["pipe"])
        assert tree.size_of(["pipe"]) is None
        assert tree.size_of(["link", "x"]) is None
    assert os.listdir(disk / "outside") == []


def test_a_name_counts_when_its_folder_was_synced(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(FileTree(os.open(disk, os.O_RDONLY), 0o755)) as tree:
        os.close(tree.open_file(["sub", "file"]))
        synced: list[int] = []

        def refuse(fd: int) -> None:
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(file_tree, "sync_dir_fd", refuse)
            with pytest.raises(OSError, match="Input/output"):
                tree.keep_names()
        monkeypatch.setattr(file_tree, "sync_dir_fd", lambda fd: synced.append(os.fstat(fd).st_ino))
        tree.keep_names()
        assert sorted(synced) == sorted([disk.stat().st_ino, (disk / "sub").stat().st_ino])
        tree.keep_names()
        assert len(synced) == 2, "once"


@pytest.fixture(params=["renameat2", "no flag", "old library"])
def renames(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    kind: str = request.param
    if kind == "no flag":
        monkeypatch.setattr(renaming, "_renameat2", lambda *args: 22)
    elif kind == "old library":
        monkeypatch.setattr(renaming, "_LIBC", SimpleNamespace())
    return kind


def test_a_rename_never_replaces(disk: Path, renames: str) -> None:
    for name in ("new", "full"):
        (disk / name).mkdir()
        (disk / name / "mine").touch()
    (disk / "file").touch()
    (disk / "link").symlink_to("nowhere")
    fd = os.open(disk, os.O_RDONLY)
    for taken in ("full", "file", "link"):
        assert renaming.rename_folder("new", fd, taken, fd) is False
    assert renaming.rename_folder("new", fd, "free", fd) is True
    assert os.listdir(disk / "free") == ["mine"]
    with pytest.raises(OSError, match="No such file"):
        renaming.rename_folder("missing", fd, "name", fd)
    os.close(fd)


@pytest.mark.parametrize("taken_by", ["file", "full"])
def test_a_name_taken_at_the_last_moment_stays(
    disk: Path, monkeypatch: pytest.MonkeyPatch, taken_by: str
) -> None:
    monkeypatch.setattr(renaming, "_renameat2", lambda *args: 38)
    (disk / "new").mkdir()
    real = os.stat

    def take(name: str, **named: object) -> os.stat_result:
        patch.undo()
        try:
            return real(name, **named)  # type: ignore[arg-type]
        finally:
            put(disk / "name" / "mine" if taken_by == "full" else disk / "name")

    fd = os.open(disk, os.O_RDONLY)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", take)
        assert renaming.rename_folder("new", fd, "name", fd) is False
    assert (disk / "new").exists()
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", lambda *args, **named: (_ for _ in ()).throw(OSError(5, "io")))
        with pytest.raises(OSError, match="io"):
            renaming.rename_folder("new", fd, "other", fd)
    os.close(fd)


def test_a_time_that_a_disk_cannot_hold_is_left(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **named: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "utime", refuse)
    fd = os.open(disk / "f", os.O_RDWR | os.O_CREAT)
    file_target.set_facts(fd, False, 5, UMASK, time.time_ns())
    os.close(fd)
