import os
import random
import socket
import stat
import time

import pytest
import zmq

from attacks import zmtp
from chatnet_engine.io import ipc as ipc_module
from chatnet_engine.io.ipc import PATH_CHECK_S, IpcServer, choose_socket_dir, socket_name
from chatnet_engine.io.request_queue import MAX_DROPPED, MAX_WAITING
from chatnet_protocol.errors import CommandError
from chatnet_protocol.limits import MAX_IPC_PARTS, MAX_REQUEST_BYTES

WAIT_MS = 5000


@pytest.fixture
def server(own_home):
    folder = choose_socket_dir(os.environ, str(own_home / "session"))
    server = IpcServer(folder, "s", 0.0)
    yield server
    server.close()


class Clients:
    """Makes client sockets and keeps them until the end of the test."""

    def __init__(self):
        self._context = zmq.Context()
        self._sockets = []

    def socket(self, kind):
        self._sockets.append(self._context.socket(kind))
        return self._sockets[-1]

    def close(self):
        for client in self._sockets:
            client.close(linger=0)
        self._context.term()


@pytest.fixture
def context():
    context = Clients()
    yield context
    context.close()


def dealer(context, server):
    client = context.socket(zmq.DEALER)
    client.connect(server.commands_endpoint)
    return client


def receive(server, wait_ms=WAIT_MS):
    request = server.receive()
    while request is None:
        assert server.commands.poll(wait_ms), "no request came"
        server.drain()
        request = server.receive()
    return request


def test_a_request_and_its_reply(server, context):
    client = dealer(context, server)
    client.send(b"ask")
    route, frames = receive(server)
    assert frames == [b"ask"]
    server.reply(route, b"answer", 0.0)
    assert client.poll(WAIT_MS)
    assert client.recv_multipart() == [b"answer"]
    assert server.receive() is None
    assert (server.counters.requests, server.counters.replies) == (1, 1)


def test_publications_reach_subscribers(server, context):
    listener = context.socket(zmq.SUB)
    listener.subscribe(b"E")
    listener.connect(server.events_endpoint)
    while not listener.poll(1):
        server.handle_events(0.0)
        server.publish(b"H", b"not for me")
        server.publish(b"E", b"event")
    assert listener.recv_multipart() == [b"E", b"event"]


def test_replies_to_nobody_are_dropped_and_counted(server):
    server.reply(b"gone", b"answer", 0.0)
    assert server.replies_dropped == 1


def test_replies_to_a_client_that_does_not_read_are_dropped(server, context):
    client = context.socket(zmq.DEALER)
    client.rcvhwm = 1
    client.connect(server.commands_endpoint)
    client.send(b"ask")
    route, _ = receive(server)
    for _ in range(2000):
        server.reply(route, bytes(65536), 0.0)
    assert server.replies_dropped > 0
    other = dealer(context, server)
    other.send(b"ask")
    assert receive(server)[1] == [b"ask"]


def test_too_many_parts_and_none_are_malformed(server, context):
    client = dealer(context, server)
    client.send_multipart([b"x"] * (MAX_IPC_PARTS + 1))
    client.send_multipart([b"x"] * 500)
    client.send_multipart([b"x"] * MAX_IPC_PARTS)
    assert receive(server)[1] == [b"x"] * MAX_IPC_PARTS
    assert server.counters.malformed == 2


def test_an_oversized_frame_cuts_that_client_only(server, context):
    good, bad = dealer(context, server), dealer(context, server)
    bad.setsockopt(zmq.RECONNECT_IVL, -1)
    bad.send(bytes(MAX_REQUEST_BYTES + 1))
    good.send(b"fits")
    assert receive(server)[1] == [b"fits"]
    good.send(bytes(MAX_REQUEST_BYTES))
    assert len(receive(server)[1][0]) == MAX_REQUEST_BYTES


