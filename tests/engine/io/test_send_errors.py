"""R24 on whole engines: what the socket refuses to send is loss, counted and repaired."""

import errno
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from chatnet_client.client import Client
from chatnet_engine.io import engine as engine_module
from chatnet_engine.io.engine import Engine, EngineConfig
from chatnet_protocol.ipc.commands import AddPeer, FetchStatus, Status, StopEngine
from chatnet_protocol.ipc.rows import LinkState
from chatnet_protocol.ipc.session_files import CONNECTION_FILE, session_dir

WITHIN_S = 20.0
REFUSED = 6
"""Calls that fail in a row: the message, its copies and its first probes."""


class MoodySocket:
    """The real socket, but sends fail as often as told."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.code = 0
        self.left = 0
        self.failed = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendto(self, *args: Any) -> int:
        self._fail()
        return self._sock.sendto(*args)

    def sendmsg(self, *args: Any) -> int:
        self._fail()
        return self._sock.sendmsg(*args)

    def _fail(self) -> None:
        if self.left:
            self.left -= 1
            self.failed += 1
            raise OSError(self.code, os.strerror(self.code))


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[MoodySocket]]:
    """Two that have found each other, each turning in a thread, with their sockets."""
    monkeypatch.setattr(engine_module, "file_command", lambda *about: ["/bin/cat"])
    made: list[Engine] = []
    threads: list[threading.Thread] = []
    sockets: list[MoodySocket] = []
    for name in "ab":
        host, port = ("127.0.0.1", made[0].session.port) if made else ("", 0)
        config = EngineConfig(0, host, port, session=name, bind="127.0.0.1")
        made.append(Engine(config, os.environ))
        udp = made[-1]._machine.udp
        sockets.append(MoodySocket(udp._sock))
        udp._sock = cast(socket.socket, sockets[-1])
        threads.append(threading.Thread(target=made[-1].run))
        threads[-1].start()
    yield sockets
    for name, thread in zip("ab", threads, strict=True):
        with attach(name) as client:
            client.request(StopEngine("the test is over"))
        thread.join(WITHIN_S)
    for engine in reversed(made):
        engine.close()


def attach(name: str) -> Client:
    folder = session_dir(os.environ["CHATNET_HOME"], name)
    return Client.attach(f"{folder}/{CONNECTION_FILE}", name="test")


def is_up(client: Client) -> bool:
    return any(peer.link.state == LinkState.UP for peer in client.view.peers)


def errors_told(client: Client) -> int:
    return int(client.ask(FetchStatus(), Status).facts["socket_send_errors"])


def delivered(client: Client) -> int:
    """How many of its messages the first peer has committed."""
    return client.view.peers[0].delivered_seq


def test_r24_what_cannot_be_sent_is_loss_to_a_whole_engine(engines: list[MoodySocket]) -> None:
    with attach("b") as caller, attach("a") as callee:
        callee.request(AddPeer("127.0.0.1", caller.view.session.port))
        assert caller.wait_until(lambda: is_up(caller), WITHIN_S)
        codes = (
            errno.EMSGSIZE,
            errno.ECONNREFUSED,
            errno.ENETUNREACH,
            errno.ENOBUFS,
            errno.EPERM,
        )
        sent = []
        for code in codes:
            before = errors_told(caller)
            for sock in engines:
                sock.code, sock.left = code, REFUSED
            sent.append(os.strerror(code))
            caller.send_message(1, sent[-1])
            assert caller.wait_until(lambda: delivered(caller) == len(sent), WITHIN_S)
            assert errors_told(caller) > before
        assert callee.wait_until(lambda: len(callee.view.peers[0].messages) == len(sent), WITHIN_S)
        assert [row.text for row in callee.view.peers[0].messages] == sent
        assert all(sock.failed > len(codes) for sock in engines)
        assert caller.view.peers[0].link.links == 1
