"""How facts are put into words: sizes, times, states. Pure; knows no Qt."""

import re
import time
from functools import cache

from msgspec.structs import replace

from chatnet_client.mirror import Progress
from chatnet_client.words import (
    BLOCKED,
    LINK_WORDS,
    ON_LINK,
    is_named,
    name_of,
    size_words,
    transfers,
)
from chatnet_client.words.messages import failure_words
from chatnet_client.words.offers import not_updated_words
from chatnet_protocol.ipc.reasons import MessageFailure
from chatnet_protocol.ipc.rows import (
    LinkRow,
    LinkState,
    MessageRow,
    PeerRow,
    SessionRow,
    TransferRow,
    TransferState,
    Trust,
)
from chatnet_protocol.text import Policy, harmless

MAX_SHOWN_CHARACTERS = 4000
"""A longer text is cut in its bubble and shown whole in the details window."""
MAX_SHOWN_LINES = 60
MAX_JOINED = 16
"""Pictures joined to one; no emoji has so many, and the font takes a second for thousands."""
_TONES = "\U0001f3fb-\U0001f3ff"
_PART = f"[^\\s\u200d\ufe0f{_TONES}]\ufe0f?[{_TONES}]?\u200d"
MAX_REASON_CHARACTERS = 1000
"""Of a sentence about a failure; ours are far shorter, paths in them are not."""

SHORT_LINK_WORDS = {
    **LINK_WORDS,
    LinkState.IDLE: "offline",
    LinkState.RESOLVING: "connecting…",
    LinkState.DIALLING: "connecting…",
}
"""Without the sentence that a terminal adds to it."""


def shown_text(text: str) -> str:
    """A message as it may be drawn: lines, tabs and emoji stay, control characters go, zero-width
    ones become visible."""
    return harmless(text, Policy.SCREEN)


