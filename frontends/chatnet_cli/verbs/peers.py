"""`peers`, and `peer add|name|verify|auto-accept|trust|block|retry|remove`."""

import argparse

from chatnet_cli import render, targets
from chatnet_cli.arguments import allowed_size_of
from chatnet_cli.environment import Environment, ExitStatus, Failure, UsageError
from chatnet_cli.verbs import invites
from chatnet_client.client import Client
from chatnet_client.words.consent import consent_words
from chatnet_protocol.addresses import show_address
from chatnet_protocol.ids import fingerprint
from chatnet_protocol.ipc.commands import (
    AddPeer,
    PeerAdded,
    RemovePeer,
    RetryPeer,
    SetPeer,
    TrustPeer,
)
from chatnet_protocol.ipc.rows import ClientRole, PeerRow, Trust
from chatnet_protocol.ipc.view import PeerView

EVENT_TIMEOUT_S = 5.0
MAX_ANSWER_CHARACTERS = 100
"""Of a yes or no."""


def peers(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """List everybody this session knows."""
    with targets.attach(env, options, role=ClientRole.READ_ONLY) as client:
        for peer in client.view.peers:
            if options.json:
                env.out(render.dumps(peer_object(peer)))
            else:
                env.out(_line(peer))
    return ExitStatus.DONE


def peer(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Do what `peer ACTION` says."""
    code = invites.read_code(env, options) if options.action == "add" else ""
    with targets.attach(env, options) as client:
        if options.action == "add":
            command = AddPeer(options.host, options.port, options.name or "", code)
            env.out(f"added · peer {client.ask(command, PeerAdded).peer}")
            return ExitStatus.DONE
        info = targets.find_peer(client.view, _who(options)).info
        match options.action:
            case "name":
                client.request(SetPeer(info.peer, name=options.name))
            case "address":
                client.request(SetPeer(info.peer, host=options.host, port=options.port))
            case "auto-accept":
                return _auto_accept(env, client, info, options.size)
            case "block" | "unblock":
                client.request(SetPeer(info.peer, blocked=options.action == "block"))
            case "retry":
                client.request(RetryPeer(info.peer))
            case "remove":
                client.request(RemovePeer(info.peer))
            case "verify":
                return _verify(env, client, info, options)
            case "keep":
                return _keep(env, client, info)
            case _:
                return _trust(env, client, info, options.replace)
        env.out(f"{options.action} · peer {info.peer}")
    return ExitStatus.DONE


def _who(options: argparse.Namespace) -> str | None:
    """The peer that is meant: in its place, or by --peer, whose argument may then move up."""
    who: str | None = options.who
    if options.peer is None or who is None:
        return who or options.peer
    if options.action == "auto-accept" and options.size is None:
        try:
            options.size = allowed_size_of(options.who)
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"{error}.") from None
        return str(options.peer)
    raise UsageError(f"Which peer is meant, {options.who!r} or {options.peer!r}? Name one.")


def peer_object(peer: PeerView) -> dict[str, object]:
    """A peer and its link as `--json` shows them."""
    value = render.struct_object(peer.info)
    return value | {
        "type": "peer",
        "link": render.struct_object(peer.link),
        "unread": peer.unread,
        "waiting": peer.waiting,
        "restore": render.struct_object(peer.restore),
    }


def _line(peer: PeerView) -> str:
    info = peer.info
    address = info.address or show_address(info.host, info.port)
    words = [str(info.peer), render.peer_name(info), render.escape_line(address)]
    words += [render.link_words(peer), info.trust]
    if info.trust == Trust.PENDING and not info.blocked:
        words.append(f"wants to talk: chatnet peer trust {info.peer}")
    words += key_lines(info)
    if peer.unread:
        words.append(f"{peer.unread} unread")
    if peer.waiting:
        words.append(f"{peer.waiting} waiting")
    return " · ".join(words)


def key_lines(info: PeerRow) -> list[str]:
    """What is to be decided or was decided about other keys in a peer's name."""
    lines = []
    if info.offered_key:
        lines.append(
            f"a different key was refused: chatnet peer keep {info.peer} to keep refusing it,"
            f" chatnet peer trust {info.peer} --replace to trust it"
        )
    if info.refused_keys:
        keys = "key" if len(info.refused_keys) == 1 else "keys"
        lines.append(f"keeps refusing {len(info.refused_keys)} {keys}")
    return lines


def _verify(
    env: Environment, client: Client, info: PeerRow, options: argparse.Namespace
) -> ExitStatus:
    if options.undo:
        client.request(TrustPeer(info.peer, "unverified", info.key))
        env.out(f"not verified · peer {info.peer}")
        return ExitStatus.DONE
    if not info.key:
        raise Failure("This peer has never answered yet, so there is no key to compare.")
    env.out(info.safety_number)
    if not options.yes:
        env.say("Compare this number with the one on the other side, by voice or side by side.")
        if not env.stdin_is_tty:
            env.say(f"If they match: chatnet peer verify {info.peer} --yes")
            return ExitStatus.DONE
        env.stderr.write("Do they match? [y/N] ")
        env.stderr.flush()
        if env.read_line(MAX_ANSWER_CHARACTERS).strip().lower() not in ("y", "yes"):
            raise Failure("Not verified.", ExitStatus.REFUSED)
    client.request(TrustPeer(info.peer, "verified", info.key))
    env.out(f"verified · peer {info.peer}")
    return ExitStatus.DONE


def _auto_accept(env: Environment, client: Client, info: PeerRow, size: int | None) -> ExitStatus:
    if size is not None:
        client.request(SetPeer(info.peer, auto_accept_bytes=size))
        client.wait_until(lambda: _is_chosen(client, info.peer, size), EVENT_TIMEOUT_S)
        info = targets.find_peer(client.view, str(info.peer)).info
    env.out(f"files from peer {info.peer} are {consent_words(info)}")
    return ExitStatus.DONE


def _is_chosen(client: Client, peer: int, size: int) -> bool:
    """Whether the event with the choice is here; it may be later than the answer."""
    view = client.view.peer(peer)
    if view is None or size < 0:
        return view is None or not view.info.auto_accept_set
    return view.info.auto_accept_set and view.info.auto_accept_bytes == size


def _keep(env: Environment, client: Client, info: PeerRow) -> ExitStatus:
    if not info.offered_key:
        raise Failure("No other key was offered in this peer's name.")
    client.request(TrustPeer(info.peer, "keep", info.offered_key))
    env.out(f"keeps refusing {fingerprint(info.offered_key)} · peer {info.peer}")
    return ExitStatus.DONE


def _trust(env: Environment, client: Client, info: PeerRow, replace: bool) -> ExitStatus:
    if replace:
        offered = info.offered_key or (info.refused_keys[-1] if info.refused_keys else b"")
        if not offered:
            raise Failure("No other key was offered in this peer's name.")
        env.say(f"known key   {fingerprint(info.key)}")
        env.say(f"offered key {fingerprint(offered)}")
        if info.key == offered:
            env.say("They match: known_peers had lost it.")
        client.request(TrustPeer(info.peer, "replace", offered))
        env.out(f"replaced · peer {info.peer}")
        return ExitStatus.DONE
    if info.trust not in (Trust.PENDING, Trust.INVITED):
        raise UsageError("This peer is trusted already. A changed key needs --replace.")
    client.request(TrustPeer(info.peer, "accept", info.key))
    env.out(f"accepted · peer {info.peer}")
    return ExitStatus.DONE
