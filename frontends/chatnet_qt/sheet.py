"""What all small windows have in common: text that wraps and scrolls, buttons that stay below.

Only the safe button answers to Enter, and it has the focus: a key that was meant for the
conversation decides nothing.
"""

from chatnet_qt.qt import (
    QDialog,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QShowEvent,
    Qt,
    QVBoxLayout,
    QWidget,
    present,
)

WIDTH_EM = 28
"""Of the content, in heights of the font: some 60 characters."""
OF_SCREEN = 0.92
"""No sheet is larger than this share of the screen."""


class Sheet(QDialog):
    """A window that blocks nothing: fill `body`, then `add_buttons`."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setModal(False)
        content = QWidget()
        self.body = QVBoxLayout(content)
        self.body.setContentsMargins(20, 18, 20, 4)
        self.body.setSpacing(12)
        self._content = content
        self._scroll = QScrollArea()
        self._scroll.setWidget(content)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._buttons = QHBoxLayout()
        self._buttons.setContentsMargins(20, 0, 20, 16)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(12)
        column.addWidget(self._scroll, 1)
        column.addLayout(self._buttons)
        self._safe: QPushButton | None = None
        self._was_shown = False

    def add_buttons(self, *right: QPushButton, left: tuple[QPushButton, ...] = ()) -> None:
        """The last of `right` is the safe one: it has the focus and answers to Enter."""
        for button in left:
            self._buttons.addWidget(button)
        self._buttons.addStretch(1)
        for button in right:
            self._buttons.addWidget(button)
        for button in (*left, *right):
            button.setAutoDefault(False)
        self._safe = right[-1]
        self._safe.setDefault(True)

    def fit(self, width: int, height: int) -> None:
        """Be as large as the content needs, and no larger than this."""
        em = self.fontMetrics().height()
        least = max(self._content.minimumSizeHint().width(), self._row_width())
        wide = min(width, max(WIDTH_EM * em, least))
        hint = self._content.minimumSizeHint().height()
        tall = max(self._content.heightForWidth(wide), hint)
        tall += self._buttons.sizeHint().height() + present(self.layout()).spacing()
        if tall > height:
            wide = min(width, wide + present(self._scroll.verticalScrollBar()).sizeHint().width())
        self.resize(wide, min(height, tall))

    def fit_screen(self) -> None:
        """The same on the screen it is on."""
        space = present(self.screen()).availableGeometry()
        self.fit(int(space.width() * OF_SCREEN), int(space.height() * OF_SCREEN))
        x = max(space.left(), min(self.x(), space.right() - self.width()))
        y = max(space.top(), min(self.y(), space.bottom() - self.height()))
        self.move(x, y)

    def first_focus(self) -> QWidget | None:
        """What has the focus at first."""
        return self._safe

    def _row_width(self) -> int:
        return self._buttons.minimumSize().width()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Find the right size, and put the focus where it does no harm."""
        super().showEvent(event)
        if self._was_shown:
            return
        self._was_shown = True
        self.fit_screen()
        first = self.first_focus()
        if first is not None:
            first.setFocus()
