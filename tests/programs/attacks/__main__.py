"""scripts/attack: front ends that do what none should, against a real engine, one after the other.

It can be interrupted; with --state FILE it goes on where it was.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attacks.attackers import KINDS
from attacks.victim import MAX_P99_S, Report, Victim, victim

SOFT_DESCRIPTORS = 1024
CLIENTS, STOPPED = 40, 30


def beside(kind: str, count: int) -> Callable[[Victim, Report, float], None]:
    """`count` attackers of a kind, the verbs and a well-behaved client beside them."""

    def run(found: Victim, report: Report, seconds: float) -> None:
        attackers = [found.attack(kind) for _ in range(count)]
        try:
            found.watch(report, seconds / 2)
            found.check_verbs(report)
            found.watch(report, seconds / 2)
            found.stop(report)
        finally:
            end(attackers)

    return run


def kills(found: Victim, report: Report, seconds: float) -> None:
    """Floods by read-only front ends that are killed at random moments, until the time is over."""
    rnd = random.Random(1)
    until = time.monotonic() + seconds
    count = 0
    while time.monotonic() < until and not report.problems:
        kinds = rnd.choices(("flood-status", "flood-keepalive", "flood-history", "pour"), k=3)
        attackers = [found.attack(kind) for kind in kinds]
        try:
            found.watch(report, rnd.uniform(0.5, 1.5))
        finally:
            end(attackers)
        count += len(attackers)
    print(f"{count} kills")
    found.check_verbs(report)
    found.stop(report)


def stopped(found: Victim, report: Report, seconds: float) -> None:
    """40 front ends of which 30 are stopped: the living keep what they have, others come in."""
    command = [sys.executable, "-P", "-m", "chatnet_cli", "events"]
    clients = [
        subprocess.Popen(
            command,
            env=found.engine.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(CLIENTS)
    ]
    try:
        found.watch(report, seconds / 4)
        for client in clients[:STOPPED]:
            client.send_signal(signal.SIGSTOP)
        found.check_verbs(report)
        found.watch(report, seconds / 2)
        with found.engine.attach("newcomer"):
            found.check_verbs(report)
        found.watch(report, seconds / 4)
        found.stop(report)
    finally:
        end(clients)


def end(processes: "list[subprocess.Popen[bytes]]") -> None:
    """Kill them all."""
    for process in processes:
        process.kill()
        process.wait()


FLOODERS = 3
PIECES: dict[str, Callable[[Victim, Report, float], None]] = {
    **{kind: beside(kind, FLOODERS) for kind in KINDS if kind != "idle"},
    "idle": beside("idle", 1),
    "kills": kills,
    "stopped": stopped,
}


def run_piece(root: Path, name: str, seconds: float, max_p99_s: float) -> Report:
    """One attack on an engine of its own."""
    report = Report(name)
    with victim(root, name, report) as found:
        PIECES[name](found, report, seconds)
        found.judge(report, max_p99_s)
    return report


def main(argv: list[str]) -> int:
    """Exit code 0 when the engine stood every attack."""
    parser = argparse.ArgumentParser(prog="scripts/attack", description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PIECES, help="these attacks")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each (default 10)")
    parser.add_argument("--p99-ms", type=float, default=MAX_P99_S * 1000, help="allowed")
    parser.add_argument("--state", type=Path, help="a file that remembers what is done")
    args = parser.parse_args(argv)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_DESCRIPTORS, hard))
    done: dict[str, str] = {}
    if args.state and args.state.exists():
        done = json.loads(args.state.read_text(encoding="utf-8"))
    root = Path(tempfile.mkdtemp(prefix="cna-", dir="/tmp"))
    bad = 0
    try:
        for name in args.only or PIECES:
            if name in done:
                print(f"(before) {done[name]}")
                continue
            report = run_piece(root, name, args.seconds, args.p99_ms / 1000)
            print(report.line(), flush=True)
            bad += bool(report.problems)
            if args.state and not report.problems:
                done[name] = report.line()
                args.state.write_text(json.dumps(done, indent=1), encoding="utf-8")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return 1 if bad else 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main(sys.argv[1:]))
