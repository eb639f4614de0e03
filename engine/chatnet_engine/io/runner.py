"""The pump: one loop that feeds the node what has arrived and performs what it asks.

One clock reading a wake-up, one more after datagrams were read; one `take_effects` a turn, and one
before datagrams where the world has answered. Every source is drained up to a cap and then left to
the next turn, so that none starves the others. The loop waits at most MAX_WAIT_S, because poll does
not count the time the machine sleeps.
"""

import logging
import math
import select
import time
from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from chatnet_engine.addresses import Addr
from chatnet_engine.clock import Now
from chatnet_engine.io.datagram_budget import DatagramBudget
from chatnet_engine.io.intake import Intake
from chatnet_engine.io.machine import Machine
from chatnet_engine.io.perform import perform
from chatnet_engine.node.effects import Effect, IoResult

logger = logging.getLogger(__name__)

MAX_WAIT_S = 1.0
SELECT_FDS = 1024
"""FD_SETSIZE: select knows no descriptors from here on."""
MAX_READS_PER_TURN = 32
MAX_READ_S = 0.002
"""Taking datagrams off the socket: fast, so that a flood fills its sender's queue and not the
socket's buffer, which all peers share."""
DATAGRAMS_PER_READ = 64
MAX_DATAGRAMS_PER_TURN = 256
MAX_DATAGRAMS_S = 0.002
"""Handling them: a burst does not keep the store's answers and the front ends waiting."""
MAX_DATAGRAMS_OF_SEVERAL_S = 0.0005
"""The same where several peers compete: who sends little waits a turn for each of its steps."""
MAX_UNDISTURBED_S = 0.004
"""And so long while nothing else has arrived that the turn would hold up."""
FIRST_SLICE = 2
"""Datagrams handled before the time is looked at; each further slice of a turn is twice as long,
as nothing is known of what a datagram costs before the first is handled."""
STORE_SHARE_MS = 3
"""What a transaction in flight gets for itself where datagrams are left over from the turn before,
in each turn while several peers compete, else once: beside a busy loop the store's thread waits for
the interpreter at each of its statements, and a flood makes a transaction of 3 ms last 20 to 100.
"""
STORE_WAIT_MS = 1
"""So long a turn may wait for the answer to the transaction it began: most take less where the disk
is fast, and elsewhere the deadlines are looked at meanwhile."""
MAX_STORE_ANSWERS = 3
MAX_REQUESTS_PER_TURN = 256
MAX_REQUESTS_S = 0.002
STOP_TIMEOUT_S = 1.5
"""Longest time from the request to stop to leaving the loop."""


class NodeLike(Protocol):
    """What the pump drives; `chatnet_engine.node.node.Node`, or a fake."""

    def peer_of(self, data: bytes) -> int: ...
    def handle_datagrams(self, batch: list[tuple[bytes, Addr]], now: Now) -> bool: ...
    def hold(self, peers: Collection[int], until_s: float) -> None: ...
    def handle_request(self, routing_id: bytes, frames: list[bytes], now: Now) -> None: ...
    def handle_io(self, result: IoResult, now: Now) -> None: ...
    def handle_timeout(self, now: Now) -> None: ...
    def take_effects(self, now: Now) -> Iterable[Effect]: ...
    def next_timeout(self) -> float | None: ...
    def stop(self, reason: str, now: Now) -> None: ...


