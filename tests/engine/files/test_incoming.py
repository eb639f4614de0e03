"""The order of records that a receiver accepts."""

from random import Random

import pytest

from chatnet_engine.files.file_set import FileSet
from chatnet_engine.files.incoming import IncomingFiles, Step, skips
from chatnet_protocol.errors import DecodeError, RemoteProtocolError
from chatnet_protocol.wire.file_records import FileHeader, Position, RecordType, Skip, encode_body

T = RecordType
DIGEST = bytes(32)


def file(index: int, offset: int = 0) -> tuple[int, bytes]:
    return T.FILE, encode_body(FileHeader(index, offset))


DATA5 = (T.DATA, b"12345")
END_FILE = (T.FILE_END, DIGEST)
END = (T.END, b"")


def run(
    *records: tuple[int, bytes], sizes: tuple[int, ...] = (10, 0), start: tuple[int, int] = (0, 0)
) -> list[Step]:
    incoming = IncomingFiles(list(sizes), Position(*start))
    return [incoming.handle(kind, memoryview(body)) for kind, body in records]


def test_a_whole_transfer() -> None:
    steps = run(file(0), DATA5, DATA5, END_FILE, file(1), END_FILE, END)
    assert steps == [
        Step.BEGIN,
        Step.WRITE,
        Step.WRITE,
        Step.CHECK,
        Step.BEGIN,
        Step.CHECK,
        Step.FINISH,
    ]


def test_a_resumed_one_continues_at_its_offset() -> None:
    steps = run(file(0, 5), DATA5, END_FILE, start=(0, 5))
    assert steps == [Step.BEGIN, Step.WRITE, Step.CHECK]


def test_a_file_may_start_over() -> None:
    steps = run(file(0), DATA5, file(0), DATA5, DATA5, END_FILE)
    assert steps.count(Step.OVER) == 1
    assert run(file(0), start=(0, 5)) == [Step.OVER]


@pytest.mark.parametrize(
    "records",
    [
        [DATA5],
        [END_FILE],
        [END],
        [file(1)],
        [file(0, 3)],
        [file(0), END_FILE],
        [file(0), (T.DATA, b"")],
        [file(0), (T.DATA, b"x" * 11)],
        [file(0), DATA5, file(0, 5)],
        [file(0), DATA5, DATA5, (T.FILE_END, b"short")],
        [file(0), DATA5, DATA5, END_FILE, DATA5],
        [file(0), DATA5, DATA5, END_FILE, END],
        [file(0), DATA5, DATA5, END_FILE, file(1), END_FILE, file(2)],
        [(T.START, b"")],
        [(T.VERIFIED, b"")],
        [(T.FILE, b"\xc1")],
    ],
)
def test_everything_else_is_refused(records: list[tuple[int, bytes]]) -> None:
    with pytest.raises((RemoteProtocolError, DecodeError)):
        run(*records)


@pytest.mark.parametrize("seed", range(20))
def test_no_order_of_records_writes_more_than_was_offered(seed: int) -> None:
    random = Random(seed)
    incoming = IncomingFiles([10, 0, 7], Position(0, 0))
    choices = [file(0), file(1), file(2), file(0, 5), DATA5, (T.DATA, b"x"), END_FILE, END]
    for _ in range(2000):
        kind, body = random.choice(choices)
        try:
            incoming.handle(kind, memoryview(body))
        except RemoteProtocolError:
            continue
        assert incoming.index <= 3
        if incoming.index < 3:
            assert incoming.offset <= [10, 0, 7][incoming.index]


def file_set(files: set[int]) -> FileSet:
    made = FileSet()
    for index in files:
        made.add(index)
    return made


def test_files_that_are_here_are_passed_over() -> None:
    have = file_set({1, 2, 4})
    incoming = IncomingFiles([5] * 6, Position(0, 0), have=have)
    assert incoming.finished == -1, "none yet"
    for index in (0, 3, 5):
        for kind, body in (file(index), DATA5, END_FILE):
            step = incoming.handle(kind, memoryview(body))
        assert step is Step.CHECK
        assert incoming.finished == index
    assert incoming.index == 6
    with pytest.raises(RemoteProtocolError):
        incoming.handle(T.FILE, memoryview(file(4)[1]))
    assert incoming.handle(T.END, memoryview(b"")) is Step.FINISH


def test_what_is_here_is_named_as_ranges() -> None:
    have = file_set({7, 1, 2, 4})
    assert list(skips(have, 0)) == [Skip(1, 2), Skip(4, 1), Skip(7, 1)]
    assert list(skips(have, 3)) == [Skip(4, 1), Skip(7, 1)]
    assert list(skips(FileSet(), 0)) == []
