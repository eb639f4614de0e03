"""One engine's sockets, threads and processes behind one face: the world that effects land in.

Performs what the node asks, and collects what the workers answer. Decides nothing.
"""

import logging
from dataclasses import dataclass, field, fields

from chatnet_engine.addresses import Addr
from chatnet_engine.clock import Now
from chatnet_engine.io.address_watch import AddressWatch
from chatnet_engine.io.backup import BackupMaker
from chatnet_engine.io.file_link import FileLink
from chatnet_engine.io.impair import Impairment
from chatnet_engine.io.ipc import IpcServer
from chatnet_engine.io.resolver import Resolver
from chatnet_engine.io.store import HistoryReader, Store
from chatnet_engine.io.stretcher import Stretcher
from chatnet_engine.io.trace_log import TraceLog
from chatnet_engine.io.trace_stream import TraceStream
from chatnet_engine.io.udp import UdpSocket
from chatnet_engine.io.wakeup import WakeUp
from chatnet_engine.node.effects import (
    AddressesChanged,
    ClientGone,
    CollectCounters,
    CopySession,
    CountersCollected,
    IoResult,
    ReadHistory,
    ResolveHost,
    StretchInvite,
)
from chatnet_engine.store_ops.commit import Commit
from chatnet_engine.trace import Trace

NOT_YET = Now(0.0, 0)


logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Machine:
    """Implements `perform.World`. `now` is the turn's clock reading, set by the runner."""

    wakeup: WakeUp
    udp: UdpSocket
    ipc: IpcServer
    store: Store
    history: HistoryReader
    backups: BackupMaker
    resolver: Resolver
    stretcher: Stretcher
    files: FileLink
    addresses: AddressWatch
    trace_log: TraceLog
    trace_stream: TraceStream
    impairment: Impairment | None = None
    now: Now = NOT_YET
    stop_reason: str | None = None
    """Set once the node has asked to stop."""
    _reports: list[IoResult] = field(default_factory=list)

    def send_datagrams(self, datagrams: list[tuple[bytes, Addr]]) -> None:
        """Through the artificial line, if there is one."""
        if self.impairment is not None:
            datagrams = self.impairment.admit(datagrams, self.now.mono_s)
        self.udp.send(datagrams)

    def commit(self, commit: Commit) -> None:
        """Raises LocalProtocolError while another transaction is in flight."""
        self.store.commit(commit)

    def publish(self, topic: bytes, frame: bytes) -> None:
        """To all front ends."""
        self.ipc.publish(topic, frame)
        self.ipc.flush_events()  # a front end may read while this one works on

    def reply(self, routing_id: bytes, frame: bytes) -> None:
        """To one front end."""
        self.ipc.reply(routing_id, frame)

    def read_history(self, ask: ReadHistory) -> None:
        """Answered from the reader's thread."""
        self.history.ask(ask)

    def copy_session(self, ask: CopySession) -> None:
        """Answered from the thread that makes backups."""
        self.backups.ask(ask)

    def count(self, ask: CollectCounters) -> None:
        """Answered in the next turn."""
        self._reports.append(CountersCollected(ask.reply_to, ask.view, self.counters()))

    def resolve(self, ask: ResolveHost) -> None:
        """Answered from a resolver thread."""
        self.resolver.ask(ask, self.now.mono_s)

    def stretch(self, ask: StretchInvite) -> None:
        """Answered from the stretcher's thread."""
        self.stretcher.ask(ask)

    def send_to_file_process(self, frame: bytes) -> None:
        """To the file process."""
        self.files.tell(frame, self.now.mono_s)

    def log_problem(self, text: str) -> None:
        """What should not have happened, with its traceback."""
        logger.error("%s", text)

    def trace(self, trace: Trace) -> None:
        """Into the log, as far as its level goes, and to subscribers."""
        self.trace_log.write(trace, self.now.mono_s)
        self.trace_stream.add(trace)

    def stop(self, reason: str) -> None:
        """The runner leaves its loop when nothing is in flight any more."""
        self.stop_reason = reason

    def close(self) -> None:
        """End the file process and the threads that only read."""
        self.files.close()
        self.stretcher.stop()
        self.history.stop()
        self.backups.stop()

    @property
    def idle(self) -> bool:
        """Whether nothing that was asked for is still to be done: no commit, no late datagram."""
        line = self.impairment
        return self.store.idle and (line is None or line.next_timeout() is None)

    def counters(self) -> dict[str, int]:
        """What sockets and processes have counted since the start, by name."""
        facts: dict[str, int] = {}
        for prefix, counters in (("socket", self.udp.counters), ("ipc", self.ipc.counters)):
            for each in fields(counters):
                facts[f"{prefix}_{each.name}"] = getattr(counters, each.name)
        facts["files_restarts"] = self.files.restarts
        facts["files_frames_dropped"] = self.files.dropped
        if self.impairment is not None:
            facts["impair_lost"] = self.impairment.lost
            facts["impair_duplicated"] = self.impairment.duplicated
            facts["impair_overflowed"] = self.impairment.overflowed
        return facts

    def take_results(self) -> list[IoResult]:
        """What the workers have answered. Raises what one of them died of."""
        results: list[IoResult] = [*self.store.take_answers(), *self._reports]
        self._reports = []
        results += self.history.take_answers()
        results += self.backups.take_answers()
        results += self.resolver.take_answers(self.now.mono_s)
        results += self.stretcher.take_answers()
        results += map(ClientGone, self.ipc.take_gone())
        return results

    def handle_files(self, *, readable: bool, writable: bool) -> None:
        """The file process' socket is ready."""
        if readable:
            self._reports += self.files.handle_readable(self.now.mono_s)
        if writable:
            self.files.handle_writable(self.now.mono_s)

    def handle_timeout(self) -> None:
        """Everything here that was to happen by now."""
        now_s = self.now.mono_s
        if self.impairment is not None:
            due = self.impairment.take_due(now_s)
            if due:
                self.udp.send(due)
        self.ipc.handle_timeout(now_s)
        if self.addresses.take_change(now_s):
            self._reports.append(AddressesChanged())
        self._reports += self.files.handle_timeout(now_s)

    def next_timeout(self) -> float:
        """When `handle_timeout` or `take_results` has something to do without being rung for."""
        deadlines = (
            self.ipc.next_timeout(),
            self.files.next_timeout(),
            self.resolver.next_timeout(),
            self.addresses.next_timeout(),
            self.impairment.next_timeout() if self.impairment is not None else None,
            self.now.mono_s if self._reports or self.ipc.has_gone else None,
        )
        return min(deadline for deadline in deadlines if deadline is not None)
