"""The guard with real sockets; the engine's side of libzmq is only there to accept."""

import socket
import time

import pytest
import zmq

from attacks import zmtp
from chatnet_engine.io import connection_guard
from chatnet_engine.io.connection_guard import MAX_CONNECTIONS, ConnectionGuard

WAIT_S = 20.0


def until(condition):
    """Wait for what other threads do; the guard says nothing of its own."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


@pytest.fixture
def guard():
    guard = ConnectionGuard()
    guard.start()
    yield guard
    if guard.is_running:
        guard.stop()


@pytest.fixture
def bound(guard, tmp_path):
    context = zmq.Context()
    sockets = []

    def bind(kind, name):
        guarded = context.socket(kind)
        guarded.rcvhwm = 0
        sockets.append(guarded)
        guard.watch(context, guarded)
        guarded.bind(f"ipc://{tmp_path}/{name}")
        return f"ipc://{tmp_path}/{name}"

    yield bind
    for guarded in sockets:
        guarded.close(linger=0)
    guard.stop()
    context.term()


def is_cut(raw):
    raw.settimeout(WAIT_S)
    try:
        while raw.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def test_connections_come_and_go(guard, bound):
    endpoint = bound(zmq.ROUTER, "s.c")
    with zmtp.connect(endpoint):
        until(lambda: len(guard.connections()) == 1)
    until(lambda: not guard.connections())
    assert guard.ended == 0


def test_too_many_connections_take_from_the_process_that_has_most(guard, bound, monkeypatch):
    monkeypatch.setattr(connection_guard, "MAX_CONNECTIONS", 10)
    endpoint = bound(zmq.ROUTER, "s.c")
    raws = [zmtp.connect(endpoint) for _ in range(10)]
    until(lambda: len(guard.connections()) == 10)
    last = zmtp.connect(endpoint)
    assert is_cut(last)
    until(lambda: guard.ended == 1)
    assert len(guard.connections()) == 10
    for raw in (*raws, last):
        raw.close()
    assert MAX_CONNECTIONS == 256


def test_a_process_that_is_kept_out_gets_no_connection(guard, bound):
    endpoint = bound(zmq.ROUTER, "s.c")
    with zmtp.connect(endpoint) as old:
        until(guard.connections)
        [connection] = guard.connections()
        guard.keep_out(connection.pid)
        with zmtp.connect(endpoint) as new:
            assert is_cut(new)
        assert guard.connections() == [connection]
        old.close()


def test_memory_that_grows_ends_the_busy_connections_first(guard, bound, monkeypatch):
    size = [40 * 2**20]
    monkeypatch.setattr(connection_guard, "resident_bytes", lambda: size[0])
    endpoint = bound(zmq.ROUTER, "s.c")
    with zmtp.connect(endpoint) as quiet, zmtp.connect(endpoint) as busy:
        until(lambda: len(guard.connections()) == 2)
        unread = connection_guard.BUSY_BYTES
        busy_fd = guard.connections()[1].fd
        monkeypatch.setattr(
            "chatnet_engine.io.connections.Connection.unread_bytes",
            property(lambda self: unread if self.fd == busy_fd else 0),
        )
        until(lambda: guard._memory._quiet_bytes)
        size[0] += 100 * 2**20
        assert is_cut(busy)
        until(lambda: guard.wants_renewal)
        assert len(guard.connections()) == 1
        quiet.close()


def test_a_socket_that_is_closed_is_not_followed_any_more(guard, tmp_path):
    context = zmq.Context()
    guarded = context.socket(zmq.ROUTER)
    guard.watch(context, guarded)
    guarded.bind(f"ipc://{tmp_path}/s.c")
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(f"{tmp_path}/s.c")
        until(guard.connections)
    guarded.close(linger=0)
    context.term()
    assert guard.ended == 0
