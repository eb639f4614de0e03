import os
import select

import pytest

from attacks import zmtp
from chatnet_engine.io import command_socket, local_socket
from chatnet_engine.io.command_socket import (
    MAX_UNSENT_BYTES,
    READ_BYTES,
    REPLY_MARK,
    REPLY_MARK_BYTES,
    CommandSocket,
)
from chatnet_engine.io.local_socket import HANDSHAKE_S, SILENT_S, TICK_S
from chatnet_protocol.limits import MAX_REQUEST_BYTES, MAX_REQUESTS_UNDER_WAY

TURNS = 2000
PING = zmtp.command(b"PING", b"\0\0")
ASK = zmtp.frame(b"ask" * 10)


class Served:
    """A socket, and raw clients of it that are closed at the end."""

    def __init__(self, path):
        self.commands = CommandSocket(path, 0.0)
        self.endpoint = f"ipc://{path}"
        self.now_s = 0.0
        self._raws = []

    def connect(self):
        self._raws.append(zmtp.connect(self.endpoint))
        self._raws[-1].settimeout(20)
        return self._raws[-1]

    def join(self, kind=b"DEALER", identity=b""):
        """A client after the handshake, and its connection here."""
        before = set(self.commands._open)
        raw = self.connect()
        raw.sendall(zmtp.GREETING + zmtp.ready(kind, identity))
        self.turn_until(
            lambda: any(self.is_idle(fd) for fd in self.commands._open if fd not in before)
        )
        (fd,) = [fd for fd in self.commands._open if fd not in before]
        return raw, self.commands._open[fd]

    def is_idle(self, fd):
        connection = self.commands._open[fd]
        return connection.peer.wire.is_ready and connection.reads

    def turn(self):
        """Take in what has arrived, and at most one request."""
        self.commands.handle_ready(self.now_s)
        self.commands.flush()
        return self.commands.receive(self.now_s)

    def turn_until(self, condition):
        taken = []
        for _ in range(TURNS):
            request = self.turn()
            taken += [] if request is None else [request]
            if condition():
                return taken
            if request is None and not self.commands.has_requests:
                select.select([self.commands.fileno()], [], [], 0.01)
        raise AssertionError("it never came")

    def serve(self, body, rounds):
        """Answer what comes at once."""
        answered = 0
        for _ in range(rounds):
            if request := self.turn():
                answered += self.commands.reply(request[0], body)
        return answered

    def pass_time(self, seconds):
        for _ in range(int(seconds / TICK_S)):
            self.now_s += TICK_S
            self.commands.handle_timeout(self.now_s)
            self.commands.flush()

    def close(self):
        for raw in self._raws:
            raw.close()
        self.commands.close()


@pytest.fixture
def served(tmp_path):
    served = Served(str(tmp_path / "s.c"))
    yield served
    served.close()


def is_cut(raw):
    try:
        while raw.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def fill(raw, data):
    """Send it again and again until the socket takes no more; the bytes sent."""
    raw.setblocking(False)
    sent = 0
    try:
        while True:
            sent += raw.send(data)
    except BlockingIOError:
        raw.settimeout(20)
        return sent


def test_clients_take_turns_however_much_one_has_sent(served):
    flooder, _ = served.join()
    good, connection = served.join()
    fill(flooder, ASK * 100)
    served.turn_until(lambda: served.commands.has_requests)
    good.sendall(zmtp.frame(b"good"))
    taken = served.turn_until(lambda: connection.peer.unanswered == 1)
    assert len(taken) <= 3


def test_a_flood_waits_in_the_kernel(served):
    raw, connection = served.join()
    sent = fill(raw, ASK * 100)
    assert sent > 4 * READ_BYTES
    for _ in range(50):
        served.commands.handle_ready(0.0)
    assert connection.peer.held_bytes <= READ_BYTES
    assert served.commands.ended == 0


def test_who_has_many_unanswered_waits_for_an_answer(served):
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


