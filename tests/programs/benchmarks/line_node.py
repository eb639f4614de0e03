"""One end of a stream of messages for `benchmarks.line`, with any of its transports.

    line_node send|receive TASK

`TASK` is a `Task` as JSON. Messages of 100 bytes carry the monotonic time at which they were given
to the transport. The receiver prints its port when it listens; then, when it has all or nothing
came for a while, what each message took in ms, as a JSON list in the order of delivery. The sender
prints `open` before the first message and goes on until it is killed.
"""

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from math import inf
from typing import NamedTuple

from benchmarks.line_table import due_times, interval_s
from benchmarks.line_transports import MESSAGE_BYTES, TRANSPORTS, Transport
from chatnet_engine.addresses import Addr
from chatnet_engine.io.impair import Impairment, ImpairSpec, parse_impair

SILENCE_S = 15.0
"""Nothing came for so long: what is missing is lost."""
DIAL_S = 1.1
"""From one link to the next; a handshake may take several of them on a bad line."""
REPAIR_S = 3.0
"""A link that is followed by others goes so long after its last message."""
LIVE_LINKS = 8
"""Of a receiver: those in use, and those that still repair losses."""
_SENT_AT = struct.Struct(">d")


class Task(NamedTuple):
    """What is sent, and over what."""

    name: str
    host: str
    port: int
    """Of the receiver; a receiver takes any."""
    messages: int
    """On each link."""
    at_once: int
    links: int
    """One dialled each `DIAL_S`; its messages begin when it is open."""
    impair: str
    start_s: float
    """Between the handshake and the first message of a single link."""

    def spec(self, number: int) -> ImpairSpec:
        """What the sender of link `number` does to its datagrams, or the receiver (0)."""
        spec = parse_impair(self.impair or "loss=0", seed=0)
        return replace(spec, seed=1000 * spec.seed + number)


class Took:
    """What each message took, and when the receiver is through."""

    def __init__(self, task: Task) -> None:
        self.ms: list[float] = []
        self._all = task.messages * task.links
        self._last_s = time.monotonic()
        self._silence_s = 2 * interval_s(task.at_once) + 1.0 if task.name == "udp" else SILENCE_S

    def add(self, message: bytes) -> None:
        """One has arrived."""
        self._last_s = time.monotonic()
        self.ms.append((self._last_s - _SENT_AT.unpack_from(message)[0]) * 1e3)

    def is_over(self) -> bool:
        """Whether there are all, or none for a long time; bare UDP repairs nothing."""
        silence_s = self._silence_s if self.ms else SILENCE_S
        return len(self.ms) >= self._all or time.monotonic() > self._last_s + silence_s


def message() -> bytes:
    """With the time that it is now."""
    return _SENT_AT.pack(time.monotonic()).ljust(MESSAGE_BYTES, b".")


class End:
    """A UDP socket with one transport for each address; the most recently used are kept."""

    def __init__(self, sock: socket.socket, make: Callable[[], Transport], impair: ImpairSpec):
        self.sock = sock
        self._make = make
        self._impair = Impairment(impair)
        self._transports: dict[Addr, Transport] = {}

    def transport(self, addr: Addr) -> Transport:
        """The one for that address, a new one if there is none."""
        found = self._transports.pop(addr, None) or self._make()
        self._transports[addr] = found
        if len(self._transports) > LIVE_LINKS:
            del self._transports[next(iter(self._transports))]
        return found

    def flush(self) -> float:
        """Send what is due; when more will be, at the latest."""
        now = time.monotonic()
        transports = self._transports.values()
        out = [each for transport in transports for each in transport.take(now)]
        for data, addr in self._impair.admit(out, now):
            self.sock.sendto(data, addr)
        dues = [transport.next_s() for transport in transports]
        held_s = self._impair.next_timeout()
        return min([*dues, now + 1.0 if held_s is None else held_s])

    def read(self) -> None:
        """A datagram waits."""
        data, source = self.sock.recvfrom(65536)
        self.transport(source).handle(data, source, time.monotonic())

    def messages(self) -> list[bytes]:
        """What arrived since the last call."""
        return [each for one in self._transports.values() for each in one.messages()]


