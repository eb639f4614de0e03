"""Two users' transfers against each other, without I/O."""

from collections.abc import Callable
from random import Random

import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files import transfers as owner
from chatnet_engine.files.transfers import FailedOffer, ReadyOffer
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode, RemoteProtocolError
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS, MIB
from chatnet_protocol.wire import control as ct
from fake_files import FakeSide, Net
from file_pair import ID, PEER, Pair, message

SOURCES = {
    "a.txt": b"a" * 2500,
    "b.txt": b"b" * 1000,
    "empty": b"",
    "big": bytes(range(250)) * 400,
}


class World:
    """Both sides, their processes, and a clock that runs for both."""

    def __init__(self, seed: int = 1) -> None:
        self.net = Net()
        self.a = FakeSide("a", self.net, dict(SOURCES), seed)
        self.b = FakeSide("b", self.net, {}, seed)
        self.pair = Pair(self.a, self.b)
        self.random = Random(seed)

    def settle(self, turns: int = 6) -> None:
        for _ in range(turns):
            self.pair.move()

    def advance(self, seconds: float) -> None:
        self.a.clock += seconds
        self.b.clock += seconds
        self.settle()

    def offer(self, *names: str, transfer_id: bytes = ID, auto: int = 256 * MIB) -> None:
        self.b.auto_accept_bytes = auto
        paths = [f"/home/a/{name}" for name in names]
        self.a.transfers.offer(transfer_id, PEER, paths, self.a.clock, 1)
        self.settle()
        self.pair.deliver_offer(transfer_id)
        self.settle()

    def run(self, done: Callable[[], bool], turns: int = 400) -> None:
        for _ in range(turns):
            if done():
                return
            self.net.step(self.random)
            self.advance(0.05)
        raise AssertionError((self.a.history[-3:], self.b.history[-3:]))

    def do(self, side: FakeSide, command: str) -> None:
        getattr(side.transfers, command)(ID, side.clock, 1)
        self.settle()

    def states(self) -> tuple[str, str]:
        return self.a.state(), self.b.state()

    def check_done(self, *names: str, folder: str = "") -> None:
        assert self.states() == ("done", "done")
        got = sorted(data for _, data in self.b.process.disk.values())
        assert got == sorted(SOURCES[name] for name in names)
        assert self.b.process.partials == {}
        size = sum(len(SOURCES[name]) for name in names)
        assert self.a.row().done_bytes == self.b.row().done_bytes == size


@pytest.fixture
def world() -> World:
    world = World()
    world.settle()
    world.pair.link(True)
    world.settle()
    return world


def test_small_files_of_a_pinned_peer_arrive_by_themselves(world: World) -> None:
    world.offer("a.txt", "empty", "b.txt")
    world.run(lambda: world.pair.both("done"))
    world.check_done("a.txt", "empty", "b.txt")
    assert world.b.row().path == "/inbox"
    assert world.b.row().files == 3
    states = [row.state for row in world.b.history]
    assert [s for n, s in enumerate(states) if n == 0 or states[n - 1] != s] == [
        "waiting",
        "active",
        "done",
    ] or "verifying" in states


def test_a_large_offer_asks_and_lands_in_the_chosen_folder(world: World) -> None:
    world.offer("big", auto=100)
    assert world.states() == ("offered", "offered")
    world.advance(1000)
    assert world.states() == ("offered", "offered")
    world.b.transfers.accept(ID, "/elsewhere", world.b.clock, 1)
    world.b.transfers.accept(ID, "/elsewhere", world.b.clock, 1)
    world.run(lambda: world.pair.both("done"))
    world.check_done("big")
    assert world.b.row().path == "/elsewhere/big"


