"""Files that become durable together, and what is said of them."""

import contextlib
import errno
import os
import threading
from pathlib import Path

import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.io.file_finish import MAX_UNFINISHED, CompleteFile, Finisher


class Files:
    """What a finisher does with files in a folder, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.done: list[object] = []
        self.keeping = threading.Event()
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.finisher = Finisher(self._keep, self._describe, self.done.append)

    def _keep(self) -> None:
        self.keeping.set()
        self.may_go_on.wait(10)
        self.done.append("names")

    def _describe(self, file: CompleteFile) -> list[pw.Report]:
        return [pw.FileComplete(1, file.index)]

    def add(self, index: int) -> int:
        fd = os.open(self.folder / str(index), os.O_RDWR | os.O_CREAT)
        self.finisher.add(CompleteFile(index, fd, 0))
        return fd

    def reported(self) -> list[int]:
        return [said.index for said in self.done if isinstance(said, pw.FileComplete)]

    def oldest(self) -> int | None:
        found: list[int | None] = []
        self.finisher.with_oldest(lambda file: found.append(file.index if file else None))
        return found[0]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_files_are_reported_in_order_and_share_a_look_at_their_names(files: Files) -> None:
    files.may_go_on.clear()
    fds = [files.add(index) for index in range(MAX_UNFINISHED - 1)]
    assert files.oldest() == 0
    assert files.reported() == []
    files.may_go_on.set()
    files.finisher.finish()
    files.finisher.close()
    assert files.reported() == sorted(files.reported())
    assert files.reported()[-1] == MAX_UNFINISHED - 2
    assert files.done.count("names") < 5
    assert files.oldest() is None
    assert not any(is_open(fd) for fd in fds)


def test_what_comes_after_somebody_asked_is_finished_too(files: Files) -> None:
    files.may_go_on.clear()
    files.add(0)
    assert files.oldest() == 0
    assert files.keeping.wait(60)
    assert files.oldest() == 0
    files.may_go_on.set()
    while files.oldest() is not None:
        pass
    files.add(1)
    waits = threading.Thread(target=files.finisher.finish, daemon=True)
    waits.start()
    waits.join(60)
    assert not waits.is_alive()
    files.finisher.close()
    assert files.reported() == [0, 1]


def test_a_disk_that_fails_is_told_to_who_adds_and_who_waits(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    files.may_go_on.clear()
    try:
        fds = [files.add(0)]
    except OSError:
        fds = []
    with pytest.raises(OSError, match="Input/output"):
        files.finisher.finish()
    with pytest.raises(OSError, match="Input/output"):
        files.add(1)
    files.finisher.close()
    assert files.reported() == []
    assert not any(is_open(fd) for fd in fds)


def test_nothing_to_finish_needs_no_thread(files: Files) -> None:
    before = threading.active_count()
    files.finisher.finish()
    files.finisher.close()
    assert threading.active_count() == before


def test_what_breaks_otherwise_leaves_nobody_waiting(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    monkeypatch.setattr(files.finisher, "_keep_names", lambda: 1 // 0)
    with contextlib.suppress(RuntimeError):
        files.add(0)
    with pytest.raises(RuntimeError):
        files.finisher.finish()
    files.finisher.close()
