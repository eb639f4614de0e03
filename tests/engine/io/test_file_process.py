"""Real file processes moving real files over the loopback, and everything that goes wrong."""

import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.transfers import Act
from chatnet_engine.io.file_link import child_environ
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.reasons import TransferReason as Why
from chatnet_protocol.ipc.reasons import reason
from chatnet_protocol.ipc.results import Space
from chatnet_protocol.wire.file_records import FIRST_MESSAGE_BYTES, MAX_UNKNOWN_CONNECTIONS
from file_pair import ID, KEY, PEER, Pair, RealSide, message
from tcp_proxy import Proxy

MIDDLE = "127.0.0.2"
"""Where a proxy stands."""
SIZE = 300_000
FILE_END_BYTES, END_BYTES = 53, 21
STREAM = FIRST_MESSAGE_BYTES + 24 + -(-SIZE // 65536) * 21 + SIZE + FILE_END_BYTES + END_BYTES
"""What the dialler sends of a file of that size."""
RealPair = Pair[RealSide]
Make = Callable[..., Path]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[RealPair]:
    a, b = RealSide("a", tmp_path), RealSide("b", tmp_path)
    pair = Pair(a, b)
    pair.run_until(lambda: bool(a.port and b.port))
    yield pair
    a.close()
    b.close()


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(name: str = "notes.bin", size: int = SIZE, seed: int = 1) -> Path:
        path = tmp_path / "source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(Random(seed).randbytes(size))
        return path

    return write


@pytest.fixture
def proxy(pair: RealPair) -> Iterator[Proxy]:
    """Between A, who dials, and B."""
    pair.a.host = MIDDLE
    proxy = Proxy(MIDDLE, ("127.0.0.1", pair.b.port))
    yield proxy
    proxy.close()


def code(side: RealSide) -> str:
    why = side.row().reason
    return why.code if why else ""


def params(side: RealSide) -> list[str]:
    why = side.row().reason
    assert why
    return why.params


def partials(pair: RealPair) -> list[str]:
    try:
        return os.listdir(Path(pair.b.inbox) / ".chatnet-partial")
    except FileNotFoundError:
        return []


def mode_of(path: Path) -> int:
    """B's umask is 027."""
    return stat.S_IMODE(path.stat().st_mode)


def reached(side: RealSide, done_bytes: int) -> bool:
    return side.state() == "active" and side.row().done_bytes > done_bytes


def arrives(pair: RealPair, path: Path, name: str | None = None) -> None:
    pair.run_until(lambda: pair.both("done"))
    landed = Path(pair.b.row().path)
    assert landed == Path(pair.b.inbox) / (name or path.name)
    assert landed.read_bytes() == path.read_bytes()
    pair.run_until(lambda: not (Path(pair.b.inbox) / ".chatnet-partial").exists())


@pytest.mark.parametrize("size", [0, 1, 65536, 3_000_001])
def test_a_file_arrives_whole_under_its_name(pair: RealPair, make: Make, size: int) -> None:
    path = make(size=size)
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)
    assert pair.a.row().done_bytes == pair.b.row().done_bytes == size
    assert mode_of(Path(pair.b.row().path)) == 0o640
    assert [row.state for row in pair.b.history if row.id == ID][-1] == "done"


def test_a_folder_arrives_with_its_shape(pair: RealPair, make: Make) -> None:
    for name, size in (("plans/a.txt", 10), ("plans/deep/er/b.bin", 200_000), ("plans/c", 0)):
        make(name, size)
    root = make("plans/d").parent
    os.symlink("/etc/passwd", root / "link")
    os.mkfifo(root / "pipe")
    pair.link(True)
    pair.offer(root)
    pair.run_until(lambda: pair.both("done"))
    landed = Path(pair.b.inbox) / "plans"
    assert pair.b.row().path == str(landed)
    got = {str(p.relative_to(landed)): p.read_bytes() for p in landed.rglob("*") if p.is_file()}
    assert {mode_of(p) for p in landed.rglob("*")} == {0o640, 0o750}
    files = ("a.txt", "deep/er/b.bin", "c", "d")
    assert got == {name: (root / name).read_bytes() for name in files}


