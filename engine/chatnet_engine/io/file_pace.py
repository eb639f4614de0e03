"""Paces a file connection's socket by what the kernel measures on it (see `files.pacing`).

The kernel does the pacing itself, packet by packet (SO_MAX_PACING_RATE, socket(7)), whatever its
congestion control is. While the line loses packets BBR is chosen, where the system offers it to
everybody: random loss does not slow it down. On other lines it would be in the way, since it sends
at the rate of its own model and tries a higher one only now and then.
"""

import logging
import socket
import struct

from chatnet_engine.files.line_meter import Sample
from chatnet_engine.files.loss_watch import LossWatch
from chatnet_engine.files.pacing import TICK_S, Decision, Pacer
from chatnet_engine.files.process_wire import STALLED_S, Stalled
from chatnet_engine.io.file_channel import FileChannel
from chatnet_engine.io.file_rate import RateLimit
from chatnet_protocol.ipc.reasons import TransferReason

logger = logging.getLogger(__name__)

SO_MAX_PACING_RATE = getattr(socket, "SO_MAX_PACING_RATE", 47)
UNLIMITED = 2**64 - 1
LOSSY_CONTROL = b"bbr"
CALM_CONTROL = b"reno"
"""In every kernel. Each begins afresh after the other: BBR with a new model of the path, Reno in
slow start (bbr_init sets the threshold to infinity)."""
IDLE_TICK_S = 0.1
"""While the line is free there is nothing to steer."""

_INFO_BYTES = 256
_WINDOW_END = 232
"""Where `tcpi_snd_wnd` ends: Linux 5.4."""


class PacingUnavailable(Exception):
    """The kernel does not say enough, or does not pace: the socket goes as it goes."""


def _tcp_info(sock: socket.socket) -> bytes:
    try:
        info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
    except OSError as error:
        raise PacingUnavailable(str(error)) from None
    if len(info) < _WINDOW_END:
        raise PacingUnavailable("the kernel is older than 5.4")
    return info


def read_sample(sock: socket.socket) -> Sample:
    """What TCP_INFO says (struct tcp_info, linux/tcp.h). Raises PacingUnavailable."""
    info = _tcp_info(sock)
    (mss,) = struct.unpack_from("=I", info, 16)
    (rtt_us,) = struct.unpack_from("=I", info, 68)
    (segments_in,) = struct.unpack_from("=I", info, 140)
    (delivered,) = struct.unpack_from("=I", info, 192)
    (sent_bytes,) = struct.unpack_from("=Q", info, 200)
    (retransmissions,) = struct.unpack_from("=I", info, 100)
    return Sample(rtt_us / 1e6, segments_in, sent_bytes, delivered * mss, mss, retransmissions)


def read_wait(sock: socket.socket) -> TransferReason | None:
    """Why nothing is acknowledged, if the kernel knows. Raises PacingUnavailable."""
    info = _tcp_info(sock)
    (unacked,) = struct.unpack_from("=I", info, 24)
    (not_sent,) = struct.unpack_from("=I", info, 144)
    (window,) = struct.unpack_from("=I", info, 228)
    (mss,) = struct.unpack_from("=I", info, 16)
    if window < mss:
        return TransferReason.RECEIVER_BUSY if unacked or not_sent else None
    return TransferReason.PATH_SILENT if unacked else None


def has_bbr() -> bool:
    """Whether this kernel lets a socket of ours use BBR."""
    with socket.socket() as sock:
        return choose(sock, LOSSY_CONTROL)


def choose(sock: socket.socket, control: bytes) -> bool:
    """A congestion control; whether the system lets this socket use it."""
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control)
    except OSError:
        return False
    return True


def is_on_this_machine(sock: socket.socket) -> bool:
    """Whether both ends have one address. No line is between them: an acknowledgement that is late
    there waited for the receiver, which works on what it has, and slowing down would not help it.
    Raises PacingUnavailable."""
    try:
        near, far = sock.getsockname(), sock.getpeername()
    except OSError as error:
        raise PacingUnavailable(str(error)) from None
    return bool(near[0] == far[0])


