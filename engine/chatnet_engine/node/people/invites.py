"""Owns the invites of this boot: for which peer, with which secret, until when.

An invite belongs to one peer that has no key yet. It ends when a handshake proved to know it,
after a day, and with the engine: its secret is never stored. Both sides hold the same secret, so
made and entered ones are alike here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chatnet_engine.clock import Now
from chatnet_engine.node.effects import ReplyTo
from chatnet_protocol.errors import CommandError, ErrorCode

MAX_INVITES = 4
"""Open ones at a time; every stranger with an invite is tried with all of them."""
LIFETIME_S = 24 * 3600.0


@dataclass(slots=True)
class Invite:
    """One invite; usable once `psk` is there."""

    secret: bytes
    reply_to: ReplyTo
    made: bool
    """Made here: the client that asked for it waits for the code."""
    peer: int
    """For whom it was asked; 0: for one that gets its number only now."""
    psk: bytes = b""
    until_s: float = float("inf")
    until_ms: int = 0


class Invites:
    """The open invites, by peer."""

    def __init__(self) -> None:
        self._open: dict[int, Invite] = {}

    def check(self, peer: int, storing: Sequence[Invite]) -> None:
        """Whether there can be one more, for `peer` (0: a new one).

        `storing`: those whose peers are being stored. Raises CommandError(busy) at the limit, or
        while the last one for this peer is being made.
        """
        last = self._open.get(peer)
        if peer and ((last and not last.psk) or any(one.peer == peer for one in storing)):
            raise CommandError(ErrorCode.BUSY, "An invite for this peer is being made; try again.")
        if len(storing) + len(self._open.keys() - {peer}) >= MAX_INVITES:
            raise CommandError(
                ErrorCode.BUSY,
                f"At most {MAX_INVITES} invites are open at a time; an unused one ends after a "
                "day, or with its peer.",
            )

    def open(self, peer: int, invite: Invite) -> None:
        """The row of the peer is stored."""
        self._open[peer] = invite

    def handle_stretched(self, peer: int, psk: bytes, now: Now) -> Invite | None:
        """The secret is ready: from now on the invite is good; None if it is gone."""
        invite = self._open.get(peer)
        if invite:
            invite.psk = psk
            invite.until_s = now.mono_s + LIFETIME_S
            invite.until_ms = now.wall_ms + int(LIFETIME_S * 1000)
        return invite

    def close(self, peer: int) -> Invite | None:
        """Used, or not wanted any more; the one that there was."""
        return self._open.pop(peer, None)

    def get(self, peer: int) -> Invite | None:
        """The invite for this peer."""
        return self._open.get(peer)

    def psk(self, peer: int) -> bytes | None:
        """The secret to prove to this peer."""
        invite = self._open.get(peer)
        return invite.psk or None if invite else None

    def psks(self) -> dict[int, bytes]:
        """All secrets that somebody may come with, by peer."""
        return {peer: invite.psk for peer, invite in self._open.items() if invite.psk}

    def take_expired(self, now: Now) -> list[int]:
        """Peers whose invite is over."""
        over = [peer for peer, invite in self._open.items() if now.mono_s >= invite.until_s]
        for peer in over:
            del self._open[peer]
        return over

    def next_timeout(self) -> float | None:
        """When the first one is over."""
        first = min((invite.until_s for invite in self._open.values()), default=float("inf"))
        return None if first == float("inf") else first