def shown_name(name: str, limit: int = 120) -> str:
    """A name in one line: breaks become spaces, direction marks become visible."""
    kept = harmless(name, Policy.SCREEN, line=True).strip()
    if len(kept) > limit:
        kept = kept[: limit // 2] + "…" + kept[-(limit // 2 - 1) :]
    return kept or "(no name)"


@cache
def _joined() -> re.Pattern[str]:
    return re.compile(f"(?:{_PART}){{{MAX_JOINED}}}")


def cut_text(text: str) -> tuple[str, bool]:
    """What fits into a bubble, and whether something was left out."""
    cut = text[:MAX_SHOWN_CHARACTERS]
    lines = cut.split("\n", MAX_SHOWN_LINES)
    if len(lines) > MAX_SHOWN_LINES:
        cut = "\n".join(lines[:MAX_SHOWN_LINES])
    if "\u200d" in cut and (joined := _joined().search(cut)):
        cut = cut[: joined.end() - 1]
    return cut, len(cut) < len(text)


def utf16_span(text: str, start: int, length: int) -> tuple[int, int]:
    """A part of `text` as Qt counts: what Unicode put beyond 16 bits, emoji for one, is two."""
    if text.isascii():
        return start, length
    before, inside = text[:start], text[start : start + length]
    return len(before.encode("utf-16-le")) // 2, len(inside.encode("utf-16-le")) // 2


def duration_words(seconds: float) -> str:
    """`8 s`, `3 min`, `1 h 20 min`, rounded for people."""
    whole = max(1, round(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{hours // 24} days"


def clock_words(unix_ms: int) -> str:
    """`14:02` local time."""
    return time.strftime("%H:%M", time.localtime(unix_ms / 1000))


def moment_words(unix_ms: int) -> str:
    """Date and time to the second, local."""
    if not unix_ms:
        return "unknown"
    return time.strftime("%A, %d %B %Y, %H:%M:%S", time.localtime(unix_ms / 1000))


def day_of(unix_ms: int) -> tuple[int, int]:
    """The local day: (year, day of the year)."""
    local = time.localtime(unix_ms / 1000)
    return local.tm_year, local.tm_yday


def day_words(unix_ms: int, today_ms: int) -> str:
    """`Today`, `Yesterday`, else the date; with the year if it is another one."""
    if day_of(unix_ms) == day_of(today_ms):
        return "Today"
    if day_of(unix_ms) == day_of(today_ms - 86_400_000):
        return "Yesterday"
    local = time.localtime(unix_ms / 1000)
    same_year = local.tm_year == time.localtime(today_ms / 1000).tm_year
    return time.strftime("%A, %d %B" if same_year else "%A, %d %B %Y", local)


def when_words(unix_ms: int, today_ms: int) -> str:
    """`14:02` today, `Tue` this week, else `12 Nov`, with the year if it is another one."""
    if day_of(unix_ms) == day_of(today_ms):
        return clock_words(unix_ms)
    local = time.localtime(unix_ms / 1000)
    if 0 <= today_ms - unix_ms < 6 * 86_400_000:
        return time.strftime("%a", local)
    same_year = local.tm_year == time.localtime(today_ms / 1000).tm_year
    return time.strftime("%d %b" if same_year else "%d %b %Y", local).lstrip("0")


def peer_name(row: PeerRow, limit: int = 120) -> str:
    """What a peer is called on screen; what it calls itself is cut earlier than what we do."""
    is_own = row.display_name and not is_named(row)
    return shown_name(name_of(row), min(limit, 40 if is_own else 120))


def own_name(row: SessionRow) -> str:
    """What one is called oneself: as others see it, else the session's name."""
    return shown_name(row.display_name or row.name)


def link_words(link: LinkRow, peer: PeerRow) -> str:
    """The state of a link in a few words, for lists and the status bar."""
    if peer.blocked:
        return BLOCKED
    if peer.trust == Trust.PENDING:
        return "wants to chat"
    if peer.trust == Trust.INVITED and not peer.host:
        return "invited"
    return shown_name(SHORT_LINK_WORDS.get(link.state, link.state))


def not_sent_words(row: MessageRow) -> str:
    """Why an own message will never be sent; what was taken back is no failure."""
    if row.failed == MessageFailure.WITHDRAWN:
        return failure_words(row.failed).rstrip(".")
    return f"Not sent: {shown_name(failure_words(row.failed), MAX_REASON_CHARACTERS)}"


def transfer_words(row: TransferRow, name: str, delivered: bool) -> str:
    """Where a transfer stands, honestly; `name` is what the peer is called."""
    return shown_name(transfers.transfer_words(row, name, delivered), MAX_REASON_CHARACTERS)


def card_words(row: TransferRow, name: str, delivered: bool, progress: Progress) -> str:
    """The line about a transfer in its bubble."""
    done_bytes = progress.done_bytes
    words = transfer_words(row, name, delivered)
    match row.state:
        case TransferState.ACTIVE if row.reason is None:
            return progress_words(progress, row.size_bytes)
        case TransferState.WAITING if row.compared:
            return words
        case TransferState.ACTIVE | TransferState.PAUSED | TransferState.WAITING:
            return f"{words} · {size_words(done_bytes)} of {size_words(row.size_bytes)}"
        case TransferState.DONE:
            return f"✓ {words}{_differences(row)}"
        case TransferState.OFFERED:
            return words + _differences(row)
        case _:
            return words


def _differences(row: TransferRow) -> str:
    """How much does not arrive as it is; the details name it."""
    found = row.differences
    left_out = f" · {found.left_out:,} left out" if found and found.left_out else ""
    renamed = f" · {found.renamed:,} renamed" if found and found.renamed else ""
    not_updated = not_updated_words(row)
    return left_out + renamed + (f" · {shown_name(not_updated)}" if not_updated else "")


def longest_card_words(row: TransferRow, name: str) -> str:
    """What `card_words` may become while the transfer stays in this state."""
    if (found := row.compared) is not None:
        row = replace(row, compared=replace(found, files=found.of_files, size_bytes=999_000_000))
    may_be = [
        card_words(row, name, delivered, Progress(done))
        for delivered in (False, True)
        for done in (row.size_bytes, 999_000_000)
    ]
    if row.state == TransferState.ACTIVE:
        longest = f"999 MB of {size_words(row.size_bytes)} · 999 MB/s · 23 h 59 min left"
        may_be.append(f"{longest} · {ON_LINK}")
    return max(may_be, key=len)


def progress_words(progress: Progress, size_bytes: int) -> str:
    """`12 of 40 MB · 5.6 MB/s · 5 s left`; no guess where there is no rate."""
    done_bytes, rate_bytes_s, on_link = progress
    words = f"{size_words(done_bytes)} of {size_words(size_bytes)}"
    if rate_bytes_s >= 1:
        left_s = (size_bytes - done_bytes) / rate_bytes_s
        words += f" · {size_words(rate_bytes_s)}/s · {duration_words(left_s)} left"
    return f"{words} · {ON_LINK}" if on_link else words
