"""What a file process, a peer or a front end may do wrong, and everything at once."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files import schedule
from chatnet_engine.files import transfers as owner
from chatnet_engine.files.offering import ReadyOffer
from chatnet_engine.files.transfers import FailedOffer
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode, RemoteProtocolError
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.reasons import Reason, reason
from chatnet_protocol.ipc.reasons import TransferReason as Why
from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS, MIB
from chatnet_protocol.wire import control as ct
from fake_files import SOURCES, World
from file_pair import ID, KEY, PEER, message


@pytest.fixture
def world() -> World:
    world = World()
    world.settle()
    world.pair.link(True)
    world.settle()
    return world


def end_job(world: World, outcome: pw.Outcome, at_sender: bool, why: Reason | None = None) -> None:
    one = world.net.connections.pop()
    one.sender.report(pw.Ended(one.send.job, outcome if at_sender else pw.Outcome.LOST, why))
    one.receiver.report(pw.Ended(one.receive.job, pw.Outcome.LOST if at_sender else outcome, why))
    world.settle()


def test_a_source_that_vanished_fails_both(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    why = reason(Why.FILE_UNREADABLE, "/home/a/big", "no such file")
    end_job(world, pw.Outcome.SOURCE, True, why)
    assert world.states() == ("failed", "failed")
    assert world.a.row().reason == why
    assert world.b.row().reason == reason(Why.PEER_NOT_READ)


def test_both_sides_say_why_nothing_moves_until_it_does(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    one = world.net.connections[0]
    one.sender.report(pw.Stalled(one.send.job, Why.RECEIVER_BUSY))
    one.receiver.report(pw.Stalled(one.receive.job, Why.SENDER_SILENT))
    world.settle()
    assert world.states() == ("active", "active")
    assert world.a.row().reason == reason(Why.RECEIVER_BUSY)
    assert world.b.row().reason == reason(Why.SENDER_SILENT)
    world.net.advance(one)
    world.settle()
    assert (world.a.row().reason, world.b.row().reason) == (None, None)


def test_a_cut_connection_is_a_reason_to_wait(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    world.net.cut(world.net.connections[0])
    world.settle()
    assert world.b.row().reason == reason(Why.CONNECTION_CUT)
    world.run(lambda: world.states() == ("active", "active"))
    assert world.b.row().reason is None


def test_a_target_that_refuses_fails_both(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    why = reason(Why.UNWRITABLE, "/inbox", "read-only")
    end_job(world, pw.Outcome.TARGET, False, why)
    assert world.states() == ("failed", "failed")
    assert world.b.row().reason == why
    assert world.a.row().reason == reason(Why.PEER_NOT_STORED)


def test_three_mismatches_fail_and_one_starts_the_file_over(world: World) -> None:
    world.offer("b.txt", "big")
    for strike in range(3):
        world.run(lambda: bool(world.net.connections) and world.b.row().done_bytes > 1000)
        end_job(world, pw.Outcome.MISMATCH, False)
        if strike < 2:
            world.run(lambda: bool(world.net.connections))
            receive = world.net.connections[0].receive
            assert (receive.index, receive.offset) == (1, 0)
    assert world.states() == ("failed", "failed")
    assert world.b.row().reason == reason(Why.NOT_AS_SENT)


def test_bytes_that_disappear_before_they_get_their_name_fail_both(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    while world.net.connections:
        world.net.step(world.random)
    world.b.process.partials.clear()
    world.advance(1)
    assert world.states() == ("failed", "failed")
    assert world.b.process.disk == {}


def test_answers_about_names_come_late_without_harm(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    for report in (pw.Placed(ID, 0, "x"), pw.NotPlaced(ID, 0, "x")):
        world.b.process.report(report)
    world.settle()
    assert world.b.state() == "active"
    world.do(world.b, "cancel")
    for report in (pw.Placed(ID, 0, "x"), pw.NotPlaced(ID, 0, "", reason(Why.ENGINE_ERROR))):
        world.b.process.report(report)
    world.settle()
    assert world.states() == ("cancelled", "cancelled")


def test_a_changed_source_is_remembered(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    job = world.net.connections[0].send.job
    world.a.process.report(pw.SourceChanged(job, 0, 99))
    world.settle()
    world.net.cut(world.net.connections[0])
    world.run(lambda: bool(world.net.connections))
    assert world.net.connections[0].send.files[0].modified_ns == 99


def test_at_most_so_many_receive_at_a_time(world: World) -> None:
    for number in range(schedule.MAX_RECEIVING_JOBS + 2):
        world.offer("big", transfer_id=bytes([number]) * 16)
    assert len(world.net.connections) == schedule.MAX_RECEIVING_JOBS
    waiting = [row for row in world.b.history if row.reason]
    assert all(row.reason == reason(Why.QUEUED) for row in waiting)
    assert waiting
    count = schedule.MAX_RECEIVING_JOBS + 2
    world.run(
        lambda: all(world.pair.both("done", bytes([number]) * 16) for number in range(count)),
        turns=2000,
    )


def test_too_many_unanswered_offers_are_rejected(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "MAX_OPEN_OFFERS", 3)
    for number in range(4):
        world.offer("big", transfer_id=bytes([number]) * 16, auto=0)
    ids = [bytes([number]) * 16 for number in range(4)]
    assert [world.b.state(one) for one in ids] == ["offered"] * 3 + ["rejected"]
    assert world.a.state(ids[3]) == "rejected"
    assert world.a.row(ids[3]).reason == reason(Why.PEER_OFFERS_FULL)


def test_ended_transfers_are_forgotten_oldest_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnet_engine.files.table.MAX_VIEW_TRANSFERS", 3)
    ids = [bytes([number]) * 16 for number in range(5)]
    for one in ids:
        world.offer("empty", transfer_id=one)
        world.run(lambda one=one: world.pair.both("done", one))  # type: ignore[misc]
    with pytest.raises(CommandError) as info:
        world.b.transfers.act(ids[1], owner.Act.CANCEL, Now(world.b.clock, 1))
    assert info.value.code is ErrorCode.UNKNOWN_TRANSFER
    world.b.transfers.act(ids[2], owner.Act.CANCEL, Now(world.b.clock, 1))
    assert MAX_VIEW_TRANSFERS > 3


def test_progress_is_stored_once_a_second_and_shown_five_times(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    before, gauges = len(world.b.history), []
    for _ in range(80):
        world.net.step(world.random)
        world.advance(0.05)
        gauges += world.b.transfers.take_gauges(world.b.clock)
    assert 3 <= len(world.b.history) - before <= 5
    assert 15 <= len(gauges) <= 21
    assert [gauge.revision for gauge in gauges] == list(range(1, len(gauges) + 1))
    assert gauges[-1].rate_bytes_s == pytest.approx(20_000, rel=0.05)
    assert gauges[-1].done_bytes > gauges[0].done_bytes


def test_commands_on_the_wrong_side_or_at_the_wrong_time_are_refused(world: World) -> None:
    world.offer("big", auto=0)
    now = world.a.clock
    with pytest.raises(CommandError) as info:
        world.a.transfers.accept(ID, "", Now(now, 1))
    assert info.value.code is ErrorCode.NOT_ALLOWED
    with pytest.raises(CommandError) as info:
        world.a.transfers.act(ID, owner.Act.REJECT, Now(now, 1))
    assert info.value.code is ErrorCode.NOT_ALLOWED
    world.b.transfers.accept(ID, "", Now(now, 1))
    with pytest.raises(CommandError):
        world.b.transfers.act(ID, owner.Act.REJECT, Now(now, 1))
    world.run(lambda: world.pair.both("done"))
    world.do(world.b, "cancel")
    assert world.states() == ("done", "done")
    for command in ("pause", "resume"):
        with pytest.raises(CommandError):
            world.do(world.b, command)
    with pytest.raises(CommandError) as info:
        world.b.transfers.act(b"?" * 16, owner.Act.PAUSE, Now(now, 1))
    assert info.value.code is ErrorCode.UNKNOWN_TRANSFER


def test_a_peer_that_breaks_the_rules_is_told_so(world: World) -> None:
    world.offer("big", auto=0)
    a, b, now = world.a.transfers, world.b.transfers, world.a.clock
    for control in (ct.Accept(ID), ct.DialBack(ID), ct.Done(ID)):
        with pytest.raises(RemoteProtocolError):
            b.handle_control(PEER, ct.encode_control(control), Now(now, 1))
    with pytest.raises(RemoteProtocolError):
        a.handle_control(PEER, ct.encode_control(ct.Unreachable(ID)), Now(now, 1))
    with pytest.raises(DecodeError):
        a.handle_control(PEER, b"\xc1", Now(now, 1))
    assert world.states() == ("offered", "offered")


def test_another_peer_cannot_touch_a_transfer(world: World) -> None:
    world.offer("big", auto=0)
    end = ct.encode_control(ct.End(ID, ct.EndCode.CANCELLED))
    world.a.transfers.handle_control(PEER + 1, end, Now(world.a.clock, 1))
    world.settle()
    assert world.states() == ("offered", "offered")


def test_a_peer_that_turns_out_to_be_another_keeps_its_transfers(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    world.a.transfers.handle_peer_forgotten(PEER, 2, 0, Now(world.a.clock, 1))
    world.a.move()
    assert world.a.row().peer == 2
    for peer, ended in ((PEER, False), (2, True)):
        end = ct.encode_control(ct.End(ID, ct.EndCode.CANCELLED))
        world.a.transfers.handle_control(peer, end, Now(world.a.clock, 1))
        world.a.move()
        assert (world.a.state() == "cancelled") is ended


def test_files_for_a_merged_peer_go_where_its_other_entry_is_linked(world: World) -> None:
    world.offer("big", auto=0)
    a, at = world.a.transfers, Now(world.a.clock, 1)
    a.handle_link(2, True, [("192.0.2.9", 9)], incarnation=1, fast_aes=True, at=at)
    a.handle_peer_forgotten(PEER, 2, 0, at)
    for control in (ct.Accept(ID), ct.Listen(ID, bytes(8), bytes(32), 9, ct.Suite.CHACHA)):
        a.handle_control(2, ct.encode_control(control), at)
    world.a.move()
    [send] = world.a.process.sent
    assert send.connect.addrs == [("192.0.2.9", 9)]


def test_what_becomes_of_the_link_to_another_peer_changes_nothing(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    for side in (world.a, world.b):
        for up in (True, False):
            side.transfers.handle_link(
                2, up, [("192.0.2.9", 9)], incarnation=9, fast_aes=True, at=Now(side.clock, 1)
            )
    world.net.cut(world.net.connections[0])
    world.run(lambda: world.pair.both("done"))


def test_a_sender_sends_again_only_when_it_is_asked_for_a_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.offer("big", auto=0)
    a, at = world.a.transfers, Now(world.a.clock, 1)
    requests: list[pw.Request] = []
    monkeypatch.setattr(world.a.process, "handle", requests.append)
    a.handle_process_restarted(at)
    listen = ct.Listen(ID, bytes(8), bytes(32), 9, ct.Suite.CHACHA)
    for control in (ct.Accept(ID), listen, ct.End(ID, ct.EndCode.CANCELLED), ct.Accept(ID)):
        a.handle_control(PEER, ct.encode_control(control), at)
    world.a.process.report(pw.Listening(4000))
    for _ in range(5):
        world.a.clock += 1.0
        world.a.move()
    assert world.a.state() == "waiting"
    assert requests == []
    a.handle_control(PEER, ct.encode_control(listen), Now(world.a.clock, 1))
    world.a.move()
    assert [type(request) for request in requests] == [pw.Send]


@pytest.mark.parametrize("times", [1, 3, 9])
def test_a_connection_that_nobody_opens_is_tried_ever_later(world: World, times: int) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    world.a.process.handle = lambda request: None  # type: ignore[method-assign] # it is deaf
    tried = 0
    handle = world.b.process.handle

    def count(request: pw.Request) -> None:
        nonlocal tried
        tried += isinstance(request, pw.Receive)
        handle(request)

    world.b.process.handle = count  # type: ignore[method-assign]
    end_job(world, pw.Outcome.EXPIRED, False)
    for number in range(1, times):
        pause_s = min(10.0 * 2 ** (number - 1), 60.0)
        world.advance(pause_s - 1.0)
        assert tried == number - 1
        world.advance(1.0)
        assert tried == number
        job = max(world.b.process.jobs)
        world.b.process.report(pw.Ended(job, pw.Outcome.EXPIRED))
        world.settle()
    assert world.b.row().reason == reason(Why.NO_TCP)


def test_a_removed_peer_ends_its_transfers(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    world.a.transfers.handle_peer_forgotten(PEER, 0, 0, Now(world.a.clock, 1))
    world.settle()
    assert (world.a.state(), world.a.row().reason) == ("cancelled", reason(Why.PEER_REMOVED))
    assert world.net.connections == []


def test_a_dead_file_process_shows_at_once(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    world.a.process.restart()
    world.a.process.reports.clear()
    world.a.transfers.handle_process_restarted(Now(world.a.clock, 1))
    world.settle()
    assert world.a.state() == "waiting"
    world.a.process.report(pw.Listening(4000))
    world.run(lambda: world.pair.both("done"))


def test_an_offer_that_the_sender_has_forgotten_fails(world: World) -> None:
    body = encode_offer(Offer([OfferedFile(["x"], 5)]))
    world.b.transfers.handle_peer_offer(
        message(ID, 1, False, body),
        PEER,
        key=KEY,
        auto_accept_bytes=MIB,
        verified=False,
        at=Now(world.b.clock, 1),
    )
    world.settle()
    assert world.b.state() == "failed"
    assert world.b.row().reason == reason(Why.PEER_UNKNOWN)


def test_a_receiver_that_asks_without_end_gets_few_jobs(world: World) -> None:
    world.offer("big", auto=0)
    listen = ct.encode_control(ct.Listen(ID, bytes(8), bytes(32), 9, ct.Suite.CHACHA))
    started = 0
    handle = world.a.process.handle

    def count(request: pw.Request) -> None:
        nonlocal started
        started += isinstance(request, pw.Send)
        handle(request)

    world.a.process.handle = count  # type: ignore[method-assign]
    for _ in range(1000):
        world.a.transfers.handle_control(PEER, listen, Now(world.a.clock, 1))
        world.a.clock += 0.001
        world.a.move()
    assert started < 15


def test_offers_wait_for_the_file_process_and_survive_its_death(world: World) -> None:
    world.a.restart()
    transfers, now = world.a.transfers, world.a.clock
    transfers.offer(ID, PEER, ["/home/a/big"], Now(now, 1))
    assert transfers.take_process_frames() == []
    world.settle()
    (ready,) = world.a.offers
    assert isinstance(ready, ReadyOffer)
    transfers.offer(ID, PEER, ["/home/a/big"], Now(now, 1))
    world.settle()
    assert world.a.offers == [ready, ready]
    world.a.offers.pop()
    world.pair.deliver_offer()
    transfers.offer(ID, PEER, ["/home/a/big"], Now(now, 1))
    world.settle()
    assert world.a.offers == [ready]


def test_an_offer_that_nobody_lists_fails_in_time(world: World) -> None:
    world.a.transfers.handle_process_restarted(Now(world.a.clock, 1))
    world.a.transfers.offer(ID, PEER, ["/home/a/big"], Now(world.a.clock, 1))
    due = world.a.transfers.next_timeout()
    assert due is not None
    world.advance(due - world.a.clock)
    (failed,) = world.a.offers
    assert isinstance(failed, FailedOffer)
    assert (failed.transfer_id, failed.code) == (ID, ErrorCode.FILE)


def test_suite_follows_the_weaker_side(world: World) -> None:
    world.b.transfers.handle_link(
        PEER, True, [("127.0.0.1", 1)], incarnation=1, fast_aes=False, at=Now(world.b.clock, 1)
    )
    world.offer("a.txt")
    assert world.net.connections[0].send.connect.suite == ct.Suite.CHACHA


def test_a_stored_transfer_that_makes_no_sense_is_left_out(world: World) -> None:
    world.offer("big", auto=0)
    stored = world.b.store[ID]
    world.b.store[ID] = type(stored)(stored.row, b"\xc1")
    world.b.restart()
    assert list(world.b.transfers.unreadable) == [ID]
    assert world.b.transfers.next_timeout() is None


@pytest.mark.parametrize("seed", range(40))
def test_whatever_breaks_the_files_arrive_once(seed: int) -> None:
    """Links, connections, processes and engines die at random; then all is well."""
    world = World(seed)
    random = world.random
    names = random.sample(sorted(SOURCES), random.randint(1, 4))
    world.settle()
    world.pair.link(True)
    world.offer(*names)
    for _ in range(150):
        world.net.step(random)
        side = random.choice([world.a, world.b])
        side.move()
        action = random.random()
        if action < 0.04 and world.net.connections:
            world.net.cut(random.choice(world.net.connections))
        elif action < 0.08:
            side.restart_process()
        elif action < 0.12:
            side.restart()
            world.pair.link(False)
        elif action < 0.18:
            world.pair.link(random.random() < 0.7)
        elif action < 0.24 and side.state() not in ("", "done"):
            world.do(side, random.choice(["pause", "resume"]))
        elif action < 0.26:
            side.process.reachable = random.random() < 0.5
        for _ in range(random.randint(0, 3)):
            random.choice([world.a.move, world.b.move, world.pair.move])()
        world.a.clock += 0.1
        world.b.clock += 0.1
    world.a.process.reachable = world.b.process.reachable = True
    world.pair.link(True)
    for side in (world.a, world.b):
        side.move()
        if side.state() != "done":
            world.do(side, "resume")
    world.run(lambda: world.pair.both("done"), turns=4000)
    world.check_done(*names)
    assert world.a.state() in set(TransferState)
