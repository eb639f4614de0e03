"""Addresses as people and rows write them: `ip:port`, and `[ip]:port` for IPv6."""

import ipaddress

from chatnet_engine.node.effects import Addr


def format_addr(addr: Addr) -> str:
    """The text of an address."""
    host, port = addr
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def parse_addr(text: str) -> Addr | None:
    """The address in such a text; None when there is none."""
    host, _, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if host and port.isdigit() else None


def plain_host(text: str) -> str:
    """A typed host in the form that addresses have here: no brackets, IPv4 as IPv4."""
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        mapped = ipaddress.IPv6Address(host).ipv4_mapped
    except ValueError:
        return host
    return str(mapped) if mapped else host
