"""A machine with real sockets and threads but a fake ledger, and a fake node to drive it."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatnet_engine.io import file_link
from chatnet_engine.io.address_watch import AddressWatch
from chatnet_engine.io.backup import BackupMaker, SessionPaths
from chatnet_engine.io.clock import read_now
from chatnet_engine.io.file_link import FileLink
from chatnet_engine.io.ipc import IpcServer, choose_socket_dir
from chatnet_engine.io.machine import Machine
from chatnet_engine.io.resolver import Resolver
from chatnet_engine.io.runner import Runner
from chatnet_engine.io.store import HistoryReader, Store
from chatnet_engine.io.stretcher import Stretcher
from chatnet_engine.io.trace_log import TraceLog
from chatnet_engine.io.trace_stream import TraceStream
from chatnet_engine.io.udp import UdpSocket, open_udp
from chatnet_engine.io.wakeup import WakeUp
from chatnet_engine.trace import Tracer
from io_parts import SESSION, EmptyLedger, FakeNode
from served_socket import Served

ECHO = """
import socket, sys
with socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1])) as end:
    while data := end.recv(65536):
        if b"die" in data:
            sys.exit(1)
        end.sendall(data)
"""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was asked to end may take long on a busy machine; it is waited for."""
    monkeypatch.setattr(file_link, "END_TIMEOUT_S", 60.0)
    monkeypatch.setattr(file_link, "KILL_WAIT_S", 60.0)


@pytest.fixture
def node() -> FakeNode:
    return FakeNode()


@pytest.fixture
def machine(own_home: Path) -> Iterator[Machine]:
    with ExitStack() as undo:
        wakeup = WakeUp()
        undo.callback(wakeup.close)
        udp = open_udp("127.0.0.1", 0)
        undo.callback(udp.close)
        now = read_now()
        ipc = IpcServer(choose_socket_dir(os.environ, "s"), "s", now.mono_s)
        undo.callback(ipc.close)
        store = Store(EmptyLedger, SESSION, wakeup.ring)
        undo.callback(store.stop)
        files = FileLink([sys.executable, "-c", ECHO])
        undo.callback(files.close)
        history = HistoryReader(EmptyLedger, wakeup.ring)
        undo.callback(history.stop)
        yield Machine(
            wakeup=wakeup,
            udp=udp,
            ipc=ipc,
            store=store,
            history=history,
            backups=BackupMaker(SessionPaths("", "", ""), wakeup.ring),
            resolver=Resolver(udp.family, wakeup.ring),
            stretcher=Stretcher(wakeup.ring),
            files=files,
            addresses=AddressWatch(None),
            trace_log=TraceLog(b"salt", full=False),
            trace_stream=TraceStream(ipc, Tracer(), b"bootboot", b"salt"),
            now=now,
        )


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(str(tmp_path / "s.c"))
    yield served
    served.close()


@pytest.fixture
def runner(node: FakeNode, machine: Machine) -> Runner:
    return Runner(node, machine, read_now)


@pytest.fixture
def peer() -> Iterator[UdpSocket]:
    peer = open_udp("127.0.0.1", 0)
    yield peer
    peer.close()
