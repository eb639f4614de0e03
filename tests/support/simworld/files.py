"""The file processes of a simulated world: pretended ones, moved by its clock and its network."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from chatnet_engine.files import process_wire as pw
from chatnet_engine.node.effects import FileProcessReport, FilesRestarted
from chatnet_protocol.ipc.reasons import TransferReason
from fake_files import FakeProcess, Net
from simworld.clock import Clock

if TYPE_CHECKING:
    from simworld.engine import SimEngine

REPORT_S = 0.001
CHUNK_S = 0.004


class FilesNet:
    """What all file processes of one world reach each other by."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.net = Net()
        self.frozen = False
        """A cut line: nothing connects and nothing moves."""
        self.blocked = False
        """No TCP: nothing connects, and what is connected gets nothing acknowledged."""
        self.all: list[SimFiles] = []
        self._ticking = False

    def flush(self) -> None:
        """Reports go to their engines in a moment; connections go on moving."""
        for files in self.all:
            files.flush()
        if (self.net.connections or self.net.streams) and not self._ticking:
            self._ticking = True
            self.clock.after(CHUNK_S, self._tick)

    def cut(self, frozen: bool) -> None:
        """The line is cut, or whole again; established connections are lost with it."""
        self.frozen = frozen
        self._reach()
        if frozen:
            for connection in list(self.net.connections):
                self.net.cut(connection)
        self.flush()

    def block(self, blocked: bool) -> None:
        """Firewalls let no TCP through any more, or do again."""
        self.blocked = blocked
        self._reach()
        if blocked:
            self.clock.after(pw.STALLED_S, self._stall)
        self.flush()

    def _reach(self) -> None:
        for files in self.all:
            files.process.reachable = not self.frozen and not self.blocked

    def _stall(self) -> None:
        if self.blocked:
            for one in self.net.connections:
                one.sender.report(pw.Stalled(one.send.job, TransferReason.PATH_SILENT))
            self.flush()

    def _tick(self) -> None:
        self._ticking = False
        if not self.frozen:
            self.net.step(self.clock.random, tcp=not self.blocked)
        self.flush()


class SimFiles:
    """One engine's file process. Its disk outlives it."""

    def __init__(self, engine: SimEngine, shared: FilesNet) -> None:
        self.engine = engine
        self.shared = shared
        self.sources: dict[str, bytes] = {}
        self.process = FakeProcess(shared.net, self.sources)
        self.process.probed = True
        shared.all.append(self)
        self._life = 0

    def started(self) -> None:
        """The engine starts: so does a process of its own."""
        self.ended()
        self.flush()

    def ended(self) -> None:
        """The engine ended, and the process with its pipe."""
        self._life += 1
        self.process.restart()
        self.shared.flush()

    def kill(self) -> None:
        """The process alone dies; the engine starts another."""
        self.process.restart()
        self.shared.flush()
        self._tell(self._life, FilesRestarted())

    def handle(self, frame: bytes) -> None:
        """A request of the engine."""
        request = pw.decode_request(frame)
        if isinstance(request, pw.Receive):
            have = self.process.partials.get((request.id, request.index), b"")
            if len(have) < request.offset:  # a restored history knows of bytes that have gone
                request = msgspec.structs.replace(request, offset=0)
        if isinstance(request, pw.Stop):
            waiting = self.shared.net.waiting.items()
            self.shared.net.waiting = {
                handle: one
                for handle, one in waiting
                if (one[0], one[1].job) != (self.process, request.job)
            }
        self.process.handle(request)
        self.shared.flush()

    def flush(self) -> None:
        """Hand over what the process reported."""
        reports, self.process.reports = self.process.reports, []
        life = self._life
        for report in reports:
            said = FileProcessReport(pw.encode(report))
            self.engine.clock.after(REPORT_S, partial(self._tell, life, said))

    def _tell(self, life: int, said: FileProcessReport | FilesRestarted) -> None:
        if life == self._life:
            self.engine.hear(said)
