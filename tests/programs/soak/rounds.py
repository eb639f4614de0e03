"""Two real engines, people and followers under a lossy line; every round kills some of them."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import Random

from chatnet_client.client import Client
from chatnet_protocol.ipc.commands import TrustPeer
from chatnet_protocol.ipc.rows import ENDED_TRANSFER_STATES
from checker.histories import read_file
from realworld.engines import START_S, RealEngine, free_port, is_up
from soak import nightly
from soak.actors import Follower, Talker, file_process_of
from soak.inboxes import Inbox
from soak.recording import attach_taped

LINE = "loss=20%,delay=10ms,jitter=5ms,dup=2%,reorder=5%"
LIVE_S = (0.2, 2.5)
"""From the end of one round's repairs to the next kill."""
DOWN_S = (0.0, 1.0)
EARLY_S = (0.0, 1.0)
"""Until an engine that has just been started is killed again."""
TIDY_EVERY = 5
SETTLE_S = 120.0


class Soak:
    """Everybody of one run. `problems` are sentences."""

    def __init__(self, root: Path, seed: int, stack: ExitStack) -> None:
        self.random = Random(f"soak {seed}")
        self.counts: Counter[str] = Counter()
        self.problems: list[str] = []
        self.judges: list[Client] = []
        self.judge_tapes: list[Path] = []
        self.engines: list[RealEngine] = []
        self.root = root
        for number, name in enumerate("ab"):
            line = f"{LINE},seed={2 * seed + number + 1}"
            engine = RealEngine(root, name, "--bind", "127.0.0.1", "--impair", line)
            engine.port = free_port()
            stack.callback(engine.stop)
            self.engines.append(engine)
        for engine, other in zip(self.engines, reversed(self.engines), strict=True):
            engine.start("127.0.0.1", str(other.port))
        self._trust()
        self.talkers = [Talker(e, root / f"people-{e.name}", str(seed)) for e in self.engines]
        self.followers = [Follower(engine) for engine in self.engines]
        inboxes = [Path(engine.env["HOME"]) / "Downloads" / "ChatNet" for engine in self.engines]
        self.inboxes = [
            Inbox(folder, sender.folder / "files")
            for folder, sender in zip(inboxes, reversed(self.talkers), strict=True)
        ]
        actors: list[Talker | Follower] = [*self.talkers, *self.followers]
        for actor in actors:
            actor.start()
            stack.callback(actor.end)

    def _trust(self) -> None:
        with ExitStack() as stack:
            clients = [stack.enter_context(each.attach("introduce")) for each in self.engines]
            for client in clients:
                assert client.wait_until(partial(is_up, client), START_S), "no link"
                # Otherwise a peer's files begin to wait for a person after the first GiB.
                client.request(TrustPeer(1, "verified"))

    # --- rounds ---

    def rounds(self, count: int) -> Iterator[str]:
        """Do them; what each came to, in words."""
        victims = (
            self.engine_a, self.engine_b, self.both_engines, self.early_again,
            self.person, self.follower, self.file_process,
        )  # fmt: skip
        for number in range(1, count + 1):
            time.sleep(self.random.uniform(*LIVE_S))
            victim = self.random.choices(victims, (4, 4, 3, 2, 3, 2, 4))[0]
            self.counts[victim.__name__.replace("_", " ")] += 1
            victim()
            self.look_after(number)
            if number % 10 == 0 or number == count:
                yield f"round {number}: {self.summary()}"

    def engine_a(self) -> None:
        self._kill_engines(self.engines[:1])

    def engine_b(self) -> None:
        self._kill_engines(self.engines[1:])

    def both_engines(self) -> None:
        self._kill_engines(self.engines)

    def early_again(self) -> None:
        """An engine dies, and again somewhere in its start."""
        engine = self.random.choice(self.engines)
        self._kill_engines([engine], start=False)
        engine.launch()
        time.sleep(self.random.uniform(*EARLY_S))
        engine.kill()
        engine.start()

    def person(self) -> None:
        talker = self.random.choice(self.talkers)
        talker.kill()
        time.sleep(self.random.uniform(*DOWN_S))
        talker.start()

    def follower(self) -> None:
        follower = self.random.choice(self.followers)
        follower.keep_alive()
        follower.end()
        time.sleep(self.random.uniform(*DOWN_S))
        follower.start()

    def file_process(self) -> None:
        engine = self.random.choice(self.engines)
        assert engine.process
        pid = file_process_of(engine.process.pid)
        if pid is not None:
            self.counts["file processes killed"] += 1
            self._count_partials()
            os.kill(pid, signal.SIGKILL)

    def _kill_engines(self, engines: list[RealEngine], *, start: bool = True) -> None:
        self._count_partials()
        for engine in engines:
            self._must_live(engine)
            assert engine.process
            engine.process.kill()
        for engine in engines:
            engine.kill()
            self.counts["engines killed"] += 1
        if start:
            order = self.random.sample(engines, len(engines))
            for engine in order:
                time.sleep(self.random.uniform(*DOWN_S))
                engine.start()

    def _count_partials(self) -> None:
        halves = sum(inbox.partials() for inbox in self.inboxes)
        self.counts["files half way at a kill"] += halves

    def _must_live(self, engine: RealEngine) -> None:
        assert engine.process
        code = engine.process.poll()
        assert code is None, f"engine {engine.name} ended by itself, {code}: {list(engine.said)}"

    def look_after(self, number: int) -> None:
        """What has to hold between two rounds."""
        for engine in self.engines:
            self._must_live(engine)
        for follower in self.followers:
            follower.keep_alive()
        for inbox, sender in zip(self.inboxes, reversed(self.talkers), strict=True):
            self.problems += inbox.look(partial(getattr, sender, "offers"))
            self.problems += nightly.look(inbox.folder, partial(getattr, sender, "states"))
        if number % TIDY_EVERY == 0:
            self._tidy()

    def _tidy(self) -> None:
        a, b = (read_file(engine.database) for engine in self.engines)
        self.inboxes[0].tidy(b, a)
        self.inboxes[1].tidy(a, b)

    # --- the end ---

    def settle(self) -> None:
        """Nobody writes any more; wait until there is nothing left to do."""
        for talker in self.talkers:
            talker.stop()
        self.judge_tapes = [self.root / f"judge-{each.name}.tape" for each in self.engines]
        self.judges = [
            attach_taped(each.connection_path, "judge", tape, START_S)
            for each, tape in zip(self.engines, self.judge_tapes, strict=True)
        ]
        if not _wait_both(self.judges, self._at_rest, SETTLE_S):
            self.problems += [f"not at rest after {SETTLE_S:.0f} s: {t}" for t in self._restless()]
        for judge in self.judges:
            rows = [row for row in judge.view.transfers if row.update and not row.mine]
            self.counts["nightly folders"] += len(rows)
            self.counts["beside the earlier one"] += sum(
                row.differences is not None for row in rows
            )
        for follower, judge in zip(self.followers, self.judges, strict=True):
            follower.keep_alive()
            if not follower.wait_for(judge.view.last_no, SETTLE_S):
                self.problems.append(f"events of {follower.engine.name} lags behind")

    def _at_rest(self) -> bool:
        return not any(True for _ in self._restless())

    def _restless(self) -> Iterator[str]:
        a, b = (judge.view.peers[0] for judge in self.judges)
        for here, there, judge in ((a, b, self.judges[0]), (b, a, self.judges[1])):
            if here.waiting:
                yield f"{here.waiting} messages wait, link {here.link.state}"
            if (here.peer_shown, here.peer_read) != (there.my_shown, there.my_read):
                yield "shown or read marks differ"
            for row in judge.view.transfers:
                if row.state not in ENDED_TRANSFER_STATES:
                    yield f"transfer {row.name} is {row.state}, {row.done_bytes} {row.reason}"

    def summary(self) -> str:
        """Counters so far."""
        told = ", ".join(f"{e.engine.name} {e.last_no}" for e in self.followers)
        files = sum(len(inbox.landed) for inbox in self.inboxes)
        landed_mib = sum(inbox.size_bytes for inbox in self.inboxes) / 2**20
        return (
            f"messages in the histories: {told}; {files} files landed, {landed_mib:.0f} MiB; "
            f"{self.counts['engines killed']} engines killed; problems: {len(self.problems)}"
        )


def _wait_both(clients: list[Client], holds: Callable[[], bool], within_s: float) -> bool:
    """Read both clients' events until `holds()`."""
    until = time.monotonic() + within_s
    while not holds():
        if time.monotonic() >= until:
            return False
        for client in clients:
            client.next_event(0.05)
    return True
