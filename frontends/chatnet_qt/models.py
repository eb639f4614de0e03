"""The conversation as Qt's item views see it: a list model fed by the session's view and events.

Owns the window of rows and the place of the "new messages" line. It draws nothing; `Bubble` holds
what the delegate has to know of one row and its neighbours.
"""

import time
from collections.abc import Callable, Iterable

from chatnet_client.client_events import Answered
from chatnet_client.kept import Waiting
from chatnet_client.mirror import NO_PROGRESS
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.reasons import MessageFailure
from chatnet_protocol.ipc.rows import MessageKind, MessageRow
from chatnet_protocol.ipc.view import PeerView, message_state
from chatnet_qt.bubble import Bubble, offer_of, spoken
from chatnet_qt.pager import MessageEvent, Pager, Then
from chatnet_qt.pictures import Pictures
from chatnet_qt.qt import QAbstractListModel, QModelIndex, QObject, Qt, pyqtSignal
from chatnet_qt.quote_source import QuoteSource
from chatnet_qt.session import Session
from chatnet_qt.timeline import Timeline
from chatnet_qt.wording import (
    day_of,
    day_words,
    peer_name,
    shown_text,
)

GROUP_MS = 120_000
"""Messages of one author this close together form a group."""

FIRST_WAITING_NO = 2**62
"""Numbers of rows for texts that wait: above any in a history."""
BUBBLE_ROLE = int(Qt.ItemDataRole.UserRole)


