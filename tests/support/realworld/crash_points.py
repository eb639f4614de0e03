"""Real engines that die by SIGKILL at a counted point, start again, and are judged by the checker.

    PYTHONPATH=tests/support .venv/bin/python -P -m realworld.crash_points --points 60 --seed 1

Each point: one of two engines starts, finds what waits, links, talks, takes a file; it dies at the
n-th effect or SQL statement since its start; it starts again, and everything has to arrive.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from random import Random

from chatnet_client.client import Client
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES
from checker.histories import read_file
from checker.verdict import Side, check
from realworld.backlog import queue_texts
from realworld.engines import RealEngine, two_engines
from realworld.exports import check_exports

TESTS = Path(__file__).parents[1]
TEXTS = 12
FILE_BYTES = 200_000
WITHIN_S = 60.0
LAST = {"effect": 55, "statement": 150}
"""About as many as an engine reaches in what it is given to do."""


class CrashPoints:
    """Two engines, and one death after the other."""

    def __init__(self, root: Path, a: RealEngine, b: RealEngine) -> None:
        self.root = root
        self.engines = (a, b)
        self.keys = {engine.name: engine.key for engine in self.engines}
        self.counts: Counter[str] = Counter()
        self.rounds = 0

    def point(self, which: int, kind: str, number: int) -> bool:
        """Engine `which` dies there; whether it came that far. Raises where something broke."""
        self.rounds += 1
        mortal, other = self.engines[which], self.engines[1 - which]
        assert mortal.stop() == 0
        queue_texts(other.connection_path, 1, self.texts(other, "waits"), 4 * self.rounds)
        mortal.program = ("realworld.mortal", kind, str(number))
        mortal.env["PYTHONPATH"] = str(TESTS)
        mortal.launch()
        talking = [
            threading.Thread(target=queue_texts, args=(e.connection_path, 1, texts, salt, 1))
            for e, texts, salt in (
                (mortal, self.texts(mortal, "says"), 4 * self.rounds + 1),
                (other, self.texts(other, "says"), 4 * self.rounds + 2),
            )
        ]
        for thread in talking:
            thread.start()
        self._move_things(other)
        died = self._outlive(mortal, talking)
        mortal.program = ("chatnet_engine",)
        if died:
            mortal.start()
        for thread in talking:
            thread.join(WITHIN_S)
            assert not thread.is_alive(), "an engine stopped answering"
        if not died:
            mortal.start()
        self._settle()
        self.counts[kind if died else f"{kind} not reached"] += 1
        return died

    def texts(self, engine: RealEngine, word: str) -> list[str]:
        """Texts that nobody else says."""
        return [f"{engine.name} {word} {self.rounds}.{number}" for number in range(TEXTS)]

    def _move_things(self, other: RealEngine) -> None:
        """A file for the mortal one, and marks and a draft on this side."""
        source = self.root / f"file-{self.rounds}"
        source.write_bytes(Random(self.rounds).randbytes(FILE_BYTES))
        with other.attach("moves") as client:
            client.offer_files(1, [str(source)])
            peer = client.view.peers[0]
            client.request(cmd.MarkRead(1, peer.last_ack))
            client.request(cmd.SetDraft(1, f"draft {self.rounds}", peer.draft_revision))

    def _outlive(self, mortal: RealEngine, talking: list[threading.Thread]) -> bool:
        """Wait until it is dead; one that has done everything is stopped."""
        assert mortal.process
        while mortal.process.poll() is None:
            try:
                mortal.process.wait(0.05)
            except subprocess.TimeoutExpired:
                if not any(thread.is_alive() for thread in talking):
                    mortal.process.send_signal(signal.SIGTERM)
                    mortal.process.wait(WITHIN_S)
        _, said = mortal.process.communicate()
        died = mortal.process.returncode == -signal.SIGKILL
        assert died or mortal.process.returncode == 0, said
        if not died:
            print(said.splitlines()[-1], flush=True)
        return died

    def _settle(self) -> None:
        """Everything that is queued has arrived, and every file too."""
        for engine in self.engines:
            with engine.attach("settles") as client:
                assert client.wait_until(partial(at_rest, client), WITHIN_S), "not at rest"

    def judge(self) -> list[str]:
        """What broke, over all rounds so far."""
        sides = [Side(e.name, self.keys[e.name], [read_file(e.database)]) for e in self.engines]
        problems = check(sides) + check_exports(*self.engines)
        for side in sides:
            texts = [m.body for m in side.now.messages if m.body]
            if len(set(texts)) != len(texts):
                problems.append(f"{side.name} has a text twice")
        for number in range(1, self.rounds + 1):
            sent = (self.root / f"file-{number}").read_bytes()
            landed = [
                Path(e.env["HOME"]) / "Downloads" / "ChatNet" / f"file-{number}"
                for e in self.engines
            ]
            if [path.read_bytes() for path in landed if path.exists()] != [sent]:
                problems.append(f"file-{number} did not land once and whole")
        return problems


def at_rest(client: Client) -> bool:
    """Nothing waits here."""
    peer = client.view.peers[0]
    return peer.delivered_seq == peer.last_seq and all(
        row.state in ENDED_TRANSFER_STATES for row in client.view.transfers
    )


def run(root: Path, seed: int, points: int) -> tuple[Counter[str], list[str]]:
    """Die at so many points drawn from `seed`: what was counted, and what broke."""
    random = Random(seed)
    with two_engines(root) as (a, b):
        crash = CrashPoints(root, a, b)
        for number in range(points):
            kind = ("effect", "statement")[number % 2]
            crash.point(number // 2 % 2, kind, random.randint(1, LAST[kind]))
        return crash.counts, crash.judge()


def main() -> int:
    """By hand; exit code 0 when every promise held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cnk-", dir="/tmp") as folder:
        counts, problems = run(Path(folder), options.seed, options.points)
    print(dict(counts), problems or "every promise kept")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
