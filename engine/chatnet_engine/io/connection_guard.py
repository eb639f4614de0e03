"""Watches the connections to the command socket from a thread of its own, and ends what harms.

libzmq accepts whoever connects and reads whatever comes; it has no limit for either that does not
bring it to abort. So its socket monitor is followed, and a connection is shut down from outside
when there are too many, or when the process grows. Front ends reconnect and repeat by themselves.
The thread exists because the engine's loop may be busy for longer than it takes to open a thousand
connections.
"""

import logging
import os
import struct
import threading
import time
from collections import Counter

import zmq

from chatnet_engine.io.connections import Connection, look_at
from chatnet_engine.io.memory import give_back_free_memory, resident_bytes
from chatnet_engine.io.memory_watch import MemoryWatch, Remedy
from chatnet_protocol.limits import KIB, MIB

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
"""To the command socket: 40 front ends, and those that only ask."""
TICK_S = 0.1
"""How often memory and input are looked at while there are connections: a program that sends
2 GB/s is seen within 200 MB."""
BUSY_BYTES = 32 * KIB
"""In a connection's socket, in either direction: the other side sends faster than it is read, or
does not read."""
LOG_S = 5.0
"""At most this often it is logged what was ended."""
HASTE_S = 0.02
"""The same while memory grows quickly."""
HASTE_BYTES = 4 * MIB
"""Growth from one tick to the next that calls for haste."""
KEPT_OUT_S = 5.0
"""A process whose connection was ended for what it did gets no other one for this long: without
it a flood would come back before what it left is taken in."""
TRIM_S = 5.0
"""At most this often freed memory is given back unasked."""
MONITOR = "inproc://monitor"
_EVENT = struct.Struct("=hi")


