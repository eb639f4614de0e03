"""Rows and view put into words and JSON. Pure; the only place that makes peers' text printable.

What a peer wrote is data: in lines for people every control character, C1 code and bidirectional
override becomes a visible escape. JSON is ASCII, which escapes the same and loses nothing.
"""

import json
import time
from typing import Any

import msgspec

from chatnet_cli.hints import AS_VERBS, IN_CHAT, Hints
from chatnet_client.mirror import Progress
from chatnet_client.words import (
    BLOCKED,
    LINK_WORDS,
    ON_LINK,
    asking_words,
    can_fetch,
    giving_words,
    name_of,
    offers,
    size_words,
)
from chatnet_client.words.links import link_sentence
from chatnet_client.words.messages import NOT_HERE, failure_words, quote_words
from chatnet_client.words.transfers import transfer_words, why_words
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc.offer import Offer, decode_offer
from chatnet_protocol.ipc.rows import (
    LinkRow,
    LinkState,
    MessageKind,
    MessageRow,
    PeerRow,
    TransferRow,
    TransferState,
)
from chatnet_protocol.ipc.view import PeerView, View, message_state
from chatnet_protocol.text import Policy, harmless

TICKS = {
    "queued": "·",
    "sent": "✓",
    "delivered": "✓✓",
    "shown": "✓✓ shown",
    "read": "✓✓ read",
    "failed": "✗",
}


def ticks_words(state: str) -> str:
    """Ticks with their word: `✓✓ delivered`."""
    ticks = TICKS[state]
    return ticks if state in ticks else f"{ticks} {state}"


def escape(text: str) -> str:
    """Several lines of a peer's text, harmless for a terminal; newlines and tabs stay."""
    return harmless(text, Policy.TERMINAL)


def escape_line(text: str) -> str:
    """A peer's name or anything else that must stay one line."""
    return harmless(text, Policy.TERMINAL, line=True)


def duration_words(seconds: float) -> str:
    """`0:08`, `12:05`, `1:20:00`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock_words(unix_ms: int) -> str:
    """`14:02:31`, local time."""
    return time.strftime("%H:%M:%S", time.localtime(unix_ms / 1000))


def moment_words(unix_ms: int) -> str:
    """`2026-11-22 14:02`, local time."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(unix_ms / 1000))


def day_words(unix_ms: int) -> str:
    """`Sunday, 22 November 2026`, local time."""
    return time.strftime("%A, %d %B %Y", time.localtime(unix_ms / 1000))


def peer_name(row: PeerRow) -> str:
    """What a peer is called, in one line."""
    return escape_line(name_of(row))


def name_in(view: View | None, number: int) -> str:
    """What the peer `number` is called; a number alone where the view has no such peer."""
    peer = view.peer(number) if view is not None else None
    return peer_name(peer.info) if peer else f"peer {number}"


def offer_of(row: MessageRow) -> Offer | None:
    """The files that a message offers; None for a text or a damaged offer."""
    if row.kind != MessageKind.OFFER:
        return None
    try:
        return decode_offer(row.body)
    except DecodeError:
        return None


def message_words(row: MessageRow) -> str:
    """What a message says, safe to print."""
    offer = offer_of(row)
    if offer is not None:
        return f"[{offer_words(offer)} · offer {row.no}]"
    if row.kind != MessageKind.TEXT:
        return "[a message that this version cannot show]"
    return escape(row.text)


def offer_words(offer: Offer) -> str:
    """`file photo.jpg, 1.4 MB`, or what else is offered."""
    words = offers.offer_words(offer, escape_line)
    kind = "file " if len(offer.files) == 1 and len(offer.files[0].path) == 1 else ""
    return f"{kind}{words}, {size_words(offer.size_bytes)}"


def quote_line(quoted: MessageRow | None, peer: PeerView) -> str:
    """What stands above a message that answers another: no line of a text can look like it."""
    if quoted is None:
        return f"  ↳ {NOT_HERE.lower()}"
    name = "me" if quoted.mine else peer_name(peer.info)
    return f"  ↳ {name}: {escape_line(quote_words(quoted))}"


