"""A bad line between two real engines that can be cut: a UDP relay in a process of its own.

Each engine dials the relay's socket on its side and hears the other one from there. One line on
standard input changes the line: `cut`, `heal`. What it did is said on standard output, with the
time of CLOCK_MONOTONIC, which all processes share.
"""

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from chatnet_engine.addresses import Addr
from chatnet_engine.io.impair import Impairment, parse_impair

READ_AT_ONCE = 256
BUFFER_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """A running relay. `ports` is what the first engine dials, and the second."""

    ports: tuple[int, int]
    process: "subprocess.Popen[str]"

    def lead_to(self, first: int, second: int) -> None:
        """Say on which local ports the engines listen."""
        self._say(f"ports {first} {second}")

    def cut(self) -> None:
        """From now on, nothing comes through; what is on the way is lost."""
        self._say("cut")

    def heal(self) -> float:
        """It works again; when that was."""
        return self._say("heal")

    def first_through(self) -> float:
        """When the first packet since the heal came out at the other end; waits for one."""
        assert self.process.stdout
        word, at = self.process.stdout.readline().split()
        assert word == "through", word
        return float(at)

    def _say(self, order: str) -> float:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        word, at = self.process.stdout.readline().split()
        assert word == "done", word
        return float(at)


@contextmanager
def bad_line(spec: str) -> Iterator[Line]:
    """A relay with `spec` (as for `--impair`) in each direction."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "realworld.line", spec],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            first, second = process.stdout.readline().split()
            yield Line((int(first), int(second)), process)
        finally:
            process.kill()


class Relay:
    """The process itself: socket 0 faces the first engine, socket 1 the second."""

    def __init__(self, spec: str) -> None:
        self.sockets = [_socket(), _socket()]
        self.spec = spec
        self.engines: list[Addr] = []
        self.lines = self._new_lines()
        self.is_cut = False
        self.awaited = False
        """The first packet after a heal is still to come."""

    def _new_lines(self) -> list[Impairment]:
        return [Impairment(parse_impair(self.spec, seed=side + 1)) for side in (0, 1)]

    def run(self) -> None:
        """Until standard input ends."""
        print(*(each.getsockname()[1] for each in self.sockets), flush=True)
        while True:
            dues = [due for line in self.lines if (due := line.next_timeout()) is not None]
            wait_s = max(0.0, min(dues) - time.monotonic()) if dues else None
            readable, _, _ = select.select([*self.sockets, sys.stdin], [], [], wait_s)
            if sys.stdin in readable and not self.obey(sys.stdin.readline().split()):
                return
            for side, each in enumerate(self.sockets):
                if each in readable:
                    self.take(side)
                self.pass_on(side, self.lines[side].take_due(time.monotonic()))

    def obey(self, words: list[str]) -> bool:
        """One order; False when there will be no more."""
        match words:
            case ["ports", first, second]:
                self.engines = [("127.0.0.1", int(first)), ("127.0.0.1", int(second))]
            case ["cut"]:
                self.is_cut = True
                self.lines = self._new_lines()
            case ["heal"]:
                self.is_cut, self.awaited = False, True
            case _:
                return False
        print("done", time.monotonic(), flush=True)
        return True

    def take(self, side: int) -> None:
        """What the engine of that side sends."""
        batch = []
        for _ in range(READ_AT_ONCE):
            try:
                data = self.sockets[side].recv(1 << 16)
            except BlockingIOError:
                break
            except ConnectionError:
                continue  # an engine is not there at the moment
            batch.append(data)
        if self.engines and not self.is_cut:
            target = self.engines[1 - side]
            due = self.lines[side].admit([(data, target) for data in batch], time.monotonic())
            self.pass_on(side, due)

    def pass_on(self, side: int, due: list[tuple[bytes, Addr]]) -> None:
        """What has travelled long enough comes out at the other side."""
        for data, target in due:
            try:
                self.sockets[1 - side].sendto(data, target)
            except OSError:
                continue  # as a line would lose it
            if self.awaited:
                self.awaited = False
                print("through", time.monotonic(), flush=True)


def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
        made.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    return made


if __name__ == "__main__":
    Relay(sys.argv[1]).run()
