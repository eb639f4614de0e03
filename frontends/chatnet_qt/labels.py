"""The only place that makes labels: always plain text, so that no name or message is markup."""

import re

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

LONG_WORD = re.compile(r"\S{21,}")
"""Longer than any word of a sentence here: a name, a path."""
PIECE = re.compile(r"\S{10}(?=\S)")
"""Of a long word, after which a line may end; so many of the widest letters fit a narrow window."""
UNWRAPPED_CHARACTERS = 72
"""Longer values break into lines."""


def _font_of(role: str) -> QFont:
    """One of the fonts of `Measures`, for the application's font."""
    font: QFont = getattr(measures_of(QApplication.font()), role)
    return font


def _with_breaks(word: re.Match[str]) -> str:
    """A long word with zero-width spaces."""
    return PIECE.sub("\\g<0>\u200b", word.group())


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


class WrappedLabel(PlainLabel):
    """Breaks into lines, long words too: none makes what it stands in wider than the window."""

    def __init__(
        self, text: str = "", parent: QWidget | None = None, *, font: str = "", ink: str = ""
    ) -> None:
        self._whole = ""
        super().__init__(text, parent, font=font, ink=ink)
        self.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def setText(self, text: str | None) -> None:
        """Show it; a screen reader gets it without the places to break."""
        self._whole = text or ""
        shown = LONG_WORD.sub(_with_breaks, self._whole)
        super().setText(shown)
        self.setAccessibleName("" if shown == self._whole else self._whole)

    def text(self) -> str:
        """As it was set."""
        return self._whole


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
    made = WrappedLabel if wrap else PlainLabel
    return made(text, parent, font=font, ink=ink)


def label_of(control: QWidget, text: str, *, font: str = "", ink: str = "") -> PlainLabel:
    """What a control or value is, beside it. A reader says it too: on Linux Qt takes the name of
    a list to choose from from such a label alone, and names a value by what it is."""
    made = label(text, font=font, ink=ink)
    made.setBuddy(control)
    return made


def selectable(
    text: str, parent: QWidget | None = None, *, font: str = "", ink: str = ""
) -> PlainLabel:
    """A label whose text can be selected with mouse and keyboard."""
    made = label(text, parent, font=font, ink=ink)
    if len(text) > UNWRAPPED_CHARACTERS:
        made.setWordWrap(True)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        made.setSizePolicy(policy)
    by_mouse = Qt.TextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    made.setTextInteractionFlags(by_mouse | Qt.TextInteractionFlag.TextSelectableByKeyboard)
    return made


def tool_button(icon: str, name: str, parent: QWidget | None = None) -> IconButton:
    """A small flat button with a picture."""
    return IconButton(icon, name, parent, side=28)
