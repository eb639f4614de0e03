"""scripts/soak --returns N: an engine is killed under a window, a terminal chat and people typing.

One session in the background below its supervisor, a real window (offscreen) and a terminal chat
(in a pseudo terminal) attached to it, a second session as the peer. Every round kills the first
engine with SIGKILL while both front ends type on. Judged at the end: every text is in both
histories once and in the order in which its front end wrote it; every engine was back and every
link up in time.

All state is in a folder, so that a run which was interrupted, or stopped after --minutes, goes on.
Nothing that it started outlives it (see `realworld.guard`). A text counts once its front end has
taken it: of a run that was killed, the last ones on their way to a front end may be lost with it.
"""

import argparse
import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatnet_client.channel import read_connection_file
from chatnet_client.client import Client
from chatnet_client.errors import EngineUnreachable
from chatnet_client.kept_file import PREFIX
from chatnet_client.kept_records import decode
from chatnet_client.launch import start_again
from chatnet_protocol.ipc.commands import AddPeer, FetchHistory, HistoryPage, PeerAdded, StopEngine
from chatnet_protocol.ipc.rows import ClientRole, LinkState
from realworld.guard import guarded
from soak import lives
from soak.typist import HUSH, Numbers

BACK_S = 1.0
LINK_S = 3.0
EVERY_S = 15.5
"""More often, and five deaths in a minute would end it on purpose."""
TYPE_S = 0.7
POLL_S = 0.005
WAIT_S = 60.0
KINDS = ("window", "terminal")


