"""Files on the link, where TCP leads nowhere: when it is used, windows, and hostile peers."""

import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.bulk import BulkStreams
from chatnet_engine.files.outputs import FIRST_TCP_PAUSE_S
from chatnet_protocol.errors import DecodeError, RemoteProtocolError
from chatnet_protocol.ipc.reasons import TransferReason
from chatnet_protocol.limits import (
    BULK_PART_BYTES,
    BULK_WINDOW_BYTES,
    MAX_BULK_STREAMS,
    MAX_BULK_WINDOW_BYTES,
    MAX_PEER_BULK_STREAMS,
    MESSAGE_OVERHEAD_BYTES,
    MIB,
)
from chatnet_protocol.wire import bulk
from fake_files import SOURCES, World
from file_pair import PEER

HANDLE = b"handle-8"
JOB = 7


@pytest.fixture
def world() -> World:
    """No TCP in either direction."""
    world = World()
    world.settle()
    world.pair.link(True)
    block_tcp(world)
    return world


def block_tcp(world: World, *, blocked: bool = True) -> None:
    for side in (world.a, world.b):
        side.process.reachable = not blocked


def on_link(world: World) -> bool:
    return bool(world.net.streams)


def done(world: World) -> bool:
    return world.states() == ("done", "done")


def test_without_tcp_files_arrive_on_the_link(world: World) -> None:
    world.offer("a.txt", "b.txt", "empty")
    world.run(lambda: done(world))
    world.check_done("a.txt", "b.txt", "empty")
    assert world.pair.bulk_bytes > len(SOURCES["a.txt"])
    assert not world.net.connections


def test_the_next_file_does_not_try_tcp_again_for_a_while(world: World) -> None:
    world.offer("a.txt")
    world.run(lambda: done(world))
    dials = len([one for one in world.a.process.sent if not one.connect.bulk])
    world.offer("b.txt", transfer_id=b"2" * 16)
    world.run(lambda: world.a.state(b"2" * 16) == "done")
    assert len([one for one in world.a.process.sent if not one.connect.bulk]) == dials


def test_gauges_say_that_the_link_is_used(world: World) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes > 0)
    (gauge,) = world.b.transfers.take_gauges(world.b.clock)
    assert gauge.on_link


@pytest.mark.parametrize("by", ["a", "b"])
def test_tcp_is_used_again_once_it_can_be(world: World, by: str) -> None:
    """Either side may be the one whose probe succeeds."""
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes > 0)
    assert on_link(world)
    world.advance(FIRST_TCP_PAUSE_S / 2)
    block_tcp(world, blocked=False)
    (world.a if by == "a" else world.b).process.probed = True
    world.settle()
    assert on_link(world)
    before = world.b.row().done_bytes
    world.advance(FIRST_TCP_PAUSE_S / 2 + 1)
    world.advance(1)
    assert not on_link(world)
    assert world.net.connections
    world.run(lambda: done(world))
    assert before
    world.check_done("big")


def test_a_tcp_path_that_lets_nothing_through_is_replaced_in_the_middle(world: World) -> None:
    block_tcp(world, blocked=False)
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes > 0)
    assert not on_link(world)
    block_tcp(world)
    job = world.a.process.sent[-1].job
    world.a.process.report(pw.Stalled(job, TransferReason.PATH_SILENT))
    world.settle(12)
    assert on_link(world)
    assert not world.net.connections
    world.run(lambda: done(world))
    world.check_done("big")


def lossy(world: World, loss: float) -> None:
    """A line of 50 ms."""
    world.a.transfers.set_line(PEER, lambda: (0.05, loss))


@pytest.mark.parametrize(
    ("loss", "bbr", "link"), [(0.01, False, True), (0.01, True, False), (0, False, False)]
)
def test_random_loss_is_for_the_link_where_tcp_has_no_bbr(
    loss: float, bbr: bool, link: bool
) -> None:
    world = World()
    world.a.process.bbr = bbr
    world.a.restart_process()
    world.settle()
    world.pair.link(True)
    lossy(world, loss)
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes > 0)
    assert on_link(world) is link
    world.run(lambda: done(world))
    world.check_done("big")


def test_once_the_loss_is_gone_tcp_is_used_again() -> None:
    world = World()
    world.settle()
    world.pair.link(True)
    lossy(world, 0.02)
    world.a.process.probed = True
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes > 0)
    world.advance(FIRST_TCP_PAUSE_S + 1)
    assert on_link(world)
    lossy(world, 0)
    world.advance(2 * FIRST_TCP_PAUSE_S + 1)
    world.advance(1)
    assert not on_link(world)
    world.run(lambda: done(world))


