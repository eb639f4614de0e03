from functools import partial
from typing import Any

import pytest

import raw_zmtp as zmtp
from chatnet_engine.io import command_socket
from chatnet_engine.io.command_socket import (
    MAX_GONE_UNANSWERED,
    MAX_UNSENT_BYTES,
    READ_BYTES,
    REPLY_HWM,
    REPLY_HWM_BYTES,
)
from chatnet_engine.io.local_socket import SILENT_S, TICK_S, Connection
from chatnet_protocol.limits import MAX_REQUEST_BYTES, MAX_REQUESTS_UNDER_WAY
from served_socket import ASK, PING, Served, fill, is_cut


def test_clients_take_turns_however_much_one_has_sent(served: Served) -> None:
    flooder, _ = served.join()
    good, connection = served.join()
    fill(flooder, ASK * 100)
    served.turn_until(lambda: served.commands.has_requests)
    good.sendall(zmtp.frame(b"good"))
    taken = served.turn_until(lambda: connection.peer.unanswered == 1)
    assert len(taken) <= 3


def test_a_flood_waits_in_the_kernel(served: Served) -> None:
    raw, connection = served.join()
    sent = fill(raw, ASK * 100)
    assert sent > 4 * READ_BYTES
    for _ in range(50):
        served.commands.handle_ready(0.0)
    assert connection.peer.held_bytes <= READ_BYTES
    assert served.commands.ended == 0


def test_who_has_many_unanswered_waits_for_an_answer(served: Served) -> None:
    raw, connection = served.join()
    raw.sendall(ASK * (MAX_REQUESTS_UNDER_WAY + 2))
    taken = served.turn_until(lambda: connection.peer.is_parked)
    assert len(taken) == MAX_REQUESTS_UNDER_WAY
    assert not served.commands.has_requests
    served.commands.reply(taken[0][0], b"answer")
    assert len(served.turn_until(lambda: connection.peer.is_parked)) == 1
    # A repeated request is not answered twice: without any answer the count is forgotten.
    served.pass_time(2 * TICK_S)
    assert len(served.turn_until(lambda: connection.reads)) == 1


def is_held_or_closed(connection: Connection[Any]) -> bool:
    held_bytes: int = connection.peer.held_bytes
    return held_bytes >= 4 * READ_BYTES or not connection.is_open


@pytest.mark.parametrize("size", [10_000, 200_000])
def test_who_does_not_read_its_replies_is_not_read_from_and_is_cut_after_a_while(
    served: Served, size: int
) -> None:
    raw, connection = served.join()
    fill(raw, ASK * 100)
    served.serve(bytes(size), 4 * REPLY_HWM)
    assert connection.peer.is_parked
    assert len(connection.waiting) <= REPLY_HWM
    assert connection.waiting_bytes <= REPLY_HWM_BYTES + size + 9
    assert served.serve(b"x", 100) == 0
    served.pass_time(SILENT_S - TICK_S)
    assert served.commands.ended == 0
    served.pass_time(2 * TICK_S)
    assert served.commands.ended == 1
    assert is_cut(raw)


def test_who_reads_late_gets_everything_in_order(served: Served) -> None:
    raw, connection = served.join()
    bodies = [b"%d" % number * 50_000 for number in range(40)]
    raw.sendall(b"".join(zmtp.frame(body[:2]) for body in bodies))
    left, data = iter(bodies), b""
    expected = b"".join(zmtp.frame(body) for body in bodies)
    while not data.endswith(expected):
        if request := served.turn():
            served.commands.reply(request[0], next(left))
        elif connection.peer.is_parked or connection.reads:
            data += raw.recv(1_000_000)


def test_replies_to_what_was_asked_before_are_bounded(served: Served) -> None:
    raw, connection = served.join()
    raw.sendall(ASK * 20)
    taken = served.turn_until(lambda: connection.peer.unanswered == 20)
    for routing_id, _ in taken:
        served.commands.reply(routing_id, bytes(500_000))
    assert connection.waiting_bytes <= MAX_UNSENT_BYTES
    assert served.commands.replies_dropped > 0


def test_the_one_that_holds_most_gives_way_when_all_hold_too_much(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_socket, "MAX_HELD_BYTES", MAX_REQUEST_BYTES)
    good, connection = served.join()
    connection.pid = 1  # another program's
    good.sendall(zmtp.frame(bytes(READ_BYTES))[:-1])
    served.turn_until(lambda: connection.peer.held_bytes > READ_BYTES)
    for _ in range(16):
        raw, flooding = served.join()
        raw.sendall(bytes((zmtp.LONG,)) + MAX_REQUEST_BYTES.to_bytes(8, "big"))
        fill(raw, bytes(READ_BYTES))
        served.turn_until(partial(is_held_or_closed, flooding))
        held = sum(c.peer.held_bytes for c in served.commands._open.values())
        assert held <= MAX_REQUEST_BYTES + command_socket.LARGE_READ_BYTES
    assert 0 < served.commands.ended < 16
    assert connection.is_open


