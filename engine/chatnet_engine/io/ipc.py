"""The two local sockets of an engine: PUB for events, ROUTER for commands.

Owns their paths and counters; knows nothing of what frames mean. Nothing here ever waits for a
front end: what one does not take is kept within limits, then dropped and counted, and the front
end asks again. A socket file that vanishes or is replaced is bound again; bind unlinks whatever is
at the path, so the session's lock must be held before.
"""

import hashlib
import logging
import os
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from chatnet_engine.deadlines import whole_second
from chatnet_engine.io.command_socket import CommandSocket
from chatnet_engine.io.event_socket import EventSocket
from chatnet_engine.io.private_dir import make_private_dir, socket_dirs
from chatnet_protocol.errors import CommandError, ErrorCode

logger = logging.getLogger(__name__)

LEAVE_S = 0.2
"""Given to the last replies and publications to reach front ends that read."""
LEAVE_STEP_S = 0.01
PATH_CHECK_S = 1.0
MAX_REBINDS = 1000
"""Who removes the sockets more often than this wants them gone."""
MAX_PATH_BYTES = 107
"""Of a Unix address, without the zero at its end."""
HASH_CHARACTERS = 16


@dataclass(slots=True)
class IpcCounters:
    """Since the start."""

    requests: int = 0
    published: int = 0
    replies: int = 0
    replies_dropped: int = 0
    """The client was gone or did not read."""
    rebinds: int = 0
    connections_ended: int = 0
    """Closed because they were too many, or did what none should."""


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
        self._counters = IpcCounters()
        self._folder = folder
        self._next_check_s = now_s + PATH_CHECK_S
        self._events_path = _Path(os.path.join(folder, f"{name}.e"))
        self._commands_path = _Path(os.path.join(folder, f"{name}.c"))
        with ExitStack() as undo:
            try:
                self._events = EventSocket(self._events_path.path, now_s)
                undo.callback(self._events.close)
                self._commands = CommandSocket(self._commands_path.path, now_s)
                undo.callback(self._commands.close)
                self._events_path.note()
                self._commands_path.note()
            except OSError as error:
                raise CommandError(
                    ErrorCode.FILE, f"The local sockets in {folder} cannot be opened: {error}."
                ) from None
            undo.pop_all()

    @property
    def counters(self) -> IpcCounters:
        """What was counted so far."""
        self._counters.replies_dropped = self._commands.replies_dropped
        self._counters.connections_ended = self._commands.ended + self._events.ended
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
        return self._events.fileno()

    @property
    def commands_fd(self) -> int:
        """For the poller: readable when `handle_commands` has something to do."""
        return self._commands.fileno()

    def publish(self, topic: bytes, frame: bytes) -> None:
        """To all who listen; dropped for those who do not read."""
        self._events.publish(topic, frame)
        self._counters.published += 1

    def is_wanted(self, topic: bytes) -> bool:
        """Whether a front end subscribed to it."""
        return self._events.is_wanted(topic)

    def reply(self, routing_id: bytes, frame: bytes) -> None:
        """To one client, in order, if it is there and reads."""
        self._counters.replies += self._commands.reply(routing_id, frame)

    def handle_events(self, now_s: float) -> None:
        """What subscribers do."""
        self._events.handle_ready(now_s)

    def handle_commands(self, now_s: float) -> None:
        """What clients do; their requests wait for `receive`."""
        self._commands.handle_ready(now_s)

    @property
    def has_requests(self) -> bool:
        """`receive` has something to do."""
        return self._commands.has_requests

    def receive(self, now_s: float) -> tuple[bytes, list[bytes]] | None:
        """A request as (routing id, frames), clients in turn; None: enough for this turn."""
        request = self._commands.receive(now_s)
        self._counters.requests += request is not None
        return request

    @property
    def has_gone(self) -> bool:
        """`take_gone` has something to give."""
        return self._commands.has_gone

    def take_gone(self) -> list[bytes]:
        """Routing ids of clients whose connection has ended, after the last of their requests."""
        return self._commands.take_gone()

    def flush(self) -> None:
        """Send what was replied and published in this turn."""
        self._commands.flush()
        self._events.flush()

    def flush_events(self) -> None:
        """Send what was published."""
        self._events.flush()

    def next_timeout(self) -> float:
        """When `handle_timeout` or `receive` has something to do without anything arriving."""
        if self._commands.has_requests:
            return 0.0
        dues = (self._next_check_s, self._commands.next_timeout(), self._events.next_timeout())
        return min(dues)

    def handle_timeout(self, now_s: float) -> None:
        """Connections are looked after; once a second, the paths too."""
        self._commands.handle_timeout(now_s)
        self._events.handle_timeout(now_s)
        if now_s >= self._next_check_s:
            self._next_check_s = whole_second(now_s + PATH_CHECK_S)
            self._check_path(self._commands_path, self._commands)
            self._check_path(self._events_path, self._events)

    def close(self) -> None:
        """Give replies a moment to leave, and remove the socket files that are ours."""
        sockets = (self._events, self._commands)
        until_s = time.monotonic() + LEAVE_S
        self.flush()
        while any(each.unsent_bytes for each in sockets) and time.monotonic() < until_s:
            time.sleep(LEAVE_STEP_S)
            for each in sockets:
                each.handle_ready(time.monotonic())
        for path in (self._events_path, self._commands_path):
            if path.is_in_place():
                os.unlink(path.path)
        for each in sockets:
            each.close()

    def _check_path(self, path: _Path, bound: EventSocket | CommandSocket) -> None:
        """Bind again where somebody removed or replaced the socket's file."""
        if path.is_in_place() or self._counters.rebinds >= MAX_REBINDS:
            return
        self._counters.rebinds += 1
        try:
            make_private_dir(self._folder)
            bound.rebind(path.path)
            path.note()
        except (OSError, CommandError) as error:
            logger.warning("a local socket cannot be bound again: %s", error)
        else:
            logger.info("a local socket is bound again")


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
        if len(os.fsencode(folder)) + longest > MAX_PATH_BYTES:
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
