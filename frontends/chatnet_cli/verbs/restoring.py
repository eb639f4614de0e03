"""`history --restore`, `--give` and `--refuse`: a conversation back after a loss."""

import argparse
import time

from chatnet_cli import render, targets
from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_cli.progress import ProgressLine
from chatnet_client.client import Client
from chatnet_client.client_events import Changed, Reset
from chatnet_client.words import asking_words, count_words
from chatnet_protocol.ipc.commands import AnswerRestore, AskRestore
from chatnet_protocol.ipc.events import RestoreChanged
from chatnet_protocol.ipc.rows import (
    RESTORE_UNDER_WAY,
    LinkState,
    RestoreMine,
    RestoreRow,
    RestoreTheirs,
    Trust,
)
from chatnet_protocol.ipc.view import PeerView

TURN_S = 0.5
FOREVER_S = 10.0 * 365 * 86400
STANDS = "The request stays open; chatnet history --restore --stop takes it back."


def run(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Do what the options of `history` say."""
    with targets.attach(env, options) as client:
        if options.give or options.refuse:
            return _answer(env, client, options)
        peer = targets.find_peer(client.view, options.peer)
        if options.stop:
            client.request(AskRestore(peer.info.peer, wanted=False))
            env.out(f"stopped asking · peer {peer.info.peer}")
            return ExitStatus.DONE
        try:
            return _ask(env, client, peer, options.timeout)
        except KeyboardInterrupt:
            env.say(f"\n{STANDS}")
            return ExitStatus.INTERRUPTED


def _answer(env: Environment, client: Client, options: argparse.Namespace) -> ExitStatus:
    waiting = [p for p in client.view.peers if p.restore.theirs == RestoreTheirs.ASKED]
    if options.peer is None and len(waiting) == 1:
        peer = waiting[0]
    else:
        peer = targets.find_peer(client.view, options.peer)
    name = render.peer_name(peer.info)
    if peer.restore.theirs == RestoreTheirs.NONE:
        raise Failure(f"{name} has not asked for your conversation.")
    client.request(AnswerRestore(peer.info.peer, consent=bool(options.give)))
    if options.give and peer.info.trust != Trust.VERIFIED:
        env.say(f"You have not verified {name}: chatnet peer verify {peer.info.peer}")
    done = "sending the conversation" if options.give else "refused"
    env.out(f"{done} · peer {peer.info.peer}")
    return ExitStatus.DONE


def _ask(env: Environment, client: Client, peer: PeerView, timeout_s: float | None) -> ExitStatus:
    number, name = peer.info.peer, render.peer_name(peer.info)
    until = time.monotonic() + (FOREVER_S if timeout_s is None else timeout_s)
    while client.next_event(0) is not None:
        pass  # how an earlier request went says nothing about this one
    under_way = peer.restore.mine in RESTORE_UNDER_WAY
    client.request(AskRestore(number))
    env.say(f"{name} has to consent; {name} is asked until then, also if this command ends.")
    if peer.link.state != LinkState.UP:
        env.say(f"{name} is {render.state_words(peer.link)} now; it is asked once connected.")
    progress = ProgressLine(env)
    if under_way:
        progress.show(asking_words(peer.restore, name))
    try:
        row = _follow(client, peer, until, progress, under_way)
    finally:
        progress.end()
    env.out(f"done · {count_words(row.restored)} · peer {number}")
    return ExitStatus.DONE


def _follow(
    client: Client, peer: PeerView, until: float, progress: ProgressLine, under_way: bool
) -> RestoreRow:
    """Read what becomes of the request until it is done. Raises Failure."""
    number, name = peer.info.peer, render.peer_name(peer.info)
    while (left_s := until - time.monotonic()) > 0:
        event = client.next_event(min(TURN_S, left_s))
        if client.view.stopping:
            raise Failure(f"The engine was stopped. {STANDS}", ExitStatus.NO_SESSION)
        shown = client.mirror.peer(number)
        if shown is None:
            raise Failure("The peer was removed.")
        change = event.event if isinstance(event, Changed) else None
        if isinstance(event, Reset):
            row = shown.restore
        elif isinstance(change, RestoreChanged) and change.row.peer == number:
            row = change.row
        else:
            continue
        words = asking_words(row, name)
        match row.mine:
            case mine if mine in RESTORE_UNDER_WAY:
                under_way = True
                progress.show(words)
            case RestoreMine.DONE:
                return row
            case RestoreMine.REFUSED:
                raise Failure(words, ExitStatus.REFUSED)
            case _ if under_way:
                raise Failure("The request was taken back.")
            case _:
                pass  # not stored yet
    raise Failure(f"Not yet. {STANDS}", ExitStatus.TIMED_OUT)
