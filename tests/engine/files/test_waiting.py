"""Whatever holds a transfer up, both rows say what it is within seconds."""

from collections.abc import Callable

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files import schedule, waiting
from chatnet_engine.files.waiting import PEER_WAITS, SAY_ACTIVE_AFTER_S, SAY_AFTER_S
from chatnet_protocol.ipc.reasons import TransferReason as Why
from chatnet_protocol.ipc.reasons import reason
from chatnet_protocol.wire import control as ct
from fake_files import FakeProcess, World
from file_pair import ID, PEER

FULL = reason(Why.DISK_FULL, "/inbox")
Patch = pytest.MonkeyPatch


@pytest.fixture
def world() -> World:
    world = World()
    world.settle()
    world.pair.link(True)
    world.settle()
    return world


def whys(world: World) -> tuple[str, str]:
    rows = world.a.row(), world.b.row()
    a, b = (row.reason.code if row.reason else "" for row in rows)
    return a, b


def stand(world: World, seconds: float = SAY_ACTIVE_AFTER_S + 0.25) -> None:
    """Time passes, and no byte moves."""
    for _ in range(int(seconds * 4)):
        world.advance(0.25)


def begin(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes > 0)


def ignore(patch: Patch, kind: type[pw.Request]) -> None:
    """The file process takes for ever with requests of this kind."""
    handle = FakeProcess.handle

    def deaf(self: FakeProcess, request: pw.Request) -> None:
        if not isinstance(request, kind):
            handle(self, request)

    patch.setattr(FakeProcess, "handle", deaf)


def without_link(world: World, patch: Patch) -> None:
    begin(world)
    world.net.cut(world.net.connections[0])
    world.pair.link(False)


def offered_then_without_link(world: World, patch: Patch) -> None:
    ignore(patch, pw.Receive)
    world.offer("big")
    world.pair.link(False)


def sender_without_process(world: World, patch: Patch) -> None:
    begin(world)
    world.a.restart_process()
    world.a.process.reports.clear()


def receiver_without_process(world: World, patch: Patch) -> None:
    begin(world)
    world.b.restart_process()
    world.b.process.reports.clear()


def nobody_answers_the_dial(world: World, patch: Patch) -> None:
    ignore(patch, pw.Send)
    world.offer("big")


def receiver_has_no_place(world: World, patch: Patch) -> None:
    patch.setattr(schedule, "MAX_RECEIVING_JOBS", 0)
    world.offer("big")


def sender_has_no_place(world: World, patch: Patch) -> None:
    patch.setattr(schedule, "MAX_SENDING_JOBS", 0)
    world.offer("big")


def receiver_compares(world: World, patch: Patch) -> None:
    world.a.process.folders["proj"] = ["a.txt"]
    ignore(patch, pw.Prepare)
    for number in (1, 2):
        world.b.auto_accept_bytes = 1 << 30
        transfer_id = bytes((number,)) * 16 if number == 1 else ID
        world.a.transfers.offer(transfer_id, PEER, ["/home/a/proj"], Now(world.a.clock, 1), True)
        world.settle()
        world.pair.deliver_offer(transfer_id)
        world.settle()
        if number == 1:
            world.run(lambda: world.b.state(b"\1" * 16) == "done")
            world.b.transfers.allow_updates(b"\1" * 16, True, Now(world.b.clock, 1))
            world.settle()


def disk_is_full(world: World, patch: Patch) -> None:
    begin(world)
    one = world.net.connections.pop()
    one.receiver.report(pw.Ended(one.receive.job, pw.Outcome.FULL, FULL))
    one.sender.report(pw.Ended(one.send.job, pw.Outcome.LOST))


def disk_is_full_in_the_end(world: World, patch: Patch) -> None:
    def place(self: FakeProcess, request: pw.Place) -> None:
        self.report(pw.NotPlaced(request.id, request.thing, "", FULL))

    patch.setattr(FakeProcess, "_place", place)
    world.offer("a.txt")
    world.run(lambda: world.states() == ("verifying", "verifying"))


def nothing_is_read_or_written(world: World, patch: Patch) -> None:
    begin(world)


def everything_is_sent(world: World, patch: Patch) -> None:
    begin(world)
    job, size = world.net.connections[0].send.job, world.a.row().size_bytes
    world.a.process.report(pw.Progress(job, 0, 0, size))


def on_the_link(world: World) -> None:
    for side in (world.a, world.b):
        side.process.reachable = False
        side.process.port = 0
        side.restart_process()
    world.settle()
    begin(world)
    assert not world.net.connections


def nothing_leaves_on_the_link(world: World, patch: Patch) -> None:
    on_the_link(world)
    patch.setattr(world.a.transfers.bulk, "take", lambda peer, credit_bytes: [])
    world.net.step(world.random)


