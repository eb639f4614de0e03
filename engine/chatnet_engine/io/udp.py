"""The engine's one UDP socket: opened dual-stack, drained without waiting, sent to in batches.

Owns buffers, segmentation offload and counters; knows nothing of what datagrams mean. An error of
a send is the same as loss in the network (counted): the protocol above repairs both.

Offload: `UDP_SEGMENT` sends many equal-sized datagrams to one address in one call, `UDP_GRO`
takes in what the kernel has coalesced (Documentation/networking/segmentation-offloads.rst). Both
are tried at run time, and what the kernel or a device refuses falls back to single datagrams.
"""

import errno
import logging
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from chatnet_engine.addresses import Addr
from chatnet_engine.io.addresses import SockAddr, from_sockaddr, to_sockaddr
from chatnet_engine.io.source_address import SourceAddress
from chatnet_engine.secure.events import ArrivedFrom, local_of
from chatnet_protocol.addresses import parse_host
from chatnet_protocol.errors import CommandError, ErrorCode
from chatnet_protocol.limits import BASE_DATAGRAM_BYTES, MAX_DATAGRAM_BYTES, MIB

logger = logging.getLogger(__name__)

SOL_UDP = 17
UDP_SEGMENT = 103
UDP_GRO = 104
IP_MTU_DISCOVER = 10
IPV6_MTU_DISCOVER = 23
PMTUDISC_DONT = 0
PMTUDISC_PROBE = 3
"""Never in pieces, and the kernel's own idea of the path's MTU does not count: ip(7), ipv6(7)."""
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33

BUFFER_BYTES = 4 * MIB
MAX_SEGMENTS = 64
"""UDP_MAX_SEGMENTS of older kernels."""
MAX_SEGMENTED_BYTES = 65_000
"""Below the 65,507 bytes of one UDP send."""
COALESCED_BYTES = 65536
ANY_IPV4 = "0.0.0.0"  # noqa: S104 (a peer may come in on any of this machine's addresses)
ADDRESS_CACHE = 4096
"""Converted addresses kept: those of all peers (MAX_PEERS), with room to spare; at the limit the
cache starts anew, so strangers cannot grow it."""

Datagram = tuple[bytes, Addr]


@dataclass(slots=True)
class UdpCounters:
    """Since the start. `send_errors` counts datagrams that the socket did not take."""

    received: int = 0
    received_bytes: int = 0
    oversized: int = 0
    overrun: int = 0
    """Arrived faster than they could be handled, and were dropped."""
    receive_errors: int = 0
    sent: int = 0
    sent_bytes: int = 0
    send_errors: int = 0
    unpinned: int = 0
    """Could not leave from the address that the peer had written to, and left from another."""
    unsendable: int = 0
    """To addresses that this socket cannot reach."""