@pytest.mark.parametrize("cut", [0, 1, 55, 56, 57, 120, 150_000, STREAM - 1, STREAM])
def test_r23_a_connection_cut_anywhere_resumes_by_itself(
    pair: RealPair, make: Make, proxy: Proxy, cut: int
) -> None:
    path = make()
    proxy.cuts = [cut]
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)
    assert len(proxy.streams[0]) == cut
    if cut == STREAM:
        assert len(proxy.streams) == 1, "nothing was missing"


@pytest.mark.parametrize("without", [END_BYTES, END_BYTES + FILE_END_BYTES])
def test_r23_a_stream_that_ends_between_two_records_is_not_taken_for_complete(
    pair: RealPair, make: Make, proxy: Proxy, without: int
) -> None:
    path = make()
    proxy.cuts = [STREAM - without] * 2
    pair.link(True)
    pair.offer(path)
    pair.run_until(lambda: len(proxy.streams) > 1 or pair.b.state() == "done")
    told = [row.state for row in pair.a.history]
    assert "done" not in told or without == END_BYTES, "the digest had come"
    arrives(pair, path)


def test_what_has_arrived_does_not_travel_twice(pair: RealPair, make: Make, proxy: Proxy) -> None:
    path = make(size=8_000_000)
    proxy.cuts = [6_000_000]
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)
    assert len(proxy.streams[1]) < 2_500_000


@pytest.mark.parametrize("flip", [3, 30, 70, 1_000, 250_000])
def test_a_changed_bit_never_reaches_the_file(
    pair: RealPair, make: Make, proxy: Proxy, flip: int
) -> None:
    path = make()
    proxy.flips = [flip]
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)


def test_r23_a_token_is_good_for_one_connection(pair: RealPair, make: Make, proxy: Proxy) -> None:
    path = make()
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)
    with socket.create_connection(("127.0.0.1", pair.b.port), timeout=60) as replay:
        replay.sendall(bytes(proxy.streams[0][:FIRST_MESSAGE_BYTES]))
        assert replay.recv(100) == b""


def test_strangers_at_the_port_do_not_disturb(pair: RealPair, make: Make) -> None:
    path = make()
    random = Random(5)
    idle = [socket.create_connection(("127.0.0.1", pair.b.port)) for _ in range(200)]
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", pair.b.port)) as noise:
            noise.sendall(random.randbytes(random.randint(1, 300)))
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)
    kept = 0
    for sock in idle:
        sock.settimeout(0)
        try:
            assert sock.recv(1) == b""
        except BlockingIOError:
            kept += 1
        except ConnectionResetError:
            pass
        sock.close()
    assert kept <= MAX_UNKNOWN_CONNECTIONS


