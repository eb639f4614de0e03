"""The sending and the receiving job against each other, and against a partner that misbehaves."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from random import Random

import blake3
import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.io import file_receive, file_send
from chatnet_engine.io.file_channel import FileChannel
from chatnet_engine.io.file_receive import ReceiveJob
from chatnet_engine.io.file_send import SendJob
from chatnet_engine.io.file_sources import Source
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.reasons import TransferReason
from chatnet_protocol.wire.control import Suite
from chatnet_protocol.wire.file_records import (
    FileHeader,
    Position,
    RecordType,
    Skip,
    encode_body,
)

T = RecordType
ID = bytes(range(16))
CONNECT = pw.Connect(bytes(8), bytes(32), Suite.CHACHA, [], 60.0)
KEYS = bytes(32), bytes(range(32))
CONTENT = Random(1).randbytes(200_000)


class Jobs:
    """Two ends of a connection; jobs run in threads."""

    def __init__(self, folder: Path) -> None:
        near, far = socket.socketpair()
        self.near = FileChannel(near, Suite.CHACHA, KEYS)
        self.far = FileChannel(far, Suite.CHACHA, (KEYS[1], KEYS[0]))
        self.folder = folder
        self.reports: list[pw.Report] = []
        self.ended: pw.Ended | None = None
        self._thread: threading.Thread | None = None

    def receive(self, *, index: int = 0, offset: int = 0, sizes: tuple[int, ...] = ()) -> None:
        sizes = sizes or (len(CONTENT),)
        files = [OfferedFile([f"f{number}"], size) for number, size in enumerate(sizes)]
        self.receive_offer(Offer(files), index, offset)

    def receive_offer(self, offer: Offer, index: int = 0, offset: int = 0, things: int = 0) -> None:
        folder, body = str(self.folder / "in"), encode_offer(offer)
        request = pw.Receive(1, ID, CONNECT, folder, body, index, offset, things)
        self._run(ReceiveJob(request, self.near, self.reports.append, 0o022))

    def send(self, *contents: bytes) -> None:
        files = []
        (self.folder / "out").mkdir(exist_ok=True)
        for number, content in enumerate(contents):
            path = self.folder / "out" / f"f{number}"
            path.write_bytes(content)
            modified_ns = path.stat().st_mtime_ns
            files.append(pw.ScannedFile(number, [f"f{number}"], len(content), modified_ns))
        roots = [str(self.folder / "out" / f"f{number}") for number in range(len(contents))]
        self._run(SendJob(pw.Send(1, CONNECT, roots, files), self.near, self.reports.append))

    def _run(self, job: SendJob | ReceiveJob) -> None:
        def work() -> None:
            self.ended = job.run()

        self._thread = threading.Thread(target=work)
        self._thread.start()

    def say(self, kind: RecordType, body: bytes = b"") -> None:
        self.far.send(kind, body)

    def hear(self) -> list[tuple[int, bytes]]:
        return [(kind, bytes(body)) for kind, body in self.far.receive(5)]

    def outcome(self) -> str:
        assert self._thread is not None
        self._thread.join(10)
        assert self.ended is not None
        return self.ended.outcome

    def close(self) -> None:
        self.far.interrupt()
        if self._thread is not None:
            self._thread.join(10)
        self.near.close()
        self.far.close()


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    jobs = Jobs(tmp_path)
    yield jobs
    jobs.close()


def header(index: int, offset: int) -> bytes:
    return encode_body(FileHeader(index, offset))


def partial(jobs: Jobs, index: int = 0) -> Path:
    return jobs.folder / "in" / ".chatnet-partial" / f"{ID.hex()}-{index}"


def things(jobs: Jobs) -> list[pw.ThingComplete]:
    return [said for said in jobs.reports if isinstance(said, pw.ThingComplete)]


def digest(content: bytes) -> bytes:
    found: bytes = blake3.blake3(content).digest()
    return found


def test_a_resumed_file_is_checked_as_a_whole(jobs: Jobs) -> None:
    partial(jobs).parent.mkdir(parents=True)
    partial(jobs).write_bytes(CONTENT[:5000] + b"not verified, not kept")
    jobs.receive(offset=5000)
    assert jobs.hear() == [(T.START, encode_body(Position(0, 5000)))]
    jobs.say(T.FILE, header(0, 5000))
    for at in range(5000, len(CONTENT), 65536):
        jobs.say(T.DATA, CONTENT[at : at + 65536])
    jobs.say(T.FILE_END, digest(CONTENT))
    jobs.say(T.END)
    assert jobs.outcome() == pw.Outcome.MOVED
    assert partial(jobs).read_bytes() == CONTENT
    (complete,) = [said for said in jobs.reports if isinstance(said, pw.FileComplete)]
    assert complete.index == 0
    assert things(jobs) == [pw.ThingComplete(1, 0, "f0", partial(jobs).stat().st_ino)]
    received = []
    while not jobs.far.ended:
        received += jobs.hear()
    assert received[-1] == (T.END, b"")
    assert all(kind == T.VERIFIED for kind, _ in received[:-1])


def test_a_partial_shorter_than_believed_starts_over(jobs: Jobs) -> None:
    partial(jobs).parent.mkdir(parents=True)
    partial(jobs).write_bytes(CONTENT[:4999])
    jobs.receive(offset=5000)
    assert jobs.hear() == [(T.START, encode_body(Position(0, 0)))]


def test_a_wrong_digest_is_a_mismatch(jobs: Jobs) -> None:
    jobs.receive(sizes=(5,))
    jobs.say(T.FILE, header(0, 0))
    jobs.say(T.DATA, b"12345")
    jobs.say(T.FILE_END, digest(b"12346"))
    assert jobs.outcome() == pw.Outcome.MISMATCH
    assert not any(isinstance(said, pw.FileComplete) for said in jobs.reports)


def test_what_came_before_a_cut_is_durable_and_reported(jobs: Jobs) -> None:
    jobs.receive()
    jobs.say(T.FILE, header(0, 0))
    jobs.say(T.DATA, CONTENT[:65536])
    assert jobs.hear()[0][0] == T.START
    jobs.far.interrupt()
    assert jobs.outcome() == pw.Outcome.LOST
    last = jobs.reports[-1]
    assert isinstance(last, pw.Progress)
    assert (last.index, last.offset, last.moved_bytes) == (0, 65536, 65536)


@pytest.mark.parametrize(
    "records",
    [
        [(T.FILE, header(1, 0))],
        [(T.DATA, b"x")],
        [(T.FILE, header(0, 0)), (T.DATA, b"123456")],
        [(T.FILE, header(0, 0)), (T.END, b"")],
        [(T.START, encode_body(Position(0, 0)))],
    ],
)
def test_a_sender_that_breaks_the_order_is_left(
    jobs: Jobs, records: list[tuple[RecordType, bytes]]
) -> None:
    jobs.receive(sizes=(5, 5))
    for kind, body in records:
        jobs.say(kind, body)
    assert jobs.outcome() == pw.Outcome.LOST
    assert not any(isinstance(said, pw.FileComplete) for said in jobs.reports)
    assert partial(jobs).stat().st_size <= 5


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (errno.ENOSPC, pw.Outcome.FULL),
        (errno.EIO, pw.Outcome.FULL),
        (errno.EROFS, pw.Outcome.TARGET),
    ],
)
def test_a_disk_that_refuses_ends_the_job_with_a_sentence(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch, code: int, outcome: str
) -> None:
    def refuse(*args: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pwritev", refuse)
    jobs.receive(sizes=(5,))
    jobs.say(T.FILE, header(0, 0))
    jobs.say(T.DATA, b"12345")
    assert jobs.outcome() == outcome
    assert jobs.ended is not None
    assert jobs.ended.why is not None
    assert jobs.ended.why.code in ("disk-full", "unwritable")


def test_a_disk_that_takes_a_part_of_what_is_written_loses_nothing(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_write = os.pwritev
    turns = iter(range(10**6))

    def write_a_part(fd: int, bodies: list[memoryview], offset: int) -> int:
        space = (1, 999, 70_000)[next(turns) % 3]
        part = []
        for body in bodies:
            part.append(body[:space])
            space -= len(part[-1])
        return really_write(fd, part, offset)

    monkeypatch.setattr(os, "pwritev", write_a_part)
    jobs.receive(sizes=(len(CONTENT),))
    jobs.say(T.FILE, header(0, 0))
    for at in range(0, len(CONTENT), 65536):
        jobs.say(T.DATA, CONTENT[at : at + 65536])
    jobs.say(T.FILE_END, digest(CONTENT))
    jobs.say(T.END)
    assert jobs.outcome() == pw.Outcome.MOVED
    assert partial(jobs).read_bytes() == CONTENT
    assert next(turns) > 5


def test_a_sync_that_fails_ends_the_job(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = threading.Event()

    def refuse(fd: int) -> None:
        failed.set()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", refuse)
    jobs.receive()
    jobs.say(T.FILE, header(0, 0))
    jobs.say(T.DATA, CONTENT[:10])
    assert failed.wait(5)
    jobs.say(T.DATA, CONTENT[10:20])
    assert jobs.outcome() == pw.Outcome.FULL
    progress = [said for said in jobs.reports if isinstance(said, pw.Progress)]
    assert all(said.offset == 0 for said in progress), "nothing was durable"


def test_many_small_files_complete_in_order_before_the_end(jobs: Jobs) -> None:
    count = 100
    jobs.receive(sizes=(3,) * count)
    for index in range(count):
        jobs.say(T.FILE, header(index, 0))
        jobs.say(T.DATA, b"abc")
        jobs.say(T.FILE_END, digest(b"abc"))
    jobs.say(T.END)
    assert jobs.outcome() == pw.Outcome.MOVED
    complete = [said.index for said in jobs.reports if isinstance(said, pw.FileComplete)]
    assert complete == sorted(complete)
    assert complete[-1] == count - 1
    seen = 0
    for said in jobs.reports:
        seen += isinstance(said, pw.FileComplete)
        assert not isinstance(said, pw.Progress) or said.index >= seen


def test_complete_files_are_reported_when_the_connection_is_cut(jobs: Jobs) -> None:
    jobs.receive(sizes=(3, 5))
    jobs.hear()
    jobs.say(T.FILE, header(0, 0))
    jobs.say(T.DATA, b"abc")
    jobs.say(T.FILE_END, digest(b"abc"))
    jobs.far.interrupt()
    assert jobs.outcome() == pw.Outcome.LOST
    assert [said.index for said in jobs.reports if isinstance(said, pw.FileComplete)] == [0]


def test_a_silent_sender_is_left(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_receive, "SILENT_AFTER_S", 0.0)
    monkeypatch.setattr(file_receive, "REPORT_EVERY_S", 0.01)
    jobs.receive()
    assert jobs.outcome() == pw.Outcome.LOST


def test_a_silence_is_reported_before_it_ends_the_connection(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pw, "STALLED_S", 0.0)
    monkeypatch.setattr(file_receive, "SILENT_AFTER_S", 0.05)
    monkeypatch.setattr(file_receive, "REPORT_EVERY_S", 0.01)
    jobs.receive()
    assert jobs.outcome() == pw.Outcome.LOST
    stalled = [said for said in jobs.reports if isinstance(said, pw.Stalled)]
    assert stalled == [pw.Stalled(1, TransferReason.SENDER_SILENT)]


def test_everything_from_the_start_that_was_asked_for(jobs: Jobs) -> None:
    jobs.send(b"first", CONTENT)
    jobs.say(T.START, encode_body(Position(1, 100_000)))
    received: list[tuple[int, bytes]] = []
    while not jobs.far.ended:
        received += jobs.hear()
    jobs.say(T.VERIFIED, encode_body(Position(2, 0)))
    jobs.say(T.END)
    assert jobs.outcome() == pw.Outcome.MOVED
    kinds = [kind for kind, _ in received]
    assert kinds == [T.FILE, T.DATA, T.DATA, T.FILE_END, T.END]
    assert received[0][1] == header(1, 100_000)
    assert received[1][1] + received[2][1] == CONTENT[100_000:]
    assert received[3][1] == digest(CONTENT)
    last = jobs.reports[-1]
    assert isinstance(last, pw.Progress)
    assert (last.index, last.offset, last.moved_bytes) == (2, 0, 5 + len(CONTENT))


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (T.VERIFIED, encode_body(Position(0, 0))),
        (T.START, encode_body(Position(0, 6))),
        (T.START, encode_body(Position(1, 1))),
        (T.START, encode_body(Position(2, 0))),
        (T.START, b"\xc1"),
    ],
)
def test_a_receiver_that_starts_wrong_is_left(jobs: Jobs, kind: RecordType, body: bytes) -> None:
    jobs.send(b"first")
    jobs.say(kind, body)
    assert jobs.outcome() == pw.Outcome.LOST


def test_what_a_receiver_reports_before_its_sender_is_ready_is_no_break_of_the_order(
    jobs: Jobs,
) -> None:
    jobs.say(T.START, encode_body(Position(0, 0)))
    for _ in range(3):
        jobs.say(T.VERIFIED, encode_body(Position(0, 0)))
    jobs.send(b"content")
    received: list[int] = []
    while T.END not in received:
        received += [kind for kind, _ in jobs.hear()]
    jobs.say(T.END)
    assert received == [T.FILE, T.DATA, T.FILE_END, T.END]
    assert jobs.outcome() == pw.Outcome.MOVED


def test_what_follows_a_start_in_one_piece_has_to_be_a_receivers(jobs: Jobs) -> None:
    jobs.say(T.START, encode_body(Position(0, 0)))
    jobs.say(T.SKIP, encode_body(Skip(0, 1)))
    jobs.send(b"content")
    assert jobs.outcome() == pw.Outcome.LOST


def test_spent_keys_end_the_connection(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_send, "MAX_RECORDS", 2 * file_send.BATCH_RECORDS + 4)
    jobs.send(bytes(65536 * 20))
    jobs.say(T.START, encode_body(Position(0, 0)))
    while jobs.ended is None:
        jobs.far.receive(0.01)
    assert jobs.outcome() == pw.Outcome.LOST


def test_a_source_that_keeps_changing_fails(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(1, 100))
    check = file_send._check

    def changing(fd: int, path: str, file: Source) -> int:
        check(fd, path, file)
        return next(times)

    monkeypatch.setattr(file_send, "_check", changing)
    jobs.send(b"first")
    jobs.say(T.START, encode_body(Position(0, 3)))
    assert jobs.outcome() == pw.Outcome.SOURCE
    assert jobs.ended is not None
    assert jobs.ended.why is not None
    assert jobs.ended.why.code == TransferReason.FILE_CHANGING
    offsets = [body for kind, body in jobs.hear() if kind == T.FILE]
    assert offsets == [header(0, 0)] * file_send.MAX_RESTARTS