class UdpSocket:
    """Takes over `sock`, an unconnected UDP socket that is bound."""

    def __init__(self, sock: socket.socket, *, offload: bool = True) -> None:
        self._sock = sock
        self._family = sock.family
        sock.setblocking(False)
        self.local: Addr = from_sockaddr(sock.getsockname())
        self.counters = UdpCounters()
        self.receive_buffer_bytes = _grow_buffer(sock, SO_RCVBUFFORCE, socket.SO_RCVBUF)
        self.send_buffer_bytes = _grow_buffer(sock, SO_SNDBUFFORCE, socket.SO_SNDBUF)
        self._whole = False
        """Whether datagrams leave with "don't fragment"."""
        self._keep_whole(False)
        self.can_segment = offload and _has_option(sock, UDP_SEGMENT)
        self.can_coalesce = offload and _set_option(sock, UDP_GRO)
        self._buffer = bytearray(COALESCED_BYTES)
        self._view = memoryview(self._buffer)
        self._source = SourceAddress(sock)
        self._ancillary_bytes = self._source.ancillary_bytes
        self._ancillary_bytes += socket.CMSG_SPACE(4) if self.can_coalesce else 0
        self._addrs: dict[tuple[SockAddr, bytes], Addr] = {}
        self._sockaddrs: dict[Addr, SockAddr | None] = {}

    @property
    def family(self) -> int:
        """AF_INET6 when dual-stack or IPv6 only, else AF_INET."""
        return self._family

    def fileno(self) -> int:
        """For the poller."""
        return self._sock.fileno()

    def close(self) -> None:
        """Give the port back."""
        self._sock.close()

    def receive(self, limit: int) -> list[Datagram]:
        """What has arrived: at most `limit` datagrams, and one coalesced read more."""
        batch: list[Datagram] = []
        counters = self.counters
        while len(batch) < limit:
            try:
                size, ancillary, _, sockaddr = self._sock.recvmsg_into(
                    (self._buffer,), self._ancillary_bytes
                )
            except BlockingIOError:
                break
            except OSError as error:
                counters.receive_errors += 1
                logger.debug("receiving failed: %s", error)
                break
            segment, local = size, b""
            for level, kind, data in ancillary:
                if level == SOL_UDP:
                    segment = int.from_bytes(data[:4], "little") or size
                elif kind == self._source.kind:
                    local = data
            addr = self._addrs.get((sockaddr, local)) or self._learn_addr(sockaddr, local)
            counters.received_bytes += size
            if segment >= size:
                if size > MAX_DATAGRAM_BYTES:
                    counters.oversized += 1
                else:
                    batch.append((self._view[:size].tobytes(), addr))
            else:
                batch += self._split(size, segment, addr)
        counters.received += len(batch)
        return batch

    def send(self, datagrams: list[Datagram]) -> None:
        """Put them on the wire in order. Never raises for what the network does."""
        if len(datagrams) == 1 or not self.can_segment:
            for data, addr in datagrams:
                self._send_one(data, addr)
            return
        for run, addr in segment_runs(datagrams):
            if len(run) == 1 or not self.can_segment:
                for data in run:
                    self._send_one(data, addr)
            else:
                self._send_run(run, addr)

    def _split(self, size: int, segment: int, addr: Addr) -> list[Datagram]:
        """A coalesced read: all of one size but the last, which may be shorter."""
        view = self._view
        pieces = [view[at : min(at + segment, size)] for at in range(0, size, segment)]
        if segment > MAX_DATAGRAM_BYTES:
            whole = len(pieces)
            pieces = [piece for piece in pieces if len(piece) <= MAX_DATAGRAM_BYTES]
            self.counters.oversized += whole - len(pieces)
        return [(piece.tobytes(), addr) for piece in pieces]

    def _keep_whole(self, whole: bool) -> None:
        """Base-size datagrams may pass narrow IPv4 paths in pieces rather than vanish; larger ones
        must not, or path MTU discovery would learn nothing (RFC 8899 section 3, item 2)."""
        self._whole = whole
        mode = PMTUDISC_PROBE if whole else PMTUDISC_DONT
        options = [(socket.IPPROTO_IP, IP_MTU_DISCOVER)]
        if self._family == socket.AF_INET6:
            options.append((socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER))
        for level, option in options:
            try:
                self._sock.setsockopt(level, option, mode)
            except OSError as error:
                logger.debug("the kernel keeps its own path MTU discovery: %s", error)

    def _send_run(self, run: list[bytes], addr: Addr) -> None:
        sockaddr = self._sockaddr(addr)
        if sockaddr is None:
            self.counters.unsendable += len(run)
            return
        if self._whole != (len(run[0]) > BASE_DATAGRAM_BYTES):
            self._keep_whole(not self._whole)
        options = [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", len(run[0])))]
        local = local_of(addr)
        if local:
            options.append(self._source.pin(local))
        try:
            size = self._sock.sendmsg(run, options, 0, sockaddr)
        except OSError as error:
            if error.errno in (errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT):
                logger.info("segmentation offload is off: %s", error)
                self.can_segment = False
            elif not local and error.errno not in (errno.EINVAL, errno.EMSGSIZE):
                self._count_error(error, len(run))
                return
            for data in run:
                self._send_one(data, addr)
            return
        self.counters.sent += len(run)
        self.counters.sent_bytes += size

    def _send_one(self, data: bytes, addr: Addr) -> None:
        sockaddr = self._sockaddr(addr)
        if sockaddr is None:
            self.counters.unsendable += 1
            return
        if self._whole != (len(data) > BASE_DATAGRAM_BYTES):
            self._keep_whole(not self._whole)
        local = local_of(addr)
        try:
            if not (local and self._send_pinned(data, sockaddr, local)):
                self._sock.sendto(data, sockaddr)
        except OSError as error:
            self._count_error(error, 1)
            return
        self.counters.sent += 1
        self.counters.sent_bytes += len(data)

    def _send_pinned(self, data: bytes, sockaddr: SockAddr, local: str) -> bool:
        """From `local`; False when that is no address of this machine any more, or no way out.
        Raises OSError for a datagram that is too large for the way out."""
        try:
            self._sock.sendmsg((data,), (self._source.pin(local),), 0, sockaddr)
        except OSError as error:
            if error.errno == errno.EMSGSIZE:
                raise
            self.counters.unpinned += 1
            logger.debug("sending from where it was dialled failed: %s", error)
            return False
        return True

    def _count_error(self, error: OSError, datagrams: int) -> None:
        self.counters.send_errors += datagrams
        logger.debug("sending failed: %s", error)

    def _learn_addr(self, sockaddr: SockAddr, local: bytes) -> Addr:
        if len(self._addrs) >= ADDRESS_CACHE:
            self._addrs.clear()
        addr = from_sockaddr(sockaddr)
        if local:
            addr = ArrivedFrom(addr, self._source.read(local))
        self._addrs[sockaddr, local] = addr
        return addr

    def _sockaddr(self, addr: Addr) -> SockAddr | None:
        try:
            return self._sockaddrs[addr]
        except KeyError:
            pass
        if len(self._sockaddrs) >= ADDRESS_CACHE:
            self._sockaddrs.clear()
        sockaddr = self._sockaddrs[addr] = to_sockaddr(addr, self._family)
        return sockaddr


def segment_runs(datagrams: list[Datagram]) -> Iterator[tuple[list[bytes], Addr]]:
    """Cut a batch into what one segmented send can carry, in order.

    A run has one address, and datagrams of one size except that the last may be shorter.
    """
    run: list[bytes] = []
    run_addr: Addr = ("", 0)
    segment = total = 0
    closed = True
    for data, addr in datagrams:
        size = len(data)
        if (
            closed
            or addr != run_addr
            or local_of(addr) != local_of(run_addr)
            or size > segment
            or len(run) == MAX_SEGMENTS
            or total + size > MAX_SEGMENTED_BYTES
        ):
            if run:
                yield run, run_addr
            run, run_addr, segment, total = [], addr, size, 0
        run.append(data)
        total += size
        closed = size != segment or not size
    if run:
        yield run, run_addr


def open_udp(bind: str, port: int, *, offload: bool = True) -> UdpSocket:
    """Bind to `bind`, or with "" to every address of both families where that is possible.

    Port 0 is any free one. Raises CommandError with one sentence when it cannot be had.
    """
    bind = _local_address(bind)
    try:
        if bind in ("", "::"):
            sock = _bind_dual_stack(port)
            if sock is None and bind:
                raise CommandError(ErrorCode.INVALID, "This machine has no IPv6 to bind to.")
            sock = sock or _bind(socket.AF_INET, (ANY_IPV4, port))
        elif to_sockaddr((bind, 1), socket.AF_INET):
            sock = _bind(socket.AF_INET, (bind, port))
        else:
            sockaddr = to_sockaddr((bind, port or 1), socket.AF_INET6)
            if sockaddr is None:
                raise CommandError(ErrorCode.INVALID, f"{bind!r} is no IP address to bind to.")
            sock = _bind(socket.AF_INET6, (sockaddr[0], port, *sockaddr[2:]))
    except OSError as error:
        raise CommandError(_code_of(error), _bind_problem(error, bind, port)) from None
    return UdpSocket(sock, offload=offload)


def _local_address(bind: str) -> str:
    """An address of this machine as typed, in the form that a socket takes: a zone is a number."""
    if not bind.strip():
        return ""
    host, _, zone = parse_host(bind).partition("%")
    if not zone or (zone.isascii() and zone.isdigit()):
        return f"{host}%{zone}" if zone else host
    try:
        return f"{host}%{socket.if_nametoindex(zone)}"
    except OSError:
        raise CommandError(
            ErrorCode.INVALID, f"This machine has no network interface {zone!r}."
        ) from None


def _bind_dual_stack(port: int) -> socket.socket | None:
    try:
        return _bind(socket.AF_INET6, ("::", port), dual_stack=True)
    except OSError as error:
        missing = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)
        if error.errno in (*missing, errno.ENOPROTOOPT):
            return None
        raise