def nothing_is_read_for_the_link(world: World, patch: Patch) -> None:
    on_the_link(world)


STATES: list[tuple[Callable[[World, Patch], None], Why, Why]] = [
    (without_link, Why.NO_LINK, Why.NO_LINK),
    (offered_then_without_link, Why.NO_LINK, Why.NO_LINK),
    (sender_without_process, Why.FILES_STARTING, Why.CONNECTION_CUT),
    (receiver_without_process, Why.CONNECTION_CUT, Why.FILES_STARTING),
    (nobody_answers_the_dial, Why.CONNECTING, Why.CONNECTING),
    (receiver_has_no_place, Why.PEER_QUEUED, Why.QUEUED),
    (sender_has_no_place, Why.QUEUED, Why.CONNECTING),
    (receiver_compares, Why.PEER_COMPARING, Why.COMPARING),
    (disk_is_full, Why.PEER_DISK_FULL, Why.DISK_FULL),
    (disk_is_full_in_the_end, Why.PEER_DISK_FULL, Why.DISK_FULL),
    (nothing_is_read_or_written, Why.DISK_BUSY, Why.DISK_BUSY),
    (everything_is_sent, Why.RECEIVER_BUSY, Why.DISK_BUSY),
    (nothing_leaves_on_the_link, Why.PATH_SILENT, Why.DISK_BUSY),
    (nothing_is_read_for_the_link, Why.DISK_BUSY, Why.DISK_BUSY),
]


@pytest.mark.parametrize(("come_to", "sender", "receiver"), STATES)
def test_both_sides_say_what_it_waits_for(
    world: World,
    monkeypatch: Patch,
    come_to: Callable[[World, Patch], None],
    sender: Why,
    receiver: Why,
) -> None:
    come_to(world, monkeypatch)
    world.settle()
    stand(world)
    assert whys(world) == (sender, receiver)


def test_a_limit_of_this_side_is_named_before_the_disk(world: World) -> None:
    world.a.transfers.set_limit(20_000)
    begin(world)
    stand(world)
    assert whys(world) == (Why.LIMITED, Why.DISK_BUSY)
    assert world.a.process.limits == [20_000]
    world.a.restart_process()
    world.settle()
    assert world.a.process.limits == [20_000, 20_000]


def test_what_goes_on_says_nothing_any_more(world: World) -> None:
    begin(world)
    stand(world)
    assert whys(world) == (Why.DISK_BUSY, Why.DISK_BUSY)
    world.net.step(world.random)
    world.settle()
    assert whys(world) == ("", "")
    world.net.cut(world.net.connections[0])
    world.pair.link(False)
    stand(world)
    assert whys(world) == (Why.NO_LINK, Why.NO_LINK)
    world.pair.link(True)
    world.run(lambda: world.states() == ("done", "done"))
    assert whys(world) == ("", "")


def test_what_is_over_soon_needs_no_words(world: World, monkeypatch: Patch) -> None:
    ignore(monkeypatch, pw.Send)
    world.offer("big")
    stand(world, SAY_AFTER_S - 0.5)
    assert whys(world) == ("", "")
    assert not any(row.reason for row in (*world.a.history, *world.b.history))


def test_a_paused_transfer_waits_for_nothing_else(world: World) -> None:
    begin(world)
    world.do(world.b, "pause")
    world.pair.link(False)
    stand(world)
    assert whys(world) == ("", "")


def test_a_full_disk_is_told_once_until_there_is_space(world: World, monkeypatch: Patch) -> None:
    disk_is_full(world, monkeypatch)
    world.settle()
    assert whys(world) == (Why.PEER_DISK_FULL, Why.DISK_FULL)
    changes = len(world.a.history)
    stand(world, 20)
    assert len(world.a.history) == changes
    world.run(lambda: world.states() == ("done", "done"), 2000)
    assert whys(world) == ("", "")


def test_an_unknown_wait_of_the_receiver_is_none(world: World, monkeypatch: Patch) -> None:
    ignore(monkeypatch, pw.Receive)
    world.offer("big")
    status = ct.encode_control(ct.TransferStatus(ID, False, "tea"))
    world.a.transfers.handle_control(PEER, status, Now(world.a.clock, 1))
    stand(world)
    assert whys(world) == (Why.PEER_NOT_READY, Why.CONNECTING)


def test_every_wait_that_is_sent_fits_a_control_message() -> None:
    for wait in PEER_WAITS:
        status = ct.TransferStatus(ID, False, wait)
        assert ct.decode_control(ct.encode_control(status)) == status
    assert set(waiting.BRIEF) <= set(PEER_WAITS)
