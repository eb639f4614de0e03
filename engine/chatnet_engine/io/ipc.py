"""The two local sockets of an engine: PUB for events (our own), ROUTER for commands (libzmq's).

Owns their options, paths and counters; knows nothing of what frames mean. Nothing here ever waits
for a front end: what one does not take is kept within limits, then dropped and counted, and the
front end asks again.

What libzmq forces on this file:

- bind unlinks whatever is at the path, so the session's lock must be held before; a socket file
  that vanishes or is replaced is bound again.
- input must never be stopped: when the receive mark stops a client's input, the client hangs up,
  and a heartbeat is due or a PING of the client is still to be decoded, libzmq aborts
  (zeromq/libzmq#4841). So there is no receive mark, and memory is bounded by emptying the ROUTER
  each turn and by ending connections that do harm (`connection_guard`). Before sockets are closed,
  which stops input too, all connections are ended.
- accept without a free descriptor aborts, so connections are counted and the limit is raised.
"""

import hashlib
import logging
import os
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import zmq

from chatnet_engine.io.connection_guard import ConnectionGuard
from chatnet_engine.io.connections import Connection, look_at
from chatnet_engine.io.event_socket import EventSocket
from chatnet_engine.io.private_dir import make_private_dir, socket_dirs
from chatnet_engine.io.reply_queue import ReplyQueue, Sent
from chatnet_engine.io.request_queue import MAX_ROUTES, RequestQueue
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.limits import MAX_IPC_PARTS, MAX_REQUEST_BYTES

logger = logging.getLogger(__name__)

ROUTER_SEND_MARK = 64
"""Replies in a client's pipe, at most a history page each; more of them wait in the queue."""
MAX_DRAIN_S = 0.01
"""Longest time a turn spends on taking requests in; beyond it the link has its turn first."""
HANDSHAKE_MS = 2000
"""A connection that has not said what it is by then is closed."""
LEAVE_S = 0.2
"""Given to the last replies and publications to reach front ends that read."""
LEAVE_STEP_S = 0.02
HEARTBEAT_MS = 2000
HEARTBEAT_TIMEOUT_MS = 6000
PATH_CHECK_S = 1.0
MAX_REBINDS = 1000
"""Each costs a file descriptor; who removes the sockets more often than this wants them gone."""
HASH_CHARACTERS = 16
_COMMON_OPTIONS: Mapping[int, int] = {
    zmq.RCVHWM: 0,
    zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
    zmq.HEARTBEAT_IVL: HEARTBEAT_MS,
    zmq.HEARTBEAT_TIMEOUT: HEARTBEAT_TIMEOUT_MS,
    zmq.HEARTBEAT_TTL: HEARTBEAT_TIMEOUT_MS,
    zmq.IPC_FILTER_UID: os.geteuid(),
}


@dataclass(slots=True)
class IpcCounters:
    """Since the start."""

    requests: int = 0
    requests_dropped: int = 0
    """More than a client may have waiting."""
    malformed: int = 0
    """Multipart messages that are not one identity and 1 to MAX_IPC_PARTS frames."""
    published: int = 0
    replies: int = 0
    rebinds: int = 0
    connections_ended: int = 0
    """Disconnected because they were too many, flooded, or did harm."""


@dataclass(slots=True)
class _Path:
    """Where a socket is bound."""

    path: str
    inode: int = 0

    @property
    def endpoint(self) -> str:
        return f"ipc://{self.path}"

    def note(self) -> None:
        """The file that is there now is ours."""
        self.inode = os.lstat(self.path).st_ino

    def is_in_place(self) -> bool:
        try:
            return os.lstat(self.path).st_ino == self.inode
        except OSError:
            return False


