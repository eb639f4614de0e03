"""`transfers`, and what is done to one of them: `accept`, `allow-updates`, `pause` and so on."""

import argparse
import os
import time

from chatnet_cli import render, targets
from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_cli.transfer_feed import TransferFeed
from chatnet_client.client import Client
from chatnet_protocol.ipc.commands import (
    AcceptTransfer,
    AllowUpdates,
    CancelTransfer,
    Command,
    FetchHistory,
    PauseTransfer,
    RejectTransfer,
    ResumeTransfer,
    SetPeer,
)
from chatnet_protocol.ipc.rows import ClientRole, MessageKind, TransferRow

WATCH_CHECK_S = 1.0
"""How often `--watch` looks whether anybody still reads it while nothing happens."""


def transfers(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """List transfers, the newest last; with --watch go on with what changes."""
    with targets.attach(env, options, role=ClientRole.READ_ONLY, keep_up=options.watch) as client:
        number = None
        if options.peer is not None:
            number = targets.find_peer(client.view, options.peer).info.peer
        feed = TransferFeed()
        while True:
            for row in client.view.transfers:
                if number in (None, row.peer):
                    _print_new(env, options, client, feed, row)
            if not options.watch or env.reader_is_gone():
                return ExitStatus.DONE
            client.next_event(WATCH_CHECK_S)


def _print_new(
    env: Environment,
    options: argparse.Namespace,
    client: Client,
    feed: TransferFeed,
    row: TransferRow,
) -> None:
    progress = client.mirror.progress(row)
    if not feed.is_new(row, progress.done_bytes, time.monotonic()):
        return
    if options.json:
        env.out(render.dumps(render.transfer_object(row, progress)))
    else:
        env.out(render.transfer_line(row, progress, render.name_in(client.view, row.peer)))


def change(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Do to one transfer what the verb says."""
    with targets.attach(env, options) as client:
        no, transfer, peer = _find(client, options)
        if options.verb == "accept" and options.always is not None:
            client.request(SetPeer(peer, auto_accept_bytes=options.always))
        client.request(_command(options, transfer))
        env.out(f"{options.verb} · no {no} · {transfer.hex()}")
    return ExitStatus.DONE


def _find(client: Client, options: argparse.Namespace) -> tuple[int, bytes, int]:
    """Number, id, peer of a transfer. Files can be fetched again that the view no longer lists."""
    try:
        row = targets.find_transfer(client.view, options.id)
    except Failure:
        number = int(options.id) if options.id.isascii() and options.id.isdigit() else 0
        page = client.history(FetchHistory(after_no=max(0, number - 1), limit=1))
        for peer, message in zip(page.peers, page.rows, strict=True):
            if message.no == number and message.kind == MessageKind.OFFER and not message.mine:
                return message.no, message.id, peer
        raise
    return row.no, row.id, row.peer


def _command(options: argparse.Namespace, transfer: bytes) -> Command:
    match options.verb:
        case "accept":
            folder = os.path.abspath(options.folder) if options.folder else ""
            return AcceptTransfer(transfer, folder)
        case "allow-updates":
            return AllowUpdates(transfer, not options.off)
        case "reject":
            return RejectTransfer(transfer)
        case "pause":
            return PauseTransfer(transfer)
        case "resume":
            return ResumeTransfer(transfer)
        case _:
            return CancelTransfer(transfer)
