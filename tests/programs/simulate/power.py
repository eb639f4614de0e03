"""Fault "power": a first start, a pin, received files and folders, a backup and its way back are
each cut at every step, and what is left is started and judged.

A story runs once on a recorded disk and says what is promised when; whatever is left after a cut
has to keep what was promised before it.
"""

import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random

import blake3

from chatnet_engine.files import process_wire as pw
from chatnet_engine.io.backup import SessionPaths, _BackupHandler, sweep
from chatnet_engine.io.file_channel import ConnectionCut, FileChannel
from chatnet_engine.io.file_folder import Folder
from chatnet_engine.io.file_receive import ReceiveJob
from chatnet_engine.io.restore_backup import restore
from chatnet_engine.io.session import SessionFolder
from chatnet_engine.io.state_files import find_state
from chatnet_engine.node.effects import CopySession
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.offer import Offer, OfferedFile, OfferedFolder, encode_offer
from chatnet_protocol.ipc.rows import PeerRow, SessionRow, Trust
from chatnet_protocol.wire.control import Suite
from chatnet_protocol.wire.file_records import FileHeader, RecordType, encode_body
from simworld.power import VARIANTS, Recorder

HOME = "home/data"
SESSION = f"{HOME}/sessions/s"
KEY, OTHER_KEY, BOB, CAROL = (letter * 32 for letter in (b"1", b"2", b"B", b"C"))
ROW = SessionRow("s", "", "", 1, b"", "", "")
TRANSFER = bytes(range(16))
FILES = {
    ("one.bin",): Random(1).randbytes(150_000),
    ("album", "inner", "two.txt"): b"two",
    ("album", "empty"): b"",
}
OFFER = Offer(
    [OfferedFile(list(path), len(content)) for path, content in FILES.items()],
    [OfferedFolder(["album", "nothing"])],
)
PLACES = (f"{TRANSFER.hex()}-0", f"{TRANSFER.hex()}-1/inner/two.txt", f"{TRANSFER.hex()}-1/empty")
"""Where each file is before it is seen."""
DATA_BYTES = 60_000
FILE_KEYS = bytes(32), bytes(range(32))


class Start:
    """A session's start, up to what it would show; `close` it."""

    def __init__(self, root: Path, key: bytes = KEY) -> None:
        self.folder = SessionFolder(str(root / SESSION), "s")
        try:
            self.private_key, self.known = self.folder.open_state(lambda size: key)
            self.ledger = self.folder.open_ledger()
        except BaseException:
            self.folder.close()
            raise
        self.loaded = self.ledger.load()

    @property
    def texts(self) -> list[str]:
        view = self.ledger.load_view(ROW)
        return [row.text for peer in view.peers for row in peer.messages]

    def add_peer(self) -> None:
        self.ledger.apply(c.Commit(1, [c.StorePeer(PeerRow(0, "bob", "host", 9))]))

    def pin(self, key: bytes) -> None:
        row = PeerRow(1, "bob", "host", 9, key=key, trust=Trust.PINNED, safety_number="1")
        self.known.vouch(1)
        known_peers = self.known.note([c.StorePeer(row)], 7)
        answer = self.ledger.apply(c.Commit(2, [c.StorePeer(row)], known_peers))
        assert isinstance(answer, c.Committed), answer

    def queue(self, text: str) -> None:
        new = c.NewMessage(text.encode().ljust(16), 1, text.encode(), 5)
        answer = self.ledger.apply(c.Commit(3, [c.QueueMessages(1, [new], 5, False)]))
        assert isinstance(answer, c.Committed), answer

    def close(self) -> None:
        self.ledger.close()
        self.folder.close()


@contextmanager
def started(root: Path, key: bytes = KEY) -> Iterator[Start]:
    """A start and its end."""
    start = Start(root, key)
    try:
        yield start
    finally:
        start.close()


Story = Callable[[Recorder], None]
Judge = Callable[[Path, list[object]], None]
"""Looks at what is left, knowing what was promised; raises whatever is wrong."""


def nothing(root: Path) -> None:
    """Before a first start: a user's home."""
    (root / "home").mkdir()


def a_session(root: Path) -> None:
    """One peer, not pinned yet."""
    nothing(root)
    with started(root) as start:
        start.add_peer()


def a_conversation(root: Path) -> None:
    """A pinned peer and a text, left by an engine that was killed; a backup of a text less."""
    a_session(root)
    with started(root) as start:
        start.pin(BOB)
        start.queue("one")
        _back_up(root, "backup")
        start.pin(CAROL)
        start.queue("two")
        shutil.copytree(root / SESSION, root / "killed")
    shutil.rmtree(root / SESSION)
    (root / "killed").rename(root / SESSION)
    assert (root / SESSION / "history.db-wal").stat().st_size


