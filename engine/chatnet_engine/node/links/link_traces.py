"""The traces that events of the secure endpoint leave, and what of a peer's words may be in one."""

import re

from chatnet_engine.secure import events as secure
from chatnet_engine.trace import Code, Kind, Tag, Tracer
from chatnet_protocol.version import WIRE_VERSION

_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")


def trace_secure(trace: Tracer, event: secure.Event) -> None:
    """One trace, if anything but a packet happened; packets are traced where they are read."""
    match event:
        case secure.LinkUp(rekey=True):
            if trace.detail:
                trace.add(event.peer, Kind.KEY_UPDATED, address=event.addr)
        case secure.LinkUp():
            trace.add(
                event.peer,
                Kind.CONNECTION_STARTED,
                address=event.addr,
                ours=Tag(event.local_incarnation & 0xFFFFFFFF),
                theirs=Tag(event.remote_incarnation & 0xFFFFFFFF),
            )
        case secure.Roamed():
            trace.add(event.peer, Kind.PATH_ASSIGNED, address=event.addr)
        case secure.PathChallengeNeeded():
            if trace.detail:
                trace.add(event.peer, Kind.PATH_CHALLENGED, address=event.addr)
        case secure.Refused():
            trace.add(event.peer, Kind.REFUSED_BY_PEER, address=event.addr)
        case secure.SessionExpired():
            trace.add(event.peer, Kind.SESSION_EXPIRED)
        case secure.Reflected():
            trace.add(event.peer, Kind.OWN_ADDRESS, address=event.addr)
        case secure.VersionSeen():
            trace.add(
                0, Kind.VERSION_SEEN, address=event.addr, theirs=event.version, ours=WIRE_VERSION
            )
        case secure.Authenticated() | secure.PacketArrived():
            pass  # the gate traces what becomes of the first


def without_values(reason: str) -> Code:
    """Our sentence about a violation, without what it quotes of the peer."""
    return Code(_QUOTED.sub("...", reason))
