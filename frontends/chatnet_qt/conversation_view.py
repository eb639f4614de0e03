"""The conversation as bubbles: what is clicked, copied and asked for by key leaves as a signal.

Knows no commands.
"""

import re

from chatnet_qt.bubble import Bubble
from chatnet_qt.bubble_delegate import Hit
from chatnet_qt.list_menu import menu_place
from chatnet_qt.models import ConversationModel
from chatnet_qt.qt import (
    QContextMenuEvent,
    QEvent,
    QGuiApplication,
    QItemSelection,
    QItemSelectionModel,
    QKeyEvent,
    QKeySequence,
    QModelIndex,
    QMouseEvent,
    QPoint,
    Qt,
    QWidget,
    present,
    pyqtSignal,
)
from chatnet_qt.reading_list import ReadingList
from chatnet_qt.wording import clock_words, utf16_span

MAX_COPIED = 1000


class ConversationView(ReadingList):
    """Signals: `acted(id, action)` a button in a bubble; `link_clicked(address)`;
    `details_wanted(id)`; `withdraw_wanted(id)`; `menu_wanted(id, position)`."""

    acted = pyqtSignal(bytes, str)
    link_clicked = pyqtSignal(str)
    details_wanted = pyqtSignal(bytes)
    withdraw_wanted = pyqtSignal(bytes)
    menu_wanted = pyqtSignal(bytes, QPoint)

    def __init__(self, model: ConversationModel, parent: QWidget | None = None) -> None:
        super().__init__(model, parent)
        self._anchor: tuple[bytes, int] | None = None
        """Where selecting began: a message and a position in its text."""

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Begin to select: text in a bubble, or whole messages."""
        self._clear_chosen()
        self._anchor = None
        if event is not None and event.button() == Qt.MouseButton.LeftButton:
            found, bubble = self._hit(event.pos())
            plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
            if bubble is not None and found.position >= 0 and plain:
                self._anchor = (bubble.row.id, found.position)
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Show what can be clicked; go on selecting."""
        if event is None:
            return
        if self._anchor is not None and event.buttons() & Qt.MouseButton.LeftButton:
            self._select_to(event.pos())
            return
        super().mouseMoveEvent(event)
        found, bubble = self._hit(event.pos())
        shape = Qt.CursorShape.ArrowCursor
        if found.action or found.link:
            shape = Qt.CursorShape.PointingHandCursor
        elif found.position >= 0:
            shape = Qt.CursorShape.IBeamCursor
        present(self.viewport()).setCursor(shape)
        self._hover_over((bubble.row.id, found.action) if bubble else (b"", ""))

    def leaveEvent(self, event: QEvent | None) -> None:
        """Nothing is under the mouse."""
        super().leaveEvent(event)
        self._hover_over((b"", ""))

    def _hover_over(self, hover: tuple[bytes, str]) -> None:
        if hover != self._delegate.hover:
            self._delegate.hover = hover
            self._repaint()

    def _select_to(self, at: QPoint) -> None:
        """Select text while the mouse stays in one bubble, whole messages beyond it."""
        assert self._anchor is not None
        message_id, start = self._anchor
        first, index = self._model.row_of(message_id), self.indexAt(at)
        if first < 0:
            return
        row = index.row() if index.isValid() else first
        if row == first:
            bubble = self._model.bubble(first)
            corner = self.visualRect(self._model.index(first)).topLeft()
            end = self._delegate.position_near(bubble, self.font(), at - corner)
            present(self.selectionModel()).clearSelection()
            self._delegate.chosen = (message_id, min(start, end), max(start, end))
        else:
            self._delegate.chosen = None
            low, high = sorted((first, row))
            span = QItemSelection(self._model.index(low), self._model.index(high))
            flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
            present(self.selectionModel()).select(span, flag)
        self._repaint()

    def _clear_chosen(self) -> None:
        if self._delegate.chosen is not None:
            self._delegate.chosen = None
            self._repaint()

    def chosen_text(self) -> str:
        """The part of a text that is selected; empty: none is."""
        chosen = self._delegate.chosen
        row = self._model.row_of(chosen[0]) if chosen else -1
        if chosen is None or row < 0:
            return ""
        text = self._delegate.text_of(self._model.bubble(row), self.font())
        return text.encode("utf-16-le")[2 * chosen[1] : 2 * chosen[2]].decode(
            "utf-16-le", "replace"
        )

    def mouseReleaseEvent(self, event: QMouseEvent | None) -> None:
        """Carry out what lies under the mouse."""
        super().mouseReleaseEvent(event)
        anchor, self._anchor = self._anchor, None
        if event is None or event.button() != Qt.MouseButton.LeftButton:
            return
        chosen = self._delegate.chosen
        if chosen is not None and chosen[1] < chosen[2]:
            return
        self._clear_chosen()
        found, bubble = self._hit(event.pos())
        if bubble is not None and found.action:
            self.acted.emit(bubble.row.id, found.action)
        elif found.link and anchor is not None:
            self.link_clicked.emit(found.link)

    def mouseDoubleClickEvent(self, event: QMouseEvent | None) -> None:
        """A word of a text; details of the message beside it."""
        if event is None:
            return
        found, bubble = self._hit(event.pos())
        if bubble is None or not found.on_bubble or found.action:
            return
        if found.position < 0:
            self.details_wanted.emit(bubble.row.id)
            return
        text = self._delegate.text_of(bubble, self.font())
        start, end = word_at(text, found.position)
        present(self.selectionModel()).clearSelection()
        self._delegate.chosen = (bubble.row.id, start, end)
        self._repaint()

    def contextMenuEvent(self, event: QContextMenuEvent | None) -> None:
        """The menu of a message, by mouse or key."""
        if event is None:
            return
        row, at = menu_place(self, event)
        if row >= 0:
            self.menu_wanted.emit(self._model.message(row).id, at)

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
        """Put what is selected on the clipboard: a part of a text, one text, or several messages
        with author and time."""
        if chosen := self.chosen_text():
            present(QGuiApplication.clipboard()).setText(chosen)
            return
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


def word_at(text: str, position: int) -> tuple[int, int]:
    """The word around a position, in Qt's positions."""
    at = len(text.encode("utf-16-le")[: 2 * position].decode("utf-16-le", "ignore"))
    for match in re.finditer(r"\w+|\s+|[^\w\s]", text):
        if match.start() <= at < match.end():
            start, length = utf16_span(text, match.start(), match.end() - match.start())
            return start, start + length
    return position, position
