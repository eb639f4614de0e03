"""Choosing an emoji: a small window to look and search in."""

from collections.abc import Callable, Sequence

from chatnet_qt.emoji_names import Emoji, all_emoji, find_emoji
from chatnet_qt.labels import label
from chatnet_qt.qt import (
    QAbstractListModel,
    QEvent,
    QFrame,
    QKeyEvent,
    QLineEdit,
    QListView,
    QModelIndex,
    QObject,
    QPoint,
    QSize,
    Qt,
    QVBoxLayout,
    QWidget,
    present,
)
from chatnet_qt.settings import Settings
from chatnet_qt.theme import colours_of, scroll_bar_style
from chatnet_qt.tokens import measures_of, scaled

ACROSS, DOWN = 9, 6
CELL = 36
SIZE = 1.43
"""Of an emoji, relative to text."""


class EmojiModel(QAbstractListModel):
    """What is to be chosen from."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._found: Sequence[Emoji] = ()

    def show(self, found: Sequence[Emoji]) -> None:
        """Offer these."""
        self.beginResetModel()
        self._found = found
        self.endResetModel()

    def at(self, row: int) -> Emoji | None:
        """The one at `row`."""
        return self._found[row] if 0 <= row < len(self._found) else None

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many."""
        return 0 if parent is not None and parent.isValid() else len(self._found)

    def data(self, index: QModelIndex, role: int = 0) -> object:
        """The emoji, or its name."""
        emoji = self.at(index.row()) if index.isValid() else None
        if emoji is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return emoji.text
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return emoji.words
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return int(Qt.AlignmentFlag.AlignCenter)
        return None


class EmojiPicker(QFrame):
    """One for a window; the caller passes where the emoji goes."""

    def __init__(self, settings: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self._settings = settings
        self._take: Callable[[str], None] | None = None
        self.setAccessibleName("Emoji")
        self.box = QLineEdit()
        self.box.setPlaceholderText("Search emoji")
        self.box.setAccessibleName("Search emoji")
        self.name = label(font="small", ink="text_2")
        self.model = EmojiModel(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setAccessibleName("Emoji found")
        self.list.setViewMode(QListView.ViewMode.IconMode)
        self.list.setMovement(QListView.Movement.Static)
        self.list.setResizeMode(QListView.ResizeMode.Adjust)
        self.list.setUniformItemSizes(True)
        self.list.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.list.setFrameShape(QFrame.Shape.NoFrame)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.list.setMouseTracking(True)
        column = QVBoxLayout(self)
        for widget in (self.box, self.list, self.name):
            column.addWidget(widget)
        self.setObjectName("picker")
        self.box.textChanged.connect(self._look)
        self.box.returnPressed.connect(lambda: self._choose(0))
        self.box.installEventFilter(self)
        self.list.clicked.connect(lambda index: self._choose(index.row()))
        self.list.activated.connect(lambda index: self._choose(index.row()))
        self.list.entered.connect(lambda index: self._name(index.row()))
        present(self.list.selectionModel()).currentChanged.connect(
            lambda index: self._name(index.row())
        )

    def _lay_out(self) -> None:
        c, m = colours_of(self.palette()), measures_of(self.font())
        self.list.setFont(scaled(m.emoji_body, SIZE))
        self.list.setGridSize(QSize(m.px(CELL), m.px(CELL)))
        bar = present(self.list.verticalScrollBar())
        bar.setStyleSheet(scroll_bar_style(self.palette()))
        self.list.setFixedSize(m.px(CELL) * ACROSS + m.px(16), m.px(CELL) * DOWN)
        column = present(self.layout())
        column.setContentsMargins(m.px(8), m.px(8), m.px(8), m.px(8))
        column.setSpacing(m.px(4))
        self.setStyleSheet(
            f"#picker {{ background: {c.raised.name()}; border: 1px solid {c.edge.name()}; }}"
            f"QListView {{ background: {c.raised.name()}; }}"
            f"QListView::item:selected, QListView::item:hover {{ background: {c.selected.name()};"
            f" border-radius: {m.px(6)}px; }}"
        )

    def pop_up(self, take: Callable[[str], None], corner: QPoint) -> None:
        """Show it with its lower right corner there, on the screen; `take` what is chosen."""
        self._take = take
        self._lay_out()
        self._look(self.box.text())
        self.adjustSize()
        screen = present(self.screen()).availableGeometry()
        x = max(screen.left(), corner.x() - self.width())
        y = max(screen.top(), corner.y() - self.height())
        self.move(x, y)
        self.show()
        self.box.setFocus()

    def _look(self, words: str) -> None:
        if words.strip():
            found = find_emoji(words)
        else:
            recent = [named_by_text(text) for text in self._settings.recent_emoji]
            known = [emoji for emoji in recent if emoji is not None]
            rest = [emoji for emoji in all_emoji() if emoji not in known]
            found = known + rest
        self.model.show(found)
        self.name.setText("" if found else "Nothing found")
        self.list.scrollToTop()

    def _name(self, row: int) -> None:
        emoji = self.model.at(row)
        if emoji is not None:
            self.name.setText(f":{emoji.names[0]}:")

    def _choose(self, row: int) -> None:
        emoji = self.model.at(row)
        if emoji is None:
            return
        self._settings.use_emoji(emoji.text)
        self.box.clear()
        self.hide()
        if self._take is not None:
            self._take(emoji.text)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Down goes into the list."""
        pressed = event is not None and event.type() == QEvent.Type.KeyPress
        down = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Down
        if watched is self.box and pressed and down:
            self.list.setFocus()
            self.list.setCurrentIndex(self.model.index(0))
            return True
        return super().eventFilter(watched, event)


def named_by_text(text: str) -> Emoji | None:
    """The emoji that is this text."""
    return next((emoji for emoji in all_emoji() if emoji.text == text), None)
