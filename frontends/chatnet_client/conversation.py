"""Owns the rows of one conversation that a front end has at hand: the newest, and older pages.

One contiguous run that always ends at the newest message. The view brings the tail, HistoryPage
brings what is above it, events keep it current. Every change is reported as list positions, so that
a list widget can follow without drawing everything anew.
"""

from bisect import bisect_left
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.events import (
    Event,
    MessageFailed,
    MessagesAdded,
    MessagesDelivered,
    MessagesRestored,
)
from chatnet_protocol.ipc.rows import AckRange, MessageRow
from chatnet_protocol.ipc.view import PeerView, failed_row, screen_order
from chatnet_protocol.limits import MAX_HISTORY_ROWS

MAX_ROWS = 10_000
MAX_BODY_BYTES = 16 * 1024 * 1024
"""At either limit no older page is taken, and a new message pushes the oldest out."""


class Inserted(Struct, frozen=True):
    """`count` rows now stand from `index` on."""

    index: int
    count: int


class Removed(Struct, frozen=True):
    """`count` rows went from `index` on."""

    index: int
    count: int


class Updated(Struct, frozen=True):
    """The row at `index` is another one now (an ACK number, a failure)."""

    index: int


Change = Inserted | Removed | Updated


class Conversation:
    """The rows of one peer, oldest first."""

    def __init__(self, peer: PeerView) -> None:
        self.peer = peer.info.peer
        self.rows: list[MessageRow] = []
        self.has_older = False
        """Whether the store holds rows above the first; true until a page shows the top."""
        self._passed_over = False
        """Whether rows came that stand above the first, since the last page was asked for."""
        self._body_bytes = 0
        self._unknown_acks: dict[int, MessageRow] = {}
        self.reset(peer)

    def reset(self, peer: PeerView) -> None:
        """Start again from the tail in a new view; older pages have to be fetched again."""
        self.rows = list(peer.messages)
        self.has_older = bool(self.rows)
        self._body_bytes = sum(len(row.body) for row in self.rows)
        self._unknown_acks = {row.seq: row for row in self.rows if _waits_for_ack(row)}

    def handle_event(self, event: Event) -> list[Change]:
        """Follow one event; those of other peers change nothing."""
        match event:
            case MessagesAdded() if event.peer == self.peer:
                return self._add(event.rows)
            case MessagesRestored() if event.peer == self.peer:
                return self._take_out(event.rows) + self._add(event.rows)
            case MessagesDelivered() if event.peer == self.peer:
                return [change for run in event.runs for change in self._acknowledge(run)]
            case MessageFailed() if event.peer == self.peer:
                return self._fail(event)
            case _:
                return []

    def older_page(self, limit: int = MAX_HISTORY_ROWS) -> FetchHistory | None:
        """The request for the rows above the first; None when there is nothing to fetch."""
        if not self.has_older or self.is_full:
            return None
        first = self.rows[0]
        self._passed_over = False
        return FetchHistory(
            peer=self.peer, before_place=first.place, before_no=first.no, limit=limit
        )

    @property
    def is_full(self) -> bool:
        """No older page is taken any more; searching the history still finds everything."""
        return len(self.rows) >= MAX_ROWS or self._body_bytes >= MAX_BODY_BYTES

    def handle_page(self, page: HistoryPage) -> list[Change]:
        """Put an older page on top; rows that are here already are skipped.

        A page that may have been read before rows were restored into it is not taken.
        """
        if self._passed_over:
            return []
        self.has_older = page.more
        rows = sorted(
            (row for row, peer in zip(page.rows, page.peers, strict=False) if peer == self.peer),
            key=screen_order,
        )
        if self.rows:
            first = screen_order(self.rows[0])
            rows = [row for row in rows if screen_order(row) < first]
        self.rows[:0] = rows
        self._note(rows)
        return [Inserted(0, len(rows))] if rows else []

    def index_of(self, row: MessageRow) -> int | None:
        """Where this row stands, by its place in screen order."""
        index = bisect_left(self.rows, screen_order(row), key=screen_order)
        if index < len(self.rows) and self.rows[index].id == row.id:
            return index
        return None

    def _take_out(self, rows: Sequence[MessageRow]) -> list[Change]:
        """Rows that are here in another shape go; `_add` puts them where they now belong."""
        changed = {row.no: row for row in rows}
        changes: list[Change] = []
        for index in range(len(self.rows) - 1, -1, -1):
            known = self.rows[index]
            if known.no in changed and known != changed[known.no]:
                del self.rows[index]
                self._body_bytes -= len(known.body)
                self._unknown_acks.pop(known.seq, None)
                changes.append(Removed(index, 1))
        return changes

    def _add(self, rows: Sequence[MessageRow]) -> list[Change]:
        changes: list[Change] = []
        for row in rows:
            index = bisect_left(self.rows, screen_order(row), key=screen_order)
            if index == 0 and self.rows and self.has_older:
                self._passed_over = True
                continue
            if index < len(self.rows) and self.rows[index].id == row.id:
                continue
            self.rows.insert(index, row)
            self._note([row])
            last = changes[-1] if changes else None
            if isinstance(last, Inserted) and last.index + last.count == index:
                changes[-1] = Inserted(last.index, last.count + 1)
            else:
                changes.append(Inserted(index, 1))
        return changes + self._trim()

    def _trim(self) -> list[Change]:
        count = 0
        size = self._body_bytes
        while len(self.rows) - count > 1 and (
            len(self.rows) - count > MAX_ROWS or size > MAX_BODY_BYTES
        ):
            size -= len(self.rows[count].body)
            count += 1
        if not count:
            return []
        for row in self.rows[:count]:
            self._unknown_acks.pop(row.seq, None)
        del self.rows[:count]
        self._body_bytes = size
        self.has_older = True
        return [Removed(0, count)]

    def _acknowledge(self, run: AckRange) -> list[Change]:
        changes: list[Change] = []
        seqs = range(run.seq - run.count + 1, run.seq + 1)
        if run.count > len(self._unknown_acks):
            known = sorted(seq for seq in self._unknown_acks if seq in seqs)
        else:
            known = [seq for seq in seqs if seq in self._unknown_acks]
        for seq in known:
            row = self._unknown_acks.pop(seq)
            index = self.index_of(row)
            if index is not None:
                ack = run.ack - (run.seq - seq)
                self.rows[index] = msgspec.structs.replace(self.rows[index], ack=ack)
                changes.append(Updated(index))
        return changes

    def _fail(self, event: MessageFailed) -> list[Change]:
        for index in range(len(self.rows) - 1, -1, -1):
            if self.rows[index].no == event.no:
                self.rows[index] = failed_row(self.rows[index], event.reason)
                return [Updated(index)]
        return []

    def _note(self, rows: Sequence[MessageRow]) -> None:
        self._body_bytes += sum(len(row.body) for row in rows)
        self._unknown_acks.update({row.seq: row for row in rows if _waits_for_ack(row)})


def _waits_for_ack(row: MessageRow) -> bool:
    return row.mine and not row.ack and not row.failed
