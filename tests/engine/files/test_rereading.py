"""Transfers that are thrown away and read again from the store go on as after a restart."""

import msgspec
import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files.detail import Former, decode_detail, encode_detail
from chatnet_engine.files.transfers import Act, Transfers
from chatnet_engine.store_ops.commit import StoredTransfer
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.limits import MIB
from fake_files import FakeSide, World
from file_pair import ID, PEER, message

OTHER = b"other".rjust(16)


@pytest.fixture
def world() -> World:
    world = World()
    world.settle()
    world.pair.link(True)
    world.settle()
    return world


def read_again(side: FakeSide, ids: list[bytes]) -> None:
    side.move()
    side.transfers.throw_away(ids)
    found = [side.store[one] for one in ids if one in side.store]
    side.transfers.handle_loaded(ids, found, Now(side.clock, 1))


def test_those_of_a_peer_are_all_and_else_those_that_go_on(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.pair.both("done"))
    world.offer("big", transfer_id=OTHER, auto=0)
    for side in (world.a, world.b):
        assert side.transfers.ids_of() == [OTHER]
        assert side.transfers.ids_of(PEER) == [ID, OTHER]
        assert side.transfers.ids_of(PEER + 1) == []
        assert side.transfers.peer_of(OTHER) == PEER


def test_what_is_thrown_away_is_gone_until_it_is_loaded(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes >= 3000)
    world.b.move()
    world.b.transfers.throw_away([ID, OTHER])
    world.settle()
    assert world.b.transfers.peer_of(ID) == 0
    assert world.b.transfers.ids_of(PEER) == []
    assert world.net.connections == [], "its job was stopped"
    with pytest.raises(CommandError) as info:
        world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    assert info.value.code is ErrorCode.UNKNOWN_TRANSFER
    world.b.transfers.handle_loaded([ID], [world.b.store[ID]], Now(world.b.clock, 1))
    assert world.b.transfers.peer_of(ID) == PEER
    world.run(lambda: world.pair.both("done"), turns=2000)
    world.check_done("big")


@pytest.mark.parametrize("name", ["a", "b"])
@pytest.mark.parametrize("state", ["offered", "waiting", "active", "paused"])
def test_a_transfer_in_any_state_goes_on(world: World, name: str, state: str) -> None:
    side: FakeSide = getattr(world, name)
    world.offer("big", auto=0 if state == "offered" else MIB)
    if state != "offered":
        world.run(lambda: world.states() == ("active", "active"))
    if state == "waiting":
        world.pair.link(False)
        world.net.cut(world.net.connections[0])
        world.settle()
    elif state == "paused":
        world.do(side, "pause")
    assert side.state() == state
    read_again(side, [ID])
    world.settle()
    if state == "offered":
        assert world.states() == ("offered", "offered")
        world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    elif state == "waiting":
        world.pair.link(True)
    elif state == "paused":
        assert world.states() == ("paused", "paused")
        world.do(side, "resume")
    world.run(lambda: world.pair.both("done"), turns=2000)
    world.check_done("big")


def test_files_that_were_complete_get_their_names(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: world.states() == ("active", "active"))
    while world.net.connections:
        world.net.step(world.random)
    handle = world.b.process.handle
    world.b.process.handle = lambda request: None  # type: ignore[method-assign]
    world.settle()
    assert world.b.state() == "verifying"
    world.b.process.handle = handle  # type: ignore[method-assign]
    read_again(world.b, [ID])
    world.run(lambda: world.pair.both("done"))
    world.check_done("a.txt")


def test_an_offer_that_is_not_delivered_waits_as_before(world: World) -> None:
    transfers: Transfers = world.a.transfers
    transfers.offer(ID, PEER, ["/home/a/a.txt"], Now(world.a.clock, 1))
    world.settle()
    offer = world.a.offers.pop(0)
    body = getattr(offer, "body", b"")
    row = message(ID, 1, True, body)
    assert transfers.handle_own_offer(row, PEER, Now(world.a.clock, 1)) is not None
    assert transfers.handle_own_offer(row, PEER, Now(world.a.clock, 1)) is None
    read_again(world.a, [ID])
    assert transfers.ids_of() == [ID]
    world.pair.receive_offer(body)
    transfers.handle_delivered(PEER, 1, Now(world.a.clock, 1))
    world.run(lambda: world.pair.both("done"))
    world.check_done("a.txt")


def test_an_offer_that_is_committed_twice_is_one(world: World) -> None:
    world.offer("a.txt", auto=0)
    known = world.b.history[-1]
    stored = len(world.b.history)
    world.pair.receive_offer(b"not even decoded")
    world.settle()
    assert world.b.history[stored:] == []
    assert world.b.row() == known


def test_an_id_is_of_one_offer(world: World) -> None:
    transfers, now = world.a.transfers, world.a.clock
    transfers.offer(ID, PEER, ["/home/a/a.txt"], Now(now, 1))
    for peer, path in ((PEER, "/home/a/b.txt"), (PEER + 1, "/home/a/a.txt")):
        with pytest.raises(CommandError) as info:
            transfers.offer(ID, peer, [path], Now(now, 1))
        assert info.value.code is ErrorCode.INVALID
    transfers.offer(ID, PEER, ["/home/a/a.txt"], Now(now, 1))
    world.settle()
    assert len(world.a.offers) == 1


def test_a_change_stores_how_far_it_is_and_not_the_files_again(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes >= 3000)
    for side in (world.a, world.b):
        side.move()
        side.transfers.act(ID, Act.PAUSE, Now(side.clock, 1))
        [op] = side.transfers.take_stores()
        assert op.listing == b""
        assert len(op.detail) < 100


@pytest.mark.parametrize("name", ["a", "b"])
def test_one_that_schema_version_2_stored_goes_on_and_is_stored_in_the_new_way(
    world: World, name: str
) -> None:
    side: FakeSide = getattr(world, name)
    world.offer("big", auto=0)
    now = side.store[ID]
    detail, listing = decode_detail(now.detail, now.listing)
    fields = msgspec.structs.asdict(detail) | msgspec.structs.asdict(listing)
    known = Former.__struct_fields__
    former = msgspec.msgpack.encode(Former(**{one: fields[one] for one in known if one in fields}))
    side.store[ID] = StoredTransfer(now.row, former)
    side.restart()
    world.pair.link(True)
    world.settle()
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.run(lambda: world.pair.both("done"), turns=2000)
    world.check_done("big")
    assert decode_detail(side.store[ID].detail, side.store[ID].listing)[1] == listing
    assert encode_detail(detail) != side.store[ID].detail
