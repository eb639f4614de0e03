"""The process above an engine in the background: it starts the engine again when it dies.

    python -m chatnet_engine.io.supervisor REPORT_FD FOLDER ENGINE_ARGUMENT...

FOLDER is the session's folder, or empty while only the engine can know it (a port yet to be found).

It forwards stop signals, waits for its engine and ends with it when the user stopped it. While it
lives it holds a shared flock on `supervisor.lock` in the session's folder: that is how front ends
know that nobody else has to start the engine. SIGKILL leaves the engine running.

It stays as long as the engine does, so it imports little; what is needed once is imported then.
"""

import fcntl
import os
import select
import signal
import sys
import time
import types
from collections.abc import Sequence

from chatnet_engine.io.restart_policy import STOP_SIGNALS, RestartPolicy, cause_of, is_stop
from chatnet_engine.io.start_report import (
    FAILED,
    MAX_REPORT_BYTES,
    READY,
    REFUSED,
    StartReport,
    decode_report,
)

ENGINE = (sys.executable, "-P", "-m", "chatnet_engine")
LOCK_TRIES = 50
LOCK_PAUSE_S = 0.02
"""A front end that looks at the lock holds it for microseconds."""
LOCK_NAME = "supervisor.lock"
"""As in chatnet_protocol.ipc.session_files, whose import would double the memory."""
NEVER_READY = "The engine died while starting, several times; the log may say why."


class Supervisor:
    """One engine, its lives, and the process that waits for the first of them."""

    def __init__(
        self,
        arguments: Sequence[str],
        folder: str,
        report_fd: int,
        *,
        program: Sequence[str] = ENGINE,
    ) -> None:
        self._program = tuple(program)
        self._arguments = list(arguments)
        os.set_inheritable(report_fd, False)  # or the engine would keep it open
        self._waiting_fd = report_fd
        """Of the process that started us; -1 once it has its answer."""
        self._policy = RestartPolicy()
        self._folder = folder
        self._cause = ""
        self._last_words = ""
        self._signals: list[int] = []
        self._stopping = False
        self._lock_fd = -1
        self._wake_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
        for number in (*STOP_SIGNALS, signal.SIGCHLD):
            signal.signal(number, self._handle_signal)

    def run(self) -> int:
        """Until the engine was stopped, must not start, or dies too often; the exit code."""
        if os.path.isdir(self._folder):
            self._hold_lock()
        while True:
            self._policy.handle_start(_clock_s())
            exit_code, report = self._live()
            if report[:1] == [REFUSED]:
                self._answer(*report)
                return exit_code
            if is_stop(exit_code) or self._stopping:
                if exit_code:
                    self._write_ended("stopped", cause_of(exit_code))
                self._answer(FAILED, "The engine was stopped while starting.")
                return 0
            self._cause = cause_of(exit_code)
            self._last_words = report[1] if report[:1] == [FAILED] else self._last_words
            pause_s = self._policy.handle_death(_clock_s())
            if pause_s is None:
                self._write_ended("gave-up", self._cause)
                self._answer(FAILED, self._last_words or NEVER_READY)
                return 1
            if not self._pause(pause_s):
                self._write_ended("stopped", "stopped while it was being restarted")
                self._answer(FAILED, "The engine was stopped while starting.")
                return 0

    # --- one life ----------------------------------------------------------------------------

    def _live(self) -> tuple[int, list[str]]:
        """Start the engine and wait for its end: (exit code or minus the signal, its report)."""
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        try:
            pid = self._spawn(write_fd)
        except OSError as error:
            os.close(read_fd)
            return 1, [FAILED, f"The engine cannot be started: {error.strerror}."]
        finally:
            os.close(write_fd)
        data, report = b"", list[str]()
        while True:
            readable = self._wait([read_fd] if read_fd >= 0 else [], None)
            for number in self._take_signals():
                os.kill(pid, number)  # not waited for yet, so the number is still its own
            if read_fd in readable:
                part = os.read(read_fd, MAX_REPORT_BYTES)
                data += part[: MAX_REPORT_BYTES - len(data)]
                if not part:
                    os.close(read_fd)
                    read_fd = -1
                    report = decode_report(data)
                    self._handle_report(report)
            if read_fd >= 0:
                continue  # its end closes the pipe, so that the report is read before
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status), report

    def _spawn(self, report_fd: int) -> int:
        command = [*self._program, *self._arguments, "--report-fd", str(report_fd)]
        if self._policy.restarts:
            command += ["--restarts", str(self._policy.restarts), "--died-of", self._cause]
        os.set_inheritable(report_fd, True)
        return os.posix_spawn(command[0], command, os.environ)

    def _handle_report(self, report: list[str]) -> None:
        if report[:1] != [READY]:
            return
        self._folder, self._arguments = report[1], report[2:]
        self._hold_lock()
        self._answer(READY)

    def _pause(self, pause_s: float) -> bool:
        """Whether nobody asked to stop meanwhile."""
        until_s = _clock_s() + pause_s
        while (left_s := until_s - _clock_s()) > 0 and not self._stopping:
            self._wait([], left_s)
            self._take_signals()
        return not self._stopping

    # --- signals -----------------------------------------------------------------------------

    def _handle_signal(self, number: int, frame: types.FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    def _take_signals(self) -> list[int]:
        signals, self._signals = self._signals, []
        self._stopping = self._stopping or bool(signals)
        return signals

    def _wait(self, fds: list[int], timeout_s: float | None) -> list[int]:
        readable, _, _ = select.select([self._wake_fd, *fds], [], [], timeout_s)
        if self._wake_fd in readable:
            os.read(self._wake_fd, 4096)
        return readable

    # --- the session's folder ----------------------------------------------------------------

    def _hold_lock(self) -> None:
        """Shared, because the supervisor before us may still be in its last pause."""
        if self._lock_fd >= 0:
            return
        path = f"{self._folder}/{LOCK_NAME}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(LOCK_PAUSE_S)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._lock_fd = fd

    def _write_ended(self, code: str, detail: str) -> None:
        if self._folder:
            from chatnet_engine.io.start_files import write_ended_unless_running

            write_ended_unless_running(self._folder, code, detail)

    def _answer(self, *fields: str) -> None:
        """Tell the process that started us how it went, once; then nothing ties us to it."""
        if self._waiting_fd < 0:
            return
        StartReport(self._waiting_fd).send(*fields)
        self._waiting_fd = -1
        os.chdir("/")


def _clock_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def main(argv: Sequence[str]) -> int:
    """The process; its exit code."""
    return Supervisor(argv[2:], argv[1], int(argv[0])).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
