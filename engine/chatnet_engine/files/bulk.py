"""Owns the streams of file bytes on channel 3 of each link: which job has which, and their windows.

A stream stands in for a TCP connection. The file process gives and takes its bytes; it may give
what the other side has credit for, so what waits here for the link is bounded by the windows. A
receiver doubles the window of a stream whenever a whole one was taken within two round trips:
dynamic right-sizing (Fisk and Feng, 2001), as in TCP of Linux and in implementations of QUIC.
"""

from collections import deque
from collections.abc import Callable
from math import inf

from chatnet_engine.files import process_wire as pw
from chatnet_protocol.errors import RemoteProtocolError
from chatnet_protocol.ipc.reasons import TransferReason
from chatnet_protocol.limits import (
    BULK_PART_BYTES,
    BULK_WINDOW_BYTES,
    MAX_BULK_STREAMS,
    MAX_BULK_WINDOW_BYTES,
    MAX_PEER_BULK_STREAMS,
    MESSAGE_OVERHEAD_BYTES,
)
from chatnet_protocol.wire.bulk import (
    BulkData,
    BulkEnd,
    BulkMessage,
    BulkRoom,
    decode_bulk,
    encode_bulk,
)

Ask = Callable[[pw.Request], None]
WINDOW_ROUNDS = 2
"""Round trips in which a window is taken that may be what limits the stream."""


class _Stream:
    __slots__ = (
        "_taken",
        "_taken_from",
        "handle",
        "incoming",
        "job",
        "outgoing",
        "peer",
        "receives",
        "rtt_s",
        "window",
    )

    def __init__(
        self, peer: int, handle: bytes, job: int, rtt_s: Callable[[], float], *, receives: bool
    ) -> None:
        self.peer = peer
        self.handle = handle
        self.job = job
        self.receives = receives
        """Whether our side of the transfer is the receiver."""
        self.rtt_s = rtt_s
        self.outgoing = 0
        """Bytes given by our file process less the credit that has come. Negative: the window has
        grown."""
        self.incoming = 0
        """Bytes of the peer that our file process has not taken."""
        self.window = BULK_WINDOW_BYTES
        """Most of them."""
        self._taken = 0
        self._taken_from = -inf
        """Bytes that our file process has taken since then."""

    def take(self, size_bytes: int, now: float) -> int:
        """Our file process has taken so many bytes; the credit that the peer gets for it."""
        self.incoming -= size_bytes
        self._taken += size_bytes
        if self._taken < self.window:
            return size_bytes
        quick = now - self._taken_from <= WINDOW_ROUNDS * self.rtt_s()
        self._taken, self._taken_from = 0, now
        more = min(self.window, MAX_BULK_WINDOW_BYTES - self.window) if quick else 0
        self.window += more
        return size_bytes + more