def test_a_full_disk_waits_and_goes_on(pair: RealPair, make: Make) -> None:
    path = make()
    resource.prlimit(pair.b.pid(), resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    pair.link(True)
    pair.offer(path)
    pair.run_until(lambda: pair.b.state() == "waiting" and code(pair.b) == Why.DISK_FULL)
    limit = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(pair.b.pid(), resource.RLIMIT_FSIZE, limit)
    pair.b.transfers.act(ID, Act.RESUME, Now(pair.b.now(), 1))
    arrives(pair, path)
    assert pair.b.row().reason is None


@pytest.mark.parametrize("victim", ["receiver", "sender", "receiver's engine", "both engines"])
def test_killed_in_the_middle_it_resumes_by_itself(
    pair: RealPair, make: Make, proxy: Proxy, victim: str
) -> None:
    path = make(size=4_000_000)
    proxy.hold_after = 2_000_000
    pair.link(True)
    pair.offer(path)
    pair.run_until(lambda: proxy.held.is_set() and reached(pair.b, 1_000_000))
    if victim == "receiver":
        pair.b.kill_process()
    elif victim == "sender":
        pair.a.kill_process()
    else:
        pair.link(False)
        pair.b.restart()
        if victim == "both engines":
            pair.a.restart()
        # The new process has another port, where no proxy stands.
        pair.a.host = "127.0.0.1"
        pair.link(True)
    if victim == "receiver":
        pair.a.host = "127.0.0.1"
        pair.a.link(True)
    proxy.release.set()
    arrives(pair, path)
    assert len(os.listdir(pair.b.inbox)) == 1, "the file once, and nothing else"


def test_pause_closes_the_connection_and_resume_continues(
    pair: RealPair, make: Make, proxy: Proxy
) -> None:
    path = make(size=4_000_000)
    proxy.hold_after = 2_000_000
    pair.link(True)
    pair.offer(path)
    pair.run_until(lambda: proxy.held.is_set() and reached(pair.b, 1_000_000))
    pair.a.transfers.act(ID, Act.PAUSE, Now(pair.a.now(), 1))
    pair.run_until(lambda: pair.both("paused"))
    proxy.release.set()
    proxy.hold_after = None
    pair.a.transfers.act(ID, Act.RESUME, Now(pair.a.now(), 1))
    arrives(pair, path)
    assert len(proxy.streams[1]) < 3_200_000


def test_cancel_leaves_nothing_behind(pair: RealPair, make: Make, proxy: Proxy) -> None:
    path = make(size=4_000_000)
    proxy.hold_after = 2_000_000
    pair.link(True)
    pair.offer(path)
    pair.run_until(lambda: proxy.held.is_set() and reached(pair.b, 1_000_000))
    (partial,) = (Path(pair.b.inbox) / ".chatnet-partial").iterdir()
    assert (partial.name, mode_of(partial)) == (f"{ID.hex()}-0", 0o600)
    assert mode_of(partial.parent) == 0o700
    pair.a.transfers.act(ID, Act.CANCEL, Now(pair.a.now(), 1))
    pair.run_until(lambda: pair.both("cancelled") and os.listdir(pair.b.inbox) == [])


def test_cleaning_up_removes_what_an_ended_transfer_left_over_alone(
    pair: RealPair, make: Make
) -> None:
    path = make()
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)
    folder = Path(pair.b.inbox) / ".chatnet-partial"
    folder.mkdir()
    others = folder / f"{bytes(16).hex()}-0"
    for partial in (folder / f"{ID.hex()}-0", others):
        partial.write_bytes(b"some")
    found: list[Space | CommandError] = []

    def is_answered() -> bool:
        found.extend(pair.b.transfers.surveys.take())
        return bool(found)

    pair.b.transfers.survey(clean=True)
    pair.run_until(is_answered)
    (space,) = found
    assert isinstance(space, Space)
    assert (space.removed, space.under_way) == (1, 1)
    assert os.listdir(folder) == [others.name]
    assert path.read_bytes() == Path(pair.b.row().path).read_bytes()


def test_a_taken_name_is_never_overwritten_nor_followed(
    pair: RealPair, make: Make, tmp_path: Path
) -> None:
    path = make("notes.txt")
    inbox = Path(pair.b.inbox)
    inbox.mkdir()
    (inbox / "notes.txt").write_text("mine")
    os.symlink(tmp_path / "outside", inbox / "notes (1).txt")
    pair.link(True)
    pair.offer(path)
    arrives(pair, path, "notes (2).txt")
    assert (inbox / "notes.txt").read_text() == "mine"
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    ("hostile", "safe"),
    [
        (["..", "..", ".ssh", "authorized_keys"], "file/__/.ssh/authorized_keys"),
        (["/etc/passwd"], "passwd"),
        ([".chatnet-partial", "x"], "chatnet-partial/x"),
        (["a\u202egpj.exe"], "a_gpj.exe"),
        (["", ".", ".."], "file/_/__"),
    ],
)
def test_hostile_names_stay_inside(
    pair: RealPair, make: Make, hostile: list[str], safe: str
) -> None:
    path = make(size=1000)
    pair.link(True)
    pair.a.transfers.offer(ID, PEER, [str(path)], Now(pair.a.now(), 1))
    pair.run_until(lambda: bool(pair.a.offers))
    body = encode_offer(Offer([OfferedFile(hostile, 1000)]))
    now = pair.a.now()
    pair.a.transfers.handle_own_offer(message(ID, 1, True, body), PEER, Now(now, 1))
    pair.b.transfers.handle_peer_offer(
        message(ID, 1, False, body),
        PEER,
        key=KEY,
        auto_accept_bytes=1000,
        verified=False,
        at=Now(now, 1),
    )
    pair.run_until(lambda: pair.both("done"))
    assert Path(pair.b.row().path) == Path(pair.b.inbox) / safe.split("/", maxsplit=1)[0]
    assert (Path(pair.b.inbox) / safe).read_bytes() == path.read_bytes()


