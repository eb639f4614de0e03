"""How fast a file crosses on the loopback, beside bare pairs of processes in the same run.

In memory (tmpfs), in turns: the standard library's TLS, AES-GCM with BLAKE3 in its simplest form,
a plain copy, and what this product does from offer to verified and durable. CPU is that of both
ends; of ours, of both file processes, and of the engines with them. `CHATNET_FILES_MIB` (2048),
`CHATNET_FILES_RUNS` (5).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import cpu_s, percentile
from chatnet_protocol.ipc.commands import AcceptTransfer
from chatnet_protocol.ipc.rows import TransferState
from chatnet_protocol.limits import MIB
from realworld.engines import START_S, RealEngine, free_port, two_engines

FILE_BYTES = int(os.environ.get("CHATNET_FILES_MIB", "2048")) * MIB
RUNS = int(os.environ.get("CHATNET_FILES_RUNS", "5"))
SMALL_RUNS = 20
PIECE_BYTES = 64 * MIB
WITHIN_S = 600.0
CONTROLS = {"tls": "stdlib TLS, AES-128", "sealed": "AES-GCM and BLAKE3", "plain": "plain copy"}
TLS_CONFIG = """openssl_conf = begin
[begin]
ssl_conf = modules
[modules]
system_default = defaults
[defaults]
Ciphersuites = TLS_AES_128_GCM_SHA256
"""
"""The cheapest cipher; the library's own choice is AES-256."""


@dataclass(frozen=True, slots=True)
class Took:
    """One copy of the file."""

    s: float
    cpu_s: float
    """Of what moves the bytes, both ends."""
    all_cpu_s: float


def run(root: Path) -> Iterator[str]:
    """2 GiB and 1 KB from offer to verified and durable, beside TLS and bare pairs."""
    del root  # a disk; this measures the processes
    with tempfile.TemporaryDirectory(prefix="files-", dir="/dev/shm") as folder:
        top = Path(folder)
        if shutil.disk_usage(top).free < 3 * FILE_BYTES:
            yield f"not measured: no space for {2 * FILE_BYTES // MIB:,} MiB in memory"
            return
        big = top / "big.bin"
        with big.open("wb") as file:
            for _ in range(FILE_BYTES // PIECE_BYTES):
                file.write(os.urandom(PIECE_BYTES))
        with two_engines(top) as (a, b):
            yield from _measure(top, a, b, big)


def _measure(top: Path, a: RealEngine, b: RealEngine, big: Path) -> Iterator[str]:
    took: dict[str, list[Took]] = {name: [] for name in (*CONTROLS, "ours")}
    for _ in range(RUNS):
        for how in CONTROLS:
            took[how].append(_bare(top, big, how))
        took["ours"].append(_transfer(a, b, big))
    for how, name in (CONTROLS | {"ours": "this product"}).items():
        rates = [FILE_BYTES / 1e6 / each.s for each in took[how]]
        cpu = percentile([each.cpu_s for each in took[how]], 0.5) / (FILE_BYTES / 1e9)
        everything = percentile([each.all_cpu_s for each in took[how]], 0.5) / (FILE_BYTES / 1e9)
        yield (
            f"{name:20} {percentile(rates, 0.5):6.0f} MB/s ({min(rates):.0f} to {max(rates):.0f})  "
            f"{cpu:.2f} CPU s/GB"
            + (f", {everything:.2f} with the engines" if how == "ours" else "")
        )
    for how, wanted in (("tls", "1.2 wanted, none below 1.0"), ("sealed", "0.8 wanted")):
        pairs = zip(took[how], took["ours"], strict=True)
        ratios = [theirs.s / ours.s for theirs, ours in pairs]
        each = " ".join(f"{ratio:.2f}" for ratio in ratios)
        yield f"ours / {CONTROLS[how]}: {percentile(ratios, 0.5):.2f} of {each} ({wanted})"
    small = [_transfer(a, b, _small(top, number)).s for number in range(SMALL_RUNS)]
    yield f"1 KB alone, from offer to durable {percentile(small, 0.5) * 1e3:4.0f} ms (50 allowed)"


def _small(top: Path, number: int) -> Path:
    path = top / f"{number}.bin"
    path.write_bytes(os.urandom(1000))
    return path


def _transfer(a: RealEngine, b: RealEngine, path: Path) -> Took:
    engines = [engine.process.pid for engine in (a, b) if engine.process]
    movers = [child for engine in engines for child in children(engine)]
    with a.attach("sender") as sender, b.attach("receiver") as receiver:
        before = [cpu_s(pid) for pid in (*movers, *engines)]
        start = time.perf_counter()
        offered, _ = sender.offer_files(sender.view.peers[0].info.peer, [str(path)])
        assert receiver.wait_until(lambda: receiver.view.transfer(offered) is not None, START_S)
        if path.stat().st_size > 256 * MIB:
            receiver.request(AcceptTransfer(offered))

        def landed() -> bool:
            row = receiver.view.transfer(offered)
            return row is not None and row.state == TransferState.DONE

        assert receiver.wait_until(landed, WITHIN_S), receiver.view.transfers
        took_s = time.perf_counter() - start
        row = receiver.view.transfer(offered)
        assert row is not None
        Path(row.path).unlink()
    after = [cpu_s(pid) for pid in (*movers, *engines)]
    used = [now - then for now, then in zip(after, before, strict=True)]
    return Took(took_s, sum(used[: len(movers)]), sum(used))


def children(pid: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text(encoding="ascii").split()
    ]


def _bare(top: Path, source: Path, how: str) -> Took:
    config = top / "openssl.cnf"
    config.write_text(TLS_CONFIG, encoding="ascii")
    port, target = str(free_port()), top / "copy.bin"
    ends = []
    for role, path in (("receive", target), ("send", source)):
        ends.append(
            subprocess.Popen(
                [sys.executable, "-P", "-m", "benchmarks.bare_file", how, role, port, str(path)],
                env=os.environ | {"OPENSSL_CONF": str(config)},
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        if role == "receive":
            assert ends[0].stdout
            assert ends[0].stdout.readline() == "listening\n"
    printed = [json.loads(end.communicate()[0]) for end in ends]
    target.unlink()
    cpu = sum(each["cpu_s"] for each in printed)
    return Took(printed[0]["s"], cpu, cpu)
