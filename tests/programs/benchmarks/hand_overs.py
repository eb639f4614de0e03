"""The floor of a message's way: the same hand-overs between the same threads, without the product.

Two processes in a row, each with a thread of its own that writes one durable row for each datagram,
and somebody who waits at the end: seven times somebody who sleeps is woken.
"""

import os
import queue
import select
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

BODY = b"x" * 200
"""About what a message of 100 bytes is on the wire."""
PROCESSES = 2
TIMEOUT_S = 10.0


@contextmanager
def hand_overs(folder: Path, *, durable: bool) -> Iterator[Callable[[], float]]:
    """What takes one datagram through the processes, in seconds; the rows are written below
    `folder`, none if it is not `durable`."""
    sockets = [_bound() for _ in range(PROCESSES + 2)]
    pids: list[int] = []
    try:
        for number in range(1, PROCESSES + 1):
            pid = os.fork()
            if pid == 0:
                try:
                    path = folder / f"row{number}-{durable}.db"
                    _serve(sockets[number], sockets[number + 1], path, durable=durable)
                finally:
                    os._exit(1)
            pids.append(pid)

        def once() -> float:
            start = time.perf_counter()
            sockets[0].sendto(BODY, sockets[1].getsockname())
            ready, _, _ = select.select([sockets[-1]], [], [], TIMEOUT_S)
            assert ready, "a datagram did not arrive"
            sockets[-1].recv(len(BODY))
            return time.perf_counter() - start

        yield once
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for each in sockets:
            each.close()


def _bound() -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.bind(("127.0.0.1", 0))
    return bound


def _serve(source: socket.socket, target: socket.socket, path: Path, *, durable: bool) -> None:
    """From the socket to the thread, from there back through a pipe, and on."""
    asked: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    done: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    read_fd, ring_fd = os.pipe()

    def store() -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA journal_mode = wal")
            database.execute("PRAGMA synchronous = full")
            database.execute("CREATE TABLE rows (body BLOB)")
            while True:
                body = asked.get()
                if durable:
                    database.execute("INSERT INTO rows VALUES (?)", (body,))
                done.put(body)
                os.write(ring_fd, b"\0")

    threading.Thread(target=store, daemon=True).start()
    while True:
        ready, _, _ = select.select([source.fileno(), read_fd], [], [])
        if source.fileno() in ready:
            asked.put(source.recv(len(BODY)))
        if read_fd in ready:
            os.read(read_fd, 1)
            source.sendto(done.get(), target.getsockname())