class PacedSocket:
    """One sending connection; the socket stays its owner's, who may close it at any time."""

    def __init__(self, sock: socket.socket, now_s: float) -> None:
        """Before anything large is sent. Raises PacingUnavailable."""
        self._sock = sock
        self._pacer: Pacer | None = None
        first = read_sample(sock)
        self._applied: float | None = None
        self._delivered = 0
        self._moved_s = now_s
        self._stalled = False
        self._losses = LossWatch()
        is_local = is_on_this_machine(sock)
        self._control: bytes | None = None
        """None: the system's own, which it does not let us change for BBR."""
        if is_local or choose(sock, LOSSY_CONTROL):
            self._choose(CALM_CONTROL)
        if not is_local:
            self._pacer = Pacer(now_s, first)
            self._apply(Decision(self._pacer.rate))
        self.due_s = now_s + TICK_S

    def tick(self, now_s: float) -> None:
        """Measure and steer. Raises PacingUnavailable."""
        sample = read_sample(self._sock)
        decision = Decision(None)
        if self._pacer is not None:
            decision = self._pacer.handle_sample(now_s, sample)
            self._apply(decision)
            self._losses.handle_sample(now_s, sample)
            control = LOSSY_CONTROL if self._losses.is_lossy else CALM_CONTROL
            if self._control not in (None, control):
                self._choose(control)
        if sample.delivered_bytes != self._delivered:
            self._delivered, self._moved_s, self._stalled = sample.delivered_bytes, now_s, False
        self.due_s = now_s + (IDLE_TICK_S if decision.rate is None else TICK_S)

    def take_stall(self, now_s: float) -> TransferReason | None:
        """Why nothing has moved for long, once each time. Raises PacingUnavailable."""
        if self._stalled or now_s < self._moved_s + STALLED_S:
            return None
        wait = read_wait(self._sock)
        self._stalled = wait is not None
        return wait

    def _apply(self, decision: Decision) -> None:
        try:
            if decision.rate != self._applied:
                rate = UNLIMITED if decision.rate is None else int(decision.rate)
                packed = struct.pack("=Q", rate)
                self._sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, packed)
                self._applied = decision.rate
        except OSError as error:
            raise PacingUnavailable(str(error)) from None
        if decision.restart and (control := self._control) is not None:
            self._choose(CALM_CONTROL if control == LOSSY_CONTROL else LOSSY_CONTROL)
            self._choose(control)

    def _choose(self, control: bytes) -> None:
        if choose(self._sock, control):
            self._control = control


class PacedSockets:
    """All connections that send, and the limit of all that move files. Jobs add theirs from their
    own threads."""

    def __init__(self) -> None:
        self._sending = RateLimit()
        self._receiving = RateLimit()
        self._by_job: dict[int, PacedSocket] = {}

    def add(self, job: int, sock: socket.socket, now_s: float) -> None:
        """From any thread; the loop that ticks must be woken. A socket that cannot be paced goes
        as the kernel likes."""
        try:
            self._by_job[job] = PacedSocket(sock, now_s)
        except PacingUnavailable as error:
            logger.info("file job %d is not paced: %s", job, error)

    def set_limit(self, bytes_s: int) -> None:
        """Of what is sent and of what is received, also by those under way; 0: none."""
        self._sending.change(bytes_s)
        self._receiving.change(bytes_s)

    def limit(self, channel: FileChannel) -> None:
        """It moves no more than all together may."""
        channel.limit(self._sending, self._receiving)

    def remove(self, job: int) -> None:
        """The job is over."""
        self._by_job.pop(job, None)

    def handle_timeout(self, now_s: float) -> list[Stalled]:
        """Steer those that are due; what stands still since the last call."""
        stalled: list[Stalled] = []
        for job, paced in list(self._by_job.items()):
            if paced.due_s <= now_s:
                try:
                    paced.tick(now_s)
                    wait = paced.take_stall(now_s)
                except PacingUnavailable:  # closed, most likely
                    self.remove(job)
                else:
                    stalled += [] if wait is None else [Stalled(job, wait)]
        return stalled

    def next_timeout(self) -> float | None:
        """When the next one is due."""
        return min((paced.due_s for paced in list(self._by_job.values())), default=None)