class IpcServer:
    """Both sockets, bound in `folder`. The session's lock is held by the caller.

    Raises CommandError when they cannot be bound.
    """

    def __init__(self, folder: str, name: str, now_s: float) -> None:
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._counters = IpcCounters()
        self._replies = ReplyQueue(self._try_reply)
        self._requests = RequestQueue()
        self._senders: OrderedDict[bytes, Connection | None] = OrderedDict()
        """By route: the connection it was seen on first; None once that was ended."""
        self._floods_ended = 0
        self._dropped_before = 0
        self._guard = ConnectionGuard()
        self._folder = folder
        self._next_check_s = now_s + PATH_CHECK_S
        self._events_path = _Path(os.path.join(folder, f"{name}.e"))
        self._commands_path = _Path(os.path.join(folder, f"{name}.c"))
        self._router = self._make_router()
        self._events: EventSocket | None = None
        self._guard.start()
        try:
            self._events = EventSocket(self._events_path.path, now_s)
            self._events_path.note()
            self._bind_commands()
        except (zmq.ZMQError, OSError) as error:
            self.close()
            raise CommandError(
                ErrorCode.FILE, f"The local sockets in {folder} cannot be opened: {error}."
            ) from None

    @property
    def counters(self) -> IpcCounters:
        """What was counted so far."""
        self._counters.requests_dropped = self._dropped_before + self._requests.dropped
        ended = self._events.ended if self._events else 0
        self._counters.connections_ended = self._guard.ended + self._floods_ended + ended
        return self._counters

    @property
    def events_endpoint(self) -> str:
        """Where front ends subscribe."""
        return self._events_path.endpoint

    @property
    def commands_endpoint(self) -> str:
        """Where front ends ask."""
        return self._commands_path.endpoint

    @property
    def events_fd(self) -> int:
        """For the poller: readable when `handle_events` has something to do."""
        assert self._events
        return self._events.fileno()

    @property
    def commands(self) -> "zmq.Socket[bytes]":
        """For the poller; another one after it had to be made anew."""
        return self._router

    def publish(self, topic: bytes, frame: bytes) -> None:
        """To all who listen; dropped for those who do not read."""
        assert self._events, "nothing is published before the sockets are bound"
        self._events.publish(topic, frame)
        self._counters.published += 1

    def reply(self, route: bytes, frame: bytes, now_s: float) -> None:
        """To one client, in order, if it is there and reads."""
        self._replies.reply(route, frame, now_s)

    def handle_events(self, now_s: float) -> None:
        """What subscribers do."""
        if self._events is not None:
            self._events.handle_ready(now_s)

    def drain(self) -> None:
        """Take in the requests that have arrived, so that little of them waits inside libzmq."""
        router = self._router
        enough_s = time.perf_counter() + MAX_DRAIN_S
        while time.perf_counter() < enough_s:
            try:
                route = router.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            parts: list[bytes] = []
            count = 0
            while router.getsockopt(zmq.RCVMORE):
                if route in self._senders:
                    part = router.recv(zmq.NOBLOCK)
                else:
                    first = router.recv(zmq.NOBLOCK, copy=False)
                    self._meet(route, first)
                    part = first.bytes
                count += 1
                if count <= MAX_IPC_PARTS:
                    parts.append(part)
            if not 0 < count <= MAX_IPC_PARTS:
                self._counters.malformed += 1
            elif not self._requests.put(route, parts):
                self._disconnect(route)

    def receive(self) -> tuple[bytes, list[bytes]] | None:
        """The next well-formed request as (route, frames), clients in turn; None: there is none."""
        request = self._requests.take()
        if request is not None:
            self._counters.requests += 1
        return request

    @property
    def replies_dropped(self) -> int:
        """The client was gone or did not read."""
        return self._replies.dropped

    def next_timeout(self) -> float:
        """When `handle_timeout` or `receive` has something to do without anything arriving."""
        if self._requests:
            return 0.0
        dues = [self._next_check_s, self._replies.next_timeout()]
        if self._events is not None:
            dues.append(self._events.next_timeout())
        return min(due for due in dues if due is not None)

    def handle_timeout(self, now_s: float) -> None:
        """Replies that wait go out; once a second, the paths are looked at."""
        self._replies.handle_timeout(now_s)
        if self._events is not None:
            self._events.handle_timeout(now_s)
        if self._guard.wants_renewal:
            self._guard.wants_renewal = False
            self._renew()
        if now_s >= self._next_check_s:
            self._next_check_s = now_s + PATH_CHECK_S
            self._check_path(self._commands_path)
            self._check_path(self._events_path)

    def close(self) -> None:
        """Give replies a moment to leave, and remove the socket files that are ours."""
        if self._events is not None:
            self._let_leave(self._events)
        for path in (self._events_path, self._commands_path):
            if path.inode and path.is_in_place():
                os.unlink(path.path)
        self._end_all()
        self._guard.stop()
        if self._events is not None:
            self._events.close()
        self._router.close(linger=0)
        self._context.term()

    def _renew(self) -> None:
        """A new ROUTER in a new context: the old one's memory goes with it."""
        logger.warning("the command socket is made anew to free memory; front ends attach again")
        self._end_all()
        self._router.close(linger=0)
        self._context.term()
        self._senders.clear()
        self._dropped_before += self._requests.dropped
        self._requests = RequestQueue()
        self._context = zmq.Context()
        self._router = self._make_router()
        self._commands_path.inode = 0  # so that it is bound again now or at the next look
        self._check_path(self._commands_path)

    def _end_all(self) -> None:
        """No connection is left when this returns: closing a socket with one stops its input."""
        for connection in self._guard.connections():
            connection.end()
        time.sleep(LEAVE_STEP_S)

    def _let_leave(self, events: EventSocket) -> None:
        """Until front ends have taken what was sent, for LEAVE_S at most."""
        until_s = time.monotonic() + LEAVE_S
        while True:
            time.sleep(LEAVE_STEP_S)  # libzmq's threads hand over what they have
            events.flush()
            unsent = any(connection.unsent_bytes for connection in self._guard.connections())
            if not (unsent or events.unsent_bytes) or time.monotonic() >= until_s:
                return

    def _check_path(self, path: _Path) -> None:
        """Bind again where somebody removed or replaced the socket's file."""
        if path.is_in_place() or self._counters.rebinds >= MAX_REBINDS:
            return
        self._counters.rebinds += 1
        try:
            make_private_dir(self._folder)
            if path is self._events_path and self._events is not None:
                self._events.rebind(path.path)
                path.note()
            else:
                self._bind_commands()
        except (zmq.ZMQError, OSError, CommandError) as error:
            logger.warning("the socket %s cannot be bound again: %s", path.path, error)
        else:
            logger.info("the socket %s is bound again", path.path)

    def _bind_commands(self) -> None:
        """Beside the old listener if there is one: to unbind would cut the attached clients."""
        self._router.bind(self._commands_path.endpoint)
        self._commands_path.note()

    def _meet(self, route: bytes, frame: zmq.Frame) -> None:
        """Remember which connection a route is, while its descriptor is known to be its own."""
        while len(self._senders) >= MAX_ROUTES:
            self._senders.popitem(last=False)
        try:
            self._senders[route] = look_at(frame.get(zmq.SRCFD))
        except zmq.ZMQError:
            self._senders[route] = None

    def _disconnect(self, route: bytes) -> None:
        """End the connection of a client that floods."""
        self._requests.shut(route)
        connection = self._senders.get(route)
        if connection is not None:
            self._senders[route] = None
            self._guard.keep_out(connection.pid)
            if connection.end():
                self._floods_ended += 1
                logger.warning("a front end that floods was disconnected (pid %d)", connection.pid)

    def _try_reply(self, route: bytes, frame: bytes) -> Sent:
        try:
            self._router.send_multipart((route, frame), zmq.NOBLOCK)
        except zmq.Again:
            return Sent.FULL
        except zmq.ZMQError as error:
            logger.debug("a reply was dropped: %s", error)
            return Sent.GONE
        self._counters.replies += 1
        return Sent.TAKEN

    def _make_router(self) -> "zmq.Socket[bytes]":
        router = self._context.socket(zmq.ROUTER)
        router.sndhwm = ROUTER_SEND_MARK
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        router.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST_BYTES)
        for option, value in _COMMON_OPTIONS.items():
            router.setsockopt(option, value)
        self._guard.watch(self._context, router)
        return router


