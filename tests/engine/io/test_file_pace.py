"""Pacing of real sockets: what the kernel says, and what is asked of it."""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from chatnet_engine.files.pacing import TICK_S, Decision
from chatnet_engine.files.process_wire import STALLED_S, Stalled
from chatnet_engine.io import file_pace
from chatnet_engine.io.file_pace import (
    SO_MAX_PACING_RATE,
    UNLIMITED,
    PacedSocket,
    PacedSockets,
    PacingUnavailable,
    read_sample,
    read_wait,
)
from chatnet_protocol.ipc.reasons import TransferReason


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    with near, far:
        yield near, far


def rate_of(sock: socket.socket) -> int:
    raw = sock.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 8)
    (rate,) = struct.unpack("=Q", raw)
    return int(rate)


def control_of(sock: socket.socket) -> bytes:
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0")


def test_the_kernels_counters_are_read(pair: tuple[socket.socket, socket.socket]) -> None:
    near, far = pair
    before = read_sample(near)
    near.sendall(bytes(100_000))
    left = 100_000
    while left:
        left -= len(far.recv(left))
    far.sendall(b"x")
    near.recv(1)  # so the acknowledgements have come as well
    after = read_sample(near)
    assert after.sent_bytes - before.sent_bytes == 100_000
    assert after.delivered_bytes > before.delivered_bytes
    assert after.segments_in > before.segments_in
    assert 0 < after.rtt_s < 1
    assert after.mss > 500


@pytest.fixture
def a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_pace, "is_on_this_machine", lambda sock: False)


def test_what_stays_on_this_machine_is_not_paced_however_late_its_acknowledgements_are(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _ = pair
    sample = read_sample(near)
    paced = PacedSocket(near, 0.0)
    for tick in range(1, 200):
        late = sample._replace(rtt_s=0.04, segments_in=tick, sent_bytes=tick * 320)
        monkeypatch.setattr(file_pace, "read_sample", lambda sock, late=late: late)
        paced.tick(tick * TICK_S)
    assert rate_of(near) == UNLIMITED
    assert control_of(near) == file_pace.CALM_CONTROL


@pytest.mark.usefixtures("a_line")
def test_a_socket_is_paced_from_its_first_byte_and_free_on_a_free_line(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _ = pair
    slow = read_sample(near)._replace(rtt_s=0.05, mss=1448)
    monkeypatch.setattr(file_pace, "read_sample", lambda sock: slow)
    paced = PacedSocket(near, 0.0)
    assert rate_of(near) == int(10 * 1448 / 0.05)
    fast = slow._replace(rtt_s=0.00005)
    monkeypatch.setattr(file_pace, "read_sample", lambda sock: fast)
    free = PacedSocket(near, 0.0)
    free.tick(TICK_S)
    assert rate_of(near) == UNLIMITED
    assert free.due_s > paced.due_s


@pytest.fixture
def lossy(pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What takes BBR's place, which is not to be had everywhere."""
    name = control_of(pair[0])
    monkeypatch.setattr(file_pace, "LOSSY_CONTROL", name)
    return name


@pytest.mark.usefixtures("a_line")
def test_while_a_line_loses_packets_another_congestion_control_is_used(
    pair: tuple[socket.socket, socket.socket], lossy: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _ = pair
    sample = read_sample(near)
    paced = PacedSocket(near, 0.0)
    calm, controls = control_of(near), []
    for tick in range(800):  # two seconds of loss, six without
        again = sample._replace(retransmissions=min(tick, 200) // 10)
        monkeypatch.setattr(file_pace, "read_sample", lambda sock, again=again: again)
        paced.tick(tick * TICK_S)
        controls.append(control_of(near))
    assert calm == file_pace.CALM_CONTROL
    assert [controls[tick] for tick in (10, 100, 300, 799)] == [calm, lossy, lossy, calm]


@pytest.mark.usefixtures("a_line")
def test_a_restart_ends_with_the_same_congestion_control(
    pair: tuple[socket.socket, socket.socket], lossy: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _ = pair
    chosen: list[bytes] = []
    choose = file_pace.choose

    def record(sock: socket.socket, control: bytes) -> bool:
        chosen.append(control)
        return choose(sock, control)

    paced = PacedSocket(near, 0.0)
    monkeypatch.setattr(paced._pacer, "handle_sample", lambda now, sample: Decision(1e6, True))
    monkeypatch.setattr(file_pace, "choose", record)
    paced.tick(TICK_S)
    assert chosen == [lossy, file_pace.CALM_CONTROL]
    assert control_of(near) == file_pace.CALM_CONTROL
    assert rate_of(near) == 1_000_000


@pytest.mark.usefixtures("a_line")
def test_without_the_other_one_the_system_chooses(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    near, _ = pair
    monkeypatch.setattr(file_pace, "LOSSY_CONTROL", b"none")
    before = control_of(near)
    paced = PacedSocket(near, 0.0)
    monkeypatch.setattr(paced._pacer, "handle_sample", lambda now, sample: Decision(1e6, True))
    paced.tick(TICK_S)
    assert control_of(near) == before


def test_a_receiver_that_takes_nothing_is_recognised(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    near, _ = pair
    near.setblocking(False)
    until_s = time.monotonic() + 20
    wait: TransferReason | None = None
    while wait is not TransferReason.RECEIVER_BUSY and time.monotonic() < until_s:
        with contextlib.suppress(BlockingIOError):
            near.send(bytes(65536))
        wait = read_wait(near)
    assert wait is TransferReason.RECEIVER_BUSY


def test_a_stall_is_reported_once_until_bytes_move_again(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    still = read_sample(pair[0])
    monkeypatch.setattr(file_pace, "read_sample", lambda sock: still)
    monkeypatch.setattr(file_pace, "read_wait", lambda sock: TransferReason.PATH_SILENT)
    sockets = PacedSockets()
    sockets.add(1, pair[0], 0.0)
    assert sockets.handle_timeout(1.0) == []
    assert sockets.handle_timeout(1.0 + STALLED_S) == [Stalled(1, TransferReason.PATH_SILENT)]
    assert sockets.handle_timeout(2.0 + STALLED_S) == []
    moved = still._replace(delivered_bytes=still.delivered_bytes + 1)
    monkeypatch.setattr(file_pace, "read_sample", lambda sock: moved)
    assert sockets.handle_timeout(3.0 + STALLED_S) == []
    assert sockets.handle_timeout(4.0 + 2 * STALLED_S) == [Stalled(1, TransferReason.PATH_SILENT)]


def test_what_is_no_tcp_is_not_paced() -> None:
    near, far = socket.socketpair()
    with near, far:
        with pytest.raises(PacingUnavailable):
            PacedSocket(near, 0.0)
        sockets = PacedSockets()
        sockets.add(1, near, 0.0)
        assert sockets.next_timeout() is None


@pytest.mark.usefixtures("a_line")
def test_a_socket_that_its_owner_closed_is_forgotten(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    sockets = PacedSockets()
    sockets.add(1, pair[0], 5.0)
    assert sockets.next_timeout() == pytest.approx(5.0 + TICK_S)
    sockets.handle_timeout(5.0)
    pair[0].close()
    sockets.handle_timeout(6.0)
    assert sockets.next_timeout() is None
    sockets.remove(1)
