"""Real text both ways and a file, through 20 % loss, duplicates, jitter and reordering; then the
same while engines are killed."""

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from chatnet_client.client import Client
from checker.histories import read_file
from checker.verdict import Side, check
from realworld.backlog import queue_texts
from realworld.engines import RealEngine, two_engines
from realworld.exports import check_exports
from realworld.stores import stored_texts
from realworld.texts import real_lines

BAD_LINE = "loss=0.2,dup=0.05,delay=10ms,jitter=5ms,reorder=0.1,seed="
LINES = 2000
FILE_BYTES = 256 * 2**20
WITHIN_S = 120.0


class EventLog:
    """`chatnet events --json` in a process of its own, its lines kept."""

    def __init__(self, engine: RealEngine, since: int) -> None:
        self.process = engine.spawn_cli(
            "events", "--json", "--session", engine.name, "--since", str(since)
        )
        self.messages: list[dict[str, object]] = []
        self._grown = threading.Condition()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            event = json.loads(line)
            if event["type"] == "message":
                with self._grown:
                    self.messages.append(event)
                    self._grown.notify()

    def wait_for(self, no: int) -> bool:
        """Whether the message with that number is told in time."""
        with self._grown:
            return self._grown.wait_for(
                lambda: bool(self.messages) and self.messages[-1]["no"] == no, WITHIN_S
            )

    def texts(self, *, mine: bool) -> list[str]:
        """Texts of one side, as they were told."""
        return [str(m["text"]) for m in self.messages if m["mine"] == mine and m["kind"] == "text"]

    def stop(self) -> None:
        """End the process and read what it still said."""
        self.process.terminate()
        self._thread.join(30)
        self.process.communicate(timeout=60)


@contextmanager
def event_log(engine: RealEngine, since: int = 0) -> Iterator[EventLog]:
    log = EventLog(engine, since)
    try:
        with engine.attach("waits for the log") as client:
            assert client.wait_until(
                lambda: any("events" in row.name for row in client.view.clients), WITHIN_S
            )
        yield log
    finally:
        log.stop()


def all_delivered(client: Client, count: int) -> bool:
    peer = client.view.peers[0]
    return peer.last_seq >= count and peer.delivered_seq == peer.last_seq


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def random_file(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for _ in range(size // 2**20):
            file.write(os.urandom(2**20))
    return path


def check_texts(a: RealEngine, b: RealEngine, said_a: list[str], said_b: list[str]) -> None:
    assert stored_texts(a.database, mine=True) == said_a
    assert stored_texts(b.database, mine=True) == said_b
    assert stored_texts(b.database, mine=False) == said_a
    assert stored_texts(a.database, mine=False) == said_b
    sides = [Side(e.name, e.key, [read_file(e.database)]) for e in (a, b)]
    assert check(sides) == []
    assert check_exports(a, b) == []


def say_both(a: RealEngine, b: RealEngine, said_a: list[str], said_b: list[str]) -> None:
    """Both sides write at once."""
    other = threading.Thread(target=queue_texts, args=(b.connection_path, 1, said_b, 2))
    other.start()
    queue_texts(a.connection_path, 1, said_a, 1)
    other.join()


def test_real_text_both_ways_while_a_file_crosses(tmp_path: Path) -> None:
    said_a, said_b = real_lines(LINES, 0), real_lines(LINES, 1)
    big = random_file(tmp_path / "big.bin", FILE_BYTES)
    with two_engines(tmp_path, "--impair", BAD_LINE + "7") as (a, b), event_log(b) as told:
        sending = a.spawn_cli("send-file", str(big), "--wait", "done", "--timeout", "100")
        say_both(a, b, said_a, said_b)
        for engine in (a, b):
            with engine.attach() as client:
                assert client.wait_until(partial(all_delivered, client, LINES), WITHIN_S)
        out, err = sending.communicate(timeout=WITHIN_S)
        assert sending.returncode == 0, out + err
        landed = Path(b.env["HOME"]) / "Downloads" / "ChatNet" / "big.bin"
        assert digest(landed) == digest(big)
        check_texts(a, b, said_a, said_b)
        with b.attach() as client:
            last = client.view.last_no
        assert told.wait_for(last)
    assert told.texts(mine=False) == said_a
    assert told.texts(mine=True) == said_b
    assert [m["no"] for m in told.messages] == list(range(1, last + 1))
    acks = [m["ack"] for m in told.messages if not m["mine"]]
    assert acks == list(range(1, len(acks) + 1))


def test_engines_killed_in_the_middle(tmp_path: Path) -> None:
    said_a, said_b = real_lines(LINES, 0), real_lines(LINES, 1)
    big = random_file(tmp_path / "big.bin", FILE_BYTES)
    with two_engines(tmp_path, "--impair", BAD_LINE + "8") as (a, b):
        say_both(a, b, said_a[:700], said_b[:700])
        offered = a.cli("send-file", str(big))
        assert offered.returncode == 0, offered.stderr
        b.kill()
        queue_texts(a.connection_path, 1, said_a[700:1400], 3)
        b.start()
        queue_texts(b.connection_path, 1, said_b[700:1400], 4)
        a.kill()
        a.start()
        say_rest = threading.Thread(
            target=queue_texts, args=(b.connection_path, 1, said_b[1400:], 5)
        )
        say_rest.start()
        queue_texts(a.connection_path, 1, said_a[1400:], 6)
        say_rest.join()
        for engine in (a, b):
            with engine.attach() as client:
                assert client.wait_until(partial(all_delivered, client, LINES), WITHIN_S)
        with b.attach() as client:
            assert client.wait_until(
                lambda: [t.state for t in client.view.transfers] == ["done"], WITHIN_S
            ), client.view.transfers
        landed = Path(b.env["HOME"]) / "Downloads" / "ChatNet" / "big.bin"
        assert digest(landed) == digest(big)
        check_texts(a, b, said_a, said_b)


def test_events_since_miss_and_repeat_nothing_over_restarts(tmp_path: Path) -> None:
    said = real_lines(300)
    with two_engines(tmp_path) as (a, b):
        queue_texts(a.connection_path, 1, said[:100], 1)
        with b.attach() as client:
            assert client.wait_until(lambda: client.view.peers[0].last_ack == 100, WITHIN_S)
        with event_log(b, since=50) as told:
            queue_texts(a.connection_path, 1, said[100:200], 2)
            b.kill()
            b.start()
            queue_texts(a.connection_path, 1, said[200:], 3)
            with b.attach() as client:
                assert client.wait_until(lambda: client.view.peers[0].last_ack == 300, WITHIN_S)
            assert told.wait_for(300)
        assert [m["no"] for m in told.messages] == list(range(51, 301))
        assert told.texts(mine=False) == said[50:]