class ConnectionGuard:
    """Guards the sockets given to `watch`, from `start` to `stop`."""

    def __init__(self) -> None:
        self.ended = 0
        """Connections that were ended because they were too many or did harm."""
        self.wants_renewal = False
        """Memory is still held: the command socket is to be made anew, by the engine's loop."""
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        """Guards `_arriving` and `_open`, which the engine's loop reads or changes."""
        self._arriving: list[zmq.Socket[bytes]] = []
        self._open: dict[int, Connection] = {}
        """By descriptor, oldest first."""
        self._monitors: list[zmq.Socket[bytes]] = []
        self._kept_out: dict[int, float] = {}
        """By process: until when."""
        self._memory = MemoryWatch()
        self._in_haste = False
        self._size_bytes = 0
        """Of the process, at the last tick."""
        self._next_tick_s = 0.0
        self._next_trim_s = 0.0
        self._next_log_s = 0.0
        self._reasons: Counter[str] = Counter()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="guard", daemon=True)

    def watch(
        self, context: "zmq.Context[zmq.Socket[bytes]]", guarded: "zmq.Socket[bytes]"
    ) -> None:
        """Follow a socket from before it is bound until it is closed; one in a context."""
        guarded.monitor(MONITOR, zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED)
        monitor = context.socket(zmq.PAIR)
        monitor.rcvhwm = 0  # libzmq's own thread would wait for a monitor that is full
        monitor.connect(MONITOR)
        with self._lock:
            self._arriving.append(monitor)
        os.eventfd_write(self._wake, 1)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Between `start` and `stop`."""
        return self._thread.is_alive()

    def keep_out(self, pid: int) -> None:
        """End new connections of that process for a while; from any thread."""
        if pid:
            with self._lock:
                self._kept_out[pid] = time.monotonic() + KEPT_OUT_S

    def connections(self) -> list[Connection]:
        """All that are open, from any thread."""
        with self._lock:
            return list(self._open.values())

    def stop(self) -> None:
        """End the thread and close the monitors; connections stay."""
        self._stopping = True
        os.eventfd_write(self._wake, 1)
        self._thread.join()
        for monitor in (*self._monitors, *self._arriving):
            monitor.close(linger=0)
        os.close(self._wake)

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._wake, zmq.POLLIN)
        had_some = False
        while not self._stopping:
            has_some = bool(self._open) or self._memory.is_over(self._size_bytes)
            try:
                # One tick more after the last connection, to give back what it took.
                wait_ms = round((HASTE_S if self._in_haste else TICK_S) * 1000)
                ready = dict(poller.poll(wait_ms if has_some or had_some else None))
            except zmq.ContextTerminated:
                ready = {}
            had_some = has_some
            if self._wake in ready:
                os.eventfd_read(self._wake)
            with self._lock:
                arrived, self._arriving = self._arriving, []
            for monitor in arrived:
                poller.register(monitor, zmq.POLLIN)
                self._monitors.append(monitor)
            for monitor in list(self._monitors):
                if not self._follow(monitor):
                    poller.unregister(monitor)
                    self._monitors.remove(monitor)
                    monitor.close(linger=0)
            now_s = time.monotonic()
            if now_s >= self._next_tick_s:
                self._tick(now_s)
                self._next_tick_s = now_s + (HASTE_S if self._in_haste else TICK_S)

    def _follow(self, monitor: "zmq.Socket[bytes]") -> bool:
        """Take in what the monitor says; False when its socket is closed."""
        while True:
            try:
                event, _ = monitor.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return True
            except zmq.ContextTerminated:
                return False
            kind, fd = _EVENT.unpack(event)
            if kind == zmq.EVENT_ACCEPTED:
                self._accepted(fd)
            elif kind == zmq.EVENT_DISCONNECTED:
                with self._lock:
                    self._open.pop(fd, None)

    def _accepted(self, fd: int) -> None:
        connection = look_at(fd)
        if connection is None:
            return
        with self._lock:
            self._open.pop(fd, None)
            self._open[fd] = connection
            kept_out = self._kept_out.get(connection.pid, 0.0) > time.monotonic()
        if kept_out:
            self._end(connection, "of a process that did harm")
        while len(self._open) > MAX_CONNECTIONS:
            self._end(self._newest_of_the_most(), "too many")

    def _newest_of_the_most(self) -> Connection:
        """Of the process that has most connections; so a flood takes from itself."""
        counts = Counter(connection.pid for connection in self._open.values())
        [(pid, _)] = counts.most_common(1)
        return next(c for c in reversed(self._open.values()) if c.pid == pid)

    def _end(self, connection: Connection, reason: str) -> None:
        with self._lock:
            self._open.pop(connection.fd, None)
        if connection.end():
            self.ended += 1
            self._reasons[reason] += 1

    def _tick(self, now_s: float) -> None:
        self._in_haste = False
        self._mind_memory(now_s)
        with self._lock:
            self._kept_out = {pid: s for pid, s in self._kept_out.items() if s > now_s}
        if now_s < self._next_log_s:
            return
        self._next_log_s = now_s + LOG_S
        for reason, count in self._reasons.items():
            logger.warning("local connections ended: %d (%s)", count, reason)
        self._reasons.clear()

    def _mind_memory(self, now_s: float) -> None:
        size = resident_bytes()
        self._in_haste |= size > self._size_bytes + HASTE_BYTES
        due = now_s >= self._next_trim_s or not self._open
        if self._memory.is_over(size) or (due and self._memory.is_grown(size)):
            give_back_free_memory()
            self._next_trim_s = now_s + TRIM_S
            size = resident_bytes()
        self._size_bytes = size
        match self._memory.look(size, now_s):
            case Remedy.END_BUSY:
                for connection in list(self._open.values()):
                    if max(connection.unread_bytes, connection.unsent_bytes) >= BUSY_BYTES:
                        self.keep_out(connection.pid)
                        self._end(connection, "memory has grown, and it was busy")
            case Remedy.RENEW:
                self.wants_renewal = True
            case Remedy.NOTHING:
                pass
