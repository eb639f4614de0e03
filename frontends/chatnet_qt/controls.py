"""Buttons, fields and menus in the look of the window: one style sheet made of tokens, and the
icon button that is used everywhere.

A control says what it is by its property `kind`: `first`, `quiet`, `danger`, `well`.
"""

from chatnet_qt.icons import draw_icon
from chatnet_qt.qt import (
    QAbstractButton,
    QComboBox,
    QEvent,
    QFocusEvent,
    QFrame,
    QPainter,
    QPaintEvent,
    QPen,
    QPushButton,
    QRectF,
    QSize,
    QSizePolicy,
    Qt,
    QWidget,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import Colours, Measures, measures_of

RING_PX = 2
SWITCH = (36, 20)


def control_style(c: Colours, m: Measures) -> str:
    """The style sheet of a window."""
    field = f"border-radius: {m.px(6)}px; border: 1px solid {c.edge.name()};"
    field += f"background: {c.field.name()}; color: {c.text.name()};"
    chosen = f"selection-background-color: {c.accent.name()};"
    chosen += f"selection-color: {c.on_accent.name()};"
    return f"""
QPushButton {{ {field} background: {c.raised.name()}; padding: 0 {m.px(12)}px;
  min-height: {m.px(32) - 2}px; font-weight: 500; }}
QPushButton:hover {{ background: {c.hover.name()}; }}
QPushButton:disabled {{ color: {c.text_3.name()}; border-color: {c.line.name()}; }}
QPushButton:focus {{ border: 2px solid {c.accent.name()}; padding: 0 {m.px(12) - 1}px; }}
QPushButton[kind="first"] {{ background: {c.accent.name()}; border-color: {c.accent.name()};
  color: {c.on_accent.name()}; }}
QPushButton[kind="first"]:hover {{ background: {c.accent_hover.name()}; }}
QPushButton[kind="first"]:focus {{ border-color: {c.text.name()}; }}
QPushButton[kind="first"]:disabled {{ background: {c.sunken.name()}; color: {c.text_3.name()};
  border-color: {c.sunken.name()}; }}
QPushButton[kind="quiet"] {{ border-color: transparent; background: transparent;
  color: {c.link.name()}; padding: 0 {m.px(8)}px; }}
QPushButton[kind="quiet"]:hover {{ background: {c.hover.name()}; }}
QPushButton[kind="quiet"]:focus {{ border-color: {c.accent.name()}; padding: 0 {m.px(8) - 1}px; }}
QPushButton[kind="danger"] {{ color: {c.danger.name()}; }}
QLineEdit, QPlainTextEdit, QComboBox {{ {field} {chosen} padding: 0 {m.px(8)}px; }}
QLineEdit, QComboBox {{ min-height: {m.px(36) - 2}px; }}
QLineEdit:focus, QComboBox:focus {{ border: 2px solid {c.accent.name()};
  padding: 0 {m.px(8) - 1}px; }}
QLineEdit[kind="well"] {{ border: 1px solid transparent; background: {c.well.name()}; }}
QLineEdit[kind="well"]:focus {{ border: 1px solid {c.accent.name()}; padding: 0 {m.px(8)}px; }}
QComboBox {{ min-height: {m.px(32) - 2}px; padding-right: {m.px(24)}px; }}
QComboBox::drop-down {{ border: 0; width: {m.px(24)}px; }}
QComboBox QAbstractItemView {{ background: {c.raised.name()}; color: {c.text.name()}; {chosen} }}
QPlainTextEdit[kind="bare"] {{ border: 0; background: transparent; padding: 0; }}
QMenu {{ background: {c.raised.name()}; color: {c.text.name()}; border: 1px solid {c.line.name()};
  padding: {m.px(4)}px; }}
QMenu::item {{ padding: {m.px(6)}px {m.px(24)}px {m.px(6)}px {m.px(24)}px;
  border-radius: {m.px(6)}px; }}
QMenu::item:selected {{ background: {c.hover.name()}; color: {c.text.name()}; }}
QMenu::item:disabled {{ color: {c.text_3.name()}; }}
QMenu::separator {{ height: 1px; background: {c.line.name()}; margin: {m.px(4)}px 0; }}
QMenu::icon {{ padding-left: {m.px(4)}px; }}
QSplitter::handle {{ background: {c.line.name()}; }}
QFrame[kind="card"] {{ background: {c.raised.name()}; border: 1px solid {c.line.name()};
  border-radius: {m.px(12)}px; }}
QScrollArea, QScrollArea > QWidget > QWidget {{ background: transparent; }}
QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {c.edge.name()}; border-radius: 2px;
  min-height: 36px; margin: 2px 3px 2px 3px; }}
QScrollBar::handle:vertical:hover {{ background: {c.text_2.name()}; }}
QScrollBar::handle:vertical:disabled {{ background: transparent; }}
QScrollBar::add-line:vertical, QScrollBar::sub-line:vertical {{ height: 0; }}
QScrollBar::add-page:vertical, QScrollBar::sub-page:vertical {{ background: none; }}
"""


def push_button(words: str, kind: str = "", parent: QWidget | None = None) -> QPushButton:
    """A button with words; Enter elsewhere never presses it."""
    made = QPushButton(words, parent)
    made.setAutoDefault(False)
    if kind:
        made.setProperty("kind", kind)
    return made


class IconButton(QAbstractButton):
    """A flat button with a picture; `name` is its tooltip and what a screen reader says."""

    def __init__(
        self, icon: str, name: str, parent: QWidget | None = None, *, side: int = 36
    ) -> None:
        super().__init__(parent)
        self._icon = icon
        self._side = side
        self._by_key = False
        self.filled = False
        """Drawn as the one thing to press."""
        self.rename(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    def rename(self, name: str) -> None:
        """Say what it does now."""
        self.setToolTip(name)
        self.setAccessibleName(name)

    def set_icon(self, icon: str) -> None:
        """Show another picture."""
        self._icon = icon
        self.update()

    def sizeHint(self) -> QSize:
        """A square of the design."""
        side = measures_of(self.font()).px(self._side)
        return QSize(side, side)

    def minimumSizeHint(self) -> QSize:
        """It never shrinks."""
        return self.sizeHint()

    def focusInEvent(self, event: QFocusEvent | None) -> None:
        """The ring is for keyboards."""
        keys = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
        self._by_key = event is not None and event.reason() in keys
        super().focusInEvent(event)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The picture, and what shows hovering, pressing and focus."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        ink = c.text_2 if self.isEnabled() else c.text_3
        ground = None
        if self.isChecked():
            ground, ink = c.accent_soft, c.link
        elif self.filled and self.isEnabled():
            ground, ink = c.accent_hover if self.underMouse() else c.accent, c.on_accent
        elif self.underMouse() and self.isEnabled():
            ground, ink = c.hover, c.text
        painter.setPen(Qt.PenStyle.NoPen)
        if ground is not None:
            painter.setBrush(ground)
            painter.drawRoundedRect(box, m.px(6), m.px(6))
        side = m.px(16 if self._side < 36 else 20)
        centre = box.center()
        inner = QRectF(centre.x() - side / 2, centre.y() - side / 2, side, side)
        draw_icon(painter, inner, ink, self._icon)
        if self.hasFocus() and self._by_key:
            painter.setPen(QPen(c.accent, RING_PX))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), m.px(6), m.px(6))


