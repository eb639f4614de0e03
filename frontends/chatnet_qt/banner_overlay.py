"""The one line of news that is on screen: painted over the conversation, which it does not move."""

from collections.abc import Sequence

from chatnet_qt.banner import Banner, BannerSlot, Tone
from chatnet_qt.controls import push_button
from chatnet_qt.icons import draw_icon
from chatnet_qt.labels import label
from chatnet_qt.qt import (
    QBoxLayout,
    QFrame,
    QHBoxLayout,
    QPainter,
    QPaintEvent,
    QPen,
    QPushButton,
    QRect,
    QRectF,
    QWidget,
    pyqtSignal,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import COLUMN, measures_of

MORE_THAN_COLUMN = 32
BELOW_FROM = 640
"""In a narrower one the buttons stand under the words."""
ICONS = {Tone.INFO: "info", Tone.WARNING: "clock", Tone.DANGER: "alert"}
FIRST = frozenset({"accept", "start", "give"})
"""What somebody must decide, and most will want."""


class BannerOverlay(QFrame):
    """Shows the first of its slots that holds a banner. `covers(pixels)`: so much of the upper edge
    of what it lies over."""

    covers = pyqtSignal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("floats", True)
        self._slots: list[BannerSlot] = []
        self._slot: BannerSlot | None = None
        self._drawn: Banner | None = None
        self._area = QRect()
        self._covered_px = 0
        self._label = label(wrap=True)
        self._buttons: list[QPushButton] = []
        self._layout = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._layout.addWidget(self._label, 1)
        self._row = QHBoxLayout()
        self._row.addStretch(1)
        self._layout.addLayout(self._row)
        self.hide()

    @property
    def shown(self) -> Banner | None:
        """What is on screen."""
        return self._drawn

    def buttons(self) -> list[QPushButton]:
        """What can be pressed."""
        return list(self._buttons)

    def set_slots(self, slots: Sequence[BannerSlot]) -> None:
        """Show news out of these, the most urgent first."""
        for slot in self._slots:
            slot.changed.disconnect(self.renew)
        self._slots = list(slots)
        for slot in self._slots:
            slot.changed.connect(self.renew)
        self.renew()

    def renew(self) -> None:
        """Say what is most urgent now."""
        slot = next((slot for slot in self._slots if slot.shown is not None), None)
        banner = slot.shown if slot else None
        if banner == self._drawn and slot is self._slot:
            return
        old = self._drawn
        self._slot, self._drawn = slot, banner
        if banner is None or slot is None:
            self.hide()
            self._say_cover()
            return
        self.setAccessibleName(f"{slot.name}: {banner.words}")
        self._label.setText(banner.words)
        self._label.setAccessibleName(banner.words)
        if old is None or banner.actions != old.actions or not self._buttons:
            self._make_buttons(banner)
        self.show()
        self.raise_()
        self.place(self._area)
        self.update()

    def place(self, area: QRect) -> None:
        """Lie at the top of `area`, as wide as a column and no wider than it."""
        self._area = area
        if self._drawn is None:
            return
        m = measures_of(self.font())
        wide = min(m.px(COLUMN + MORE_THAN_COLUMN), area.width() - 2 * m.px(16))
        below = wide < m.px(BELOW_FROM) and bool(self._buttons)
        directions = QBoxLayout.Direction
        self._layout.setDirection(directions.TopToBottom if below else directions.LeftToRight)
        self._layout.setContentsMargins(m.px(16 + 20 + 12), m.px(8), m.px(8), m.px(8))
        self._layout.setSpacing(m.px(8))
        self._row.setSpacing(m.px(8))
        self._layout.activate()
        tall = max(m.px(48), self._layout.totalHeightForWidth(wide))
        if not self._layout.hasHeightForWidth():
            tall = max(m.px(48), self._layout.totalSizeHint().height())
        x = area.left() + (area.width() - wide) // 2
        self.setGeometry(x, area.top() + m.px(8), wide, tall)
        self._say_cover()

    @property
    def covered_px(self) -> int:
        """What lies under it of the upper edge; 0 while nothing is shown."""
        return self.geometry().bottom() + 1 - self._area.top() if self._drawn is not None else 0

    def _say_cover(self) -> None:
        if self.covered_px != self._covered_px:
            self._covered_px = self.covered_px
            self.covers.emit(self._covered_px)

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The tone as fill and icon."""
        if self._drawn is None:
            return
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        fill, ink = {
            Tone.INFO: (c.info_fill, c.link),
            Tone.WARNING: (c.warning_fill, c.warning),
            Tone.DANGER: (c.danger_fill, c.danger),
        }[self._drawn.tone]
        painter.setPen(QPen(c.line, 1))
        painter.setBrush(fill)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.drawRoundedRect(box, m.px(8), m.px(8))
        side = m.px(20)
        y = self._label.geometry().top() + min(self._label.height(), m.px(28)) / 2 - side / 2
        draw_icon(painter, QRectF(m.px(16), y, side, side), ink, ICONS[self._drawn.tone])

    def _make_buttons(self, banner: Banner) -> None:
        for button in self._buttons:
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = []
        for name, words in banner.actions:
            button = push_button(words, "first" if name in FIRST else "")
            button.clicked.connect(lambda _checked, name=name: self._act(name))
            self._row.addWidget(button)
            button.show()
            self._buttons.append(button)

    def _act(self, name: str) -> None:
        if self._slot is not None:
            self._slot.acted.emit(name)
