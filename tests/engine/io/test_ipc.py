import os
import random
import select
import socket
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from chatnet_engine.io import ipc as ipc_module
from chatnet_engine.io.ipc import PATH_CHECK_S, IpcServer, choose_socket_dir, socket_name
from chatnet_engine.io.local_socket import HEARTBEAT_S
from chatnet_protocol.errors import CommandError
from chatnet_protocol.limits import MAX_IPC_PARTS, MAX_REQUEST_BYTES

WAIT_MS = 5000


@pytest.fixture
def server(own_home: Path) -> Iterator[IpcServer]:
    folder = choose_socket_dir(os.environ, str(own_home / "session"))
    server = IpcServer(folder, "s", 0.0)
    yield server
    server.close()


class Clients:
    """Makes client sockets and keeps them until the end of the test."""

    def __init__(self) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets: list[zmq.Socket[bytes]] = []

    def socket(self, kind: int) -> zmq.Socket[bytes]:
        self._sockets.append(self._context.socket(kind))
        return self._sockets[-1]

    def close(self) -> None:
        for client in self._sockets:
            client.close(linger=0)
        self._context.term()


@pytest.fixture
def context() -> Iterator[Clients]:
    context = Clients()
    yield context
    context.close()


def dealer(context: Clients, server: IpcServer) -> zmq.Socket[bytes]:
    client = context.socket(zmq.DEALER)
    client.connect(server.commands_endpoint)
    return client


def receive(server: IpcServer) -> tuple[bytes, list[bytes]]:
    while (request := server.receive(0.0)) is None:
        ready, _, _ = select.select([server.commands_fd], [], [], WAIT_MS / 1000)
        assert ready, "no request came"
        server.handle_commands(0.0)
        server.flush()
    return request


def test_a_request_and_its_reply(server: IpcServer, context: Clients) -> None:
    client = dealer(context, server)
    client.send(b"ask")
    routing_id, frames = receive(server)
    assert frames == [b"ask"]
    server.reply(routing_id, b"answer")
    server.flush()
    assert client.poll(WAIT_MS)
    assert client.recv_multipart() == [b"answer"]
    assert server.receive(0.0) is None
    assert (server.counters.requests, server.counters.replies) == (1, 1)


def test_publications_reach_subscribers(server: IpcServer, context: Clients) -> None:
    listener = context.socket(zmq.SUB)
    listener.subscribe(b"E")
    listener.connect(server.events_endpoint)
    while not listener.poll(1):
        server.handle_events(0.0)
        server.publish(b"H", b"not for me")
        server.publish(b"E", b"event")
        server.flush()
    assert listener.recv_multipart() == [b"E", b"event"]


def test_replies_to_nobody_are_dropped_and_counted(server: IpcServer) -> None:
    server.reply(b"gone", b"answer")
    assert server.counters.replies_dropped == 1
    assert server.counters.replies == 0


def test_random_bytes_to_both_sockets_do_no_harm(server: IpcServer, context: Clients) -> None:
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
    assert receive(server)[1] == [b"still there?"]


def test_the_folder_and_name_are_private_and_short(server: IpcServer, own_home: Path) -> None:
    path = server.commands_endpoint.removeprefix("ipc://")
    folder = os.path.dirname(path)
    assert folder == str(own_home / "run" / "chatnet")
    assert stat.S_IMODE(os.lstat(folder).st_mode) == 0o700
    assert len(socket_name("/some/session")) == ipc_module.HASH_CHARACTERS
    assert socket_name("/some/session") != socket_name("/other/session")


def test_a_vanished_or_stolen_socket_is_bound_again_and_clients_stay(
    server: IpcServer, context: Clients
) -> None:
    client = dealer(context, server)
    client.send(b"1")
    routing_id, _ = receive(server)
    path = server.commands_endpoint.removeprefix("ipc://")
    os.unlink(path)
    os.unlink(server.events_endpoint.removeprefix("ipc://"))
    server.handle_timeout(PATH_CHECK_S / 2)
    assert not os.path.exists(path)
    server.handle_timeout(PATH_CHECK_S)
    assert server.counters.rebinds == 2
    assert server.next_timeout() == 2 * PATH_CHECK_S
    server.reply(routing_id, b"still here")
    server.flush()
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


