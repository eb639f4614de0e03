"""Steps one below the other, each with its time: a line that is read from the top."""

from collections.abc import Sequence

from chatnet_client.words.deliveries import Step, after_words
from chatnet_qt.labels import label, selectable
from chatnet_qt.qt import (
    QGridLayout,
    QPainter,
    QPaintEvent,
    QPointF,
    QSize,
    Qt,
    QWidget,
)
from chatnet_qt.theme import colours_of
from chatnet_qt.tokens import measures_of

RADIUS = 3
"""Of a dot, in px of the design."""
WIDTH = 12


class Dot(QWidget):
    """A step on the line that leads from the first to the last one."""

    def __init__(self, *, first: bool, last: bool) -> None:
        super().__init__()
        self._first, self._last = first, last
        self.setFixedWidth(measures_of(self.font()).px(WIDTH))

    def sizeHint(self) -> QSize:
        """As high as its line of text is."""
        return QSize(self.width(), self.fontMetrics().height())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """The newest step is in the accent's colour."""
        painter, c = QPainter(self), colours_of(self.palette())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(self.width() / 2, self.height() / 2)
        top = middle.y() if self._first else 0.0
        bottom = middle.y() if self._last else float(self.height())
        painter.setPen(c.line)
        painter.drawLine(QPointF(middle.x(), top), QPointF(middle.x(), bottom))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(c.accent if self._last else c.text_3)
        radius = float(measures_of(self.font()).px(RADIUS))
        painter.drawEllipse(middle, radius, radius)


class StepList(QWidget):
    """Names to the left, times to the right: the first by the clock, the others since then."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._steps: Sequence[Step] = ()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)

    def show_steps(self, steps: Sequence[Step]) -> None:
        """Show these, and none of before."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._steps = steps
        gap = measures_of(self.font()).px(8)
        for row, (step, words) in enumerate(zip(steps, self._times(), strict=True)):
            self._grid.addWidget(Dot(first=not row, last=row == len(steps) - 1), row, 0)
            self._grid.addWidget(label(step.name, font="small"), row, 1)
            self._grid.addWidget(selectable(words, font="small", ink="text_2"), row, 2)
            self._grid.setRowMinimumHeight(row, self.fontMetrics().height() + gap)

    def as_text(self) -> list[str]:
        """One line a step."""
        return [
            f"{step.name}: {words}" for step, words in zip(self._steps, self._times(), strict=True)
        ]

    def _times(self) -> list[str]:
        first = self._steps[0] if self._steps else None
        return [after_words(step, first if step is not first else None) for step in self._steps]
