"""How fast two histories are equal again after a long partition with much to say on both sides."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.measure import cpu_s
from chatnet_client.client import Client
from chatnet_protocol.ipc.commands import AddPeer
from checker.histories import read_file
from checker.verdict import Side, check
from realworld.backlog import queue_texts
from realworld.engines import RealEngine, is_up
from realworld.line import Line, bad_line

MESSAGES = 20_000
"""Queued on each side while the line is cut."""
LINE = "delay=25ms,loss=1%"
MINUTES = "CHATNET_PARTITION_MINUTES"
"""The environment's say in how long the line is cut; ten minutes are the promise."""
FIRST_S, EQUAL_S = 2.0, 30.0
"""The promise: the first packet after the heal, equal histories after that packet."""
UP_S = 20.0
GIVE_UP_S = 300.0


def run(root: Path) -> Iterator[str]:
    """20,000 messages queued on each side of a cut line (25 ms one way, 1 % loss) that heals."""
    minutes = float(os.environ.get(MINUTES, "10"))
    with ExitStack() as stack:
        line = stack.enter_context(bad_line(LINE))
        a, b = (RealEngine(root, name, "--bind", "127.0.0.1") for name in "ab")
        for engine in (a, b):
            stack.callback(engine.stop)
            engine.start()
        line.lead_to(a.port, b.port)
        with a.attach("introduce") as at_a, b.attach("introduce") as at_b:
            for client, port in zip((at_a, at_b), line.ports, strict=True):
                client.request(AddPeer("127.0.0.1", port))
            for client in (at_a, at_b):
                assert client.wait_until(partial(is_up, client), UP_S)
        started = time.monotonic()
        line.cut()
        _queue_both(a, b)
        yield f"queued on both sides in {time.monotonic() - started:.1f} s"
        time.sleep(max(0.0, started + minutes * 60 - time.monotonic()))
        yield from _heal(a, b, line, time.monotonic() - started)
        sides = [Side(each.name, each.key, [read_file(each.database)]) for each in (a, b)]
        problems = check(sides)
        yield "checker: " + ("; ".join(problems) or "every promise kept, both histories equal")


def _queue_both(a: RealEngine, b: RealEngine) -> None:
    texts = [[f"{each.name} {n} ".ljust(100, "x") for n in range(MESSAGES)] for each in (a, b)]
    other = threading.Thread(target=queue_texts, args=(b.connection_path, 1, texts[1], 2))
    other.start()
    queue_texts(a.connection_path, 1, texts[0], 1)
    other.join()


def _heal(a: RealEngine, b: RealEngine, line: Line, cut_s: float) -> Iterator[str]:
    processes = [each.process for each in (a, b) if each.process]
    with a.attach("watcher") as at_a, b.attach("watcher") as at_b:
        before = [cpu_s(process.pid) for process in processes]
        healed = line.heal()
        first = line.first_through()
        equal = max(_watch_both(at_a, at_b))
        used = sum(cpu_s(process.pid) for process in processes) - sum(before)
        for client in (at_a, at_b):
            assert client.wait_until(partial(_all_delivered, client), GIVE_UP_S)
        settled = time.monotonic()
    took = equal - first
    yield f"cut for {cut_s:.0f} s"
    yield f"{_verdict('first packet', first - healed, FIRST_S)} after the heal"
    yield f"{_verdict('both histories equal', took, EQUAL_S)} after the first packet"
    yield f"both outboxes empty {settled - first:.2f} s after the first packet"
    yield (
        f"{2 * MESSAGES / took:,.0f} messages/s, both ways together; "
        f"{used / 2 / MESSAGES * 1e6:.1f} us of CPU per message in both engines together"
    )


def _watch_both(at_a: Client, at_b: Client) -> list[float]:
    """When each side had committed, and told its front end of, everything from the other."""
    done: list[float] = []

    def watch(client: Client) -> None:
        if client.wait_until(lambda: client.view.peers[0].last_ack >= MESSAGES, GIVE_UP_S):
            done.append(time.monotonic())

    threads = [threading.Thread(target=watch, args=(client,)) for client in (at_a, at_b)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(threads), "the histories did not become equal"
    return done


def _verdict(what: str, took_s: float, promised_s: float) -> str:
    verdict = "kept" if took_s <= promised_s else "MISSED"
    return f"{what} {took_s:.2f} s ({verdict}: at most {promised_s:.0f} s)"


def _all_delivered(client: Client) -> bool:
    return not client.view.peers[0].waiting
