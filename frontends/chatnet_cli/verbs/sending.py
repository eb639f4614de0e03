"""`send` and `send-file`: queue, and wait as long as asked for what becomes of it."""

import argparse
import os
import time

from chatnet_cli import render, targets
from chatnet_cli.environment import Environment, ExitStatus, Failure, UsageError
from chatnet_cli.progress import ProgressLine
from chatnet_cli.transfer_feed import TransferFeed
from chatnet_client.client import Client
from chatnet_client.client_events import Changed
from chatnet_client.mirror import Progress
from chatnet_client.words.messages import failure_words
from chatnet_protocol.ipc.commands import DeleteMessage, FetchHistory, Queued, WithdrawMessage
from chatnet_protocol.ipc.events import MessageFailed
from chatnet_protocol.ipc.rows import TransferRow, TransferState
from chatnet_protocol.ipc.view import message_state
from chatnet_protocol.limits import MAX_TEXT_BYTES

PROGRESS_INTERVAL_S = 0.2
EVENT_TIMEOUT_S = 5.0
FOREVER_S = 10.0 * 365 * 86400
NOT_ACCEPTED = (TransferState.OFFERED, TransferState.REJECTED)
BROKEN = (TransferState.CANCELLED, TransferState.FAILED)


def send(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Queue a text; wait until it is queued, delivered or read."""
    text = _text_of(env, options.text)
    with targets.attach(env, options) as client:
        peer = targets.find_peer(client.view, options.peer).info.peer
        reply_to = targets.find_message(client, peer, options.reply_to)
        message_id, queued = client.send_message(peer, text, reply_to=reply_to)
        if options.wait == "queued":
            state, ack = "queued", 0
        else:
            ack = _wait_for_peer(client, peer, queued, options)
            state = options.wait
        if options.json:
            page = client.history(FetchHistory(peer=peer, after_no=queued.no - 1, limit=1))
            for row in page.rows:
                env.out(render.dumps(render.message_object(row, client.view, peer)))
        else:
            tail = f" · ACK {ack}" if ack else ""
            env.out(f"{state} · no {queued.no}{tail} · {message_id.hex()}")
    return ExitStatus.DONE


def withdraw(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Take back a text that no link was ever given."""
    with targets.attach(env, options) as client:
        page = client.history(FetchHistory(after_no=options.number - 1, limit=1))
        for peer, row in zip(page.peers, page.rows, strict=True):
            if row.no == options.number and row.mine:
                client.request(WithdrawMessage(row.id, peer))
                if options.delete:
                    client.request(DeleteMessage(row.id, peer))
                done = "deleted" if options.delete else "withdrawn"
                env.out(f"{done} · no {row.no} · {row.id.hex()}")
                return ExitStatus.DONE
    raise Failure(f"Message {options.number} of the history is not one of your messages.")


def send_file(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Offer files or folders; wait until they are accepted or have arrived."""
    paths = [_readable(path) for path in options.paths]
    if options.update and not (len(paths) == 1 and os.path.isdir(paths[0])):
        raise UsageError("--update takes one folder.")
    with targets.attach(env, options) as client:
        info = targets.find_peer(client.view, options.peer).info
        peer, name = info.peer, render.peer_name(info)
        transfer, queued = client.offer_files(peer, paths, update=options.update)
        if options.wait is None:
            # Its row comes with an event, which may be later than the answer.
            client.wait_until(lambda: client.view.transfer(transfer) is not None, EVENT_TIMEOUT_S)
            row = client.view.transfer(transfer)
            _print_transfer(env, options, "offered", queued.no, transfer, row)
            return ExitStatus.DONE
        if not options.json:
            env.out(f"offered · no {queued.no} · {transfer.hex()}")
        progress = ProgressLine(env)
        feed = TransferFeed()
        until = _deadline(options)
        while True:
            row = client.view.transfer(transfer)
            if row is not None:
                moved = client.mirror.progress(row)
                progress.show(render.transfer_line(row, moved, name))
                status = _outcome(row, name, options.wait)
                if status is not None:
                    progress.end()
                    _print_transfer(env, options, row.state, queued.no, transfer, row)
                    return status
                if options.json and feed.is_new(row, moved.done_bytes, time.monotonic()):
                    env.out(render.dumps(render.transfer_object(row, moved)))
            if time.monotonic() >= until:
                progress.end()
                raise Failure("Not yet; the transfer continues.", ExitStatus.TIMED_OUT)
            client.next_event(min(PROGRESS_INTERVAL_S, until - time.monotonic()))


def _print_transfer(
    env: Environment,
    options: argparse.Namespace,
    state: str,
    no: int,
    transfer: bytes,
    row: TransferRow | None,
) -> None:
    if not options.json:
        env.out(f"{state} · no {no} · {transfer.hex()}")
        if row is not None and (differences := render.difference_words(row)):
            env.say(f"{differences}.")
        return
    known = render.transfer_object(row, Progress(row.done_bytes)) if row else {}
    env.out(render.dumps({"type": "transfer", "id": transfer.hex(), "no": no, **known}))


def _text_of(env: Environment, text: str) -> str:
    if text == "-":
        text = env.read(MAX_TEXT_BYTES + 1)
    text = text.replace("\r\n", "\n").removesuffix("\n")
    if not text.strip():
        raise UsageError("There is no text to send.")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise Failure(f"A text has at most {MAX_TEXT_BYTES} bytes; send it as a file.")
    return text


def _readable(path: str) -> str:
    full = os.path.abspath(path)
    name = render.escape_line(path)
    if not os.path.lexists(full):
        raise Failure(f"{name} does not exist.")
    if not os.path.isfile(full) and not os.path.isdir(full):
        raise Failure(f"{name} is neither a file nor a folder.")
    if not os.access(full, os.R_OK):
        raise Failure(f"{name} cannot be read.")
    return full


def _deadline(options: argparse.Namespace) -> float:
    timeout_s: float = FOREVER_S if options.timeout is None else options.timeout
    return time.monotonic() + timeout_s


def _wait_for_peer(client: Client, peer: int, queued: Queued, options: argparse.Namespace) -> int:
    """Wait until the peer has committed (or read) the message; its ACK number, 0 if unknown."""
    until = _deadline(options)
    ack = 0
    while True:
        view = client.mirror.peer(peer)
        if view is None:
            raise Failure("The peer was removed.")
        if view.delivered_seq >= queued.seq:
            if not ack:
                query = FetchHistory(peer=peer, after_no=queued.no - 1, limit=1)
                rows = client.history(query).rows
                ack = rows[0].ack if rows else 0
                if rows and message_state(rows[0], view) == "failed":
                    raise Failure(f"Not sent: {render.escape_line(failure_words(rows[0].failed))}")
            if options.wait == "delivered" or (ack and view.peer_read >= ack):
                return ack
        left = until - time.monotonic()
        if left <= 0:
            raise Failure(f"Not {options.wait} yet; ChatNet keeps trying.", ExitStatus.TIMED_OUT)
        event = client.next_event(min(left, 1.0))
        change = event.event if isinstance(event, Changed) else None
        if isinstance(change, MessageFailed) and change.no == queued.no:
            raise Failure(f"Not sent: {render.escape_line(failure_words(change.reason))}")
        if client.view.stopping:
            raise Failure("The engine was stopped; the message is kept.", ExitStatus.NO_SESSION)


def _outcome(row: TransferRow, name: str, wait: str) -> ExitStatus | None:
    """The exit code, once what was waited for has happened or cannot happen any more."""
    if row.state == TransferState.REJECTED:
        raise Failure(f"{name} declined.", ExitStatus.REFUSED)
    if row.state in BROKEN:
        raise Failure(f"The transfer ended. {render.where_words(row, name).rstrip('.')}.")
    if row.state == TransferState.DONE:
        return ExitStatus.DONE
    return ExitStatus.DONE if wait == "accepted" and row.state not in NOT_ACCEPTED else None
