"""Every transfer ends, and both sides say in the same way: crossings, lost histories, once more."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files.detail import decode_detail
from chatnet_engine.files.outputs import STATEMENT_INTERVAL_S, STATEMENTS_AT_ONCE
from chatnet_engine.files.restored import restored_transfer
from chatnet_engine.store_ops.commit import StoredTransfer
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.ipc.reasons import TransferReason as Why
from chatnet_protocol.ipc.reasons import reason
from chatnet_protocol.ipc.rows import BY_RESTORED
from chatnet_protocol.limits import MAX_VIEW_TRANSFERS
from chatnet_protocol.wire import control as ct
from fake_files import SOURCES, FakeSide, World
from file_pair import ID, PEER, message


@pytest.fixture
def world() -> World:
    world = World()
    world.settle()
    world.pair.link(True)
    world.settle()
    return world


def relink(world: World) -> None:
    world.pair.link(False)
    world.pair.link(True)
    world.settle()


def wipe(world: World, side: FakeSide) -> None:
    side.store.clear()
    side.restart()
    relink(world)


def roll_back(world: World, side: FakeSide, store: dict[bytes, StoredTransfer]) -> None:
    side.store = dict(store)
    side.restart()
    relink(world)


def hear(world: World, side: FakeSide, control: ct.Control) -> list[ct.Control]:
    """What a side answers to one message."""
    side.transfers.handle_control(PEER, ct.encode_control(control), Now(side.clock, 1))
    side.move()
    said, side.said = side.said, []
    return [ct.decode_control(body) for body in said]


# --- a lost history ---


@pytest.mark.parametrize("state", ["offered", "active", "paused"])
def test_a_receiver_that_lost_its_history_ends_the_senders_transfer(
    world: World, state: str
) -> None:
    world.offer("big", auto=0 if state == "offered" else 1 << 20)
    if state != "offered":
        world.run(lambda: world.states() == ("active", "active"))
    if state == "paused":
        world.do(world.a, "pause")
    wipe(world, world.b)
    assert world.states() == ("failed", "")
    assert world.a.row().reason == reason(Why.PEER_UNKNOWN)


@pytest.mark.parametrize("state", ["offered", "active"])
def test_a_sender_that_lost_its_history_ends_the_receivers_transfer(
    world: World, state: str
) -> None:
    world.offer("big", auto=0 if state == "offered" else 1 << 20)
    if state == "active":
        world.run(lambda: world.states() == ("active", "active"))
    wipe(world, world.a)
    assert world.states() == ("", "failed")
    assert world.b.row().reason == reason(Why.PEER_UNKNOWN)


def test_an_offer_that_is_still_on_its_way_is_not_taken_for_lost(world: World) -> None:
    world.a.transfers.offer(ID, PEER, ["/home/a/big"], Now(world.a.clock, 1))
    world.settle()
    offer = world.a.offers.pop()
    body = offer.body  # type: ignore[union-attr]
    row = message(ID, 1, True, body)
    world.a.transfers.handle_own_offer(row, PEER, Now(world.a.clock, 1))
    world.do(world.a, "pause")
    world.do(world.a, "resume")
    relink(world)
    assert world.states() == ("offered", "")
    stored = world.a.store[ID]
    world.a.store[ID] = StoredTransfer(world.a.row(), stored.detail, 1, stored.listing)
    world.a.restart()
    relink(world)
    assert world.states() == ("offered", "")
    world.pair.receive_offer(body)
    world.a.transfers.handle_delivered(PEER + 1, 9, Now(world.a.clock, 1))
    world.a.transfers.handle_delivered(PEER, 1, Now(world.a.clock, 1))
    world.run(lambda: world.pair.both("done"))


def test_a_merged_peers_offer_waits_under_its_new_number(world: World) -> None:
    world.a.transfers.offer(ID, PEER, ["/home/a/big"], Now(world.a.clock, 1))
    world.settle()
    row = message(ID, 1, True, world.a.offers.pop().body)  # type: ignore[union-attr]
    a, now = world.a.transfers, world.a.clock
    a.handle_own_offer(row, PEER, Now(now, 1))
    a.handle_peer_forgotten(PEER, 2, 10, Now(now, 1))
    a.handle_link(2, True, [("h", 1)], incarnation=1, fast_aes=True, at=Now(now, 1))
    world.a.move()
    world.a.said.clear()
    a.handle_delivered(2, 10, Now(now, 1))
    assert a.take_controls() == []
    a.handle_delivered(2, 11, Now(now, 1))
    assert a.take_controls() == [(2, ct.encode_control(ct.TransferStatus(ID, False)))]


def test_a_receiver_rolled_back_gets_what_it_had_once_more(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.b.state() == "active")
    before = dict(world.b.store)
    world.run(lambda: world.pair.both("done"))
    roll_back(world, world.b, before)
    world.run(lambda: world.pair.both("done"))
    assert sorted(world.b.process.disk) == ["a (1).txt", "a.txt"]


def test_an_offer_rolled_back_may_still_be_accepted(world: World) -> None:
    world.offer("a.txt", auto=0)
    before = dict(world.b.store)
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.run(lambda: world.pair.both("done"))
    roll_back(world, world.b, before)
    assert world.states() == ("done", "offered")
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.run(lambda: world.pair.both("done"))


@pytest.mark.parametrize("end", ["cancel", "reject"])
@pytest.mark.parametrize("forgetful", ["a", "b"])
def test_a_side_rolled_back_is_told_how_it_ended(world: World, end: str, forgetful: str) -> None:
    world.offer("big", auto=0)
    side = world.a if forgetful == "a" else world.b
    before = dict(side.store)
    world.do(world.b, end)
    ended = world.states()
    roll_back(world, side, before)
    assert world.states() == ended
    assert ended[0] == ended[1] != "offered"


def test_a_receiver_that_failed_says_so_to_a_sender_rolled_back(world: World) -> None:
    world.offer("big", auto=0)
    before = dict(world.a.store)
    wipe(world, world.a)
    assert world.states() == ("", "failed")
    roll_back(world, world.a, before)
    assert world.states() == ("failed", "failed")
    assert world.a.row().reason == reason(Why.UNKNOWN_HERE)


def test_two_endings_of_different_times_become_the_receivers(world: World) -> None:
    world.offer("a.txt")
    world.do(world.b, "cancel")
    before = dict(world.a.store)
    assert world.states() == ("cancelled", "cancelled")
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.run(lambda: world.pair.both("done"))
    roll_back(world, world.a, before)
    assert world.states() == ("done", "done")
    assert world.a.row().done_bytes == len(SOURCES["a.txt"])


def test_what_left_the_memory_is_looked_up_when_the_other_side_speaks_of_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnet_engine.files.table.MAX_VIEW_TRANSFERS", 1)
    world.offer("big")
    world.run(lambda: world.a.state() == "active")
    before = dict(world.a.store)
    world.run(lambda: world.pair.both("done"))
    for number in (1, 2, 3):
        world.offer("empty", transfer_id=bytes([number]) * 16)
        world.run(lambda n=number: world.pair.both("done", bytes([n]) * 16))  # type: ignore[misc]
    assert world.b.transfers.peer_of(ID) == 0
    roll_back(world, world.a, {ID: before[ID]})
    assert world.states() == ("done", "done")
    assert MAX_VIEW_TRANSFERS > 1


# --- crossings ---


def test_a_cancel_that_crosses_done_has_become_done(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    world.pair.link(False)
    world.run(lambda: world.b.state() == "done")
    world.do(world.a, "cancel")
    assert world.states() == ("cancelled", "done")
    world.pair.link(True)
    world.settle()
    assert world.states() == ("done", "done")
    assert world.a.row().by == ""


@pytest.mark.parametrize("own", ["cancel", "reject"])
def test_the_receivers_word_holds_where_both_ended_it(world: World, own: str) -> None:
    world.offer("big", auto=0)
    world.pair.link(False)
    world.do(world.a, "cancel")
    world.do(world.b, own)
    world.pair.link(True)
    world.settle()
    assert world.a.state() == world.b.state() == {"cancel": "cancelled", "reject": "rejected"}[own]


def test_an_ending_is_said_until_it_is_received_and_then_no_more(world: World) -> None:
    world.offer("big", auto=0)
    world.pair.link(False)
    world.do(world.b, "reject")
    end = ct.End(ID, ct.EndCode.REJECTED)
    for _ in range(2):
        world.b.link(True)
        world.b.move()
        assert [ct.decode_control(body) for body in world.b.said] == [end]
        world.b.said.clear()
    relink(world)
    assert world.states() == ("rejected", "rejected")
    world.b.clock += STATEMENTS_AT_ONCE * STATEMENT_INTERVAL_S
    world.b.link(True)
    world.b.move()
    assert world.b.said == []
    world.b.peer_incarnation += 1
    world.b.clock += 2.0
    world.b.link(True)
    world.b.move()
    assert [ct.decode_control(body) for body in world.b.said] == [end]


def test_how_it_ended_for_want_of_the_senders_history_is_sent_to_another_engine(
    world: World,
) -> None:
    world.offer("big", auto=0)
    wipe(world, world.a)
    assert world.b.row().reason == reason(Why.PEER_UNKNOWN)
    world.b.peer_incarnation += 1
    world.b.clock += STATEMENTS_AT_ONCE * STATEMENT_INTERVAL_S
    world.b.link(True)
    end = ct.encode_control(ct.End(ID, ct.EndCode.LOST))
    assert world.b.transfers.take_controls() == [(PEER, end)]


def test_what_is_said_of_transfers_without_a_record(world: World) -> None:
    unknown, acknowledged = (
        ct.End(ID, code) for code in (ct.EndCode.UNKNOWN, ct.EndCode.ACKNOWLEDGED)
    )
    for side in (world.a, world.b):
        for said in (ct.Accept(ID), ct.TransferStatus(ID, False)):
            assert hear(world, side, said) == [unknown]
        for over in (ct.Done(ID), ct.End(ID, ct.EndCode.REJECTED), ct.End(ID, 99)):
            assert hear(world, side, over) == [acknowledged]
        for nothing in (unknown, acknowledged, ct.DialBack(ID), ct.Unreachable(ID)):
            assert hear(world, side, nothing) == []


def test_an_answer_to_an_ending_ends_nothing(world: World) -> None:
    world.offer("big", auto=0)
    for side in (world.a, world.b):
        assert hear(world, side, ct.End(ID, ct.EndCode.ACKNOWLEDGED)) == []
    assert world.states() == ("offered", "offered")
    world.do(world.a, "cancel")  # of which a receiver may be told before it has the offer
    assert hear(world, world.a, ct.End(ID, ct.EndCode.ACKNOWLEDGED)) == []
    assert world.states()[0] == "cancelled"


def test_done_is_not_said_before_it_is_stored(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    while world.net.connections:
        world.net.step(world.random)
    b = world.b
    take_stores = b.transfers.take_stores
    b.transfers.take_stores = lambda: [] if b.process.disk else take_stores()  # type: ignore
    while not b.process.disk:
        b.move()
    b.said.clear()
    assert hear(world, b, ct.TransferStatus(ID, False)) == []
    b.transfers.take_stores = take_stores  # type: ignore[method-assign]
    b.move()
    assert [ct.decode_control(body) for body in b.said] == [ct.Done(ID)]


# --- fetched again ---


def test_files_that_arrived_are_fetched_again_under_new_names(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    world.b.transfers.accept(ID, "/elsewhere", Now(world.b.clock, 1))
    world.b.move()
    assert (world.b.state(), world.b.row().done_bytes) == ("waiting", 0)
    world.run(lambda: world.pair.both("done"))
    assert world.b.row().path == "/elsewhere/a (1).txt"
    assert [data for _, data in world.b.process.disk.values()] == [SOURCES["a.txt"]] * 2
    assert [one.unchanged for one in world.a.process.sent] == [False, True]


@pytest.mark.parametrize("end", ["cancel", "reject"])
def test_what_the_receiver_refused_it_may_still_take(world: World, end: str) -> None:
    world.offer("big", auto=0)
    world.do(world.b, end)
    world.a.restart()
    world.b.restart()
    relink(world)
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.run(lambda: world.pair.both("done"))
    world.check_done("big")


def test_a_wish_to_fetch_again_survives_a_link_that_is_down(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    world.pair.link(False)
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.settle()
    world.a.restart()
    world.b.restart()
    assert world.states() == ("done", "waiting")
    world.settle()
    world.pair.link(True)
    world.run(lambda: world.pair.both("done"))


def test_what_the_sender_cancelled_is_not_fetched(world: World) -> None:
    world.offer("big", auto=0)
    world.do(world.a, "cancel")
    with pytest.raises(CommandError) as info:
        world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    assert info.value.code is ErrorCode.NOT_ALLOWED
    assert hear(world, world.a, ct.Accept(ID)) == [ct.End(ID, ct.EndCode.CANCELLED)]
    assert world.a.state() == "cancelled"


def test_only_the_peer_of_the_offer_fetches_it(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    a = world.a.transfers
    a.handle_link(9, True, [("h", 1)], incarnation=1, fast_aes=True, at=Now(world.a.clock, 1))
    a.handle_control(9, ct.encode_control(ct.Accept(ID)), Now(world.a.clock, 1))
    assert a.take_controls() == [(9, ct.encode_control(ct.End(ID, ct.EndCode.UNKNOWN)))]
    assert world.a.state() == "done"


def test_a_cancel_on_the_way_to_being_fetched_again_ends_both(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.pair.both("done"))
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.run(lambda: world.states() == ("active", "active"))
    world.do(world.a, "cancel")
    assert world.states() == ("cancelled", "cancelled")
    assert len(world.b.process.disk) == 1


# --- records that came back ---


def restored(world: World, mine: bool, side: FakeSide) -> None:
    body = encode_offer(Offer([OfferedFile(["a.txt"], len(SOURCES["a.txt"]))]))
    op = restored_transfer(message(ID, 5, mine, body), PEER, 7)
    side.store[ID] = StoredTransfer(op.row, op.detail, listing=op.listing)
    side.listings[ID] = op.listing


def test_a_record_that_came_back_is_fetched_by_accepting_it(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    wipe(world, world.b)
    world.b.process.disk.clear()
    restored(world, False, world.b)
    row = world.b.row()
    assert (row.state, row.by, row.no, row.name, row.files) == (
        "failed",
        BY_RESTORED,
        5,
        "a.txt",
        1,
    )
    relink(world)
    world.b.restart()
    relink(world)
    assert world.states() == ("done", "failed")
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.run(lambda: world.pair.both("done"))
    world.check_done("a.txt")


def test_a_record_that_came_back_to_the_sender_has_no_files(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    wipe(world, world.a)
    restored(world, True, world.a)
    world.a.restart()
    relink(world)
    assert world.states() == ("done", "done")
    stored = world.a.store[ID]
    _, listing = decode_detail(stored.detail, stored.listing)
    assert not listing.files
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.settle()
    assert world.b.state() == "failed"
    assert world.b.row().reason == reason(Why.PEER_NOT_READ)
    relink(world)
    assert world.states() == ("failed", "failed")


def test_a_record_that_came_back_ends_what_a_sender_rolled_back_still_holds_open(
    world: World,
) -> None:
    world.offer("a.txt", auto=0)
    restored(world, False, world.b)
    world.b.restart()
    relink(world)
    assert world.states() == ("failed", "failed")
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.run(lambda: world.pair.both("done"))
