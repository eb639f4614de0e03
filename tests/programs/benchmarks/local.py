"""The engine's local sockets beside libzmq's, in the same run."""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zmq

from benchmarks.measure import cpu_s, percentile
from chatnet_engine.io.command_socket import CommandSocket
from chatnet_engine.io.event_socket import EventSocket

BODY = b"x" * 100
ROUND_TRIPS = 5_000
PIPELINED = 40_000
WINDOW = 64
PUBLICATIONS = 20_000
SUBSCRIBERS = (1, 16)
TICK_MS = 200


@dataclass(slots=True)
class Figures:
    """Of one kind of socket."""

    p50_s: float
    a_second: float
    cpu_us: float


def run(root: Path) -> Iterator[str]:
    """Round trips on the command socket, fan-out on the event socket: ours beside libzmq's."""
    trips = [_round_trips(root / name, serve) for name, serve in ROUTERS.items()]
    yield from _lines("round trip", "requests", trips, list(ROUTERS))
    for count in SUBSCRIBERS:
        fans = [_fan_out(root / f"{name}{count}", serve, count) for name, serve in PUBS.items()]
        yield from _lines(f"{count} subscribers", "publications", fans, list(PUBS))


def _lines(what: str, unit: str, figures: list[Figures], names: list[str]) -> Iterator[str]:
    for name, each in zip(names, figures, strict=True):
        yield (
            f"{what:15} {name:7} p50 {each.p50_s * 1e6:6.0f} us   {each.a_second:9,.0f} {unit}/s   "
            f"{each.cpu_us:5.1f} us of CPU each in the engine's place"
        )
    theirs, ours = figures
    yield (
        f"{what:15} ratio   p50 {ours.p50_s / theirs.p50_s:.2f}, "
        f"rate {ours.a_second / theirs.a_second:.2f}, CPU {ours.cpu_us / theirs.cpu_us:.2f}"
    )


@contextmanager
def _child(serve: Callable[[str, int], None], path: Path) -> Iterator[tuple[int, int]]:
    """(process id, pipe to it) of a process that serves at `path`."""
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(write_fd)
        serve(str(path), read_fd)
        os._exit(0)
    os.close(read_fd)
    try:
        while not path.exists():
            time.sleep(0.001)
        yield pid, write_fd
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(write_fd)


def _round_trips(path: Path, serve: Callable[[str, int], None]) -> Figures:
    with (
        _child(serve, path) as (pid, _),
        zmq.Context() as context,
        context.socket(zmq.DEALER) as client,
    ):
        client.connect(f"ipc://{path}")
        times = []
        for _ in range(ROUND_TRIPS):
            start = time.perf_counter()
            client.send(BODY)
            client.recv()
            times.append(time.perf_counter() - start)
        before, start = cpu_s(pid), time.perf_counter()
        for _ in range(WINDOW):
            client.send(BODY)
        for _ in range(PIPELINED - WINDOW):
            client.recv()
            client.send(BODY)
        for _ in range(WINDOW):
            client.recv()
        took_s = time.perf_counter() - start
        used_us = (cpu_s(pid) - before) * 1e6
    return Figures(percentile(times, 0.5), PIPELINED / took_s, used_us / PIPELINED)


def _fan_out(path: Path, serve: Callable[[str, int], None], count: int) -> Figures:
    """Publications are asked for by windows, so that nothing is dropped."""
    with _child(serve, path) as (pid, pipe), zmq.Context() as context:
        listeners = [context.socket(zmq.SUB) for _ in range(count)]
        for listener in listeners:
            listener.subscribe(b"E")
            listener.connect(f"ipc://{path}")
        for listener in listeners:
            while not listener.poll(10):  # until its subscription is known
                os.write(pipe, b"1")
        for listener in listeners:
            while listener.poll(100):
                listener.recv_multipart()
        times = []
        before, start = cpu_s(pid), time.perf_counter()
        for _ in range(PUBLICATIONS // WINDOW):
            asked = time.perf_counter()
            os.write(pipe, b"n")
            for listener in listeners:
                for _ in range(WINDOW):
                    listener.recv_multipart()
            times.append(time.perf_counter() - asked)
        took_s = time.perf_counter() - start
        used_us = (cpu_s(pid) - before) * 1e6
        for listener in listeners:
            listener.close()
    return Figures(percentile(times, 0.5), PUBLICATIONS / took_s, used_us / PUBLICATIONS)


def _own_router(path: str, pipe: int) -> None:
    commands = CommandSocket(path, time.monotonic())
    poller = select.poll()
    poller.register(commands.fileno(), select.POLLIN)
    while True:
        ready = poller.poll(0 if commands.has_requests else TICK_MS)
        now_s = time.monotonic()
        commands.handle_timeout(now_s)
        if ready:
            commands.handle_ready(now_s)
        while request := commands.receive(now_s):
            commands.reply(request[0], request[1][0])
        commands.flush()


def _libzmq_router(path: str, pipe: int) -> None:
    router = zmq.Context().socket(zmq.ROUTER)
    router.bind(f"ipc://{path}")
    while router.poll():
        try:
            while True:
                router.send_multipart(router.recv_multipart(zmq.NOBLOCK), zmq.NOBLOCK)
        except zmq.Again:
            pass


def _own_pub(path: str, pipe: int) -> None:
    events = EventSocket(path, time.monotonic())
    poller = select.poll()
    poller.register(events.fileno(), select.POLLIN)
    poller.register(pipe, select.POLLIN)
    while True:
        ready = dict(poller.poll(TICK_MS))
        now_s = time.monotonic()
        events.handle_timeout(now_s)
        if events.fileno() in ready:
            events.handle_ready(now_s)
        if pipe in ready:
            for _ in range(WINDOW if os.read(pipe, 1) == b"n" else 1):
                events.publish(b"E", BODY)
        events.flush()


def _libzmq_pub(path: str, pipe: int) -> None:
    publisher = zmq.Context().socket(zmq.PUB)
    publisher.bind(f"ipc://{path}")
    while True:
        for _ in range(WINDOW if os.read(pipe, 1) == b"n" else 1):
            publisher.send_multipart([b"E", BODY])


ROUTERS = {"libzmq": _libzmq_router, "ours": _own_router}
PUBS = {"libzmq": _libzmq_pub, "ours": _own_pub}
