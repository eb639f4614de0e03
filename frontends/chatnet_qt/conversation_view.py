"""The conversation as bubbles: what is clicked, copied and asked for by key leaves as a signal.

Knows no commands.
"""

from chatnet_qt.bubble_delegate import Hit
from chatnet_qt.models import Bubble
from chatnet_qt.qt import (
    QContextMenuEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QModelIndex,
    QMouseEvent,
    QPoint,
    Qt,
    present,
    pyqtSignal,
)
from chatnet_qt.reading_list import ReadingList
from chatnet_qt.wording import clock_words

MAX_COPIED = 1000


class ConversationView(ReadingList):
    """Signals: `acted(id, action)` a button in a bubble; `link_clicked(address)`;
    `details_wanted(id)`; `withdraw_wanted(id)`; `menu_wanted(id, position)`."""

    acted = pyqtSignal(bytes, str)
    link_clicked = pyqtSignal(str)
    details_wanted = pyqtSignal(bytes)
    withdraw_wanted = pyqtSignal(bytes)
    menu_wanted = pyqtSignal(bytes, QPoint)

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
        """Enter opens details, Del withdraws, Ctrl+C copies."""
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