def socket_name(session_path: str) -> str:
    """A short name for the sockets of the session in that folder."""
    digest = hashlib.sha256(os.path.realpath(session_path).encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:HASH_CHARACTERS]


def choose_socket_dir(environ: Mapping[str, str], session_path: str) -> str:
    """A verified private folder whose socket paths fit into a Unix address, made if need be.

    Raises CommandError when there is none.
    """
    problem = "XDG_RUNTIME_DIR and the temporary folder have too long names."
    longest = len(f"/{socket_name(session_path)}.e")
    # /tmp at the end: gettempdir follows TMPDIR, which may be long.
    candidates = socket_dirs(environ, tempfile.gettempdir(), os.geteuid())
    candidates += socket_dirs({}, "/tmp", os.geteuid())  # noqa: S108 (verified to be ours below)
    for folder in candidates:
        if len(os.fsencode(folder)) + longest > zmq.IPC_PATH_MAX_LEN:
            continue
        if not os.path.isdir(os.path.dirname(folder)):
            continue  # a login without a session has no runtime folder: it is not ours to make
        try:
            make_private_dir(folder)
        except CommandError as error:
            problem = error.detail
            continue
        return folder
    try:
        return tempfile.mkdtemp(prefix="chatnet-", dir="/tmp")
    except OSError:
        raise CommandError(ErrorCode.FILE, f"No place for the local sockets: {problem}") from None
