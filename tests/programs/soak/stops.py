"""`--stops N`: one of two real engines is stopped at random moments of a backlog each way.

Half of the stops are SIGTERM, half SIGKILL. The other engine never ends, and in the end both
histories have every text once and in order. With `--results FILE` every stop is a line, and an
interrupted run goes on after the last one (with new engines).
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random

from chatnet_client.client import Client
from realworld.engines import START_S, RealEngine, is_up, two_engines

BACKLOG = 40
TEXT_BYTES = (20_000, 60_000)
"""A backlog is about twice what a window holds."""
MOMENT_S = (0.0, 0.8)
EMPTY_S = 60.0


class Stops:
    """Two engines; A is the one that never ends."""

    def __init__(self, a: RealEngine, b: RealEngine, seed: int) -> None:
        self.a = a
        self.b = b
        self._random = Random(f"stops {seed}")
        self._said: dict[str, list[str]] = {"a": [], "b": []}

    def one(self) -> str:
        """A backlog each way, a stop of B in the middle, and B again; what is wrong."""
        term = self._random.random() < 0.5
        with self.a.attach("a") as at_a:
            with self.b.attach("b") as at_b:
                for _ in range(BACKLOG):
                    self._say("a", at_a)
                    self._say("b", at_b)
            time.sleep(self._random.uniform(*MOMENT_S))
            if term:
                self.b.stop()
            else:
                self.b.kill()
            time.sleep(self._random.uniform(*MOMENT_S))
            if self.a.process is None or self.a.process.poll() is not None:
                return f"A ended when B was {'stopped' if term else 'killed'}"
            self.b.start("127.0.0.1", str(self.a.port))
            with self.b.attach("b") as at_b:
                for client, name in ((at_a, "a"), (at_b, "b")):
                    if not client.wait_until(partial(is_empty, client), EMPTY_S):
                        return f"the backlog of {name} did not leave"
        return ""

    def compare(self) -> Iterator[str]:
        """What is not as it was said, once and in order, in both histories."""
        texts = {
            (engine.name, mine): read_texts(engine.database, mine=mine)
            for engine in (self.a, self.b)
            for mine in (True, False)
        }
        for name, other in (("a", "b"), ("b", "a")):
            if texts[name, True] != self._said[name]:
                yield f"{name} has not what was said there"
            if texts[other, False] != self._said[name]:
                yield f"{other} has {len(texts[other, False])} of {len(self._said[name])} of {name}"

    def _say(self, name: str, client: Client) -> None:
        text = f"{name} {len(self._said[name])} ".ljust(self._random.randint(*TEXT_BYTES), ".")
        client.send_message(1, text)
        self._said[name].append(text)


def is_empty(client: Client) -> bool:
    """Whether everything queued has been delivered."""
    return is_up(client) and not any(peer.waiting for peer in client.view.peers)


def read_texts(database: Path, *, mine: bool) -> list[str]:
    """All texts of one side, in the order of the history."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        query = "SELECT body FROM conversation WHERE mine = ? ORDER BY no"
        return [bytes(body).decode() for (body,) in db.execute(query, (mine,))]


def run_stops(root: Path, seed: int, stops: int, results: Path | None) -> Iterator[str]:
    """Do what `results` does not say is done; a line for each stop, those that begin with BROKEN
    say what is wrong."""
    done = len(results.read_text().splitlines()) if results and results.exists() else 0
    with two_engines(root) as (a, b):
        # B's own client shows the link as well before the first stop.
        with b.attach("introduce") as client:
            assert client.wait_until(lambda: is_up(client), START_S), "the link did not come up"
        world = Stops(a, b, seed + done)
        for number in range(done + 1, stops + 1):
            problem = world.one()
            line = f"stop {number} {problem or 'held'}"
            if results:
                with results.open("a") as file:
                    print(line, file=file)
            yield f"BROKEN: {line}" if problem else line
            if problem:
                break
        for problem in world.compare():
            yield f"BROKEN: {problem}"