class ConversationModel(QAbstractListModel):
    """Messages of one peer, oldest first.

    Signals: `found(id)` a row that was asked for is there now; `not_found` it could
    not be read; `restated` states or progress moved, which changes no size.
    """

    found = pyqtSignal(bytes)
    not_found = pyqtSignal()
    day_missed = pyqtSignal()
    restated = pyqtSignal()

    def __init__(self, session: Session, peer: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.peer_number = peer
        self._timeline = Timeline()
        self._rows: list[MessageRow] = []
        self._new_after: int | None = None
        self.free_px = 0
        """How much lies over the upper edge of the conversation."""
        self._pager = Pager(session, peer, self._timeline, self._sync)
        self.quotes = QuoteSource(session, peer, self._requote)
        """What the messages here answer."""
        self.pictures = Pictures(self)
        self.pictures.ready.connect(self._refresh)
        session.was_reset.connect(self._on_reset)
        session.changed.connect(self._on_event)
        session.gauged.connect(self._on_gauge)
        session.unconfirmed_changed.connect(self._on_kept)
        self._on_reset()

    # --- Qt's side ---

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many messages are in memory."""
        return 0 if parent is not None and parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = 0) -> object:
        """The Bubble, or its words for screen readers and copying."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        if role == BUBBLE_ROLE:
            return self.bubble(index.row())
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return spoken(self.bubble(index.row()))
        return None

    # --- what is in it ---

    @property
    def at_tail(self) -> bool:
        """Whether the newest message is in memory."""
        return self._timeline.at_tail

    @property
    def new_after(self) -> int | None:
        """The ACK number after which the "new messages" line stands."""
        return self._new_after

    def peer(self) -> PeerView | None:
        """The conversation in the view."""
        return self._session.peer(self.peer_number)

    def message(self, row: int) -> MessageRow:
        """The message at `row`."""
        return self._rows[row]

    def row_of(self, message_id: bytes) -> int:
        """Where a message stands, or -1."""
        for index in range(len(self._rows) - 1, -1, -1):
            if self._rows[index].id == message_id:
                return index
        return -1

    def bubble(self, index: int) -> Bubble:
        """The message at `index` with all that its drawing depends on."""
        row = self._rows[index]
        peer = self.peer()
        before = self._rows[index - 1] if index else None
        after = self._rows[index + 1] if index + 1 < len(self._rows) else None
        new_day = before is None or day_of(before.arrived_ms) != day_of(row.arrived_ms)
        is_first_new = self._is_new(row) and (before is None or not self._any_new_upto(index - 1))
        transfer, offer = None, None
        progress = NO_PROGRESS
        if row.kind == MessageKind.OFFER:
            transfer = self._session.view.transfer(row.id) if self._session.view else None
            offer = offer_of(row)
        if transfer is not None:
            progress = self._session.mirror.progress(transfer)
        name = peer_name(peer.info) if peer else ""
        is_last = after is None and self._timeline.at_tail
        starts = new_day or is_first_new or before is None or not self._joins(before, row, peer)
        return Bubble(
            row=row,
            text="" if offer else shown_text(row.text),
            state=self._state(row, peer),
            day=day_words(row.arrived_ms, int(time.time() * 1000)) if new_day else "",
            is_first_new=is_first_new,
            starts_group=starts,
            ends_group=after is None or not self._joins(row, after, peer),
            author="You" if row.mine else name,
            peer_name=name,
            offer=offer,
            transfer=transfer,
            progress=progress,
            is_kept=is_waiting(row),
            is_last=is_last,
            is_last_own=is_last and row.mine,
            new_count=peer.unread if is_first_new and peer else 0,
            picture=self.pictures.size_of(transfer) if transfer else None,
            quote=self.quotes.above(row),
            free_px=0 if index else self.free_px,
        )

    def first_new_row(self) -> int:
        """The row under the "new messages" line, or -1."""
        return next((i for i, row in enumerate(self._rows) if self._is_new(row)), -1)

    # --- what people do ---

    def mark_new_from_here(self) -> None:
        """Put the "new messages" line after what has been read, unless one stands already."""
        peer = self.peer()
        if self._new_after is None and peer is not None:
            self._new_after = peer.my_read
            self._refresh_all()

    def clear_new_line(self) -> None:
        """Take the "new messages" line away."""
        if self._new_after is not None:
            self._new_after = None
            self._refresh_all()

    def keep_free(self, px: int) -> None:
        """So much lies over the beginning of what is in memory: it can be scrolled out of there."""
        if px != self.free_px:
            self.free_px = px
            if self._rows:
                self.dataChanged.emit(self.index(0), self.index(0))

    def hold(self, row: MessageRow | None) -> None:
        """`row` is being read and stays in memory; None: whatever is the newest."""
        self._timeline.held = None if row is not None and is_waiting(row) else row

    def fetch_older(self) -> None:
        """Ask for the page before the first row, unless one is being read or there is none."""
        self._pager.fetch_older()

    def fetch_newer(self) -> None:
        """Ask for the page after the last row, if the end is not in memory."""
        self._pager.fetch_newer()

    def show_tail(self) -> None:
        """Go back to the end of the conversation."""
        peer = self.peer()
        if peer is not None and not self._timeline.at_tail:
            self._pager.drop()
            self._timeline.reset(peer.messages, has_older=True)
            self._sync()

    def show_first(self, then: Then) -> None:
        """Bring the first message of the conversation into memory, `then` show it."""
        if self._rows and not self._timeline.has_older:
            then()
        else:
            self._pager.fetch_first(then, self.not_found.emit)

    def show_message(self, row: MessageRow) -> None:
        """Bring a message that a search found into memory; `found` follows, or `not_found`."""
        if self.row_of(row.id) >= 0:
            self.found.emit(row.id)
        else:
            self._pager.fetch_around(row, lambda: self.found.emit(row.id), self.not_found.emit)

    def bring(self, message_id: bytes, then: Callable[[MessageRow | None], None]) -> None:
        """Bring a message into memory; `then` gets it, or None if it cannot be read."""
        at = self.row_of(message_id)
        if at >= 0:
            then(self._rows[at])
            return

        def on_answer(answer: Answered) -> None:
            page = answer.result if isinstance(answer.result, HistoryPage) else None
            if page is None or not page.rows:
                then(None)
                return
            row = page.rows[0]
            self._pager.fetch_around(row, lambda: then(row), lambda: then(None))

        self._session.request(FetchHistory(self.peer_number, ids=[message_id]), on_answer)

    def show_day(self, day_ms: int) -> None:
        """Bring the first message of a day, or after it, into memory; `found` follows."""
        self._pager.find_day(day_ms, self.show_message, self.day_missed.emit)

    # --- how it changes ---

    def _on_reset(self) -> None:
        """Another view. What is being read stays, and is read again: it may be other rows now."""
        peer = self.peer()
        tail = peer.messages if peer else []
        held = self._timeline.held
        self._pager.drop()
        self.quotes.reset()
        if held is not None and tail and self._rows:
            self._timeline.at_tail = False
            self._pager.fetch_around(held, self._refresh_all)
        else:
            self._timeline.refresh(tail)
            self._timeline.has_older = self._timeline.has_older or bool(tail)
        self._sync()
        self._refresh_all()

    def _on_event(self, event: ev.Event) -> None:
        self.quotes.handle_event(event)
        if isinstance(event, ev.TransferChanged):
            self._refresh(event.row.id)
            return
        if getattr(event, "peer", 0) != self.peer_number:
            if isinstance(event, ev.PeerChanged) and event.row.peer == self.peer_number:
                self._refresh_all()
            return
        if isinstance(event, MessageEvent):
            self._pager.handle_event(event)
            self._sync()
        if isinstance(event, ev.MessageFailed):
            self._refresh_all()
        elif isinstance(event, ev.MessagesRestored | ev.MessagesDelivered | ev.MarksMoved):
            self.restated.emit()

    def _requote(self, ids: set[bytes]) -> None:
        for index, row in enumerate(self._rows) if ids else ():
            if row.reply_to in ids:
                self.dataChanged.emit(self.index(index), self.index(index))

    def _on_kept(self) -> None:
        before = {row.id: row for row in self._rows if is_waiting(row)}
        self._sync()
        for row in self._rows[-len(before) :] if before else []:
            if row.id in before and row != before[row.id]:
                self._refresh(row.id)

    def _state(self, row: MessageRow, peer: PeerView | None) -> str:
        if is_waiting(row):
            return "failed" if row.failed else "waiting"
        if row.failed == MessageFailure.WITHDRAWN:
            return "withdrawn"
        return message_state(row, peer) if peer else ""

    def _on_gauge(self, gauge: ev.Gauge) -> None:
        if isinstance(gauge, ev.TransferGauge) and gauge.peer == self.peer_number:
            self.restated.emit()

    def _sync(self) -> None:
        """Make the rows Qt knows those of the timeline, as insertions and removals if possible."""
        rows = [row for row in self._timeline.rows if row.failed != MessageFailure.DELETED]
        if self._timeline.at_tail:
            stored = {row.id for row in rows}
            kept = self._session.waiting(self.peer_number)
            rows += [row for row in waiting_rows(kept) if row.id not in stored]
        old, new = {row.id for row in self._rows}, {row.id for row in rows}
        staying = [row.id for row in self._rows if row.id in new]
        if (old and new and not staying) or staying != [row.id for row in rows if row.id in old]:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            self.quotes.want(rows)
            return
        for first, count in reversed(runs_of(row.id not in new for row in self._rows)):
            self.beginRemoveRows(QModelIndex(), first, first + count - 1)
            self._rows = self._rows[:first] + self._rows[first + count :]
            self.endRemoveRows()
        for first, count in runs_of(row.id not in old for row in rows):
            self.beginInsertRows(QModelIndex(), first, first + count - 1)
            self._rows = self._rows[:first] + rows[first : first + count] + self._rows[first:]
            self.endInsertRows()
        self._rows = rows
        self.quotes.want(rows)

    def _refresh(self, message_id: bytes) -> None:
        row = self.row_of(message_id)
        if row >= 0:
            self.dataChanged.emit(self.index(row), self.index(row))

    def _refresh_all(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))

    def _is_new(self, row: MessageRow) -> bool:
        return self._new_after is not None and not row.mine and row.ack > self._new_after

    def _any_new_upto(self, index: int) -> bool:
        while index >= 0:
            row = self._rows[index]
            if not row.mine:
                return self._is_new(row)
            index -= 1
        return False

    def _joins(self, one: MessageRow, other: MessageRow, peer: PeerView | None) -> bool:
        close = 0 <= other.sent_ms - one.sent_ms < GROUP_MS
        if one.mine != other.mine or not close or one.kind != other.kind:
            return False
        return bool(one.failed) == bool(other.failed)


def waiting_rows(kept: Iterable[Waiting]) -> list[MessageRow]:
    """Texts that no engine has yet as rows below all others."""
    rows = []
    for number, waiting in enumerate(kept, FIRST_WAITING_NO):
        text = waiting.text
        rows.append(
            MessageRow(
                number, text.id, True, MessageKind.TEXT, text.text.encode(), text.typed_ms,
                text.typed_ms, 0, 0, "", 0, number, waiting.refused, text.reply_to,
            )
        )  # fmt: skip
    return rows


def is_waiting(row: MessageRow) -> bool:
    """Whether a row stands for a text that no engine has yet."""
    return row.no >= FIRST_WAITING_NO


def runs_of(flags: Iterable[bool]) -> list[tuple[int, int]]:
    """Where flags are set: (first, count) of each run, ascending."""
    runs: list[tuple[int, int]] = []
    for index, flag in enumerate(flags):
        if flag and runs and sum(runs[-1]) == index:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        elif flag:
            runs.append((index, 1))
    return runs
