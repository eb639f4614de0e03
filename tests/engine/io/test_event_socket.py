import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
import zmq

import raw_zmtp as zmtp
from chatnet_engine.io import event_socket
from chatnet_engine.io.event_socket import ALLOWANCE_BYTES, SNDHWM, EventSocket
from chatnet_engine.io.local_socket import HANDSHAKE_S, HEARTBEAT_S, SILENT_S, TICK_S

TURNS = 2000
PONG = zmtp.command(b"PONG")


@pytest.fixture
def events(tmp_path: Path) -> Iterator[EventSocket]:
    events = EventSocket(str(tmp_path / "s.e"), 0.0)
    yield events
    events.close()


def turn_until(events: EventSocket, condition: Callable[[], object], now_s: float = 0.0) -> None:
    for _ in range(TURNS):
        events.handle_ready(now_s)
        events.flush()
        if condition():
            return
        zmq.select([events.fileno()], [], [], 0.01)
    raise AssertionError("it never came")


def join(events: EventSocket, tmp_path: Path, *topics: bytes) -> socket.socket:
    """A subscriber after the handshake, whose subscriptions have been taken in."""
    known = set(events._open)
    raw = zmtp.connect(f"ipc://{tmp_path}/s.e")
    ready = zmtp.command(b"READY", b"\x0bSocket-Type\x00\x00\x00\x03SUB")
    raw.sendall(zmtp.GREETING + ready + b"".join(zmtp.frame(b"\1" + topic) for topic in topics))
    turn_until(
        events,
        lambda: any(
            connection.peer.topics == set(topics) and connection.peer.wire.is_ready
            for fd, connection in events._open.items()
            if fd not in known
        ),
    )
    raw.settimeout(20)
    return raw


def received_at(events: EventSocket, now_s: float) -> bool:
    return last_heard(events) == now_s


def last_heard(events: EventSocket) -> float:
    return max((connection.last_received_s for connection in events._open.values()), default=-1.0)


def is_cut(raw: socket.socket) -> bool:
    try:
        while raw.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def test_traces_go_only_to_who_names_their_topic(events: EventSocket, tmp_path: Path) -> None:
    with join(events, tmp_path, b"") as everything, join(events, tmp_path, b"T") as follower:
        assert (events.is_wanted(b"T"), events.is_wanted(b"P")) == (True, False)
        events.publish(b"T", b"trace")
        events.publish(b"E", b"event")
        events.flush()
        seen = [b"", b""]
        for index, (raw, last) in enumerate(((everything, b"event"), (follower, b"trace"))):
            while not seen[index].endswith(last):
                seen[index] += raw.recv(65536)
    assert b"trace" not in seen[0]
    assert b"event" not in seen[1]
    turn_until(events, lambda: not events.is_wanted(b"T"))


def test_publications_reach_who_subscribed(events: EventSocket, tmp_path: Path) -> None:
    with join(events, tmp_path, b"E") as raw:
        events.publish(b"H", b"not for it")
        events.publish(b"E", b"event")
        events.flush()
        data = b""
        while not data.endswith(b"event"):
            data += raw.recv(4096)
        assert b"not for it" not in data


def test_libzmq_subscribes_and_both_heartbeats_are_answered(
    events: EventSocket, tmp_path: Path
) -> None:
    with zmq.Context() as context, context.socket(zmq.SUB) as listener:
        listener.linger = 0
        listener.setsockopt(zmq.HEARTBEAT_IVL, 10)
        listener.subscribe(b"E")
        listener.connect(f"ipc://{tmp_path}/s.e")
        turn_until(events, lambda: any(c.peer.topics for c in events._open.values()))
        events.handle_timeout(HEARTBEAT_S)
        (connection,) = events._open.values()
        turn_until(events, lambda: connection.last_received_s == HEARTBEAT_S, HEARTBEAT_S)
        large = os.urandom(300_000)
        events.publish(b"E", large)
        events.publish(b"E", b"small")
        turn_until(events, lambda: listener.poll(0))
        assert listener.recv_multipart() == [b"E", large]
        assert listener.recv_multipart() == [b"E", b"small"]


