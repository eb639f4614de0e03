"""Owns one peer's link as people see it, and when something has to be done about it."""

from dataclasses import dataclass, field

import msgspec

from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import Addr
from chatnet_protocol.ipc.rows import LinkRow, LinkState

SILENT_AFTER_S = 6.5
"""Something unanswered for this long is shown; mosh's threshold."""
REHANDSHAKE_AFTER_S = 15.0
"""Something unanswered for this long starts a new handshake, and again each time it passes."""
RESOLVE_AGAIN_S = 60.0
MAX_DIAL_ADDRS = 8
"""Addresses of one peer that are tried in turn."""
KEY_CHANGED = (
    "Another key answers as {}: it was reinstalled, or somebody is in between. Messages wait; "
    "compare safety numbers before you trust the new key."
)
KEY_NOT_VOUCHED = (
    "{} answers with the key that the history remembers, but known_peers does not name it (any "
    "more). Messages wait; compare safety numbers before you trust it again."
)
UNINVITED = "Somebody calls from there without the invite code; waiting for one who knows it."
NO_INVITE = "The invite is over, or ended with the engine; make a new one, or enter it."
REFUSED_WAIT_S = 60.0
"""How long to leave a peer alone that refused us or has not accepted us yet."""


@dataclass(slots=True)
class Link:
    """What is known of one peer's link."""

    row: LinkRow
    told: LinkRow | None = None
    """The row that was published last."""
    typed: list[Addr] = field(default_factory=list)
    """Addresses its typed host name stands for."""
    resolve_at: float | None = None
    """When to look the host name up (again)."""
    hold_until: float | None = None
    """Not dialled before this: it refused us, or broke the specification."""
    shunned: bool = False
    """It broke the specification: while it is held, its calls are refused. One that refused us
    and calls now has changed its mind."""
    pair: str = ""
    """Both incarnations of the newest link, `ours-theirs` in hex."""
    addr: Addr | None = None
    """Where the newest link leads."""
    urgent: bool = False
    """Own messages wait, so the endpoint tries more often."""
    challenged_at: float | None = None
    """When the last re-handshake was asked for on the present silence."""

    def tell(self, state: LinkState, now: Now, address: str = "", detail: str = "") -> None:
        """Change what is shown."""
        since = self.row.since_ms if self.row.state == state else now.wall_ms
        self.row = msgspec.structs.replace(
            self.row, state=state, since_ms=since, address=address, detail=detail
        )

    def shuns(self, now: Now) -> bool:
        """Whether the peer's calls are refused for now."""
        return self.shunned and self.hold_until is not None and now.mono_s < self.hold_until

    def next_timeout(self, unanswered_since: float | None) -> float | None:
        """The earliest of: look up again, dial again, show silence, handshake again."""
        dues = [due for due in (self.resolve_at, self.hold_until) if due is not None]
        if unanswered_since is not None:
            if self.row.state == LinkState.UP:
                dues.append(unanswered_since + SILENT_AFTER_S)
            last = unanswered_since if self.challenged_at is None else self.challenged_at
            dues.append(last + REHANDSHAKE_AFTER_S)
        return min(dues, default=None)
