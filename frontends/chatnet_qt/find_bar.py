"""Finds text in the whole history of one conversation, newest hit first."""

from chatnet_client.client_events import Answered
from chatnet_protocol.ipc.commands import FetchHistory, HistoryPage
from chatnet_protocol.ipc.rows import MessageRow
from chatnet_protocol.ipc.view import screen_order
from chatnet_qt.controls import IconButton
from chatnet_qt.labels import label
from chatnet_qt.qt import (
    QCalendarWidget,
    QDate,
    QDateTime,
    QFrame,
    QHBoxLayout,
    QKeyEvent,
    QLineEdit,
    QMenu,
    QPainter,
    QPaintEvent,
    Qt,
    QTime,
    QTimer,
    QWidget,
    QWidgetAction,
    pyqtSignal,
)
from chatnet_qt.session import Session
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of

PAUSE_MS = 250
HITS_PER_PAGE = 50
MAX_HITS = 1000
MAX_SEARCH_CHARACTERS = 200


class FindBar(QFrame):
    """`searched(words)` is being looked for, nothing when empty; `found(row)` show this message;
    `closed` back to the conversation; `day_chosen(minute)` the first message from then on."""

    searched = pyqtSignal(str)
    found = pyqtSignal(object)
    closed = pyqtSignal()
    day_chosen = pyqtSignal(int)

    def __init__(self, session: Session, peer: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._peer = peer
        self._hits: list[MessageRow] = []
        self._at = -1
        self._more = False
        self._asked = 0
        self.box = QLineEdit()
        self.box.setPlaceholderText("Find in this conversation")
        self.box.setAccessibleName("Find in this conversation")
        self.box.setMaxLength(MAX_SEARCH_CHARACTERS)
        self.box.setClearButtonEnabled(True)
        self.count = label(font="small", ink="text_2")
        older = IconButton("up", "Previous match (Enter)")
        newer = IconButton("down", "Next match (Shift+Enter)")
        close = IconButton("close", "Close (Esc)")
        m = measures_of(self.font())
        row = QHBoxLayout(self)
        row.setContentsMargins(m.px(24), m.px(8), m.px(12), m.px(8))
        row.setSpacing(m.px(4))
        self.box.setMaximumWidth(m.px(352))
        for widget in (self.box, self.count, older, newer):
            row.addWidget(widget, 1 if widget is self.box else 0)
        row.addStretch(1)
        self.day = IconButton("calendar", "Jump to date")
        self.day.clicked.connect(self._choose_day)
        row.addWidget(self.day)
        row.addWidget(close)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self.search)
        self.box.textChanged.connect(lambda _text: self._pause.start())
        older.clicked.connect(lambda: self.step(1))
        newer.clicked.connect(lambda: self.step(-1))
        close.clicked.connect(self.close_bar)
        self.hide()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The canvas, and a line below it."""
        painter, c = QPainter(self), colours_of(self.palette())
        painter.fillRect(self.rect(), c.canvas)
        painter.fillRect(0, self.height() - 1, self.width(), 1, c.line)

    def open_bar(self) -> None:
        """Show it, ready to type."""
        self.show()
        self.box.setFocus()
        self.box.selectAll()

    def _choose_day(self) -> None:
        """A calendar; a click on a day goes there."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        calendar = QCalendarWidget(menu)
        calendar.setMaximumDate(QDate.currentDate())
        calendar.setAccessibleName("Jump to date")
        holder = QWidgetAction(menu)
        holder.setDefaultWidget(calendar)
        menu.addAction(holder)

        def on_day(day: QDate) -> None:
            menu.close()
            start = QDateTime(day, QTime(0, 0))
            self.day_chosen.emit(start.toSecsSinceEpoch() // 60)

        calendar.clicked.connect(on_day)
        calendar.activated.connect(on_day)
        menu.popup(self.day.mapToGlobal(self.day.rect().bottomLeft()))
        calendar.setFocus()

    def close_bar(self) -> None:
        """Hide it."""
        self._pause.stop()
        self.hide()
        self.searched.emit("")
        self.closed.emit()

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter goes on, Esc closes."""
        if event is None:
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            back = event.modifiers() & Qt.KeyboardModifier.ShiftModifier
            self.step(-1 if back else 1)
        elif event.key() == Qt.Key.Key_Escape:
            self.close_bar()
        else:
            super().keyPressEvent(event)

    def search(self) -> None:
        """Start anew with what stands in the box."""
        self._pause.stop()
        self._hits, self._at, self._more = [], -1, False
        self._asked += 1
        self.searched.emit(self.box.text())
        if self.box.text():
            self._fetch()
        else:
            self.count.setText("")

    def step(self, by: int) -> None:
        """The next hit: 1 is older, -1 newer."""
        if self._pause.isActive():
            self.search()
            return
        if self._hits:
            self._go(self._at + by)

    def _go(self, at: int) -> None:
        if at >= len(self._hits) and self._more and len(self._hits) < MAX_HITS:
            self._fetch()
            return
        self._at = max(0, min(at, len(self._hits) - 1))
        plus = "+" if self._more else ""
        self.count.setText(f"{self._at + 1} of {len(self._hits)}{plus}")
        self.found.emit(self._hits[self._at])

    def _fetch(self) -> None:
        asked = self._asked
        last = self._hits[-1] if self._hits else None

        def on_answer(answer: Answered) -> None:
            if asked != self._asked:
                return
            if not isinstance(answer.result, HistoryPage):
                self.count.setText("No answer")
                return
            known = {row.id for row in self._hits}
            fresh = [row for row in answer.result.rows if row.id not in known]
            self._hits += sorted(fresh, key=screen_order, reverse=True)
            self._more = answer.result.more and bool(fresh)
            if self._hits:
                self._go(self._at + 1)
            else:
                self.count.setText("Nothing found")

        self._session.request(
            FetchHistory(
                peer=self._peer,
                before_place=last.place if last else 0,
                before_no=last.no if last else 0,
                limit=HITS_PER_PAGE,
                search=self.box.text(),
            ),
            on_answer,
        )
