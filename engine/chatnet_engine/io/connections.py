"""Connections to the local sockets by descriptor: how to name one for good, look at it, end it.

libzmq owns the descriptors and reuses their numbers, so a connection is named by its descriptor
and the inode of its socket, and everything here works on a duplicate that was checked for both.
"""

import array
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

SIOCOUTQ = termios.TIOCOUTQ


@dataclass(frozen=True, slots=True)
class Connection:
    """One accepted connection. `pid`: the process that made it, 0 where that cannot be seen."""

    fd: int
    inode: int
    pid: int

    @property
    def unread_bytes(self) -> int:
        """Arrived and not yet taken by libzmq; 0 when the connection is gone."""
        return self._ask(termios.FIONREAD)

    @property
    def unsent_bytes(self) -> int:
        """Sent and not yet taken by the other side; 0 when the connection is gone."""
        return self._ask(SIOCOUTQ)

    def end(self) -> bool:
        """Shut it down, so that libzmq closes it; False when it is gone already."""
        with _duplicate(self.fd) as ours:
            if ours is None or os.fstat(ours.fileno()).st_ino != self.inode:
                return False
            try:
                ours.shutdown(socket.SHUT_RDWR)
            except OSError:
                return False
            return True

    def _ask(self, request: int) -> int:
        with _duplicate(self.fd) as ours:
            if ours is None or os.fstat(ours.fileno()).st_ino != self.inode:
                return 0
            answer = array.array("i", [0])
            try:
                fcntl.ioctl(ours.fileno(), request, answer)
            except OSError:
                return 0
            return answer[0]


def look_at(fd: int) -> Connection | None:
    """The connection that this descriptor is now; None when it is no Unix socket."""
    with _duplicate(fd) as ours:
        if ours is None:
            return None
        try:
            size = struct.calcsize("3i")
            credentials = ours.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
        except OSError:
            return None
        pid, _, _ = struct.unpack("3i", credentials)
        return Connection(fd, os.fstat(ours.fileno()).st_ino, pid)


@contextmanager
def _duplicate(fd: int) -> Iterator[socket.socket | None]:
    """A Unix socket of our own for the same connection."""
    try:
        copy = os.dup(fd)
    except OSError:
        yield None
        return
    try:
        ours = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        yield None
        return
    with ours:
        yield ours if ours.family == socket.AF_UNIX else None
