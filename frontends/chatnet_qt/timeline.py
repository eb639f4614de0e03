"""The part of one conversation that is in memory: a bounded, ordered window of rows.

Pure. Normally the window ends at the newest message; after reading far back, or after a jump to a
search result, it does not (`at_tail` is false) and new messages are only counted by the view.
"""

from collections.abc import Iterable, Sequence

from chatnet_protocol.ipc.rows import AckRange, MessageRow
from chatnet_protocol.ipc.view import apply_runs, failed_row, screen_order

MAX_ROWS = 500
"""Messages of one conversation in memory; beyond it the end that is farther from what is being read
is let go. Qt measures each of them at every layout: 500 keep a resize at some 50 ms."""
MAX_BODY_BYTES = 8 * 1024 * 1024
"""Their text in memory."""
MIN_ROWS = 50


class Timeline:
    """Rows in screen order, oldest first."""

    def __init__(self) -> None:
        self.rows: list[MessageRow] = []
        self.has_older = False
        self.at_tail = True
        self.held: MessageRow | None = None
        """The message that is being read; None: the newest one, whichever that is."""

    def reset(self, tail: Sequence[MessageRow], has_older: bool) -> None:
        """Show the end of the conversation."""
        self.show(tail, has_older=has_older, at_tail=True)

    def refresh(self, tail: Sequence[MessageRow]) -> None:
        """A new snapshot ends in `tail`: keep what joins it, else start again from it."""
        known = {row.id for row in self.rows}
        joins = not self.rows or not tail or tail[0].id in known
        if not joins or not self.at_tail or not tail:
            self.reset(tail, has_older=bool(tail))
            return
        self.add(tail)

    def add(self, rows: Iterable[MessageRow]) -> None:
        """Rows were committed. Those beyond an end that is not in memory are left out."""
        fresh = {row.id: row for row in rows}
        if self.rows and self.has_older:
            first = screen_order(self.rows[0])
            fresh = {key: row for key, row in fresh.items() if screen_order(row) >= first}
        if self.rows and not self.at_tail:
            last = screen_order(self.rows[-1])
            fresh = {key: row for key, row in fresh.items() if screen_order(row) <= last}
        self._merge(fresh)
        self._make_room()

    def restore(self, rows: Sequence[MessageRow]) -> None:
        """Rows were restored, or changed and may stand elsewhere."""
        changed = {row.id for row in rows}
        kept = [row for row in self.rows if row.id not in changed]
        # A window must not lose the rows that say where it is.
        if kept or self.at_tail:
            self.rows = kept
        self.add(rows)

    def add_older(self, rows: Sequence[MessageRow], more: bool) -> None:
        """A page from before the first row."""
        self._merge({row.id: row for row in rows})
        self.has_older = more
        self._make_room()

    def add_newer(self, rows: Sequence[MessageRow], more: bool) -> None:
        """A page from after the last row."""
        self._merge({row.id: row for row in rows})
        self.at_tail = not more
        self._make_room()

    def show(self, rows: Iterable[MessageRow], *, has_older: bool, at_tail: bool) -> None:
        """Show another part."""
        self.rows = sorted({row.id: row for row in rows}.values(), key=screen_order)
        self.has_older = has_older
        self.at_tail = at_tail

    def apply_runs(self, runs: Sequence[AckRange]) -> None:
        """Own messages got their ACK numbers."""
        self.rows = apply_runs(self.rows, runs)

    def fail(self, no: int, reason: str) -> None:
        """An own message will never be sent."""
        self.rows = [failed_row(row, reason) if row.no == no else row for row in self.rows]

    def _merge(self, fresh: dict[bytes, MessageRow]) -> None:
        if not fresh:
            return
        kept = [row for row in self.rows if row.id not in fresh]
        added = sorted(fresh.values(), key=screen_order)
        in_order = not kept or screen_order(kept[-1]) < screen_order(added[0])
        self.rows = kept + added
        if not in_order:
            self.rows.sort(key=screen_order)

    def _make_room(self) -> None:
        """Let rows go until the rest fits, from the end that is farther from what is read."""
        size = sum(len(row.body) for row in self.rows)
        first, end = 0, len(self.rows)
        reading = end - 1
        if self.held is not None:
            key = screen_order(self.held)
            reading = sum(screen_order(row) < key for row in self.rows)
        while end - first > MAX_ROWS or (size > MAX_BODY_BYTES and end - first > MIN_ROWS):
            if reading - first >= end - 1 - reading:
                size -= len(self.rows[first].body)
                first += 1
            else:
                end -= 1
                size -= len(self.rows[end].body)
        if end < len(self.rows):
            self.at_tail = False
        if first:
            self.has_older = True
        self.rows = self.rows[first:end]