def test_a_source_written_to_since_the_offer_arrives_as_it_is_now(
    pair: RealPair, make: Make
) -> None:
    path = make()
    pair.offer(path)
    path.write_bytes(b"n" * SIZE)
    os.utime(path, ns=(1, 1))
    pair.link(True)
    arrives(pair, path)


def test_a_source_written_to_while_it_is_sent_starts_over(
    pair: RealPair, make: Make, proxy: Proxy
) -> None:
    path = make(size=30_000_000)
    proxy.hold_after = 1_000_000
    pair.link(True)
    pair.offer(path)
    pair.run_until(proxy.held.is_set)
    with path.open("r+b") as file:
        file.write(b"changed")
    os.utime(path, ns=(1, 1))
    proxy.release.set()
    arrives(pair, path)
    assert len(proxy.streams[0]) > 40_000_000


@pytest.mark.parametrize("how", ["vanished", "grew", "became a folder"])
def test_a_source_that_is_another_fails_with_a_reason(pair: RealPair, make: Make, how: str) -> None:
    path = make()
    pair.offer(path)
    if how == "grew":
        path.write_bytes(b"n" * (SIZE + 1))
    else:
        path.unlink()
    if how == "became a folder":
        path.mkdir()
    pair.link(True)
    pair.run_until(lambda: pair.both("failed"))
    assert params(pair.a)[0] == str(path)
    assert params(pair.b) == []
    pair.run_until(lambda: partials(pair) == [])


def test_an_inbox_that_cannot_be_made_fails_with_a_reason(pair: RealPair, make: Make) -> None:
    path = make()
    Path(pair.b.inbox).write_text("in the way")
    pair.link(True)
    pair.offer(path)
    pair.run_until(lambda: pair.both("failed"))
    assert params(pair.b)[0] == pair.b.inbox
    assert params(pair.a) == []


def test_without_a_port_the_other_side_listens(tmp_path: Path, make: Make) -> None:
    a, b = RealSide("a", tmp_path), RealSide("b", tmp_path, bind="192.0.2.1")
    pair = Pair(a, b)
    try:
        path = make()
        pair.link(True)
        pair.offer(path)
        arrives(pair, path)
        assert (a.port > 0, b.port) == (True, 0)
    finally:
        a.close()
        b.close()


def test_an_unreachable_receiver_dials_back(pair: RealPair, make: Make) -> None:
    pair.a.host = MIDDLE  # where nobody listens
    path = make()
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)


def test_the_process_ends_with_its_engine() -> None:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-P", "-m", "chatnet_engine.io.file_process"]
    process = subprocess.Popen(
        [*command, "--port", "0", "--umask", "18", "--fd", str(theirs.fileno())],
        pass_fds=[theirs.fileno()],
        env=child_environ(),
    )
    theirs.close()
    length = int.from_bytes(ours.recv(4), "big")
    report = pw.decode_report(ours.recv(length))
    assert isinstance(report, pw.Listening)
    assert report.port > 0
    ours.close()
    assert process.wait(10) == 0


def test_what_arrived_is_fetched_again_as_long_as_it_is_what_it_was(
    pair: RealPair, make: Make
) -> None:
    path = make()
    pair.link(True)
    pair.offer(path)
    arrives(pair, path)
    pair.b.transfers.accept(ID, "", Now(pair.b.now(), 1))
    pair.run_until(lambda: pair.b.state() == "waiting")
    pair.run_until(lambda: pair.both("done"))
    again = Path(pair.b.inbox) / "notes (1).bin"
    assert again.read_bytes() == path.read_bytes()
    make(seed=2)
    os.utime(path, ns=(1, 1))
    pair.b.transfers.accept(ID, "", Now(pair.b.now(), 1))
    pair.run_until(lambda: pair.both("failed"))
    assert pair.a.row().reason == reason(Why.FILE_CHANGED, path)
    assert pair.b.row().reason == reason(Why.PEER_NOT_READ)
    pair.run_until(lambda: len(os.listdir(pair.b.inbox)) == 2)  # without the partial files
