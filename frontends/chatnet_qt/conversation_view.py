"""The list of bubbles: keeps its place while rows come and go, fetches pages, reports what is seen.

Knows no commands: what a click or key asks for leaves as a signal.
"""

from chatnet_qt.bubble_delegate import BubbleDelegate, Hit
from chatnet_qt.models import Bubble, ConversationModel
from chatnet_qt.qt import (
    QAbstractItemView,
    QContextMenuEvent,
    QEvent,
    QFrame,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QListView,
    QModelIndex,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPoint,
    QResizeEvent,
    Qt,
    QTimer,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.reading_place import ReadingPlace
from chatnet_qt.theme import colours_of, mix, scroll_bar_style
from chatnet_qt.wording import clock_words

OLDER_WITHIN_PX = 300
"""Nearer than this to the top, the page before is asked for."""
SETTLE_MS = 60
"""What is seen is reported after this much quiet."""
MAX_COPIED = 1000
NOTHING_YET = "No messages yet. What you write is kept and goes out by itself."


class ConversationView(QListView):
    """Signals: `acted(id, action)` a button in a bubble; `link_clicked(address)`;
    `details_wanted(id)`; `withdraw_wanted(id)`; `menu_wanted(id, position)`; `seen` what is on
    screen may be other rows; `typed(key event)` a key that belongs into the composer."""

    acted = pyqtSignal(bytes, str)
    link_clicked = pyqtSignal(str)
    details_wanted = pyqtSignal(bytes)
    withdraw_wanted = pyqtSignal(bytes)
    menu_wanted = pyqtSignal(bytes, QPoint)
    seen = pyqtSignal()
    typed = pyqtSignal(object)

    def __init__(self, model: ConversationModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._delegate = BubbleDelegate(model, self)
        self._place = ReadingPlace(self, model, self._bubble_top)
        self._restoring = False
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(SETTLE_MS)
        self._settle.timeout.connect(self.report_now)
        self.setItemDelegate(self._delegate)
        self.setAccessibleName("Conversation")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setAutoScroll(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setModel(model)
        model.rowsInserted.connect(self._on_rows_moved)
        model.rowsRemoved.connect(self._on_rows_moved)
        model.dataChanged.connect(self._on_data_changed)
        model.modelReset.connect(self._delegate.forget_heights)
        model.restated.connect(self._repaint)
        bar = present(self.verticalScrollBar())
        bar.valueChanged.connect(self._on_scrolled)
        bar.rangeChanged.connect(lambda _low, high: bar.setEnabled(high > 0))
        bar.setEnabled(False)
        self._style_canvas()

    # --- place ---

    @property
    def at_end(self) -> bool:
        """Whether the newest message is on screen, or will be after the next layout."""
        return self._place.at_end

    def go_to_end(self) -> None:
        """Show the newest message."""
        self._model.show_tail()
        self._place.follow_end()
        self._lay_out()

    def go_to_start(self) -> None:
        """Show the first message of all."""
        self._model.show_first()

    def go_to(self, message_id: bytes) -> None:
        """Show a message that is in memory in the middle, and select it."""
        row = self._model.row_of(message_id)
        if row < 0:
            return
        self.executeDelayedItemsLayout()
        index = self._model.index(row)
        self.setCurrentIndex(index)
        hint = QAbstractItemView.ScrollHint
        fits = self.visualRect(index).height() < present(self.viewport()).height()
        self.scrollTo(index, hint.PositionAtCenter if fits else hint.PositionAtTop)
        self._place.hold(row)

    def go_to_row(self, row: int) -> None:
        """Put a row near the top."""
        if row >= 0:
            self.executeDelayedItemsLayout()
            self.scrollTo(self._model.index(row), QAbstractItemView.ScrollHint.PositionAtTop)
            self._place.remember()

    def visible_rows(self) -> range:
        """Rows of which a part is on screen."""
        self.executeDelayedItemsLayout()
        height = present(self.viewport()).height()
        first, last = self.indexAt(QPoint(8, 1)), self.indexAt(QPoint(8, height - 1))
        if not first.isValid():
            return range(0)
        return range(
            first.row(), (last.row() if last.isValid() else self._model.rowCount() - 1) + 1
        )

    def set_footers(self, on: bool) -> None:
        """Whether ACK number and source stand under the peer's messages."""
        self._delegate.set_footers(on)
        self._lay_out()

    def updateGeometries(self) -> None:
        """Qt's last step of every layout: what must not move goes back to where it was."""
        if self._restoring:
            return
        self._restoring = True
        super().updateGeometries()
        self._place.restore()
        self._restoring = False
        self._settle.start()

    def _lay_out(self) -> None:
        """Measure every row anew, now."""
        self.scheduleDelayedItemsLayout()
        self.executeDelayedItemsLayout()

    def _bubble_top(self, row: int) -> int:
        placed = self._delegate.placed(self._model.bubble(row), self.font())
        return round(placed.bubble.top())

    def _on_rows_moved(self, _parent: QModelIndex, first: int, last: int) -> None:
        """New neighbours change groups and day separators, and with them heights."""
        count = self._model.rowCount()
        for row in range(max(0, first - 1), min(count, last + 2)):
            self._delegate.forget_height(self._model.message(row).id)

    def _on_data_changed(self, first: QModelIndex, last: QModelIndex) -> None:
        for row in range(first.row(), last.row() + 1):
            self._delegate.forget_height(self._model.message(row).id)
        self.scheduleDelayedItemsLayout()

    def _on_scrolled(self) -> None:
        if not self._restoring:
            self._place.remember()
        self._settle.start()

    def report_now(self) -> None:
        """Ask for pages that are near, and say that other rows may be on screen."""
        self.executeDelayedItemsLayout()
        self._settle.stop()
        bar = present(self.verticalScrollBar())
        if bar.value() < OLDER_WITHIN_PX:
            self._model.fetch_older()
        if bar.value() > bar.maximum() - OLDER_WITHIN_PX:
            self._model.fetch_newer()
        self.seen.emit()

    def _repaint(self) -> None:
        present(self.viewport()).update()

    def _style_canvas(self) -> None:
        palette = self.palette()
        window, base = palette.color(palette.Window), palette.color(palette.Base)
        present(self.viewport()).setAutoFillBackground(True)
        present(self.verticalScrollBar()).setStyleSheet(scroll_bar_style(palette))
        inner = present(self.viewport()).palette()
        inner.setColor(palette.Base, mix(base, window, 0.35))
        present(self.viewport()).setPalette(inner)

    # --- Qt's events ---

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """A new width lays out anew; the place stays."""
        if self._delegate.set_width(present(self.viewport()).width(), self.font()):
            self._lay_out()
        super().resizeEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The bubbles, or a word where there are none yet."""
        super().paintEvent(event)
        if self._model.rowCount() == 0:
            painter = QPainter(self.viewport())
            painter.setPen(colours_of(self.palette()).muted)
            area = present(self.viewport()).rect().adjusted(30, 30, -30, -30)
            flags = int(Qt.AlignmentFlag.AlignCenter) | int(Qt.TextFlag.TextWordWrap)
            painter.drawText(area, flags, NOTHING_YET)

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow the theme and the font."""
        super().changeEvent(event)
        kinds = (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.StyleChange)
        if event is not None and event.type() in kinds:
            self._delegate.forget()
            self._style_canvas()
            self._lay_out()

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Show what can be clicked."""
        super().mouseMoveEvent(event)
        if event is None:
            return
        found, bubble = self._hit(event.pos())
        active = bool(found.action or found.link)
        hand = Qt.CursorShape.PointingHandCursor if active else Qt.CursorShape.ArrowCursor
        present(self.viewport()).setCursor(hand)
        hover = (bubble.row.id, found.action) if bubble and found.action else (b"", "")
        if hover != self._delegate.hover:
            self._delegate.hover = hover
            self._repaint()

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Carry out what lies under the mouse."""
        super().mouseReleaseEvent(event)
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        found, bubble = self._hit(event.pos())
        if bubble is not None and found.action:
            self.acted.emit(bubble.row.id, found.action)
        elif found.link:
            self.link_clicked.emit(found.link)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """Details of the message."""
        if event is None:
            return
        found, bubble = self._hit(event.pos())
        if bubble is not None and found.on_bubble and not found.action:
            self.details_wanted.emit(bubble.row.id)

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """The menu of a message, by mouse or key."""
        if event is None:
            return
        index, at = self.indexAt(event.pos()), event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            index = self.currentIndex()
            at = present(self.viewport()).mapToGlobal(self.visualRect(index).center())
        if index.isValid():
            self.menu_wanted.emit(self._model.message(index.row()).id, at)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Enter opens details, Del withdraws, Ctrl+C copies, letters go to the composer."""
        if event is None:
            return
        current = self.currentIndex()
        on_message = {
            Qt.Key.Key_Return: self.details_wanted,
            Qt.Key.Key_Enter: self.details_wanted,
            Qt.Key.Key_Delete: self.withdraw_wanted,
        }.get(Qt.Key(event.key()))
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selected()
        elif on_message is not None:
            if current.isValid():
                on_message.emit(self._model.message(current.row()).id)
        elif event.key() == Qt.Key.Key_End:
            self.go_to_end()
        elif event.text().isprintable() and event.text():
            self.typed.emit(event)
        else:
            super().keyPressEvent(event)

    def copy_selected(self) -> None:
        """Put the selected messages on the clipboard; author and time when there are several."""
        rows = sorted(index.row() for index in self.selectedIndexes())[:MAX_COPIED]
        bubbles = [self._model.bubble(row) for row in rows]
        if len(bubbles) == 1:
            text = bubbles[0].text
        else:
            text = "\n".join(
                f"[{clock_words(b.row.sent_ms)}] {b.author}: {b.text}" for b in bubbles
            )
        if text:
            present(QGuiApplication.clipboard()).setText(text)

    def _hit(self, at: QPoint) -> tuple[Hit, Bubble | None]:
        index: QModelIndex = self.indexAt(at)
        if not index.isValid():
            return Hit(), None
        bubble = self._model.bubble(index.row())
        corner = self.visualRect(index).topLeft()
        return self._delegate.hit(bubble, self.font(), at - corner), bubble