class Choice(QComboBox):
    """A list to choose from. The style sheet leaves out its arrow."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The field, and the arrow that says that there is more."""
        super().paintEvent(event)
        painter, m = QPainter(self), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = m.px(16)
        x, y = self.width() - m.px(8) - side, (self.height() - side) / 2
        draw_icon(painter, QRectF(x, y, side, side), colours_of(self.palette()).text_2, "down")


class Switch(QAbstractButton):
    """On or off. `name` is what a screen reader says."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """As drawn, and space for the ring around it."""
        m = measures_of(self.font())
        return QSize(m.px(SWITCH[0]) + 6, m.px(SWITCH[1]) + 6)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A track and a knob: where the knob is says it as well as the colour."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        wide, tall = m.px(SWITCH[0]), m.px(SWITCH[1])
        box = QRectF(3.5, (self.height() - tall) / 2 + 0.5, wide - 1, tall - 1)
        on = self.isChecked()
        painter.setPen(QPen(c.accent if on else c.edge, 1))
        painter.setBrush(c.accent if on else c.field)
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        side = box.height() - m.px(8)
        x = box.right() - side - m.px(4) if on else box.left() + m.px(4)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(c.on_accent if on else c.edge)
        painter.drawEllipse(QRectF(x, box.center().y() - side / 2, side, side))
        if self.hasFocus():
            painter.setPen(QPen(c.accent, RING_PX))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            around = box.adjusted(-2, -2, 2, 2)
            painter.drawRoundedRect(around, around.height() / 2, around.height() / 2)

    def changeEvent(self, event: QEvent | None) -> None:
        """Another font is another size."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.FontChange:
            self.updateGeometry()


class Line(QFrame):
    """A hairline that divides."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(1)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """In the theme's colour."""
        QPainter(self).fillRect(self.rect(), colours_of(self.palette()).line)
