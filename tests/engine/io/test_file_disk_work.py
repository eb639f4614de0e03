"""Requests to the disk: of one transfer in their order, of several at a time."""

import queue
import threading

import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.update_wire import Exchange
from chatnet_engine.io import file_disk_work
from chatnet_engine.io.file_disk_work import DiskWork
from chatnet_protocol.ipc.reasons import TransferReason, reason

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
EXCHANGE = Exchange("proj", 1, b"", "proj (until today)", [])
WITHIN_S = 600.0


class Disk:
    """Each request waits until it is let go, by its thing."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun: queue.SimpleQueue[tuple[bytes, int]] = queue.SimpleQueue()
        self.reports: queue.SimpleQueue[pw.Report] = queue.SimpleQueue()
        self.go = {(one, thing): threading.Event() for one in (A, B, C) for thing in range(2)}
        patch.setattr(file_disk_work, "place", self._place)
        self.work = DiskWork(self.reports.put, "")

    def ask(self, one: bytes, thing: int, exchange: Exchange | None = None) -> None:
        self.work.ask(pw.Place(one, "/", thing, "name", "name", 1, exchange))

    def _place(self, request: pw.Place) -> pw.Placed:
        self.begun.put((request.id, request.thing))
        assert self.go[request.id, request.thing].wait(WITHIN_S)
        if request.name == "broken":
            raise ValueError
        return pw.Placed(request.id, request.thing, request.name)

    def first_begun(self) -> tuple[bytes, int]:
        return self.begun.get(timeout=WITHIN_S)

    def finish(self, one: bytes, thing: int) -> None:
        self.go[one, thing].set()
        assert self.reports.get(timeout=WITHIN_S) == pw.Placed(one, thing, "name")


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def test_what_takes_long_holds_up_nobody_else(disk: Disk) -> None:
    disk.ask(A, 0)
    assert disk.first_begun() == (A, 0)
    disk.ask(B, 0)
    assert disk.first_begun() == (B, 0)
    disk.finish(B, 0)
    disk.finish(A, 0)


def test_of_one_transfer_everything_is_done_in_order(disk: Disk) -> None:
    disk.ask(A, 0)
    disk.ask(A, 1)
    disk.ask(B, 0)
    assert {disk.first_begun(), disk.first_begun()} == {(A, 0), (B, 0)}
    disk.finish(B, 0)
    assert disk.begun.empty(), "the second waits for the first"
    disk.finish(A, 0)
    assert disk.first_begun() == (A, 1)
    disk.finish(A, 1)


def test_one_exchange_at_a_time(disk: Disk) -> None:
    disk.ask(A, 0, EXCHANGE)
    assert disk.first_begun() == (A, 0)
    disk.ask(B, 0, EXCHANGE)
    disk.ask(C, 0)
    assert disk.first_begun() == (C, 0)
    disk.finish(C, 0)
    assert disk.begun.empty(), "the second exchange waits for the first"
    disk.finish(A, 0)
    assert disk.first_begun() == (B, 0)
    disk.finish(B, 0)


def test_what_breaks_is_answered_and_the_next_one_served(disk: Disk) -> None:
    disk.work.ask(pw.Place(A, "/", 0, "broken", "broken", 1))
    disk.go[A, 0].set()
    problem = pw.NotPlaced(A, 0, "", reason(TransferReason.ENGINE_ERROR))
    assert disk.reports.get(timeout=WITHIN_S) == problem
    disk.ask(A, 1)
    disk.finish(A, 1)
