"""Connections: who may come, who gives way, who is gone."""

import os
import select
import socket
from functools import partial
from pathlib import Path

import pytest

import raw_zmtp as zmtp
from chatnet_engine.io.command_socket import CommandSocket
from chatnet_engine.io.local_socket import HANDSHAKE_S, SILENT_S, TICK_S
from chatnet_protocol.limits import MAX_REQUESTS_UNDER_WAY
from served_socket import ASK, Served, is_cut


def test_the_stopped_are_asked_and_then_given_up_and_the_living_stay(served: Served) -> None:
    stopped, _ = served.join()
    living, connection = served.join()
    for _ in range(10):
        served.pass_time(TICK_S)
        living.sendall(zmtp.command(b"PONG"))
        served.turn_until(lambda: connection.last_received_s == served.now_s)
    assert list(served.commands._open.values()) == [connection]
    assert zmtp.command(b"PING", b"\0\0") in stopped.recv(4096)


def test_who_waits_for_its_turn_is_not_given_up(served: Served) -> None:
    raw, connection = served.join()
    raw.sendall(ASK)
    served.commands.handle_ready(0.0)
    served.pass_time(2 * SILENT_S)
    assert connection.is_open
    assert served.turn() is not None


def test_who_speaks_3_0_is_neither_asked_nor_given_up(served: Served) -> None:
    raw = served.connect()
    raw.sendall(zmtp.GREETING[:11] + b"\0" + zmtp.GREETING[12:] + zmtp.ready(b"DEALER"))
    served.turn_until(lambda: any(served.is_idle(fd) for fd in served.commands._open))
    first = raw.recv(4096)
    served.pass_time(2 * SILENT_S)
    raw.setblocking(False)
    with pytest.raises(BlockingIOError):
        raw.recv(4096)
    assert first.endswith(zmtp.ready(b"ROUTER"))


def test_who_hangs_up_while_it_is_not_read_keeps_nobody_busy(served: Served) -> None:
    raw, connection = served.join()
    raw.sendall(ASK * MAX_REQUESTS_UNDER_WAY * 2)
    served.turn_until(lambda: connection.peer.is_parked)
    assert not select.select([served.commands.fileno()], [], [], 0)[0]
    raw.close()
    assert select.select([served.commands.fileno()], [], [], 5)[0]
    served.turn()
    assert connection.is_gone
    assert not select.select([served.commands.fileno()], [], [], 0)[0]


def test_a_newcomer_with_the_descriptor_of_one_that_ended_is_not_taken_for_it(
    served: Served,
) -> None:
    served.commands._max_connections = 1
    old, _ = served.join()
    old.sendall(ASK)
    served.commands.handle_ready(0.0)
    newcomers = [served.connect() for _ in range(3)]
    old.close()
    served.commands.handle_ready(0.0)
    assert [connection.is_gone for connection in served.commands._open.values()] == [False]
    assert newcomers


def test_who_never_says_what_it_is_is_cut(served: Served) -> None:
    raw = served.connect()
    raw.sendall(zmtp.GREETING)
    served.turn_until(lambda: served.commands._open)
    served.pass_time(HANDSHAKE_S)
    assert is_cut(raw)
    assert served.commands.ended == 1


def test_the_longest_silent_gives_way_to_a_newcomer(served: Served) -> None:
    served.commands._max_connections = 3
    joined = [served.join() for _ in range(3)]
    served.now_s = SILENT_S + 1
    for raw, connection in (joined[0], joined[2]):
        raw.sendall(ASK)
        served.turn_until(partial(getattr, connection.peer, "unanswered"))
    served.join()
    assert [c.is_open for _, c in joined] == [True, False, True]


def test_newcomers_of_a_flood_take_from_the_flood_where_all_live(served: Served) -> None:
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


def is_cut_soon(served: Served, raw: socket.socket) -> bool:
    before = served.commands.ended
    served.turn_until(lambda: served.commands.ended > before)
    return is_cut(raw)


def test_without_descriptors_somebody_makes_room_and_newcomers_wait(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_few_descriptors_mean_few_connections(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "chatnet_engine.io.local_socket.resource.getrlimit", lambda which: (256, 256)
    )
    commands = CommandSocket(str(tmp_path / "s.c"), 0.0)
    assert commands._max_connections == 64
    commands.close()


def test_other_users_are_not_let_in(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 12345)
    raw = served.connect()
    select.select([served.commands.fileno()], [], [], 5)
    served.turn()
    assert is_cut(raw)
    assert not served.commands._open


def test_a_new_file_takes_newcomers_and_clients_stay(served: Served, tmp_path: Path) -> None:
    old, first = served.join()
    os.unlink(tmp_path / "s.c")
    served.commands.rebind(str(tmp_path / "s.c"))
    served.join()
    old.sendall(ASK)
    served.turn_until(lambda: first.peer.unanswered == 1)


def test_a_place_where_nothing_can_be_bound_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        CommandSocket(str(tmp_path / "missing" / "s.c"), 0.0)