def test_an_unverified_peer_fills_at_most_a_gibibyte_unasked(world: World) -> None:
    def arrive(number: int, size: int, *, verified: bool = False) -> str:
        transfer_id = bytes([number]) * 16
        body = encode_offer(Offer([OfferedFile(["x"], size)]))
        world.b.transfers.handle_peer_offer(
            message(transfer_id, number, False, body),
            PEER,
            auto_accept_bytes=400 * MIB,
            verified=verified,
            now=world.b.clock,
            wall_ms=1,
        )
        world.b.move()
        return world.b.state(transfer_id)

    assert arrive(1, 400 * MIB) == "waiting"
    assert arrive(2, 400 * MIB) == "waiting"
    assert arrive(3, 400 * MIB) == "offered"
    assert arrive(4, 224 * MIB) == "waiting"
    assert arrive(5, 1) == "offered"
    assert arrive(6, 400 * MIB, verified=True) == "waiting"
    world.b.restart()
    assert arrive(7, 1) == "offered"


def test_reject_tells_the_other_side(world: World) -> None:
    world.offer("big", auto=0)
    world.do(world.b, "reject")
    assert world.states() == ("rejected", "rejected")
    assert (world.a.row().by, world.b.row().by) == ("peer", "me")
    world.do(world.b, "reject")
    with pytest.raises(CommandError):
        world.b.transfers.accept(ID, "", world.b.clock, 1)


@pytest.mark.parametrize("canceller", ["a", "b"])
@pytest.mark.parametrize("moment", ["offered", "active"])
def test_cancel_from_either_side_ends_both(world: World, canceller: str, moment: str) -> None:
    world.offer("big", auto=0 if moment == "offered" else MIB)
    if moment == "active":
        world.run(lambda: world.states() == ("active", "active"))
        world.net.step(world.random)
        world.settle()
    side = world.a if canceller == "a" else world.b
    world.do(side, "cancel")
    world.do(side, "cancel")
    assert world.states() == ("cancelled", "cancelled")
    assert side.row().by == "me"
    assert world.net.connections == []
    assert world.b.process.partials == {}


@pytest.mark.parametrize("pauser", ["a", "b"])
def test_pause_stops_the_bytes_and_resume_goes_on_from_there(world: World, pauser: str) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes >= 3000)
    side, other = (world.a, world.b) if pauser == "a" else (world.b, world.a)
    world.do(side, "pause")
    assert world.states() == ("paused", "paused")
    assert (side.row().by, other.row().by) == ("me", "peer")
    assert world.net.connections == []
    reached = world.b.row().done_bytes
    world.advance(3600)
    assert world.net.connections == []
    world.do(other, "resume")
    assert world.states() == ("paused", "paused")
    world.do(side, "resume")
    world.run(lambda: world.states() == ("active", "active"))
    assert world.net.connections[0].receive.offset == reached >= 3000
    world.run(lambda: world.pair.both("done"))
    world.check_done("big")


def test_both_paused_needs_both_to_resume(world: World) -> None:
    world.offer("big")
    world.do(world.a, "pause")
    world.do(world.b, "pause")
    world.do(world.a, "resume")
    assert world.states() == ("paused", "paused")
    world.do(world.b, "resume")
    world.run(lambda: world.pair.both("done"))


def test_an_unreachable_receiver_is_dialled_back(world: World) -> None:
    world.b.process.reachable = False
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    world.check_done("a.txt")


def test_a_receiver_without_a_port_asks_the_sender_to_listen(world: World) -> None:
    world.b.process.reachable = False
    world.b.process.port = 0
    world.b.restart_process()
    world.settle()
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    world.check_done("a.txt")


def test_nobody_reachable_says_why_and_heals(world: World) -> None:
    world.a.process.reachable = world.b.process.reachable = False
    world.offer("a.txt")
    world.run(lambda: "open the port" in world.b.row().reason)
    assert world.states() == ("waiting", "waiting")
    world.a.process.reachable = True
    world.run(lambda: world.pair.both("done"), turns=5000)
    world.check_done("a.txt")
    assert world.a.row().reason == world.b.row().reason == ""


