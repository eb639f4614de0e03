"""Small measuring tools: percentiles, CPU of a process tree, a bare UDP echo."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence

TICKS_S = 1 / os.sysconf("SC_CLK_TCK")


def percentile(values: Sequence[float], fraction: float) -> float:
    """The value below which that fraction of `values` lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def cpu_s(pid: int) -> float:
    """CPU seconds used so far by a process, its threads included, children not."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICKS_S


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    with open(f"/proc/{pid}/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextlib.contextmanager
def udp_echo() -> Iterator[tuple[str, int]]:
    """A thread that sends each datagram back: the floor under every latency here."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            data, addr = server.recvfrom(2048)
            if data == b"end":
                return
            server.sendto(data, addr)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server.getsockname()
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", server.getsockname())
        thread.join()
        server.close()


def echo_times(addr: tuple[str, int], count: int, gap_s: float) -> list[float]:
    """Seconds of `count` round trips of 100 bytes, one every `gap_s`."""
    out = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(count):
            start = time.perf_counter()
            client.sendto(b"x" * 100, addr)
            client.recv(2048)
            out.append(time.perf_counter() - start)
            time.sleep(gap_s)
    return out
