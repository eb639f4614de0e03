"""Owns the words that every front end uses for the same fact: sizes, links, what a peer is called.

Pure. What is returned may hold what a peer wrote: a front end makes it harmless for its own screen.
"""

from collections.abc import Mapping
from types import MappingProxyType

from chatnet_protocol.ipc.rows import LinkState, PeerRow

LINK_WORDS: Mapping[str, str] = MappingProxyType(
    {
        LinkState.IDLE: "waiting to be found",
        LinkState.RESOLVING: "looking up the address",
        LinkState.DIALLING: "dialling",
        LinkState.UP: "connected",
        LinkState.SILENT: "not answering",
        LinkState.PENDING: "waiting to be accepted",
        LinkState.REFUSED: "refused",
        LinkState.KEY_CHANGED: "key changed",
    }
)
"""A newer engine may know more states: show the state itself then."""


def size_words(size_bytes: float) -> str:
    """`812 B`, `1.4 MB`: decimal units, as file managers show them."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def is_named(row: PeerRow) -> bool:
    """Whether somebody here gave the peer a name; a typed address alone is none."""
    return bool(row.name) and row.name != f"{row.host}:{row.port}"


def name_of(row: PeerRow) -> str:
    """What a peer is called: the name given here, else its own, else its address."""
    if is_named(row):
        return row.name
    return row.display_name or row.name or row.address or f"peer {row.peer}"
