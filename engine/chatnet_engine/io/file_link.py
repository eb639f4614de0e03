"""The engine's end of the file process: starts it, talks to it, starts it again when it dies.

Frames are opaque here, each behind its length in 4 bytes, big-endian, over a socket pair that the
process inherits and ends with. What was sent to a process that died is lost; `FilesRestarted` says
so, and the node asks again.
"""

import collections
import logging
import math
import os
import socket
import subprocess
import sys
from collections.abc import Sequence

from chatnet_engine.files.process_wire import MAX_FRAME_BYTES
from chatnet_engine.io.child_log import ChildLog
from chatnet_engine.node.effects import FileProcessReport, FilesRestarted

logger = logging.getLogger(__name__)

LENGTH_BYTES = 4
MAX_UNSENT_BYTES = 8 * 1024 * 1024
"""Waiting for a process that does not read; beyond this it is stuck and is started anew."""
READ_BYTES = 256 * 1024
READS_PER_TURN = 4
FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 30.0
STABLE_S = 60.0
"""A process that lived this long starts again without delay."""
END_TIMEOUT_S = 1.0
KILL_WAIT_S = 0.05
"""The pump stands still so long at most when the process is killed."""
GONE_CHECK_S = 0.5

FileReport = FileProcessReport | FilesRestarted


class FileLink:
    """`command` is started with `--fd N` added. What it writes to stderr is logged here."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._log = ChildLog("file process")
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._unread = bytearray()
        self._unsent: collections.deque[bytes] = collections.deque()
        self._unsent_bytes = 0
        self._started_s = 0.0
        self._backoff_s = 0.0
        self._restart_s: float | None = None
        self.restarts = 0
        self.dropped = 0
        """Frames for a process that was not there."""

    def start(self, now_s: float) -> None:
        """The first start; a failure is tried again like a death."""
        self._restart_s = now_s
        self.handle_timeout(now_s)
        self.restarts = 0

    def fileno(self) -> int:
        """For the poller; -1 while there is no process. Changes with every restart."""
        return self._sock.fileno() if self._sock else -1

    @property
    def wants_write(self) -> bool:
        """Whether `handle_writable` has something to do."""
        return bool(self._unsent)

    def tell(self, frame: bytes, now_s: float) -> None:
        """Send one frame; without a process it is dropped."""
        if self._sock is None:
            self.dropped += 1
            return
        if self._unsent_bytes + len(frame) > MAX_UNSENT_BYTES:
            self._end("it does not read", now_s)
            return
        data = len(frame).to_bytes(LENGTH_BYTES, "big") + frame
        self._unsent.append(data)
        self._unsent_bytes += len(data)
        if len(self._unsent) == 1:
            self.handle_writable(now_s)

    def handle_writable(self, now_s: float) -> None:
        """Send what is waiting, as far as the process takes it."""
        while self._unsent and self._sock is not None:
            data = self._unsent[0]
            try:
                sent = self._sock.send(data)
            except BlockingIOError:
                return
            except OSError as error:
                self._end(f"writing to it failed: {error}", now_s)
                return
            self._unsent_bytes -= sent
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = data[sent:]

    def handle_readable(self, now_s: float) -> list[FileReport]:
        """Reports of the process, up to a turn's worth."""
        ended = ""
        for _ in range(READS_PER_TURN):
            if self._sock is None:
                return []
            try:
                data = self._sock.recv(READ_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                ended = f"reading from it failed: {error}"
                break
            if not data:
                ended = "it ended"
                break
            self._unread += data
        reports, in_step = self._take_frames()
        if not in_step:
            ended = "it sent an impossible length"
        if ended:
            self._end(ended, now_s)
        return reports

    def handle_timeout(self, now_s: float) -> list[FileReport]:
        """Log what the process wrote; start it again once its backoff has passed."""
        self._log.handle_timeout(now_s)
        if self._restart_s is None or now_s < self._restart_s:
            return []
        if not self._is_gone(0.0):
            # A hung disk holds it, and it holds the port.
            self._restart_s = now_s + GONE_CHECK_S
            return []
        self._restart_s = None
        try:
            self._start(now_s)
        except OSError as error:
            self._schedule(f"it does not start: {error}", now_s)
            return []
        self.restarts += 1
        return [FilesRestarted()]

    def next_timeout(self) -> float | None:
        """When the process is to be started again."""
        return self._restart_s

    def close(self) -> None:
        """Let the process end with its socket; kill it when it does not."""
        self._restart_s = None
        if self._sock is not None:
            self._sock.close()
            self._sock = None
        if self._process is not None:
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._is_gone(KILL_WAIT_S)
            self._process = None
        self._log.drain(math.inf)
        self._log.close()

    def _start(self, now_s: float) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: S603 (our own program)
                    [*self._command, "--fd", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=self._log.write_fd,
                    stderr=self._log.write_fd,
                    env=child_environ(),
                    # Ctrl-C in the engine's terminal is the engine's to answer.
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        ours.setblocking(False)
        self._sock = ours
        self._started_s = now_s

    def _is_gone(self, wait_s: float) -> bool:
        """Whether no former process is left, which is waited for so long at most."""
        if self._process is not None:
            try:
                self._process.wait(wait_s)
            except subprocess.TimeoutExpired:
                return False
            self._process = None
        return True

    def _take_frames(self) -> tuple[list[FileReport], bool]:
        reports: list[FileReport] = []
        at = 0
        unread = self._unread
        in_step = True
        while len(unread) - at >= LENGTH_BYTES:
            size = int.from_bytes(unread[at : at + LENGTH_BYTES], "big")
            if size > MAX_FRAME_BYTES:
                in_step = False
                break
            end = at + LENGTH_BYTES + size
            if len(unread) < end:
                break
            reports.append(FileProcessReport(bytes(unread[at + LENGTH_BYTES : end])))
            at = end
        del unread[:at]
        return reports, in_step

    def _end(self, reason: str, now_s: float) -> None:
        assert self._sock is not None
        assert self._process is not None
        self._sock.close()
        self._sock = None
        # It lives on a socket that is closed now, and keeps nothing that a kill could hurt.
        self._process.kill()
        self._is_gone(KILL_WAIT_S)
        self._log.drain(now_s)
        self._unread.clear()
        self._unsent.clear()
        self._unsent_bytes = 0
        if now_s - self._started_s >= STABLE_S:
            self._backoff_s = 0.0
        self._schedule(reason, now_s)

    def _schedule(self, reason: str, now_s: float) -> None:
        self._restart_s = now_s + self._backoff_s
        logger.warning("file process: %s; starting it in %.1f s", reason, self._backoff_s)
        self._backoff_s = min(max(FIRST_BACKOFF_S, self._backoff_s * 2), MAX_BACKOFF_S)


def file_command(port: int, bind: str, umask: int, listings: str) -> list[str]:
    """How the file process of the engine on that port is started. `umask`: for received files;
    `listings`: the folder for the lists of large offers."""
    module = "chatnet_engine.io.file_process"
    options = ["--port", str(port), "--bind", bind, "--umask", str(umask), "--listings", listings]
    return [sys.executable, "-P", "-m", module, *options]


def child_environ() -> dict[str, str]:
    """Our environment, with our module path: a child finds what we found, wherever that was."""
    path = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
    return {**os.environ, "PYTHONPATH": path}