@pytest.mark.parametrize("what", ["link", "sender's process", "receiver's process", "engines"])
def test_what_breaks_in_the_middle_is_resumed(world: World, what: str) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes > 0)
    match what:
        case "link":
            world.pair.link(False)
            world.advance(1)
            assert world.states() == ("waiting", "waiting")
            world.pair.link(True)
        case "sender's process":
            world.a.restart_process()
        case "receiver's process":
            world.b.restart_process()
        case "engines":
            world.pair.link(False)
            world.a.restart()
            world.b.restart()
            world.settle()
            world.pair.link(True)
        case _:
            pass
    world.run(lambda: done(world))
    world.check_done("big")


@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize("act", ["pause", "cancel"])
def test_a_stop_by_either_side_ends_the_stream_at_both(world: World, side: str, act: str) -> None:
    world.offer("big")
    world.run(lambda: world.b.row().done_bytes > 0)
    world.do(world.a if side == "a" else world.b, act)
    world.settle()
    assert not on_link(world)
    if act == "pause":
        world.do(world.a if side == "a" else world.b, "resume")
        world.run(lambda: done(world))


def test_more_transfers_than_streams_wait_for_their_turn(world: World) -> None:
    ids = [bytes([number]) * 16 for number in range(1, MAX_PEER_BULK_STREAMS + 4)]
    for transfer_id in ids:
        world.offer("big", transfer_id=transfer_id)
    world.advance(2)
    world.advance(2)
    receivers = [one for one in world.net.streams if one.process is world.b.process]
    assert len(receivers) == MAX_PEER_BULK_STREAMS
    world.run(lambda: all(world.b.state(one) == "done" for one in ids), turns=4000)


# --- windows and hostile peers ---


def rtt() -> float:
    return 0.1


class Asked(list[pw.Request]):
    """What the file process was asked."""


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def streams(asked: Asked) -> BulkStreams:
    streams = BulkStreams(asked.append)
    streams.open(PEER, HANDLE, JOB, rtt, receives=True)
    return streams


def hear(streams: BulkStreams, message: bulk.BulkMessage) -> None:
    streams.handle_message(PEER, bulk.encode_bulk(message))


def said(streams: BulkStreams, credit_bytes: int = 10**9) -> list[bulk.BulkMessage]:
    return [bulk.decode_bulk(body) for body in streams.take(PEER, credit_bytes)]


def test_one_peer_leaves_streams_for_the_others(streams: BulkStreams) -> None:
    for number in range(1, MAX_PEER_BULK_STREAMS):
        streams.open(PEER, bytes([number]) * 8, JOB + number, rtt, receives=True)
    assert streams.full(PEER, receives=True)
    assert not streams.full(PEER + 1, receives=True)
    for number in range(MAX_BULK_STREAMS - MAX_PEER_BULK_STREAMS):
        streams.open(PEER + 1 + number, HANDLE, JOB + 10 + number, rtt, receives=True)
    assert streams.full(PEER + 9, receives=True)


