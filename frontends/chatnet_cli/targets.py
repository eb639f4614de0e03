"""What the words on a command line mean: which session, which peer, which transfer."""

import argparse
import contextlib
import re

from chatnet_cli.environment import Environment, Failure, UsageError
from chatnet_cli.hints import AS_VERBS, Hints
from chatnet_cli.render import peer_name
from chatnet_client import sessions
from chatnet_client.client import Client
from chatnet_protocol.addresses import parse_address, show_address
from chatnet_protocol.errors import CommandError
from chatnet_protocol.ipc.commands import FetchHistory
from chatnet_protocol.ipc.rows import ClientRole, PeerRow, TransferRow, Trust
from chatnet_protocol.ipc.view import PeerView, View

MIN_ID_PREFIX = 4
MAX_NAMES = 10
"""Listed in one sentence."""


def attach(
    env: Environment,
    options: argparse.Namespace,
    *,
    role: str = ClientRole.FULL,
    since_no: int | None = None,
    keep_up: bool = False,
) -> Client:
    """A client of the session that is meant, live.

    Raises NoSession, SeveralSessions, EngineUnreachable, CommandError.
    """
    session = sessions.choose(env.environ, options.session)
    return Client.attach(
        session.connection_file,
        name=f"chatnet {options.verb}",
        role=role,
        since_no=since_no,
        keep_up=keep_up,
        brief=since_no is None and not keep_up,
    )


def find_peer(view: View, wanted: str | None, hints: Hints = AS_VERBS) -> PeerView:
    """The peer of that number, name, address or start of a name; without a word, the only one.

    Raises UsageError when several could be meant, Failure when there is none.
    """
    if wanted is None:
        known = [peer for peer in view.peers if peer.info.trust != Trust.PENDING]
        if not known:
            raise Failure(f"You have no peers yet. Add one: {hints.add_peer}")
        if len(known) > 1:
            names = peer_names(known)
            raise UsageError(f"There are several peers: {names}. Use {hints.choose_peer}.")
        return known[0]
    exact = [peer for peer in view.peers if is_meant(peer.info, wanted)]
    found = exact or [p for p in view.peers if p.info.name.casefold().startswith(wanted.casefold())]
    if not found:
        raise Failure(f"There is no peer {wanted!r}. Known: {peer_names(view.peers) or 'none'}.")
    if len(found) > 1:
        raise UsageError(f"{wanted!r} could be any of {peer_names(found)}; use the number.")
    return found[0]


def find_transfer(view: View, wanted: str, hints: Hints = AS_VERBS) -> TransferRow:
    """The transfer of that number or start of an id. Raises UsageError, Failure."""
    if wanted.isascii() and wanted.isdigit() and not wanted.startswith("0"):
        for row in view.transfers:
            if row.no == int(wanted):
                return row
    prefix = wanted.lower()
    found = [row for row in view.transfers if row.id.hex().startswith(prefix)]
    if len(prefix) < MIN_ID_PREFIX or not found:
        raise Failure(f"There is no transfer {wanted!r}. See: {hints.list_transfers}")
    if len(found) > 1:
        raise UsageError(f"Several transfers begin with {wanted!r}; give more of the id.")
    return found[0]


def find_message(client: Client, peer: int, wanted: str | None) -> bytes:
    """The id of the message of that number in the conversation, or of that id, which need not be
    here; without a word, none. Raises UsageError, Failure."""
    if wanted is None:
        return b""
    if re.fullmatch(r"[0-9a-fA-F]{32}", wanted):
        return bytes.fromhex(wanted)
    if not re.fullmatch(r"[0-9]{1,18}", wanted):
        raise UsageError(f"{wanted!r} is neither a message's number nor its id.")
    number = int(wanted)
    page = client.history(FetchHistory(peer, after_no=number - 1, limit=1))
    if not page.rows or page.rows[0].no != number:
        raise Failure(f"There is no message {number} in this conversation.")
    return page.rows[0].id


def is_meant(info: PeerRow, wanted: str) -> bool:
    """Whether `wanted` is this peer's number, one of its names, or an address of it."""
    address = info.host and show_address(info.host, info.port)
    words = {str(info.peer), info.name, info.display_name, info.address, address}
    meant = {wanted.casefold()}
    with contextlib.suppress(CommandError):
        meant.add(show_address(*parse_address(wanted)).casefold())
    return not meant.isdisjoint(word.casefold() for word in words if word)


def peer_names(peers: list[PeerView]) -> str:
    """Names and numbers of the first MAX_NAMES."""
    names = [f"{peer_name(p.info)} ({p.info.peer})" for p in peers[:MAX_NAMES]]
    if len(peers) > MAX_NAMES:
        names.append(f"and {len(peers) - MAX_NAMES} more")
    return ", ".join(names)
