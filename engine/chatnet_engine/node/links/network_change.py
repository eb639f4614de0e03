"""What a new or lost address of this machine means for the links to peers."""

from chatnet_engine.node.config import Now
from chatnet_engine.node.parts import Parts
from chatnet_engine.trace import Kind
from chatnet_protocol.ipc.rows import LinkState

TRIED = (LinkState.RESOLVING, LinkState.DIALLING, LinkState.SILENT)
"""States in which a peer is being looked for; the others wait for people, or hold."""


def handle(parts: Parts, now: Now) -> list[int]:
    """Look up and dial at once whoever is not reached; peers whose connections have to be drained,
    because a ping is to show them where we are now."""
    parts.config.trace.add(0, Kind.NETWORK_CHANGED)
    pinged = []
    for peer, conversation in parts.conversations.items():
        link = parts.links.row(peer)
        if link is None:
            continue
        if link.state in TRIED:
            parts.links.dial(peer, now, at_once=True)
        elif link.state == LinkState.UP and conversation.connection is not None:
            conversation.connection.ping()
            pinged.append(peer)
    return pinged