def _bind(family: int, sockaddr: SockAddr, *, dual_stack: bool = False) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual_stack)
        sock.bind(sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _code_of(error: OSError) -> ErrorCode:
    return ErrorCode.BUSY if error.errno == errno.EADDRINUSE else ErrorCode.INVALID


def _bind_problem(error: OSError, bind: str, port: int) -> str:
    where = f" on {bind}" if bind else ""
    match error.errno:
        case errno.EADDRINUSE:
            return f"UDP port {port}{where} is in use by another program; choose another port."
        case errno.EACCES | errno.EPERM:
            return f"UDP port {port}{where} is not allowed for you; choose one above 1023."
        case errno.EADDRNOTAVAIL:
            return f"{bind} is not an address of this machine."
        case _:
            return f"UDP port {port}{where} cannot be opened: {error.strerror}."


def _grow_buffer(sock: socket.socket, force: int, plain: int) -> int:
    try:
        sock.setsockopt(socket.SOL_SOCKET, force, BUFFER_BYTES)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, plain, BUFFER_BYTES)
    return sock.getsockopt(socket.SOL_SOCKET, plain)


def _has_option(sock: socket.socket, option: int) -> bool:
    try:
        sock.getsockopt(SOL_UDP, option)
    except OSError:
        return False
    return True


def _set_option(sock: socket.socket, option: int) -> bool:
    try:
        sock.setsockopt(SOL_UDP, option, 1)
    except OSError:
        return False
    return True