class World:
    """Two sessions, and the front ends of the first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hushed = threading.Event()
        (root / HUSH).unlink(missing_ok=True)
        self.problems: list[str] = []
        """What went wrong with the front ends themselves."""
        home = root / "home"
        home.mkdir(parents=True, exist_ok=True)
        left_out = ("XDG_RUNTIME_DIR", "PYTHONDONTWRITEBYTECODE")
        environ = {name: value for name, value in os.environ.items() if name not in left_out}
        path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
        self.environ = {
            **environ,
            "PYTHONPATH": path,
            # As installed: compiled once, which is half of an engine's start otherwise.
            "PYTHONPYCACHEPREFIX": str(root / "compiled"),
            "CHATNET_HOME": str(root / "chatnet"),
            "HOME": str(home),
            "QT_QPA_PLATFORM": "offscreen",
            "TERM": "xterm",
        }

    def file(self, name: str) -> str:
        return f"{self.environ['CHATNET_HOME']}/sessions/{name}/connection.json"

    def start(self) -> None:
        """Both engines; the first time they get to know each other."""
        ready = self.root / "ready"
        if not ready.exists():
            shutil.rmtree(self.environ["CHATNET_HOME"], ignore_errors=True)
            self._engine("0", "--session", "a", "--bind", "127.0.0.1")
            port = read_connection_file(self.file("a")).port
            self._engine("0", "127.0.0.1", str(port), "--session", "b", "--bind", "127.0.0.1")
            port = read_connection_file(self.file("b")).port
            with Client.attach(self.file("a"), name="setup") as client:
                client.ask(AddPeer("127.0.0.1", port), PeerAdded)
            ready.touch()
            return
        for name in ("a", "b"):
            start_again(self.environ, os.path.dirname(self.file(name)), unasked=False)

    def note_durable(self) -> None:
        """Before the front ends start: what those of before have taken for certain."""
        kept = Path(self.file("a")).parent.glob(f"{PREFIX}*")
        texts = [text.text for path in kept for text in decode(path.read_bytes())]
        texts += self.texts("a", mine=True)
        (self.root / "durable.new").write_text("\n".join(sorted(set(texts))))
        os.replace(self.root / "durable.new", self.root / "durable")

    def durable(self) -> set[str]:
        """What `note_durable` found last."""
        path = self.root / "durable"
        return set(path.read_text().split()) if path.exists() else set()

    def stop(self) -> None:
        for name in ("a", "b"):
            try:
                with Client.attach(self.file(name), name="end", timeout_s=WAIT_S) as client:
                    client.request(StopEngine("the run ends"))
            except EngineUnreachable:
                pass

    def _engine(self, *words: str) -> None:
        command = [sys.executable, "-P", "-m", "chatnet_engine", *words, "-d"]
        subprocess.run(command, env=self.environ, check=True, timeout=WAIT_S)

    @contextmanager
    def window(self) -> Iterator[None]:
        command = [sys.executable, "-P", "-m", "soak.typist", self.file("a"), str(self.root)]
        with (self.root / "window.log").open("a") as log:
            process = subprocess.Popen(command, env=self.environ, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            self._end(process, "window")

    @contextmanager
    def terminal(self) -> Iterator[None]:
        """A chat in a pseudo terminal, and a thread that types into it."""
        words = ["attach", "cli", "--session", "a"]
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "chatnet_cli", *words],
            env=self.environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        threads = [
            threading.Thread(target=self._drain, args=(master,), daemon=True),
            threading.Thread(target=self._type, args=(master,), daemon=True),
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.hushed.set()
            threads[1].join()
            os.write(master, b"\x15\x04")  # an empty line and the end of the input: leave
            self._end(process, "terminal")
            os.close(master)

    def _end(self, process: "subprocess.Popen[bytes]", kind: str) -> None:
        """Note that a front end has ended as it should, or that it did not."""
        try:
            code = process.wait(WAIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if code:
            self.problems.append(f"the {kind} ended with {code}")
        else:
            Numbers(self.root, kind).end()

    def _type(self, master: int) -> None:
        self.wait_clients({"qt", "cli"})
        numbers = Numbers(self.root, "terminal")
        numbers.begin()
        while not self.hushed.wait(TYPE_S):
            # As a person would who finds a draft of before in the line.
            os.write(master, f"\x15{numbers.take()}\r".encode())

    def _drain(self, master: int) -> None:
        with (self.root / "terminal.log").open("ab") as log:
            while True:
                try:
                    log.write(os.read(master, 65536))
                except OSError:
                    return

    def wait_clients(self, names: set[str]) -> None:
        with Client.attach(self.file("a"), name="observer", timeout_s=WAIT_S) as client:
            there = client.wait_until(
                lambda: names <= {row.name for row in client.view.clients}, WAIT_S
            )
        assert there, f"the front ends {names} did not attach"

    def kill_round(self) -> tuple[float, float]:
        """Kill the engine; seconds until the next one serves, and until its link is up."""
        old = read_connection_file(self.file("a"))
        os.kill(old.pid, signal.SIGKILL)
        killed_s = time.monotonic()
        while True:
            try:
                if read_connection_file(self.file("a")).boot != old.boot:
                    break
            except EngineUnreachable:
                pass
            if time.monotonic() > killed_s + WAIT_S:
                raise AssertionError("the engine is not back")
            time.sleep(POLL_S)
        back_s = time.monotonic() - killed_s
        with Client.attach(
            self.file("a"), name="observer", role=ClientRole.READ_ONLY, timeout_s=WAIT_S
        ) as client:
            up = client.wait_until(
                lambda: any(peer.link.state == LinkState.UP for peer in client.view.peers), WAIT_S
            )
        assert up, "the link is not up"
        return back_s, time.monotonic() - killed_s

    def settle(self) -> None:
        """Nobody types any more; wait until the engine has everything, at most a minute."""
        (self.root / HUSH).touch()
        self.hushed.set()
        time.sleep(2 * TYPE_S)
        until = time.monotonic() + WAIT_S
        due = {text for kind in KINDS for text in Numbers(self.root, kind).lives()[-1].texts}
        while not due <= set(self.texts("a", mine=True)) and time.monotonic() < until:
            time.sleep(0.2)

    def texts(self, name: str, *, mine: bool) -> list[str]:
        """All texts of one author in a history, in its order."""
        found: list[str] = []
        with Client.attach(self.file(name), name="judge", timeout_s=WAIT_S) as client:
            after_no, more = 0, True
            while more:
                page = client.ask(FetchHistory(after_no=after_no, limit=256), HistoryPage)
                found += [row.text for row in page.rows if row.mine == mine]
                more = page.more
                after_no = page.rows[-1].no if page.rows else after_no
        return found


def judge(world: World) -> list[str]:
    """What is wrong with the texts, once everything has arrived or a minute is over."""
    durable = world.durable()
    written = {kind: Numbers(world.root, kind).lives() for kind in KINDS}
    expected = set().union(*(lives.due(life, durable) for life in written.values()))
    until = time.monotonic() + WAIT_S
    while not expected <= set(world.texts("b", mine=False)) and time.monotonic() < until:
        time.sleep(0.2)
    found = list(world.problems)
    for name, mine in (("a", True), ("b", False)):
        texts = world.texts(name, mine=mine)
        for kind, of_kind in written.items():
            got = [text for text in texts if text.startswith(kind)]
            found += [f"{kind} in {name}: {text}" for text in lives.problems(of_kind, durable, got)]
    return found


def main(argv: list[str]) -> int:
    """Exit code 0 when everything held, 3 when rounds are left for the next call."""
    parser = argparse.ArgumentParser(prog="scripts/soak --returns", description=__doc__)
    parser.add_argument("--returns", type=int, required=True, metavar="N", help="kills in all")
    parser.add_argument("--state", type=Path, help="folder of a run to begin or go on with")
    parser.add_argument("--minutes", type=float, default=18.0, help="stop after (default 18)")
    parser.add_argument("--every", type=float, default=EVERY_S, metavar="S", help="between kills")
    args = parser.parse_args(argv)
    root: Path = args.state or Path(tempfile.mkdtemp(prefix="cnr-", dir="/tmp"))
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        # Held until the last process of a run is gone, also of one that was killed.
        if not _lock(lock.fileno()):
            print(f"another run with {root} goes on", file=sys.stderr)
            return 2
        with guarded((lock.fileno(),)):
            return _run(root, args)


def _lock(descriptor: int) -> bool:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        else:
            return True
    return False


def _run(root: Path, args: argparse.Namespace) -> int:
    results = root / "rounds.jsonl"
    done = (
        [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    )
    print(f"{len(done)} of {args.returns} rounds done; state in {root}", flush=True)
    until = time.monotonic() + 60 * args.minutes
    world = World(root)
    world.start()
    try:
        world.note_durable()
        with world.window(), world.terminal():
            world.wait_clients({"qt", "cli"})
            while len(done) < args.returns and time.monotonic() + args.every < until:
                time.sleep(args.every)
                back_s, link_s = world.kill_round()
                done.append({"back_s": round(back_s, 3), "link_s": round(link_s, 3)})
                with results.open("a") as file:
                    file.write(json.dumps(done[-1]) + "\n")
                print(f"round {len(done)}: back {back_s:.2f} s, link {link_s:.2f} s", flush=True)
            world.settle()
        problems = judge(world)
    finally:
        world.stop()
    return _report(root, done, problems, wanted=args.returns)


def _report(root: Path, done: list[dict[str, float]], problems: list[str], wanted: int) -> int:
    for key, limit_s in (("back_s", BACK_S), ("link_s", LINK_S)):
        times = sorted(row[key] for row in done) or [0.0]
        late = sum(value > limit_s for value in times)
        print(f"{key}: p50 {times[len(times) // 2]:.2f}, max {times[-1]:.2f}, {late} > {limit_s} s")
        problems += [f"{late} rounds over {limit_s} s ({key})"] if late else []
    for text in problems:
        print(f"BROKEN: {text}")
    count = sum(len(life.texts) for kind in KINDS for life in Numbers(root, kind).lives())
    print(f"{count} texts: " + ("each once and in order" if not problems else "see above"))
    if problems:
        return 1
    return 0 if len(done) >= wanted else 3
