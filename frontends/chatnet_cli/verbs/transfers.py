"""`transfers`, and `accept`, `reject`, `pause`, `resume`, `cancel` of one of them."""

import argparse
import os

from chatnet_cli import render, targets
from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_client.client import Client
from chatnet_protocol.ipc.commands import (
    AcceptTransfer,
    CancelTransfer,
    Command,
    FetchHistory,
    PauseTransfer,
    RejectTransfer,
    ResumeTransfer,
)
from chatnet_protocol.ipc.rows import ClientRole, MessageKind


def transfers(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """List transfers, the newest last."""
    with targets.attach(env, options, role=ClientRole.READ_ONLY) as client:
        rows = client.view.transfers
        if options.peer is not None:
            number = targets.find_peer(client.view, options.peer).info.peer
            rows = [row for row in rows if row.peer == number]
        for row in rows:
            done_bytes, rate_bytes_s = client.mirror.progress(row)
            if options.json:
                value = render.struct_object(row) | {"done_bytes": done_bytes}
                env.out(render.dumps(value | {"type": "transfer"}))
            else:
                env.out(render.transfer_line(row, done_bytes, rate_bytes_s))
    return ExitStatus.DONE


def change(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Do to one transfer what the verb says."""
    with targets.attach(env, options) as client:
        no, transfer = _find(client, options)
        client.request(_command(options, transfer))
        env.out(f"{options.verb} · no {no} · {transfer.hex()}")
    return ExitStatus.DONE


def _find(client: Client, options: argparse.Namespace) -> tuple[int, bytes]:
    """Number and id of a transfer. Files can be fetched again that the view no longer lists."""
    try:
        row = targets.find_transfer(client.view, options.id)
    except Failure:
        number = int(options.id) if options.id.isascii() and options.id.isdigit() else 0
        page = client.history(FetchHistory(after_no=max(0, number - 1), limit=1))
        for message in page.rows:
            if message.no == number and message.kind == MessageKind.OFFER and not message.mine:
                return message.no, message.id
        raise
    return row.no, row.id


def _command(options: argparse.Namespace, transfer: bytes) -> Command:
    match options.verb:
        case "accept":
            folder = os.path.abspath(options.folder) if options.folder else ""
            return AcceptTransfer(transfer, folder)
        case "reject":
            return RejectTransfer(transfer)
        case "pause":
            return PauseTransfer(transfer)
        case "resume":
            return ResumeTransfer(transfer)
        case _:
            return CancelTransfer(transfer)
