import pytest

from chatnet_engine.io import reply_queue
from chatnet_engine.io.reply_queue import FIRST_RETRY_S, MAX_RETRY_S, PATIENCE_S, ReplyQueue, Sent


class Clients:
    """Takes as many replies of each client as its room allows."""

    def __init__(self, **rooms):
        self.rooms = {name.encode(): room for name, room in rooms.items()}
        self.got = []

    def send(self, route, frame):
        room = self.rooms.get(route)
        if room is None:
            return Sent.GONE
        if room == 0:
            return Sent.FULL
        self.rooms[route] -= 1
        self.got.append((route, frame))
        return Sent.TAKEN


@pytest.fixture
def clients():
    return Clients(ann=2, ben=9)


@pytest.fixture
def queue(clients):
    return ReplyQueue(clients.send)


def fill(queue, route, count, now_s=0.0):
    for number in range(count):
        queue.reply(route, bytes([number]), now_s)


def test_a_burst_leaves_in_order_as_room_comes(queue, clients):
    fill(queue, b"ann", 5)
    fill(queue, b"ben", 1)
    assert clients.got == [(b"ann", b"\0"), (b"ann", b"\1"), (b"ben", b"\0")]
    assert queue.next_timeout() == FIRST_RETRY_S
    clients.rooms[b"ann"] = 2
    queue.handle_timeout(FIRST_RETRY_S / 2)
    assert len(clients.got) == 3
    queue.handle_timeout(FIRST_RETRY_S)
    queue.reply(b"ann", b"last", FIRST_RETRY_S)
    assert clients.got[3:] == [(b"ann", b"\2"), (b"ann", b"\3")]
    clients.rooms[b"ann"] = 9
    queue.handle_timeout(queue.next_timeout())
    assert clients.got[5:] == [(b"ann", b"\4"), (b"ann", b"last")]
    assert queue.next_timeout() is None
    assert queue.dropped == 0


def test_a_client_that_is_gone_loses_its_replies(queue, clients):
    queue.reply(b"nobody", b"x", 0.0)
    assert queue.dropped == 1
    fill(queue, b"ann", 5)
    del clients.rooms[b"ann"]
    queue.handle_timeout(1.0)
    assert queue.dropped == 4
    assert queue.next_timeout() is None


def test_a_client_that_does_not_read_is_given_up(queue, clients):
    fill(queue, b"ann", 5)
    now_s, waits = 0.0, []
    while (due_s := queue.next_timeout()) is not None:
        waits.append(due_s - now_s)
        now_s = due_s
        queue.handle_timeout(now_s)
    assert PATIENCE_S <= now_s <= PATIENCE_S + MAX_RETRY_S
    assert waits[:3] == pytest.approx([FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S])
    assert max(waits) == pytest.approx(MAX_RETRY_S)
    assert queue.dropped == 3
    clients.rooms[b"ann"] = 1
    queue.reply(b"ann", b"new", now_s)
    assert clients.got[-1] == (b"ann", b"new")


def test_a_slow_reader_keeps_its_place(queue, clients):
    fill(queue, b"ann", 5)
    for now_s in (PATIENCE_S - 1, 2 * PATIENCE_S - 2, 3 * PATIENCE_S - 3):
        clients.rooms[b"ann"] = 1
        queue.handle_timeout(now_s)
    assert [frame for _, frame in clients.got] == [bytes([number]) for number in range(5)]
    assert queue.dropped == 0


def test_what_waits_is_bounded_for_each_and_for_all(queue, clients, monkeypatch):
    monkeypatch.setattr(reply_queue, "MAX_WAITING_BYTES", 10 * 65)
    monkeypatch.setattr(reply_queue, "MAX_ALL_WAITING_BYTES", 15 * 65)
    fill(queue, b"ann", 2 + 12)
    assert queue.dropped == 2
    fill(queue, b"ben", 9 + 7)
    assert queue.dropped == 4
    clients.rooms |= {b"ann": 99, b"ben": 99}
    queue.handle_timeout(1.0)
    assert len(clients.got) == 2 + 10 + 9 + 5
    clients.rooms[b"ann"] = 0
    fill(queue, b"ann", 10, 1.0)
    assert queue.dropped == 4
