"""A folder of many small files, beside a bare pair of processes with the same primitives.

In memory (tmpfs), in turns with the pair: 10,000 files of 4 KiB, sealed, digested and made durable
in batches on both. CHATNET_MANY_FILES=1000000 CHATNET_MANY_BYTES=0 CHATNET_MANY_RUNS=1 for a
million empty ones; what the file processes take in memory is printed too.
"""

import os
import shutil
import socket
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from benchmarks.measure import percentile
from chatnet_engine.clock import Now
from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.limits import MIB
from file_pair import ID, PEER, Pair, RealSide

FILES = int(os.environ.get("CHATNET_MANY_FILES", "10000"))
FILE_BYTES = int(os.environ.get("CHATNET_MANY_BYTES", "4096"))
RUNS = int(os.environ.get("CHATNET_MANY_RUNS", "5"))
FOLDERS = max(1, FILES // 1000)
BATCH = 64
SYNCS_AT_ONCE = 4
WITHIN_S = 3600.0


def run(root: Path) -> Iterator[str]:
    """10,000 files of 4 KiB from offer to durable, beside a bare pair in the same run."""
    del root  # a disk; this measures the processes
    top = Path(tempfile.mkdtemp(prefix="many-", dir="/dev/shm"))
    try:
        for folder in range(FOLDERS):
            (top / "out" / f"{folder}").mkdir(parents=True)
        for number in range(FILES):
            (top / "out" / f"{number % FOLDERS}" / f"f{number}").write_bytes(os.urandom(FILE_BYTES))
        bare, ours, ratios, peak = [], [], [], 0
        for _ in range(RUNS):
            bare.append(_bare(top))
            took, took_bytes = _transfer(top)
            ours.append(took)
            peak = max(peak, took_bytes)
            ratios.append(bare[-1] / took)
        for name, times in (("bare pair ", bare), ("this here ", ours)):
            yield f"{name} {FILES / percentile(times, 0.5):8,.0f} files/s"
        yield f"median of {RUNS} paired ratios {percentile(ratios, 0.5):5.2f} (0.4 wanted)"
        yield f"most memory of a file process {peak / MIB:6.0f} MiB (150 allowed)"
    finally:
        shutil.rmtree(top)


def _transfer(top: Path) -> tuple[float, int]:
    """Seconds from offer to done, and the largest resident size of the two file processes."""
    pair = Pair(RealSide("a", top / "ours"), RealSide("b", top / "ours"))
    a, b = pair.a, pair.b
    assert isinstance(a, RealSide)
    assert isinstance(b, RealSide)
    try:
        b.verified, b.auto_accept_bytes = True, 1 << 60
        pair.link(True)
        pair.run_until(lambda: bool(a.port and b.port), WITHIN_S)
        start = time.perf_counter()
        a.transfers.offer(ID, PEER, [str(top / "out")], Now(a.now(), 1))
        pair.run_until(lambda: bool(a.offers), WITHIN_S)
        pair.deliver_offer()
        done = (TransferState.DONE, TransferState.DONE)
        pair.run_until(lambda: (a.state(), b.state()) == done, WITHIN_S)
        return time.perf_counter() - start, max(_peak_bytes(side.pid()) for side in (a, b))
    finally:
        a.close()
        b.close()
        shutil.rmtree(top / "ours", ignore_errors=True)


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def _bare(top: Path) -> float:
    """Seconds of two processes that only do what has to be done, in their simplest form."""
    near, far = socket.socketpair(socket.AF_UNIX)
    start = time.perf_counter()
    child = os.fork()
    if child == 0:
        near.close()
        _bare_receive(far, top / "bare")
        os._exit(0)
    far.close()
    _bare_send(near, top / "out")
    near.shutdown(socket.SHUT_WR)
    assert near.recv(1) == b"k"
    took = time.perf_counter() - start
    os.waitpid(child, 0)
    near.close()
    shutil.rmtree(top / "bare")
    return took


def _bare_send(sock: socket.socket, top: Path) -> None:
    cipher, sealed = AESGCM(bytes(16)), 0
    paths = (entry for folder in os.scandir(top) for entry in os.scandir(folder))
    while batch := list(islice(paths, BATCH)):
        out = []
        for entry in batch:
            entry.stat()
            with open(entry.path, "rb", buffering=0) as file:
                data = file.read()
            name = os.path.relpath(entry.path, top).encode()
            plain = len(name).to_bytes(2, "big") + name + data + blake3.blake3(data).digest()
            record = cipher.encrypt(sealed.to_bytes(12, "big"), plain, None)
            sealed += 1
            out += [len(record).to_bytes(4, "big"), record]
        sock.sendall(b"".join(out))


def _bare_receive(sock: socket.socket, top: Path) -> None:
    cipher, opened = AESGCM(bytes(16)), 0
    folders: dict[str, int] = {}
    waiting: list[int] = []
    with ThreadPoolExecutor(SYNCS_AT_ONCE) as pool, sock.makefile("rb", 1 << 20) as stream:
        while head := stream.read(4):
            record = stream.read(int.from_bytes(head, "big"))
            plain = cipher.decrypt(opened.to_bytes(12, "big"), record, None)
            opened += 1
            end = 2 + int.from_bytes(plain[:2], "big")
            folder, name = plain[2:end].decode().split("/")
            data, digest = plain[end:-32], plain[-32:]
            assert blake3.blake3(data).digest() == digest
            if folder not in folders:
                (top / folder).mkdir(parents=True)
                folders[folder] = os.open(top / folder, os.O_RDONLY)
            fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, dir_fd=folders[folder])
            os.write(fd, data)
            waiting.append(fd)
            if len(waiting) == BATCH:
                _bare_sync(pool, waiting, folders)
        _bare_sync(pool, waiting, folders)
    sock.sendall(b"k")


def _bare_sync(pool: ThreadPoolExecutor, fds: list[int], folders: dict[str, int]) -> None:
    deque(pool.map(os.fdatasync, fds), 0)
    for fd in fds:
        os.close(fd)
    for fd in folders.values():
        os.fsync(fd)
    fds.clear()
