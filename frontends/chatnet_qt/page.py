"""Pages that stand in the place of the conversation: a head with a way back, cards in one column
or two, all of it scrolls."""

from collections.abc import Sequence

from chatnet_qt.controls import IconButton, Line
from chatnet_qt.labels import label
from chatnet_qt.qt import (
    QApplication,
    QBoxLayout,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QScrollArea,
    QSizePolicy,
    Qt,
    QVBoxLayout,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of

TWO_COLUMNS_FROM = 840


class Head(QFrame):
    """The line at the top of a page."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        m = measures_of(self.font())
        self.back = IconButton("back", "Back (Esc)")
        self.menu = IconButton("menu", "Menu (F10)")
        self.menu.hide()
        row = QHBoxLayout(self)
        row.setContentsMargins(m.px(12), 0, m.px(12), 0)
        row.setSpacing(m.px(8))
        row.addWidget(self.back)
        row.addWidget(self.menu)
        row.addWidget(label(title, font="title"))
        row.addStretch(1)
        self.setFixedHeight(m.px(56))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The canvas, and a line below it."""
        painter, c = QPainter(self), colours_of(self.palette())
        painter.fillRect(self.rect(), c.canvas)
        painter.fillRect(0, self.height() - 1, self.width(), 1, c.line)


class Page(QFrame):
    """`left`: back to the conversation. Fill `first` and `second` with cards."""

    left = pyqtSignal()

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        m = measures_of(self.font())
        self.setAccessibleName(title)
        self.head = Head(title)
        inside = QWidget()
        self.top = QVBoxLayout()
        self.top.setSpacing(m.px(4))
        self.first, self.second = QVBoxLayout(), QVBoxLayout()
        for column in (self.first, self.second):
            column.setSpacing(m.px(16))
        self._columns = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._columns.addLayout(self.first, 1)
        self._columns.addLayout(self.second, 1)
        self._columns.setSpacing(m.px(24))
        whole = QVBoxLayout(inside)
        whole.setContentsMargins(m.px(24), m.px(24), m.px(24), m.px(24))
        whole.setSpacing(m.px(16))
        whole.addLayout(self.top)
        whole.addLayout(self._columns)
        whole.addStretch(1)
        self.area = QScrollArea()
        self.area.setWidget(inside)
        self.area.setWidgetResizable(True)
        self.area.setFrameShape(QFrame.Shape.NoFrame)
        self.area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.head)
        column.addWidget(self.area, 1)
        self.head.back.clicked.connect(self.left)
        self.home: QWidget = self
        """What has the focus when a control that had it vanishes."""

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes on. A control that vanishes while it has the focus leaves it to `home`: Qt
        would pass it on as Tab does, and a ring would appear that nobody asked for."""
        held = QApplication.focusWidget()
        if held is None or (held.isVisible() and held.isEnabled()):
            return super().focusNextPrevChild(forward)
        self.home.setFocus(Qt.FocusReason.OtherFocusReason)
        return True

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Esc leaves."""
        if event is not None and event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """One column or two."""
        super().resizeEvent(event)
        m = measures_of(self.font())
        directions = QBoxLayout.Direction
        wide = self.width() >= m.px(TWO_COLUMNS_FROM)
        self._columns.setDirection(directions.LeftToRight if wide else directions.TopToBottom)
        self._columns.setSpacing(m.px(24 if wide else 16))
        side = m.px(24 if self.width() >= m.px(640) else 12)
        space = max(side, (self.width() - m.px(960 if wide else 640)) // 2)
        inside = self.area.widget()
        layout = inside.layout() if inside is not None else None
        if layout is not None:
            layout.setContentsMargins(space, m.px(24), space, m.px(24))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The ground of the window."""
        QPainter(self).fillRect(self.rect(), colours_of(self.palette()).window)


class Card(QFrame):
    """A raised box; `padded`, or made of rows with lines between them."""

    def __init__(self, parent: QWidget | None = None, *, padded: bool = False) -> None:
        super().__init__(parent)
        self.setProperty("kind", "card")
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        m = measures_of(self.font())
        self._m = m
        self.body = QVBoxLayout(self)
        pad = m.px(24) if padded else 1
        self.body.setContentsMargins(pad, pad, pad, pad)
        self.body.setSpacing(m.px(12) if padded else 0)
        self._rows = 0

    def add_row(
        self, words: str, hint: str | QWidget, *controls: QWidget, font: str = ""
    ) -> QWidget:
        """Words, a quieter line below them, controls at the right; the row itself."""
        m = self._m
        if self._rows:
            self.body.addWidget(Line())
        self._rows += 1
        made = QWidget()
        row = QHBoxLayout(made)
        row.setContentsMargins(m.px(16), m.px(8), m.px(16), m.px(8))
        row.setSpacing(m.px(8))
        column = QVBoxLayout()
        column.setSpacing(m.px(2))
        column.addStretch(1)
        named = label(words, wrap=True, font=font)
        column.addWidget(named)
        if isinstance(hint, QWidget):
            column.addWidget(hint)
        elif hint:
            column.addWidget(label(hint, wrap=True, font="small", ink="text_2"))
        column.addStretch(1)
        row.addLayout(column, 1)
        for control in controls:
            row.addWidget(control)
            if isinstance(control, QComboBox):
                named.setBuddy(control)  # its name for a reader, see `labels.label_of`
        made.setMinimumHeight(m.px(48))
        self.body.addWidget(made)
        return made


def add_all(column: QVBoxLayout, cards: Sequence[tuple[str, Card]]) -> None:
    """Cards below each other, each with its small head, if it has one."""
    for head, card in cards:
        if head:
            column.addWidget(label(head, font="small_bold", ink="text_2"))
        column.addWidget(card)
    column.addStretch(1)
