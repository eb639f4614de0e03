"""The two local sockets of an engine: PUB for events, ROUTER for commands.

Owns their options, paths and counters; knows nothing of what frames mean. Nothing here ever waits
for a front end: what one does not take is kept within limits, then dropped and counted, and the
front end asks again.

What libzmq forces on this file: bind unlinks whatever is at the path, so the session's lock must
be held before; a socket file that vanishes or is replaced is bound again beside the old listener,
because unbind would cut the clients that are attached.
"""

import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field

import zmq

from chatnet_engine.io.private_dir import make_private_dir, socket_dirs
from chatnet_engine.io.reply_queue import ReplyQueue, Sent
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.limits import MAX_IPC_FRAME_BYTES, MAX_IPC_PARTS

logger = logging.getLogger(__name__)

PUB_SEND_MARK = 128
"""Publications kept for a front end that does not read; it fetches the rest afterwards."""
ROUTER_SEND_MARK = 64
"""Replies in a client's pipe, at most a history page each; more of them wait in the queue."""
ROUTER_RECEIVE_MARK = 32
"""Requests of one client in memory before its socket pushes back: 32 MiB at most."""
SUBSCRIPTION_BYTES = 1024
"""Longest subscription that is taken."""
ROUTER_LINGER_MS = 200
HEARTBEAT_MS = 2000
HEARTBEAT_TIMEOUT_MS = 6000
PATH_CHECK_S = 1.0
MAX_REBINDS = 1000
"""Each costs a file descriptor; who removes the sockets more often than this wants them gone."""
HASH_CHARACTERS = 16


@dataclass(slots=True)
class IpcCounters:
    """Since the start."""

    requests: int = 0
    malformed: int = 0
    """Multipart messages that are not one identity and 1 to MAX_IPC_PARTS frames."""
    published: int = 0
    replies: int = 0
    rebinds: int = 0


@dataclass(slots=True)
class _Bound:
    socket: "zmq.Socket[bytes]"
    path: str
    inode: int = field(default=0)

    @property
    def endpoint(self) -> str:
        return f"ipc://{self.path}"

    def bind(self) -> None:
        self.socket.bind(self.endpoint)
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
        self.counters = IpcCounters()
        self._replies = ReplyQueue(self._try_reply)
        self._folder = folder
        self._next_check_s = now_s + PATH_CHECK_S
        self._events = _Bound(self._make_pub(), os.path.join(folder, f"{name}.e"))
        self._commands = _Bound(self._make_router(), os.path.join(folder, f"{name}.c"))
        try:
            self._events.bind()
            self._commands.bind()
        except (zmq.ZMQError, OSError) as error:
            self.close()
            raise CommandError(
                ErrorCode.FILE, f"The local sockets in {folder} cannot be opened: {error}."
            ) from None

    @property
    def events_endpoint(self) -> str:
        """Where front ends subscribe."""
        return self._events.endpoint

    @property
    def commands_endpoint(self) -> str:
        """Where front ends ask."""
        return self._commands.endpoint

    @property
    def commands(self) -> "zmq.Socket[bytes]":
        """For the poller."""
        return self._commands.socket

    def publish(self, topic: bytes, frame: bytes) -> None:
        """To all who listen; PUB drops for those who do not read."""
        self._events.socket.send_multipart((topic, frame), zmq.NOBLOCK)
        self.counters.published += 1

    def reply(self, route: bytes, frame: bytes, now_s: float) -> None:
        """To one client, in order, if it is there and reads."""
        self._replies.reply(route, frame, now_s)

    def receive(self) -> tuple[bytes, list[bytes]] | None:
        """The next well-formed request as (route, frames), or None when there is none."""
        router = self._commands.socket
        while True:
            try:
                route = router.recv(zmq.NOBLOCK)
            except zmq.Again:
                return None
            parts: list[bytes] = []
            count = 0
            while router.getsockopt(zmq.RCVMORE):
                part = router.recv(zmq.NOBLOCK)
                count += 1
                if count <= MAX_IPC_PARTS:
                    parts.append(part)
            if 0 < count <= MAX_IPC_PARTS:
                self.counters.requests += 1
                return route, parts
            self.counters.malformed += 1

    @property
    def replies_dropped(self) -> int:
        """The client was gone or did not read."""
        return self._replies.dropped

    def next_timeout(self) -> float:
        """When `handle_timeout` has something to do."""
        retry_s = self._replies.next_timeout()
        return self._next_check_s if retry_s is None else min(retry_s, self._next_check_s)

    def handle_timeout(self, now_s: float) -> None:
        """Replies that wait go out; once a second, the paths are looked at."""
        self._replies.handle_timeout(now_s)
        if now_s >= self._next_check_s:
            self._next_check_s = now_s + PATH_CHECK_S
            self._check_paths()

    def _check_paths(self) -> None:
        """Bind again what somebody removed or replaced."""
        for bound in (self._events, self._commands):
            if bound.is_in_place() or self.counters.rebinds >= MAX_REBINDS:
                continue
            self.counters.rebinds += 1
            try:
                make_private_dir(self._folder)
                bound.bind()
            except (zmq.ZMQError, OSError, CommandError) as error:
                logger.warning("the socket %s cannot be bound again: %s", bound.path, error)
            else:
                logger.warning("the socket %s had vanished; bound again", bound.path)

    def close(self) -> None:
        """Give replies a moment to leave, and remove the socket files that are ours."""
        self._events.socket.close(linger=ROUTER_LINGER_MS)
        self._commands.socket.close(linger=ROUTER_LINGER_MS)
        for bound in (self._events, self._commands):
            if bound.inode and bound.is_in_place():
                os.unlink(bound.path)
        self._context.term()

    def _try_reply(self, route: bytes, frame: bytes) -> Sent:
        try:
            self._commands.socket.send_multipart((route, frame), zmq.NOBLOCK)
        except zmq.Again:
            return Sent.FULL
        except zmq.ZMQError as error:
            logger.debug("a reply was dropped: %s", error)
            return Sent.GONE
        self.counters.replies += 1
        return Sent.TAKEN

    def _make_pub(self) -> "zmq.Socket[bytes]":
        pub = self._context.socket(zmq.PUB)
        pub.sndhwm = PUB_SEND_MARK
        pub.linger = ROUTER_LINGER_MS
        pub.setsockopt(zmq.MAXMSGSIZE, SUBSCRIPTION_BYTES)
        self._guard(pub)
        return pub

    def _make_router(self) -> "zmq.Socket[bytes]":
        router = self._context.socket(zmq.ROUTER)
        router.sndhwm = ROUTER_SEND_MARK
        router.rcvhwm = ROUTER_RECEIVE_MARK
        router.linger = ROUTER_LINGER_MS
        router.setsockopt(zmq.ROUTER_MANDATORY, 1)
        router.setsockopt(zmq.MAXMSGSIZE, MAX_IPC_FRAME_BYTES)
        self._guard(router)
        return router

    def _guard(self, socket: "zmq.Socket[bytes]") -> None:
        socket.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS)
        socket.setsockopt(zmq.IPC_FILTER_UID, os.geteuid())


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