class BulkStreams:
    """All streams of a session. `ask` reaches the file process."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._by_job: dict[int, _Stream] = {}
        self._by_handle: dict[tuple[int, bytes], _Stream] = {}
        self._messages: dict[int, deque[bytes]] = {}
        """Of each peer: what leaves when its link has credit."""

    def full(self, peer: int, *, receives: bool) -> bool:
        """Whether no further stream of files from this peer, or to it, can be opened now.

        Each direction has places of its own: a receiver takes one to wait for the sender, and two
        sides that had given all to what they receive would wait for each other.
        """
        alike = [one.peer for one in self._by_job.values() if one.receives == receives]
        return alike.count(peer) >= MAX_PEER_BULK_STREAMS or len(alike) >= MAX_BULK_STREAMS

    def open(
        self, peer: int, handle: bytes, job: int, rtt_s: Callable[[], float], *, receives: bool
    ) -> None:
        """From now on `handle` on the link of `peer`, of this round trip, is the connection of this
        job.

        The peer chooses the handle: one that is in use ends the older stream.
        """
        if (older := self._by_handle.get((peer, handle))) is not None:
            self._ask(pw.BulkIn(older.job, b""))
            self._forget(older.job)
        stream = _Stream(peer, handle, job, rtt_s, receives=receives)
        self._by_job[job] = stream
        self._by_handle[peer, handle] = stream

    def close(self, job: int) -> None:
        """The job is stopped: the other side is notified. Harmless when it has no stream."""
        if (stream := self._forget(job)) is not None:
            self._say(stream, BulkEnd(stream.handle))

    def handle_link_down(self, peer: int) -> None:
        """The link has ended, and all its streams with it."""
        self._messages.pop(peer, None)
        for stream in [one for one in self._by_job.values() if one.peer == peer]:
            self._forget(stream.job)
            self._ask(pw.BulkIn(stream.job, b""))

    def handle_process_restarted(self) -> None:
        """The file process has died, and its ends of all streams."""
        for job in list(self._by_job):
            self.close(job)

    def handle_report(self, report: pw.BulkOut | pw.BulkTaken, now: float) -> None:
        """Bytes from our file process, or taken by it."""
        stream = self._by_job.get(report.job)
        if stream is None:
            return
        if isinstance(report, pw.BulkTaken):
            self._say(stream, BulkRoom(stream.handle, stream.take(report.size_bytes, now)))
            return
        data = report.data
        stream.outgoing += len(data)
        for start in range(0, len(data), BULK_PART_BYTES):
            part = data[start : start + BULK_PART_BYTES]
            self._say(stream, BulkData(stream.handle, part))
        if not data:
            self.close(report.job)

    def handle_message(self, peer: int, body: bytes) -> None:
        """A message of channel 3. Raises DecodeError, RemoteProtocolError.

        One for a stream that has ended here is dropped.
        """
        message = decode_bulk(body)
        stream = self._by_handle.get((peer, message.handle))
        if stream is None:
            return
        match message:
            case BulkData(_, data):
                stream.incoming += len(data)
                if stream.incoming > stream.window:
                    raise RemoteProtocolError("more bytes than the window of a bulk stream")
                self._ask(pw.BulkIn(stream.job, data))
            case BulkRoom(_, size_bytes):
                stream.outgoing -= size_bytes
                if BULK_WINDOW_BYTES - stream.outgoing > MAX_BULK_WINDOW_BYTES:
                    raise RemoteProtocolError("more credit in a bulk stream than a window has")
                self._ask(pw.BulkGrant(stream.job, size_bytes))
            case BulkEnd():
                self._ask(pw.BulkIn(stream.job, b""))
                self._forget(stream.job)

    def why_still(self, job: int) -> TransferReason | None:
        """Why nothing leaves on the stream of this job, if its path is the reason."""
        stream = self._by_job.get(job)
        if stream is None or stream.receives:
            return None
        if self._messages.get(stream.peer):
            return TransferReason.PATH_SILENT
        full = stream.outgoing + BULK_PART_BYTES > BULK_WINDOW_BYTES
        return TransferReason.RECEIVER_BUSY if full else None

    @property
    def waits(self) -> bool:
        """Whether anything waits."""
        return bool(self._messages)

    def waiting(self) -> list[int]:
        """Peers for whom something waits."""
        return list(self._messages)

    def take(self, peer: int, credit_bytes: int) -> list[bytes]:
        """The next messages for channel 3 that fit into so much of the link's window."""
        waiting = self._messages.get(peer)
        batch: list[bytes] = []
        while waiting:
            credit_bytes -= len(waiting[0]) + MESSAGE_OVERHEAD_BYTES
            if credit_bytes < 0:
                return batch
            batch.append(waiting.popleft())
        self._messages.pop(peer, None)
        return batch

    def _forget(self, job: int) -> _Stream | None:
        stream = self._by_job.pop(job, None)
        if stream is not None:
            del self._by_handle[stream.peer, stream.handle]
        return stream

    def _say(self, stream: _Stream, message: BulkMessage) -> None:
        self._messages.setdefault(stream.peer, deque()).append(encode_bulk(message))
