"""Owns the answers to FetchHistory, on a connection that only reads."""

import sqlite3

import msgspec

from chatnet_engine.ledger import pages
from chatnet_protocol.errors import CommandError, DecodeError, ErrorCode
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.offer import decode_offer
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_protocol.ipc.view import screen_order
from chatnet_protocol.limits import MAX_HISTORY_BYTES, MAX_HISTORY_IDS, MAX_HISTORY_ROWS

MAX_SEARCH_CHARACTERS = 1000
"""SQLite refuses patterns of 50,000 bytes; nobody types this much."""
ROW_BYTES = 160
"""What a row counts against MAX_HISTORY_BYTES besides its body."""


class History:
    """Pages of stored messages and search in them; see FetchHistory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        connection.create_function("file_names", 1, _file_names, deterministic=True)

    def page(self, query: FetchHistory) -> HistoryPage:
        """At most MAX_HISTORY_ROWS rows and MAX_HISTORY_BYTES, but at least one row if any.

        Search ignores case and looks into texts and into the names of offered files. Raises
        CommandError when the query makes no sense, sqlite3.Error when the store fails.
        """
        if len(query.search) > MAX_SEARCH_CHARACTERS:
            raise CommandError(ErrorCode.TOO_LARGE, "The text to search for is too long.")
        if query.limit < 1:
            raise CommandError(ErrorCode.INVALID, "A page has at least one row.")
        limit = min(query.limit, MAX_HISTORY_ROWS)
        which = pages.Slice(query.peer, limit + 1, MAX_HISTORY_BYTES, like_pattern(query.search))
        if len(query.ids) > MAX_HISTORY_IDS:
            raise CommandError(ErrorCode.INVALID, f"A page has at most {MAX_HISTORY_IDS} ids.")
        if query.ids:
            which = msgspec.structs.replace(which, like="")
            found = pages.with_ids(self._db, which, query.ids)
        else:
            found = self._search(query, which)
        count = _fitting([row for row, _ in found[:limit]])
        return HistoryPage(
            rows=[row for row, _ in found[:count]],
            peers=[peer for _, peer in found[:count]],
            more=count < len(found),
        )

    def _search(self, query: FetchHistory, which: pages.Slice) -> list[pages.Found]:
        """What matches, up to the bounds of `which`.

        LIKE lets through too much where the text sought is not ASCII; what it lets through is
        compared here, and more is read until the page is full.
        """
        exact = query.search.isascii()
        needle = query.search.lower()
        last: MessageRow | None = None
        hits: list[pages.Found] = []
        left = which
        while True:
            found = self._next(query, left, last)
            if exact or not found:
                return hits + found
            hits += [item for item in found if needle in searched_text(item[0]).lower()]
            size = sum(len(row.body) for row, _ in hits)
            if len(hits) >= which.max_rows or (size > which.max_bytes and len(hits) > 1):
                return hits
            left = msgspec.structs.replace(
                which, max_rows=which.max_rows - len(hits), max_bytes=which.max_bytes - size
            )
            last = found[-1][0]

    def _next(
        self, query: FetchHistory, which: pages.Slice, last: MessageRow | None
    ) -> list[pages.Found]:
        """In the direction that the query asks for, behind `last`; None: from its beginning on."""
        if query.after_no is not None and query.after_place is None:
            return pages.forwards(self._db, which, last.no if last else query.after_no)
        key = screen_order(last) if last else self._start(query)
        if query.after_place is not None:
            return pages.onwards(self._db, which, key)
        return pages.backwards(self._db, which, key)

    def _start(self, query: FetchHistory) -> pages.ScreenKey:
        """Where a page in screen order begins: at the row that the query names, or at its place
        when it is not there (any more)."""
        place, no = query.before_place, query.before_no
        if query.after_place is not None:
            place, no = query.after_place, query.after_no or 0
        elif not place + no:
            return pages.END
        row = pages.message(self._db, no)
        if row and row.place == place:
            return screen_order(row)
        return (place, 0, 0, b"")


def _fitting(rows: list[MessageRow]) -> int:
    """How many of the first rows fit one page."""
    size = 0
    for count, row in enumerate(rows):
        size += len(row.body) + ROW_BYTES
        if count and size > MAX_HISTORY_BYTES:
            return count
    return len(rows)


def searched_text(row: MessageRow) -> str:
    """What search looks into: a text, or the paths of the files that are offered, one a line."""
    return _file_names(row.body) if row.kind == MessageKind.OFFER else row.text


def _file_names(body: bytes) -> str:
    """The paths in an offer; empty for a damaged one."""
    try:
        offer = decode_offer(body)
    except DecodeError:
        return ""
    if offer.listing is not None:
        return "\n".join(thing.name for thing in offer.listing.things)
    return "\n".join("/".join(file.path) for file in offer.files)


def like_pattern(text: str) -> str:
    """A LIKE pattern for texts that may contain `text`; empty for none.

    LIKE ignores the case of ASCII letters only, so any other character is left open.
    """
    if not text:
        return ""
    return "".join(["%", *(_like_character(character) for character in text), "%"])


def _like_character(character: str) -> str:
    if not character.isascii():
        return "_"
    return f"\\{character}" if character in "%_\\" else character
