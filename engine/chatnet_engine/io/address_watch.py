"""Whether an address or network of this machine came or went, from the kernel (rtnetlink(7)).

Only what may open or close a way to a peer counts: an address that became usable or was lost, an
interface that got or lost its carrier. The kernel also repeats what is known, an IPv6 lifetime with
each router advertisement for one; that is no change. Where no such socket can be had (sandboxes),
nothing is ever reported.
"""

import logging
import socket
import struct

logger = logging.getLogger(__name__)

GROUPS = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""
NEW_LINK, DEL_LINK, NEW_ADDRESS, DEL_ADDRESS = 16, 17, 20, 21
HEADER = struct.Struct("=IHHII")
"""nlmsghdr: length, type, flags, sequence, sender."""
LINK = struct.Struct("=BxHiII")
"""ifinfomsg: family, type, index, flags, change mask."""
ADDRESS = struct.Struct("=BBBBI")
"""ifaddrmsg: family, prefix length, flags, scope, index."""
ATTRIBUTE = struct.Struct("=HH")
IFA_ADDRESS, IFA_LOCAL = 1, 2
NOT_YET_USABLE = 0x40
"""IFA_F_TENTATIVE: duplicate address detection still runs; the kernel reports its end."""
RUNNING = 0x1 | 0x40
"""IFF_UP, IFF_RUNNING."""
READ_BYTES = 65536
MAX_READS = 64
"""In one turn."""
MAX_KNOWN = 4096
"""Addresses and interfaces remembered; at the limit it starts anew."""
MIN_PAUSE_S = 1.0
"""Between reports: a network that comes up is several messages."""


class AddressWatch:
    """`sock`: a netlink socket that is bound to GROUPS, or None."""

    def __init__(self, sock: socket.socket | None) -> None:
        self._sock = sock
        self._addresses: set[bytes] = set()
        self._links: dict[int, int] = {}
        self._is_pending = False
        self._not_before_s = 0.0

    def fileno(self) -> int:
        """For the poller; -1 when there is nothing to watch."""
        return self._sock.fileno() if self._sock else -1

    def close(self) -> None:
        """Watch no longer."""
        if self._sock:
            self._sock.close()

    def handle_readable(self) -> None:
        """Read what the kernel says."""
        for _ in range(MAX_READS):
            if self._sock is None:
                return
            try:
                data, sender = self._sock.recvfrom(READ_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                logger.debug("messages about addresses were lost: %s", error)  # ENOBUFS
                self._is_pending = True
                continue
            if sender[0] == 0:  # the kernel, not another process
                self._is_pending |= self._has_change(data)

    def take_change(self, now_s: float) -> bool:
        """Whether something changed since it last returned True, MIN_PAUSE_S ago or longer."""
        if not self._is_pending or now_s < self._not_before_s:
            return False
        self._is_pending = False
        self._not_before_s = now_s + MIN_PAUSE_S
        return True

    def next_timeout(self) -> float | None:
        """When `take_change` returns True."""
        return self._not_before_s if self._is_pending else None

    def _has_change(self, data: bytes) -> bool:
        changed, at = False, 0
        while at + HEADER.size <= len(data):
            length, kind, *_ = HEADER.unpack_from(data, at)
            if length < HEADER.size:
                break
            body = data[at + HEADER.size : at + length]
            if kind in (NEW_LINK, DEL_LINK) and len(body) >= LINK.size:
                changed |= self._is_new_link(kind, body)
            elif kind in (NEW_ADDRESS, DEL_ADDRESS) and len(body) >= ADDRESS.size:
                changed |= self._is_new_address(kind, body)
            at += _aligned(length)
        return changed

    def _is_new_link(self, kind: int, body: bytes) -> bool:
        _, _, index, flags, _ = LINK.unpack_from(body)
        running = flags & RUNNING if kind == NEW_LINK else 0
        if len(self._links) >= MAX_KNOWN:
            self._links.clear()
        before = self._links.get(index)
        self._links[index] = running
        return before != running

    def _is_new_address(self, kind: int, body: bytes) -> bool:
        family, _, flags, _, index = ADDRESS.unpack_from(body)
        key = b"%d %d " % (family, index) + _address_in(body)
        if kind == DEL_ADDRESS:
            self._addresses.discard(key)
            return True
        if flags & NOT_YET_USABLE or key in self._addresses:
            return False
        if len(self._addresses) >= MAX_KNOWN:
            self._addresses.clear()
        self._addresses.add(key)
        return True


def open_address_watch() -> AddressWatch:
    """A watch over this network namespace; one that never reports where that is not allowed."""
    try:
        sock = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC,
            socket.NETLINK_ROUTE,
        )
    except OSError as error:
        logger.info("changes of addresses go unseen: %s", error)
        return AddressWatch(None)
    try:
        sock.bind((0, GROUPS))
    except OSError as error:
        sock.close()
        logger.info("changes of addresses go unseen: %s", error)
        return AddressWatch(None)
    return AddressWatch(sock)


def _address_in(body: bytes) -> bytes:
    """The local address among the attributes, else the address there; empty when broken."""
    found: dict[int, bytes] = {}
    at = ADDRESS.size
    while at + ATTRIBUTE.size <= len(body):
        length, kind = ATTRIBUTE.unpack_from(body, at)
        if length < ATTRIBUTE.size:
            break
        found[kind] = body[at + ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found.get(IFA_LOCAL, found.get(IFA_ADDRESS, b""))


def _aligned(length: int) -> int:
    return (length + 3) & ~3