def message_line(row: MessageRow, peer: PeerView, *, day: bool = False, tail: bool = True) -> str:
    """One message for people; further lines of its text are indented below."""
    when = moment_words(row.arrived_ms) if day else clock_words(row.arrived_ms)
    name = "me" if row.mine else peer_name(peer.info)
    text = message_words(row).replace("\n", "\n    ")
    line = f"{when} {name}: {text}"
    return f"{line}  {message_tail(row, peer)}" if tail else line


def message_tail(row: MessageRow, peer: PeerView) -> str:
    """What stands behind a message: its ticks, or its ACK number and where it came from."""
    if not row.mine:
        return f"[ACK {row.ack} · {escape_line(row.source)}]"
    state = message_state(row, peer)
    reason = f" {escape_line(failure_words(row.failed))}" if row.failed else ""
    return f"{TICKS[state]}{reason}"


def state_words(link: LinkRow) -> str:
    """The state of a link."""
    return LINK_WORDS.get(link.state) or escape_line(link.state)


def link_words(peer: PeerView) -> str:
    """The state of a link, and what to do about it."""
    link = peer.link
    if peer.info.blocked:
        return BLOCKED
    words = state_words(link)
    if link.reason is None and link.state != LinkState.DIALLING:
        return words
    return f"{words}: {escape_line(link_sentence(link, peer_name(peer.info)))}"


def asking_line(peer: PeerView, hints: Hints = AS_VERBS) -> str:
    """The state of our restore request, and what can be done; empty: there is none."""
    row = peer.restore
    return _hinted(asking_words(row, peer_name(peer.info)), hints.restore.get(row.mine))


def giving_line(peer: PeerView, hints: Hints = AS_VERBS) -> str:
    """The state of the peer's restore request; empty: there is none."""
    row = peer.restore
    return _hinted(giving_words(row, peer_name(peer.info)), hints.restore.get(row.theirs))


def _hinted(words: str, hint: str | None) -> str:
    return f"{words} ({hint})" if words and hint else words


def where_words(row: TransferRow, name: str, hints: Hints = AS_VERBS) -> str:
    """Where a transfer with the peer `name` stands, and what can be done about it."""
    if row.state == TransferState.OFFERED and not row.mine:
        why = escape_line(why_words(row, name))
        return f"Offered: {hints.accept_or_reject(row.no)}" + (f" ({why})" if why else "")
    words = escape_line(transfer_words(row, name))
    if row.state == TransferState.DONE:
        return f"{words}, {escape_line(row.path)}" if row.path and not row.mine else words
    fetch = row.state == TransferState.FAILED and can_fetch(row)
    return f"{words.rstrip('.')}; {hints.fetch(row.no)}" if fetch else words


def progress_words(progress: Progress, size_bytes: int) -> str:
    """`45% · 12.3 MB/s · 0:05 left`."""
    done_bytes, rate_bytes_s, on_link = progress
    percent = 100 * done_bytes // size_bytes if size_bytes else 100
    words = f"{percent}%"
    if rate_bytes_s >= 1:
        left_s = max(0, size_bytes - done_bytes) / rate_bytes_s
        words += f" · {size_words(rate_bytes_s)}/s · {duration_words(left_s)} left"
    return f"{words} · {ON_LINK}" if on_link else words


def transfer_name(row: TransferRow) -> str:
    """The name a transfer goes by, and what it is."""
    return offers.row_words(row, escape_line)


def transfer_line(row: TransferRow, progress: Progress, name: str, hints: Hints = AS_VERBS) -> str:
    """One transfer for people; the number in front is what accept, cancel, ... take."""
    line = transfer_step_line(row, name, hints)
    if row.state == TransferState.ACTIVE:
        line += f" · {progress_words(progress, row.size_bytes)}"
    return line


