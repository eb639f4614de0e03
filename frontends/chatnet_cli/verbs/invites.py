"""`invite` and `join`, and reading the code that somebody else was given."""

import argparse

from chatnet_cli import render, targets
from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_client.client import Client
from chatnet_client.invite_line import (
    MAX_LINE_CHARACTERS,
    Contact,
    code_in,
    own_addresses,
    parse_contact,
    show_invite,
)
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ipc.commands import AddPeer, Invited, MakeInvite, PeerAdded
from chatnet_protocol.ipc.rows import Trust
from chatnet_protocol.ipc.view import PeerView, View

MAX_CODE_CHARACTERS = MAX_LINE_CHARACTERS
"""Read from a file or a pipe; what is longer is no code."""


def invite(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Print a code for the first contact with somebody."""
    with targets.attach(env, options) as client:
        peer = _meant(client, options.peer)
        invited = client.ask(MakeInvite(peer), Invited)
        row = client.view.session
        others = [] if peer else waiting_peers(client.view)
    name = row.display_name or row.name
    contact = Contact(own_addresses(row.host, row.port), invited.code, name)
    env.out(show_invite(contact))
    env.say("Valid once, for 24 hours, while the engine runs. Share it over a different channel.")
    env.say("The other side: chatnet join, and the line above.")
    env.say(
        f"From outside this network: chatnet peer add HOST {row.port} --invite, with the "
        f"address of this machine, and the code {invited.code} when asked."
    )
    if others:
        names = targets.peer_names(others)
        env.say(f"It invites somebody new; for one of {names}: chatnet invite --peer NAME")
    return ExitStatus.DONE


def join(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Add the peer who made an invite; the line is an argument, or `-` for standard input."""
    text = options.text
    if text == "-":
        text = env.read_line(MAX_LINE_CHARACTERS)
    contact = parse_contact(text)
    host, port = contact.addresses[0]
    with targets.attach(env, options) as client:
        added = client.ask(AddPeer(host, port, contact.name, contact.code), PeerAdded)
    env.out(f"added · peer {added.peer} · {render.escape_line(show_address(host, port))}")
    return ExitStatus.DONE


def read_code(env: Environment, options: argparse.Namespace) -> str:
    """The code of --invite (asked for, or from standard input) or --invite-file; empty: neither.

    Raises Failure when there is none where it should be.
    """
    if options.invite_file and options.invite_file != "-":
        with open(options.invite_file, encoding="utf-8", errors="replace") as file:
            code = file.read(MAX_CODE_CHARACTERS)
    elif options.invite or options.invite_file:
        if env.stdin_is_tty:
            env.stderr.write("Invite code: ")
            env.stderr.flush()
        code = env.read_line(MAX_CODE_CHARACTERS)
    else:
        return ""
    if not code.strip():
        raise Failure("There is no invite code.")
    return code_in(code)


def _meant(client: Client, wanted: str | None) -> int:
    """The peer to invite: the one named, else the only one without a key, else (0) a new one."""
    if wanted is not None:
        return targets.find_peer(client.view, wanted).info.peer
    waiting = waiting_peers(client.view)
    return waiting[0].info.peer if len(waiting) == 1 else 0


def waiting_peers(view: View) -> list[PeerView]:
    """Those with an address that were never reached."""
    trust = (Trust.NONE, Trust.INVITED)
    return [
        peer
        for peer in view.peers
        if peer.info.host and not peer.info.key and peer.info.trust in trust
    ]
