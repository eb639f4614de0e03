"""`:name` while one writes: offers the emoji that are called so, and puts the chosen one in."""

import re

from msgspec import Struct

from chatnet_qt.emoji_names import Emoji, find_emoji, named
from chatnet_qt.emoji_picker import EmojiModel
from chatnet_qt.qt import (
    QApplication,
    QEvent,
    QKeyEvent,
    QListView,
    QModelIndex,
    QObject,
    QPainter,
    QPixmap,
    QPlainTextEdit,
    QRectF,
    Qt,
    QTextCursor,
    present,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of

MAX_OFFERED = 6
_BEGUN = re.compile(r"(?:^|(?<=[\s(]))(:([a-z][a-z0-9_+-]+)(:?))$", re.IGNORECASE)


class Begun(Struct, frozen=True):
    """What stands before the cursor: `length` characters from the colon on."""

    name: str
    length: int
    closed: bool


def begun(before: str) -> Begun | None:
    """Whether a text ends in the beginning of an emoji's name. Times and addresses are none: the
    colon begins a word and a letter follows."""
    match = _BEGUN.search(before)
    if match is None:
        return None
    return Begun(match.group(2), len(match.group(1)), bool(match.group(3)))


class OfferModel(EmojiModel):
    """The same, with names: pictures aside, since a font of emoji has wide letters as well."""

    def _picture(self, text: str) -> QPixmap:
        m = measures_of(QApplication.font())
        side, ratio = m.px(20), 2
        pixmap = QPixmap(side * ratio, side * ratio)
        pixmap.setDevicePixelRatio(ratio)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setFont(m.emoji_body)
        painter.drawText(QRectF(0, 0, side, side), int(Qt.AlignmentFlag.AlignCenter), text)
        painter.end()
        return pixmap

    def data(self, index: QModelIndex, role: int = 0) -> object:
        """One in a line."""
        emoji = self.at(index.row()) if index.isValid() else None
        if emoji is not None and role == Qt.ItemDataRole.DisplayRole:
            return f":{emoji.names[0]}:"
        if emoji is not None and role == Qt.ItemDataRole.DecorationRole:
            return self._picture(emoji.text)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return None
        return super().data(index, role)


class EmojiCompletion(QObject):
    """Beside one text box, which keeps the focus."""

    def __init__(self, box: QPlainTextEdit) -> None:
        super().__init__(box)
        self._box = box
        self._begun: Begun | None = None
        self.model = OfferModel(self)
        self.list: QListView | None = None
        box.installEventFilter(self)
        box.textChanged.connect(self.look)
        box.cursorPositionChanged.connect(self._close_if_elsewhere)

    @property
    def is_open(self) -> bool:
        """Whether something is offered."""
        return self.list is not None and self.list.isVisible()

    def _before(self) -> str:
        cursor = self._box.textCursor()
        block = cursor.block().text()
        return block[: cursor.positionInBlock()]

    def look(self) -> None:
        """Offer what the text before the cursor begins, put in what it names."""
        self._begun = found = begun(self._before()) if self._box.hasFocus() else None
        if found is None:
            self._close()
        elif found.closed:
            self._close()
            if (emoji := named(found.name)) is not None:
                self._put(emoji, found)
        else:
            self.model.show(find_emoji(found.name, MAX_OFFERED))
            self._show() if self.model.rowCount() else self._close()

    def _close_if_elsewhere(self) -> None:
        if self.is_open and begun(self._before()) is None:
            self._close()

    def _show(self) -> None:
        shown = self._made()
        m = measures_of(self._box.font())
        c = colours_of(present(self._box.window()).palette())
        shown.setStyleSheet(
            f"QListView {{ background: {c.raised.name()}; color: {c.text.name()};"
            f" border: 1px solid {c.edge.name()}; padding: {m.px(4)}px; }}"
            f"QListView::item {{ padding: {m.px(4)}px; }}"
            f"QListView::item:selected {{ background: {c.selected.name()};"
            f" color: {c.text.name()}; }}"
        )
        shown.ensurePolished()
        rows = self.model.rowCount()
        tall = rows * shown.sizeHintForRow(0) + 2 * m.px(4) + 2
        wide = shown.sizeHintForColumn(0) + m.px(32)
        at = self._box.mapTo(present(self._box.window()), self._box.cursorRect().topLeft())
        space = present(self._box.window()).width() - wide - m.px(4)
        shown.setGeometry(max(0, min(at.x(), space)), max(0, at.y() - tall - m.px(8)), wide, tall)
        shown.setCurrentIndex(self.model.index(0))
        shown.show()
        shown.raise_()

    def _made(self) -> QListView:
        window = present(self._box.window())
        if self.list is None or self.list.parent() is not window:
            self.list = QListView(window)
            self.list.setModel(self.model)
            self.list.setAccessibleName("Emoji")
            self.list.setProperty("floats", True)
            self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            self.list.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            self.list.clicked.connect(lambda index: self._choose(index.row()))
        return self.list

    def _close(self) -> None:
        if self.list is not None:
            self.list.hide()

    def _choose(self, row: int) -> None:
        emoji = self.model.at(row)
        if emoji is not None and self._begun is not None:
            self._put(emoji, self._begun)
        self._close()

    def _put(self, emoji: Emoji, over: Begun) -> None:
        cursor = self._box.textCursor()
        left = QTextCursor.MoveOperation.Left
        cursor.movePosition(left, QTextCursor.MoveMode.KeepAnchor, over.length)
        cursor.insertText(emoji.text)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """While something is offered, arrows, Enter, Tab and Esc are about that."""
        if watched is not self._box or event is None or not self.is_open:
            return super().eventFilter(watched, event)
        if event.type() == QEvent.Type.FocusOut:
            self._close()
        if not isinstance(event, QKeyEvent) or event.type() != QEvent.Type.KeyPress:
            return super().eventFilter(watched, event)
        assert self.list is not None
        row, count = self.list.currentIndex().row(), self.model.rowCount()
        match event.key():
            case Qt.Key.Key_Up | Qt.Key.Key_Down:
                step = 1 if event.key() == Qt.Key.Key_Down else -1
                self.list.setCurrentIndex(self.model.index((row + step) % count))
            case Qt.Key.Key_Return | Qt.Key.Key_Enter | Qt.Key.Key_Tab:
                self._choose(row)
            case Qt.Key.Key_Escape:
                self._close()
            case _:
                return super().eventFilter(watched, event)
        return True
