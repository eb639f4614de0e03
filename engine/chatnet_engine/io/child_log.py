"""What a child process writes to its standard error, brought into the engine's own log.

The child gets the writing end of a pipe instead of the log's descriptor, so that its lines obey
the log's bound and format, and a child that repeats itself cannot wash everything else out.
"""

import logging
import os

logger = logging.getLogger(__name__)

READ_BYTES = 64 * 1024
MAX_LINE_BYTES = 1000
MAX_LINES_A_PERIOD = 60
"""Enough for two tracebacks; further lines of the period are counted."""
PERIOD_S = 60.0
READ_EVERY_S = 0.5
"""A full pipe makes the child drop lines; it never waits for the engine."""


class ChildLog:
    """The reading end, and how much it may log. `name` says whose lines they are."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._read_fd, self.write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self.write_fd, False)
        self._rest = b""
        self._due_s = 0.0
        self._period_ends_s = 0.0
        self._lines = 0
        self._left_out = 0

    def handle_timeout(self, now_s: float) -> None:
        """Log what is there, at most twice a second: an idle engine need not look at each turn."""
        if now_s >= self._due_s:
            self._due_s = now_s + READ_EVERY_S
            self.drain(now_s)

    def drain(self, now_s: float) -> None:
        """Log what is there; nothing once it is closed."""
        if self._read_fd < 0:
            return
        try:
            data = os.read(self._read_fd, READ_BYTES)
        except BlockingIOError:
            data = b""
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest if len(rest) <= MAX_LINE_BYTES else b""
        if len(rest) > MAX_LINE_BYTES:
            lines.append(rest)
        if now_s >= self._period_ends_s:
            self._start_period(now_s)
        for line in lines:
            if self._lines >= MAX_LINES_A_PERIOD:
                self._left_out += 1
                continue
            self._lines += 1
            text = line[:MAX_LINE_BYTES].decode("utf-8", "replace")
            logger.info("%s: %s", self._name, text)

    def close(self) -> None:
        """Give both ends back."""
        if self._read_fd >= 0:
            os.close(self._read_fd)
            os.close(self.write_fd)
            self._read_fd = self.write_fd = -1

    def _start_period(self, now_s: float) -> None:
        self._period_ends_s = now_s + PERIOD_S
        if self._left_out:
            logger.warning("%s: %d further lines left out", self._name, self._left_out)
        self._lines = self._left_out = 0
