"""Owns one peer's link as people see it, and when something has to be done about it."""

from dataclasses import dataclass

import msgspec

from chatnet_engine.arq.events import Closed
from chatnet_engine.arq.line import KnownLine
from chatnet_engine.clock import Now
from chatnet_protocol.errors import CloseCode, DecodeError
from chatnet_protocol.ipc.reasons import LinkReason, Reason, reason
from chatnet_protocol.ipc.rows import LinkRow, LinkState
from chatnet_protocol.wire import frames

SILENT_AFTER_S = 6.5
"""Something unanswered for this long is shown; mosh's threshold."""
REHANDSHAKE_AFTER_S = 15.0
"""Something unanswered for this long starts a new handshake, and again each time it passes."""
MAX_DIAL_ADDRS = 8
"""Addresses of one peer that are tried in turn."""
UNCONFIRMED = frozenset({LinkReason.OWN_ADDRESS, LinkReason.OTHER_VERSION})
"""Reasons that an answer gave which nobody has proved; shown until something better is known."""
MAX_CONTAINED_S = 600.0
"""Longest pause after an exception of ours about a peer; the first is 1 s, each next one twice."""
LOOK_AGAIN_S = 0.5
"""How often it is looked whether a peer whose pause is over has been read again."""
REFUSED_WAIT_S = 60.0
"""How long to leave a peer alone that refused us or has not accepted us yet."""


TRIED = (LinkState.RESOLVING, LinkState.DIALLING, LinkState.SILENT)
"""States in which a peer is being looked for; the others wait for people, or hold."""


def close_in(payload: bytes) -> Closed | None:
    """The CLOSE of a refusal, if it is one."""
    try:
        found = [frame for frame in frames.decode(payload) if isinstance(frame, frames.Close)]
    except DecodeError:
        return None
    return Closed(found[0].code, found[0].reason) if found else None


def why_closed(closed: Closed) -> tuple[LinkState, Reason]:
    """The state and reason to show when the peer ends the link."""
    match closed.code:
        case CloseCode.PENDING:
            return LinkState.PENDING, reason(LinkReason.NOT_ACCEPTED)
        case CloseCode.REFUSED:
            return LinkState.REFUSED, reason(LinkReason.NOT_TRUSTED)
        case CloseCode.PROTOCOL_VIOLATION:
            why = closed.reason or "protocol error"
            return LinkState.REFUSED, reason(LinkReason.PEER_REFUSED, why)
        case CloseCode.SHUTDOWN:
            return LinkState.DIALLING, reason(LinkReason.PEER_STOPPED)
        case _:  # none, or one of a newer version
            return LinkState.DIALLING, reason(LinkReason.PEER_CLOSED)


@dataclass(slots=True)
class Link:
    """What is known of one peer's link."""

    row: LinkRow
    changed: set[int]
    """Where its peer's number is put when the row changes; shared by all links."""
    published: LinkRow | None = None
    """The row that was published last."""
    hold_until: float | None = None
    """Not dialled before this: it refused us, or broke the specification."""
    blocked: bool = False
    """It broke the specification: while it is held, its calls are refused. One that refused us
    and calls now has changed its mind."""
    contained_at: float = 0.0
    contained_s: float = 0.0
    """When the last exception about it was contained, and for how long it was left alone."""
    waiting: int = 0
    """Own messages that wait for the peer."""
    line: KnownLine | None = None
    """What the last live link knew of the line to this peer; the next one begins with it."""
    challenged_at: float | None = None
    """When the last re-handshake was asked for on the present silence."""

    def tell(
        self, state: LinkState, now: Now, address: str = "", why: Reason | None = None
    ) -> None:
        """Change what is shown."""
        since = self.row.since_ms if self.row.state == state else now.wall_ms
        self._show(state=state, since_ms=since, address=address, reason=why)

    def count(self, incarnations: str) -> None:
        """A new link is up, between these incarnations."""
        self._show(incarnation=incarnations, links=self.row.links + 1)

    def _show(self, **fields: object) -> None:
        self.row = msgspec.structs.replace(self.row, **fields)
        self.changed.add(self.row.peer)

    def show_dial(self, address: str, now: Now) -> None:
        """The peer is being dialled; what is known better than that stays."""
        if self.row.state in (LinkState.IDLE, LinkState.RESOLVING):
            self.tell(LinkState.DIALLING, now, address, reason(LinkReason.NO_ANSWER))

    @property
    def urgent(self) -> bool:
        """Own messages wait, so the endpoint tries more often."""
        return self.waiting > 0

    def refuse_key(self, address: str, now: Now, *, pinned: bool) -> None:
        """Another key than the pinned one answers, or the pinned one is not vouched for."""
        code = LinkReason.KEY_NOT_VOUCHED if pinned else LinkReason.KEY_CHANGED
        self.tell(LinkState.KEY_CHANGED, now, address, reason(code))

    def hint(self, why: Reason, now: Now) -> None:
        """Nobody has proved this: it is shown while nothing better is known, and once."""
        shown = self.row.reason.code if self.row.reason else ""
        if self.row.state == LinkState.DIALLING and shown not in UNCONFIRMED:
            self.tell(LinkState.DIALLING, now, self.row.address, why)

    def is_blocked(self, now: Now) -> bool:
        """Whether the peer's calls are refused for now."""
        return self.blocked and self.hold_until is not None and now.mono_s < self.hold_until

    def next_pause(self, now: Now) -> float:
        """How long the peer is left alone after an exception of ours about it."""
        if now.mono_s > self.contained_at + 2 * MAX_CONTAINED_S:
            self.contained_s = 0.0
        self.contained_at = now.mono_s
        self.contained_s = min(MAX_CONTAINED_S, max(1.0, 2 * self.contained_s))
        return self.contained_s

    def watch(self, since: float | None, now: Now) -> bool:
        """Show silence and its end; whether a new handshake is to be tried.

        `since`: when the oldest packet left that asked for an answer and got none.
        """
        if since is None or now.mono_s < since + SILENT_AFTER_S:
            self.challenged_at = None
            if self.row.state in (LinkState.SILENT, LinkState.KEY_CHANGED):
                self.tell(LinkState.UP, now, self.row.address)
            return False
        if self.row.state == LinkState.UP:
            unanswered = reason(LinkReason.UNANSWERED)
            self.tell(LinkState.SILENT, now, self.row.address, unanswered)
        last = self.challenged_at if self.challenged_at is not None else since
        if now.mono_s < last + REHANDSHAKE_AFTER_S:
            return False
        self.challenged_at = now.mono_s
        return True

    def next_timeout(self, unanswered_since: float | None) -> float | None:
        """The earliest of: dial again, show silence, handshake again."""
        dues = [] if self.hold_until is None else [self.hold_until]
        if unanswered_since is not None:
            if self.row.state == LinkState.UP:
                dues.append(unanswered_since + SILENT_AFTER_S)
            last = unanswered_since if self.challenged_at is None else self.challenged_at
            dues.append(last + REHANDSHAKE_AFTER_S)
        return min(dues, default=None)
