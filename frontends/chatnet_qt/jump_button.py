"""The round button to the newest message, in the margin over the conversation."""

from chatnet_qt.icons import draw_icon
from chatnet_qt.qt import (
    QAbstractButton,
    QFontMetricsF,
    QPainter,
    QPaintEvent,
    QPen,
    QRect,
    QRectF,
    Qt,
    QWidget,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import COLUMN, measures_of


class JumpButton(QAbstractButton):
    """`count`: new messages further down, shown on it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._count = 0
        self.setProperty("floats", True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setToolTip("To the newest message (Ctrl+End)")
        self.setAccessibleName("To the newest message")
        self.hide()

    @property
    def count(self) -> int:
        """How many are new."""
        return self._count

    @count.setter
    def count(self, count: int) -> None:
        if count != self._count:
            self._count = count
            new = f", {count} new" if count else ""
            self.setAccessibleName(f"To the newest message{new}")
            self.update()

    def place(self, area: QRect, bar_px: int) -> None:
        """At the lower right of `area`, in the margin where there is one."""
        m = measures_of(self.font())
        tall = m.px(40)
        space = (area.width() - bar_px - m.px(COLUMN)) / 2
        inset = m.px(24) if space >= tall + m.px(32) else m.px(12)
        wide = tall
        if self._count:
            metrics = QFontMetricsF(m.micro_bold)
            wide += round(max(m.px(20), metrics.horizontalAdvance(self._words()) + m.px(12)))
        x = area.right() - bar_px - inset - wide
        self.setGeometry(x, area.bottom() - m.px(12) - tall, wide, tall)

    def _words(self) -> str:
        return str(self._count) if self._count < 1000 else "999+"

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """A pill with a number, and the arrow."""
        painter, c, m = QPainter(self), colours_of(self.palette()), measures_of(self.font())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(c.edge, 1))
        painter.setBrush(c.hover if self.underMouse() else c.raised)
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        side = m.px(20)
        x = box.right() - m.px(10) - side
        draw_icon(painter, QRectF(x, box.center().y() - side / 2, side, side), c.text_2, "newest")
        if self._count:
            tall = m.px(20)
            pill = QRectF(m.px(8), box.center().y() - tall / 2, x - m.px(4) - m.px(8), tall)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(c.accent)
            painter.drawRoundedRect(pill, tall / 2, tall / 2)
            painter.setFont(m.micro_bold)
            painter.setPen(c.on_accent)
            painter.drawText(pill, int(Qt.AlignmentFlag.AlignCenter), self._words())