def test_a_vanished_folder_is_made_again(server: IpcServer, context: Clients) -> None:
    folder = os.path.dirname(server.commands_endpoint.removeprefix("ipc://"))
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    os.rmdir(folder)
    server.handle_timeout(PATH_CHECK_S)
    client = dealer(context, server)
    client.send(b"1")
    assert receive(server)[1] == [b"1"]


def test_binding_again_is_bounded(server: IpcServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ipc_module, "MAX_REBINDS", 3)
    for round_ in range(1, 6):
        for endpoint in (server.commands_endpoint, server.events_endpoint):
            if os.path.exists(endpoint.removeprefix("ipc://")):
                os.unlink(endpoint.removeprefix("ipc://"))
        server.handle_timeout(round_ * PATH_CHECK_S)
    assert server.counters.rebinds == 3


def test_closing_removes_own_socket_files_only(own_home: Path) -> None:
    folder = choose_socket_dir(os.environ, "x")
    server = IpcServer(folder, "s", 0.0)
    path = server.commands_endpoint.removeprefix("ipc://")
    os.unlink(path)
    with open(path, "w", encoding="ascii"):
        pass
    server.close()
    assert os.listdir(folder) == [os.path.basename(path)]


def test_a_socket_folder_is_found_when_the_login_folder_will_not_do(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_sockets_that_cannot_be_bound_are_one_sentence(own_home: Path) -> None:
    with pytest.raises(CommandError, match="cannot be opened"):
        IpcServer(str(own_home / "missing"), "s", 0.0)


def test_requests_wait_for_their_turn_without_anything_arriving(
    server: IpcServer, context: Clients
) -> None:
    client = dealer(context, server)
    client.send(b"1")
    client.send(b"2")
    assert receive(server)[1] == [b"1"]
    assert receive(server)[1] == [b"2"]
    assert server.receive(0.0) is None
    assert server.next_timeout() > 0.0


def serve_until(
    server: IpcServer, answer: Callable[[list[bytes]], bytes], condition: Callable[[], object]
) -> None:
    """Answer every request with `answer(frames)` until the condition holds."""
    until = time.monotonic() + WAIT_MS / 1000
    while not condition():
        assert time.monotonic() < until, "it never came"
        select.select([server.commands_fd], [], [], 0.01)
        server.handle_commands(time.monotonic())
        while request := server.receive(time.monotonic()):
            server.reply(request[0], answer(request[1]))
        server.flush()


def test_libzmqs_req_is_served_with_its_delimiter(server: IpcServer, context: Clients) -> None:
    client = context.socket(zmq.REQ)
    client.connect(server.commands_endpoint)
    for number in range(3):
        client.send(b"%d" % number)
        serve_until(server, lambda frames: frames[0] * 2, lambda: client.poll(0))
        assert client.recv_multipart() == [b"%d" % number * 2]


def test_libzmqs_multipart_arrives_whole_and_one_with_too_many_parts_ends_the_connection(
    server: IpcServer, context: Clients
) -> None:
    client = dealer(context, server)
    client.setsockopt(zmq.RECONNECT_IVL, 10)
    client.send_multipart([b"x"] * MAX_IPC_PARTS)
    assert receive(server)[1] == [b"x"] * MAX_IPC_PARTS
    client.send_multipart([b"x"] * (MAX_IPC_PARTS + 1))
    serve_until(server, lambda frames: b"", lambda: server.counters.connections_ended == 1)
    client.send(b"again")
    assert receive(server)[1] == [b"again"]


def test_libzmqs_oversized_frame_ends_that_connection_only(
    server: IpcServer, context: Clients
) -> None:
    good, bad = dealer(context, server), dealer(context, server)
    bad.setsockopt(zmq.RECONNECT_IVL, -1)
    bad.send(bytes(MAX_REQUEST_BYTES + 1))
    good.send(b"fits")
    assert receive(server)[1] == [b"fits"]
    good.send(bytes(MAX_REQUEST_BYTES))
    assert len(receive(server)[1][0]) == MAX_REQUEST_BYTES


def test_libzmq_reconnects_by_itself_and_is_another_client_then(
    server: IpcServer, context: Clients
) -> None:
    client = dealer(context, server)
    client.setsockopt(zmq.RECONNECT_IVL, 10)
    client.send(b"1")
    before, _ = receive(server)
    for connection in list(server._commands._open.values()):
        server._commands._close(connection)
    server.reply(before, b"to nobody")
    assert server.counters.replies_dropped == 1
    client.send(b"2")
    after, frames = receive(server)
    assert frames == [b"2"]
    assert after != before
    server.reply(after, b"answer")
    server.flush()
    assert client.poll(WAIT_MS)
    assert client.recv() == b"answer"


def test_two_libzmq_clients_of_the_same_identity_are_two_clients(
    server: IpcServer, context: Clients
) -> None:
    clients = [context.socket(zmq.DEALER) for _ in range(2)]
    for number, client in enumerate(clients):
        client.setsockopt(zmq.IDENTITY, b"the same")
        client.connect(server.commands_endpoint)
        client.send(b"%d" % number)
    routes = {frames[0]: routing_id for routing_id, frames in (receive(server), receive(server))}
    for number, client in enumerate(clients):
        server.reply(routes[b"%d" % number], b"%d" % number)
        server.flush()
        assert client.poll(WAIT_MS)
        assert client.recv() == b"%d" % number


def test_many_large_replies_reach_libzmq_in_order_however_late_it_reads(
    server: IpcServer, context: Clients
) -> None:
    client = context.socket(zmq.DEALER)
    client.rcvhwm = 1
    client.sndhwm = 0
    client.connect(server.commands_endpoint)
    for number in range(100):
        client.send(b"%d" % number)
    received = []

    def read_one() -> bool:
        if client.poll(0):
            received.append(client.recv())
        return len(received) == 100

    serve_until(server, lambda frames: frames[0].ljust(200_000), read_one)
    assert [int(reply) for reply in received] == list(range(100))


def test_libzmqs_heartbeats_are_answered_and_it_answers_ours(
    server: IpcServer, context: Clients
) -> None:
    client = context.socket(zmq.DEALER)
    client.setsockopt(zmq.HEARTBEAT_IVL, 10)
    client.setsockopt(zmq.HEARTBEAT_TIMEOUT, 2000)
    client.setsockopt(zmq.RECONNECT_IVL, -1)
    client.connect(server.commands_endpoint)
    client.send(b"1")
    routing_id, _ = receive(server)
    (connection,) = server._commands._open.values()
    assert connection.peer.wire.knows_ping
    until_s = HEARTBEAT_S
    server.handle_timeout(until_s)
    while connection.last_received_s < until_s:
        select.select([server.commands_fd], [], [], 0.01)
        server.handle_commands(until_s)
        server.receive(until_s)
    server.reply(routing_id, b"answer")
    server.flush()
    assert client.poll(WAIT_MS)


def test_what_was_sent_last_arrives_before_the_end(own_home: Path, context: Clients) -> None:
    server = IpcServer(choose_socket_dir(os.environ, "x"), "s", 0.0)
    listener = context.socket(zmq.SUB)
    listener.subscribe(b"")
    listener.connect(server.events_endpoint)
    while not listener.poll(1):
        server.handle_events(0.0)
        server.publish(b"H", b"head")
        server.flush()
    client = dealer(context, server)
    client.send(b"stop")
    routing_id, _ = receive(server)
    server.publish(b"E", b"the end")
    server.reply(routing_id, b"done")
    server.close()
    assert client.recv() == b"done"
    while listener.recv_multipart() != [b"E", b"the end"]:
        pass
