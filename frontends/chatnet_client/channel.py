"""Owns the two ZeroMQ sockets of one client, and which engine they lead to.

The connection file names the endpoints; a file with another boot id means another engine, and the
sockets are made anew, so that nothing written for the old one reaches the new. One thread uses a
channel; `wake` alone may be called from others.
"""

import contextlib
import os
import threading
from collections import deque

import zmq

from chatnet_client.errors import EngineUnreachable
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.session_files import (
    MAX_CONNECTION_FILE_BYTES,
    ConnectionFile,
    decode_connection_file,
)
from chatnet_protocol.limits import MAX_IPC_FRAME_BYTES

RECEIVE_QUEUE_FRAMES = 1000
SEND_QUEUE_FRAMES = 256
MAX_UNSENT_FRAMES = 2048
"""Frames kept while the socket takes none; more than there can be pending commands."""
FRAMES_PER_TURN = 256
"""Read from one socket before the other gets its turn."""


class Channel:
    """SUB and DEALER to the engine that a connection file names."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.connection: ConnectionFile | None = None
        """The engine the sockets lead to."""
        self.engine_ended = False
        """Whether its process has ended, where that can be seen."""
        self._process = -1
        self._context = zmq.Context()
        self._events: zmq.Socket[bytes] | None = None
        self._commands: zmq.Socket[bytes] | None = None
        self._unsent: deque[bytes] = deque()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wake_lock = threading.Lock()
        self._closed = False
        self._poller = zmq.Poller()
        self._watched: tuple[object, ...] = ()
        """What the poller has: the sockets, whether one may be written, the process."""
        self._ready: dict[object, int] = {}
        """By the last `wait`."""

    def open(self) -> bool:
        """Follow the connection file; True when the sockets lead to another engine than before.

        Raises EngineUnreachable when the file is missing or unreadable; the sockets stay.
        """
        connection = read_connection_file(self.path)
        if connection == self.connection:
            return False
        self._close_sockets()
        self.connection = connection
        self._watch(connection.pid)
        self._unsent.clear()
        # Subscribed before anything is asked: what happens meanwhile waits in the queue.
        self._events = self._socket(zmq.SUB, connection.events)
        self._events.setsockopt(zmq.SUBSCRIBE, b"")
        self._commands = self._socket(zmq.DEALER, connection.commands)
        return True

    def send(self, frame: bytes) -> None:
        """Send one request as soon as the socket takes it; dropped beyond MAX_UNSENT_FRAMES."""
        if len(self._unsent) < MAX_UNSENT_FRAMES:
            self._unsent.append(frame)
        self._flush()

    def wait(self, timeout_s: float) -> None:
        """Until something can be read, `wake` is called, or the time is over."""
        wanted = (self._events, self._commands, bool(self._unsent), self._process)
        if wanted != self._watched:
            self._watched = wanted
            self._poller = self._make_poller()
        polled = self._poller.poll(max(0, round(timeout_s * 1000 + 0.5)))
        self._ready = ready = dict(polled)
        if self._wake in ready:
            os.eventfd_read(self._wake)
        if self._process in ready:
            self._watch(0)
            self.engine_ended = True
        self._flush()

    def take_replies(self) -> list[bytes]:
        """Replies that have arrived, at most FRAMES_PER_TURN."""
        if self._commands not in self._ready:
            return []
        return [frames[0] for frames in _drain(self._commands) if len(frames) == 1]

    def take_publications(self) -> list[tuple[bytes, bytes]]:
        """(topic, frame) of publications that have arrived, at most FRAMES_PER_TURN."""
        if self._events not in self._ready:
            return []
        return [(frames[0], frames[1]) for frames in _drain(self._events) if len(frames) == 2]

    def wake(self) -> None:
        """End `wait` from another thread; nothing once the channel is closed."""
        with self._wake_lock:
            if not self._closed:
                os.eventfd_write(self._wake, 1)

    def close(self) -> None:
        """Free everything; a request that has not left yet is given 200 ms."""
        self._close_sockets(linger_ms=200)
        self._watch(0)
        self._context.term()
        with self._wake_lock:  # a late `wake` must not write into whatever gets this number next
            self._closed = True
            os.close(self._wake)

    def _make_poller(self) -> zmq.Poller:
        poller = zmq.Poller()
        poller.register(self._wake, zmq.POLLIN)
        if self._events is not None:
            poller.register(self._events, zmq.POLLIN)
        if self._commands is not None:
            flags = zmq.POLLIN | zmq.POLLOUT if self._unsent else zmq.POLLIN
            poller.register(self._commands, flags)
        if self._process >= 0:
            poller.register(self._process, zmq.POLLIN)
        return poller

    def _watch(self, pid: int) -> None:
        """Notice the end of that process; 0: of none. Numbers of another machine are nothing."""
        if self._process >= 0:
            os.close(self._process)
        self._process, self.engine_ended = -1, False
        if pid > 0:
            with contextlib.suppress(OSError):
                self._process = os.pidfd_open(pid)

    def _socket(self, kind: int, endpoint: str) -> "zmq.Socket[bytes]":
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        # A command for an engine that died must not reach the next one on the same path. The
        # price, what is unread goes too when the connection breaks, events need not pay.
        socket.setsockopt(zmq.IMMEDIATE, int(kind == zmq.DEALER))
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_IPC_FRAME_BYTES)
        socket.setsockopt(zmq.RCVHWM, RECEIVE_QUEUE_FRAMES)
        socket.setsockopt(zmq.SNDHWM, SEND_QUEUE_FRAMES)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        # No ZMTP heartbeats of our own: libzmq aborts when one is overdue on a connection whose
        # frames nobody reads for a while, as behind a pager (zeromq/libzmq#4841). The engine pings,
        # and its own heartbeat, a publication, says whether it is there.
        try:
            socket.connect(endpoint)
        except zmq.ZMQError as error:
            socket.close()
            raise EngineUnreachable(
                f"The endpoint in {self.path} cannot be used: {error.strerror}."
            ) from None
        return socket

    def _flush(self) -> None:
        while self._unsent and self._commands is not None:
            try:
                self._commands.send(self._unsent[0], zmq.DONTWAIT)
            except zmq.Again:
                return
            self._unsent.popleft()

    def _close_sockets(self, linger_ms: int = 0) -> None:
        for socket in (self._events, self._commands):
            if socket is not None:
                socket.close(linger_ms)
        self._events = self._commands = None


def open_at_once(path: str, flags: int) -> int:
    """For `open`: in the place of a session's file there may be a FIFO, which would wait."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_connection_file(path: str) -> ConnectionFile:
    """Raises EngineUnreachable when it is missing, unreadable or damaged."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            return decode_connection_file(file.read(MAX_CONNECTION_FILE_BYTES + 1))
    except FileNotFoundError:
        raise EngineUnreachable("The engine of this session is not running.") from None
    except OSError as error:
        raise EngineUnreachable(f"{path} cannot be read: {error.strerror}.") from None
    except DecodeError as error:
        raise EngineUnreachable(f"{path}: {error.reason}.") from None


def _drain(socket: "zmq.Socket[bytes] | None") -> list[list[bytes]]:
    received: list[list[bytes]] = []
    if socket is None:
        return received
    # To ask whether there is more costs a tenth of the exception that there is not.
    while len(received) < FRAMES_PER_TURN and int(socket.get(zmq.EVENTS)) & zmq.POLLIN:
        received.append(socket.recv_multipart(zmq.DONTWAIT))
    return received
