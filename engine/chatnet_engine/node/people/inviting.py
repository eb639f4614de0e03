"""The steps of an invite: made or entered, its peer stored, its secret stretched, used or over."""

import msgspec

from chatnet_engine.node.config import Now
from chatnet_engine.node.effects import ReplyTo
from chatnet_engine.node.parts import Parts
from chatnet_engine.secure.invite import INVITE_BYTES, invite_code, parse_invite
from chatnet_protocol import commit as c
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc import commands as cmd
from chatnet_protocol.ipc.rows import PeerRow, Trust
from chatnet_protocol.limits import MAX_PEERS

GUEST = "invited guest"
"""What a peer is called that was invited and is not known by an address or name."""


def make(parts: Parts, command: cmd.MakeInvite, asker: ReplyTo, now: Now) -> None:
    """Draw a code for a peer without a key, or for a new one. Raises CommandError."""
    if command.peer:
        row = parts.peers.need(command.peer)
    elif parts.full:
        raise CommandError(ErrorCode.BUSY, f"A session holds at most {MAX_PEERS} peers.")
    else:
        row = PeerRow(0, GUEST, "", 0)
    _ask(parts, row, parts.random(INVITE_BYTES), asker, now, made=True)


def enter(parts: Parts, row: PeerRow, code: str, asker: ReplyTo, now: Now) -> None:
    """Somebody was given a code by the peer of this row. Raises CommandError."""
    try:
        secret = parse_invite(code)
    except DecodeError as error:
        raise CommandError(ErrorCode.INVALID, f"That is no invite: {error}.") from None
    _ask(parts, row, secret, asker, now, made=False)


def _ask(
    parts: Parts, row: PeerRow, secret: bytes, asker: ReplyTo, now: Now, *, made: bool
) -> None:
    if row.key:
        raise CommandError(
            ErrorCode.NOT_ALLOWED,
            f"{row.name} has a key already; an invite is for a first contact. Compare safety "
            "numbers instead, or remove the peer first.",
        )
    parts.invites.ask(asker, secret, row.peer, made=made)
    row = msgspec.structs.replace(row, trust=Trust.INVITED)
    if row.peer:
        # From here on an answer without the invite pins nobody.
        parts.peers.put(row)
        parts.links.restart(row.peer, now)
    parts.commits.add(c.StorePeer(row), asker)


def handle_stored(parts: Parts, row: PeerRow, asker: ReplyTo | None) -> bool:
    """A row was stored; whether the asker still has to wait."""
    stretch = parts.invites.handle_stored(asker, row.peer)
    if stretch is None:
        return False
    if parts.peers.get(row.peer) is None:
        parts.close_invite(row.peer)
        sentence = "The peer was removed while its invite was being made."
        parts.fail(asker, CommandError(ErrorCode.UNKNOWN_PEER, sentence))
        return True
    parts.effects.append(stretch)
    invite = parts.invites.get(row.peer)
    return invite is not None and invite.made


def handle_stretched(parts: Parts, peer: int, psk: bytes, now: Now) -> None:
    """The secret is ready: the invite is good from now on."""
    invite = parts.invites.handle_stretched(peer, psk, now)
    if invite is None:
        return
    parts.endpoint.set_invites(parts.invites.psks())
    parts.links.dial(peer, now)
    if invite.made:
        code = invite_code(invite.secret)
        parts.reply(invite.asker, cmd.Invited(peer, code, invite.until_ms))


def handle_timeout(parts: Parts, now: Now) -> None:
    """Invites that nobody used end; guests that never came are forgotten."""
    over = parts.invites.take_expired(now)
    if over:
        parts.endpoint.set_invites(parts.invites.psks())
    for peer in over:
        parts.links.restart(peer, now)
        _forget_guest(parts, parts.peers.get(peer))


def forget_guests(parts: Parts) -> None:
    """At a start: invites ended with the last engine."""
    for row in list(parts.peers):
        _forget_guest(parts, row)


def _forget_guest(parts: Parts, row: PeerRow | None) -> None:
    if row and row.trust == Trust.INVITED and not row.key and not row.host:
        parts.forget_peer(row.peer)