def transfer_object(row: TransferRow, progress: Progress) -> dict[str, Any]:
    """One transfer for programs; `left_s` is null while nothing moves."""
    done_bytes, rate_bytes_s, on_link = progress
    left_bytes = max(0, row.size_bytes - done_bytes)
    left_s = round(left_bytes / rate_bytes_s, 1) if rate_bytes_s >= 1 else None
    moving = {"done_bytes": done_bytes, "rate_bytes_s": round(rate_bytes_s), "left_s": left_s}
    return struct_object(row) | moving | {"on_link": on_link, "type": "transfer"}


def transfer_step_line(row: TransferRow, name: str, hints: Hints = AS_VERBS) -> str:
    """A step of a transfer, without what moves on."""
    differences = difference_words(row)
    return f"{_transfer_head(row)}: {where_words(row, name, hints)}" + (
        f" · {differences}" if differences else ""
    )


def difference_words(row: TransferRow) -> str:
    """What does not arrive as it is with the sender; empty when all does."""
    found = (
        offers.left_out_words(row.differences, escape_line),
        offers.renamed_words(row.differences, escape_line),
        escape_line(offers.not_updated_words(row)),
    )
    return " · ".join(words for words in found if words)


def transfer_gauge_line(row: TransferRow, progress: Progress, name: str) -> str:
    """How far a transfer is; only one that moves has a rate."""
    done_bytes = progress.done_bytes
    if row.state == TransferState.ACTIVE:
        return f"{_transfer_head(row)} · {progress_words(progress, row.size_bytes)}"
    percent = f"{progress_words(Progress(done_bytes), row.size_bytes)} · " if done_bytes else ""
    return f"{_transfer_head(row)} · {percent}{where_words(row, name, IN_CHAT)}"


def _transfer_head(row: TransferRow) -> str:
    arrow = "→" if row.mine else "←"
    return f"{row.no} {arrow} {transfer_name(row)}, {size_words(row.size_bytes)}"


# --- JSON --------------------------------------------------------------------------------------


def dumps(value: object) -> str:
    """One line of JSON, ASCII only: nothing in it can move a cursor or forge a line."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))


def message_object(row: MessageRow, view: View, peer_number: int) -> dict[str, Any]:
    """A message as `--json` shows it."""
    peer = view.peer(peer_number)
    offer = offer_of(row)
    value: dict[str, Any] = {
        "type": "message",
        "id": row.id.hex(),
        "no": row.no,
        "peer": peer_number,
        "mine": row.mine,
        "kind": "offer" if row.kind == MessageKind.OFFER else "text",
        "text": row.text if row.kind == MessageKind.TEXT else None,
        "state": message_state(row, peer) if peer else "unknown",
        "ack": row.ack or None,
        "from": row.source or None,
        "sent_ms": row.sent_ms,
        "arrived_ms": row.arrived_ms,
        "lamport": row.lamport,
        "reply_to": row.reply_to.hex() or None,
    }
    if row.failed:
        value["failed"] = row.failed
    if row.restored:
        value["restored"] = True
    if offer is not None:
        transfer = view.transfer(row.id)
        value["transfer"] = {
            "state": transfer.state if transfer else "unknown",
            "size_bytes": offer.size_bytes,
            "files": [
                {"path": "/".join(file.path), "size_bytes": file.size_bytes} for file in offer.files
            ],
            "folders": ["/".join(folder.path) for folder in offer.folders],
            "file_count": offer.file_count,
            "left_out": offer.left_out,
        }
    return value


def struct_object(value: msgspec.Struct) -> dict[str, Any]:
    """Any row or event with named fields; bytes are hex; an event names its type."""
    fields = {name: _plain(getattr(value, name)) for name in type(value).__struct_fields__}
    if type(value).__struct_config__.tag is not None:
        return {"type": type(value).__name__, **fields}
    return fields


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Struct):
        return struct_object(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def own_name_line(own: str) -> str:
    """How others see this session."""
    return f"name · {escape_line(own)}" if own else "name · none"


def inbox_line(folder: str) -> str:
    """Where received files land."""
    return f"received files land in {escape_line(folder)}"