def test_who_does_not_read_its_replies_is_not_read_from_and_is_cut_after_a_while(served):
    raw, connection = served.join()
    fill(raw, ASK * 100)
    served.serve(bytes(10_000), 3 * REPLY_MARK)
    assert connection.peer.is_parked
    assert connection.waiting_bytes <= REPLY_MARK_BYTES + 10_010
    assert served.serve(b"x", 100) == 0
    served.pass_time(SILENT_S - TICK_S)
    assert served.commands.ended == 0
    served.pass_time(2 * TICK_S)
    assert served.commands.ended == 1
    assert is_cut(raw)


def test_who_reads_late_gets_everything_in_order(served):
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


def test_replies_to_what_was_asked_before_are_bounded(served):
    raw, connection = served.join()
    raw.sendall(ASK * 20)
    taken = served.turn_until(lambda: connection.peer.unanswered == 20)
    for route, _ in taken:
        served.commands.reply(route, bytes(500_000))
    assert connection.waiting_bytes <= MAX_UNSENT_BYTES
    assert served.commands.replies_dropped > 0


def test_the_one_that_holds_most_gives_way_when_all_hold_too_much(served, monkeypatch):
    monkeypatch.setattr(command_socket, "MAX_HELD_BYTES", MAX_REQUEST_BYTES)
    good, connection = served.join()
    connection.pid = 1  # another program's
    good.sendall(zmtp.frame(bytes(READ_BYTES))[:-1])
    served.turn_until(lambda: connection.peer.held_bytes > READ_BYTES)
    for _ in range(16):
        raw, flooding = served.join()
        raw.sendall(bytes((zmtp.LONG,)) + MAX_REQUEST_BYTES.to_bytes(8, "big"))
        fill(raw, bytes(READ_BYTES))
        served.turn_until(lambda c=flooding: c.peer.held_bytes >= 4 * READ_BYTES or not c.is_open)
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
def test_what_no_client_sends_ends_its_connection_only(served, poison):
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


def test_identities_that_clients_choose_do_not_matter(served):
    asked = []
    for number in range(2):
        raw, connection = served.join(identity=b"the same")
        raw.sendall(zmtp.frame(b"%d" % number))
        asked += [(raw, served.turn_until(lambda c=connection: c.peer.unanswered)[0])]
    (first, (a, _)), (second, (b, _)) = asked
    assert a != b
    served.commands.reply(b, b"to the second")
    served.commands.reply(a, b"to the first")
    served.commands.flush()
    for raw, end in ((first, b"to the first"), (second, b"to the second")):
        data = b""
        while not data.endswith(end):
            data += raw.recv(4096)


def test_what_was_sent_before_hanging_up_is_still_done(served):
    raw, connection = served.join()
    raw.sendall(ASK * 3)
    raw.close()
    assert len(served.turn_until(lambda: not connection.is_open)) == 3
    assert served.commands.reply(connection.peer.route, b"too late") is False


def test_who_has_hung_up_comes_after_the_living_and_gives_way_first(served):
    gone = [served.join() for _ in range(3)]
    living, connection = served.join()
    for raw, _ in gone:
        raw.sendall(ASK * 2)
    served.commands.handle_ready(0.0)
    for raw, _ in gone:
        raw.close()
    living.sendall(ASK)
    served.commands.handle_ready(0.0)
    assert served.commands.receive(0.0)[0] == connection.peer.route
    served.commands._max_connections = 4
    served.join()
    assert [c.is_open for _, c in gone] == [False, True, True]
    assert connection.is_open


def test_a_process_with_many_connections_has_the_share_of_one(served):
    flood = [served.join() for _ in range(20)]
    good, connection = served.join()
    connection.pid = 1  # another program's
    for raw, _ in flood:
        raw.sendall(ASK * 20)
    served.commands.handle_ready(0.0)
    good.sendall(ASK * 5)
    taken = served.turn_until(lambda: connection.peer.unanswered == 5)
    assert len(taken) <= 11


def test_who_hangs_up_in_a_flood_is_gone_with_the_first_reply(served):
    """This sequence, with a heartbeat in it, makes libzmq abort."""
    for _ in range(20):
        raw, connection = served.join()
        fill(raw, ASK * 40 + PING)
        raw.close()
        assert served.serve(b"x", 10) <= 1
        assert not connection.is_open