def test_who_does_not_read_loses_and_is_not_waited_for(events: EventSocket, tmp_path: Path) -> None:
    with join(events, tmp_path, b"E"):
        for _ in range(10 * SNDHWM):
            events.publish(b"E", bytes(65536))
        (connection,) = events._open.values()
        assert len(connection.waiting) <= SNDHWM
        assert events.unsent_bytes <= event_socket.SNDHWM_BYTES + 2 * 65536


def test_a_burst_in_one_turn_reaches_who_reads(events: EventSocket, tmp_path: Path) -> None:
    with join(events, tmp_path, b"E") as raw:
        for number in range(3 * SNDHWM):
            events.publish(b"E", b"%d." % number)
        events.flush()
        data = b""
        while not data.endswith(b"%d." % (3 * SNDHWM - 1)):
            data += raw.recv(65536)


def test_who_says_too_much_is_cut(events: EventSocket, tmp_path: Path) -> None:
    with join(events, tmp_path, b"E") as raw:
        raw.sendall(zmtp.frame(b"\1E") * ALLOWANCE_BYTES)
        turn_until(events, lambda: not events._open)
        assert is_cut(raw)
        assert events.ended == 1


def test_who_says_little_for_long_may_go_on(events: EventSocket, tmp_path: Path) -> None:
    with join(events, tmp_path, b"E") as raw:
        for number in range(1, 200):
            raw.sendall(zmtp.command(b"PONG", bytes(40)))
            now_s = float(number)
            turn_until(events, partial(received_at, events, now_s), now_s)
        assert events._open


def test_too_many_subscribers_take_from_the_process_that_has_most(
    events: EventSocket, tmp_path: Path
) -> None:
    events._max_connections = 3
    first = [join(events, tmp_path, b"E") for _ in range(3)]
    last = zmtp.connect(f"ipc://{tmp_path}/s.e")
    last.settimeout(20)
    turn_until(events, lambda: events.ended == 1)
    assert is_cut(last)
    assert len(events._open) == 3
    for raw in (*first, last):
        raw.close()


def test_the_silent_and_those_that_never_say_what_they_are_go(
    events: EventSocket, tmp_path: Path
) -> None:
    with join(events, tmp_path, b"E"), zmtp.connect(f"ipc://{tmp_path}/s.e"):
        turn_until(events, lambda: len(events._open) == 2)
        events.handle_timeout(HANDSHAKE_S)
        assert len(events._open) == 1
        assert events.next_timeout() == HANDSHAKE_S + TICK_S
        events.handle_timeout(HANDSHAKE_S + 0.1)
        events.handle_timeout(SILENT_S)
        assert not events._open


def test_who_takes_nothing_for_long_is_cut_and_who_takes_a_little_is_not(
    events: EventSocket, tmp_path: Path
) -> None:
    with join(events, tmp_path, b"E") as raw:
        events.publish(b"E", bytes(5_000_000))
        events.flush()
        for second in range(1, 20):
            raw.recv(300_000)
            raw.sendall(PONG)
            turn_until(events, partial(received_at, events, float(second)), float(second))
            events.handle_timeout(float(second))
        assert events.ended == 0
        for second in range(20, 20 + int(SILENT_S) + 2):
            with suppress(BrokenPipeError):
                raw.sendall(PONG)
            events.handle_ready(float(second))
            events.handle_timeout(float(second))
        assert events.ended == 1
        assert not events._open


def test_noise_is_cut(events: EventSocket, tmp_path: Path) -> None:
    with zmtp.connect(f"ipc://{tmp_path}/s.e") as raw:
        raw.settimeout(20)
        raw.sendall(bytes(100))
        turn_until(events, lambda: events.ended == 1)
        assert is_cut(raw)


def test_a_new_file_takes_newcomers_and_subscribers_stay(
    events: EventSocket, tmp_path: Path
) -> None:
    with join(events, tmp_path, b"E") as old:
        os.unlink(tmp_path / "s.e")
        events.rebind(str(tmp_path / "s.e"))
        with join(events, tmp_path, b"E") as new:
            events.publish(b"E", b"event")
            events.flush()
            for raw in (old, new):
                data = b""
                while not data.endswith(b"event"):
                    data += raw.recv(4096)


def test_a_place_where_nothing_can_be_bound_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        EventSocket(str(tmp_path / "missing" / "s.e"), 0.0)
