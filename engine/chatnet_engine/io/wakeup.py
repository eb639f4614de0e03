"""A pipe that ends the pump's wait: rung by worker threads and by the C half of signal handlers.

A pipe and no eventfd, because `signal.set_wakeup_fd` writes single bytes.
"""

import os

READ_BYTES = 65536
"""One read empties the pipe: Linux keeps at most this much in it."""


class WakeUp:
    """Ringing twice before the pump looks is the same as ringing once."""

    def __init__(self) -> None:
        self._read_fd, self.ring_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """Readable after `ring`."""
        return self._read_fd

    def ring(self) -> None:
        """Callable from any thread; a full pipe is rung already."""
        try:
            os.write(self.ring_fd, b"\0")
        except OSError:
            # Full, or closed before a name look-up finished.
            pass

    def clear(self) -> None:
        """Before looking for what was rung for, so that a later ring is not lost."""
        try:
            os.read(self._read_fd, READ_BYTES)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """After the last worker has ended."""
        os.close(self._read_fd)
        os.close(self.ring_fd)