def _back_up(root: Path, name: str) -> None:
    session = root / SESSION
    paths = SessionPaths(
        *(str(session / file) for file in ("history.db", "identity.key", "known_peers"))
    )
    made = _BackupHandler(paths, threading.Event()).answer(
        CopySession(str(root / "home" / name), False)
    )
    assert made.error is None, made.error


# --- first start ---------------------------------------------------------------------------------


def first_start(disk: Recorder) -> None:
    """A key is made, a peer is added, a text is queued."""
    with started(disk.root) as start:
        disk.say("identity")
        start.add_peer()
        start.queue("hello")
        disk.say("hello")


def judge_first_start(root: Path, said: list[object]) -> None:
    """A session, the same one if anybody has seen it."""
    with started(root, OTHER_KEY) as start:
        assert start.private_key in (KEY, OTHER_KEY)
        if said:
            assert start.private_key == KEY, "a new identity, in silence"
        assert start.texts == ["hello"] or "hello" not in said, "a queued text is gone"
    with started(root, b"3" * 32) as again:
        assert again.private_key == start.private_key


# --- a pin ---------------------------------------------------------------------------------------


def pin(disk: Recorder) -> None:
    """A peer is pinned, then a replaced key."""
    with started(disk.root) as start:
        start.pin(BOB)
        disk.say(BOB)
        start.pin(CAROL)
        disk.say(CAROL)


def judge_pin(root: Path, said: list[object]) -> None:
    """A pin counts from its promise on; before, it is there or not, and nobody is unlisted."""
    with started(root, OTHER_KEY) as start:
        assert start.private_key == KEY
        rows = start.known.reconcile(start.loaded.peers, start.folder._own_key)
        assert not start.known.unlisted, "the file does not know a key that the history trusts"
        [row] = rows or start.loaded.peers
        allowed = {None: (b"", BOB), BOB: (BOB, CAROL), CAROL: (CAROL,)}
        last = said[-1] if said else None
        assert row.key in allowed[last], "a pinned key is gone"  # type: ignore[index]


# --- a received file and folder ------------------------------------------------------------------


def receive(disk: Recorder) -> None:
    """A part arrives and the line is cut; then all the rest, and the files get their names."""
    inbox = str(disk.root / "home" / "in" / "box")
    held = 0
    complete: list[pw.ThingComplete] = []

    def report(said: pw.Report) -> None:
        nonlocal held
        match said:
            case pw.Progress():
                held = said.offset
                disk.say(("verified", said.index, said.offset))
            case pw.FileComplete():
                disk.say(("complete", said.index, 0))
            case pw.ThingComplete():
                complete.append(said)
            case _:
                pass

    assert _job(inbox, 0, report, DATA_BYTES) == pw.Outcome.LOST
    assert held == DATA_BYTES
    outcome = _job(inbox, held, report)
    assert outcome == pw.Outcome.MOVED, f"the rest is not received: {outcome}"
    assert [found.name for found in complete] == ["one.bin", "album"]
    for found in complete:
        folder = Folder(inbox)
        assert folder.place(TRANSFER, found.thing, found.name, found.inode)
        folder.close()
        for index in OFFER.things[found.thing].files:
            disk.say(("done", index, 0))


def _job(
    inbox: str, offset: int, report: Callable[[pw.Report], None], until: int | None = None
) -> str:
    near, far = socket.socketpair()
    receiver = FileChannel(near, Suite.CHACHA, FILE_KEYS)
    connect = pw.Connect(bytes(8), bytes(32), Suite.CHACHA, [], 60.0)
    request = pw.Receive(1, TRANSFER, connect, inbox, encode_offer(OFFER), 0, offset, 0)
    sender = threading.Thread(target=_send, args=(far, offset, until))
    sender.start()
    ended = ReceiveJob(request, receiver, report, 0o022).run()
    receiver.close()
    sender.join()
    return ended.outcome


def _send(far: socket.socket, offset: int, until: int | None) -> None:
    channel = FileChannel(far, Suite.CHACHA, (FILE_KEYS[1], FILE_KEYS[0]))
    with closing(channel), suppress(ConnectionCut):
        channel.receive(30)
        for index, content in enumerate(FILES.values()):
            begin = offset if index == 0 else 0
            channel.send(RecordType.FILE, encode_body(FileHeader(index, begin)))
            for at in range(begin, len(content), DATA_BYTES):
                channel.send(RecordType.DATA, content[at : at + DATA_BYTES])
                if until:
                    return
            channel.send(RecordType.FILE_END, blake3.blake3(content).digest())
        channel.send(RecordType.END)
        channel.receive(30)