def test_random_bytes_to_both_sockets_do_no_harm(server, context):
    noise = random.Random(5)
    for endpoint in (server.events_endpoint, server.commands_endpoint):
        for _ in range(20):
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(endpoint.removeprefix("ipc://"))
                try:
                    raw.sendall(noise.randbytes(noise.randrange(1, 500)))
                except OSError:
                    pass
    client = dealer(context, server)
    client.send(b"still there?")
    # libzmq takes some noise for its first protocol; such frames are the decoder's to refuse.
    while receive(server)[1] != [b"still there?"]:
        pass


def test_the_folder_and_name_are_private_and_short(server, own_home):
    path = server.commands_endpoint.removeprefix("ipc://")
    folder = os.path.dirname(path)
    assert folder == str(own_home / "run" / "chatnet")
    assert stat.S_IMODE(os.lstat(folder).st_mode) == 0o700
    assert len(socket_name("/some/session")) == ipc_module.HASH_CHARACTERS
    assert socket_name("/some/session") != socket_name("/other/session")


def test_a_vanished_or_stolen_socket_is_bound_again_and_clients_stay(server, context):
    client = dealer(context, server)
    client.send(b"1")
    route, _ = receive(server)
    path = server.commands_endpoint.removeprefix("ipc://")
    os.unlink(path)
    os.unlink(server.events_endpoint.removeprefix("ipc://"))
    server.handle_timeout(PATH_CHECK_S / 2)
    assert not os.path.exists(path)
    server.handle_timeout(PATH_CHECK_S)
    assert server.counters.rebinds == 2
    assert server.next_timeout() == 2 * PATH_CHECK_S
    server.reply(route, b"still here", 0.0)
    assert client.poll(WAIT_MS)
    newcomer = dealer(context, server)
    newcomer.send(b"2")
    assert receive(server)[1] == [b"2"]
    os.unlink(path)
    with open(path, "w", encoding="ascii") as stolen:
        stolen.write("mine")
    server.handle_timeout(2 * PATH_CHECK_S)
    assert server.counters.rebinds == 3
    latest = dealer(context, server)
    latest.send(b"3")
    assert receive(server)[1] == [b"3"]


def test_a_vanished_folder_is_made_again(server, context):
    folder = os.path.dirname(server.commands_endpoint.removeprefix("ipc://"))
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
    server.handle_timeout(PATH_CHECK_S)
    client = dealer(context, server)
    client.send(b"1")
    assert receive(server)[1] == [b"1"]


def test_binding_again_is_bounded(server, monkeypatch):
    monkeypatch.setattr(ipc_module, "MAX_REBINDS", 3)
    for round_ in range(1, 6):
        for endpoint in (server.commands_endpoint, server.events_endpoint):
            if os.path.exists(endpoint.removeprefix("ipc://")):
                os.unlink(endpoint.removeprefix("ipc://"))
        server.handle_timeout(round_ * PATH_CHECK_S)
    assert server.counters.rebinds == 3


def test_closing_removes_own_socket_files_only(own_home):
    folder = choose_socket_dir(os.environ, "x")
    server = IpcServer(folder, "s", 0.0)
    path = server.commands_endpoint.removeprefix("ipc://")
    os.unlink(path)
    with open(path, "w", encoding="ascii"):
        pass
    server.close()
    assert os.listdir(folder) == [os.path.basename(path)]


def test_a_socket_folder_is_found_when_the_login_folder_will_not_do(own_home, monkeypatch):
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(own_home / "tmp"))
    (own_home / "tmp").mkdir()
    (own_home / "run").mkdir(exist_ok=True)
    expected = str(own_home / "tmp" / f"chatnet-{os.geteuid()}")
    assert choose_socket_dir({"XDG_RUNTIME_DIR": "/" + "x" * 100}, "s") == expected
    assert choose_socket_dir({"XDG_RUNTIME_DIR": str(own_home / "run")}, "s") == str(
        own_home / "run" / "chatnet"
    )
    missing = own_home / "logged out" / "deep"
    assert choose_socket_dir({"XDG_RUNTIME_DIR": str(missing)}, "s") == expected
    assert not missing.parent.exists()
    os.symlink(own_home, own_home / "run2")
    (own_home / "chatnet").mkdir(exist_ok=True)
    os.rmdir(own_home / "chatnet")
    os.symlink(own_home / "run", own_home / "chatnet")
    assert choose_socket_dir({"XDG_RUNTIME_DIR": str(own_home / "run2")}, "s") == expected


