"""A program on a pseudo terminal of its own, as in the window of a terminal emulator."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

# A session leader whose standard input is a terminal makes it its controlling one.
_LEADER = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execvp(sys.argv[1], sys.argv[1:])"
)
MAX_SEEN_BYTES = 4_000_000
WHERE, HERE = b"\x1b[6n", b"\x1b[1;1R"
"""A program asks where its cursor is; a terminal answers."""


class RealTerminal:
    """Runs `command`; nothing happens but in `pump` and what waits with it."""

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], *, rows: int = 24, columns: int = 80
    ) -> None:
        self.seen = b""
        """Everything that was written to the terminal."""
        self._main, terminal = pty.openpty()
        fcntl.ioctl(self._main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.set_blocking(self._main, False)
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", _LEADER, *command],
            env=dict(env),
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)

    def press(self, data: bytes) -> None:
        """Press keys."""
        while data:
            try:
                data = data[os.write(self._main, data[:512]) :]
            except BlockingIOError:
                self.pump(0.01)
            except OSError:
                return  # hung up

    def pump(self, timeout_s: float) -> bool:
        """Take what is written within that time; false once the program has hung up."""
        if not select.select([self._main], [], [], timeout_s)[0]:
            return True
        try:
            data = os.read(self._main, 65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.seen = (self.seen + data)[-MAX_SEEN_BYTES:]
        for _ in range(data.count(WHERE)):
            self.press(HERE)
        return bool(data)

    def until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Whether it came to hold in that time."""
        until = time.monotonic() + timeout_s
        while not holds():
            left_s = until - time.monotonic()
            if left_s <= 0:
                return False
            if not self.pump(0.02):
                # It has let go of the terminal; there it ends.
                with suppress(subprocess.TimeoutExpired):
                    self.process.wait(left_s)
                return holds()
        return True

    def ended(self, timeout_s: float) -> int | None:
        """The exit code, once it has ended."""
        self.until(lambda: self.process.poll() is not None, timeout_s)
        try:
            return self.process.wait(1)
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self._main)
