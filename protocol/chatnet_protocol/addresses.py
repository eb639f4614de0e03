"""Addresses of peers as text: `host:port`, with brackets around IPv6; one printer, one parser.

Whatever `show_address` prints, `parse_address` takes, and so does every place where people type an
address. Hosts have one form: IPv6 compressed and in lower case (RFC 5952), IPv4-mapped as IPv4, a
zone behind `%` kept (RFC 4007).
"""

import re

from chatnet_protocol.errors import CommandError, ErrorCode

MAX_HOST_CHARACTERS = 253
"""Of a host name in DNS (RFC 1035); no address is longer."""
MAX_PORT = 65535

_NAME = re.compile(r"[^\s/\\@:\[\]%?#,;]+")
"""Host names are not judged further: the lookup does that, and takes those of other scripts."""
_IPV4_LIKE = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)\.?", re.IGNORECASE)
"""The last part is a number: no host name ends like that (URL Standard, "ends in a number")."""


def show_address(host: str, port: int) -> str:
    """`host:port`, and `[host]:port` for IPv6."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split_address(text: str) -> tuple[str, str] | None:
    """The host and port of `host:port` or `[ipv6]:port`, unchecked; None for a host alone."""
    text = text.strip()
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    return (host, port) if colon and (bracketed or ":" not in host) else None


def parse_address(text: str) -> tuple[str, int]:
    """Host, in its one form, and port. Raises CommandError with one sentence."""
    parts = split_address(text)
    if parts is None:
        raise _invalid(f"{text!r} is no address with a port, as in 10.0.0.7:5001 or [::1]:5001.")
    return parse_host(parts[0]), parse_port(parts[1])


def parse_port(text: str) -> int:
    """1 to 65535. Raises CommandError."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_PORT):
        raise _invalid(f"A port is a number from 1 to {MAX_PORT}.")
    return int(text)


def parse_host(text: str) -> str:
    """A typed host name or IP address, in brackets or not, in its one form.

    Raises CommandError with one sentence.
    """
    host = text.strip()
    if host.startswith("[") and host.endswith("]") and ":" in host:
        host = host[1:-1]
    if len(host) > MAX_HOST_CHARACTERS:
        raise _invalid(f"A host name has at most {MAX_HOST_CHARACTERS} characters.")
    if not host or not host.isprintable():
        raise _invalid(f"{text!r} is no host name or address.")
    if (parts := split_address(text)) and parts[0] and parts[1].isdigit():
        raise _invalid(f"{text.strip()!r} has a port behind it; only the host belongs here.")
    if ":" in host:
        return _ipv6(host)
    if _IPV4_LIKE.fullmatch(host):
        return _ipv4(host)
    if not _NAME.fullmatch(host):
        raise _invalid(f"{text!r} is no host name or address.")
    return host


def _ipv4(host: str) -> str:
    import ipaddress  # not before an address is read: a window shows its first page without

    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        raise _invalid(
            f"{host!r} is no IPv4 address: that is four numbers from 0 to 255, as in 10.0.0.7."
        ) from None


def _ipv6(host: str) -> str:
    import ipaddress

    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        raise _invalid(
            f"{host!r} is no IPv6 address; with a port it is written as in [::1]:5001."
        ) from None
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    zone = address.scope_id
    if zone is None and address.is_link_local:
        raise _invalid(
            f"{host} holds on one network only; say by which interface, as in {host}%eth0."
        )
    if zone is not None and not _NAME.fullmatch(zone):
        raise _invalid(f"{zone!r} is no network interface.")
    return str(address)


def _invalid(detail: str) -> CommandError:
    return CommandError(ErrorCode.INVALID, detail)
