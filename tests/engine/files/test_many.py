"""Offers with a listing, as the engine sees them: a few numbers, and one more file to receive."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.offering import LIST_WITHIN_S, NOT_LISTED, FailedOffer
from chatnet_engine.files.phases import Act
from fake_files import SOURCES, World
from file_pair import ID, PEER


@pytest.fixture
def world() -> World:
    world = World()
    world.a.process.folders = {"many": ["a.txt", "b.txt"]}
    world.a.process.many = {"many"}
    world.pair.link(True)
    world.settle()
    return world


def test_it_arrives_like_any_other_and_its_listing_counts_for_nothing(world: World) -> None:
    world.offer("many")
    for row in (world.a.row(), world.b.row()):
        assert (row.name, row.files, row.size_bytes) == ("many", 2, 3500)
    world.run(lambda: world.pair.both("done"))
    assert world.b.process.disk["many"][1] == SOURCES["a.txt"] + SOURCES["b.txt"]
    assert world.b.process.partials == {}, "the listing is gone too"
    assert world.a.row().done_bytes == world.b.row().done_bytes == 3500
    assert max(row.done_bytes for row in world.b.history) == 3500


def test_what_the_engine_keeps_of_it_is_small(world: World) -> None:
    world.offer("many")
    for side in (world.a, world.b):
        assert len(side.store[ID].listing) < 300
        assert len(side.store[ID].detail) < 100


@pytest.mark.parametrize("who", ["a", "b"])
def test_a_restart_goes_on_from_where_it_was(world: World, who: str) -> None:
    world.offer("many")
    world.run(lambda: world.b.transfers._all[ID].detail.index == 2)  # noqa: SLF001
    world.advance(2.0)
    {"a": world.a, "b": world.b}[who].restart()
    world.pair.link(True)
    world.run(lambda: world.pair.both("done"))
    assert world.b.process.disk["many"][1] == SOURCES["a.txt"] + SOURCES["b.txt"]


def test_a_long_list_is_waited_for_as_long_as_it_is_being_made(world: World) -> None:
    a = world.a
    a.transfers.offer(ID, PEER, ["/home/a/many"], Now(a.clock, 1))
    a.transfers.take_process_frames()
    for _ in range(5):
        a.clock += LIST_WITHIN_S - 1
        a.transfers.handle_process(pw.encode(pw.Scanning(ID)), Now(a.clock, 1))
        a.transfers.handle_timeout(Now(a.clock, 1))
    assert a.transfers.offering.take() == []
    assert a.transfers.handle_lost_report(pw.encode(pw.Scanning(ID))) == []
    a.transfers.handle_process(pw.encode(pw.Scanning(bytes(16))), Now(a.clock, 1))
    a.clock += LIST_WITHIN_S
    a.transfers.handle_timeout(Now(a.clock, 1))
    [failed] = a.transfers.offering.take()
    assert isinstance(failed, FailedOffer)
    assert failed.sentence == NOT_LISTED


def test_a_source_that_changes_leaves_the_listing_as_it_was(world: World) -> None:
    world.offer("many")
    world.run(lambda: world.a.state() == "active")
    job = world.a.transfers._all[ID].job  # noqa: SLF001
    stored = world.a.store[ID].listing
    world.a.process.report(pw.SourceChanged(job, 1, 8))
    world.run(lambda: world.pair.both("done"))
    assert world.a.store[ID].listing == stored
    offer = world.a.transfers._all[ID].offer  # noqa: SLF001
    assert world.a.process.sent[-1].listing == offer.listing


def test_what_its_own_user_cancels_has_no_use_for_its_listing(world: World) -> None:
    world.offer("many", auto=0)
    world.a.transfers.take_process_frames()
    world.a.transfers.act(ID, Act.CANCEL, Now(world.a.clock, 1))
    asked = [pw.decode_request(frame) for frame in world.a.transfers.take_process_frames()]
    assert asked == [pw.Discard(ID, "")]