def judge_received(root: Path, said: list[object]) -> None:
    """No part of a file or folder under its final name; what was verified or done is there."""
    inbox = root / "home" / "in" / "box"
    finals = {index: inbox.joinpath(*path) for index, path in enumerate(FILES)}
    contents = list(FILES.values())
    for index, final in finals.items():
        if final.exists():
            assert final.read_bytes() == contents[index], "a file is not what was sent"
    if (inbox / "album").exists():
        assert finals[1].exists(), "a part of a folder has its name"
        assert finals[2].exists(), "a part of a folder has its name"
        assert (inbox / "album" / "nothing").is_dir(), "a part of a folder has its name"
    for each in said:
        assert isinstance(each, tuple)
        what, index, size = each
        if index == len(contents):
            continue  # nothing of a file after the last is promised
        final = finals[index]
        if what == "done":
            assert final.exists(), "a received file is gone"
        if final.exists():
            continue
        needed = len(contents[index]) if what == "complete" else size
        partial = inbox / ".chatnet-partial" / PLACES[index]
        if needed or what == "complete":
            assert partial.exists(), "a verified partial file is gone"
            assert partial.read_bytes()[:needed] == contents[index][:needed], "bytes are gone"


# --- a backup, and its way back ------------------------------------------------------------------


def back_up(disk: Recorder) -> None:
    """Into a folder that is not there yet."""
    with started(disk.root):
        _back_up(disk.root, "new")
        disk.say("backed up")


def judge_backup(root: Path, said: list[object]) -> None:
    """Complete or not there; what is left of a draft goes at the next start."""
    backup = root / "home" / "new"
    if said:
        assert backup.exists(), "a backup is gone"
    if backup.exists():
        found = find_state(str(backup))
        assert not found.needs(), found.needs()
        assert found.history
        assert found.history.trusted == 1
    with started(root, OTHER_KEY) as start:
        assert start.texts == ["one", "two"]
        sweep(str(root / SESSION))
    left = {path.name for path in (root / "home").iterdir()}
    assert left <= {"data", "backup", "new"}, f"{left} is left for ever"


def put_back(disk: Recorder) -> None:
    """In the place of what is there."""
    folder = SessionFolder(str(disk.root / SESSION), "s")
    restore(str(disk.root / "home" / "backup"), folder, replace=True)
    folder.close()
    disk.say("restored")


def judge_put_back(root: Path, said: list[object]) -> None:
    """The old conversation whole or the backup's, and the old one is kept."""
    with started(root, OTHER_KEY) as start:
        assert start.private_key == KEY
        texts = start.texts
        [row] = start.loaded.peers
        rows = start.known.reconcile(start.loaded.peers, start.folder._own_key)
        assert not start.known.unlisted
        key = rows[0].key if rows else row.key
    old, new = (["one", "two"], CAROL), (["one"], BOB)
    assert (texts, key) in ([new] if said else [old, new]), "half of a backup"
    if (texts, key) == new:
        [aside] = (root / SESSION).glob("set-aside-*")
        kept = find_state(str(aside))
        assert not kept.needs(), "what was there is not kept"


STORIES: dict[str, tuple[Callable[[Path], None], Story, Judge]] = {
    "first start": (nothing, first_start, judge_first_start),
    "pin": (a_session, pin, judge_pin),
    "receive": (nothing, receive, judge_received),
    "backup": (a_conversation, back_up, judge_backup),
    "restore": (a_conversation, put_back, judge_put_back),
}


@contextmanager
def memory() -> Iterator[Path]:
    """A folder whose syncs cost nothing, where there is one."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="power-", dir=base) as root:
        yield Path(root)


def cut_everywhere(name: str, enough: int = 1000) -> tuple[int, list[str]]:
    """(cuts that were judged, what was wrong after any) of one story; `enough` problems end it."""
    prepare, story, judge = STORIES[name]
    problems: list[str] = []
    judged: set[object] = set()
    with memory() as base:
        root = left = base / "disk"
        root.mkdir()
        prepare(root)
        disk = Recorder(root)
        with disk.recording():
            try:
                story(disk)
            except AssertionError as error:
                return 0, [f"{name}: {error or 'the story does not end well'}"]
        root.rename(base / "recorded")  # what is left is found where it was: paths are in files
        for number, point in enumerate(disk.points):
            for variant in VARIANTS:
                if len(problems) >= enough:
                    return len(judged), problems
                left.mkdir()
                disk.rebuild(point, variant, left, number)
                state = (point.said, _digest(left))
                if state not in judged:
                    judged.add(state)
                    if problem := _problem(judge, left, disk.said[: point.said]):
                        problems.append(
                            f"{name}, cut {number} ({point.step}), {variant}: {problem}"
                        )
                shutil.rmtree(left)
    return len(judged), problems


def _problem(judge: Judge, left: Path, said: list[object]) -> str:
    try:
        judge(left, said)
    except CommandError as error:
        return error.detail
    except Exception as error:  # noqa: BLE001 - whatever is wrong is a problem
        return f"{type(error).__name__}: {error}"
    return ""


def _digest(folder: Path) -> bytes:
    hasher = blake3.blake3()
    for path in sorted(folder.rglob("*")):
        hasher.update(f"{path.relative_to(folder)}\0{path.stat().st_nlink}\0".encode())
        if path.is_file():
            hasher.update(path.read_bytes())
    return bytes(hasher.digest())