def test_sockets_that_cannot_be_bound_are_one_sentence(own_home):
    with pytest.raises(CommandError, match="cannot be opened"):
        IpcServer(str(own_home / "missing"), "s", 0.0)


def flood(context, server):
    """A client that sends far more requests than it may; its socket, which does not reconnect."""
    client = context.socket(zmq.DEALER)
    client.setsockopt(zmq.RECONNECT_IVL, -1)
    client.sndhwm = 0
    client.connect(server.commands_endpoint)
    for _ in range(5 * (MAX_WAITING + MAX_DROPPED)):
        client.send(b"flood")
    return client


def drain_until(server, condition):
    end = time.monotonic() + WAIT_MS / 1000
    while not condition():
        assert time.monotonic() < end, "it never came"
        server.commands.poll(10)
        server.drain()


def test_a_flooding_client_is_disconnected_and_its_process_kept_out(server, context):
    flood(context, server)
    drain_until(server, lambda: server.counters.connections_ended)
    assert server.counters.requests_dropped >= MAX_WAITING + MAX_DROPPED
    assert server.receive() is None
    with zmtp.connect(server.commands_endpoint) as raw:
        assert zmtp.is_cut_while_sending(raw, b"")


def test_requests_wait_for_their_turn_without_anything_arriving(server, context):
    client = dealer(context, server)
    client.send(b"1")
    client.send(b"2")
    drain_until(server, lambda: server.next_timeout() == 0.0)
    assert receive(server)[1] == [b"1"]
    assert receive(server)[1] == [b"2"]
    assert server.next_timeout() > 0.0


def test_a_client_that_floods_and_hangs_up_does_not_abort_libzmq(server):
    """With a receive mark on the ROUTER this ends the process in a few rounds."""
    ask = zmtp.frame(b"ask" * 10)
    burst = (ask * 40 + zmtp.command(b"PING", b"\0\0")) * 100
    for _ in range(20):
        with zmtp.join(server.commands_endpoint, b"DEALER") as raw:
            zmtp.send_some(raw, burst)
        server.commands.poll(10)
        server.drain()
        server._guard._kept_out.clear()  # else the later rounds would be cut before they flood


def test_the_command_socket_is_made_anew_when_memory_is_still_held(server, context):
    client = dealer(context, server)
    client.setsockopt(zmq.RECONNECT_IVL, 10)
    client.send(b"1")
    assert receive(server)[1] == [b"1"]
    before = server.commands
    server._guard.wants_renewal = True
    server.handle_timeout(0.0)
    assert server.commands is not before
    assert before.closed
    client.send(b"2")
    assert receive(server)[1] == [b"2"]


def test_what_was_sent_last_arrives_before_the_end(own_home, context):
    server = IpcServer(choose_socket_dir(os.environ, "x"), "s", 0.0)
    listener = context.socket(zmq.SUB)
    listener.subscribe(b"")
    listener.connect(server.events_endpoint)
    while not listener.poll(1):
        server.handle_events(0.0)
        server.publish(b"H", b"head")
    client = dealer(context, server)
    client.send(b"stop")
    route, _ = receive(server)
    server.publish(b"E", b"the end")
    server.reply(route, b"done", 0.0)
    server.close()
    assert client.recv() == b"done"
    while listener.recv_multipart() != [b"E", b"the end"]:
        pass