def test_bytes_are_cut_into_messages(streams: BulkStreams) -> None:
    data = bytes(range(256)) * 200
    streams.handle_report(pw.BulkOut(JOB, data), 0.0)
    parts = said(streams)
    assert all(isinstance(one, bulk.BulkData) for one in parts)
    assert b"".join(one.data for one in parts if isinstance(one, bulk.BulkData)) == data
    assert len(parts) == -(-len(data) // BULK_PART_BYTES)
    assert streams.waiting() == []


def test_what_does_not_fit_the_window_of_the_link_waits(streams: BulkStreams) -> None:
    streams.handle_report(pw.BulkOut(JOB, b"x" * BULK_PART_BYTES * 2), 0.0)
    assert said(streams, 100) == []
    weight = bulk.MAX_BULK_MESSAGE_BYTES + MESSAGE_OVERHEAD_BYTES
    assert len(said(streams, weight)) == 1
    assert streams.waiting() == [PEER]
    assert len(said(streams, weight)) == 1
    assert streams.waiting() == []


def test_taken_bytes_give_the_other_side_room(streams: BulkStreams, asked: Asked) -> None:
    hear(streams, bulk.BulkData(HANDLE, b"abc"))
    assert asked == [pw.BulkIn(JOB, b"abc")]
    streams.handle_report(pw.BulkTaken(JOB, 3), 0.0)
    assert said(streams) == [bulk.BulkRoom(HANDLE, 3)]


def test_more_than_the_window_is_a_violation(streams: BulkStreams) -> None:
    part = b"x" * BULK_PART_BYTES
    for _ in range(BULK_WINDOW_BYTES // BULK_PART_BYTES):
        hear(streams, bulk.BulkData(HANDLE, part))
    with pytest.raises(RemoteProtocolError):
        hear(streams, bulk.BulkData(HANDLE, b"x"))


def test_more_credit_than_the_largest_window_is_a_violation(
    streams: BulkStreams, asked: Asked
) -> None:
    streams.handle_report(pw.BulkOut(JOB, b"xyz"), 0.0)
    hear(streams, bulk.BulkRoom(HANDLE, 3))
    hear(streams, bulk.BulkRoom(HANDLE, MAX_BULK_WINDOW_BYTES - BULK_WINDOW_BYTES))
    assert [one.size_bytes for one in asked if isinstance(one, pw.BulkGrant)] == [3, 7 * MIB]
    with pytest.raises(RemoteProtocolError, match="more credit"):
        hear(streams, bulk.BulkRoom(HANDLE, 1))


def take(streams: BulkStreams, size_bytes: int, now: float) -> int:
    """So much arrives and is taken; the credit that the other side gets."""
    for _ in range(size_bytes // BULK_PART_BYTES):
        hear(streams, bulk.BulkData(HANDLE, b"x" * BULK_PART_BYTES))
    streams.handle_report(pw.BulkTaken(JOB, size_bytes), now)
    (credit,) = said(streams)
    assert not isinstance(credit, bulk.BulkData | bulk.BulkEnd)
    return credit.size_bytes


def test_a_window_that_two_round_trips_take_doubles_up_to_a_limit(streams: BulkStreams) -> None:
    """At first nobody knows how long a window takes."""
    now, window, credits = 1.0, BULK_WINDOW_BYTES, []
    for _ in range(6):
        credits.append(take(streams, window, now) / window)
        window = min(2 * window, MAX_BULK_WINDOW_BYTES) if credits[-1] > 1 else window
        now += 2 * rtt()
    assert credits == [1, 2, 2, 2, 1, 1]
    assert window == MAX_BULK_WINDOW_BYTES
    with pytest.raises(RemoteProtocolError, match="than the window"):
        take(streams, MAX_BULK_WINDOW_BYTES + BULK_PART_BYTES, now)


def test_a_window_that_the_path_does_not_fill_stays(streams: BulkStreams) -> None:
    for number in range(20):
        half = BULK_WINDOW_BYTES // 2
        assert take(streams, half, number * 1.001 * rtt()) == half
    with pytest.raises(RemoteProtocolError, match="than the window"):
        take(streams, BULK_WINDOW_BYTES + BULK_PART_BYTES, 0.0)


def test_a_stream_that_is_not_there_is_nothing(streams: BulkStreams, asked: Asked) -> None:
    other = b"8-handle"
    for message in (bulk.BulkData(other, b"x"), bulk.BulkRoom(other, 1), bulk.BulkEnd(other)):
        hear(streams, message)
    streams.handle_message(PEER + 1, bulk.encode_bulk(bulk.BulkData(HANDLE, b"x")))
    streams.handle_report(pw.BulkOut(JOB + 1, b"x"), 0.0)
    streams.close(JOB + 1)
    assert asked == []
    assert streams.waiting() == []


def test_an_end_of_the_other_side_ends_the_job(streams: BulkStreams, asked: Asked) -> None:
    hear(streams, bulk.BulkEnd(HANDLE))
    assert asked == [pw.BulkIn(JOB, b"")]
    assert streams.waiting() == []
    hear(streams, bulk.BulkEnd(HANDLE))
    assert len(asked) == 1


def test_a_handle_that_is_used_again_ends_the_older_stream(
    streams: BulkStreams, asked: Asked
) -> None:
    streams.open(PEER, HANDLE, JOB + 1, rtt, receives=True)
    assert asked == [pw.BulkIn(JOB, b"")]
    streams.close(JOB)
    hear(streams, bulk.BulkData(HANDLE, b"new"))
    assert asked[1:] == [pw.BulkIn(JOB + 1, b"new")]
    streams.close(JOB + 1)
    streams.handle_link_down(PEER)


def test_a_link_that_ends_takes_its_streams_along(streams: BulkStreams, asked: Asked) -> None:
    streams.open(PEER + 1, HANDLE, JOB + 1, rtt, receives=True)
    streams.handle_report(pw.BulkOut(JOB, b"lost"), 0.0)
    streams.handle_link_down(PEER)
    assert asked == [pw.BulkIn(JOB, b"")]
    assert streams.waiting() == []
    streams.handle_report(pw.BulkOut(JOB + 1, b"kept"), 0.0)
    assert streams.waiting() == [PEER + 1]


def test_malformed_messages_are_refused(streams: BulkStreams) -> None:
    with pytest.raises(DecodeError):
        streams.handle_message(PEER, b"\3" + HANDLE)
