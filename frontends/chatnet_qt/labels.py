"""The only place that makes labels: always plain text, so that no name or message is markup."""

from chatnet_qt.qt import (
    QLabel,
    QPainter,
    QPaintEvent,
    QSize,
    QSizePolicy,
    Qt,
    QToolButton,
    QWidget,
)
from chatnet_qt.theme import colours_of

UNWRAPPED_CHARACTERS = 72
"""Longer values break into lines."""


class ElidedLabel(QLabel):
    """One line that gives way: what does not fit ends in dots. Quiet, or `strong`."""

    def __init__(
        self, text: str = "", parent: QWidget | None = None, *, strong: bool = False
    ) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._strong = strong
        if strong:
            font = self.font()
            font.setBold(True)
            self.setFont(font)

    def minimumSizeHint(self) -> QSize:
        """Nothing at all, if need be."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw what fits."""
        painter = QPainter(self)
        colours = colours_of(self.palette())
        painter.setPen(colours.text if self._strong else colours.muted)
        place = self.contentsRect()
        words = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, place.width()
        )
        painter.drawText(place, int(self.alignment()), words)


def label(text: str = "", parent: QWidget | None = None, *, wrap: bool = False) -> QLabel:
    """A label that shows `text` as it is."""
    made = QLabel(parent)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setText(text)
    made.setWordWrap(wrap)
    if wrap:
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        made.setSizePolicy(policy)
    return made


def selectable(text: str, parent: QWidget | None = None) -> QLabel:
    """A label whose text can be selected with mouse and keyboard."""
    made = label(text, parent, wrap=len(text) > UNWRAPPED_CHARACTERS)
    by_mouse = Qt.TextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setTextInteractionFlags(by_mouse | Qt.TextInteractionFlag.TextSelectableByKeyboard)
    return made


def tool_button(name: str, parent: QWidget | None = None) -> QToolButton:
    """A flat button with an icon; `name` is its tooltip and what a screen reader says."""
    made = QToolButton(parent)
    made.setAutoRaise(True)
    made.setToolTip(name)
    made.setAccessibleName(name)
    return made
