"""How fast a file crosses, beside a plain socket copy of the same bytes."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import percentile
from chatnet_protocol.ipc.rows import TransferState
from realworld.engines import RealEngine, two_engines

FILE_BYTES = 256 * 2**20
RUNS = 3
SMALL_RUNS = 20
PIECE_BYTES = 2**20


def run(root: Path) -> Iterator[str]:
    """256 MiB and 1 KB from offer to verified and durable, beside a plain TCP copy with fsync."""
    big = root / "big.bin"
    with big.open("wb") as file:
        for _ in range(FILE_BYTES // PIECE_BYTES):
            file.write(os.urandom(PIECE_BYTES))
    ours, plain = [], []
    with two_engines(root) as (a, b):
        for _ in range(RUNS):
            plain.append(_plain_copy(big, root / "copy.bin"))
            ours.append(_transfer(a, b, big))
        small = [_transfer(a, b, _small(root, number)) for number in range(SMALL_RUNS)]
    rates = [FILE_BYTES / 1e6 / percentile(times, 0.5) for times in (plain, ours)]
    yield f"plain socket copy, fsync at the end   {rates[0]:7.0f} MB/s"
    yield f"encrypted, digested, fsync at the end {rates[1]:7.0f} MB/s"
    yield f"ratio of the medians: {rates[1] / rates[0]:.2f}"
    alone_ms = percentile(small, 0.5) * 1e3
    yield f"1 KB alone, from offer to durable     {alone_ms:7.0f} ms (50 allowed)"


def _small(root: Path, number: int) -> Path:
    path = root / f"{number}.bin"
    path.write_bytes(os.urandom(1000))
    return path


def _transfer(a: RealEngine, b: RealEngine, path: Path) -> float:
    with a.attach("sender") as sender, b.attach("receiver") as receiver:
        before = len(receiver.view.transfers)
        start = time.perf_counter()
        sender.offer_files(sender.view.peers[0].info.peer, [str(path)])

        def landed() -> bool:
            rows = receiver.view.transfers
            return len(rows) > before and rows[-1].state == TransferState.DONE

        assert receiver.wait_until(landed, 120.0), receiver.view.transfers
        took = time.perf_counter() - start
        Path(receiver.view.transfers[-1].path).unlink()
        return took


def _plain_copy(source: Path, target: Path) -> float:
    with socket.create_server(("127.0.0.1", 0)) as server:
        start = time.perf_counter()

        def receive() -> None:
            link, _ = server.accept()
            piece = bytearray(PIECE_BYTES)
            with link, target.open("wb", buffering=0) as file:
                while count := link.recv_into(piece):
                    file.write(memoryview(piece)[:count])
                os.fsync(file.fileno())

        thread = threading.Thread(target=receive)
        thread.start()
        with socket.create_connection(server.getsockname()) as link, source.open("rb") as file:
            while piece := file.read(PIECE_BYTES):
                link.sendall(piece)
        thread.join()
        took = time.perf_counter() - start
    target.unlink()
    return took
