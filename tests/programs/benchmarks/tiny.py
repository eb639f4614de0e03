"""A folder of very many tiny files between two engines that people chat and look at meanwhile.

In memory (tmpfs). Text is sent each 50 ms, first without the folder; both sides have a window. Then
the folder is offered once more as an update in which a thousandth is new. `CHATNET_TINY_FILES`
(1,000,000), `CHATNET_TINY_BYTES` (16), `CHATNET_TINY_QUIET_S` (20), `CHATNET_TINY_UPDATE` (1).
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from benchmarks.files import children
from benchmarks.measure import percentile
from benchmarks.pace import Beside
from chatnet_client.client import Client, new_id
from chatnet_client.errors import RequestTimeout
from chatnet_protocol.ipc.commands import AcceptTransfer, AllowUpdates, OfferFiles
from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.limits import MIB
from realworld.engines import START_S, RealEngine, two_engines

FILES = int(os.environ.get("CHATNET_TINY_FILES", "1000000"))
FILE_BYTES = int(os.environ.get("CHATNET_TINY_BYTES", "16"))
QUIET_S = float(os.environ.get("CHATNET_TINY_QUIET_S", "20"))
UPDATE = os.environ.get("CHATNET_TINY_UPDATE", "1") == "1"
A_FOLDER = 1000
STEP_S = 0.5
WITHIN_S = 3600.0


def run(root: Path) -> Iterator[str]:
    """A million tiny files: time, memory, text beside it, and how the windows answer."""
    del root  # a disk; this measures the processes
    top = Path(tempfile.mkdtemp(prefix="tiny-", dir="/dev/shm"))
    try:
        for number in range(FILES):
            folder = top / "proj" / f"{number // A_FOLDER}"
            if number % A_FOLDER == 0:
                folder.mkdir(parents=True)
            _write(f"{folder}/f{number}")
        with two_engines(top) as (a, b):
            yield from _measure(top, a, b)
    finally:
        shutil.rmtree(top)


def _write(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(fd, os.urandom(FILE_BYTES))
    os.close(fd)


def _measure(top: Path, a: RealEngine, b: RealEngine) -> Iterator[str]:
    with (
        _window(a) as near,
        _window(b) as far,
        a.attach("sender") as sender,
        b.attach("reader") as reader,
        b.attach("yes") as yes,
    ):
        beside = Beside(sender, reader)
        begun_s = time.monotonic()
        beside.send_for(QUIET_S)
        yield _words("quiet", beside, begun_s)
        try:
            yield from _move(beside, top, a, yes, update=False)
            yield from _peaks(a, b)
            if UPDATE:
                for number in range(0, FILES, A_FOLDER):
                    _write(f"{top}/proj/{number // A_FOLDER}/f{number}")
                yield from _move(beside, top, a, yes, update=True)
                yield from _peaks(a, b)
        finally:
            beside.end()
        for name, window in (("sender", near), ("receiver", far)):
            yield f"{name:9} window {_close_window(window)}"


def _peaks(a: RealEngine, b: RealEngine) -> Iterator[str]:
    for name, engine in (("sender", a), ("receiver", b)):
        assert engine.process
        pid = engine.process.pid
        files = max((_peak_bytes(child) for child in children(pid)), default=0)
        yield (
            f"{name:9} engine {_peak_bytes(pid) / MIB:4.0f} MiB, its file process"
            f" {files / MIB:4.0f} MiB at most so far (150 allowed)"
        )


def _move(beside: Beside, top: Path, a: RealEngine, yes: Client, *, update: bool) -> Iterator[str]:
    """Offer the folder and wait until it is there; texts meanwhile."""
    begun_s = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        transfer = new_id()
        offering = pool.submit(_offer, a, transfer, str(top / "proj"), update=update)
        _send_until(beside, offering.done)
        offering.result()
        offered_s = time.monotonic() - begun_s
        assert yes.wait_until(lambda: yes.view.transfer(transfer) is not None, WITHIN_S)
        yes.request(AcceptTransfer(transfer), WITHIN_S)
        landing = pool.submit(yes.wait_until, partial(_is_done, yes, transfer), WITHIN_S)
        _send_until(beside, landing.done)
        assert landing.result()
        took_s = time.monotonic() - begun_s
        row = yes.view.transfer(transfer)
        assert row is not None
        yes.request(AllowUpdates(transfer, True), WITHIN_S)
    name = "update" if update else "folder"
    yield (
        f"{name}: {FILES:,} files of {FILE_BYTES} B in {took_s:.0f} s, {FILES / took_s:,.0f} a"
        f" second, offered after {offered_s:.1f} s; differences: {row.differences}"
    )
    yield _words(name, beside, begun_s)


def _offer(a: RealEngine, transfer: bytes, path: str, *, update: bool) -> None:
    """With a client of its own: one that reads nothing for minutes falls behind."""
    with a.attach("offers") as offers:
        peer = offers.view.peers[0].info.peer
        offers.request(OfferFiles(transfer, peer, [path], update), WITHIN_S)


def _is_done(yes: Client, transfer: bytes) -> bool:
    row = yes.view.transfer(transfer)
    return row is not None and row.state == TransferState.DONE


def _send_until(beside: Beside, holds: Callable[[], bool]) -> None:
    while not holds():
        with contextlib.suppress(RequestTimeout):  # where this machine stood still meanwhile
            beside.send_for(STEP_S)


def _words(name: str, beside: Beside, begun_s: float) -> str:
    waits = [took * 1e3 for sent, took in beside.took if sent >= begun_s]
    p50, p99, worst = percentile(waits, 0.5), percentile(waits, 0.99), max(waits)
    return f"{name}: text p50 {p50:.1f} ms, p99 {p99:.1f}, longest {worst:.1f} of {len(waits):,}"


@contextlib.contextmanager
def _window(engine: RealEngine) -> "Iterator[subprocess.Popen[str]]":
    words = [sys.executable, "-P", "-m", "benchmarks.window_beside", engine.connection_path]
    environment = os.environ | engine.env
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, text=True) as window:
        try:
            yield window
        finally:
            window.kill()


def _close_window(window: "subprocess.Popen[str]") -> str:
    window.terminate()
    printed, _ = window.communicate(timeout=START_S)
    found = json.loads(printed.splitlines()[-1])
    return (
        f"late by {found['late_p99_ms']:.0f} ms at p99, {found['late_ms']:.0f} at worst;"
        f" longest own turn {found['own_ms']:.0f} ms (50 wanted)"
    )


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024