@pytest.mark.parametrize(
    "poison",
    [
        bytes((zmtp.LONG,)) + (MAX_REQUEST_BYTES + 1).to_bytes(8, "big"),
        zmtp.frame(bytes(100_000), zmtp.MORE) * 20,
        zmtp.frame(b"", zmtp.MORE) * 20,
        zmtp.command(b"ERROR", b"\0"),
    ],
)
def test_what_no_client_sends_ends_its_connection_only(served: Served, poison: bytes) -> None:
    good, connection = served.join()
    bad, _ = served.join()
    bad.setblocking(False)
    try:
        while served.commands.ended == 0:
            try:
                poison = poison[bad.send(poison) :]
            except BlockingIOError:
                pass
            served.turn()
    except ConnectionError:
        pass
    assert served.commands.ended == 1
    good.sendall(ASK)
    served.turn_until(lambda: connection.peer.unanswered == 1)


def test_identities_that_clients_choose_do_not_matter(served: Served) -> None:
    asked = []
    for number in range(2):
        raw, connection = served.join(identity=b"the same")
        raw.sendall(zmtp.frame(b"%d" % number))
        asked += [(raw, served.turn_until(partial(getattr, connection.peer, "unanswered"))[0])]
    (first, (a, _)), (second, (b, _)) = asked
    assert a != b
    served.commands.reply(b, b"to the second")
    served.commands.reply(a, b"to the first")
    served.commands.flush()
    for raw, end in ((first, b"to the first"), (second, b"to the second")):
        data = b""
        while not data.endswith(end):
            data += raw.recv(4096)


def test_what_was_sent_before_hanging_up_is_still_done(served: Served) -> None:
    raw, connection = served.join()
    raw.sendall(ASK * 3)
    raw.close()
    assert len(served.turn_until(lambda: not connection.is_open)) == 3
    assert served.commands.reply(connection.peer.routing_id, b"too late") is False


def test_the_end_of_a_connection_is_reported_once_after_its_last_request(served: Served) -> None:
    raw, connection = served.join()
    _, other = served.join()
    raw.sendall(ASK * 3)
    raw.close()
    for _ in range(3):
        assert not served.commands.take_gone()
        served.turn_until(lambda: connection.peer.unanswered or not connection.is_open)
        connection.peer.unanswered = 0
    served.turn_until(lambda: served.commands.has_gone)
    assert served.commands.take_gone() == [connection.peer.routing_id]
    assert not served.commands.has_gone
    assert other.is_open


def test_a_connection_that_is_ended_here_is_reported_too(served: Served) -> None:
    raw, bad = served.join()
    raw.sendall(zmtp.command(b"ERROR"))
    served.turn_until(lambda: not bad.is_open)
    _, stopped = served.join()
    served.pass_time(2 * SILENT_S)
    assert not stopped.is_open
    ends = [connection.peer.routing_id for connection in (bad, stopped)]
    assert served.commands.take_gone() == ends


def test_of_who_has_hung_up_a_few_are_done_before_one_is_answered(served: Served) -> None:
    raw, connection = served.join()
    raw.sendall(ASK * 50)
    raw.close()
    taken = served.turn_until(lambda: connection.peer.is_parked)
    assert len(taken) == MAX_GONE_UNANSWERED
    served.commands.reply(connection.peer.routing_id, b"answer")
    assert not connection.is_open
    assert served.turn() is None


def test_who_has_hung_up_comes_after_the_living_and_gives_way_first(served: Served) -> None:
    gone = [served.join() for _ in range(3)]
    living, connection = served.join()
    for raw, _ in gone:
        raw.sendall(ASK * 2)
    served.commands.handle_ready(0.0)
    for raw, _ in gone:
        raw.close()
    living.sendall(ASK)
    served.commands.handle_ready(0.0)
    request = served.commands.receive(0.0)
    assert request
    assert request[0] == connection.peer.routing_id
    served.commands._max_connections = 4
    served.join()
    assert [c.is_open for _, c in gone] == [False, True, True]
    assert connection.is_open


def test_a_process_with_many_connections_has_the_share_of_one(served: Served) -> None:
    flood = [served.join() for _ in range(20)]
    good, connection = served.join()
    connection.pid = 1  # another program's
    for raw, _ in flood:
        raw.sendall(ASK * 20)
    served.commands.handle_ready(0.0)
    good.sendall(ASK * 5)
    taken = served.turn_until(lambda: connection.peer.unanswered == 5)
    assert len(taken) <= 11


def test_who_hangs_up_in_a_flood_is_gone_with_the_first_reply(served: Served) -> None:
    """This sequence, with a heartbeat in it, makes libzmq abort."""
    for _ in range(20):
        raw, connection = served.join()
        fill(raw, ASK * 40 + PING)
        raw.close()
        assert served.serve(b"x", 10) <= 1
        assert not connection.is_open


def test_heartbeats_are_answered_and_cost_turns_like_requests(served: Served) -> None:
    flooder, _ = served.join()
    good, connection = served.join()
    fill(flooder, PING * 100)
    good.sendall(PING + ASK)
    assert len(served.turn_until(lambda: connection.peer.unanswered == 1)) == 1
    served.commands.flush()
    data = b""
    while zmtp.command(b"PONG") not in data:
        data += good.recv(4096)
