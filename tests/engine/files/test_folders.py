"""Offers of folders, from the listing to the name: rows, what is left out, new names."""

import msgspec
import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.detail import (
    Detail,
    Former,
    Listing,
    decode_detail,
    decode_progress,
)
from chatnet_engine.files.facts import done_for_peer, facts_of, with_renamed, without_renamed
from chatnet_engine.files.names import safe_name
from chatnet_engine.files.outputs import Outputs
from chatnet_engine.files.placing import Placing
from chatnet_protocol.ipc.offer import LeftOut, Offer, OfferedFile, OfferedFolder
from chatnet_protocol.ipc.rows import Differences, Renamed, TransferKind
from chatnet_protocol.limits import MAX_LEFT_OUT_NAMED
from chatnet_protocol.wire import control as ct
from chatnet_protocol.wire.control import MAX_RENAMED_BYTES, decode_control, encode_control
from fake_files import SOURCES, World
from file_pair import ID


@pytest.fixture
def world() -> World:
    world = World()
    world.a.process.folders = {"proj": ["a.txt", "b.txt"], "nothing": []}
    world.pair.link(True)
    world.settle()
    return world


def test_a_folder_has_its_own_name_and_one_commit_when_it_is_complete(world: World) -> None:
    world.offer("proj")
    rows = (world.a.row(), world.b.row())
    assert {(row.name, row.kind, row.things, row.files) for row in rows} == {
        ("proj", TransferKind.FOLDER, 1, 2)
    }
    world.run(lambda: world.pair.both("done"))
    assert world.b.row().path == "/inbox/proj"
    assert world.b.process.disk["proj"][1] == SOURCES["a.txt"] + SOURCES["b.txt"]
    named = [row for row in world.b.history if row.state == "verifying"]
    assert len(named) <= 2


def test_a_taken_name_numbers_the_folder_and_both_sides_are_told(world: World) -> None:
    world.b.process.disk["proj"] = (1, b"somebody else's")
    world.offer("proj")
    world.run(lambda: world.pair.both("done"))
    told = Differences(0, renamed=1, renamed_named=[Renamed("proj", "proj (1)")])
    assert world.b.row().differences == world.a.row().differences == told
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.settle()
    assert world.b.row().differences is None, "it begins anew"


def test_empty_folders_and_files_arrive_together(world: World) -> None:
    world.offer("nothing", "proj", "empty")
    assert (world.a.row().things, world.a.row().files) == (3, 3)
    world.run(lambda: world.pair.both("done"))
    assert set(world.b.process.disk) == {"nothing", "proj", "empty"}
    assert world.b.row().path == "/inbox"


def test_an_offer_of_nothing_but_an_empty_folder_arrives(world: World) -> None:
    world.offer("nothing")
    world.run(lambda: world.pair.both("done"))
    assert world.b.process.disk == {"nothing": (101, b"")}


@pytest.mark.parametrize("steps", range(8))
def test_a_crash_at_any_point_makes_no_second_folder(world: World, steps: int) -> None:
    world.offer("nothing", "proj")
    for _ in range(steps):
        world.net.step(world.random)
        world.b.move()
    world.b.restart()
    world.settle()
    world.pair.link(True)
    world.run(lambda: world.pair.both("done"))
    assert set(world.b.process.disk) == {"nothing", "proj"}
    assert world.b.process.disk["proj"][1] == SOURCES["a.txt"] + SOURCES["b.txt"]


LEFT_OUT = [LeftOut("proj/li\nnk", "link")]


def test_a_row_says_what_is_offered_and_what_is_left_out() -> None:
    files = [OfferedFile(["..a", "x"], 2), OfferedFile(["b"], 3)]
    facts = facts_of(Offer(files, [], 4, LEFT_OUT), safe_name)
    assert facts == {
        "name": "a",
        "kind": "folder",
        "things": 2,
        "files": 2,
        "size_bytes": 5,
        "differences": Differences(4, [LeftOut("proj/li_nk", "link")]),
        "update": False,
    }
    assert facts_of(Offer([], [OfferedFolder(["c"])]), safe_name)["kind"] == "folder"
    assert facts_of(Offer(files), safe_name)["differences"] is None


def test_new_names_add_up_and_the_first_are_named() -> None:
    known = Differences(4, LEFT_OUT)
    assert with_renamed(None, 0, []) is None
    many = with_renamed(known, 20, [Renamed("a", "b")] * MAX_LEFT_OUT_NAMED)
    many = with_renamed(many, 1, [Renamed("c", "d")])
    assert many is not None
    assert (many.renamed, many.renamed_named) == (21, [Renamed("a", "b")] * MAX_LEFT_OUT_NAMED)
    assert without_renamed(many) == known
    assert without_renamed(Differences(0, renamed=1)) is None
    assert without_renamed(None) is None


def test_the_peer_is_told_as_many_names_as_fit() -> None:
    assert done_for_peer(ID, None) == ct.Done(ID)
    long = [Renamed("x" * 150, "y" * 30)] * 5
    done = done_for_peer(ID, Differences(0, renamed=9, renamed_named=long, not_updated="u" * 40))
    assert done.renamed == 9
    assert len(done.named) == MAX_RENAMED_BYTES // 188
    assert decode_control(encode_control(done)) == done


def test_placing_numbers_what_was_wanted(world: World) -> None:
    out = Outputs()
    out.ready = True
    detail = Detail("active", False, False, folder="/in")
    things = Offer([OfferedFile([name], 1) for name in "ab"]).things
    placing = Placing(ID, detail, things, out)
    placing.add(0, "a (1)", 7)
    placing.begin_store()
    placing.add(1, "b", 8)
    placing.handle_stored()
    asked = [pw.decode_request(frame) for frame in out.frames]
    assert asked == [pw.Place(ID, "/in", 0, "a (1)", "a", 7)], "the other is not stored yet"
    assert placing.rename(0, "a (2)")
    assert not placing.rename(9, "x")
    assert not placing.remove(9)
    out.frames.clear()
    placing.ask_again()
    assert out.frames == [], "the new name is not stored"
    assert placing.remove(0)
    placing.clear()
    assert not placing


def test_how_far_a_transfer_of_the_second_schema_is_is_read_without_its_listing() -> None:
    former = Former("done", True, False, b"offer", end_code=3, folder="/in")
    progress = decode_progress(msgspec.msgpack.encode(former))
    assert progress == Detail("done", True, False, end_code=3, folder="/in")


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ({"phase": "active", "index": 0, "offset": 5}, ("active", 0, 5)),
        ({"phase": "active", "index": 2, "offset": 5}, ("active", 0, 0)),
        ({"phase": "verifying", "index": 2, "placing": [(1, ["d", "f"], 7)]}, ("waiting", 0, 0)),
        ({"phase": "verifying", "index": 2, "folder": ""}, ("verifying", 0, 0)),
        ({"phase": "done", "index": 2}, ("done", 0, 0)),
    ],
)
def test_a_half_received_offer_of_schema_version_2_starts_over(
    former: dict[str, object], now: tuple[str, int, int]
) -> None:
    fields = {"held": False, "peer_held": False, "offer": b"o", "folder": "/in"} | former
    packed = msgspec.msgpack.encode(Former(**fields))  # type: ignore[arg-type]
    detail, listing = decode_detail(packed, b"")
    assert (detail.phase, detail.index, detail.offset) == now
    assert (detail.placing, listing) == ([], Listing(b"o"))
