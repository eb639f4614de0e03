"""The conversation as Qt's item views see it: a list model fed by the session's view and events.

Owns the window of rows, the place of the "new messages" line, and what is asked of the history. It
draws nothing; `Bubble` holds what the delegate has to know of one row and its neighbours.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chatnet_client.client_events import Answered
from chatnet_protocol.errors import DecodeError
from chatnet_protocol.ipc import events as ev
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.offer import Offer, decode_offer
from chatnet_protocol.ipc.rows import MessageKind, MessageRow, TransferRow
from chatnet_protocol.ipc.view import PeerView, message_state
from chatnet_qt.qt import QAbstractListModel, QModelIndex, QObject, Qt, pyqtSignal
from chatnet_qt.session import Session
from chatnet_qt.timeline import Timeline
from chatnet_qt.wording import STATE_WORDS, clock_words, day_of, day_words, peer_name, shown_text

GROUP_MS = 120_000
"""Messages of one author this close together form a group."""
PAGE_ROWS = 100

OnPage = Callable[[HistoryPage], None]
Then = Callable[[], None]

BUBBLE_ROLE = int(Qt.ItemDataRole.UserRole)


@dataclass(frozen=True)
class Bubble:
    """One message with all that its drawing depends on."""

    row: MessageRow
    text: str
    state: str
    day: str
    """The day separator above it; empty if the day is that of the row before."""
    is_first_new: bool
    """Whether the "new messages" line stands above it."""
    starts_group: bool
    ends_group: bool
    author: str
    peer_name: str = ""
    offer: Offer | None = None
    transfer: TransferRow | None = None
    rate_bytes_s: float = 0.0
    done_bytes: int = 0


class ConversationModel(QAbstractListModel):
    """Messages of one peer, oldest first.

    Signals: `found(id)` a row that was asked for is there now; `restated` states or progress moved,
    which changes no size.
    """

    found = pyqtSignal(bytes)
    restated = pyqtSignal()

    def __init__(self, session: Session, peer: int, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.peer_number = peer
        self._timeline = Timeline()
        self._rows: list[MessageRow] = []
        self._new_after: int | None = None
        self._fetching = False
        self._wanted: MessageRow | None = None
        session.was_reset.connect(self._on_reset)
        session.changed.connect(self._on_event)
        session.gauged.connect(self._on_gauge)
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
        done_bytes, rate_bytes_s = 0, 0.0
        if row.kind == MessageKind.OFFER:
            transfer = self._session.view.transfer(row.id) if self._session.view else None
            offer = offer_of(row)
        if transfer is not None:
            done_bytes, rate_bytes_s = self._session.mirror.progress(transfer)
        name = peer_name(peer.info) if peer else ""
        starts = new_day or is_first_new or before is None or not self._joins(before, row, peer)
        return Bubble(
            row=row,
            text="" if offer else shown_text(row.text),
            state=message_state(row, peer) if peer else "",
            day=day_words(row.arrived_ms, int(time.time() * 1000)) if new_day else "",
            is_first_new=is_first_new,
            starts_group=starts,
            ends_group=after is None or not self._joins(row, after, peer),
            author="You" if row.mine else name,
            peer_name=name,
            offer=offer,
            transfer=transfer,
            rate_bytes_s=rate_bytes_s,
            done_bytes=done_bytes,
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

    def fetch_older(self) -> None:
        """Ask for the page before the first row, unless one is under way or there is none."""
        if self._fetching or (first := self._timeline.ask_older()) is None:
            return
        self._fetch(
            FetchHistory(
                peer=self.peer_number,
                before_place=first.place,
                before_no=first.no,
                limit=PAGE_ROWS,
            ),
            lambda page: self._timeline.add_older(page.rows, page.more),
        )

    def fetch_newer(self) -> None:
        """Ask for the page after the last row, if the end is not in memory."""
        if self._timeline.at_tail or not self._rows:
            return
        last = self._rows[-1]
        after = FetchHistory(
            self.peer_number, after_place=last.place, after_no=last.no, limit=PAGE_ROWS
        )
        self._fetch(after, lambda page: self._timeline.add_newer(page.rows, page.more))

    def show_tail(self) -> None:
        """Go back to the end of the conversation."""
        peer = self.peer()
        if peer is not None and not self._timeline.at_tail:
            self._timeline.reset(peer.messages, has_older=True)
            self._sync()

    def show_message(self, row: MessageRow) -> None:
        """Bring a message that a search found into memory; `found` follows."""
        if self.row_of(row.id) >= 0:
            self.found.emit(row.id)
            return
        if self._fetching:
            self._wanted = row
            return

        def on_page(page: HistoryPage) -> None:
            self._timeline.show_around([*page.rows, row])

        before = FetchHistory(
            peer=self.peer_number, before_place=row.place, before_no=row.no, limit=PAGE_ROWS
        )

        def then() -> None:
            self.found.emit(row.id)
            self.fetch_newer()

        self._fetch(before, on_page, then)

    # --- how it changes ---

    def _fetch(self, command: FetchHistory, on_page: OnPage, then: Then = lambda: None) -> None:
        if self._fetching:
            return
        self._fetching = True

        def on_answer(answer: Answered) -> None:
            self._fetching = False
            if isinstance(answer.result, HistoryPage):
                on_page(answer.result)
                self._sync()
                then()
            wanted, self._wanted = self._wanted, None
            if wanted is not None:
                self.show_message(wanted)

        self._session.request(command, on_answer)

    def _on_reset(self) -> None:
        self._fetching = False
        peer = self.peer()
        tail = peer.messages if peer else []
        self._timeline.refresh(tail)
        self._timeline.has_older = self._timeline.has_older or bool(tail)
        self._sync()
        self._refresh_all()

    def _on_event(self, event: ev.Event) -> None:
        if isinstance(event, ev.TransferChanged):
            self._refresh(event.row.id)
            return
        if getattr(event, "peer", 0) != self.peer_number:
            if isinstance(event, ev.PeerChanged) and event.row.peer == self.peer_number:
                self._refresh_all()
            return
        match event:
            case ev.MessagesAdded():
                self._timeline.add(event.rows)
                self._sync()
            case ev.MessagesRestored():
                self._timeline.restore(event.rows)
                self._sync()
                self.restated.emit()
            case ev.MessagesDelivered():
                self._timeline.apply_runs(event.runs)
                self._sync()
                self.restated.emit()
            case ev.MessageFailed():
                self._timeline.fail(event.no, event.reason)
                self._sync()
                self._refresh_all()
            case ev.MarksMoved():
                self.restated.emit()

    def _on_gauge(self, gauge: ev.Gauge) -> None:
        if isinstance(gauge, ev.TransferGauge) and gauge.peer == self.peer_number:
            self.restated.emit()

    def _sync(self) -> None:
        """Make the rows Qt knows those of the timeline, as insertions and removals if possible."""
        rows = list(self._timeline.rows)
        old, new = {row.id for row in self._rows}, {row.id for row in rows}
        kept = [row.id for row in self._rows if row.id in new]
        if (old and new and not kept) or kept != [row.id for row in rows if row.id in old]:
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
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


def runs_of(flags: Iterable[bool]) -> list[tuple[int, int]]:
    """Where flags are set: (first, count) of each run, ascending."""
    runs: list[tuple[int, int]] = []
    for index, flag in enumerate(flags):
        if flag and runs and sum(runs[-1]) == index:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        elif flag:
            runs.append((index, 1))
    return runs


def offer_of(row: MessageRow) -> Offer:
    """The files a message offers; an unreadable one is shown as an offer of a nameless file."""
    try:
        return decode_offer(row.body)
    except DecodeError:
        return Offer(files=[])


def spoken(bubble: Bubble) -> str:
    """A message as a screen reader says it."""
    row = bubble.row
    what = bubble.text
    if bubble.offer is not None:
        what = f"{len(bubble.offer.files)} files offered"
    if row.mine:
        end = f"Not sent: {row.failed}" if row.failed else STATE_WORDS.get(bubble.state, "")
    else:
        end = f"ACK {row.ack} from {row.source}"
    return f"{bubble.author}, {clock_words(row.sent_ms)}: {what}. {end}"
