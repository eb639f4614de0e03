"""From which of this machine's addresses a datagram leaves: the one that its peer wrote to.

A socket bound to every address leaves that to the routing table, which may choose another one than
the peer dialled; a stateful firewall in front of the peer then drops the answer. The kernel says
where each datagram came to, and takes the same back as the source (ip(7) IP_PKTINFO, ipv6(7),
RFC 3542 section 6). On a dual-stack socket both families use the IPv6 form.
"""

import ipaddress
import socket
import struct

Ancillary = tuple[int, int, bytes]

IP_PKTINFO = 8
IN_PKTINFO = struct.Struct("=i4s4s")
"""Interface index, the local address to answer from, the address in the header."""
IN6_PKTINFO = struct.Struct("=16sI")
"""Address, interface index."""
CACHED = 256
"""Local addresses whose forms are kept; at the limit it starts anew."""


class SourceAddress:
    """Reads and writes the local address beside the datagrams of one socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._ipv6 = sock.family == socket.AF_INET6
        self._texts: dict[bytes, str] = {}
        self._pins: dict[str, Ancillary] = {}
        self.kind = socket.IPV6_PKTINFO if self._ipv6 else IP_PKTINFO
        self.ancillary_bytes = 0
        if not _is_wildcard(sock):
            return  # the source is fixed by the bind
        level, option = socket.IPPROTO_IP, IP_PKTINFO
        if self._ipv6:
            level, option = socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO
        try:
            sock.setsockopt(level, option, 1)
        except OSError:
            return  # the kernel goes on choosing
        form = IN6_PKTINFO if self._ipv6 else IN_PKTINFO
        self.ancillary_bytes = socket.CMSG_SPACE(form.size)

    def read(self, data: bytes) -> str:
        """The local address that a datagram came to, from its ancillary data."""
        text = self._texts.get(data)
        if text is None:
            if len(self._texts) >= CACHED:
                self._texts.clear()
            text = self._texts[data] = self._parse(data)
        return text

    def pin(self, local: str) -> Ancillary:
        """Ancillary data that make a datagram leave from `local`, which `read` returned."""
        pin = self._pins.get(local)
        if pin is None:
            if len(self._pins) >= CACHED:
                self._pins.clear()
            pin = self._pins[local] = self._encode(local)
        return pin

    def _parse(self, data: bytes) -> str:
        if not self._ipv6:
            _, to_answer, _ = IN_PKTINFO.unpack_from(data)
            return socket.inet_ntoa(to_answer)
        packed, interface = IN6_PKTINFO.unpack_from(data)
        address = ipaddress.IPv6Address(packed)
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return f"{address}%{interface}" if address.is_link_local else str(address)

    def _encode(self, local: str) -> Ancillary:
        address, _, zone = local.partition("%")
        if not self._ipv6:
            data = IN_PKTINFO.pack(0, socket.inet_aton(address), bytes(4))
            return socket.IPPROTO_IP, IP_PKTINFO, data
        mapped = address if ":" in address else f"::ffff:{address}"
        # Only a link-local address belongs to one interface; for others routing is free.
        data = IN6_PKTINFO.pack(socket.inet_pton(socket.AF_INET6, mapped), int(zone or 0))
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, data


def _is_wildcard(sock: socket.socket) -> bool:
    host = sock.getsockname()[0]
    return bool(ipaddress.ip_address(host.partition("%")[0]).is_unspecified)