class Runner:
    """Turns until the node has stopped. `clock` is read once a wake-up."""

    def __init__(self, node: NodeLike, machine: Machine, clock: Callable[[], Now]) -> None:
        self._node = node
        self._machine = machine
        self._clock = clock
        self.intake = Intake(node.peer_of, machine.udp.counters)
        self._stop_asked: str | None = None
        self._leave_s = math.inf
        self._poller = select.poll()
        self._answers = select.poll()
        self._budget = DatagramBudget(clock().mono_s)
        self._release_s = math.inf
        """When what is held of busy peers is handled."""
        self._gather_until_s = -math.inf
        """Until then what they ask of the store waits."""
        self._due_s = -math.inf
        """Until then there is nothing to do unless something arrives."""
        self._machine_due_s = -math.inf
        """The same of the machine alone."""
        self._store_had_share = False
        self._fds: set[int] = set()
        self._highest_fd = -1
        self._udp_fd = machine.udp.fileno()
        self._wakeup_fd = machine.wakeup.fileno()
        self._files_fd = -1
        self._files_flags = 0
        self._register(self._udp_fd, select.POLLIN)
        self._register(self._wakeup_fd, select.POLLIN)
        self._answers.register(self._wakeup_fd, select.POLLIN)
        self._register(machine.ipc.commands_fd, select.POLLIN)
        self._register(machine.ipc.events_fd, select.POLLIN)
        self._addresses_fd = machine.addresses.fileno()
        if self._addresses_fd >= 0:
            self._register(self._addresses_fd, select.POLLIN)
        self.turns = 0

    def ask_stop(self, reason: str) -> None:
        """From a signal handler, which also wakes the loop: stop in order; the second time, at
        once."""
        if self._stop_asked is not None:
            self._leave_s = -math.inf
        self._stop_asked = self._stop_asked or reason

    def run(self) -> str:
        """Turn until the engine is to end; the reason. Raises when an invariant is broken."""
        self.flush()
        while not self._is_over():
            self.turn()
        return self._machine.stop_reason or self._stop_asked or ""

    def flush(self) -> None:
        """Perform what the node wants, outside of a turn: before the first one."""
        self._perform(self._read_clock())

    def turn(self) -> None:
        """Wait for something to do, do it, perform what comes of it.

        A turn in which only datagrams arrived, all of which have to gather or changed nothing,
        ends there.
        """
        self._watch_files()
        ready = self._wait()
        self.turns += 1
        now = self._read_clock()
        begin_s = time.thread_time()
        has_work = self._due_s <= now.mono_s or bool(ready.keys() - {self._udp_fd})
        if has_work:
            self._handle_machine(ready, now)
        if self._udp_fd in ready:
            self._read_datagrams()
            now = self._read_clock()  # what came meanwhile must not seem to have come before
        if self.intake.ready:
            has_work |= self._handle_datagrams(now)
        if has_work:
            self._handle_rest(ready, now)
        if self.intake.taken_bytes:
            self._account(time.thread_time() - begin_s)
        if has_work:
            self._follow_store()

    def _handle_machine(self, ready: dict[int, int], now: Now) -> None:
        """What the machine has to say, and what its workers have answered."""
        node, machine = self._node, self._machine
        if self._wakeup_fd in ready:
            machine.wakeup.clear()
        self._heed_stop(now)
        if self._files_fd in ready:
            flags = ready[self._files_fd]
            machine.handle_files(
                readable=bool(flags & ~select.POLLOUT), writable=bool(flags & select.POLLOUT)
            )
        if self._addresses_fd in ready:
            machine.addresses.handle_readable()
        is_due = self._machine_due_s <= now.mono_s
        if is_due:
            machine.handle_timeout()
        if self._release_s <= now.mono_s:
            self._release_s = math.inf
            self.intake.release()
        rung = is_due or self._wakeup_fd in ready or self._files_fd in ready
        if rung and (results := machine.take_results()):
            self._store_had_share = False
            for result in results:
                node.handle_io(result, now)
            if self.intake.ready or self._udp_fd in ready:
                # What was committed is sent and shown, and the next transaction begins, before
                # datagrams take their time.
                self._perform(now)

    def _handle_rest(self, ready: dict[int, int], now: Now) -> None:
        """Front ends and what is due; then what the node wants."""
        node, ipc = self._node, self._machine.ipc
        if ipc.events_fd in ready:
            ipc.handle_events(now.mono_s)
        if ipc.commands_fd in ready:
            ipc.handle_commands(now.mono_s)
        if ipc.has_requests:
            self._serve(now)
        deadline_s = node.next_timeout()
        if deadline_s is not None and deadline_s <= now.mono_s:
            node.handle_timeout(now)
        self._perform(now)

    def _account(self, spent_s: float) -> None:
        """A turn handled datagrams and took so much of this thread."""
        intake, now_s = self.intake, self._clock().mono_s
        self._budget.spend(spent_s, intake.taken_bytes, now_s)
        busy = self._budget.busy(intake.counts, intake.sizes, now_s)
        if busy or intake.late:
            self._hold({*busy, *intake.late}, now_s)
        intake.counts.clear()
        intake.sizes.clear()
        intake.taken_bytes = 0

    def _hold(self, busy: set[int], now_s: float) -> None:
        budget, until_s = self._budget, now_s + self._budget.hold_s
        if budget.protects:
            if self._gather_until_s <= now_s:
                self._gather_until_s = until_s
            self._node.hold(busy, self._gather_until_s)
        if budget.is_spent:
            self.intake.hold(busy, whole=budget.protects)
            self._release_s = min(self._release_s, until_s)

    def _perform(self, now: Now) -> None:
        for effect in self._node.take_effects(now):
            perform(effect, self._machine)
        self._machine.trace_stream.flush(now)
        self._machine.ipc.flush()

    def _follow_store(self) -> None:
        """Go on with the turn when the store answers at once and nothing else has arrived: its
        thread gets the interpreter before this one looks after deadlines."""
        for _ in range(MAX_STORE_ANSWERS):
            machine = self._machine
            if machine.store.idle or self.intake.ready or self._stop_asked is not None:
                return
            if machine.now.mono_s + STORE_WAIT_MS / 1000 >= self._due_s:
                return
            if [fd for fd, _ in self._poller.poll(STORE_WAIT_MS)] != [self._wakeup_fd]:
                return
            now = self._read_clock()
            machine.wakeup.clear()
            for result in machine.take_results():
                self._node.handle_io(result, now)
            self._perform(now)

    def _read_datagrams(self) -> None:
        enough_s = time.perf_counter() + MAX_READ_S
        for _ in range(MAX_READS_PER_TURN):
            batch = self._machine.udp.receive(DATAGRAMS_PER_READ)
            self.intake.add(batch)
            if len(batch) < DATAGRAMS_PER_READ or time.perf_counter() >= enough_s:
                return

    def _handle_datagrams(self, now: Now) -> bool:
        """As many as fit into a turn; whether anything came of them."""
        begin_s = time.perf_counter()
        several = self.intake.queue_count > 1
        most_s = MAX_DATAGRAMS_OF_SEVERAL_S if several else MAX_DATAGRAMS_S
        extends = several and not self._budget.protects
        changed, handled, slice_size = False, 0, FIRST_SLICE
        while slice_size > 0 and (batch := self.intake.take(slice_size)):
            changed |= self._node.handle_datagrams(batch, now)
            handled += len(batch)
            spent_s = time.perf_counter() - begin_s
            # As many as fit, if they cost what those before them did.
            each_s = max(spent_s, 1e-9) / handled
            while most_s - spent_s < each_s and extends and most_s < MAX_UNDISTURBED_S:
                if self._poller.poll(0):
                    break
                most_s += MAX_DATAGRAMS_OF_SEVERAL_S
            fit = int((most_s - spent_s) / each_s)
            slice_size = min(2 * slice_size, fit, MAX_DATAGRAMS_PER_TURN - handled)
        return changed

    def _serve(self, now: Now) -> None:
        enough_s = time.perf_counter() + MAX_REQUESTS_S
        for _ in range(MAX_REQUESTS_PER_TURN):
            request = self._machine.ipc.receive(now.mono_s)
            if request is None:
                return
            self._node.handle_request(*request, now)
            if time.perf_counter() >= enough_s:
                return

    def _read_clock(self) -> Now:
        now = self._clock()
        self._machine.now = now
        return now

    def _wait(self) -> dict[int, int]:
        """What is ready, as soon as something is, or else when the next deadline has come.

        poll counts whole milliseconds, and three early copies of a message would be up to 3 ms
        late by that; select counts microseconds, but knows no high descriptors.
        """
        self._let_store_work()
        wait_s = self._wait_s()
        if wait_s <= 0 or self._highest_fd >= SELECT_FDS:
            return dict(self._poller.poll(math.ceil(wait_s * 1000)))
        writing = (self._files_fd,) if self._files_flags & select.POLLOUT else ()
        readable, writable, _ = select.select(self._fds, writing, (), wait_s)
        ready = dict.fromkeys(readable, select.POLLIN)
        for fd in writable:
            ready[fd] = ready.get(fd, 0) | select.POLLOUT
        return ready

    def _let_store_work(self) -> None:
        """Wait for an answer, for a short while, where there would be no wait at all."""
        compete = self.intake.queue_count > 1
        if (
            self.intake.ready
            and (compete or not self._store_had_share)
            and not self._machine.store.idle
        ):
            self._store_had_share = True
            self._answers.poll(STORE_SHARE_MS)

    def _wait_s(self) -> float:
        deadline_s = self._machine_due_s = self._machine.next_timeout()
        node_s = self._node.next_timeout()
        if node_s is not None:
            deadline_s = min(deadline_s, node_s)
        deadline_s = min(deadline_s, self._leave_s, self._release_s)
        has_to_stop = self._stop_asked is not None or self._machine.stop_reason is not None
        if has_to_stop and self._leave_s == math.inf:
            deadline_s = -math.inf
        self._due_s = deadline_s
        if self.intake.ready:
            return 0.0
        return min(max(deadline_s - self._clock().mono_s, 0.0), MAX_WAIT_S)

    def _register(self, fd: int, flags: int) -> None:
        self._poller.register(fd, flags)
        self._fds.add(fd)
        self._highest_fd = max(self._fds)

    def _watch_files(self) -> None:
        """The file process' socket changes when it is started again."""
        fd = self._machine.files.fileno()
        flags = select.POLLIN | (select.POLLOUT if self._machine.files.wants_write else 0)
        if fd == self._files_fd and (flags == self._files_flags or fd < 0):
            return
        if self._files_fd >= 0 and fd != self._files_fd:
            self._poller.unregister(self._files_fd)
            self._fds.discard(self._files_fd)
        if fd >= 0:
            self._register(fd, flags)
        self._files_fd, self._files_flags = fd, flags if fd >= 0 else 0

    def _heed_stop(self, now: Now) -> None:
        if self._leave_s != math.inf:
            return
        if self._stop_asked is not None:
            self._node.stop(self._stop_asked, now)
        elif self._machine.stop_reason is None:
            return
        self._leave_s = now.mono_s + STOP_TIMEOUT_S

    def _is_over(self) -> bool:
        if self._leave_s != math.inf and self._machine.now.mono_s >= self._leave_s:
            logger.warning("leaving with work in flight")
            return True
        return self._machine.stop_reason is not None and self._machine.idle
