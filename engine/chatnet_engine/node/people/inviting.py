"""The steps of an invite: made or entered, its peer stored, its secret stretched, used or over."""

from collections.abc import Callable

import msgspec

from chatnet_engine.clock import Now
from chatnet_engine.node.effects import InviteStretched, ReplyTo, StretchInvite
from chatnet_engine.node.people.invites import Invite, Invites
from chatnet_engine.node.people.peers import PeerLinks, Peers
from chatnet_engine.node.turn import Turn
from chatnet_engine.secure.endpoint import Endpoint
from chatnet_engine.secure.invite import INVITE_BYTES, invite_code, parse_invite
from chatnet_engine.store_ops import commit as c
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import PeerRow, Trust

GUEST = "invited guest"
"""What a peer is called that was invited and is not known by an address or name."""


class Inviting:
    """Takes invites from step to step; `Invites` holds them."""

    def __init__(
        self,
        invites: Invites,
        peers: Peers,
        endpoint: Endpoint,
        links: PeerLinks,
        turn: Turn,
        random: Callable[[int], bytes],
    ) -> None:
        self._invites = invites
        self._peers = peers
        self._endpoint = endpoint
        self._links = links
        self._turn = turn
        self._random = random

    def make(self, row: PeerRow, reply_to: ReplyTo, now: Now) -> None:
        """Draw a code for a peer without a key, or for a new one. Raises CommandError."""
        self._ask(row, self._random(INVITE_BYTES), reply_to, now, made=True)

    def enter(self, row: PeerRow, code: str, reply_to: ReplyTo, now: Now) -> None:
        """Somebody was given a code by the peer of this row. Raises CommandError."""
        try:
            secret = parse_invite(code)
        except DecodeError as error:
            raise CommandError(ErrorCode.INVALID, f"That is no invite: {error}.") from None
        self._ask(row, secret, reply_to, now, made=False)

    def _ask(self, row: PeerRow, secret: bytes, reply_to: ReplyTo, now: Now, *, made: bool) -> None:
        if row.key:
            raise CommandError(
                ErrorCode.NOT_ALLOWED,
                f"{row.name} has a key already; an invite is for a first contact. Compare safety "
                "numbers instead, or remove the peer first.",
            )
        commits = self._turn.commits
        self._invites.check(row.peer, commits.contexts(Invite))
        row = msgspec.structs.replace(row, trust=Trust.INVITED)
        if row.peer:
            # From here on an answer without the invite pins nobody.
            self._peers.put(row)
            self._links.restart(row.peer, now)
        invite = Invite(secret, reply_to, made, row.peer)
        commits.add(c.StorePeer(row), reply_to, context=invite)

    def handle_stored(self, invite: Invite, row: PeerRow) -> bool:
        """The peer of an invite was stored; whether its answer still has to wait."""
        self._invites.open(row.peer, invite)
        if self._peers.get(row.peer) is None:
            self.close(row.peer)
            sentence = "The peer was removed while its invite was being made."
            error = CommandError(ErrorCode.UNKNOWN_PEER, sentence)
            self._turn.replies.fail(invite.reply_to, error)
            return True
        self._turn.effects.append(StretchInvite(row.peer, invite.secret))
        return invite.made

    def handle_stretched(self, result: InviteStretched, now: Now) -> None:
        """The secret is ready: the invite is good from now on."""
        invite = self._invites.handle_stretched(result.peer, result.psk, now)
        if invite is None:
            return
        self._endpoint.set_invites(self._invites.psks())
        self._links.dial(result.peer, now)
        if invite.made:
            code = invite_code(invite.secret)
            answer = cmd.Invited(result.peer, code, invite.until_ms)
            self._turn.replies.reply(invite.reply_to, answer)

    def close(self, peer: int) -> None:
        """The invite for this peer was used, or is not wanted any more."""
        if invite := self._invites.close(peer):
            self._endpoint.set_invites(self._invites.psks())
            if invite.made and not invite.psk:
                sentence = "Its peer was removed or accepted meanwhile: there is no invite."
                error = CommandError(ErrorCode.NOT_ALLOWED, sentence)
                self._turn.replies.fail(invite.reply_to, error)

    def take_expired(self, now: Now) -> list[int]:
        """Peers whose invite nobody used in time; it is good no longer."""
        expired = self._invites.take_expired(now)
        if expired:
            self._endpoint.set_invites(self._invites.psks())
        return expired

    def next_timeout(self) -> float | None:
        """When the first invite expires."""
        return self._invites.next_timeout()
