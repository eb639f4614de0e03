"""A file connection: a socket and the ciphers of both directions.

Blocking, for the one thread of a job. The main thread may `interrupt` it at any time.
"""

import contextlib
import select
import socket

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from chatnet_engine.files.records import Buffer, Opener, Record, Sealer, nonce_packer
from chatnet_engine.io.file_acks import PromptAcks
from chatnet_engine.io.file_rate import RateLimit
from chatnet_protocol.wire.control import Suite
from chatnet_protocol.wire.file_records import RecordType

INPUT_BYTES = 1024 * 1024
QUEUED_BYTES = 128 * 1024
"""Small records that are sent together; some twenty files of 4 KiB."""
DEAD_AFTER_S = 60
"""Bytes that are not acknowledged for so long, or silence of the machine: the connection is
gone."""


class ConnectionCut(Exception):
    """The connection ended, or nothing came for too long."""


class FileChannel:
    """`keys`: (sending, receiving) as the handshake gave them; the socket is owned from here."""

    def __init__(self, sock: socket.socket, suite: int, keys: tuple[bytes, bytes]) -> None:
        cipher = "AESGCM" if suite == Suite.AESGCM else "ChaChaPoly"
        make = AESGCM if suite == Suite.AESGCM else ChaCha20Poly1305
        pack = nonce_packer(cipher)
        self.sock = sock
        self.sealer = Sealer(make(keys[0]), pack)
        self._opener = Opener(make(keys[1]), pack, InvalidTag)
        self._input = memoryview(bytearray(INPUT_BYTES))
        self._start = 0
        self._end = 0
        self._queued = bytearray()
        self._sending: RateLimit | None = None
        self._receiving: RateLimit | None = None
        self._acks = PromptAcks(sock)
        sock.settimeout(None)

    def limit(self, sending: RateLimit | None, receiving: RateLimit | None) -> None:
        """Move no more than these allow from here on; None: as much as can be."""
        self._sending, self._receiving = sending, receiving

    @property
    def ended(self) -> bool:
        """Whether the other side has sent its last record."""
        return self._opener.ended

    def send(self, record_type: RecordType, body: bytes = b"") -> None:
        """One small record. Raises ConnectionCut."""
        self.send_sealed([memoryview(self.sealer.seal(record_type, body))])

    def queue(self, record_type: RecordType, body: Buffer = b"") -> None:
        """One small record, which may wait for others to be sent with it. Raises ConnectionCut."""
        self._queued += self.sealer.seal(record_type, body)
        if len(self._queued) >= QUEUED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what waits. Raises ConnectionCut."""
        if self._queued:
            self.send_sealed([])

    def send_sealed(self, parts: list[memoryview]) -> None:
        """Sealed records, in as few system calls as possible. Raises ConnectionCut."""
        if self._queued:
            parts = [memoryview(self._queued), *parts]
            self._queued = bytearray()
        if self._sending is None or not self._sending.bytes_s:
            self._send(parts)
            return
        for part in self._sending.slices(parts):
            self._sending.take(len(part))
            self._send([part])

    def _send(self, parts: list[memoryview]) -> None:
        try:
            left = sum(len(part) for part in parts)
            while True:
                left -= (sent := self.sock.sendmsg(parts))
                if left == 0:
                    return
                while sent >= len(parts[0]):
                    sent -= len(parts.pop(0))
                parts[0] = parts[0][sent:]
        except OSError as error:
            raise ConnectionCut(str(error)) from None

    def receive(self, timeout_s: float | None) -> list[Record]:
        """The next records, waiting for the first; none after `timeout_s`.

        Bodies are valid until the next call. Raises ConnectionCut and DecodeError.
        """
        while True:
            used, records = self._opener.open_from(self._input[self._start : self._end])
            self._start += used
            if records:
                return records
            if self._start == self._end:
                self._start = self._end = 0
            elif self._start:
                # The rest of a record moves to the front: at most 64 KiB of 1 MiB.
                rest = bytes(self._input[self._start : self._end])
                self._input[: len(rest)] = rest
                self._start, self._end = 0, len(rest)
            if not self._fill(timeout_s):
                return []

    def interrupt(self) -> None:
        """From another thread: whatever this channel waits for ends now."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the socket back; what was sent still arrives."""
        self.sock.close()

    def _fill(self, timeout_s: float | None) -> bool:
        try:
            if timeout_s is not None:
                ready = select.poll()
                ready.register(self.sock, select.POLLIN)
                if not ready.poll(max(0.0, timeout_s) * 1000):
                    return False
            space = self._input[self._end :]
            if self._receiving is not None:
                space = space[: self._receiving.slice_bytes]
            got = self.sock.recv_into(space)
        except (OSError, ValueError) as error:
            raise ConnectionCut(str(error)) from None
        if got == 0:
            raise ConnectionCut("the other side closed the connection")
        self._end += got
        self._acks.handle_read(got)
        if self._receiving is not None:
            self._receiving.take(got)
        return True


def tune(sock: socket.socket) -> None:
    """Notice when the other machine is gone.

    Buffers are left to the kernel: setting their size caps them at rmem_max, a tenth of what it
    grows them to. Pacing is steered while a connection sends (see `io.file_pace`).
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_S * 1000)