def test_heartbeats_are_answered_and_cost_turns_like_requests(served):
    flooder, _ = served.join()
    good, connection = served.join()
    fill(flooder, PING * 100)
    good.sendall(PING + ASK)
    assert len(served.turn_until(lambda: connection.peer.unanswered == 1)) == 1
    served.commands.flush()
    data = b""
    while zmtp.command(b"PONG") not in data:
        data += good.recv(4096)


def test_the_stopped_are_asked_and_then_given_up_and_the_living_stay(served):
    stopped, _ = served.join()
    living, connection = served.join()
    for _ in range(10):
        served.pass_time(TICK_S)
        living.sendall(zmtp.command(b"PONG"))
        served.turn_until(lambda: connection.heard_s == served.now_s)
    assert list(served.commands._open.values()) == [connection]
    assert zmtp.command(b"PING", b"\0\0") in stopped.recv(4096)


def test_who_never_says_what_it_is_is_cut(served):
    raw = served.connect()
    raw.sendall(zmtp.GREETING)
    served.turn_until(lambda: served.commands._open)
    served.pass_time(HANDSHAKE_S)
    assert is_cut(raw)
    assert served.commands.ended == 1


def test_the_longest_silent_gives_way_to_a_newcomer(served):
    served.commands._max_connections = 3
    joined = [served.join() for _ in range(3)]
    served.now_s = SILENT_S + 1
    for raw, connection in (joined[0], joined[2]):
        raw.sendall(ASK)
        served.turn_until(lambda c=connection: c.peer.unanswered)
    served.join()
    assert [c.is_open for _, c in joined] == [True, False, True]


def test_newcomers_of_a_flood_take_from_the_flood_where_all_live(served):
    served.commands._max_connections = 3
    joined = [served.join()[1] for _ in range(3)]
    joined[0].pid = 1  # another program's
    last = served.connect()
    assert is_cut_soon(served, last)
    assert all(connection.is_open for connection in joined)
    for connection in joined:
        connection.pid += 1  # all of different programs now
    joined[1].pid = 77
    assert is_cut_soon(served, served.connect())
    assert all(connection.is_open for connection in joined)


def is_cut_soon(served, raw):
    before = served.commands.ended
    served.turn_until(lambda: served.commands.ended > before)
    return is_cut(raw)


def test_without_descriptors_somebody_makes_room_and_newcomers_wait(served, monkeypatch):
    joined = [served.join() for _ in range(2)]
    raw = served.connect()
    full = []
    try:
        while True:
            full.append(os.dup(0))
    except OSError:
        pass
    try:
        served.turn_until(lambda: served.commands.ended == 1)
        assert served.turn() is None
    finally:
        for fd in full:
            os.close(fd)
    assert [connection.is_open for _, connection in joined] == [True, False]
    raw.sendall(zmtp.GREETING + zmtp.ready(b"DEALER"))
    assert len(served.commands._open) == 1
    served.pass_time(TICK_S)
    served.turn_until(lambda: len(served.commands._open) == 2)
    good, connection = joined[0]
    good.sendall(ASK)
    served.turn_until(lambda: connection.peer.unanswered == 1)


def test_few_descriptors_mean_few_connections(tmp_path, monkeypatch):
    monkeypatch.setattr(local_socket.resource, "getrlimit", lambda which: (256, 256))
    commands = CommandSocket(str(tmp_path / "s.c"), 0.0)
    assert commands._max_connections == 64
    commands.close()


def test_other_users_are_not_let_in(served, monkeypatch):
    monkeypatch.setattr(local_socket.os, "geteuid", lambda: 12345)
    raw = served.connect()
    select.select([served.commands.fileno()], [], [], 5)
    served.turn()
    assert is_cut(raw)
    assert not served.commands._open


def test_a_new_file_takes_newcomers_and_clients_stay(served, tmp_path):
    old, first = served.join()
    os.unlink(tmp_path / "s.c")
    served.commands.rebind(str(tmp_path / "s.c"))
    served.join()
    old.sendall(ASK)
    served.turn_until(lambda: first.peer.unanswered == 1)


def test_a_place_where_nothing_can_be_bound_is_an_error(tmp_path):
    with pytest.raises(OSError, match="No such file"):
        CommandSocket(str(tmp_path / "missing" / "s.c"), 0.0)
