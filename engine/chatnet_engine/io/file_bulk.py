"""The file process's end of bulk streams: a socket pair for each job whose bytes use the link.

The job has one end and treats it like a TCP connection; what it writes goes to the engine in
reports, as far as the other side has room, and what the engine brings is written to it.
"""

import contextlib
import selectors
import socket
from collections.abc import Callable
from functools import partial

from chatnet_engine.files import process_wire as pw
from chatnet_protocol.limits import BULK_WINDOW_BYTES

READ_BYTES = 64 * 1024
GRANT_BYTES = BULK_WINDOW_BYTES // 8
"""Taken bytes are reported in lots of this size, or when all are taken."""


class _Stream:
    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.room = BULK_WINDOW_BYTES
        """Bytes that the other side takes for now."""
        self.unwritten = bytearray()
        """Bytes of the other side that the job has not been given; bounded by its window."""
        self.taken = 0
        """Bytes given to the job and not reported."""
        self.ending = False
        """The other side sends no more."""
        self.events = 0
        """Registered with the selector."""


class BulkSockets:
    """All of them, driven by the main loop. `send` reports to the engine."""

    def __init__(self, selector: selectors.BaseSelector, send: Callable[[pw.Report], None]) -> None:
        self._selector = selector
        self._send = send
        self._streams: dict[int, _Stream] = {}

    def open(self, job: int) -> socket.socket:
        """The job's end of a new stream."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._streams[job] = _Stream(ours)
        self._watch(job)
        return theirs

    def handle(self, request: pw.BulkIn | pw.BulkGrant) -> None:
        """Bytes of the other side, or room at it."""
        stream = self._streams.get(request.job)
        if stream is None:
            return
        if isinstance(request, pw.BulkGrant):
            stream.room += request.size_bytes
        else:
            stream.unwritten += request.data
            stream.ending = stream.ending or not request.data
        self._serve(request.job)

    def forget(self, job: int) -> None:
        """The job is stopped."""
        stream = self._streams.pop(job, None)
        if stream is not None:
            if stream.events:
                self._selector.unregister(stream.sock)
            stream.sock.close()

    def _serve(self, job: int) -> None:
        """Move what can be moved now."""
        stream = self._streams.get(job)
        if stream is None:
            return
        try:
            self._feed(job, stream)
            ended = self._drain(job, stream)
        except OSError:
            ended = True
        if ended:
            self._send(pw.BulkOut(job, b""))
            self.forget(job)
        else:
            self._watch(job)

    def _feed(self, job: int, stream: _Stream) -> None:
        with contextlib.suppress(BlockingIOError):
            while stream.unwritten:
                count = stream.sock.send(stream.unwritten)
                del stream.unwritten[:count]
                stream.taken += count
        if stream.taken >= GRANT_BYTES or (stream.taken and not stream.unwritten):
            self._send(pw.BulkTaken(job, stream.taken))
            stream.taken = 0
        if stream.ending and not stream.unwritten:
            with contextlib.suppress(OSError):
                stream.sock.shutdown(socket.SHUT_WR)

    def _drain(self, job: int, stream: _Stream) -> bool:
        """Report what the job wrote; whether it has closed its end."""
        with contextlib.suppress(BlockingIOError):
            while stream.room:
                data = stream.sock.recv(min(READ_BYTES, stream.room))
                if not data:
                    return True
                stream.room -= len(data)
                self._send(pw.BulkOut(job, data))
        return False

    def _watch(self, job: int) -> None:
        stream = self._streams[job]
        events = (selectors.EVENT_READ if stream.room else 0) | (
            selectors.EVENT_WRITE if stream.unwritten else 0
        )
        if events == stream.events:
            return
        serve = partial(self._serve, job)
        if not stream.events:
            self._selector.register(stream.sock, events, serve)
        elif not events:
            self._selector.unregister(stream.sock)
        else:
            self._selector.modify(stream.sock, events, serve)
        stream.events = events
