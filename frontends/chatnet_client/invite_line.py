"""A first contact as one line that people copy: `chatnet:1/CODE/ADDRESS,ADDRESS/NAME`.

Pure, but for `own_addresses`, which asks the system and sends nothing. What is parsed may come from
anybody: a name is only ever a name.
"""

import contextlib
import socket
from collections.abc import Sequence

from msgspec import Struct

from chatnet_protocol.addresses import parse_address, show_address
from chatnet_protocol.errors import CommandError, ErrorCode

SCHEME = "chatnet:"
VERSION = "1"
MAX_ADDRESSES = 4
"""In a line, and shown as one's own."""
MAX_NAME_BYTES = 64
"""Of a name that an engine takes."""
MAX_LINE_CHARACTERS = 2000
"""More is no invite; a QR code still holds it."""
_SOMEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Documentation addresses (RFC 5737, RFC 3849): connecting a UDP socket sends nothing."""


class Contact(Struct, frozen=True):
    """Where somebody is, and the code that proves it is them; an address alone has no code."""

    addresses: tuple[tuple[str, int], ...]
    code: str = ""
    name: str = ""


def show_invite(contact: Contact) -> str:
    """The line that `parse_contact` takes."""
    from urllib.parse import quote  # the window shows addresses before any invite

    places = ",".join(show_address(host, port) for host, port in contact.addresses)
    return f"{SCHEME}{VERSION}/{contact.code}/{places}/{quote(contact.name, safe='')}"


def parse_contact(text: str) -> Contact:
    """An invite, or `host:port` alone. Raises CommandError with one sentence."""
    from urllib.parse import unquote

    line = "".join(text.split()) if SCHEME in text[:200].casefold() else text.strip()
    if not line:
        raise _invalid("Paste an invite, or type host:port.")
    if len(line) > MAX_LINE_CHARACTERS:
        raise _invalid("That is too long for an invite.")
    if line.casefold().count(SCHEME) > 1:
        raise _invalid("Those are two invites. Paste one.")
    if not line.casefold().startswith(SCHEME):
        return Contact((parse_address(line),))
    version, _, rest = line[len(SCHEME) :].partition("/")
    if version != VERSION:
        raise _invalid("That invite is of another version of ChatNet: update the older side.")
    code, _, rest = rest.partition("/")
    places, _, name = rest.partition("/")
    found = tuple(parse_address(place) for place in places.split(",")[:MAX_ADDRESSES] if place)
    if not code or not found:
        raise _invalid("That invite is incomplete. Copy all of it.")
    return Contact(found, code, plain_name(unquote(name, errors="replace")))


def plain_name(name: str) -> str:
    """What is left of a name when only printable characters count, as long as engines take it."""
    kept = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    return kept.encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore").strip()


def code_in(text: str) -> str:
    """The code of an invite line; any other text as it is."""
    line = text.strip()
    return line.split("/")[1] if line.startswith(SCHEME) and line.count("/") > 1 else line


def own_addresses(bound_host: str, port: int) -> tuple[tuple[str, int], ...]:
    """Where this machine is reached on its own network, the most likely first."""
    if bound_host not in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return ((bound_host, port),)
    hosts = []
    for family, far in _SOMEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            hosts.append(str(probe.getsockname()[0]))
    return tuple((host, port) for host in hosts or ["127.0.0.1"])


def _invalid(sentence: str) -> CommandError:
    return CommandError(ErrorCode.INVALID, sentence)


def shown_addresses(addresses: Sequence[tuple[str, int]]) -> list[str]:
    """As people read them."""
    return [show_address(host, port) for host, port in addresses[:MAX_ADDRESSES]]
