"""Socket addresses ↔ the (ip text, port) pairs that everything above the sockets uses.

IPv4 is always plain IPv4 text, also through a dual-stack socket; a link-local IPv6 address keeps
its zone (`fe80::1%2`). Nothing here looks up names.
"""

import socket
from typing import Any

from chatnet_engine.addresses import Addr

MAPPED = "::ffff:"
SockAddr = tuple[Any, ...]


def from_sockaddr(sockaddr: SockAddr) -> Addr:
    """What the kernel says (2 values for IPv4, 4 for IPv6) as an Addr."""
    host: str = sockaddr[0]
    if host.startswith(MAPPED) and "." in host:
        host = host[len(MAPPED) :]
    elif len(sockaddr) == 4 and sockaddr[3] and "%" not in host:
        host = f"{host}%{sockaddr[3]}"
    return host, sockaddr[1]


def to_sockaddr(addr: Addr, family: int) -> SockAddr | None:
    """What a socket of `family` sends to; None when it cannot reach such an address.

    Only numeric addresses pass, because a name would make the send wait for its lookup.
    """
    host, port = addr
    if not 0 < port < 65536:
        return None
    host, _, zone = host.partition("%")
    if zone and not (zone.isascii() and zone.isdigit()):
        return None
    if _is_numeric(socket.AF_INET, host):
        if zone:
            return None
        return (host, port) if family == socket.AF_INET else (MAPPED + host, port, 0, 0)
    if family == socket.AF_INET6 and _is_numeric(socket.AF_INET6, host):
        return (host, port, 0, int(zone or 0))
    return None


def is_numeric(host: str) -> bool:
    """Whether `host` is an IP address in text, with or without a zone."""
    return to_sockaddr((host, 1), socket.AF_INET6) is not None


def _is_numeric(family: int, host: str) -> bool:
    try:
        socket.inet_pton(family, host)
    except (OSError, ValueError):
        return False
    return True
