"""The only place that makes labels: always plain text, so that no name or message is markup."""

from chatnet_qt.controls import IconButton
from chatnet_qt.qt import (
    QApplication,
    QEvent,
    QFont,
    QLabel,
    QPainter,
    QPaintEvent,
    QSize,
    QSizePolicy,
    Qt,
    QWidget,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of

UNWRAPPED_CHARACTERS = 72
"""Longer values break into lines."""


def _font_of(role: str) -> QFont:
    """One of the fonts of `Measures`, for the application's font."""
    font: QFont = getattr(measures_of(QApplication.font()), role)
    return font


class PlainLabel(QLabel):
    """Text in one of the fonts and inks of the design, whatever theme is in force."""

    def __init__(
        self, text: str = "", parent: QWidget | None = None, *, font: str = "", ink: str = ""
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)
        self._role, self._ink = font, ink
        self._restyle()

    def set_ink(self, ink: str) -> None:
        """Another colour of the design."""
        self._ink = ink
        self._restyle()

    def changeEvent(self, event: QEvent | None) -> None:
        """Follow theme and text size."""
        super().changeEvent(event)
        kinds = (QEvent.Type.ApplicationPaletteChange, QEvent.Type.ApplicationFontChange)
        if event is not None and event.type() in kinds:
            self._restyle()

    def _restyle(self) -> None:
        if self._role:
            self.setFont(_font_of(self._role))
        if self._ink:
            colour = getattr(colours_of(QApplication.palette()), self._ink)
            palette = self.palette()
            if palette.color(palette.WindowText) != colour:
                palette.setColor(palette.WindowText, colour)
                self.setPalette(palette)


class ElidedLabel(PlainLabel):
    """One line that gives way: what does not fit ends in dots, and is in the tooltip."""

    def minimumSizeHint(self) -> QSize:
        """Nothing at all, if need be."""
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw what fits."""
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.palette().WindowText))
        place = self.contentsRect()
        words = self.fontMetrics().elidedText(
            self.text(), Qt.TextElideMode.ElideRight, place.width()
        )
        painter.drawText(place, int(self.alignment()), words)


def label(
    text: str = "",
    parent: QWidget | None = None,
    *,
    wrap: bool = False,
    font: str = "",
    ink: str = "",
) -> PlainLabel:
    """A label that shows `text` as it is."""
    made = PlainLabel(text, parent, font=font, ink=ink)
    made.setWordWrap(wrap)
    if wrap:
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        made.setSizePolicy(policy)
    return made


def selectable(
    text: str, parent: QWidget | None = None, *, font: str = "", ink: str = ""
) -> PlainLabel:
    """A label whose text can be selected with mouse and keyboard."""
    wrap = len(text) > UNWRAPPED_CHARACTERS
    made = label(text, parent, wrap=wrap, font=font, ink=ink)
    by_mouse = Qt.TextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setTextInteractionFlags(by_mouse | Qt.TextInteractionFlag.TextSelectableByKeyboard)
    return made


def tool_button(icon: str, name: str, parent: QWidget | None = None) -> IconButton:
    """A small flat button with a picture."""
    return IconButton(icon, name, parent, side=28)
