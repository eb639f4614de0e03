"""Two users' transfers against each other, without I/O."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.reasons import TransferReason as Why
from chatnet_protocol.ipc.reasons import reason
from chatnet_protocol.limits import MIB
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
    world.b.transfers.accept(ID, "/elsewhere", Now(world.b.clock, 1))
    world.b.transfers.accept(ID, "/elsewhere", Now(world.b.clock, 1))
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
            key=KEY,
            auto_accept_bytes=400 * MIB,
            verified=verified,
            at=Now(world.b.clock, 1),
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
    assert world.states() == ("rejected", "rejected")


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


def test_two_sides_without_a_port_use_the_link(world: World) -> None:
    for side in (world.a, world.b):
        side.process.port = 0
        side.restart_process()
    world.settle()
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    world.check_done("a.txt")
    assert world.net.tokens == []


def test_a_paused_sender_answers_a_listener_with_its_pause(world: World) -> None:
    world.offer("big", auto=0)
    world.do(world.a, "pause")
    world.b.transfers.handle_control(
        PEER, ct.encode_control(ct.TransferStatus(ID, False)), Now(world.b.clock, 1)
    )  # as if the pause had not been acknowledged
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.settle()
    assert world.states() == ("paused", "paused")
    assert world.net.connections == []
    world.do(world.a, "resume")
    world.run(lambda: world.pair.both("done"))


def test_an_accepted_offer_stays_accepted(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes >= 3000)
    world.b.transfers.accept(ID, "/elsewhere", Now(world.b.clock, 1))
    world.run(lambda: world.pair.both("done"))
    assert world.b.row().path == "/inbox/big"


def test_tries_are_spaced_out(world: World) -> None:
    world.a.process.reachable = world.b.process.reachable = False
    world.offer("a.txt")
    for _ in range(600):
        for job in list(world.a.process.jobs):
            world.a.process.report(pw.Ended(job, pw.Outcome.LOST))
        world.advance(1)
    assert 8 < len(world.a.process.sent) < 40
    tokens = [one.connect.token for one in world.a.process.sent]
    assert len(set(tokens)) == len(tokens)


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
            assert request.name.encode() in world.b.store[request.id].detail
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


def test_a_full_disk_waits_with_a_reason_and_goes_on(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes >= 1000)
    one = world.net.connections[0]
    world.net.connections.remove(one)
    full = reason(Why.DISK_FULL, "/inbox")
    world.b.process.report(pw.Ended(one.receive.job, pw.Outcome.FULL, full))
    one.sender.report(pw.Ended(one.send.job, pw.Outcome.LOST))
    world.settle()
    assert (world.b.state(), world.b.row().reason) == ("waiting", full)
    world.advance(5)
    assert world.net.connections == []
    world.do(world.b, "resume")
    world.run(lambda: world.pair.both("done"))
    world.check_done("big")
    assert world.b.row().reason is None


def test_a_name_that_cannot_be_given_is_tried_again(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    while world.net.connections:
        world.net.step(world.random)
    handle = world.b.process.handle
    why = reason(Why.UNWRITABLE, "/inbox", "busy")
    refused = pw.NotPlaced(ID, 0, "", why)
    world.b.process.handle = lambda request: world.b.process.report(refused)  # type: ignore
    world.advance(1)
    assert world.b.state() == "verifying"
    assert world.b.row().reason == why
    world.b.process.handle = handle  # type: ignore[method-assign]
    world.advance(31)
    assert world.states() == ("done", "done")