def test_tries_are_spaced_out(world: World) -> None:
    world.a.process.reachable = world.b.process.reachable = False
    world.offer("a.txt")
    for _ in range(600):
        world.advance(1)
    assert 8 < len(world.net.tokens) < 40
    assert len(set(world.net.tokens)) == len(world.net.tokens)


def test_a_listener_that_was_never_told_is_replaced_on_the_next_link(world: World) -> None:
    world.pair.link(False)
    world.offer("a.txt")
    assert world.states() == ("offered", "waiting")
    world.pair.link(True)
    world.b.move()  # says that it listens ...
    world.pair.link(True)  # ... on a link that is gone
    world.run(lambda: world.pair.both("done"), turns=40)


def test_a_link_that_drops_and_a_connection_that_breaks_resume(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes >= 2000)
    world.pair.link(False)
    world.net.cut(world.net.connections[0])
    world.advance(120)
    assert world.states() == ("waiting", "waiting")
    world.pair.link(True)
    world.run(lambda: bool(world.net.connections))
    assert world.net.connections[0].receive.offset >= 2000
    world.run(lambda: world.pair.both("done"))
    world.check_done("big")


def test_bytes_go_on_while_only_the_link_is_down(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    world.pair.link(False)
    world.run(lambda: world.b.state() == "done")
    assert world.a.state() == "verifying"
    world.pair.link(True)
    world.run(lambda: world.pair.both("done"))


def test_a_lost_goodbye_is_said_again(world: World) -> None:
    world.offer("big", auto=0)
    world.pair.link(False)
    world.do(world.a, "cancel")
    assert world.states() == ("cancelled", "offered")
    world.pair.link(True)
    world.settle()
    assert world.states() == ("cancelled", "cancelled")


def test_done_is_repeated_to_a_sender_that_missed_it(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    world.pair.link(False)
    world.run(lambda: world.b.state() == "done")
    world.a.restart()
    world.b.restart()
    world.settle()
    world.pair.link(True)
    world.settle()
    assert world.states() == ("done", "done")


def test_a_final_name_is_durable_before_the_file_has_it(world: World) -> None:
    world.offer("a.txt")
    placed: list[bytes] = []
    handle = world.b.process.handle

    def watch(request: pw.Request) -> None:
        if isinstance(request, pw.Place):
            placed.append(world.b.store[request.id].detail)
            assert request.path[-1].encode() in world.b.store[request.id].detail
        handle(request)

    world.b.process.handle = watch  # type: ignore[method-assign]
    world.run(lambda: world.pair.both("done"))
    assert len(placed) == 1


def test_a_crash_after_placing_does_not_make_a_second_file(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    while world.net.connections:
        world.net.step(world.random)
    while not world.b.process.disk:
        world.b.move()
    world.b.restart()  # what the process said about placing is lost
    world.settle()
    world.pair.link(True)
    world.run(lambda: world.pair.both("done"))
    world.check_done("a.txt")


def test_a_taken_name_is_numbered_and_committed_again(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    while world.net.connections:
        world.net.step(world.random)
    world.b.process.disk["a.txt"] = (1, b"somebody else's")
    world.run(lambda: world.pair.both("done"))
    assert world.b.process.disk["a.txt"][1] == b"somebody else's"
    assert world.b.process.disk["a (1).txt"][1] == SOURCES["a.txt"]
    assert world.b.row().path == "/inbox/a (1).txt"


def test_a_full_disk_waits_with_a_sentence_and_goes_on(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes >= 1000)
    one = world.net.connections[0]
    world.net.connections.remove(one)
    world.b.process.report(pw.Ended(one.receive.job, pw.Outcome.FULL, "The disk is full."))
    one.sender.report(pw.Ended(one.send.job, pw.Outcome.LOST))
    world.settle()
    assert (world.b.state(), world.b.row().reason) == ("waiting", "The disk is full.")
    world.advance(5)
    assert world.net.connections == []
    world.do(world.b, "resume")
    world.run(lambda: world.pair.both("done"))
    world.check_done("big")
    assert world.b.row().reason == ""


def test_a_name_that_cannot_be_given_is_tried_again(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    while world.net.connections:
        world.net.step(world.random)
    handle = world.b.process.handle
    refused = pw.NotPlaced(ID, 0, [], "The folder cannot be written.")
    world.b.process.handle = lambda request: world.b.process.report(refused)  # type: ignore
    world.advance(1)
    assert world.b.state() == "verifying"
    assert world.b.row().reason == "The folder cannot be written."
    world.b.process.handle = handle  # type: ignore[method-assign]
    world.advance(31)
    assert world.states() == ("done", "done")


def end_job(world: World, outcome: pw.Outcome, at_sender: bool, sentence: str = "") -> None:
    one = world.net.connections.pop()
    one.sender.report(pw.Ended(one.send.job, outcome if at_sender else pw.Outcome.LOST, sentence))
    one.receiver.report(
        pw.Ended(one.receive.job, pw.Outcome.LOST if at_sender else outcome, sentence)
    )
    world.settle()


def test_a_source_that_vanished_fails_both(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    end_job(world, pw.Outcome.SOURCE, True, "/home/a/big cannot be read: no such file.")
    assert world.states() == ("failed", "failed")
    assert world.a.row().reason == "/home/a/big cannot be read: no such file."
    assert "no longer read" in world.b.row().reason
    assert "/home" not in world.b.row().reason


def test_a_target_that_refuses_fails_both(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.states() == ("active", "active"))
    end_job(world, pw.Outcome.TARGET, False, "/inbox cannot be written: read-only.")
    assert world.states() == ("failed", "failed")
    assert world.b.row().reason == "/inbox cannot be written: read-only."
    assert "could not store" in world.a.row().reason


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
    assert "not what was sent" in world.b.row().reason


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
    for number in range(owner.MAX_RECEIVING_JOBS + 2):
        world.offer("big", transfer_id=bytes([number]) * 16)
    assert len(world.net.connections) == owner.MAX_RECEIVING_JOBS
    waiting = [row for row in world.b.history if row.reason]
    assert {row.reason for row in waiting} == {"Waiting for other files to finish."}
    states = [f"{bytes([number]) * 16}" for number in range(owner.MAX_RECEIVING_JOBS + 2)]
    world.run(
        lambda: all(world.pair.both("done", bytes([number]) * 16) for number in range(len(states))),
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
    assert "too many" in world.a.row(ids[3]).reason


def test_ended_transfers_are_forgotten_oldest_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, "MAX_VIEW_TRANSFERS", 3)
    ids = [bytes([number]) * 16 for number in range(5)]
    for one in ids:
        world.offer("empty", transfer_id=one)
        world.run(lambda one=one: world.pair.both("done", one))  # type: ignore[misc]
    with pytest.raises(CommandError) as info:
        world.b.transfers.cancel(ids[1], world.b.clock, 1)
    assert info.value.code is ErrorCode.UNKNOWN_TRANSFER
    world.b.transfers.cancel(ids[2], world.b.clock, 1)
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
        world.a.transfers.accept(ID, "", now, 1)
    assert info.value.code is ErrorCode.NOT_ALLOWED
    with pytest.raises(CommandError) as info:
        world.a.transfers.reject(ID, now, 1)
    assert info.value.code is ErrorCode.NOT_ALLOWED
    world.b.transfers.accept(ID, "", now, 1)
    with pytest.raises(CommandError):
        world.b.transfers.reject(ID, now, 1)
    world.run(lambda: world.pair.both("done"))
    world.do(world.b, "cancel")
    assert world.states() == ("done", "done")
    for command in ("pause", "resume"):
        with pytest.raises(CommandError):
            world.do(world.b, command)
    with pytest.raises(CommandError) as info:
        world.b.transfers.pause(b"?" * 16, now, 1)
    assert info.value.code is ErrorCode.UNKNOWN_TRANSFER


def test_a_peer_that_breaks_the_rules_is_told_so(world: World) -> None:
    world.offer("big", auto=0)
    a, b, now = world.a.transfers, world.b.transfers, world.a.clock
    for control in (ct.Accept(ID), ct.DialBack(ID), ct.Done(ID)):
        with pytest.raises(RemoteProtocolError):
            b.handle_control(PEER, ct.encode_control(control), now, 1)
    with pytest.raises(RemoteProtocolError):
        a.handle_control(PEER, ct.encode_control(ct.Unreachable(ID)), now, 1)
    with pytest.raises(DecodeError):
        a.handle_control(PEER, b"\xc1", now, 1)
    assert world.states() == ("offered", "offered")


def test_another_peer_cannot_touch_a_transfer(world: World) -> None:
    world.offer("big", auto=0)
    end = ct.encode_control(ct.End(ID, ct.EndCode.CANCELLED))
    world.a.transfers.handle_control(PEER + 1, end, world.a.clock, 1)
    world.settle()
    assert world.states() == ("offered", "offered")


def test_an_offer_that_the_sender_has_forgotten_fails(world: World) -> None:
    body = encode_offer(Offer([OfferedFile(["x"], 5)]))
    world.b.transfers.handle_peer_offer(
        message(ID, 1, False, body),
        PEER,
        auto_accept_bytes=MIB,
        verified=False,
        now=world.b.clock,
        wall_ms=1,
    )
    world.settle()
    assert world.b.state() == "failed"
    assert "no longer knows" in world.b.row().reason


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
        world.a.transfers.handle_control(PEER, listen, world.a.clock, 1)
        world.a.clock += 0.001
        world.a.move()
    assert started < 15


def test_offers_wait_for_the_file_process_and_survive_its_death(world: World) -> None:
    world.a.restart()
    transfers, now = world.a.transfers, world.a.clock
    transfers.offer(ID, PEER, ["/home/a/big"], now, 1)
    assert transfers.take_process_frames() == []
    world.settle()
    (ready,) = world.a.offers
    assert isinstance(ready, ReadyOffer)
    transfers.offer(ID, PEER, ["/home/a/big"], now, 1)
    world.settle()
    assert world.a.offers == [ready, ready]
    world.a.offers.pop()
    world.pair.deliver_offer()
    transfers.offer(ID, PEER, ["/home/a/big"], now, 1)
    world.settle()
    assert world.a.offers == [ready]


def test_an_offer_that_nobody_lists_fails_in_time(world: World) -> None:
    world.a.transfers.handle_process_restarted(world.a.clock, 1)
    world.a.transfers.offer(ID, PEER, ["/home/a/big"], world.a.clock, 1)
    due = world.a.transfers.next_timeout()
    assert due is not None
    world.advance(due - world.a.clock)
    (failed,) = world.a.offers
    assert isinstance(failed, FailedOffer)
    assert (failed.transfer_id, failed.code) == (ID, ErrorCode.FILE)


def test_suite_follows_the_weaker_side(world: World) -> None:
    world.b.transfers.handle_link(
        PEER, True, [("127.0.0.1", 1)], fast_aes=False, now=world.b.clock, wall_ms=1
    )
    world.offer("a.txt")
    assert world.net.connections[0].send.connect.suite == ct.Suite.CHACHA


def test_a_stored_transfer_that_makes_no_sense_is_left_out(world: World) -> None:
    world.offer("big", auto=0)
    stored = world.b.store[ID]
    world.b.store[ID] = type(stored)(stored.row, b"\xc1")
    world.b.restart()
    assert world.b.transfers.unreadable == [ID]
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
            random.choice([world.a, world.b, world.pair]).move()
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
