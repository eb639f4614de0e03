"""What raises while several transfers are handled concerns the one it raised in."""

import pytest

from chatnet_engine.clock import Now
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.receiving import Receiving
from chatnet_engine.files.transfers import FailedOffer
from chatnet_protocol.errors import ErrorCode
from chatnet_protocol.ipc.offer import Offer, OfferedFile, encode_offer
from chatnet_protocol.limits import MIB
from fake_files import FakeSide, World
from file_pair import ID, KEY, PEER, Side, message

OTHER = b"other".rjust(16)


class RaisedError(Exception):
    """Injected."""


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(Side, "contain", True)
    world = World()
    world.settle()
    world.pair.link(True)
    world.settle()
    return world


def break_one(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """From now on this raises in the transfer ID, after it has done what it does."""
    right = getattr(Receiving, method)

    def broken(self: Receiving, *args: object, **named: object) -> object:
        result = right(self, *args, **named)
        if self.id == ID:
            raise RaisedError("injected")
        return result

    monkeypatch.setattr(Receiving, method, broken)


def read_again(side: FakeSide) -> None:
    side.transfers.handle_loaded([ID], [side.store[ID]], Now(side.clock, 1))


@pytest.mark.parametrize("method", ["handle_report", "take_store"])
def test_one_that_raises_is_thrown_away_and_the_other_arrives(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    with monkeypatch.context() as patched:
        world.offer("a.txt")
        world.b.move()
        break_one(patched, method)
        world.offer("b.txt", transfer_id=OTHER)
        world.run(lambda: world.pair.both("done", OTHER))
        failed = world.b.transfers.take_failed()
        assert list(failed) == [ID]
        assert failed[ID][0] == PEER
        assert "RaisedError" in failed[ID][1]
        assert world.b.transfers.take_failed() == {}
        assert world.b.transfers.peer_of(ID) == 0
    read_again(world.b)
    world.run(lambda: world.pair.both("done"), turns=2000)


def test_nothing_of_a_unit_that_was_taken_back_leaves(world: World) -> None:
    world.offer("big", auto=0)
    world.b.move()
    mark = world.b.transfers.begin()
    world.b.transfers.accept(ID, "", Now(world.b.clock, 1))
    world.b.transfers.roll_back(mark)
    assert world.b.transfers.take_process_frames() == []
    assert world.b.transfers.take_controls() == []


def test_a_report_that_could_not_be_handled_names_whom_it_was_about(world: World) -> None:
    world.offer("big", auto=MIB)
    world.run(lambda: world.states() == ("active", "active"))
    transfers = world.b.transfers
    [job] = [request.job for request in world.b.process.jobs.values()]
    lost = transfers.handle_lost_report
    assert lost(pw.encode(pw.Ended(job, pw.Outcome.LOST))) == [ID]
    assert lost(pw.encode(pw.Ended(job + 99, pw.Outcome.LOST))) == []
    assert lost(pw.encode(pw.Listening(4000))) is None


def test_a_listing_that_could_not_be_handled_fails_its_offer(world: World) -> None:
    transfers = world.a.transfers
    transfers.offer(ID, PEER, ["/home/a/big"], Now(world.a.clock, 1))
    lost = pw.encode(pw.Scanned(ID, []))
    assert transfers.handle_lost_report(lost) == []
    assert transfers.handle_lost_report(lost) == []
    [failed] = transfers.offering.take()
    assert isinstance(failed, FailedOffer)
    assert (failed.transfer_id, failed.code) == (ID, ErrorCode.INTERNAL)


def test_of_each_peer_so_much_is_stored_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatnet_engine.files.table.MAX_STORING_BYTES", 1)
    body = encode_offer(Offer([OfferedFile(["x"], 1)]))
    transfers, at = world.b.transfers, Now(world.b.clock, 1)
    for number, peer in ((1, 1), (2, 1), (3, 2)):
        transfers.handle_peer_offer(
            message(bytes([number]) * 16, number, False, body), peer,
            key=KEY, auto_accept_bytes=0, verified=False, at=at,
        )  # fmt: skip
    first, other = transfers.take_stores()
    assert (first.row.no, other.row.no) == (1, 3)
    assert transfers.take_stores() == []
    transfers.handle_stored(first.row, at)
    [second] = transfers.take_stores()
    assert second.row.no == 2


def test_what_is_not_stored_does_not_count_for_the_day(world: World) -> None:
    def arrive(number: int) -> None:
        body = encode_offer(Offer([OfferedFile(["x"], 400 * MIB)]))
        world.b.transfers.handle_peer_offer(
            message(bytes([number]) * 16, number, False, body),
            PEER,
            key=KEY,
            auto_accept_bytes=400 * MIB,
            verified=False,
            at=Now(world.b.clock, 1),
        )

    arrive(1)
    [op] = world.b.transfers.take_stores()
    assert op.automatic is not None
    arrive(2)
    world.b.transfers.give_back(op)
    arrive(3)
    world.b.move()
    assert world.b.state(b"\3" * 16) == "waiting", "800 MiB"
    arrive(4)
    world.b.move()
    assert world.b.state(b"\4" * 16) == "offered", "1,200 MiB"
