"""The listener and the handshake, in one process."""

import contextlib
import errno
import resource
import selectors
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from chatnet_engine.files import process_wire as pw
from chatnet_engine.io import file_connect
from chatnet_engine.io.file_channel import ConnectionCut, FileChannel
from chatnet_engine.io.file_connect import Listener, Unreachable, dial
from chatnet_protocol.wire.control import Suite
from chatnet_protocol.wire.file_records import MAX_UNKNOWN_CONNECTIONS, RecordType

HANDLE = b"handle--"
TOKEN = bytes(range(32))


def connect(
    port: int = 0, *, handle: bytes = HANDLE, token: bytes = TOKEN, suite: int = Suite.AESGCM
) -> pw.Connect:
    addrs = [("127.0.0.1", port)] if port else []
    return pw.Connect(handle, token, suite, addrs, 60.0)


class Hall:
    """A listener with its loop, and diallers in threads."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.listener = Listener(self.selector, "127.0.0.1", 0)
        self.dialled: list[FileChannel | type[Unreachable]] = []
        self.opened: list[socket.socket] = []

    def turn(self, timeout_s: float = 0.5) -> None:
        for key, _ in self.selector.select(timeout_s):
            key.data()

    def dial(self, ask: pw.Connect) -> FileChannel | None:
        """What the dialler gets, while the loop runs."""

        def work() -> None:
            try:
                self.dialled.append(dial(ask, lambda _: True))
            except Unreachable:
                self.dialled.append(Unreachable)

        thread = threading.Thread(target=work)
        count = len(self.dialled)
        thread.start()
        while len(self.dialled) == count:
            self.turn(0.02)
        thread.join()
        got = self.dialled[-1]
        return got if isinstance(got, FileChannel) else None

    def raw(self) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", self.listener.port), timeout=60)
        self.opened.append(sock)
        return sock

    def close(self) -> None:
        for got in self.dialled:
            if isinstance(got, FileChannel):
                got.close()
        for _, channel in self.listener.take_ready():
            channel.close()
        for one in self.opened:
            one.close()
        for key in list(self.selector.get_map().values()):
            sock = key.fileobj
            assert isinstance(sock, socket.socket)
            sock.close()
        self.selector.close()


@pytest.fixture
def hall() -> Iterator[Hall]:
    hall = Hall()
    yield hall
    hall.close()


@pytest.mark.parametrize("suite", Suite)
def test_who_knows_the_token_shares_keys(hall: Hall, suite: Suite) -> None:
    hall.listener.expect(7, connect(suite=suite))
    dialler = hall.dial(connect(hall.listener.port, suite=suite))
    assert dialler is not None
    ((job, channel),) = hall.listener.take_ready()
    assert job == 7
    dialler.send(RecordType.DATA, b"there")
    assert [(k, bytes(b)) for k, b in channel.receive(5)] == [(RecordType.DATA, b"there")]
    channel.send(RecordType.END)
    assert [k for k, _ in dialler.receive(5)] == [RecordType.END]
    assert dialler.ended
    assert dialler.receive(0) == []
    channel.close()
    with pytest.raises(ConnectionCut):
        dialler.receive(5)


@pytest.mark.parametrize(
    "wrong",
    [{"handle": b"another-"}, {"token": bytes(32)}, {"suite": Suite.CHACHA}],
    ids=["handle", "token", "suite"],
)
def test_who_does_not_is_closed_and_the_token_stays_good(
    hall: Hall, wrong: dict[str, bytes | int]
) -> None:
    hall.listener.expect(7, connect())
    assert hall.dial(connect(hall.listener.port, **wrong)) is None  # type: ignore[arg-type]
    assert hall.listener.refused == 1
    assert hall.dial(connect(hall.listener.port)) is not None


def test_a_token_is_used_once(hall: Hall) -> None:
    hall.listener.expect(7, connect())
    assert hall.dial(connect(hall.listener.port)) is not None
    assert hall.dial(connect(hall.listener.port)) is None


def test_a_forgotten_job_is_not_waited_for(hall: Hall) -> None:
    hall.listener.expect(7, connect())
    hall.listener.forget(7)
    assert hall.dial(connect(hall.listener.port)) is None


def test_the_oldest_stranger_gives_way(hall: Hall) -> None:
    strangers = [hall.raw() for _ in range(MAX_UNKNOWN_CONNECTIONS + 3)]
    while hall.listener.refused < 3:
        hall.turn()
    for gone in strangers[:3]:
        assert gone.recv(1) == b""
    strangers[3].sendall(b"still there")
    hall.turn()
    assert hall.listener.refused == 3


def test_silence_and_waiting_end_in_time(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    hall.listener.expect(7, connect())
    silent = hall.raw()
    hall.turn()
    assert hall.listener.next_timeout() == 1005.0
    now = 1005.0
    assert hall.listener.take_expired() == []
    assert silent.recv(1) == b""
    assert hall.listener.next_timeout() == 1060.0
    now = 1060.0
    assert hall.listener.take_expired() == [7]
    assert hall.listener.next_timeout() is None


def test_the_oldest_of_too_many_tokens_is_forgotten(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_connect, "MAX_EXPECTED", 2)
    for job in range(3):
        hall.listener.expect(job, connect(handle=bytes([job]) * 8))
    assert hall.dial(connect(hall.listener.port, handle=bytes(8))) is None
    assert hall.dial(connect(hall.listener.port, handle=bytes([2]) * 8)) is not None


def test_nobody_to_dial() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        for addrs in ([("127.0.0.1", port)], [("no-address", 1)], [("127.0.0.1", 0)], []):
            ask = pw.Connect(HANDLE, TOKEN, Suite.CHACHA, addrs, 60.0)
            with pytest.raises(Unreachable):
                dial(ask, lambda _: True)


def test_a_dial_that_hangs_ends_at_once_when_its_socket_is_shut_down() -> None:
    """A full backlog drops further SYNs, so connecting takes until its time is over."""
    with socket.socket() as trap, contextlib.ExitStack() as filling:
        trap.bind(("127.0.0.1", 0))
        trap.listen(0)
        for _ in range(3):
            sock = filling.enter_context(socket.socket())
            sock.setblocking(False)
            assert sock.connect_ex(trap.getsockname()) in (0, errno.EINPROGRESS)
        kept: list[socket.socket] = []
        is_kept = threading.Event()

        def keep(sock: socket.socket) -> bool:
            kept.append(sock)
            is_kept.set()
            return True

        def work() -> None:
            with contextlib.suppress(Unreachable):
                dial(connect(trap.getsockname()[1]), keep)

        thread = threading.Thread(target=work)
        thread.start()
        assert is_kept.wait(10)
        began = time.monotonic()
        while thread.is_alive():  # connecting may begin right after the socket was kept
            with contextlib.suppress(OSError):
                kept[0].shutdown(socket.SHUT_RDWR)
            thread.join(0.05)
        assert time.monotonic() - began < file_connect.DIAL_TIMEOUT_S / 2


def test_without_descriptors_the_listener_pauses_and_goes_on(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_connect, "FULL_PAUSE_S", 0.01)
    visitor = socket.create_connection(("127.0.0.1", hall.listener.port))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with visitor, contextlib.ExitStack() as back:
        back.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (visitor.fileno() + 1, hard))
        hall.turn()
        due_s = hall.listener.next_timeout()
        assert due_s is not None
        assert hall.selector.select(0) == [], "it does not spin on what it cannot accept"
    while time.monotonic() < due_s:
        pass
    hall.listener.take_expired()
    hall.listener.expect(1, connect())
    assert hall.dial(connect(hall.listener.port)) is not None
