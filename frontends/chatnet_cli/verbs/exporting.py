"""`export`: the whole history, as JSON lines for programs or as Markdown for people.

Conversations come one after the other; in each, messages stand by (Lamport counter, key of the
author, id), so that the exports of both sides of a conversation have the same order.
"""

import argparse
import os
import re
from collections.abc import Iterator
from typing import Protocol

from chatnet_cli import render, targets
from chatnet_cli.environment import Environment, ExitStatus, Failure
from chatnet_client.words.messages import failure_words
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import ClientRole, MessageRow
from chatnet_protocol.ipc.view import PeerView, View
from chatnet_protocol.limits import MAX_HISTORY_ROWS

FORMATS = ("jsonl", "markdown")
EXPORT_VERSION = 1
DAY = len("2026-11-22")

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@])")
"""What could begin a heading, a link, an image or a tag of HTML in what a peer has written."""


class Source(Protocol):
    """What an export needs of a client."""

    @property
    def view(self) -> View: ...
    def history(self, query: FetchHistory) -> HistoryPage: ...


def export(env: Environment, options: argparse.Namespace) -> ExitStatus:
    """Print the history, or write it to a file that must not be there yet."""
    with targets.attach(env, options, role=ClientRole.READ_ONLY) as client:
        only = 0
        if options.peer is not None:
            only = targets.find_peer(client.view, options.peer).info.peer
        by_peer = read_all(client, only)
        write = json_lines if options.format == "jsonl" else markdown
        lines = write(client, by_peer)
        if options.file == "-":
            for line in lines:
                env.out(line)
        else:
            _write_file(options.file, lines)
    return ExitStatus.DONE


def _write_file(path: str, lines: Iterator[str]) -> None:
    """Readable for its owner only; whole or not at all under its name."""
    if os.path.lexists(path):
        raise Failure(f"{path} is there already; choose another name.")
    partial = f"{path}.part"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{line}\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())
        os.link(partial, path)
    finally:
        os.unlink(partial)


def read_all(source: Source, only: int) -> dict[int, list[MessageRow]]:
    """By peer, in the order of the export."""
    by_peer: dict[int, list[MessageRow]] = {}
    after_no = 0
    while True:
        page = source.history(FetchHistory(peer=only, after_no=after_no, limit=MAX_HISTORY_ROWS))
        for peer, row in zip(page.peers, page.rows, strict=True):
            by_peer.setdefault(peer, []).append(row)
        if not page.rows or not page.more:
            break
        after_no = page.rows[-1].no
    return {
        peer: sorted(rows, key=lambda row: (row.lamport, _author(source, peer, row), row.id))
        for peer, rows in by_peer.items()
    }


def _author(source: Source, peer: int, row: MessageRow) -> bytes:
    known = source.view.peer(peer)
    return source.view.session.key if row.mine else known.info.key if known else b""


def json_lines(source: Source, by_peer: dict[int, list[MessageRow]]) -> Iterator[str]:
    """First what the export is, then who the peers are, then every message."""
    session = source.view.session
    yield render.dumps(
        {
            "type": "export",
            "version": EXPORT_VERSION,
            "session": session.name,
            "key": session.key.hex(),
            "messages": sum(map(len, by_peer.values())),
        }
    )
    for number in by_peer:
        peer = source.view.peer(number)
        if peer is not None:
            yield render.dumps({"type": "peer", **render.struct_object(peer.info)})
    for number, rows in by_peer.items():
        for row in rows:
            value = render.message_object(row, source.view, number)
            yield render.dumps({**value, "author": _author(source, number, row).hex()})


def markdown(source: Source, by_peer: dict[int, list[MessageRow]]) -> Iterator[str]:
    """A heading for each conversation and day, a quoted block for each message."""
    for number, rows in by_peer.items():
        peer = source.view.peer(number)
        name = _quiet(render.peer_name(peer.info) if peer else f"peer {number}")
        yield f"# {name}"
        yield ""
        day = ""
        by_id = {row.id: row for row in rows}
        for row in rows:
            if (this := render.moment_words(row.sent_ms)[:DAY]) != day:
                day = this
                yield f"## {day}"
                yield ""
            yield f"**{'me' if row.mine else name}** {_details(row, peer)}"
            yield ""
            if row.reply_to and peer is not None:
                found = by_id.get(row.reply_to)
                quote = render.quote_line(found if found and not found.failed else None, peer)
                yield f"> > {_quiet(quote.strip())}"
                yield ">"
            for line in render.message_words(row).splitlines() or [""]:
                yield f"> {_quiet(line)}"
            yield ""


def _details(row: MessageRow, peer: PeerView | None) -> str:
    parts = [render.clock_words(row.sent_ms)]
    if row.ack:
        parts.append(f"ACK {row.ack}")
    if row.source:
        parts.append(f"from {row.source}")
    if row.failed:
        parts.append(f"not sent: {_quiet(render.escape_line(failure_words(row.failed)))}")
    elif row.mine and peer is not None and row.seq > peer.delivered_seq:
        parts.append("not delivered yet")
    return " · ".join(parts)


def _quiet(text: str) -> str:
    """Text that Markdown shows as it is."""
    return _MARKDOWN.sub(r"\\\1", text)
