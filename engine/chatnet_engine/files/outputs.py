"""What all transfers of a session share: the way out, and what is known of each peer's link."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chatnet_engine.addresses import Addr
from chatnet_engine.files import process_wire as pw
from chatnet_engine.files.bulk import BulkStreams
from chatnet_engine.files.tcp_speed import is_slow
from chatnet_protocol.wire.control import Control, Suite, encode_control

STATEMENT_INTERVAL_S = 1.0
STATEMENTS_AT_ONCE = 4
"""Hundreds of transfers are stated on a new link, and a peer may begin links without end."""

FIRST_TCP_PAUSE_S = 60.0
MAX_TCP_PAUSE_S = 600.0
"""After TCP led nowhere, in either direction, the link is used for so long without trying."""


@dataclass(slots=True)
class PeerLink:
    """The link to one peer, as far as transfers care."""

    up: bool = False
    incarnation: int = 0
    """The peer's, on the newest link."""
    addrs: list[Addr] = field(default_factory=list)
    """Where the peer's TCP listener may be, best guess first."""
    suite: int = Suite.CHACHA
    is_other: bool = False
    """The peer's engine is another one than when the transfers were last stated."""
    next_statement_s: float = float("-inf")
    tcp_port: int = 0
    """Of the peer's listener, as it last named it; 0: it has not."""
    tcp_again_s: float = float("-inf")
    """Until then the bytes of files travel on the link."""
    line: Callable[[], tuple[float, float]] = lambda: (0.0, 0.0)
    """Smallest round trip in seconds, and share of packets lost, as the link has measured them."""
    _tcp_pause_s: float = FIRST_TCP_PAUSE_S

    def rtt_s(self) -> float:
        """The smallest round trip that was measured; 0: none was."""
        return self.line()[0]

    def is_tcp_slow(self) -> bool:
        """Whether random loss keeps CUBIC below what a bulk stream reaches."""
        return is_slow(*self.line())

    def tcp_failed(self, now: float) -> None:
        """No connection could be had, or one that was had let nothing through. Several transfers
        may find that out at the same time."""
        if now < self.tcp_again_s:
            return
        self.tcp_again_s = now + self._tcp_pause_s
        self._tcp_pause_s = min(MAX_TCP_PAUSE_S, 2 * self._tcp_pause_s)

    def try_tcp(self) -> None:
        """A connection was opened, or the peer is somewhere else."""
        self.tcp_again_s = float("-inf")

    def tcp_works(self) -> None:
        """Bytes travel on one."""
        self.try_tcp()
        self._tcp_pause_s = FIRST_TCP_PAUSE_S

    def tcp_addrs(self) -> list[Addr]:
        """Where the peer's listener may be, those with the port it named first."""
        port = self.tcp_port
        addrs: list[Addr] = []
        for host, known in self.addrs:
            for candidate in ((host, port or known), (host, known)):
                if candidate not in addrs:
                    addrs.append(candidate)
        addrs.sort(key=lambda addr: addr[1] != port)
        return addrs

    def came_up(self, addrs: Sequence[Addr], incarnation: int, suite: int) -> None:
        """The link is new. `addrs`: where the peer's listener may be, best guess first."""
        self.up = True
        if self.addrs != list(addrs):
            self.addrs = list(addrs)
            self.try_tcp()
        self.suite = suite
        self.is_other = self.is_other or self.incarnation != incarnation
        self.incarnation = incarnation

    def may_state(self, now: float) -> bool:
        """Whether a new link may state all transfers at once; if so, that counts."""
        if self.next_statement_s > now:
            return False
        earliest_s = now - (STATEMENTS_AT_ONCE - 1) * STATEMENT_INTERVAL_S
        self.next_statement_s = max(self.next_statement_s, earliest_s) + STATEMENT_INTERVAL_S
        return True


class Mark(NamedTuple):
    """How much there was of everything."""

    controls: int
    frames: int
    undo: int


class Outputs:
    """Collects the messages, jobs and operations that the state machines produce; drained by their
    owner."""

    def __init__(self) -> None:
        self.controls: list[tuple[int, bytes]] = []
        self.frames: list[bytes] = []
        self.ready = False
        """Whether there is a file process; requests without one are dropped and asked again."""
        self.port = 0
        """TCP port of our listener; 0: none."""
        self.bbr = False
        """Whether what the file process sends on TCP uses BBR."""
        self.limit_bytes_s = 0
        """Of all that is sent, and of all that is received; 0: no limit."""
        self.bulk = BulkStreams(self.ask)
        self.searches: list[bytes] = []
        """Transfers whose earlier folder is wanted from the store."""
        self.undo: list[Callable[[], object]] = []
        """How to take back what else this unit of work has changed, newest last."""
        self._jobs = 0

    def begin(self) -> Mark:
        """A unit of work begins: what `roll_back` goes back to."""
        self.undo.clear()
        return self.mark()

    def mark(self) -> Mark:
        """A part of a unit begins."""
        return Mark(len(self.controls), len(self.frames), len(self.undo))

    def roll_back(self, mark: Mark) -> None:
        """Drop what was collected since then."""
        del self.controls[mark.controls :]
        del self.frames[mark.frames :]
        while len(self.undo) > mark.undo:
            self.undo.pop()()

    def say(self, peer: int, control: Control) -> None:
        """Tell the peer; lost when its link is not up."""
        self.controls.append((peer, encode_control(control)))

    def ask(self, request: pw.Request) -> None:
        """Tell the file process."""
        if self.ready:
            self.frames.append(pw.encode(request))

    def handle_listening(self, report: pw.Listening) -> None:
        """There is a file process, which can be asked from now on."""
        if not self.ready:
            self.frames.clear()
        self.ready = True
        self.port, self.bbr = report.port, report.bbr
        if self.limit_bytes_s:
            self.ask(pw.Limit(self.limit_bytes_s))

    def next_job(self) -> int:
        """A number for a new job, never used before in this boot."""
        self._jobs += 1
        return self._jobs
