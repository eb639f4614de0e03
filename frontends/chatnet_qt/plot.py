"""A small plot of the last minute, painted by hand: one line with its fill, no axes."""

from collections import deque

from chatnet_qt.qt import (
    QColor,
    QEvent,
    QMouseEvent,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPointF,
    QRectF,
    QSize,
    Qt,
    QToolTip,
    QWidget,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of

POINTS = 300
"""A minute at five a second."""
INTERVAL_MS = 200
FILL_ALPHA = 36


def scale_above(largest: float) -> float:
    """The round number (1, 2 or 5 times a power of ten) that is not below `largest`."""
    top = 1e-6
    while True:
        for step in (1, 2, 5):
            if top * step >= largest:
                return top * step
        top *= 10


class Plot(QWidget):
    """`unit` and `name` are for tooltip and screen reader."""

    def __init__(self, name: str, unit: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._unit = unit
        self._values: deque[float] = deque(maxlen=POINTS)
        self.setMouseTracking(True)
        self.setAccessibleName(f"{name}, last 60 seconds")

    @property
    def values(self) -> list[float]:
        """Oldest first."""
        return list(self._values)

    def add(self, value: float) -> None:
        """What it is now."""
        self._values.append(value)
        self.update()

    def clear(self) -> None:
        """Begin anew."""
        self._values.clear()
        self.update()

    def sizeHint(self) -> QSize:
        """As high as the design says."""
        m = measures_of(self.font())
        return QSize(m.px(160), m.px(40))

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The newest value at the right edge."""
        painter, c = QPainter(self), colours_of(self.palette())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0, 2, 0, -1.5)
        painter.setPen(QPen(c.line, 1))
        painter.drawLine(QPointF(box.left(), box.bottom()), QPointF(box.right(), box.bottom()))
        if len(self._values) < 2:
            return
        line = QPainterPath()
        top = scale_above(max(self._values))
        step = box.width() / (POINTS - 1)
        x = box.right() - step * (len(self._values) - 1)
        first = x
        for number, value in enumerate(self._values):
            y = box.bottom() - box.height() * min(1.0, max(0.0, value) / top)
            if number:
                line.lineTo(x, y)
            else:
                line.moveTo(x, y)
            x += step
        fill = QPainterPath(line)
        fill.lineTo(box.right(), box.bottom())
        fill.lineTo(first, box.bottom())
        shade = QColor(c.accent)
        shade.setAlpha(FILL_ALPHA)
        painter.fillPath(fill, shade)
        painter.setPen(QPen(c.accent, 1.5, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPath(line)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Time and value under the pointer."""
        if event is None or not self._values:
            return
        step = self.width() / (POINTS - 1)
        ago = round((self.width() - event.x()) / step)
        if 0 <= ago < len(self._values):
            value = self._values[-1 - ago]
            seconds = ago * INTERVAL_MS / 1000
            words = f"{self._name}: {value:.3g} {self._unit}, {seconds:.0f} s ago"
            QToolTip.showText(event.globalPos(), words, self)

    def leaveEvent(self, event: QEvent | None) -> None:
        """Nothing is under the pointer."""
        QToolTip.hideText()
        super().leaveEvent(event)