def turn(ends: list[End], until_s: float) -> list[bytes]:
    """Send what is due and wait for a datagram, not beyond `until_s`; what arrived."""
    wake_s = min([until_s, *(end.flush() for end in ends)])
    readable, _, _ = select.select(
        [end.sock for end in ends], [], [], max(0.0, wake_s - time.monotonic())
    )
    for end in ends:
        if end.sock in readable:
            end.read()
    return [each for end in ends for each in end.messages()]


def receive_udp(task: Task) -> Took:
    """Every source is a link of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((task.host, 0))
        addr = sock.getsockname()
        TRANSPORTS[task.name](addr, sends=False)  # imports its package before anything is measured
        end = End(sock, lambda: TRANSPORTS[task.name](addr, sends=False), task.spec(0))
        print(addr[1], flush=True)
        took = Took(task)
        while not took.is_over():
            for each in turn([end], time.monotonic() + 1.0):
                took.add(each)
        return took


class Stream:
    """A sender's link, and its messages."""

    def __init__(self, task: Task, number: int) -> None:
        """Dials."""
        addr = task.host, task.port
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        make = partial(TRANSPORTS[task.name], addr, sends=True)
        self.end = End(sock, make, task.spec(number))
        self.link = self.end.transport(addr)
        self._task = task
        self._dues: Iterator[float] | None = None
        self._due_s = inf
        self._last_s = inf

    def send_due(self, now: float) -> float:
        """Send the messages that are due; when the next one is."""
        if self._dues is None and self.link.is_open:
            start_s = now if self._task.links > 1 else now + self._task.start_s
            self._dues = due_times(self._task.messages, self._task.at_once, start_s)
            self._due_s = next(self._dues)
        while self._dues is not None and self._due_s <= now:
            self.link.send(message(), now)
            self._due_s, self._last_s = next(self._dues, inf), now
        return self._due_s

    def is_over(self, now: float) -> bool:
        """Everything was sent some time ago."""
        return self._due_s == inf and now > self._last_s + REPAIR_S


def send_udp(task: Task) -> None:
    """Until it is killed; every link has a socket of its own."""
    streams: list[Stream] = []
    dialled, is_open, dial_s = 0, False, time.monotonic()
    while True:
        now = time.monotonic()
        if dialled < task.links and now >= dial_s:
            dialled += 1
            dial_s += DIAL_S
            streams.append(Stream(task, dialled))
        if not is_open and any(stream.link.is_open for stream in streams):
            is_open = True
            print("open", flush=True)
        wakes = [stream.send_due(now) for stream in streams]
        next_dial_s = dial_s if dialled < task.links else now + 1.0
        turn([stream.end for stream in streams], min([next_dial_s, *wakes]))
        for stream in streams[:]:
            if task.links > 1 and stream.is_over(now):
                stream.end.sock.close()
                streams.remove(stream)


def receive_tcp(task: Task) -> Took:
    """The kernel's, as it is set here."""
    waiting = b""
    with socket.create_server((task.host, 0)) as server:
        print(server.getsockname()[1], flush=True)
        server.settimeout(SILENCE_S)
        try:
            sock = server.accept()[0]
        except TimeoutError:
            return Took(task)  # no connection on such a line
    took = Took(task)
    sock.settimeout(SILENCE_S)
    while not took.is_over():
        try:
            waiting += sock.recv(65536)
        except TimeoutError:
            break
        while len(waiting) >= MESSAGE_BYTES:
            took.add(waiting[:MESSAGE_BYTES])
            waiting = waiting[MESSAGE_BYTES:]
    return took


def send_tcp(task: Task) -> None:
    """Until it is killed; without Nagle's algorithm."""
    try:
        sock = socket.create_connection((task.host, task.port), timeout=SILENCE_S)
    except OSError:
        return  # no connection on such a line
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    print("open", flush=True)
    for due_s in due_times(task.messages, task.at_once, time.monotonic() + task.start_s):
        time.sleep(max(0.0, due_s - time.monotonic()))
        sock.sendall(message())
    while True:
        time.sleep(1.0)


def main(args: list[str]) -> int:
    """Started by `benchmarks.line` only."""
    task = Task(**json.loads(args[1]))
    is_tcp = task.name == "tcp"
    if args[0] == "send":
        send = send_tcp if is_tcp else send_udp
        send(task)
        return 0
    receive = receive_tcp if is_tcp else receive_udp
    print(json.dumps(receive(task).ms), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
